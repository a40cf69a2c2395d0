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
    engine.report_mail(&two.lease, &two.deliveries[0], vec![later()], false).await.unwrap();
    engine.give_back_mail(&two.lease).await.unwrap();
    world.forward(0, 10);
    assert_eq!(everything_taken(engine).await.len(), 1);
    assert_eq!(world.queue_rows().await, [0; 4]);
}
