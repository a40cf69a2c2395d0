//! The queue's statements: that each finds its rows by an index, however many there are, and how fast a claim is.

use super::world::World;
use crate::{Accepting, NewOutgoing, NewOutgoingPart, NewOutgoingRecipient, WantedWork};
use jiff::SignedDuration;
use model::queue::{Needs, Notify, Priority};
use sqlx::{AssertSqlSafe, Executor as _};
use std::time::{Duration, Instant};

fn outgoing<'a>(world: &World, to: &[(&str, &str)]) -> NewOutgoing<'a> {
    let recipient = |(domain, address): &(&str, &str)| {
        let new =
            NewOutgoingRecipient { address: (*address).to_owned(), orcpt: None, notify: Notify::UNSAID };
        ((*domain).to_owned(), new)
    };
    NewOutgoing {
        queue_id: "0A",
        sender: "an@demo.gov.vn",
        account: None,
        ret: None,
        envid: None,
        needs: Needs::default(),
        about: "0A\n\n\n",
        priority: Priority::Interactive,
        due_at: world.now,
        warn_at: None,
        give_up_at: world.now + SignedDuration::from_hours(120),
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
