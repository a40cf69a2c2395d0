//! Log-ins by servers of a mail program's maker: told once, refused where policy says so, also when they say only later who they are.

use super::sending::subjects;
use super::{PASSWORD, World, actor, mailbox, origin, policy};
use crate::{LoginError, Origin, Principal, Protocol};
use jiff::SignedDuration;
use model::Cloud;

const NEW: &str = "Rừng tràm 27!";
const NAME: &str = "Microsoft Office 365";
const SUBJECT: &str = "Mật khẩu hộp thư an@demo.gov.vn đã được giao cho máy chủ của Microsoft";

fn from(remote: &str) -> Origin {
    Origin { remote: remote.parse().unwrap(), protocol: Protocol::Imap, ..origin() }
}

async fn world() -> (World, Principal) {
    let world = World::new().await;
    let mut clouds = Cloud::known();
    clouds.push(Cloud {
        name: "Hãng B".into(),
        clients: Vec::new(),
        networks: vec!["198.51.100.0/24".parse().unwrap()],
    });
    world.engine.use_clouds(clouds);
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    let an = log_in(&world, None, "192.0.2.1").await.unwrap();
    (world, an)
}

async fn log_in(world: &World, client: Option<&str>, remote: &str) -> Result<Principal, LoginError> {
    world.engine.log_in_by("an@demo.gov.vn", PASSWORD, (&from(remote), client)).await
}

#[tokio::test]
async fn whose_program_hands_his_password_on_is_told_once_for_each_maker() {
    let (world, an) = world().await;
    for client in [Some("Thunderbird"), Some(NAME), Some(NAME), None] {
        log_in(&world, client, "192.0.2.1").await.unwrap();
    }
    let letters = world.letters(&an).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    for words in [
        SUBJECT,
        "Lúc 08 giờ 00 ngày 22/11/2026, máy chủ của hãng Microsoft (địa chỉ IP 192.0.2.1) đã dùng đúng mật khẩu để đăng nhập vào hộp \
         thư an@demo.gov.vn.",
        "đổi mật khẩu tại https://mail.demo.gov.vn/mat-khau",
        "servers of Microsoft had the right password of the mailbox, which was logged in to by them",
    ] {
        assert!(letter.contains(words), "{words}\n{letter}");
    }
    // By where they come from, too; another node, and this one after a restart, tell nobody again.
    log_in(&world, None, "198.51.100.7").await.unwrap();
    let another = world.another_node();
    another.use_clouds(Cloud::known());
    another.log_in_by("an@demo.gov.vn", PASSWORD, (&from("192.0.2.1"), Some(NAME))).await.unwrap();
    assert_eq!(subjects(&world, &an).await.len(), 2);
    let events = "select status from events where kind = 'cloud_login' order by event_id";
    assert_eq!(world.database.texts(events).await, ["imap: warned Microsoft", "imap: warned Hãng B"]);
    // Who has changed it, and hands the new one on as well, has not understood, or is somebody else.
    world.clock.advance(SignedDuration::from_hours(1));
    let page = Origin { protocol: Protocol::Http, ..from("192.0.2.1") };
    world.engine.change_password("an@demo.gov.vn", PASSWORD, NEW, &page).await.unwrap();
    for _ in 0..2 {
        let by = (&from("192.0.2.1"), Some(NAME));
        world.engine.log_in_by("an@demo.gov.vn", NEW, by).await.unwrap();
    }
    let an = world.engine.log_in("an@demo.gov.vn", NEW, &from("192.0.2.1")).await.unwrap();
    assert_eq!(subjects(&world, &an).await.iter().filter(|subject| *subject == SUBJECT).count(), 2);
}

#[tokio::test]
async fn policy_may_refuse_them_or_look_away() {
    let (world, an) = world().await;
    policy(&world, "login.clouds", "allow").await;
    log_in(&world, Some(NAME), "192.0.2.1").await.unwrap();
    assert!(subjects(&world, &an).await.is_empty());
    policy(&world, "login.clouds", "refuse").await;
    for _ in 0..40 {
        assert_eq!(log_in(&world, Some(NAME), "192.0.2.1").await.unwrap_err(), LoginError::CloudNotAllowed);
    }
    let wrong = world.engine.log_in_by("an@demo.gov.vn", "sai", (&from("192.0.2.1"), Some(NAME))).await;
    assert_eq!(wrong.unwrap_err(), LoginError::Denied);
    log_in(&world, Some("Thunderbird"), "192.0.2.1").await.unwrap();
    assert!(LoginError::CloudNotAllowed.is_hidden());
    assert!(subjects(&world, &an).await.is_empty(), "nobody is told before he is answered");
    world.engine.tell_of_barred().await;
    let letter = world.letters(&an).await.remove(0);
    assert!(letter.contains("Theo quy định, lần đăng nhập đó đã bị từ chối."), "{letter}");
    assert_eq!(subjects(&world, &an).await.len(), 1);
}

#[tokio::test]
async fn who_says_what_he_is_after_he_logged_in_is_looked_at_then() {
    let (world, an) = world().await;
    let origin = from("192.0.2.1");
    let check = async |client: &str| world.engine.check_client(&an, &origin, client).await;
    assert_eq!(check("Thunderbird").await, Ok(()));
    assert_eq!(check(NAME).await, Ok(()));
    assert_eq!(subjects(&world, &an).await, [SUBJECT]);
    policy(&world, "login.clouds", "refuse").await;
    assert_eq!(check(NAME).await, Err(LoginError::CloudNotAllowed));
    assert_eq!(check("Thunderbird").await, Ok(()));
    let refused = "select status from events where kind = 'login_refused'";
    let why = format!("imap: {}", LoginError::CloudNotAllowed);
    assert_eq!(world.database.texts(refused).await, [why], "behind the log-in that it was let in by");
}
