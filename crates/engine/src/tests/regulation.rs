//! What the regulation engine stands on: policies, jobs at their times, system mail.

use super::{World, actor, address};
use crate::notices::Notice;
use crate::{Actor, AdminError, Engine, PolicyEdit};
use jiff::SignedDuration;
use model::lifecycle::DeletionCause;
use model::{AccountState, DomainName, Grant, Reason, Role, Scope};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

async fn set(engine: &Engine, key: &str, value: &str, based_on: Option<u32>) -> Result<u32, AdminError> {
    let settings = [(key.to_owned(), value.to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on, reason: "Quyết định 12", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.map(|(number, _)| number)
}

async fn person_quota(engine: &Engine, world: &World) -> u32 {
    let id = world.store.domain(&domain()).await.unwrap().unwrap();
    engine.policy_of(id).await.unwrap().quota.person
}

#[tokio::test]
async fn a_changed_policy_holds_here_at_once_and_elsewhere_soon() {
    let world = World::new().await;
    let other = world.another_node();
    assert_eq!((person_quota(&world.engine, &world).await, person_quota(&other, &world).await), (300, 300));
    assert_eq!(set(&world.engine, "quota.person", "500", Some(1)).await.unwrap(), 2);
    assert_eq!((person_quota(&world.engine, &world).await, person_quota(&other, &world).await), (500, 300));
    other.poll().await;
    assert_eq!(person_quota(&other, &world).await, 500);
    let history = world.engine.policy_history(&actor(), &domain()).await.unwrap();
    assert_eq!(history.iter().map(|version| version.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(history[0].reason, "Quyết định 12");
}

#[tokio::test]
async fn what_is_no_policy_changes_nothing() {
    let world = World::new().await;
    let engine = &world.engine;
    set(engine, "quota.person", "500", None).await.unwrap();
    let refused = [
        set(engine, "quota.person", "400", Some(1)).await.unwrap_err().to_string(),
        set(engine, "quota.person", "10", None).await.unwrap_err().to_string(),
        set(engine, "quota.person", "many", None).await.unwrap_err().to_string(),
        set(engine, "quota.nobody", "1", None).await.unwrap_err().to_string(),
        set(engine, "log.retention", "5", None).await.unwrap_err().to_string(),
        set(engine, "quota.leader", "400", None).await.unwrap_err().to_string(),
    ];
    for (text, part) in
        refused.iter().zip(["version 2 now", "range", "written", "no such", "range", "lãnh đạo"])
    {
        assert!(text.contains(part), "{text}: {part}");
    }
    assert_eq!(engine.policy(&actor(), &domain()).await.unwrap().number, 2);
    assert_eq!(person_quota(engine, &world).await, 500);
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_told_to_look_again() {
    let world = World::new().await;
    let mut changes = JoinSet::new();
    for nth in 0..8 {
        let engine = world.engine.clone();
        changes.spawn(async move { set(&engine, "quota.person", &(400 + nth).to_string(), Some(1)).await });
    }
    let done = changes.join_all().await.iter().filter(|change| change.is_ok()).count();
    assert_eq!(done, 1);
    assert_eq!(world.engine.policy(&actor(), &domain()).await.unwrap().number, 2);
}

#[tokio::test]
async fn a_job_runs_when_it_is_due_and_on_one_node() {
    let world = World::new().await;
    let other = world.another_node();
    let stop = CancellationToken::new();
    let ended = async || {
        let jobs = world.engine.jobs(&actor()).await.unwrap();
        jobs.into_iter().find(|job| job.name == "forget-notices").unwrap()
    };
    world.engine.run_due_jobs(&stop).await;
    assert_eq!(ended().await.ended_at, None, "not due yet");
    world.clock.advance(ended().await.next_run.duration_since(world.engine.now()));
    let before = ended().await;
    tokio::join!(world.engine.run_due_jobs(&stop), other.run_due_jobs(&stop));
    let after = ended().await;
    assert_eq!(after.ended_at, Some(before.next_run));
    assert_eq!((after.result.as_deref(), after.failed), (Some("0 notices forgotten"), false));
    let hours = after.next_run.duration_since(before.next_run).as_hours();
    assert!((23..=24).contains(&hours), "{hours}");
    assert_eq!(world.engine.run_job("nothing").await, Ok(None));
}

#[tokio::test]
async fn a_paused_job_does_not_run_by_itself() {
    let world = World::new().await;
    let engine = &world.engine;
    assert!(engine.pause_job(&actor(), "forget-notices", true).await.unwrap());
    assert!(!engine.pause_job(&actor(), "nothing", true).await.unwrap());
    world.clock.advance(SignedDuration::from_hours(30));
    engine.run_due_jobs(&CancellationToken::new()).await;
    let ran = async || {
        let jobs = engine.jobs(&actor()).await.unwrap();
        jobs.into_iter().find(|job| job.name == "forget-notices").unwrap().ended_at.is_some()
    };
    assert!(!ran().await);
    assert!(engine.pause_job(&actor(), "forget-notices", false).await.unwrap());
    engine.run_due_jobs(&CancellationToken::new()).await;
    assert!(ran().await);
}

#[tokio::test]
async fn a_node_that_died_loses_its_job_and_its_end_is_not_heard() {
    let world = World::new().await;
    let minute = SignedDuration::from_mins(1);
    let now = world.engine.now();
    let taken = world.store.take_job("forget-notices", now, minute).await.unwrap().unwrap();
    assert_eq!(world.engine.run_job("forget-notices").await, Ok(None), "somebody has it");
    world.clock.advance(minute + minute);
    assert_eq!(
        world.engine.run_job("forget-notices").await,
        Ok(None),
        "by the database's clock, it has it still"
    );
    world.database.run("update jobs set taken_until = taken_until - interval '2 minutes'").await;
    assert!(world.engine.run_job("forget-notices").await.unwrap().is_some());
    assert!(!world.store.keep_job(&taken, minute * 9).await.unwrap());
    let end = store::JobEnd { at: now, next_run: now, result: "late", failed: true };
    world.store.end_job(&taken, &end).await.unwrap();
    let jobs = world.engine.jobs(&actor()).await.unwrap();
    assert!(jobs.iter().all(|job| !job.failed && job.next_run > now), "{jobs:?}");
}

#[tokio::test]
async fn a_notice_comes_once_however_often_it_is_sent() {
    let world = World::new().await;
    let an = world.user("an").await;
    let text = "Hộp thư của Ông/Bà sẽ bị tạm khóa sau 7 ngày nếu không sử dụng.\n\nTrân trọng.";
    let mut sending = JoinSet::new();
    for _ in 0..6 {
        let (engine, to) = (world.engine.clone(), an.account());
        sending.spawn(async move {
            let notice = Notice {
                key: "lock/1",
                to,
                subject: "Cảnh báo: hộp thư sắp bị tạm khóa vì lâu ngày không sử dụng",
                text,
            };
            engine.post(&notice).await.unwrap()
        });
    }
    let sent = sending.join_all().await.into_iter().filter(|sent| *sent).count();
    assert_eq!(sent, 1);
    let read = world.read(&an, "INBOX").await;
    assert_eq!(read.len(), 1);
    let message = String::from_utf8(read[0].1.clone()).unwrap();
    assert!(message.starts_with("Return-Path: <>\r\nReceived: "), "{message}");
    for part in
        ["\r\nAuto-Submitted: auto-generated\r\n", "<hotro@demo.gov.vn>", "\r\nTo: ", "\r\nDate: Sun, 22 Nov"]
    {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(message.split("\r\n").all(|line| line.len() <= 78 && line.is_ascii()), "{message}");
}

#[tokio::test]
async fn a_full_mailbox_is_told_so() {
    let world = World::new().await;
    let mut new = super::mailbox("be");
    new.quota_bytes = Some(0);
    super::policy(&world, "quota.person_min", "off").await;
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    let place = world.store.login(&address("be")).await.unwrap().unwrap();
    let notice =
        Notice { key: "quota/1", to: place.account, subject: "Đầy", text: "Hộp thư đã đầy." };
    assert_eq!(world.engine.post(&notice).await, Ok(true));
    assert_eq!(world.engine.post(&notice).await, Ok(false));
}

#[tokio::test]
async fn who_runs_the_installation_sees_all_that_is_owed_and_nobody_else() {
    let world = World::new().await;
    let engine = &world.engine;
    world.user("an").await;
    world.user("binh").await;
    engine.reset_password(&actor(), &address("an"), "mất mật khẩu").await.unwrap();
    engine.list_for_deletion(&actor(), &address("binh"), DeletionCause::Revoked, "nghỉ việc").await.unwrap();
    let resets = engine.password_resets(&actor(), false).await.unwrap();
    assert_eq!(resets.len(), 1);
    let ending = engine.lives(&actor(), None, AccountState::ToBeDeleted, None, 10).await.unwrap();
    assert_eq!(ending.iter().map(|one| one.address.to_string()).collect::<Vec<_>>(), ["binh@demo.gov.vn"]);
    assert_eq!(
        engine.lives(&actor(), Some(&domain()), AccountState::ToBeDeleted, None, 10).await.unwrap().len(),
        1
    );

    let id = world.store.domain(&domain()).await.unwrap().unwrap();
    let grant = Grant::new(Role::CentreOperator, Scope::Domain(id)).unwrap();
    let operator = Actor::of("operator", None, vec![grant]);
    let denied = AdminError::Denied(Reason::Role);
    assert_eq!(engine.lives(&operator, None, AccountState::ToBeDeleted, None, 10).await.unwrap_err(), denied);
    assert_eq!(
        engine.lives(&operator, Some(&domain()), AccountState::ToBeDeleted, None, 10).await.unwrap().len(),
        1
    );
    assert_eq!(engine.password_resets(&operator, false).await.unwrap_err(), denied);
    assert_eq!(engine.confirm_password_reset(&operator, 1, "CV 5").await.unwrap_err(), denied);
}
