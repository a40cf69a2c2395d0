//! Passwords: their rules, their end, their change by the owner.

use super::{PASSWORD, World, actor, address, mailbox, origin};
use crate::{AdminError, ChangeError, LoginError, PolicyEdit};
use jiff::SignedDuration;
use model::lifecycle::{LockReason, StateName};
use model::password_rules::{Flaw, Kind, Personal};
use model::{AccountState, DomainName};

async fn set_policy(world: &World, key: &str, value: &str) {
    let domain = DomainName::new("demo.gov.vn").unwrap();
    let settings = [(key.to_owned(), value.to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    world.engine.change_policy(&actor(), &domain, &edit).await.unwrap();
}

#[tokio::test]
async fn every_password_that_is_chosen_is_checked() {
    let world = World::new().await;
    world.user("tramanh").await;
    let set = async |password: &str| {
        world.engine.set_password(&actor(), &address("tramanh"), password, false, "thử").await
    };
    for (password, flaw) in [
        ("Ab1!", Flaw::TooShort(8)),
        ("chỉ chữ thường 1!", Flaw::Missing(Kind::Upper)),
        ("TramAnh@2741x", Flaw::Contains(Personal::Address)),
        ("Nguyễn!Xanh27", Flaw::Contains(Personal::Name)),
        ("P@ssw0rd", Flaw::Common),
        (PASSWORD, Flaw::Reused(5)),
    ] {
        let Err(AdminError::BadPassword(flaws)) = set(password).await else { panic!("{password}") };
        assert!(flaws.contains(&flaw), "{password}: {flaws:?}");
    }
    let mut weak = mailbox("moi");
    weak.password = Some("Moi-Moi-1234".into());
    let refused = world.engine.add_mailbox(&actor(), &weak).await.unwrap_err();
    assert_eq!(refused, AdminError::BadPassword(vec![Flaw::Contains(Personal::Address)]));
}

#[tokio::test]
async fn what_strangers_are_shown_costs_no_query() {
    let world = World::new().await;
    assert_eq!(world.engine.strictest_password_rules().length_min, 8);
    set_policy(&world, "password.min_length", "14").await;
    let other = world.another_node();
    other.open().await.unwrap();
    world.store.close().await;
    assert_eq!(world.engine.strictest_password_rules().length_min, 14);
    assert_eq!(other.strictest_password_rules().length_min, 14);
}

#[tokio::test]
async fn the_last_passwords_do_not_come_again() {
    let world = World::new().await;
    world.user("an").await;
    set_policy(&world, "password.history", "2").await;
    let set = async |password: &str| {
        world.clock.advance(SignedDuration::from_secs(1));
        world.engine.set_password(&actor(), &address("an"), password, false, "thử").await.is_ok()
    };
    assert!(set("Rừng tràm 27!").await);
    assert!(!set("Rừng tràm 27!").await && !set(PASSWORD).await);
    assert!(set("Sông Hậu 83?").await);
    assert!(!set("Rừng tràm 27!").await, "the one before");
    assert!(set(PASSWORD).await, "two lie between");
    assert_eq!(world.number("select count(*) from password_history").await, 2, "no more are kept");
}

#[tokio::test]
async fn the_owner_changes_what_has_to_be_changed_and_is_in() {
    let world = World::new().await;
    let mut new = mailbox("moi");
    (new.password, new.must_change_password) = (None, true);
    let once = world.engine.add_mailbox(&actor(), &new).await.unwrap().one_time_password.unwrap();
    let change = async |present: &str, new: &str| {
        world.engine.change_password("moi@demo.gov.vn", present, new, &origin()).await
    };
    assert_eq!(change("sai", "Rừng tràm 27!").await, Err(ChangeError::LogIn(LoginError::Denied)));
    let guesses = "select count(*) from events where kind = 'login_refused' and remote = '192.0.2.1'";
    assert_eq!(world.number(guesses).await, 1, "a guess here is evidence as at any other door");
    assert_eq!(change(&once, &once).await, Err(ChangeError::Flaws(vec![Flaw::Reused(5)])));
    assert!(matches!(change(&once, "ngắn").await, Err(ChangeError::Flaws(flaws)) if flaws.len() == 4));
    change(&once, "Rừng tràm 27!").await.unwrap();
    world.engine.log_in("moi@demo.gov.vn", "Rừng tràm 27!", &origin()).await.unwrap();
    assert_eq!(change(&once, "Sông Hậu 83?").await, Err(ChangeError::LogIn(LoginError::Denied)));
}

#[tokio::test]
async fn a_one_time_password_ends() {
    let world = World::new().await;
    world.user("an").await;
    let once = world.engine.reset_password(&actor(), &address("an"), "Quên mật khẩu").await.unwrap().unwrap();
    let log_in = async || world.engine.log_in("an@demo.gov.vn", &once, &origin()).await.unwrap_err();
    assert_eq!(log_in().await, LoginError::PasswordChangeRequired);
    world.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(log_in().await, LoginError::OneTimePasswordOver);
    let late = world.engine.change_password("an@demo.gov.vn", &once, "Rừng tràm 27!", &origin()).await;
    assert_eq!(late, Err(ChangeError::LogIn(LoginError::OneTimePasswordOver)));
}

#[tokio::test]
async fn a_password_expires_where_the_policy_says_so() {
    let world = World::new().await;
    world.user("an").await;
    set_policy(&world, "password.expire_after", "6").await;
    let log_in = async || world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await;
    world.clock.advance(SignedDuration::from_hours(24 * 181));
    log_in().await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(log_in().await.unwrap_err(), LoginError::PasswordChangeRequired);
    world.engine.change_password("an@demo.gov.vn", PASSWORD, "Rừng tràm 27!", &origin()).await.unwrap();
    world.engine.log_in("an@demo.gov.vn", "Rừng tràm 27!", &origin()).await.unwrap();
}

#[tokio::test]
async fn a_locked_mailbox_gets_its_password_from_its_unlocking_alone() {
    let world = World::new().await;
    world.user("an").await;
    let (engine, an) = (&world.engine, address("an"));
    engine.lock(&actor(), &an, LockReason::Requested, "Công văn 9").await.unwrap();
    let refused = AdminError::OutOfUse(an.clone(), StateName(AccountState::Locked));
    assert_eq!(engine.reset_password(&actor(), &an, "quên").await, Err(refused.clone()));
    let set = engine.set_password(&actor(), &an, "Rừng tràm 27!", false, "quên").await;
    assert_eq!(set, Err(refused));
    assert_eq!(engine.password_resets(&actor(), false).await.unwrap().len(), 0, "nothing is on record");
    engine.unlock(&actor(), &an, Some("Công văn 10")).await.unwrap();
    assert!(engine.reset_password(&actor(), &an, "quên").await.unwrap().is_some());
}
