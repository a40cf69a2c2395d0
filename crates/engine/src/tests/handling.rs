//! Mail of an organisation's mailbox goes through its states, by those who have rights to it, and comes due.

use super::delegation::{delegation, office};
use super::{PASSWORD, World, actor, address, origin};
use crate::{Actor, AdminError, FlagEdit, FlagMode, HandledMail, HandlingError, HandlingStep, Principal};
use jiff::SignedDuration;
use model::{Flags, FolderName, HandlingState, Reason, Right, Uid};

async fn mailbox(world: &World) -> (Principal, Actor, Actor) {
    let owner = office(world, "vanthu").await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    for (who, rights) in
        [("an", &[Right::Read, Right::Write, Right::Manage][..]), ("binh", &[Right::Read][..])]
    {
        world.engine.grant_delegation(&actor(), &delegation("vanthu", who, rights)).await.unwrap();
    }
    for n in 0..3 {
        world.deliver(&["vanthu"], format!("Subject: {n}\r\n\r\ny\r\n").as_bytes()).await;
    }
    let (an, binh) = (world.engine.actor_of(&an).await.unwrap(), world.engine.actor_of(&binh).await.unwrap());
    (owner, an, binh)
}

async fn step(
    world: &World,
    who: &Actor,
    uid: u32,
    step: HandlingStep,
) -> Result<HandlingState, HandlingError> {
    let (mailbox, folder) = (address("vanthu"), FolderName::inbox());
    let mail = HandledMail { mailbox: &mailbox, folder: &folder, uid: Uid(uid) };
    world.engine.handle_mail(who, mail, &step).await
}

fn assign(to: &str) -> HandlingStep {
    HandlingStep::Assign { to: address(to), due_on: None }
}

async fn states(world: &World, who: &Actor, overdue: bool) -> Vec<(String, u32, HandlingState)> {
    let found = world.engine.handlings(who, &address("vanthu"), overdue).await.unwrap();
    found.into_iter().map(|one| (one.folder, one.uid.0, one.state)).collect()
}

#[tokio::test]
async fn mail_is_reported_assigned_answered_and_closed_by_those_who_may() {
    let world = World::new().await;
    let (owner, an, binh) = mailbox(&world).await;
    let engine = &world.engine;
    assert_eq!(step(&world, &an, 1, assign("binh")).await, Err(HandlingError::Unreported));
    let denied = |reason| Err(HandlingError::Admin(AdminError::Denied(reason)));
    assert_eq!(step(&world, &binh, 1, HandlingStep::Report).await, denied(Reason::Right(Right::Write)));
    assert_eq!(step(&world, &actor(), 1, HandlingStep::Report).await, denied(Reason::Role));
    let listed = engine.handlings(&actor(), &address("vanthu"), false).await;
    assert_eq!(listed, Err(HandlingError::Admin(AdminError::Denied(Reason::Role))));
    let stranger = world.user("chi").await;
    let stranger = engine.actor_of(&stranger).await.unwrap();
    let hidden = Err(HandlingError::Admin(AdminError::NoSuchMailbox(address("vanthu"))));
    assert_eq!(step(&world, &stranger, 1, HandlingStep::Report).await, hidden);
    assert_eq!(step(&world, &an, 9, HandlingStep::Report).await, Err(HandlingError::NoSuchMail));
    step(&world, &an, 1, HandlingStep::Report).await.unwrap();
    assert_eq!(step(&world, &an, 1, assign("chi")).await, Err(HandlingError::Assignee(address("chi"))));
    step(&world, &an, 1, assign("binh")).await.unwrap();
    step(&world, &an, 1, assign("an")).await.unwrap();
    // It is the mail that is handled, wherever it is moved.
    let inbox = engine.folder(&owner, &FolderName::inbox()).await.unwrap().unwrap().id;
    engine.move_messages(&owner, inbox, &[Uid(1)], &FolderName::new("Archive").unwrap()).await.unwrap();
    let new = |uid| ("INBOX".to_owned(), uid, HandlingState::New);
    let moved = ("Archive".to_owned(), 1, HandlingState::Assigned);
    assert_eq!(states(&world, &binh, false).await, [moved, new(2), new(3)]);
    let (mailbox, folder) = (address("vanthu"), FolderName::new("Archive").unwrap());
    let mail = HandledMail { mailbox: &mailbox, folder: &folder, uid: Uid(1) };
    engine.handle_mail(&an, mail, &HandlingStep::Answer).await.unwrap();
    engine.handle_mail(&an, mail, &HandlingStep::Close).await.unwrap();
    let again = engine.handle_mail(&an, mail, &HandlingStep::Answer).await;
    assert_eq!(again, Err(HandlingError::State("closed", "answered")));
    let since = jiff::Timestamp::UNIX_EPOCH;
    let owner_actor = engine.actor_of(&owner).await.unwrap();
    let acts = engine.shared_acts(&owner_actor, &address("vanthu"), since, 100).await.unwrap();
    let named: Vec<&str> = acts.iter().map(|act| act.what.as_str()).collect();
    assert!(named.contains(&"handling.assign INBOX 1 binh@demo.gov.vn"), "{named:?}");
    assert!(acts.iter().all(|act| act.actor == "an@demo.gov.vn"), "{acts:?}");
    // With the mail, its handling goes.
    let archive = engine.folder(&owner, &folder).await.unwrap().unwrap().id;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    engine.store_flags(&owner, archive, &[Uid(1)], &edit).await.unwrap();
    engine.expunge(&owner, archive, Some(&[Uid(1)])).await.unwrap();
    assert_eq!(states(&world, &binh, false).await, [new(2), new(3)]);
    assert!(engine.run_job("handling-reminders").await.unwrap().unwrap().ends_with("1 gone"));
    assert_eq!(world.number("select count(*) from handlings").await, 0);
    let personal = engine.handlings(&an, &address("an"), false).await;
    assert_eq!(personal, Err(HandlingError::NoOrganisation(address("an"))));
}

#[tokio::test]
async fn what_is_overdue_is_listed_and_reminded_of_once() {
    let world = World::new().await;
    let (_, an, _) = mailbox(&world).await;
    step(&world, &an, 1, HandlingStep::Report).await.unwrap();
    step(&world, &an, 1, assign("binh")).await.unwrap();
    step(&world, &an, 2, HandlingStep::Close).await.unwrap();
    let run = async || world.engine.run_job("handling-reminders").await.unwrap().unwrap();
    // Sunday 22 November 2026: five working days end on Friday.
    world.clock.advance(SignedDuration::from_hours(24 * 5));
    assert!(run().await.starts_with("0 reminded"));
    assert!(states(&world, &actor(), true).await.is_empty());
    world.clock.advance(SignedDuration::from_hours(24));
    assert!(run().await.starts_with("1 reminded"));
    assert!(run().await.starts_with("0 reminded"));
    let inbox = |uid, state| ("INBOX".to_owned(), uid, state);
    let late = [inbox(1, HandlingState::Assigned), inbox(3, HandlingState::New)];
    assert_eq!(states(&world, &actor(), true).await, late);
    let told = "select count(*) from entries e join addresses g using (account_id) where g.address = 'binh@demo.gov.vn'";
    assert_eq!(world.number(told).await, 1);
    let binh = world.engine.log_in("binh@demo.gov.vn", PASSWORD, &origin()).await.unwrap();
    let letter = world.letters(&binh).await.remove(0);
    assert!(letter.contains("đã quá hạn xử lý ngày 27/11/2026."), "{letter}");
}

#[tokio::test]
async fn the_console_acts_with_the_rights_of_whom_it_names() {
    let world = World::new().await;
    mailbox(&world).await;
    let engine = &world.engine;
    let named = async |name: &str| engine.actor_in_name_of(&actor(), &address(name)).await.unwrap();
    let an = named("an").await;
    step(&world, &an, 1, HandlingStep::Report).await.unwrap();
    let by_binh = step(&world, &named("binh").await, 2, HandlingStep::Report).await;
    assert!(matches!(by_binh, Err(HandlingError::Admin(AdminError::Denied(_)))), "{by_binh:?}");
    let kept = engine.handlings(&named("vanthu").await, &address("vanthu"), false).await.unwrap();
    let (by, _) = kept[0].changed.clone().unwrap();
    assert_eq!(by, "an@demo.gov.vn (test)");
    assert_eq!(world.audited("handling.in-name-of").await.len(), 3);
    assert!(
        engine.actor_in_name_of(&an, &address("vanthu")).await.is_err(),
        "nobody else takes another's name"
    );
}
