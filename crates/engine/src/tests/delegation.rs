//! Others' mailboxes: what is given, what is not, and that it ends when it is taken back.

use super::{PASSWORD, World, actor, address, arrival, mailbox, origin};
use crate::{
    AclEdit, CopyError, DelegationError, DelegationQuery, DeliverError, Error, FlagEdit, FlagMode,
    NewDelegation, NewMailbox, Place, PolicyEdit, Principal, SenderError,
};
use jiff::SignedDuration;
use model::{DomainName, Flags, FolderName, Keyword, MailboxClass, Right, Rights, Uid};
use std::time::Duration;

pub(crate) async fn office(world: &World, name: &str) -> Principal {
    let new = NewMailbox { class: MailboxClass::Organisation, ..mailbox(name) };
    world.engine.add_mailbox(&actor(), &new).await.unwrap();
    world.engine.log_in(&format!("{name}@demo.gov.vn"), PASSWORD, &origin()).await.unwrap()
}

pub(crate) fn delegation(of: &str, to: &str, rights: &[Right]) -> NewDelegation {
    NewDelegation {
        mailbox: address(of),
        delegate: address(to),
        rights: rights.iter().copied().collect(),
        document: "15/QĐ-STTTT ngày 20/11/2026".into(),
        consent: None,
        since: None,
        until: None,
    }
}

async fn give(world: &World, of: &str, to: &str, rights: &[Right]) {
    world.engine.grant_delegation(&actor(), &delegation(of, to, rights)).await.unwrap();
}

pub(crate) async fn reach(world: &World, who: &Principal, name: &str) -> Option<Place> {
    world.engine.reach(who, &FolderName::new(name).unwrap()).await.unwrap()
}

const INBOX: &str = "Other Users/vanthu@demo.gov.vn/INBOX";

#[tokio::test]
async fn a_mailbox_is_reached_by_a_right_to_read_and_by_nothing_else() {
    let world = World::new().await;
    let (an, binh, _) = (world.user("an").await, world.user("binh").await, office(&world, "vanthu").await);
    world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;
    assert!(reach(&world, &an, INBOX).await.is_none());
    assert!(reach(&world, &an, "Other Users/binh@demo.gov.vn/INBOX").await.is_none());
    give(&world, "vanthu", "an", &[Right::SendAs, Right::Write, Right::Manage]).await;
    assert!(reach(&world, &an, INBOX).await.is_none(), "without read nothing is seen");
    assert!(world.engine.listing(&an).await.unwrap().shared.is_empty());
    give(&world, "vanthu", "an", &[Right::Read]).await;
    assert!(reach(&world, &binh, INBOX).await.is_none());
    let place = reach(&world, &an, INBOX).await.unwrap();
    let (engine, who) = (&world.engine, &place.who);
    let folder = engine.folder(who, &place.name).await.unwrap().unwrap();
    assert_eq!(engine.view(who, folder.id).await.unwrap().entries().len(), 1);
    assert_eq!(world.read(who, "INBOX").await.len(), 1);
    // From what one has of others, nobody gets further.
    assert_eq!(who.own().address(), &address("an"));
    assert!(engine.reach(who, &FolderName::inbox()).await.unwrap().unwrap().who.rights().is_none());
    // His own view of a folder number that is another's is none.
    assert_eq!(engine.view(&an, folder.id).await.unwrap_err(), Error::NotFound);
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::SEEN, keywords: Vec::new() };
    assert!(engine.store_flags(who, folder.id, &[Uid(1)], &edit).await.is_err());
    assert_eq!(engine.expunge(who, folder.id, Some(&[Uid(1)])).await, Err(Error::NotPermitted));
    assert_eq!(
        engine.delete_folder(who, &FolderName::new("Junk").unwrap()).await.unwrap_err().to_string(),
        Error::NotPermitted.to_string()
    );
    let moved =
        engine.move_to(who, folder.id, &[Uid(1)], &reach(&world, &an, "Archive").await.unwrap()).await;
    assert_eq!(moved, Err(CopyError::Engine(Error::NotPermitted)));
}

#[tokio::test]
async fn what_is_taken_back_ends_at_once_on_every_node() {
    let world = World::new().await;
    let (an, owner) = (world.user("an").await, office(&world, "vanthu").await);
    let other = world.another_node();
    let all = [Right::Read, Right::Write];
    let day = SignedDuration::from_hours(24);
    let ended = async |place: &Place| {
        assert_eq!(world.engine.folder(&place.who, &place.name).await, Err(Error::Revoked));
        assert_eq!(other.status(&place.who, &place.name).await, Err(Error::Revoked));
        assert_eq!(other.check_standing(&place.who).await, Err(Error::Revoked));
    };
    give(&world, "vanthu", "an", &all).await;
    let place = reach(&world, &an, INBOX).await.unwrap();
    let mut watch = other.watch(&place.who);
    other.poll().await;
    tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
    assert_eq!(
        world.engine.revoke_delegation(&actor(), &address("vanthu"), Some(&address("an"))).await,
        Ok(crate::Revoked { delegations: 1, forward_ended: None })
    );
    other.poll().await;
    tokio::time::timeout(Duration::from_secs(5), watch.changed()).await.unwrap();
    ended(&place).await;
    assert!(reach(&world, &an, INBOX).await.is_none());
    // Other rights are another delegation: sessions look again.
    give(&world, "vanthu", "an", &all).await;
    let place = reach(&world, &an, INBOX).await.unwrap();
    give(&world, "vanthu", "an", &[Right::Read]).await;
    ended(&place).await;
    // A term that is over.
    let until = Some(world.engine.now() + day);
    let term = NewDelegation { until, ..delegation("vanthu", "an", &all) };
    world.engine.grant_delegation(&actor(), &term).await.unwrap();
    let place = reach(&world, &an, INBOX).await.unwrap();
    assert!(world.engine.folder(&place.who, &place.name).await.is_ok());
    world.clock.advance(day);
    ended(&place).await;
    assert_eq!(world.engine.grant_delegation(&actor(), &term).await, Err(DelegationError::Term));
    // Either one's own rights.
    give(&world, "vanthu", "an", &all).await;
    let place = reach(&world, &an, INBOX).await.unwrap();
    world.engine.set_password(&actor(), &address("an"), "Mật khẩu 2 của tôi", false, "thử").await.unwrap();
    ended(&place).await;
    let an = world.engine.log_in("an@demo.gov.vn", "Mật khẩu 2 của tôi", &origin()).await.unwrap();
    let place = reach(&world, &an, INBOX).await.unwrap();
    world.engine.delete_without_export(&actor(), &address("vanthu"), "thu hồi").await.unwrap();
    ended(&place).await;
    assert_eq!(world.engine.check_standing(&owner).await, Err(Error::Revoked));
}

#[tokio::test]
async fn messages_go_from_one_mailbox_into_another() {
    let world = World::new().await;
    let (an, owner) = (world.user("an").await, office(&world, "vanthu").await);
    give(&world, "vanthu", "an", &[Right::Read, Right::Write]).await;
    for n in 0..5 {
        world.deliver(&["vanthu"], format!("Subject: {n}\r\n\r\ny\r\n").as_bytes()).await;
    }
    let (engine, place) = (&world.engine, reach(&world, &an, INBOX).await.unwrap());
    let folder = engine.folder(&place.who, &place.name).await.unwrap().unwrap().id;
    let keyword = Keyword::new("$daxuly").unwrap();
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::FLAGGED, keywords: vec![keyword.clone()] };
    engine.store_flags(&place.who, folder, &[Uid(2), Uid(3)], &edit).await.unwrap();
    let usage = async |who: &Principal| {
        let quota = engine.quota(who).await.unwrap();
        (quota.used_bytes, quota.messages)
    };
    let before = usage(&owner).await;
    let archive = reach(&world, &an, "Archive").await.unwrap();
    let copied = engine.copy_to(&place.who, folder, &[Uid(1), Uid(2)], &archive).await.unwrap();
    assert_eq!(copied.pairs, [(Uid(1), Uid(1)), (Uid(2), Uid(2))]);
    assert_eq!(usage(&owner).await, before);
    let moved = engine.move_to(&place.who, folder, &[Uid(3), Uid(4)], &archive).await.unwrap();
    assert_eq!(moved.pairs, [(Uid(3), Uid(3)), (Uid(4), Uid(4))]);
    let (left, came) = (usage(&owner).await, usage(&an).await);
    assert_eq!((left.1, came.1), (3, 4));
    assert_eq!(before.0 - left.0, came.0 / 2);
    assert_eq!(world.read(&owner, "INBOX").await.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2, 5]);
    let folder = engine.folder(&an, &archive.name).await.unwrap().unwrap().id;
    let view = engine.view(&an, folder).await.unwrap();
    let kept: Vec<(u32, Flags, Vec<&str>)> =
        view.entries().iter().map(|e| (e.uid.0, e.flags, view.keyword_names(e).collect())).collect();
    let marked = |uid| (uid, Flags::FLAGGED, vec!["$daxuly"]);
    assert_eq!(kept, [(1, Flags::NONE, vec![]), marked(2), marked(3), (4, Flags::NONE, vec![])]);
    // What there is no room for does not come, and does not go.
    world.database.run("update accounts set quota_bytes = 1 where class = 'person'").await;
    let refused = engine.move_to(&place.who, view_folder(&world, &place).await, &[Uid(5)], &archive).await;
    assert_eq!(refused, Err(CopyError::OverQuota));
    assert_eq!(world.read(&owner, "INBOX").await.len(), 3);
}

async fn view_folder(world: &World, place: &Place) -> model::FolderId {
    world.engine.folder(&place.who, &place.name).await.unwrap().unwrap().id
}

#[tokio::test]
async fn personal_mailboxes_are_not_lent() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    office(&world, "vanthu").await;
    let engine = &world.engine;
    let lend = delegation("binh", "an", &[Right::Read]);
    let personal = Err(DelegationError::Personal(address("binh")));
    assert_eq!(engine.grant_delegation(&actor(), &lend).await, personal);
    let settings = [("handling.personal_delegation".to_owned(), "leave-cover".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "nghỉ phép", dry_run: false };
    engine.change_policy(&actor(), &DomainName::new("demo.gov.vn").unwrap(), &edit).await.unwrap();
    assert_eq!(engine.grant_delegation(&actor(), &lend).await, Err(DelegationError::LeaveOnly));
    let until = Some(engine.now() + SignedDuration::from_hours(240));
    let consent = Some("đơn xin nghỉ phép ngày 20/11/2026".to_owned());
    let cover = NewDelegation { until, consent, ..lend };
    assert!(engine.grant_delegation(&actor(), &cover).await.is_ok());
    // Rights are people's, and somebody's own are no delegation.
    let wrong = [
        (delegation("vanthu", "vanthu", &[Right::Read]), DelegationError::Own),
        (delegation("vanthu", "an", &[]), DelegationError::NoRights),
        (
            NewDelegation { document: " ".into(), ..delegation("vanthu", "an", &[Right::Read]) },
            DelegationError::Document,
        ),
    ];
    for (new, error) in wrong {
        assert_eq!(engine.grant_delegation(&actor(), &new).await, Err(error));
    }
    office(&world, "phong").await;
    let refused = engine.grant_delegation(&actor(), &delegation("vanthu", "phong", &[Right::Read])).await;
    assert_eq!(refused, Err(DelegationError::NoPerson(address("phong"))));
    let none = engine.revoke_delegation(&actor(), &address("vanthu"), Some(&address("an"))).await;
    assert_eq!(none, Err(DelegationError::NotDelegated(address("an"))));
    let query = DelegationQuery { limit: 10, ..DelegationQuery::default() };
    assert_eq!(engine.delegations(&actor(), query).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_manages_gives_no_more_than_he_has() {
    let world = World::new().await;
    let (an, owner) = (world.user("an").await, office(&world, "vanthu").await);
    world.user("binh").await;
    give(&world, "vanthu", "an", &[Right::Read, Right::Manage]).await;
    let place = reach(&world, &an, INBOX).await.unwrap();
    let only = |right| Rights::NONE.with(right);
    let (engine, binh) = (&world.engine, address("binh"));
    engine.change_acl(&place.who, &binh, AclEdit::Add(only(Right::Read))).await.unwrap();
    for to in [&binh, &address("an")] {
        let more = engine.change_acl(&place.who, to, AclEdit::Add(only(Right::Write))).await;
        assert_eq!(more, Err(DelegationError::MoreThanOwn));
    }
    engine.change_acl(&owner, &binh, AclEdit::Add(only(Right::Write))).await.unwrap();
    let acl = engine.acl(&place.who).await.unwrap();
    let rights: Vec<Option<u8>> = acl.iter().map(|(_, rights)| rights.map(Rights::bits)).collect();
    assert_eq!(rights, [None, Some(0b10001), Some(0b11)]);
    engine.change_acl(&owner, &address("an"), AclEdit::Remove(only(Right::Manage))).await.unwrap();
    let revoked = engine.change_acl(&place.who, &binh, AclEdit::Replace(Rights::NONE)).await;
    assert_eq!(revoked, Err(DelegationError::Rights(Error::Revoked)));
}

#[tokio::test]
async fn sent_as_it_and_on_its_behalf() {
    let world = World::new().await;
    let (an, _) = (world.user("an").await, office(&world, "vanthu").await);
    let recipients = [world.engine.recipient(&address("an")).await.unwrap()];
    let submitted = crate::Arrival { principal: Some(an.clone()), ..arrival() };
    let send = async |header: &str| {
        let mut spool = world.engine.new_spool();
        spool.write(format!("{header}\r\nSubject: x\r\n\r\ny\r\n").as_bytes()).await.unwrap();
        world.engine.deliver(&submitted, &recipients, spool).await.map(|_| ())
    };
    let vanthu = address("vanthu");
    let (alone, signed) =
        ("From: Sở <vanthu@demo.gov.vn>", "From: vanthu@demo.gov.vn\r\nSender: an@demo.gov.vn");
    let forged = Err(DeliverError::FromNotYours("vanthu@demo.gov.vn".into()));
    give(&world, "vanthu", "an", &[Right::Read, Right::Write, Right::Manage]).await;
    assert_eq!(world.engine.check_sender(&an, &vanthu).await, Err(SenderError::NotYours));
    assert_eq!((send(alone).await, send(signed).await), (forged.clone(), forged.clone()));
    give(&world, "vanthu", "an", &[Right::SendOnBehalf]).await;
    assert_eq!(world.engine.check_sender(&an, &vanthu).await, Ok(()));
    let missing = Err(DeliverError::SenderMissing("vanthu@demo.gov.vn".into()));
    assert_eq!((send(alone).await, send(signed).await), (missing, Ok(())));
    assert_eq!(send("From: an@demo.gov.vn\r\nSender: vanthu@demo.gov.vn").await, forged);
    give(&world, "vanthu", "an", &[Right::SendAs]).await;
    assert_eq!((send(alone).await, send(signed).await), (Ok(()), Ok(())));
    assert_eq!(
        send("From: vanthu@demo.gov.vn, x@demo.gov.vn").await,
        Err(DeliverError::FromNotYours("x@demo.gov.vn".into()))
    );
    assert_eq!(send("From: vanthu+x@demo.gov.vn").await, Ok(()));
    world.engine.revoke_delegation(&actor(), &vanthu, None).await.unwrap();
    assert_eq!(world.engine.check_sender(&an, &vanthu).await, Err(SenderError::NotYours));
    assert_eq!(send(alone).await, forged);
}

#[tokio::test]
async fn who_did_what_is_noted_of_others_only() {
    let world = World::new().await;
    let (an, owner) = (world.user("an").await, office(&world, "vanthu").await);
    give(&world, "vanthu", "an", &[Right::Read, Right::Write, Right::Manage]).await;
    for _ in 0..3 {
        world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;
    }
    let (engine, place) = (&world.engine, reach(&world, &an, INBOX).await.unwrap());
    let folder = view_folder(&world, &place).await;
    world.read(&place.who, "INBOX").await;
    world.read(&owner, "INBOX").await;
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::DELETED, keywords: Vec::new() };
    engine.store_flags(&place.who, folder, &[Uid(1), Uid(3)], &edit).await.unwrap();
    engine.expunge(&place.who, folder, None).await.unwrap();
    let name = FolderName::new("Việc").unwrap();
    engine.create_folder(&place.who, &name, None).await.unwrap();
    engine.delete_folder(&place.who, &name).await.unwrap();
    engine.store_flags(&owner, folder, &[Uid(2)], &edit).await.unwrap();
    let since = engine.now() - SignedDuration::from_hours(1);
    assert!(engine.shared_acts(&actor(), &address("vanthu"), since, 1).await.is_err(), "no administrator");
    let head = engine.actor_of(&owner).await.unwrap();
    let acts = engine.shared_acts(&head, &address("vanthu"), since, 100).await.unwrap();
    let mut what: Vec<&str> = acts.iter().map(|act| act.what.as_str()).collect();
    what.sort_unstable();
    let expected =
        ["create-folder Việc", "delete-folder Việc", "expunge INBOX 1,3", "flag INBOX 1,3", "read INBOX 1:3"];
    assert_eq!(what, expected);
    assert!(acts.iter().all(|act| act.actor == "an@demo.gov.vn"));
}

#[tokio::test]
async fn of_a_mailbox_that_is_gone_the_record_stays() {
    let world = World::new().await;
    world.user("an").await;
    office(&world, "vanthu").await;
    give(&world, "vanthu", "an", &[Right::Read]).await;
    assert!(world.engine.delete_without_export(&actor(), &address("vanthu"), "giải thể").await.unwrap());
    let filter = store::DelegationFilter {
        mailbox: None,
        delegate: None,
        domain: None,
        ended: true,
        after: None,
        limit: 10,
    };
    let kept = world.store.delegations(filter).await.unwrap();
    assert_eq!((kept.len(), &kept[0].mailbox), (1, &address("vanthu")));
    assert!(kept[0].revoked.is_some());
}
