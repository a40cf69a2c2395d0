//! Destinations that could not be reached: when they rest, and when they rest no more.

use super::*;

/// What is left of a destination's failures when nothing is left to probe it with keeps no new mail from it.
#[tokio::test]
async fn a_destination_with_nothing_to_probe_it_rests_no_more() {
    let world = World::new().await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let send = async || super::send(&world, &an, &["ai@example.org"]).await;
    // What it was not reached for was given up.
    let id = send().await;
    work(engine, |_| Err(away())).await;
    engine.expire_queued(&actor(), &id, true).await.unwrap();
    world.forward(0, 2);
    assert_eq!(everything_taken(engine).await.len(), 0);
    send().await;
    assert_eq!(everything_taken(engine).await.len(), 1);
    // It was kept back, and let go.
    let id = send().await;
    work(engine, |_| Err(away())).await;
    engine.hold_queued(&actor(), &id, true).await.unwrap();
    world.forward(0, 2);
    assert_eq!(everything_taken(engine).await.len(), 0);
    engine.hold_queued(&actor(), &id, false).await.unwrap();
    assert_eq!(everything_taken(engine).await.len(), 1);
    // Another connection had it.
    let id = send().await;
    let one = engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    send().await;
    let two = engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    engine.report_unreachable(&one, &one.deliveries[0], &away()).await.unwrap();
    engine.expire_queued(&actor(), &id, true).await.unwrap();
    world.forward(0, 2);
    assert_eq!(everything_taken(engine).await.len(), 0);
    engine.report_mail(&two.lease, &two.deliveries[0], vec![later()], Contact::Reached).await.unwrap();
    engine.give_back_mail(&two.lease).await.unwrap();
    world.forward(0, 10);
    assert_eq!(everything_taken(engine).await.len(), 1);
    assert_eq!(world.queue_rows().await, [0; 4]);
}

/// Connections that break together are one failure, however many they are.
#[tokio::test]
async fn one_outage_counts_once() {
    let world = World::new().await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let mut claims = Vec::new();
    for _ in 0..5 {
        send(&world, &an, &["ai@example.org"]).await;
        claims.push(engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap());
    }
    for claimed in &claims {
        engine.report_unreachable(claimed, &claimed.deliveries[0], &away()).await.unwrap();
    }
    assert_eq!(world.number("select failures::bigint from queue_destinations").await, 1);
    world.forward(0, 2);
    work(engine, |_| Err(away())).await;
    assert_eq!(world.number("select failures::bigint from queue_destinations").await, 2);
    world.forward(0, 3);
    assert_eq!(everything_taken(engine).await.len(), 5, "it rested for two minutes, not for an hour");
}

/// What is for nowhere is told of all at once, with one question to the name servers for each claim.
#[tokio::test]
async fn what_will_never_be_reached_fails_together() {
    let world = World::new().await;
    let (an, engine) = (world.user("an").await, &world.engine);
    for _ in 0..7 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    // Behind a rest, too.
    work(engine, |_| Err(away())).await;
    world.forward(0, 2);
    let asked = std::cell::RefCell::new(0);
    let nowhere = |_: &LeasedDelivery| {
        *asked.borrow_mut() += 1;
        Err(Unreachable::Never(Answer::ours(Status(5, 1, 2), "no such domain")))
    };
    work(engine, nowhere).await;
    assert_eq!((world.queue_rows().await, *asked.borrow()), ([0; 4], 2), "one probe, and the rest");
    assert_eq!(world.inbox(&an).await.len(), 7);
}

/// A server that is there, and cannot take what it is offered first, does not rest.
#[tokio::test]
async fn who_is_reached_without_a_word_rests_no_more() {
    let world = World::new().await;
    let (an, engine) = (world.user("an").await, &world.engine);
    for _ in 0..3 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    work(engine, |_| Err(away())).await;
    world.forward(0, 2);
    let too_large = Outcome::Failed(Answer::ours(Status(5, 3, 4), "takes messages of 10 octets at most"));
    assert_eq!(work(engine, |delivery| all(delivery, &too_large)).await.len(), 3);
    assert_eq!(world.queue_rows().await, [0; 4]);
}
