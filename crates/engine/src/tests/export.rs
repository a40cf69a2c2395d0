//! Archives before deletions: what goes only with one, what makes one too old, and who is told.

use super::{World, actor, address, policy};
use crate::{AdminError, AdminTarget, Archive, RoleOver};
use jiff::SignedDuration;
use model::lifecycle::{DeletionCause, LockReason};
use model::{AccountState, Address, ContentId, DomainName, Reason, Role};

const MAIL: &[u8] = b"From: <a@x.vn>\r\nSubject: Giay moi\r\n\r\nnoi dung\r\n";

async fn export(world: &World, mailbox: &Address) -> Vec<Vec<u8>> {
    let export = world.engine.begin_export(&actor(), mailbox).await.unwrap();
    let contents: Vec<ContentId> =
        export.folders().flat_map(|(_, entries)| entries.iter().map(|entry| entry.content)).collect();
    let mut octets = Vec::new();
    for message in world.engine.exported(&contents).await.unwrap() {
        let body = message.body.unwrap();
        octets.push(body.read(0..body.size()).await.unwrap());
    }
    let archive = Archive { messages: octets.len() as u64, octets: 7, sha256: &[7; 32], file_name: "an.zip" };
    world.engine.end_export(&actor(), &export, &archive).await.unwrap();
    octets
}

async fn list(world: &World, mailbox: &Address) {
    world.clock.advance(SignedDuration::from_secs(1));
    let cause = DeletionCause::Revoked;
    world.engine.list_for_deletion(&actor(), mailbox, cause, "Nghỉ hưu, công văn 3").await.unwrap();
}

async fn pending(world: &World, mailbox: &Address) -> bool {
    world.engine.life(&actor(), mailbox).await.unwrap().unwrap().holds.export_pending
}

async fn give_operator(world: &World) {
    let (domain, holder) = (DomainName::new("demo.gov.vn").unwrap(), address("truc"));
    let over = AdminTarget::Domain(&domain);
    let role = RoleOver { holder: &holder, role: Role::CentreOperator, over };
    world.engine.grant_role(&actor(), &role, None, "QĐ 1").await.unwrap();
}

#[tokio::test]
async fn nothing_goes_before_its_mail_is_exported() {
    let world = World::new().await;
    let (an, engine) = (address("an"), &world.engine);
    world.user("an").await;
    world.deliver(&["an"], MAIL).await;
    let in_use = engine.begin_export(&actor(), &an).await.unwrap_err();
    assert_eq!(in_use, AdminError::InUse(an.clone()));
    list(&world, &an).await;
    let refused = Err(AdminError::NotExported(an.clone()));
    assert_eq!(engine.confirm_deletion(&actor(), &an, None).await, refused);
    assert_eq!(engine.delete_mailbox(&actor(), &an, "thu hồi").await.map(drop), refused);
    let [mail] = &export(&world, &an).await[..] else { panic!("one message") };
    assert!(mail.ends_with(MAIL));
    let shown = engine.life(&actor(), &an).await.unwrap().unwrap();
    let archive = shown.export.unwrap();
    assert_eq!(
        (archive.messages, archive.made_by.as_str(), archive.file_name.as_str()),
        (1, "test", "an.zip")
    );
    engine.confirm_deletion(&actor(), &an, None).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(engine.keep_lives().await.unwrap().deleted, 1);
    assert_eq!(world.audited("mailbox.export").await, ["an@demo.gov.vn"]);
    // Deleted on 23 November, swept on the 24th at the latest, and thirty days in backups.
    let said = world
        .database
        .texts("select detail::jsonb ->> 'backups_until' from audit where action = 'mailbox.delete'")
        .await;
    assert_eq!(said, ["2026-12-24"]);
    assert_eq!(world.number("select count(*) from exports").await, 1, "the record stays");
}

#[tokio::test]
async fn what_came_after_an_export_or_before_a_restoration_is_not_exported() {
    let world = World::new().await;
    let (an, engine) = (address("an"), &world.engine);
    world.user("an").await;
    let lock = async || {
        world.clock.advance(SignedDuration::from_hours(1));
        engine.lock(&actor(), &an, LockReason::Requested, "Công văn 9").await.unwrap();
    };
    lock().await;
    assert!(!pending(&world, &an).await, "there is only what the system wrote");
    world.clock.advance(SignedDuration::from_secs(1));
    world.deliver(&["an"], MAIL).await;
    assert!(pending(&world, &an).await);
    export(&world, &an).await;
    assert!(!pending(&world, &an).await);
    world.deliver(&["an"], MAIL).await;
    assert!(pending(&world, &an).await, "it came after the export");
    export(&world, &an).await;
    list(&world, &an).await;
    assert!(!pending(&world, &an).await, "listed after the lock, with nothing new");
    engine.unlock(&actor(), &an, Some("Công văn 10")).await.unwrap();
    lock().await;
    assert!(pending(&world, &an).await, "it was in use since");
    policy(&world, "life.export_first", "false").await;
    assert!(!pending(&world, &an).await, "none is asked for");
}

#[tokio::test]
async fn an_administrator_says_why_there_is_no_archive() {
    let world = World::new().await;
    let (an, engine) = (address("an"), &world.engine);
    world.user("an").await;
    world.deliver(&["an"], MAIL).await;
    list(&world, &an).await;
    assert_eq!(engine.confirm_deletion(&actor(), &an, Some(" ")).await, Err(AdminError::BadReason));
    let said_why = "Đơn vị đã lưu riêng, công văn 4";
    let why = Some(said_why);
    engine.confirm_deletion(&actor(), &an, why).await.unwrap();
    assert!(!pending(&world, &an).await);
    // With the confirmation it ends, too.
    engine.ask_restore(&actor(), &an, "Công văn 5").await.unwrap();
    engine.refuse_restore(&actor(), &an, "Đã nghỉ hưu").await.unwrap();
    assert!(pending(&world, &an).await);
    engine.confirm_deletion(&actor(), &an, why).await.unwrap();
    assert_eq!(engine.keep_lives().await.unwrap().deleted, 1);
    let said =
        "select detail::jsonb ->> 'without_export' from audit where action = 'mailbox.confirm-deletion'";
    assert_eq!(world.database.texts(said).await, [said_why, said_why]);
}

#[tokio::test]
async fn what_waits_for_its_archive_is_named_to_the_centre_once_a_week() {
    let world = World::new().await;
    let engine = &world.engine;
    for name in ["an", "truc"] {
        world.user(name).await;
    }
    give_operator(&world).await;
    // Nobody here logs in, the operator neither.
    policy(&world, "life.lock_after", "off").await;
    policy(&world, "life.deletion", "automatic").await;
    world.deliver(&["an"], MAIL).await;
    world.clock.advance(SignedDuration::from_secs(1));
    engine.lock(&actor(), &address("an"), LockReason::Requested, "Công văn 9").await.unwrap();
    for _ in 0..120 {
        world.clock.advance(SignedDuration::from_hours(24));
        engine.keep_lives().await.unwrap();
    }
    let state = engine.life(&actor(), &address("an")).await.unwrap().unwrap().life.state();
    assert_eq!(state, AccountState::ToBeDeleted);
    assert_eq!(engine.keep_lives().await.unwrap().waiting, 1);
    let told = "select count(*) from notices where key like 'export-awaited/%'";
    let weeks = world.number(told).await;
    assert!((4..=6).contains(&weeks), "{weeks} in some thirty days");
    assert_eq!(engine.keep_lives().await.unwrap().waiting, 1);
    assert_eq!(world.number(told).await, weeks);
    export(&world, &address("an")).await;
    assert_eq!(engine.keep_lives().await.unwrap().deleted, 1);
}

#[tokio::test]
async fn no_operator_exports_mail() {
    let world = World::new().await;
    let engine = &world.engine;
    world.user("an").await;
    let operator = world.user("truc").await;
    give_operator(&world).await;
    engine.lock(&actor(), &address("an"), LockReason::Requested, "Công văn 9").await.unwrap();
    let operator = engine.actor_of(&operator).await.unwrap();
    let denied = engine.begin_export(&operator, &address("an")).await.unwrap_err();
    assert_eq!(denied, AdminError::Denied(Reason::Role));
}
