//! Locks, restorations, deletions: what they allow, what they end, what they leave behind.

use super::{PASSWORD, World, actor, address, mailbox, origin};
use crate::{AdminError, Error, LoginError};
use jiff::SignedDuration;
use jiff::civil::Date;
use model::lifecycle::{DeletionCause, Leave, Life, LockReason, Refusal, StateName};
use model::{AccountState, FolderName};
use std::time::Duration;
use store::Heard;

async fn state(world: &World, name: &str) -> AccountState {
    world.engine.life(&actor(), &address(name)).await.unwrap().unwrap().life.state()
}

/// As text or, where it is bytes, as their hexadecimal form.
fn holds(row: &str, word: &str) -> String {
    let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{row} like '%{word}%' or {row} like '%{hex}%'")
}

async fn tables(world: &World) -> Vec<String> {
    world.database.texts("select relname::text from pg_class c where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname").await
}

/// Tables with a row that has the word in it, however it is stored.
async fn tables_with(world: &World, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables(world).await {
        let holds = holds("t::text", word);
        if world.number(&format!("select count(*) from {table} t where {holds}")).await > 0 {
            found.push(table);
        }
    }
    found
}

/// Relations, indexes and TOAST included, in whose files the word is, once Postgres has cleaned them up. (Not the
/// catalogs: those that all databases share are being changed by other tests.)
async fn files_with(world: &World, word: &str) -> Vec<String> {
    world.database.run(&format!("vacuum full {}", tables(world).await.join(", "))).await;
    let holds = holds("encode(pg_read_binary_file(pg_relation_filepath(c.oid)), 'hex')", word);
    let query = format!(
        "select relname::text from pg_class c where relkind in ('r', 'i', 't') and relpersistence = 'p'
            and oid >= 16384 and pg_relation_size(c.oid) > 0 and ({holds}) order by relname"
    );
    world.database.texts(&query).await
}

#[tokio::test]
async fn a_leave_has_an_end() {
    let world = World::new().await;
    world.user("an").await;
    let leave = async |from: &str, to: &str| {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        world.engine.note_leave(&actor(), &address("an"), Leave { from, to }, "đi học", None).await
    };
    // Today is 2026-11-22.
    leave("2026-11-01", "2027-11-01").await.unwrap();
    for (from, to) in
        [("2026-11-22", "9999-12-31"), ("2030-01-01", "2030-01-10"), ("2025-11-01", "2026-12-01")]
    {
        assert_eq!(leave(from, to).await, Err(AdminError::LongLeave(366)), "{from}");
    }
    assert_eq!(leave("2026-12-02", "2026-12-01").await, Err(AdminError::BadLeave));
}

#[tokio::test]
async fn a_day_is_excused_once_until_it_is_taken_back() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    let day = |text: &str| text.parse::<Date>().unwrap();
    let leave = async |who: &str, from: &str, to: &str| {
        let leave = Leave { from: day(from), to: day(to) };
        world.engine.note_leave(&actor(), &address(who), leave, "đi học", None).await
    };
    let back =
        async |from: &str| world.engine.withdraw_leave(&actor(), &address("an"), day(from), "ghi nhầm").await;
    let ahead = async || world.engine.leaves_ahead(&actor(), &address("an")).await.unwrap().unwrap();
    let noted = Leave { from: day("2026-12-01"), to: day("2026-12-10") };
    leave("an", "2026-12-01", "2026-12-10").await.unwrap();
    for (from, to) in [
        ("2026-12-01", "2026-12-10"),
        ("2026-11-20", "2026-12-01"),
        ("2026-12-10", "2026-12-20"),
        ("2026-12-05", "2026-12-06"),
        ("2026-11-20", "2026-12-31"),
    ] {
        assert_eq!(leave("an", from, to).await, Err(AdminError::LeaveNoted(noted)), "{from}");
    }
    // The days beside it, and another's, are free.
    leave("an", "2026-12-11", "2026-12-12").await.unwrap();
    leave("binh", "2026-12-01", "2026-12-10").await.unwrap();
    assert_eq!(
        ahead().await.iter().map(|row| row.leave.from).collect::<Vec<_>>(),
        [day("2026-12-01"), day("2026-12-11")]
    );
    assert_eq!(back("2026-12-05").await.unwrap_err(), AdminError::NoSuchLeave(day("2026-12-05")));
    assert_eq!(back("2026-12-01").await.unwrap().leave, noted);
    assert_eq!(back("2026-12-01").await.unwrap_err(), AdminError::NoSuchLeave(day("2026-12-01")));
    assert_eq!(world.audited("mailbox.leave-withdraw").await, ["an@demo.gov.vn"]);
    assert_eq!(ahead().await.len(), 1);
    let all = world.engine.leaves(&actor(), &address("an")).await.unwrap().unwrap();
    let withdrawn: Vec<bool> = all.iter().map(|row| row.withdrawn.is_some()).collect();
    assert_eq!(withdrawn, [false, true], "its row stays");
    leave("an", "2026-12-01", "2026-12-10").await.unwrap();
    // On its last day it is in force; what is over is in the list alone.
    world.clock.advance(SignedDuration::from_hours(24 * 20));
    assert_eq!(ahead().await.len(), 1);
    world.clock.advance(SignedDuration::from_hours(24));
    assert!(ahead().await.is_empty());
}

#[tokio::test]
async fn two_who_note_one_leave_at_once_note_it_once() {
    let world = World::new().await;
    world.user("hai").await;
    let other = world.another_node();
    let leave = Leave { from: "2026-12-01".parse().unwrap(), to: "2026-12-10".parse().unwrap() };
    let who = address("hai");
    let (by, why) = (actor(), "đi học");
    let (one, two) = tokio::join!(
        world.engine.note_leave(&by, &who, leave, why, None),
        other.note_leave(&by, &who, leave, why, None)
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}

/// A month away, which was noted by mistake: the lock comes as if it had not been.
#[tokio::test]
async fn a_leave_that_was_taken_back_excuses_nothing() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
        let leave = Leave { from: "2026-12-01".parse().unwrap(), to: "2027-06-30".parse().unwrap() };
        world.engine.note_leave(&actor(), &address(name), leave, "đi học", None).await.unwrap();
    }
    let from = "2026-12-01".parse().unwrap();
    world.engine.withdraw_leave(&actor(), &address("an"), from, "ghi nhầm").await.unwrap();
    for _ in 0..120 {
        world.engine.keep_lives().await.unwrap();
        world.clock.advance(SignedDuration::from_hours(24));
    }
    assert_eq!(state(&world, "an").await, AccountState::Locked);
    assert_ne!(state(&world, "binh").await, AccountState::Locked);
}

/// Warned the day before his lock, then excused for two months: what he was told before is no warning of a lock that comes back.
#[tokio::test]
async fn who_was_warned_before_a_leave_is_warned_anew_when_it_is_taken_back() {
    let world = World::new().await;
    world.user("an").await;
    let night = async || {
        world.engine.keep_lives().await.unwrap();
        world.clock.advance(SignedDuration::from_hours(24));
    };
    let warned = async || world.number("select count(*) from activity where warned_days = 1").await;
    for _ in 0..120 {
        if warned().await == 0 {
            night().await;
        }
    }
    assert_eq!(warned().await, 1);
    // The last day of the term: tomorrow he would be locked.
    let from = model::calendar::plus_days(world.engine.today(), -1);
    let to = model::calendar::plus_days(from, 60);
    world.engine.note_leave(&actor(), &address("an"), Leave { from, to }, "đi học", None).await.unwrap();
    for _ in 0..40 {
        night().await;
    }
    assert_ne!(state(&world, "an").await, AccountState::Locked);
    world.engine.withdraw_leave(&actor(), &address("an"), from, "ghi nhầm").await.unwrap();
    assert_eq!(warned().await, 0);
    night().await;
    assert_eq!((warned().await, state(&world, "an").await), (1, AccountState::Active), "told first");
    night().await;
    assert_eq!(state(&world, "an").await, AccountState::Locked);
}

/// Each round waits for the transactions of other tests, as the sweeper itself does: they share the cluster's numbers.
pub(super) async fn sweep_all(world: &World) {
    let raised =
        "select (pg_snapshot_xmin(pg_current_snapshot()) >= sweep_xmax)::int::bigint from installation";
    for _ in 0..6 {
        while world.number(raised).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.clock.advance(SignedDuration::from_hours(2));
        world.store.sweep(world.engine.now()).await.unwrap();
    }
}

#[tokio::test]
async fn a_locked_mailbox_lets_nobody_in_and_goes_on_receiving() {
    let world = World::new().await;
    let an = world.user("an").await;
    let rights = world.engine.watch_rights(&an);
    let evidence = "Phát tán 4.000 thư trong một giờ";
    world.engine.lock(&actor(), &address("an"), LockReason::Spam, evidence).await.unwrap();
    assert!(rights.has_ended());
    assert_eq!(world.engine.folders(&an).await.unwrap_err(), Error::Revoked);
    let refused = world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap_err();
    assert_eq!(refused, LoginError::Locked);
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    let again = world.engine.lock(&actor(), &address("an"), LockReason::Spam, evidence).await.unwrap_err();
    assert!(matches!(again, AdminError::Life(Refusal::NotFromHere(_))), "{again}");
    assert_eq!(world.audited("mailbox.lock").await, ["an@demo.gov.vn"]);
}

#[tokio::test]
async fn a_restoration_is_asked_for_and_gives_a_password_for_one_log_in() {
    let world = World::new().await;
    world.user("an").await;
    world.engine.lock(&actor(), &address("an"), LockReason::TakenOver, "đăng nhập lạ").await.unwrap();
    let unasked = world.engine.unlock(&actor(), &address("an"), None).await.unwrap_err();
    assert_eq!(unasked, AdminError::Life(Refusal::NotAsked));
    assert!(unasked.to_string().contains("congthu mailbox restore --request"), "{unasked}");
    // A Sunday: the one working day is Monday.
    let due = world.engine.ask_restore(&actor(), &address("an"), "Công văn 12/SNV").await.unwrap();
    assert_eq!(due.unwrap().to_string(), "2026-11-23");
    let unlocked = world.engine.unlock(&actor(), &address("an"), None).await.unwrap();
    assert_eq!(state(&world, "an").await, AccountState::Active);
    let old = world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap_err();
    assert_eq!(old, LoginError::Denied);
    let once = &unlocked.one_time_password;
    let first = world.engine.log_in("an@demo.gov.vn", once, &origin()).await.unwrap_err();
    assert_eq!(first, LoginError::PasswordChangeRequired);
    world.engine.change_password("an@demo.gov.vn", once, "Rừng tràm 27!", &origin()).await.unwrap();
    world.engine.log_in("an@demo.gov.vn", "Rừng tràm 27!", &origin()).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_that_is_held_asked_for_or_unconfirmed() {
    let world = World::new().await;
    world.user("an").await;
    let an = address("an");
    let list = async || {
        world.engine.list_for_deletion(&actor(), &an, DeletionCause::Revoked, "Nghỉ hưu, công văn 3").await
    };
    list().await.unwrap();
    assert_eq!(
        list().await.unwrap_err(),
        AdminError::Life(Refusal::NotFromHere(StateName(AccountState::ToBeDeleted)))
    );
    world.engine.ask_restore(&actor(), &an, "Công văn 4").await.unwrap();
    let asked = world.engine.delete_mailbox(&actor(), &an, "thu hồi").await.unwrap_err();
    assert_eq!(asked, AdminError::Life(Refusal::RestoreAsked));
    world.engine.refuse_restore(&actor(), &an, "Đã nghỉ hưu").await.unwrap();
    assert_eq!(world.engine.delete_mailbox(&actor(), &an, " ").await.unwrap_err(), AdminError::BadReason);
    world.database.run("insert into holds (account_id, kind, reason, placed_by, since) select account_id, 'mailbox', 'Vụ 1', 'test', now() from accounts").await;
    let held = world.engine.delete_mailbox(&actor(), &an, "thu hồi").await.unwrap_err();
    assert_eq!(
        held.to_string(),
        "the mailbox is kept by a legal hold (congthu hold list), which has to end first"
    );
    assert!(world.engine.recipient(&an).await.is_err(), "what is listed takes nothing more");
    world.database.run("update holds set released_at = now()").await;
    assert!(world.engine.delete_mailbox(&actor(), &an, "thu hồi").await.unwrap());
    assert!(world.engine.life(&actor(), &an).await.unwrap().is_none());
}

/// Deleted means gone: nothing of the message is left in any row of any table, and nothing in the files behind them once
/// Postgres has cleaned up; the audit trail stays.
#[tokio::test]
async fn of_a_deleted_mailbox_nothing_is_left_but_the_audit_trail() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    let secret = "khoaivietsanh8271";
    let message =
        |word: &str| format!("Subject: thu\r\nFrom: <a@x.vn>\r\n\r\n{word} {word}\r\n").into_bytes();
    world.deliver(&["an"], &message(secret)).await;
    world.deliver(&["binh"], &message("dongsauriengbinh")).await;
    let never = tokio_util::sync::CancellationToken::new();
    world.engine.finish_search_index(&never, |_| {}).await.unwrap();
    let before = tables_with(&world, secret).await;
    assert!(
        before.contains(&"search_texts".to_owned()) && before.contains(&"contents".to_owned()),
        "{before:?}"
    );
    assert!(world.engine.delete_without_export(&actor(), &address("an"), "thu hồi").await.unwrap());
    sweep_all(&world).await;
    assert_eq!(tables_with(&world, secret).await, Vec::<String>::new());
    assert!(tables_with(&world, "dongsauriengbinh").await.contains(&"contents".to_owned()));
    assert_eq!(files_with(&world, secret).await, Vec::<String>::new());
    assert!(files_with(&world, "dongsauriengbinh").await.contains(&"search_texts".to_owned()));
    assert_eq!(world.audited("mailbox.delete").await, ["an@demo.gov.vn"]);
    let again = world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap_err();
    assert_eq!(again, AdminError::AddressTaken);
}

#[tokio::test]
async fn another_node_hears_at_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    let elsewhere = world.another_node();
    let mut rights = elsewhere.watch_rights(&an);
    let mut watch = elsewhere.watch(&an);
    let mut listener = world.store.listen_for_rights().await.unwrap();
    world
        .engine
        .lock(&actor(), &address("an"), LockReason::Malware, "mã độc trong thư gửi đi")
        .await
        .unwrap();
    assert!(!rights.has_ended(), "nobody has told it yet");
    let heard = tokio::time::timeout(Duration::from_secs(10), listener.next()).await.unwrap().unwrap();
    assert_eq!(heard, Heard::Accounts(vec![an.account()]));
    elsewhere.heard_of_rights(heard).await.unwrap();
    assert!(rights.has_ended());
    rights.ended().await;
    watch.changed().await;
}

/// Sessions end though forwardings cannot be read, and forwardings are read though sessions cannot be looked at.
#[tokio::test]
async fn what_was_heard_of_rights_and_of_forwardings_does_not_wait_for_the_other() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let elsewhere = world.another_node();
    let (rights, mut watch) = (elsewhere.watch_rights(&an), elsewhere.watch(&an));
    world.engine.lock(&actor(), &address("an"), LockReason::Requested, "Công văn 9").await.unwrap();
    let heard = || Heard::Accounts(vec![an.account()]);
    world.database.run("alter table forward_version rename to broken").await;
    assert!(elsewhere.heard_of_rights(heard()).await.is_err());
    assert!(rights.has_ended());
    watch.changed().await;
    world.database.run("alter table broken rename to forward_version").await;
    world.user("chi").await;
    world.engine.set_forward(&actor(), &address("binh"), (&address("chi"), true)).await.unwrap();
    world.database.run("alter table counters rename to broken").await;
    assert!(elsewhere.heard_of_rights(heard()).await.is_err());
    world.database.run("alter table broken rename to counters").await;
    assert!(!elsewhere.renew_forwards().await.unwrap(), "they are read already");
}

#[tokio::test]
async fn what_was_not_heard_is_found_by_looking() {
    let world = World::new().await;
    let an = world.user("an").await;
    let elsewhere = world.another_node();
    let rights = elsewhere.watch_rights(&an);
    world.engine.lock(&actor(), &address("an"), LockReason::Requested, "Công văn 9").await.unwrap();
    elsewhere.poll().await;
    assert!(rights.has_ended());
    // Whoever logs in after the restoration is not mistaken for one from before.
    let once = world.engine.unlock(&actor(), &address("an"), Some("Công văn 10")).await.unwrap();
    let once = once.one_time_password;
    elsewhere.change_password("an@demo.gov.vn", &once, "Rừng tràm 27!", &origin()).await.unwrap();
    let again = elsewhere.log_in("an@demo.gov.vn", "Rừng tràm 27!", &origin()).await.unwrap();
    let rights = elsewhere.watch_rights(&again);
    elsewhere.poll().await;
    assert!(!rights.has_ended());
    elsewhere.folder(&again, &FolderName::inbox()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_first_log_in_begins_the_use() {
    let world = World::new().await;
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    assert_eq!(state(&world, "an").await, AccountState::New);
    world.clock.advance(SignedDuration::from_hours(5));
    world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    let life = world.engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
    assert_eq!(life, Life::Active { since: world.engine.now() });
}
