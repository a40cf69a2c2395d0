//! Who logged in to a mailbox is told to whoever may look into it, of that mailbox alone, and that he looked is on record.

use super::authority::{province, somebody};
use super::{PASSWORD, World, actor, address, origin};
use crate::{
    Actor, AdminError, LoginError, LoginOutcome, LoginQuery, LoginReport, LoginSeen, Origin, Protocol,
};
use jiff::SignedDuration;
use model::{AccountId, Reason, Role};

fn by(protocol: Protocol) -> Origin {
    Origin { protocol, remote: "192.0.2.7".parse().unwrap(), ..origin() }
}

async fn report(world: &World, who: &Actor, name: &str, limit: u32) -> Result<LoginReport, AdminError> {
    let address = address(&format!("{name}@demo.gov.vn"));
    world.engine.logins(who, &LoginQuery { address: &address, since: None, until: None, limit }).await
}

fn line(login: &LoginSeen) -> (&str, &str, &LoginOutcome) {
    (login.door.as_deref().unwrap_or("-"), login.remote.as_deref().unwrap_or("-"), &login.outcome)
}

#[tokio::test]
async fn the_log_ins_to_one_mailbox_and_nothing_else_are_told_to_whoever_may_know() {
    let world = province().await;
    let engine = &world.engine;
    engine.log_in("so@demo.gov.vn", PASSWORD, &by(Protocol::Imap)).await.unwrap();
    engine.log_in("so@b.vn", PASSWORD, &by(Protocol::Imap)).await.unwrap();
    world.deliver(&["so"], b"From: phong@demo.gov.vn\r\nSubject: mat\r\n\r\nx\r\n").await;
    world.clock.advance(SignedDuration::from_secs(60));
    let denied = engine.log_in("so@demo.gov.vn", "sai", &by(Protocol::Submission)).await;
    assert_eq!(denied.unwrap_err(), LoginError::Denied);
    world.clock.advance(SignedDuration::from_secs(60));
    let changed = "Rừng tràm 27!";
    engine.change_password("so@demo.gov.vn", PASSWORD, changed, &by(Protocol::Http)).await.unwrap();
    world.clock.advance(SignedDuration::from_secs(60));
    let inspector = somebody(&world, "thanhtra", Role::Inspector, "demo.gov.vn").await;
    let seen = report(&world, &inspector, "so", 100).await.unwrap();
    let refused = LoginOutcome::Refused(LoginError::Denied.to_string());
    assert_eq!(
        seen.logins.iter().map(line).collect::<Vec<_>>(),
        [
            ("http", "192.0.2.7", &LoginOutcome::ChangedPassword),
            ("submission", "192.0.2.7", &refused),
            ("imap", "192.0.2.7", &LoginOutcome::LetIn),
        ]
    );
    assert_eq!(refused.reason_vietnamese(), "sai địa chỉ hoặc mật khẩu");
    assert!(!seen.is_cut);
    // It is on record who looked, and at what.
    assert_eq!(world.audited("trace.logins").await, ["so@demo.gov.vn"]);
    let detail = world.detail("trace.logins").await;
    assert_eq!(detail["until"].as_str().unwrap(), seen.until.to_string());
    // Whoever asks for mailboxes does not see what people do in them.
    let officer = somebody(&world, "daumoi", Role::OrganisationOfficer, "demo.gov.vn/so").await;
    assert_eq!(report(&world, &officer, "so", 100).await, Err(AdminError::Denied(Reason::Role)));
    for (who, name) in [(&officer, "khac"), (&inspector, "khong")] {
        let hidden = Err(AdminError::NoSuchMailbox(address(name)));
        assert_eq!(report(&world, who, name, 100).await, hidden);
    }
    assert_eq!(world.audited("trace.logins").await.len(), 1, "who is refused has read nothing");
}

/// As many log-ins as there are moments, so many hours ago each.
async fn logged_in(world: &World, account: AccountId, hours: impl IntoIterator<Item = i64>) {
    for ago in hours {
        let at = world.engine.now() - SignedDuration::from_hours(ago);
        world
            .database
            .run(&format!(
                "insert into events (at, kind, trace, account_id, remote, status) values ('{at}', 'login', '', {account}, '192.0.2.1', 'imap')"
            ))
            .await;
    }
}

#[tokio::test]
async fn a_report_of_log_ins_goes_back_a_month_unless_told_and_ends_somewhere() {
    let world = province().await;
    let account = world.store.login(&address("so")).await.unwrap().unwrap().account;
    logged_in(&world, account, [1, 23, 24, 25, 100, 719, 721, 24 * 100]).await;
    let now = world.engine.now();
    let hours = |report: &LoginReport| {
        report.logins.iter().map(|login| now.duration_since(login.at).as_hours()).collect::<Vec<_>>()
    };
    let month = report(&world, &actor(), "so", 100).await.unwrap();
    assert_eq!(hours(&month), [1, 23, 24, 25, 100, 719]);
    let so = address("so");
    let query = LoginQuery {
        address: &so,
        since: Some(now - SignedDuration::from_hours(24 * 365)),
        until: None,
        limit: 100,
    };
    let all = world.engine.logins(&actor(), &query).await.unwrap();
    assert_eq!(hours(&all), [1, 23, 24, 25, 100, 719, 721, 2_400]);
    let before = LoginQuery { until: Some(now - SignedDuration::from_hours(24)), ..query };
    assert_eq!(hours(&world.engine.logins(&actor(), &before).await.unwrap()), [25, 100, 719, 721, 2_400]);
    // A mistyped year asks for no day of the next millennia.
    let far = LoginQuery { until: "9999-12-01T00:00:00Z".parse().ok(), ..query };
    let console = actor();
    let asked = world.engine.logins(&console, &far);
    let far = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await.unwrap();
    assert_eq!(far.unwrap().logins, all.logins);
    let cut = world.engine.logins(&actor(), &LoginQuery { limit: 3, ..query }).await.unwrap();
    assert_eq!((hours(&cut), cut.is_cut), (vec![1, 23, 24], true));
    let whole = world.engine.logins(&actor(), &LoginQuery { limit: 8, ..query }).await.unwrap();
    assert_eq!((whole.logins.len(), whole.is_cut), (8, false));
}

#[tokio::test]
async fn log_ins_that_were_noted_before_doors_were_are_told_without() {
    let world = province().await;
    let account = world.store.login(&address("so")).await.unwrap().unwrap().account;
    let at = world.engine.now() - SignedDuration::from_hours(1);
    world
        .database
        .run(&format!(
            "insert into events (at, kind, trace, account_id, status)
             values ('{at}', 'login', '', {account}, null), ('{at}', 'login_refused', '', {account}, 'the mailbox is locked')"
        ))
        .await;
    let seen = report(&world, &actor(), "so", 100).await.unwrap();
    let refused = LoginOutcome::Refused(LoginError::Locked.to_string());
    let lines: Vec<_> = seen.logins.iter().map(line).collect();
    assert_eq!(lines, [("-", "-", &refused), ("-", "-", &LoginOutcome::LetIn)]);
}
