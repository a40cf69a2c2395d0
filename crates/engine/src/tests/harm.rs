//! A mailbox that sends malware or spam again and again: throttled, told, locked. Real scanners are in `tests/e2e/test_filters.py`.

use super::queue::{outside, submitted};
use super::scanning::{at, filter};
use super::sending::{person, subjects};
use super::{World, actor, address, policy};
use crate::{DeliverError, Engine, Principal, Wishes};
use guard::{ScanAddress, ScannerSettings, Scanners};
use model::MailboxClass;
use model::lifecycle::{Life, LockReason};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

/// clamd that finds something in what holds this word.
async fn virus_scanner() -> ScannerSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ScanAddress::Tcp(listener.local_addr().unwrap().to_string());
    TaskTracker::new().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = Vec::new();
            while !said.ends_with(&[0; 4]) {
                stream.read_buf(&mut said).await.unwrap();
            }
            let found = String::from_utf8_lossy(&said).contains("virus");
            let answer: &[u8] = if found { b"stream: Thu.Nghiem FOUND\0" } else { b"stream: OK\0" };
            stream.write_all(answer).await.unwrap();
        }
    });
    at(address)
}

/// A message of its own, as each is that somebody writes.
async fn send(engine: &Engine, world: &World, who: &Principal, word: &str) -> Result<(), DeliverError> {
    static NTH: AtomicU64 = AtomicU64::new(0);
    send_again(engine, world, who, &format!("{word} {}", NTH.fetch_add(1, Ordering::Relaxed))).await
}

/// The same as the time before.
async fn send_again(engine: &Engine, world: &World, who: &Principal, word: &str) -> Result<(), DeliverError> {
    let to = outside(world, who, "ai@example.org").await;
    let mut spool = engine.new_spool();
    let text = format!("From: {}\r\nSubject: x\r\n\r\n{word} het\r\n", who.address());
    spool.write(text.as_bytes()).await.unwrap();
    engine.deliver(&submitted(who, Wishes::default()), &[to], spool).await.map(drop)
}

async fn life(world: &World, name: &str) -> Life {
    world.engine.life(&actor(), &address(name)).await.unwrap().unwrap().life
}

fn infected() -> Result<(), DeliverError> {
    Err(DeliverError::Infected("Thu.Nghiem".into()))
}

#[tokio::test]
async fn who_goes_on_sending_malware_is_throttled_told_and_locked_for_it() {
    let world = World::new().await;
    let nodes = [world.engine.clone(), world.another_node()];
    for node in &nodes {
        node.use_scanners(Scanners::new(Some(virus_scanner().await), None));
    }
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let centre = person(&world, "xulythurac", MailboxClass::Service).await;
    assert_eq!(send(&nodes[0], &world, &an, "virus").await, infected());
    assert!(subjects(&world, &an).await.is_empty(), "once is a mishap");
    assert_eq!(send(&nodes[1], &world, &an, "virus").await, infected());
    let letter = world.letters(&an).await.remove(0);
    for words in [
        "Hộp thư an@demo.gov.vn gửi thư có mã độc",
        "Hệ thống đã chặn 2 thư có mã độc do hộp thư an@demo.gov.vn (Nguyễn Văn A) gửi đi. Đến 08 giờ 00 ngày 23/11/2026",
        "Nếu có 5 thư như vậy trong một ngày, hộp thư sẽ bị tạm khóa.",
        "2 messages with malware that the mailbox sent were stopped",
    ] {
        assert!(letter.contains(words), "{words}\n{letter}");
    }
    let sent = async || world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap().sent;
    assert!(sent().await.suspect_until.is_some());
    for n in 2..5 {
        assert!(matches!(life(&world, "an").await, Life::Active { .. }), "{n}");
        assert_eq!(send(&nodes[n % 2], &world, &an, "virus").await, infected());
    }
    assert!(matches!(life(&world, "an").await, Life::Locked { reason: LockReason::Malware, .. }));
    let told = ["Hộp thư an@demo.gov.vn gửi thư có mã độc", "Hộp thư an@demo.gov.vn đã bị tạm khóa"];
    assert_eq!(subjects(&world, &centre).await, told);
    let detail = world.detail("mailbox.lock").await;
    assert_eq!((&detail["reason"], &detail["evidence"]["malware"]), (&"malware".into(), &5.into()));
    assert!(subjects(&world, &binh).await.is_empty());
    assert_eq!(send(&nodes[0], &world, &binh, "x").await, Ok(()), "others send as before");
}

/// A mail program tries what is in its outbox again and again, on its own.
#[tokio::test]
async fn a_message_that_is_tried_again_counts_once() {
    let world = World::new().await;
    let nodes = [world.engine.clone(), world.another_node()];
    for node in &nodes {
        node.use_scanners(Scanners::new(Some(virus_scanner().await), None));
    }
    let an = world.user("an").await;
    for n in 0..8 {
        assert_eq!(send_again(&nodes[n % 2], &world, &an, "virus").await, infected());
    }
    assert!(subjects(&world, &an).await.is_empty(), "once is a mishap");
    let detail = world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap();
    assert_eq!(detail.sent.malware, 1);
    // What is kept of them has an end.
    policy(&world, "limit.malware", "off").await;
    for _ in 0..105 {
        assert_eq!(send(&world.engine, &world, &an, "virus").await, infected());
    }
    assert_eq!(world.number("select cardinality(stopped)::bigint from sending_counts").await, 100);
}

#[tokio::test]
async fn mail_that_is_clean_or_was_never_scanned_counts_for_nothing_and_a_day_later_all_begins_anew() {
    let world = World::new().await;
    world.engine.use_scanners(Scanners::new(Some(virus_scanner().await), None));
    policy(&world, "limit.malware", "2,3").await;
    let an = world.user("an").await;
    for hours in [0, 25, 25] {
        world.forward(hours, 0);
        assert_eq!(send(&world.engine, &world, &an, "virus").await, infected());
        assert_eq!(send(&world.engine, &world, &an, "x").await, Ok(()));
    }
    assert!(subjects(&world, &an).await.is_empty());
    policy(&world, "limit.malware", "off").await;
    for _ in 0..5 {
        assert_eq!(send(&world.engine, &world, &an, "virus").await, infected());
    }
    assert!(matches!(life(&world, "an").await, Life::Active { .. }));
    let dead = World::new().await;
    dead.engine.use_scanners(Scanners::new(Some(at("/nonexistent/clamd".parse().unwrap())), None));
    let an = dead.user("an").await;
    for _ in 0..6 {
        assert_eq!(send(&dead.engine, &dead, &an, "virus").await, Err(DeliverError::NotScanned));
    }
    assert!(matches!(life(&dead, "an").await, Life::Active { .. }));
}

#[tokio::test]
async fn spam_that_is_refused_or_kept_back_counts_and_what_policy_lets_out_does_not() {
    let world = World::new().await;
    let action = Arc::new(Mutex::new("reject"));
    world.engine.use_scanners(Scanners::new(None, Some(filter(action.clone()).await)));
    policy(&world, "limit.spam", "1,4").await;
    policy(&world, "filter.spam_out", "take").await;
    let an = world.user("an").await;
    for _ in 0..4 {
        assert_eq!(send(&world.engine, &world, &an, "x").await, Ok(()));
    }
    policy(&world, "filter.spam_out", "quarantine").await;
    for _ in 0..2 {
        assert_eq!(send(&world.engine, &world, &an, "x").await, Ok(()), "and waits in the queue");
    }
    assert_eq!(subjects(&world, &an).await, ["Hộp thư an@demo.gov.vn gửi thư bị xác định là thư rác"]);
    policy(&world, "filter.spam_out", "reject").await;
    *action.lock().unwrap() = "add header";
    assert_eq!(send(&world.engine, &world, &an, "x").await, Ok(()), "what is only suspected");
    *action.lock().unwrap() = "reject";
    for _ in 0..2 {
        assert_eq!(send(&world.engine, &world, &an, "x").await, Err(DeliverError::Unwanted));
    }
    assert!(matches!(life(&world, "an").await, Life::Locked { reason: LockReason::Spam, .. }));
    assert_eq!(
        world.number("select count(*) from queue_deliveries where not held").await,
        0,
        "nothing goes now"
    );
}

#[tokio::test]
async fn a_program_of_the_province_is_throttled_and_told_of_but_not_locked() {
    let world = World::new().await;
    world.engine.use_scanners(Scanners::new(Some(virus_scanner().await), None));
    let program = person(&world, "mayquet", MailboxClass::Service).await;
    for _ in 0..8 {
        assert_eq!(send(&world.engine, &world, &program, "virus").await, infected());
    }
    assert!(matches!(life(&world, "mayquet").await, Life::Active { .. }));
    assert_eq!(subjects(&world, &program).await.len(), 1);
}
