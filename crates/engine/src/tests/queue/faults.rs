//! Nodes that die, are taken over, or lose the database in the middle.

use super::*;
use crate::{AtHand, Error};
use store::Claimed;

#[tokio::test]
async fn a_dead_nodes_mail_is_taken_over_and_what_it_says_afterwards_changes_nothing() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let other = world.another_node();
    assert!(other.claim_mail(&WantedWork::default()).await.unwrap().is_none(), "it is the first node's");
    // It puts off the end of its lease, and then no longer.
    world.age_leases(4).await;
    assert_eq!(world.engine.keep_mail(&[claimed.lease.lease]).await.unwrap(), [claimed.lease.lease]);
    world.age_leases(4).await;
    world.look_after().await;
    assert!(other.claim_mail(&WantedWork::default()).await.unwrap().is_none());
    world.age_leases(2).await;
    world.look_after().await;
    let again = other.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    assert_eq!(again.deliveries.len(), 1);
    assert_eq!(world.engine.keep_mail(&[claimed.lease.lease]).await.unwrap(), Vec::<i64>::new());
    for outcome in [taken(), never(), later()] {
        let late = vec![outcome];
        let ours = world
            .engine
            .report_mail(&claimed.lease, &claimed.deliveries[0], late, Contact::Reached)
            .await
            .unwrap();
        assert!(!ours);
    }
    world.engine.report_unreachable(&claimed, &claimed.deliveries[0], &away()).await.unwrap();
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    assert_eq!(world.queue_rows().await, [1, 1, 1, 1]);
    assert_eq!(
        world.number("select count(*) from events where kind <> 'received' and about is not null").await,
        0
    );
    assert_eq!(world.inbox(&an).await.len(), 0);
    assert!(
        other.report_mail(&again.lease, &again.deliveries[0], vec![taken()], Contact::Reached).await.unwrap()
    );
    other.give_back_mail(&again.lease).await.unwrap();
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn a_node_whose_clock_is_ahead_takes_over_nobody() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    world.forward(1, 0);
    world.look_after().await;
    assert_eq!(world.queue_rows().await, [1, 1, 1, 1]);
    let done = &claimed.deliveries[0];
    assert!(world.engine.report_mail(&claimed.lease, done, vec![taken()], Contact::Reached).await.unwrap());
}

#[tokio::test]
async fn what_was_not_done_of_a_claim_is_due_as_before() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..5 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    assert_eq!(claimed.deliveries.len(), 5);
    let done = &claimed.deliveries[0];
    assert!(world.engine.report_mail(&claimed.lease, done, vec![taken()], Contact::Reached).await.unwrap());
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    assert_eq!(everything_taken(&world.engine).await.len(), 4);
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn a_node_that_dies_before_it_looks_is_made_up_for() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    world.database.run("update queue_destinations set next_at = '9000-01-01'").await;
    assert!(world.engine.claim_mail(&WantedWork::default()).await.unwrap().is_none());
    world.look_after().await;
    assert_eq!(everything_taken(&world.engine).await.len(), 1);
}

/// A message whose octets are damaged ends like any other, and keeps no other from it.
#[tokio::test]
async fn what_cannot_be_read_is_given_up_and_told_of_without_its_text() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    world.database.run("update chunks set data = 'damaged'").await;
    world.forward(24 * 5 - 3, 0);
    send(&world, &an, &["ai@example.net"]).await;
    // One that has not read them when they were whole.
    let other = world.another_node();
    let mut unreadable = 0;
    while let Some(claimed) = other.claim_mail(&WantedWork::default()).await.unwrap() {
        for delivery in &claimed.deliveries {
            unreadable += u32::from(other.outgoing_octets(delivery).await.err() == Some(Error::NotFound));
            assert!(
                other.report_mail(&claimed.lease, delivery, vec![later()], Contact::Reached).await.unwrap()
            );
        }
        other.give_back_mail(&claimed.lease).await.unwrap();
    }
    assert_eq!(unreadable, 1);
    world.forward(7, 30);
    other.look_for_overdue(&tokio_util::sync::CancellationToken::new()).await;
    let told = world.inbox(&an).await;
    let with = |action: &str| told.iter().filter(|text| text.contains(&format!("Action: {action}"))).count();
    assert_eq!((told.len(), with("failed"), with("delayed")), (2, 1, 1), "{told:?}");
    assert_eq!(world.queue_rows().await, [1, 1, 1, 0]);
}

#[tokio::test]
async fn two_nodes_do_each_delivery_once() {
    let world = World::new().await;
    crate::tests::sending::no_limits(&world).await;
    let an = world.user("an").await;
    for n in 0..120 {
        send(&world, &an, &[&format!("a@d{}.example", n % 3)]).await;
    }
    let other = world.another_node();
    let (one, two) = tokio::join!(everything_taken(&world.engine), everything_taken(&other));
    assert_eq!(one.len() + two.len(), 120);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from events where kind = 'sent'").await, 120);
}

/// Whatever dies between the other side's answer and our commit: the sender is told once, or it is sent again.
#[tokio::test]
async fn killed_before_the_commit_nothing_has_happened() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    // The mailbox of whoever is to be told is held, and the one who tells dies waiting for it.
    let mut held = world.database.hold("select 1 from counters for update").await;
    let report =
        world.engine.report_mail(&claimed.lease, &claimed.deliveries[0], vec![never()], Contact::Reached);
    tokio::select! {
        done = report => panic!("{done:?}"),
        () = held.until_somebody_waits() => {}
    }
    held.release().await;
    world.age_leases(6).await;
    // Postgres ends what the dead one had begun in its own time; until then its lease cannot be touched.
    while world.queue_rows().await[3] > 0 {
        world.look_after().await;
    }
    let again = world.another_node();
    work(&again, |delivery| all(delivery, &never())).await;
    assert_eq!(world.inbox(&an).await.len(), 1);
    assert_eq!(world.number("select count(*) from events where kind = 'bounced'").await, 1);
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn the_last_two_deliveries_of_a_message_end_at_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..20 {
        send(&world, &an, &["ai@example.org", "ai@example.net"]).await;
    }
    let (one, two) = (
        world.engine.claim_mail(&WantedWork::default()).await.unwrap(),
        world.engine.claim_mail(&WantedWork::default()).await.unwrap(),
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.deliveries.len(), two.deliveries.len()), (20, 20));
    let other = world.another_node();
    for (left, right) in one.deliveries.iter().zip(&two.deliveries) {
        let (left, right) = tokio::join!(
            world.engine.report_mail(&one.lease, left, vec![taken()], Contact::Reached),
            other.report_mail(&two.lease, right, vec![taken()], Contact::Reached),
        );
        assert!(left.unwrap() && right.unwrap());
    }
    assert_eq!(world.number("select count(*) from queue_messages").await, 0);
}

/// Whoever has a message locked may take his time; what is said of others is said meanwhile.
#[tokio::test]
async fn what_was_handed_over_waits_for_no_other_message() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    send(&world, &an, &["ai@example.net"]).await;
    let one = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let two = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let report = |claimed: &Claimed| {
        let (engine, lease, delivery) =
            (world.engine.clone(), claimed.lease.clone(), claimed.deliveries[0].clone());
        async move { engine.report_mail(&lease, &delivery, vec![taken()], Contact::Reached).await.unwrap() }
    };
    let lock =
        format!("select 1 from queue_messages where message_id = {} for update", one.deliveries[0].message);
    let mut held = world.database.hold(&lock).await;
    let mut first = std::pin::pin!(report(&one));
    tokio::select! {
        done = &mut first => panic!("{done:?}"),
        () = held.until_somebody_waits() => {}
    }
    assert!(report(&two).await);
    assert_eq!(world.queue_rows().await, [1, 1, 1, 2]);
    held.release().await;
    assert!(first.await);
    // Who says it again, or of a lease that has ended, changes nothing.
    assert!(!report(&one).await);
    assert_eq!(world.queue_rows().await, [0, 0, 0, 2]);
    assert_eq!(world.number("select count(*) from events where kind = 'sent'").await, 2);
    assert_eq!(
        world
            .number("select count(*) from events where kind = 'sent' and recipients = '{ai@example.net}'")
            .await,
        1
    );
}

/// A damaged message among others that are brought together is no trouble of theirs.
#[tokio::test]
async fn what_is_brought_together_is_each_by_itself() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..3 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    let second = "select c.chunk_ids[1] from contents c join queue_messages m using (content_id) order by m.message_id offset 1 limit 1";
    world.database.run(&format!("update chunks set data = 'damaged' where chunk_id = ({second})")).await;
    let other = world.another_node();
    let claimed = other.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let mut at_hand = AtHand::default();
    for at in 0..3 {
        let octets = other.next_octets(&claimed.deliveries[at..], &mut at_hand).await;
        match (at, octets) {
            (1, octets) => assert_eq!(octets.err(), Some(Error::NotFound)),
            (_, octets) => {
                let text = String::from_utf8(octets.unwrap().read().await.unwrap()).unwrap();
                assert!(text.contains(&claimed.deliveries[at].queue_id), "its own: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_policy_is_known_to_all_nodes_for_as_long_as_it_holds() {
    let world = World::new().await;
    let week = std::time::Duration::from_hours(24 * 7);
    world.engine.put_mta_sts("b.vn", ("1", "mode: none", week)).await.unwrap();
    world.engine.put_mta_sts("b.vn", ("2", "mode: enforce", week)).await.unwrap();
    let other = world.another_node();
    world.forward(24, 0);
    let (id, policy, left) = other.mta_sts("b.vn").await.unwrap().unwrap();
    assert_eq!((id.as_str(), policy.as_str(), left.as_secs()), ("2", "mode: enforce", 6 * 24 * 3600));
    assert_eq!(other.mta_sts("c.vn").await.unwrap(), None);
    world.forward(24 * 6, 0);
    assert_eq!(other.mta_sts("b.vn").await.unwrap(), None);
    world.engine.forget_destinations().await.unwrap();
    assert_eq!(world.number("select count(*) from mta_sts_policies").await, 0);
}
