//! Outages, temporary refusals, schedules, priorities.

use super::*;
use std::cell::RefCell;

#[tokio::test]
async fn after_an_outage_of_six_hours_everything_is_delivered_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    for _ in 0..7 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    let tries = RefCell::new(0);
    let down = |_: &LeasedDelivery| {
        *tries.borrow_mut() += 1;
        Err(away())
    };
    for _ in 0..36 {
        work(&world.engine, down).await;
        world.forward(0, 10);
        world.look_after().await;
    }
    // One probe a look, at most one an hour in the end: not one for each message.
    assert!((8..=14).contains(&*tries.borrow()), "{tries:?}");
    assert_eq!(
        world.number("select max(attempts)::bigint from queue_deliveries").await,
        0,
        "the destination's failures"
    );
    world.forward(1, 0);
    let went = everything_taken(&world.engine).await;
    assert_eq!(went.len(), 7);
    assert_eq!(world.queue_rows().await, [0; 4]);
    // Late, and told so once.
    let told = world.inbox(&an).await;
    assert_eq!(told.len(), 7, "one warning for each message");
    assert!(told.iter().all(|text| text.contains("Action: delayed")));
}

#[tokio::test]
async fn half_refused_for_now_is_tried_for_those_alone() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to: Vec<String> = (0..10).map(|n| format!("a{n}@example.org")).collect();
    send(&world, &an, &to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let seen = RefCell::new(HashMap::<String, u32>::new());
    let mut half = |delivery: &LeasedDelivery| {
        let outcome = |(at, to): (usize, &store::LeasedRecipient)| {
            *seen.borrow_mut().entry(to.address.clone()).or_default() += 1;
            if at % 2 == 0 { taken() } else { later() }
        };
        Ok(delivery.recipients.iter().enumerate().map(outcome).collect())
    };
    for (left, minutes) in [(5, 4), (5, 3), (2, 20), (1, 60)] {
        work(&world.engine, &mut half).await;
        assert_eq!(world.number("select count(*) from queue_recipients").await, left);
        world.forward(0, minutes);
    }
    assert_eq!(everything_taken(&world.engine).await.len(), 1);
    assert_eq!(seen.borrow().values().sum::<u32>(), 10 + 5 + 2);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from events where kind = 'sent'").await, 4);
    assert_eq!(world.inbox(&an).await.len(), 0);
}

#[tokio::test]
async fn after_four_hours_a_warning_and_after_five_days_the_end_each_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org", "ai@example.net"]).await;
    let refuse = |delivery: &LeasedDelivery| all(delivery, &later());
    for hour in 1..=130 {
        work(&world.engine, refuse).await;
        world.forward(1, 0);
        world.look_after().await;
        let told = world.inbox(&an).await;
        let expected = match hour {
            ..4 => 0,
            4..120 => 1,
            _ => 2,
        };
        assert_eq!(told.len(), expected, "after {hour} hours: {told:?}");
    }
    let told = world.inbox(&an).await;
    // One letter for what was late, and one for what has failed, for both destinations.
    for (text, action) in [(&told[0], "delayed"), (&told[1], "failed")] {
        assert_eq!(text.matches(&format!("Action: {action}")).count(), 2, "{text}");
        assert!(text.contains("Final-Recipient: rfc822;ai@example.net"), "{text}");
    }
    assert!(
        told[1].contains("Status: 4.4.7") && told[1].contains("Diagnostic-Code: smtp;451 "),
        "{}",
        told[1]
    );
    assert_eq!(world.queue_rows().await, [0; 4]);
    let bounced = "select sum(cardinality(recipients))::bigint from events where kind = 'bounced'";
    assert_eq!(world.number(bounced).await, 2);
}

#[tokio::test]
async fn a_destination_that_is_never_reached_is_given_up_too() {
    let world = World::new().await;
    let an = world.user("an").await;
    send(&world, &an, &["ai@example.org"]).await;
    for _ in 0..125 {
        work(&world.engine, |_| Err(away())).await;
        world.forward(1, 0);
        world.look_after().await;
    }
    let told = world.inbox(&an).await;
    assert_eq!(told.len(), 2);
    assert!(told[1].contains("connection refused"), "{}", told[1]);
    // What does not exist fails at once.
    send(&world, &an, &["ai@nowhere.example"]).await;
    let no = || Unreachable::Never(Answer::ours(Status(5, 1, 2), "no such domain"));
    work(&world.engine, |_| Err(no())).await;
    assert!(world.inbox(&an).await[2].contains("Status: 5.1.2"));
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn dead_destinations_slow_no_other() {
    let world = World::new().await;
    crate::tests::sending::no_limits(&world).await;
    let an = world.user("an").await;
    let is_dead = |name: &str| name.starts_with("d00") && name < "d005";
    let to = |n: u32| Recipient::elsewhere(address(&format!("a{n}@d{:03}.example", n % 300)));
    let recipients: Vec<Recipient> = (0..10_000).map(to).collect();
    submit(&world, &an, &recipients, Wishes::default()).await;
    assert_eq!(world.queue_rows().await, [1, 300, 10_000, 0]);
    let tried = RefCell::new(0);
    let says = |delivery: &LeasedDelivery| {
        if is_dead(&delivery.destination) {
            *tried.borrow_mut() += 1;
            return Err(away());
        }
        all(delivery, &taken())
    };
    let went = work(&world.engine, says).await;
    // All the others in one go, each once; the dead were tried once.
    assert_eq!((went.len(), counted(&went).len(), *tried.borrow()), (295, 295, 5));
    assert_eq!(world.number("select count(*) from queue_recipients").await, 5 * 34);
    // New mail goes past them.
    send(&world, &an, &["b@d000.example", "b@d200.example"]).await;
    assert_eq!(work(&world.engine, says).await, ["d200.example"]);
    assert_eq!(*tried.borrow(), 5, "who rests is not tried for new mail");
}

#[tokio::test]
async fn what_people_write_goes_before_what_lists_get() {
    let world = World::new().await;
    let an = world.user("an").await;
    let to: Vec<String> = (0..60).map(|n| format!("a{n}@example.org")).collect();
    let many: Vec<&str> = to.iter().map(String::as_str).collect();
    let bulk = send(&world, &an, &many).await;
    let one = send(&world, &an, &["ai@example.org"]).await;
    let order = RefCell::new(Vec::new());
    work(&world.engine, |delivery| {
        order.borrow_mut().push(delivery.queue_id.clone());
        all(delivery, &taken())
    })
    .await;
    assert_eq!(*order.borrow(), [one, bulk]);
}

#[tokio::test]
async fn mail_for_later_waits_here_and_there_and_is_called_back() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let to = [outside(&world, &an, "binh").await, outside(&world, &an, "ai@example.org").await];
    let at = world.engine.now() + SignedDuration::from_hours(2);
    let wishes = Wishes { release_at: Some(at), ..Wishes::default() };
    let first = submit(&world, &an, &to, wishes.clone()).await;
    let second = submit(&world, &an, &to, wishes.clone()).await;
    let here_alone = submit(&world, &an, &to[..1], wishes).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let hand_out = async || world.engine.expand_all(&stop).await;
    hand_out().await;
    world.look_after().await;
    assert_eq!(everything_taken(&world.engine).await.len(), 0);
    assert_eq!(world.inbox(&binh).await.len(), 0);
    let listed = world.engine.scheduled(&an).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|row| row.release_at == at));
    // Only his own, and only once.
    assert!(!world.engine.cancel_scheduled(&binh, &first).await.unwrap());
    assert!(world.engine.cancel_scheduled(&an, &first).await.unwrap());
    assert!(!world.engine.cancel_scheduled(&an, &first).await.unwrap());
    world.forward(2, 0);
    hand_out().await;
    world.look_after().await;
    assert_eq!(everything_taken(&world.engine).await, ["example.org"]);
    assert_eq!(world.inbox(&binh).await.len(), 2);
    for gone in [first, second, here_alone] {
        assert!(!world.engine.cancel_scheduled(&an, &gone).await.unwrap());
    }
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
    assert_eq!(world.number("select count(*) from events where kind = 'cancelled'").await, 1);
    assert_eq!(world.inbox(&an).await.len(), 0, "who calls back is not told that it failed");
}
