//! The queue's statements: that each finds its rows by an index, however many there are, and how fast a claim is.

use super::world::World;
use crate::{Accepting, NewOutgoing, NewOutgoingPart, NewOutgoingRecipient, WantedWork};
use jiff::SignedDuration;
use model::queue::{Needs, Notify, Priority};
use sqlx::{AssertSqlSafe, Executor as _};
use std::time::{Duration, Instant};

fn outgoing<'a>(world: &World, to: &[(&str, &str)]) -> NewOutgoing<'a> {
    let recipient = |(domain, address): &(&str, &str)| {
        let new = NewOutgoingRecipient {
            address: (*address).to_owned(),
            orcpt: None,
            notify: Notify::UNSAID,
            passed_on: None,
        };
        ((*domain).to_owned(), new)
    };
    NewOutgoing {
        queue_id: "0A",
        sender: "an@demo.gov.vn",
        sent_as: None,
        account: None,
        ret: None,
        envid: None,
        needs: Needs::default(),
        about: "0A\n\n\n",
        priority: Priority::Interactive,
        due_at: world.now,
        warn_at: None,
        give_up_at: world.now + SignedDuration::from_hours(120),
        is_kept_back: false,
        parts: NewOutgoingPart::of(to.iter().map(recipient)),
    }
}

#[tokio::test]
async fn a_destination_that_is_not_known_is_no_reason_to_lose_a_recipient() {
    let world = World::new().await;
    let new = outgoing(&world, &[("a.example", "x@a.example"), ("b.example", "y@b.example")]);
    let content = world.content(&[b"x"]).await;
    world.store.know_destinations(&["a.example"], world.now).await.unwrap();
    let accepting = Accepting { outgoing: Some(&new), ..Accepting::default() };
    let mut tx = world.store.begin().await.unwrap();
    let refused = tx.accept_all(&content, &accepting, &world.event()).await.unwrap_err();
    assert!(matches!(refused, crate::Error::Conflict), "{refused}");
    drop(tx);
    world.store.know_destinations(&["a.example", "b.example", "b.example"], world.now).await.unwrap();
    let mut tx = world.store.begin().await.unwrap();
    let (id, placed) = tx.accept_all(&content, &accepting, &world.event()).await.unwrap();
    tx.commit_known(&id).await.unwrap();
    assert!(placed.is_empty());
    assert_eq!(world.number("select count(*) from queue_recipients").await, 2);
    // Those that are used are not forgotten.
    let later = world.now + SignedDuration::from_hours(24 * 30);
    assert_eq!(world.store.forget_destinations(later).await.unwrap(), 0);
}

/// `count` messages for each of a hundred destinations, all due.
async fn fill(world: &World, count: i64) {
    let statements = [
        "truncate queue_messages, queue_deliveries, queue_recipients, queue_destinations, queue_leases".to_owned(),
        "insert into queue_destinations (name, next_at, used_at)
         select 'd' || n || '.example', '2026-11-22T00:00:00Z', '2026-11-22T00:00:00Z' from generate_series(1, 100) n"
            .to_owned(),
        format!(
            "insert into queue_messages (queue_id, content_id, sender, needs, about, accepted_at)
             select 'q' || n, n, 'an@demo.gov.vn', 0, 'q', '2026-11-22T00:00:00Z' from generate_series(1, {count}) n"
        ),
        "insert into queue_deliveries (message_id, destination_id, priority, due_at, give_up_at, warn_at)
         select m.message_id, d.destination_id, m.message_id % 3, '2026-11-22T00:00:00Z', '2026-11-27T00:00:00Z',
                '2026-11-22T04:00:00Z'
           from queue_messages m
           join (select destination_id, row_number() over (order by destination_id) as nth from queue_destinations) d
             on d.nth = 1 + m.message_id % 100"
            .to_owned(),
        "insert into queue_recipients (delivery_id, nth, address, notify)
         select delivery_id, 1, 'x@example.org', 14 from queue_deliveries"
            .to_owned(),
        "analyze queue_messages, queue_deliveries, queue_recipients, queue_destinations".to_owned(),
    ];
    let mut superuser = world.superuser().await;
    for statement in statements {
        superuser.execute(AssertSqlSafe(statement)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_claimed_is_found_by_indexes() {
    let world = World::new().await;
    fill(&world, 20_000).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "select delivery_id from queue_deliveries where destination_id = 5 and priority = 0 and due_at <= now()
            and lease_id is null and not held order by due_at limit 50",
        "select min(due_at) from queue_deliveries where destination_id = 5 and priority = 1 and lease_id is null and not held",
        "select delivery_id from queue_deliveries where give_up_at <= '2026-11-26' and lease_id is null and not held
            order by give_up_at limit 50",
        "select delivery_id from queue_deliveries where warn_at <= '2026-11-21' and warn_at is not null and lease_id is null
            and not held order by warn_at limit 50",
        "update queue_deliveries set lease_id = null where lease_id = 7",
        "select 1 from queue_messages where content_id = 7",
        "delete from queue_recipients where delivery_id = 7 and nth = 1",
        "select count(*) from queue_deliveries where message_id = 7",
    ] {
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("explain {statement}")))
            .fetch_all(&mut superuser)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
        assert!(!plan.contains("Sort"), "{statement}\n{plan}");
    }
}

#[tokio::test]
async fn what_forgets_at_night_and_what_hands_out_read_no_queue() {
    let world = World::new().await;
    fill(&world, 20_000).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "update queue_deliveries set held = true where delivery_id % 1000 = 0",
        "update queue_deliveries set lease_id = 1 where delivery_id % 1000 = 1",
        "insert into pending_deliveries (content_id, account_ids, folder_ids, recipients, internal_date, release_at, message_id)
         select n, '{1}', '{1}', '{x}', now(), now() + n * interval '1 minute', n from generate_series(1, 20000) n",
        "analyze queue_deliveries, pending_deliveries",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    for (statement, table) in [
        (crate::queue::FORGET, "queue_deliveries"),
        (
            "select 1 from pending_deliveries where held_id is null and release_at <= now() and kept_at is null
              order by release_at limit 1",
            "pending_deliveries",
        ),
        (
            "select 1 from pending_deliveries where held_id is null and release_at is null order by attempts, pending_id limit 1",
            "pending_deliveries",
        ),
    ] {
        let explained = AssertSqlSafe(format!("explain {}", statement.replace("$1", "'2026-11-20T00:00:00Z'")));
        let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains(&format!("Seq Scan on {table}")) && !plan.contains("Sort"), "{statement}\n{plan}");
    }
    // What is leased or kept back is known as well as what is free.
    superuser.execute("delete from queue_deliveries where lease_id is null and not held").await.unwrap();
    let busy = world.number("select count(distinct destination_id) from queue_deliveries").await;
    let later = world.now + SignedDuration::from_hours(24 * 30);
    assert_eq!(world.store.forget_destinations(later).await.unwrap(), 100 - busy.unsigned_abs());
    assert!((1..100).contains(&busy), "{busy}");
}

#[tokio::test]
async fn what_the_filter_keeps_back_is_found_without_reading_the_queue() {
    let world = World::new().await;
    fill(&world, 20_000).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "update queue_deliveries set held = true, held_by = 'filter', held_at = '2026-11-22T00:00:00Z', is_told = delivery_id % 2 = 0
          where delivery_id % 1000 = 0 or delivery_id % 1000 = 7",
        "vacuum analyze queue_deliveries",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    for (statement, index) in [
        (crate::queue::FILTERED_COUNTS, "queue_deliveries_filtered"),
        (crate::queue::FILTERED_UNTOLD, "queue_deliveries_untold"),
        (crate::queue::FILTERED_OVER, "queue_deliveries_filtered"),
    ] {
        let asked = statement
            .replace("d.held_at < $2", "d.held_at < now()")
            .replace("any ($1)", "any (array[7])")
            .replace("$1", "7")
            .replace("$2", "5")
            .replace("$3", "5");
        let explained = AssertSqlSafe(format!("explain {asked}"));
        let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut superuser).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{statement}\n{plan}");
        assert!(!plan.contains("Seq Scan on queue_"), "{statement}\n{plan}");
    }
    let counts = world.store.filtered_counts().await.unwrap();
    assert_eq!((counts.deliveries, counts.oldest), (40, "2026-11-22T00:00:00Z".parse().ok()));
}

/// Prints figures; run with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "a benchmark: fills 500,000 rows, and prints what a claim takes; docs/adr/0019 says how it is run"]
async fn a_claim_among_half_a_million() {
    let world = World::new().await;
    for count in [1_000, 500_000] {
        fill(&world, count).await;
        let mut took: Vec<Duration> = Vec::new();
        for _ in 0..200 {
            let times = (world.now, SignedDuration::from_mins(5));
            let began = Instant::now();
            let claimed = world.store.claim_mail("a", &WantedWork::default(), 5, times).await.unwrap();
            took.push(began.elapsed());
            if claimed.is_none() {
                break;
            }
        }
        took.sort_unstable();
        let at = |share: usize| took[took.len() * share / 100];
        println!("{count} waiting: {} claims, median {:?}, p99 {:?}", took.len(), at(50), at(99));
    }
}

/// Strangers choose where reports go: to tens of thousands of names, all due at once.
#[tokio::test]
async fn who_takes_no_more_reports_does_not_walk_through_them() {
    let world = World::new().await;
    fill(&world, 20_000).await;
    let mut superuser = world.superuser().await;
    for statement in [
        "truncate queue_messages, queue_deliveries, queue_recipients, queue_destinations, queue_leases",
        "insert into queue_destinations (name, next_at, used_at)
         select 'd' || n || '.example', '2026-11-22T00:00:00Z', '2026-11-22T00:00:00Z' from generate_series(1, 20000) n",
        "insert into queue_messages (queue_id, content_id, sender, needs, about, accepted_at)
         select 'q' || n, n, '', 0, 'q', '2026-11-22T00:00:00Z' from generate_series(1, 20000) n",
        "insert into queue_deliveries (message_id, destination_id, priority, due_at, give_up_at)
         select m.message_id, d.destination_id, 2, '2026-11-22T00:00:00Z', '2026-11-27T00:00:00Z'
           from (select message_id, row_number() over () as nth from queue_messages) m
           join (select destination_id, row_number() over () as nth from queue_destinations) d using (nth)",
        "insert into queue_recipients (delivery_id, nth, address, notify)
         select delivery_id, 1, 'x@example.org', 0 from queue_deliveries",
        "analyze queue_messages, queue_deliveries, queue_recipients, queue_destinations",
    ] {
        superuser.execute(statement).await.unwrap();
    }
    let times = (world.now + SignedDuration::from_hours(2), SignedDuration::from_mins(5));
    let no_reports = WantedWork { no_reports: true, ..WantedWork::default() };
    let claim = async |wanted: &WantedWork| world.store.claim_mail("a", wanted, 50, times).await.unwrap();
    // What was thought to have more is looked at once.
    let thought = "update queue_destinations set mail_at = next_at where destination_id % 1000 = 0";
    superuser.execute(thought).await.unwrap();
    assert!(claim(&no_reports).await.is_none());
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(format!("explain (analyze) {}", crate::queue::DUE_MAIL)))
            .bind(jiff_sqlx::ToSqlx::to_sqlx(times.0))
            .bind(Vec::<i64>::new())
            .bind(None::<Vec<i64>>)
            .fetch_all(&mut superuser)
            .await
            .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("queue_destinations_mail") && !plan.contains("Removed by"), "{plan}");
    // One of them gets mail, too: it is found, and the report goes with it.
    let destination = "select min(destination_id) from queue_destinations";
    let first = world.number(destination).await;
    let mut new = outgoing(&world, &[("d1.example", "x@d1.example")]);
    new.due_at = world.now + SignedDuration::from_hours(1);
    let content = world.content(&[b"x"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let accepting = Accepting { outgoing: Some(&new), ..Accepting::default() };
    let (id, _) = tx.accept_all(&content, &accepting, &world.event()).await.unwrap();
    tx.commit_known(&id).await.unwrap();
    world.store.nudge_destinations(&["d1.example"], false, times.0).await.unwrap();
    let claimed = claim(&no_reports).await.unwrap();
    assert_eq!(
        (claimed.lease.destination.as_ref().map(|(id, _)| *id), claimed.deliveries.len()),
        (Some(first), 2)
    );
    assert!(claim(&no_reports).await.is_none());
    // It comes back, and is found again: given back, or not reached and rested.
    world.store.end_lease(&claimed.lease).await.unwrap();
    let claimed = claim(&no_reports).await.unwrap();
    let rest = times.0 + SignedDuration::from_mins(1);
    let lease = (claimed.lease.lease, first);
    assert!(world.store.destination_failed(lease, (1, rest, "away"), &[], times.0).await.unwrap());
    assert!(claim(&no_reports).await.is_none());
    let later = (times.0 + SignedDuration::from_mins(2), times.1);
    let claimed = world.store.claim_mail("a", &no_reports, 50, later).await.unwrap().unwrap();
    assert_eq!((claimed.lease.failures, claimed.deliveries.len()), (1, 1));
    // Reports alone are still taken by who may.
    assert!(claim(&WantedWork::default()).await.is_some());
}
