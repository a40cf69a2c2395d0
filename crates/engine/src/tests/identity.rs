//! Log-in: right, wrong, locked out, and rights that end.

use super::{PASSWORD, World, actor, address, mailbox, origin};
use crate::{Error, LoginError, Origin, Protocol};
use jiff::{SignedDuration, Timestamp};
use model::FolderName;

#[tokio::test]
async fn the_right_password_opens_by_any_address_of_the_mailbox() {
    let world = World::new().await;
    world.user("an").await;
    world.engine.add_alias(&actor(), &address("lanhdao"), &address("an")).await.unwrap();
    let who = world.engine.log_in("LanhDao@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    assert_eq!(who.address(), &address("an"));
    for (login, password) in
        [("an@demo.gov.vn", "sai"), ("khong@demo.gov.vn", PASSWORD), ("an", PASSWORD), ("", "")]
    {
        assert_eq!(world.engine.log_in(login, password, &origin()).await.unwrap_err(), LoginError::Denied);
    }
}

#[tokio::test]
async fn a_log_in_is_noted_with_its_door_and_the_mailbox_that_was_meant() {
    let world = World::new().await;
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    let web = Origin { protocol: Protocol::Http, ..origin() };
    world.engine.log_in("an@demo.gov.vn", PASSWORD, &web).await.unwrap();
    let imap = Origin { protocol: Protocol::Imap, ..origin() };
    for login in ["an@demo.gov.vn", "khong@demo.gov.vn"] {
        assert_eq!(world.engine.log_in(login, "sai", &imap).await.unwrap_err(), LoginError::Denied);
    }
    let later = world.engine.now() + SignedDuration::from_hours(1);
    let page = world.engine.export_events(&actor(), (Timestamp::UNIX_EPOCH, 0), later).await.unwrap();
    let noted = page.iter().filter(|event| event.kind.starts_with("login"));
    let noted = noted.map(|event| (event.kind.as_str(), event.account.as_deref(), event.status.as_deref()));
    let denied = format!("imap: {}", LoginError::Denied);
    let an = Some("an@demo.gov.vn");
    assert_eq!(
        noted.collect::<Vec<_>>(),
        [
            ("login", an, Some("http")),
            ("login_refused", an, Some(denied.as_str())),
            ("login_refused", None, Some(denied.as_str())),
        ]
    );
}

#[tokio::test]
async fn a_changed_password_ends_what_the_old_one_opened() {
    let world = World::new().await;
    let an = world.user("an").await;
    let inbox = world.engine.folder(&an, &FolderName::inbox()).await.unwrap().unwrap();
    world.engine.view(&an, inbox.id).await.unwrap();
    assert!(world.engine.set_password(&actor(), &address("an"), "Mật khẩu 2", false, "thử").await.unwrap());
    assert_eq!(world.engine.view(&an, inbox.id).await.unwrap_err(), Error::Revoked);
    assert_eq!(world.engine.folders(&an).await.unwrap_err(), Error::Revoked);
    assert_eq!(
        world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap_err(),
        LoginError::Denied
    );
    world.engine.log_in("an@demo.gov.vn", "Mật khẩu 2", &origin()).await.unwrap();
}

#[tokio::test]
async fn another_process_ends_a_session_that_only_waits() {
    let world = World::new().await;
    let an = world.user("an").await;
    let elsewhere = world.another_node();
    let mut watch = world.engine.watch(&an);
    world.engine.poll().await;
    watch.changed().await;
    elsewhere.set_password(&actor(), &address("an"), "Mật khẩu 2", false, "thử").await.unwrap();
    world.engine.poll().await;
    assert!(watch.has_changed());
    watch.changed().await;
    world.engine.poll().await;
    assert!(!watch.has_changed(), "nothing happened since");
}

#[tokio::test]
async fn the_first_poll_tells_what_happened_before_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    let elsewhere = world.another_node();
    let mut watch = world.engine.watch(&an);
    elsewhere.create_folder(&an, &FolderName::new("Mới").unwrap(), None).await.unwrap();
    assert!(!watch.has_changed());
    world.engine.poll().await;
    assert!(watch.has_changed());
    watch.changed().await;
}

#[tokio::test]
async fn names_with_controls_are_refused_with_a_reason() {
    let world = World::new().await;
    let unit = |kind: &str, parent: Option<&str>| crate::NewUnit {
        domain: model::DomainName::new("demo.gov.vn").unwrap(),
        code: Some("H01".into()),
        name: "Sở".into(),
        kind: kind.into(),
        identifier: None,
        parent: parent.map(ToOwned::to_owned),
        on: None,
    };
    let add = async |who: &crate::Actor, unit| {
        world.engine.add_unit(who, &unit, crate::Founding::default()).await.map(drop)
    };
    let bad = Err(crate::AdminError::BadName);
    assert_eq!(add(&actor(), unit("s\0", None)).await, bad);
    assert_eq!(add(&actor(), unit("so", Some("\0"))).await, bad);
    let stranger = crate::Actor::console("\0");
    assert_eq!(add(&stranger, unit("so", None)).await, bad);
    let domain = model::DomainName::new("khac.gov.vn").unwrap();
    assert_eq!(world.engine.add_domain(&actor(), &domain, "\0").await, bad);
    assert_eq!(add(&actor(), unit("so", None)).await, Ok(()));
}

#[tokio::test]
async fn a_one_time_password_lets_nobody_in_before_it_is_changed() {
    let world = World::new().await;
    let mut new = mailbox("moi");
    (new.password, new.must_change_password) = (None, true);
    let added = world.engine.add_mailbox(&actor(), &new).await.unwrap();
    let once = added.one_time_password.unwrap();
    let refused = world.engine.log_in("moi@demo.gov.vn", &once, &origin()).await.unwrap_err();
    assert_eq!(refused, LoginError::PasswordChangeRequired);
}

#[tokio::test]
async fn a_guesser_is_refused_unheard_for_a_while() {
    let world = World::new().await;
    world.user("an").await;
    for n in 0..30 {
        let _ = world.engine.log_in("an@demo.gov.vn", &format!("đoán {n}"), &origin()).await;
    }
    let refused = world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap_err();
    assert_eq!(refused, LoginError::TooManyAttempts);
    world.user("binh").await;
    world.clock.advance(SignedDuration::from_mins(11));
    world.engine.log_in("an@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
}

#[tokio::test]
async fn a_deleted_mailbox_is_gone_and_its_address_is_nobodys() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    assert!(world.engine.delete_without_export(&actor(), &address("an"), "thu hồi").await.unwrap());
    assert_eq!(world.engine.folders(&an).await.unwrap_err(), Error::Revoked);
    assert!(world.engine.mailbox(&actor(), &address("an")).await.unwrap().is_none());
    assert!(world.engine.recipient(&address("an")).await.is_err());
    let again = world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap_err();
    assert_eq!(again, crate::AdminError::AddressTaken);
    assert!(!world.engine.delete_without_export(&actor(), &address("an"), "thu hồi").await.unwrap());
}
