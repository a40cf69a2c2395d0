//! How much somebody may send: limits over nodes and connections, a stolen password, who is told, and what is left to do.

use super::queue::{outside, submitted};
use super::{PASSWORD, World, actor, address, mailbox, origin, policy};
use crate::{DeliverError, Engine, Error, LoginError, Principal, Recipient, Wishes};
use model::lifecycle::{Life, LockReason};
use model::sending::Limit;
use model::{Address, MailboxClass};
use std::sync::Arc;

/// Submits a message to these, by this node.
async fn send_by(engine: &Engine, world: &World, who: &Principal, to: &[&str]) -> Result<(), DeliverError> {
    let mut recipients: Vec<Recipient> = Vec::new();
    for to in to {
        recipients.push(outside(world, who, to).await);
    }
    let text = format!("From: {}\r\nSubject: Moi hop\r\n\r\nKinh gui\r\n", who.address());
    let mut spool = engine.new_spool();
    spool.write(text.as_bytes()).await.unwrap();
    engine.deliver(&submitted(who, Wishes::default()), &recipients, spool).await.map(drop)
}

pub(super) async fn send(world: &World, who: &Principal, to: &[&str]) -> Result<(), DeliverError> {
    send_by(&world.engine, world, who, to).await
}

pub(super) fn limit(sent: Result<(), DeliverError>) -> Option<Limit> {
    match sent {
        Ok(()) => None,
        Err(DeliverError::Throttled { limit, .. } | DeliverError::TooManyRecipients { limit, .. }) => {
            Some(limit)
        }
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn subjects(world: &World, who: &Principal) -> Vec<String> {
    let read = world.read(who, "INBOX").await;
    let subject = |raw: &[u8]| {
        let header = mail_subject(&String::from_utf8_lossy(raw));
        proto::mime::decode_header(header.as_bytes())
    };
    read.iter().map(|(_, raw)| subject(raw)).collect()
}

fn mail_subject(text: &str) -> String {
    let at = text.find("\r\nSubject:").unwrap() + 10;
    let mut subject = String::new();
    for line in text[at..].split("\r\n") {
        if !subject.is_empty() && !line.starts_with([' ', '\t']) {
            break;
        }
        subject.push_str(line);
    }
    subject
}

pub(super) async fn person(world: &World, name: &str, class: MailboxClass) -> Principal {
    let new = crate::NewMailbox { class, ..mailbox(name) };
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.engine.log_in(&format!("{name}@demo.gov.vn"), PASSWORD, &origin()).await.unwrap()
}

/// For tests of what comes behind.
pub(super) async fn no_limits(world: &World) {
    policy(world, "limit.person", "1000000,1000000,1000000,1000000").await;
    policy(world, "limit.strangers", "off").await;
}

/// Must show 7: 3,000 messages to strangers in five minutes, by ten connections to two nodes.
#[tokio::test]
async fn a_stolen_password_sends_little_and_is_locked_and_told() {
    let world = World::new().await;
    let (victim, other) = (world.user("an").await, world.user("binh").await);
    let centre = person(&world, "xulythurac", MailboxClass::Service).await;
    let nodes = [world.engine.clone(), world.another_node()];
    let mut out = 0;
    let mut throttled = 0;
    let mut revoked = 0;
    for n in 0..3_000 {
        if n % 10 == 0 {
            world.clock.advance(jiff::SignedDuration::from_secs(1));
        }
        let to = format!("nguoi{n}@example{}.org", n % 7);
        // Once the mailbox is locked there is nobody who may write to the outside.
        let Ok(recipient) = world.engine.recipient_of(&to.parse::<Address>().unwrap(), Some(&victim)).await
        else {
            revoked += 1;
            continue;
        };
        let node = &nodes[n % 2];
        let mut spool = node.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: Qua tang\r\n\r\nx\r\n").await.unwrap();
        match node.deliver(&submitted(&victim, Wishes::default()), &[recipient], spool).await {
            Ok(_) => out += 1,
            Err(DeliverError::Throttled { .. }) => throttled += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // N: what one hour of one person's mailbox lets through. The rest was refused, then the mailbox was locked.
    assert_eq!((out, throttled, revoked), (100, 200, 2_700));
    let life = world.engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
    assert!(matches!(life, Life::Locked { reason: LockReason::Spam, .. }), "{life:?}");
    assert_eq!(world.engine.check_standing(&victim).await, Err(Error::Revoked));
    let again = world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await;
    assert_eq!(again.unwrap_err(), LoginError::Locked);
    // What nobody had fetched yet stays in the queue until an operator has looked at it.
    assert_eq!(world.number("select count(*) from queue_deliveries where held").await, 100);
    assert!(super::queue::everything_taken(&world.engine).await.is_empty());
    assert_eq!(
        subjects(&world, &centre).await,
        ["Hộp thư an@demo.gov.vn tạm thời bị hạn chế gửi thư", "Hộp thư an@demo.gov.vn đã bị tạm khóa"]
    );
    assert!(subjects(&world, &other).await.is_empty(), "it is nobody else's business");
    let detail =
        "select detail::text from audit where action = 'mailbox.lock' and actor = 'system:sending-limits'";
    let audited = world.database.texts(detail).await;
    assert_eq!(audited.len(), 1);
    for word in ["\"spam\"", "\"refused\": 200", "\"strangers\": 100", "\"queued_mail_held\": 100"] {
        assert!(
            audited[0].replace("\":", "\": ").replace(":  ", ": ").contains(word),
            "{word} in {}",
            audited[0]
        );
    }
    assert_eq!(send(&world, &other, &["ai@example.org"]).await, Ok(()), "others send as before");
}

#[tokio::test]
async fn the_officers_of_the_unit_hear_of_it() {
    let world = World::new().await;
    policy(&world, "limit.person", "1,100,100,1000").await;
    policy(&world, "limit.lock_after", "1").await;
    let unit = super::authority::unit("demo.gov.vn", "stc", None);
    world.engine.add_unit(&actor(), &unit, crate::Founding::default()).await.unwrap();
    let unit = "stc".to_owned();
    let office =
        crate::NewMailbox { class: MailboxClass::Organisation, unit: Some(unit.clone()), ..mailbox("stc") };
    world.engine.add_mailbox(&actor(), &office).await.unwrap();
    let office = world.engine.log_in("stc@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    world
        .engine
        .add_mailbox(&actor(), &crate::NewMailbox { unit: Some(unit), ..mailbox("an") })
        .await
        .unwrap();
    let an = world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    send(&world, &an, &["a@example.org"]).await.unwrap();
    assert_eq!(limit(send(&world, &an, &["b@example.org"]).await), Some(Limit::MessagesPerHour));
    assert_eq!(subjects(&world, &office).await, ["Hộp thư an@demo.gov.vn đã bị tạm khóa"]);
}

#[tokio::test]
async fn limits_are_exact_over_connections_and_nodes() {
    let world = World::new().await;
    policy(&world, "limit.person", "40,60,1000,1000").await;
    policy(&world, "limit.lock_after", "off").await;
    let an = world.user("an").await;
    let binh = world.user("binh").await;
    let world = Arc::new(world);
    let nodes = [world.engine.clone(), world.another_node(), world.another_node()];
    let crowd = async |count: usize| {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..count {
            let (world, an, node) = (world.clone(), an.clone(), nodes[n % 3].clone());
            tasks.spawn(async move { send_by(&node, &world, &an, &["binh"]).await });
        }
        tasks.join_all().await.iter().filter(|sent| sent.is_ok()).count()
    };
    assert_eq!(crowd(120).await, 40);
    world.forward(0, 59);
    assert_eq!(crowd(5).await, 0);
    world.forward(0, 1);
    assert_eq!(crowd(50).await, 20, "the day has its own");
    assert_eq!(limit(send(&world, &an, &["binh"]).await), Some(Limit::MessagesPerDay));
    world.forward(23, 0);
    assert_eq!(crowd(1).await, 1);
    let told = subjects(&world, &an).await;
    assert_eq!(told.len(), 2, "once for each hour in which it was throttled: {told:?}");
    // The first of them on Sunday at eight, for the hour.
    let letter = world.letters(&an).await.remove(0);
    assert!(letter.contains("Từ nay đến 09 giờ 00 ngày 22/11/2026, hệ thống"), "{letter}");
    assert_eq!(subjects(&world, &binh).await.len(), 61, "and nobody but him got mail");
    let life = world.engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
    assert!(matches!(life, Life::Active { .. }));
}

#[tokio::test]
async fn whom_one_knows_is_no_stranger_and_what_fails_is_not_counted() {
    let world = World::new().await;
    policy(&world, "limit.strangers", "2").await;
    let an = world.user("an").await;
    let detail = async || world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap().sent;
    send(&world, &an, &["a@example.org", "A@EXAMPLE.org", "b@example.org"]).await.unwrap();
    let sent = detail().await;
    assert_eq!((sent.hour.messages, sent.hour.recipients, sent.strangers), (1, 3, 2), "each once");
    assert_eq!(limit(send(&world, &an, &["c@example.org"]).await), Some(Limit::StrangersPerHour));
    let letter = world.letters(&an).await.pop().unwrap();
    assert!(letter.contains("to outside addresses that it has never written to"), "{letter}");
    send(&world, &an, &["a@example.org", "b@example.org"]).await.unwrap();
    let many = ["d@example.org", "e@example.org", "f@example.org"];
    let never = send(&world, &an, &many).await;
    assert_eq!(never, Err(DeliverError::TooManyRecipients { limit: Limit::StrangersPerHour, most: 2 }));
    let before = detail().await;
    world.user("binh").await;
    let to = world.engine.recipient_of(&address("binh"), Some(&an)).await.unwrap();
    assert!(world.engine.delete_without_export(&actor(), &address("binh"), "thử").await.unwrap());
    let mut spool = world.engine.new_spool();
    spool.write(b"From: an@demo.gov.vn\r\n\r\nx\r\n").await.unwrap();
    let refused = world.engine.deliver(&submitted(&an, Wishes::default()), &[to], spool).await;
    assert_eq!(refused.unwrap_err(), DeliverError::Unavailable);
    assert_eq!(detail().await, before, "it was given back");
    // A mailbox that is reset begins anew, by somebody with a reason.
    world.engine.reset_sending(&actor(), &address("an"), "giấy mời đại hội").await.unwrap();
    assert_eq!(detail().await.hour.messages, 0);
    assert_eq!(world.audited("mailbox.sending-reset").await, ["an@demo.gov.vn"]);
    send(&world, &an, &["c@example.org"]).await.unwrap();
    // Who was not written to for years is a stranger again.
    world.forward(24 * 731, 0);
    assert_eq!(world.engine.forget_correspondents_job().await.unwrap(), "3 forgotten");
}
