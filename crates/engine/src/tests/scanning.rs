//! What becomes of mail that scanners say something of, or nothing. The scanners are a script; real ones are in
//! `tests/e2e/test_filters.py`.

use super::groups::{domain, group, province};
use super::queue::{everything_taken, outside, submitted};
use super::{World, actor, address, policy};
use crate::{Actor, DeliverError, GroupError, QuarantineError, QueueError, QueueFilter, QueueState, Wishes};
use guard::{ScanAddress, ScannerSettings, Scanners};
use model::{GroupRule, GroupSenders};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) fn at(address: ScanAddress) -> ScannerSettings {
    ScannerSettings { address, timeout: Duration::from_secs(10), message_bytes_max: 1 << 20, places: 4 }
}

fn nowhere() -> ScannerSettings {
    at("/nonexistent/scanner.ctl".parse().unwrap())
}

/// rspamd that says this action of every message.
pub(super) async fn filter(action: Arc<Mutex<&'static str>>) -> ScannerSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ScanAddress::Tcp(listener.local_addr().unwrap().to_string());
    TaskTracker::new().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = vec![0; 10_000];
            let mut length = 0;
            while !said[..length].ends_with(b"het\r\n") {
                length += stream.read(&mut said[length..]).await.unwrap();
            }
            let action = *action.lock().unwrap();
            let answer = format!(
                "HTTP/1.0 200 OK\r\n\r\n{{\"action\":\"{action}\",\"score\":7,\"required_score\":15}}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    at(address)
}

/// clamd that says this of every message; nothing: it hangs up.
async fn clamd(says: Arc<Mutex<&'static str>>) -> ScannerSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ScanAddress::Tcp(listener.local_addr().unwrap().to_string());
    TaskTracker::new().spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = Vec::new();
            while !said.ends_with(&[0; 4]) {
                let mut piece = [0; 10_000];
                let length = stream.read(&mut piece).await.unwrap();
                said.extend_from_slice(&piece[..length]);
            }
            let answer = *says.lock().unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    at(address)
}

/// A message from outside to `an`, and one of `an` to the outside.
async fn both_ways(world: &World, an: &crate::Principal) -> [Result<(), DeliverError>; 2] {
    let text = b"From: an@demo.gov.vn\r\nSubject: x\r\n\r\nhet\r\n";
    let (to, from) =
        (world.engine.recipient(&address("an")).await.unwrap(), submitted(an, Wishes::default()));
    let mut answers = Vec::new();
    for (arrival, to) in [(super::arrival(), to), (from, outside(world, an, "ai@example.org").await)] {
        let mut spool = world.engine.new_spool();
        spool.write(text).await.unwrap();
        answers.push(world.engine.deliver(&arrival, &[to], spool).await.map(drop));
    }
    answers.try_into().unwrap()
}

#[tokio::test]
async fn without_an_answer_policy_says_what_becomes_of_mail_each_way() {
    let world = World::new().await;
    world.engine.use_scanners(Scanners::new(Some(nowhere()), None));
    let an = world.user("an").await;
    let later = || Err(DeliverError::NotScanned);
    assert_eq!(both_ways(&world, &an).await, [later(), later()]);
    policy(&world, "filter.not_scanned_in", "take").await;
    assert_eq!(both_ways(&world, &an).await, [Ok(()), later()]);
    policy(&world, "filter.not_scanned_out", "take").await;
    assert_eq!(both_ways(&world, &an).await, [Ok(()), Ok(())]);
    let detail = world.engine.sending_detail(&actor(), &address("an")).await.unwrap().unwrap();
    assert_eq!(detail.sent.hour.messages, 1, "what is refused is not counted as sent");
    let read = world.read(&an, "INBOX").await;
    let text = String::from_utf8(read[0].1.clone()).unwrap();
    assert!(text.contains("+0700\r\nX-Congthu-Scan: malware=unknown\r\nFrom:"), "{text}");
}

#[tokio::test]
async fn what_the_filter_advises_is_done_as_policy_says() {
    let world = World::new().await;
    let action = Arc::new(Mutex::new("no action"));
    world.engine.use_scanners(Scanners::new(None, Some(filter(action.clone()).await)));
    let an = world.user("an").await;
    let (unwanted, put_off) = (|| Err(DeliverError::Unwanted), || Err(DeliverError::PutOff));
    for (says, setting, expected) in [
        ("no action", ("filter.put_off", "true"), [Ok(()), Ok(())]),
        ("reject", ("filter.spam_in", "reject"), [unwanted(), unwanted()]),
        ("reject", ("filter.spam_in", "quarantine"), [Ok(()), unwanted()]),
        ("reject", ("filter.spam_in", "mark"), [Ok(()), unwanted()]),
        ("reject", ("filter.spam_out", "take"), [Ok(()), Ok(())]),
        ("greylist", ("filter.put_off", "true"), [put_off(), Ok(())]),
        ("greylist", ("filter.put_off", "false"), [Ok(()), Ok(())]),
        ("add header", ("filter.suspect_in", "reject"), [unwanted(), Ok(())]),
        ("add header", ("filter.suspect_in", "junk"), [Ok(()), Ok(())]),
    ] {
        *action.lock().unwrap() = says;
        policy(&world, setting.0, setting.1).await;
        assert_eq!(both_ways(&world, &an).await, expected, "{says} {setting:?}");
    }
    assert_eq!(world.read(&an, "INBOX").await.len(), 4);
    let junk = world.read(&an, "Junk").await;
    let text = String::from_utf8(junk[0].1.clone()).unwrap();
    assert!(text.contains("\r\nX-Congthu-Scan: spam=suspect (7.0/15.0)\r\nX-Spam-Flag: YES\r\n"), "{text}");
    assert_eq!(junk.len(), 1);
    let apart = world.database.texts("select reason from quarantined").await;
    assert_eq!(apart, ["spam"]);
}

#[tokio::test]
async fn spam_that_is_sent_waits_for_an_administrator_where_policy_says_so() {
    let world = World::new().await;
    let action = Arc::new(Mutex::new("reject"));
    world.engine.use_scanners(Scanners::new(None, Some(filter(action.clone()).await)));
    let (an, _) = (world.user("an").await, world.user("binh").await);
    policy(&world, "filter.spam_out", "quarantine").await;
    let engine = &world.engine;
    let sends = async |wishes: Wishes| {
        let to =
            [engine.recipient(&address("binh")).await.unwrap(), outside(&world, &an, "ai@example.org").await];
        let mut spool = engine.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: x\r\n\r\nhet\r\n").await.unwrap();
        engine.deliver(&submitted(&an, wishes), &to, spool).await
    };
    let id = sends(Wishes::default()).await.unwrap().queue_id;
    assert_eq!(world.database.texts("select reason from quarantined").await, ["spam"], "for who is here");
    let of = QueueFilter { state: Some(QueueState::HeldByFilter), limit: 9, ..QueueFilter::default() };
    let held = engine.queue(&actor(), &of).await.unwrap();
    assert_eq!(held.iter().map(|row| row.destination.as_str()).collect::<Vec<_>>(), ["example.org"]);
    world.look_after().await;
    assert_eq!(everything_taken(engine).await.len(), 0);
    // It is no affair of a lock, and who lets a mailbox's mail go has not looked at it.
    assert_eq!(world.store.kept_back_of(an.account()).await.unwrap(), 0);
    assert_eq!(engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap(), 0);
    assert_eq!(engine.hold_queued(&actor(), &id, false).await.unwrap().deliveries, 1);
    assert_eq!(everything_taken(engine).await.len(), 1);
    // For later it is refused, as it could be called back then.
    let later = world.engine.now() + jiff::SignedDuration::from_hours(1);
    let refused = sends(Wishes { release_at: Some(later), ..Wishes::default() }).await;
    assert_eq!(refused, Err(DeliverError::Unwanted));
    // Nobody looks at it: in the end its sender is told.
    let id = sends(Wishes::default()).await.unwrap().queue_id;
    let hold = engine.place_hold(&actor(), crate::Held::Mailbox(&address("an")), "CV 1").await.unwrap();
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    let expire = async || engine.run_job("expire-quarantine").await.unwrap().unwrap();
    assert_eq!(
        expire().await,
        "2 messages dropped, 0 kept for legal holds, 0 given up",
        "under legal hold nothing that he sent goes"
    );
    let held = || QueueError::Held(id.clone());
    assert_eq!(engine.expire_queued(&actor(), &id, true).await, Err(held()));
    assert_eq!(engine.expire_mail_of(&actor(), &address("an"), true).await, Err(held()));
    for who in ["first", "second"] {
        engine.release_hold(&crate::Actor::console(who), hold, None).await.unwrap();
    }
    assert_eq!(expire().await, "0 messages dropped, 0 kept for legal holds, 1 given up");
    let letters = world.letters(&an).await;
    assert!(letters.iter().any(|letter| letter.contains("nobody let it go")), "{letters:?}");
}

#[tokio::test]
async fn what_is_let_go_is_scanned_for_malware_at_that_moment() {
    let world = World::new().await;
    let (says, spam) = (Arc::new(Mutex::new("")), Arc::new(Mutex::new("reject")));
    let scanners = Scanners::new(Some(clamd(says.clone()).await), Some(filter(spam).await));
    world.engine.use_scanners(scanners);
    let an = world.user("an").await;
    for (field, value) in [("spam_in", "quarantine"), ("spam_out", "quarantine"), ("not_scanned_in", "take")]
    {
        policy(&world, &format!("filter.{field}"), value).await;
    }
    policy(&world, "filter.not_scanned_out", "take").await;
    // It comes while clamd is away.
    assert_eq!(both_ways(&world, &an).await, [Ok(()), Ok(())]);
    let held = world.number("select held_id from quarantined").await;
    let id = world.database.texts("select queue_id from queue_messages").await.remove(0);
    policy(&world, "filter.not_scanned_in", "later").await;
    policy(&world, "filter.not_scanned_out", "later").await;
    let engine = &world.engine;
    let release = async || engine.release_quarantined(&actor(), (held, false)).await.map(drop);
    let let_go = async || engine.hold_queued(&actor(), &id, false).await.map(|done| done.deliveries);
    assert_eq!(release().await, Err(QuarantineError::NotScanned));
    assert_eq!(let_go().await, Err(QueueError::NotScanned(id.clone())));
    *says.lock().unwrap() = "stream: Eicar-Test FOUND\0";
    assert_eq!(release().await, Err(QuarantineError::Infected("Eicar-Test".to_owned())));
    assert_eq!(let_go().await, Err(QueueError::Infected(id.clone(), "Eicar-Test".to_owned())));
    assert_eq!(everything_taken(engine).await.len(), 0);
    *says.lock().unwrap() = "stream: OK\0";
    assert_eq!((release().await, let_go().await), (Ok(()), Ok(1)));
    assert_eq!(everything_taken(engine).await.len(), 1);
    assert_eq!(world.number("select count(*) from quarantined").await, 0);
}

#[tokio::test]
async fn what_gets_other_readers_than_it_had_is_scanned_for_malware_at_that_moment() {
    let world = World::new().await;
    province(&world).await;
    let says = Arc::new(Mutex::new("stream: OK\0"));
    world.engine.use_scanners(Scanners::new(Some(clamd(says.clone()).await), None));
    let (engine, an) = (&world.engine, world.user("an").await);
    policy(&world, "sending.group_approval_over", "4").await;
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("so"), (GroupSenders::Everybody, &[])).await.unwrap();
    // It comes before clamd knows what is in it: from outside and from here to a large group, and from here to others.
    assert_eq!(both_ways(&world, &an).await, [Ok(()), Ok(())]);
    let id = world.database.texts("select queue_id from queue_messages").await.remove(0);
    for arrival in [super::arrival(), submitted(&an, Wishes::default())] {
        let to = [engine.recipient_of(&address("so"), Some(&an)).await.unwrap()];
        let mut spool = engine.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: x\r\n\r\nhet\r\n").await.unwrap();
        engine.deliver(&arrival, &to, spool).await.unwrap();
    }
    let held = engine.held_messages(&actor(), &domain(), (false, 9)).await.unwrap();
    let [stranger, own] = [held[0].held, held[1].held];
    let approve = async |held| engine.decide_held(&actor(), held, (true, "")).await;
    let redirect = async |who: &str| {
        let done = engine.redirect_queued(&Actor::console(who), &id, &address("an")).await;
        done.map(|done| done.map(|done| done.deliveries))
    };
    assert_eq!(redirect("one").await, Ok(None), "it is asked for, and nobody has it by that");
    *says.lock().unwrap() = "";
    for (way, other, refused) in [("in", "out", stranger), ("out", "in", own)] {
        policy(&world, &format!("filter.not_scanned_{way}"), "later").await;
        policy(&world, &format!("filter.not_scanned_{other}"), "take").await;
        assert_eq!(approve(refused).await, Err(GroupError::NotScanned), "{way}");
    }
    assert_eq!(redirect("two").await, Err(QueueError::NotScanned(id.clone())));
    *says.lock().unwrap() = "stream: Eicar-Test FOUND\0";
    for held in [stranger, own] {
        assert_eq!(approve(held).await, Err(GroupError::Infected("Eicar-Test".to_owned())));
    }
    assert_eq!(redirect("two").await, Err(QueueError::Infected(id.clone(), "Eicar-Test".to_owned())));
    assert_eq!(world.read(&an, "INBOX").await.len(), 1);
    // Refused it is all the same.
    engine.decide_held(&actor(), stranger, (false, "mã độc")).await.unwrap();
    *says.lock().unwrap() = "stream: OK\0";
    assert_eq!((approve(own).await, redirect("two").await), (Ok(()), Ok(Some(1))));
    engine.expand_all(&CancellationToken::new()).await;
    let came = "select count(*) from entries where recipient = 'so@demo.gov.vn'";
    assert_eq!(world.number(came).await, 6);
}

#[tokio::test]
async fn who_sent_what_is_kept_back_is_told_of_it_and_support_too() {
    let world = World::new().await;
    let scanners = Scanners::new(None, Some(filter(Arc::new(Mutex::new("reject"))).await));
    world.engine.use_scanners(scanners);
    let (an, support) = (world.user("an").await, world.user("hotro").await);
    policy(&world, "filter.spam_out", "quarantine").await;
    policy(&world, "contact.support", "hotro").await;
    policy(&world, "limit.spam", "off").await;
    let engine = &world.engine;
    let to = [outside(&world, &an, "ai@example.org").await, outside(&world, &an, "ba@example.net").await];
    let sends = async || {
        let mut spool = engine.new_spool();
        spool.write(b"From: an@demo.gov.vn\r\nSubject: http://x.vn\r\n\r\nhet\r\n").await.unwrap();
        engine.deliver(&submitted(&an, Wishes::default()), &to, spool).await.unwrap().queue_id
    };
    let tells = async || engine.run_job("kept-back-letters").await.unwrap().unwrap();
    assert_eq!(tells().await, "0 senders told");
    let id = sends().await;
    assert_eq!(world.store.filtered_counts().await.unwrap().deliveries, 2);
    assert_eq!(tells().await, "1 senders told");
    let letter = world.letters(&an).await.pop().unwrap();
    assert!(letter.starts_with("Có 1 thư gửi từ hộp thư an@demo.gov.vn đang được giữ lại"), "{letter}");
    let line = format!("- Mã {id}, ");
    assert!(letter.contains(&line) && letter.contains("gửi ba[@]example[.]net và 1 người khác"), "{letter}");
    assert!(letter.contains("“http: x[.]vn”"), "nothing to click on: {letter}");
    assert!(letter.contains("1 messages from an@demo.gov.vn to others are kept back"), "{letter}");
    let letter = world.letters(&support).await.pop().unwrap();
    assert!(letter.contains(&line) && letter.contains("congthu queue release MÃ-THƯ"), "{letter}");
    // One letter an hour, however much a stolen mailbox sends, and each message in one.
    for _ in 0..21 {
        sends().await;
    }
    assert_eq!(tells().await, "0 senders told");
    world.clock.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(tells().await, "1 senders told");
    for who in [&an, &support] {
        let letter = world.letters(who).await.pop().unwrap();
        let named =
            (letter.matches("- Mã ").count(), letter.contains("… và 1 thư khác."), letter.contains(&line));
        assert_eq!(named, (20, true, false), "{letter}");
    }
    world.clock.advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(tells().await, "0 senders told");
}
