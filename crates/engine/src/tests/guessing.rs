//! Guessing at the doors: one back-off for all of them, evidence of it, nobody locked out by others, and nothing told by how long an
//! answer takes.

use super::{PASSWORD, World, actor, address, groups, mailbox, origin};
use crate::{ChangeError, LoginError, Origin, Principal, Protocol};
use jiff::{SignedDuration, Timestamp};
use model::lifecycle::LockReason;
use model::{GroupRule, MailboxClass};
use std::time::Duration;

const WRONG: &str = "Đoán 1 mật khẩu!";

fn at(protocol: Protocol, remote: &str) -> Origin {
    Origin { protocol, remote: remote.parse().unwrap(), ..origin() }
}

async fn enter(world: &World, login: &str, password: &str, origin: &Origin) -> Result<Principal, LoginError> {
    world.engine.log_in(&format!("{login}@demo.gov.vn"), password, origin).await
}

/// What was noted of log-ins since the beginning: kind, mailbox, client, status.
async fn noted(world: &World) -> Vec<(String, Option<String>, Option<String>, Option<String>)> {
    let later = world.engine.now() + SignedDuration::from_hours(1);
    let page = world.engine.export_events(&actor(), (Timestamp::UNIX_EPOCH, 0), later).await.unwrap();
    let log_ins = page.into_iter().filter(|event| event.kind.starts_with("login"));
    log_ins.map(|event| (event.kind, event.account, event.remote, event.status)).collect()
}

#[tokio::test]
async fn all_doors_count_together_and_the_limit_is_noted_once() {
    let world = World::new().await;
    world.user("an").await;
    let from = "203.0.113.9";
    for protocol in [Protocol::Submission, Protocol::Imap] {
        for n in 0..10 {
            let wrong = format!("{WRONG} {n} {}", protocol.as_str());
            let refused = enter(&world, "an", &wrong, &at(protocol, from)).await.unwrap_err();
            assert_eq!(refused, LoginError::Denied);
        }
    }
    let page = at(Protocol::Http, from);
    let change = async |present: &str| {
        world.engine.change_password("an@demo.gov.vn", present, "Rừng tràm 27!", &page).await
    };
    for n in 0..10 {
        assert_eq!(change(&n.to_string()).await, Err(ChangeError::LogIn(LoginError::Denied)));
    }
    assert_eq!(change(WRONG).await, Err(ChangeError::LogIn(LoginError::TooManyAttempts)));
    for protocol in [Protocol::Submission, Protocol::Imap] {
        let refused = enter(&world, "an", PASSWORD, &at(protocol, from)).await.unwrap_err();
        assert_eq!(refused, LoginError::TooManyAttempts, "the right one is not heard either");
    }
    let noted = noted(&world).await;
    let (last, before) = noted.split_last().unwrap();
    let too_many = Some(format!("http: {}", LoginError::TooManyAttempts));
    let an = Some("an@demo.gov.vn".to_owned());
    assert_eq!(*last, ("login_refused".to_owned(), an, Some(from.to_owned()), too_many));
    assert_eq!(before.iter().filter(|event| event.2.as_deref() == Some(from)).count(), 30);
}

#[tokio::test]
async fn who_guesses_locks_nobody_else_out() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    // At one mailbox, from elsewhere.
    let guesser = at(Protocol::Imap, "2001:db8:1::1");
    let mut guesses = 0..;
    while enter(&world, "an", &guesses.next().unwrap().to_string(), &guesser).await.unwrap_err()
        != LoginError::TooManyAttempts
    {}
    assert_eq!(guesses.start, 31);
    enter(&world, "an", PASSWORD, &at(Protocol::Imap, "2001:db8:2::1")).await.unwrap();
    enter(&world, "an", PASSWORD, &at(Protocol::Imap, "203.0.113.7")).await.unwrap();
    // At all of them, from a machine in an office where one of two has come in before.
    let office = at(Protocol::Imap, "203.0.113.7");
    for n in 0..1_000 {
        let _ = world.engine.0.throttle.begin(office.remote, &format!("{n}@demo.gov.vn"), world.engine.now());
    }
    enter(&world, "an", PASSWORD, &office).await.unwrap();
    assert_eq!(enter(&world, "binh", PASSWORD, &office).await.unwrap_err(), LoginError::TooManyAttempts);
    enter(&world, "binh", PASSWORD, &at(Protocol::Imap, "203.0.113.8")).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(11));
    enter(&world, "binh", PASSWORD, &office).await.unwrap();
}

/// His telephone has the old password, and is behind the same address.
#[tokio::test]
async fn who_has_changed_his_password_is_not_kept_out_by_his_telephone() {
    let world = World::new().await;
    world.user("an").await;
    let office = at(Protocol::Imap, "203.0.113.7");
    for _ in 0..40 {
        assert_eq!(enter(&world, "an", WRONG, &office).await.unwrap_err(), LoginError::Denied);
    }
    enter(&world, "an", PASSWORD, &office).await.unwrap();
}

/// Who was only told that his password must be changed, or that his mailbox is locked, has not come in.
#[tokio::test]
async fn only_who_comes_in_is_known() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    let office = at(Protocol::Imap, "203.0.113.7");
    world.engine.lock(&actor(), &address("an"), LockReason::Spam, "nhật ký ngày 1").await.unwrap();
    assert_eq!(enter(&world, "an", PASSWORD, &office).await.unwrap_err(), LoginError::Locked);
    for n in 0..1_000 {
        let _ = world.engine.0.throttle.begin(office.remote, &format!("{n}@demo.gov.vn"), world.engine.now());
    }
    assert_eq!(enter(&world, "an", PASSWORD, &office).await.unwrap_err(), LoginError::TooManyAttempts);
}

/// Absent, locked, nobody's, a list's, one whose password is new: whoever guesses must not learn by the clock which there are.
#[tokio::test]
async fn a_wrong_password_is_work_whatever_stands_behind_the_address() {
    let world = World::new().await;
    for name in ["an", "khoa", "chuyen"] {
        world.user(name).await;
    }
    world.engine.lock(&actor(), &address("khoa"), LockReason::Spam, "nhật ký ngày 1").await.unwrap();
    world.engine.set_forward(&actor(), &address("chuyen"), (&address("an"), false)).await.unwrap();
    world.engine.add_alias(&actor(), &address("bidanh"), &address("an")).await.unwrap();
    let mut new = mailbox("moi");
    (new.password, new.must_change_password) = (None, true);
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    let mut shared = mailbox("chung");
    shared.class = MailboxClass::Organisation;
    world.engine.add_mailbox(&actor(), &shared).await.unwrap();
    world.database.run("update accounts set password_hash = null where class = 'organisation'").await;
    world.engine.add_group(&actor(), &groups::group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    let from = at(Protocol::Imap, "203.0.113.7");
    let names = ["an", "khong", "khoa", "chuyen", "bidanh", "moi", "chung", "nhom", "không phải địa chỉ"];
    for name in names {
        assert_eq!(enter(&world, name, WRONG, &from).await.unwrap_err(), LoginError::Denied, "{name}");
    }
    // While nobody may compute, nobody is answered.
    let _all = world.engine.0.passwords.occupy().await;
    for name in names {
        let answer =
            tokio::time::timeout(Duration::from_millis(200), enter(&world, name, WRONG, &from)).await;
        assert!(answer.is_err(), "{name}: {answer:?}");
    }
}
