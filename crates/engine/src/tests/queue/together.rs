//! One message to many, of whom some fail: how often its sender is told, and of whom.

use super::*;
use std::collections::BTreeMap;

/// Sends to one address in each of so many domains.
async fn to_many(world: &World, who: &Principal, domains: usize, notify: Notify) {
    let mut to = Vec::new();
    for at in 0..domains {
        to.push(outside(world, who, &format!("ai@d{at}.example")).await.asking(notify, None));
    }
    submit(world, who, &to, Wishes::default()).await;
}

fn number(delivery: &LeasedDelivery) -> usize {
    delivery.destination[1..].split('.').next().unwrap().parse().unwrap()
}

/// How many reports there are with this action, and how often each address is in them.
async fn told(world: &World, who: &Principal, action: &str) -> (usize, BTreeMap<String, usize>) {
    let inbox = world.inbox(who).await;
    let action = format!("Action: {action}\r\n");
    let reports: Vec<&String> = inbox.iter().filter(|text| text.contains(&action)).collect();
    let mut named = BTreeMap::new();
    for line in reports.iter().flat_map(|text| text.lines()) {
        if let Some(address) = line.strip_prefix("Final-Recipient: rfc822;") {
            *named.entry(address.to_owned()).or_default() += 1;
        }
    }
    (reports.len(), named)
}

fn is_each_once(named: &BTreeMap<String, usize>) -> bool {
    named.values().all(|times| *times == 1)
}

#[tokio::test]
async fn what_fails_within_minutes_is_told_in_one_report() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 30, Notify::UNSAID).await;
    // Half of them at once, some a little later, the others stay.
    work(&world.engine, |delivery| all(delivery, &if number(delivery) < 15 { never() } else { later() }))
        .await;
    world.look_after().await;
    assert_eq!(told(&world, &an, "failed").await.0, 0, "more may fail in the next minutes");
    world.database.run("update queue_deliveries set due_at = '2026-11-01'").await;
    world.database.run("update queue_destinations set next_at = '2026-11-01', mail_at = '2026-11-01'").await;
    world.forward(0, 2);
    work(&world.engine, |delivery| all(delivery, &if number(delivery) < 20 { never() } else { later() }))
        .await;
    world.forward(0, 1);
    world.look_after().await;
    let (reports, named) = told(&world, &an, "failed").await;
    assert_eq!((reports, named.len()), (1, 20), "three minutes after the first at the latest");
    assert!(is_each_once(&named), "{named:?}");
    world.look_after().await;
    assert_eq!(told(&world, &an, "failed").await.0, 1);
    // What is the last of a message is not waited with.
    world.forward(3, 0);
    work(&world.engine, |delivery| all(delivery, &never())).await;
    world.look_after().await;
    let (reports, named) = told(&world, &an, "failed").await;
    assert_eq!((reports, named.len()), (2, 30));
    assert!(is_each_once(&named), "{named:?}");
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from queue_untold").await, 0);
}

#[tokio::test]
async fn whoever_fails_at_many_moments_is_told_of_few_times_and_of_everybody() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 28, Notify::UNSAID).await;
    for at in 0..28 {
        work(&world.engine, |delivery| {
            all(delivery, &if number(delivery) <= at { never() } else { later() })
        })
        .await;
        world.forward(0, 4);
        world.look_after().await;
        if at < 10 {
            assert_eq!(told(&world, &an, "failed").await.0, at + 1, "the first within minutes");
        }
        world.forward(3, 56);
        world.look_after().await;
    }
    let (reports, named) = told(&world, &an, "failed").await;
    assert!((11..=20).contains(&reports), "{reports}");
    assert_eq!(named.len(), 28);
    assert!(is_each_once(&named), "{named:?}");
    assert_eq!(told(&world, &an, "delayed").await.0, 1, "after four hours, once");
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn what_is_late_of_a_message_to_many_is_one_warning() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 90, Notify::UNSAID).await;
    world.forward(4, 1);
    world.look_after().await;
    let (reports, named) = told(&world, &an, "delayed").await;
    assert_eq!((reports, named.len()), (1, 90));
}

#[tokio::test]
async fn receipts_are_told_together_too_and_only_to_who_asked() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 6, Notify::SUCCESS).await;
    work(&world.engine, |delivery| all(delivery, &if number(delivery) == 0 { never() } else { taken() }))
        .await;
    world.look_after().await;
    let (reports, named) = told(&world, &an, "relayed").await;
    assert_eq!((reports, named.len(), told(&world, &an, "failed").await.0), (1, 5, 0));
    to_many(&world, &an, 6, Notify::NEVER).await;
    work(&world.engine, |delivery| all(delivery, &never())).await;
    assert_eq!(world.queue_rows().await, [0; 4], "nothing is to be told of");
    assert_eq!(world.inbox(&an).await.len(), 1);
}

/// Whoever dies between a failure and its report leaves it to others; who tells of it beside another tells once.
#[tokio::test]
async fn another_node_tells_what_one_has_noted_and_two_tell_it_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 8, Notify::UNSAID).await;
    work(&world.engine, |delivery| all(delivery, &if number(delivery) < 6 { never() } else { later() }))
        .await;
    // What a binary says that knows nothing of reports to come ends no message either.
    world.database.run("delete from queue_messages").await;
    assert_eq!(world.queue_rows().await, [1, 2, 2, 0]);
    world.forward(0, 3);
    let (one, two) = (world.another_node(), world.another_node());
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::join!(one.look_for_overdue(&stop), two.look_for_overdue(&stop));
    let (reports, named) = told(&world, &an, "failed").await;
    assert_eq!((reports, named.len()), (1, 6));
    assert_eq!(world.number("select count(*) from queue_untold").await, 0);
}

/// A report that says nothing new of when: each recipient's last attempt is when it was.
#[tokio::test]
async fn a_report_says_when_each_failed() {
    let world = World::new().await;
    let an = world.user("an").await;
    to_many(&world, &an, 3, Notify::UNSAID).await;
    work(&world.engine, |delivery| all(delivery, &if number(delivery) == 0 { never() } else { later() }))
        .await;
    world.forward(0, 3);
    world.look_after().await;
    let inbox = world.inbox(&an).await;
    assert!(inbox[0].contains("Last-Attempt-Date: Sun, 22 Nov 2026 08:00:00 +0700\r\n"), "{}", inbox[0]);
    assert!(inbox[0].contains("Diagnostic-Code: smtp;550 no such user\r\n"), "{}", inbox[0]);
    assert!(
        inbox[0].contains("\r\nSubject: =?utf-8?q?Gi=E1=BA=A5y_m=E1=BB=9Di?=\r\n"),
        "its header comes back"
    );
}
