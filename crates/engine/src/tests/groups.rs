//! Groups, the addresses of clerks, mail that waits for approval, forwarding and the address book.

use super::{World, actor, address, arrival, mailbox};
use crate::{
    Actor, AdminError, Arrival, DeliverError, ForwardError, GroupError, NewGroup, NewMailbox, PolicyEdit,
    Principal, RecipientError,
};
use model::{DomainName, Grant, GroupRule, GroupSenders, MailboxClass, Role, Scope, lifecycle::LockReason};
use store::AuditFilter;
use tokio_util::sync::CancellationToken;

pub(crate) fn domain() -> DomainName {
    DomainName::new("demo.gov.vn").unwrap()
}

/// Two units, one below the other: each with its mailbox and two people, of whom one is its văn thư or its head.
pub(crate) async fn province(world: &World) {
    let made = "insert into units (domain_id, parent_id, code, name, kind, created_at)
                select domain_id, ";
    world
        .database
        .run(&format!("{made} null, 'sotttt', 'Sở Thông tin và Truyền thông', 'so', now() from domains"))
        .await;
    world
        .database
        .run(&format!(
            "{made} unit_id, 'vp', 'Văn phòng Sở', 'phong', now() from domains join units using (domain_id)"
        ))
        .await;
    for (name, unit, class) in [
        ("sotttt", "sotttt", MailboxClass::Organisation),
        ("vp.sotttt", "vp", MailboxClass::Organisation),
        ("head", "sotttt", MailboxClass::Leader),
        ("clerk", "sotttt", MailboxClass::Person),
        ("binh", "vp", MailboxClass::Person),
        ("chi", "vp", MailboxClass::Person),
    ] {
        let new = NewMailbox { class, unit: Some(unit.into()), ..mailbox(name) };
        world.engine.add_mailbox(&actor(), &new).await.unwrap();
    }
    for statement in [
        "insert into people (domain_id, full_name, created_at) select domain_id, 'Trần Thị Bưởi', now() from domains",
        "update accounts set person_id = (select person_id from people where full_name = 'Trần Thị Bưởi'),
                display_name = 'Trần Thị Bưởi'
          where account_id = (select account_id from addresses where address = 'clerk@demo.gov.vn')",
        "insert into positions (domain_id, title, leader, rank) select domain_id, 'Văn thư', false, 50 from domains
         on conflict do nothing",
        "insert into appointments (person_id, unit_id, position_id, from_day)
         select person_id, (select unit_id from units where code = 'sotttt'),
                (select position_id from positions where title = 'Văn thư'), '2026-01-01'
           from people where full_name = 'Trần Thị Bưởi'",
    ] {
        world.database.run(statement).await;
    }
}

pub(crate) fn group(name: &str, rule: GroupRule, unit: Option<&str>, deep: bool) -> NewGroup {
    NewGroup {
        address: address(name),
        name: format!("Nhóm {name}"),
        rule,
        unit: unit.map(str::to_owned),
        deep,
        senders: GroupSenders::Local,
    }
}

async fn names(world: &World, of: &str) -> Vec<String> {
    let (_, members) = world.engine.group(&actor(), &address(of)).await.unwrap();
    let mut names: Vec<String> = members.iter().map(|member| member.address.local().to_owned()).collect();
    names.sort();
    names
}

pub(crate) async fn send(world: &World, from: &Principal, to: &[&str]) -> Result<(), DeliverError> {
    let mut recipients = Vec::new();
    for name in to {
        recipients.push(world.engine.recipient_of(&address(name), Some(from)).await.unwrap());
    }
    let mut spool = world.engine.new_spool();
    let text = format!("From: {}\r\nSubject: =?utf-8?q?H=E1=BB=8Dp?=\r\n\r\ny\r\n", from.address());
    spool.write(text.as_bytes()).await.unwrap();
    let arrival = Arrival { principal: Some(from.clone()), sender: Some(from.address().into()), ..arrival() };
    world.engine.deliver(&arrival, &recipients, spool).await.map(|_| ())
}

pub(crate) async fn inboxes(world: &World, names: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for name in names {
        let count = world
            .database
            .number(&format!(
                "select messages from counters where account_id =
                 (select account_id from addresses where address = '{name}@demo.gov.vn')"
            ))
            .await;
        counts.push(usize::try_from(count).unwrap());
    }
    counts
}

#[tokio::test]
async fn who_is_in_a_group_is_as_the_tree_is_now() {
    let world = World::new().await;
    province(&world).await;
    let engine = &world.engine;
    let made = [
        group("all", GroupRule::Everybody, None, false),
        group("leaders", GroupRule::Leaders, None, false),
        group("clerks", GroupRule::Clerks, None, false),
        group("offices", GroupRule::Offices, None, false),
        group("so", GroupRule::People, Some("sotttt"), false),
        group("so-all", GroupRule::People, Some("sotttt"), true),
        group("hand", GroupRule::Manual, None, false),
        group("both", GroupRule::Manual, None, false),
    ];
    for new in &made {
        engine.add_group(&actor(), new).await.unwrap();
    }
    assert_eq!(names(&world, "all").await.len(), 6);
    assert_eq!(names(&world, "leaders").await, ["head"]);
    assert_eq!(names(&world, "clerks").await, ["clerk"]);
    assert_eq!(names(&world, "offices").await, ["vp.sotttt"]);
    assert_eq!(names(&world, "so").await, ["clerk", "head"]);
    assert_eq!(names(&world, "so-all").await, ["binh", "chi", "clerk", "head"]);
    engine
        .change_group(&actor(), &address("hand"), (&[address("chi"), address("leaders")], true))
        .await
        .unwrap();
    engine
        .change_group(&actor(), &address("both"), (&[address("hand"), address("so"), address("chi")], true))
        .await
        .unwrap();
    assert_eq!(names(&world, "both").await, ["chi", "clerk", "head"]);
    let into = async |outer: &str, inner: &str| {
        engine.change_group(&actor(), &address(outer), (&[address(inner)], true)).await
    };
    assert_eq!(into("hand", "both").await, Err(GroupError::Loop(address("both"))));
    assert_eq!(into("hand", "hand").await, Err(GroupError::Loop(address("hand"))));
    assert_eq!(into("leaders", "chi").await, Err(GroupError::ByRule));
    assert!(into("hand", "nobody").await.is_err());
    // Somebody new is in it at once, somebody who goes no longer.
    let new = NewMailbox { class: MailboxClass::Leader, unit: Some("vp".into()), ..mailbox("dao") };
    engine.add_mailbox(&actor(), &new).await.unwrap();
    assert_eq!(names(&world, "leaders").await, ["dao", "head"]);
    engine.delete_without_export(&actor(), &address("head"), "thu hồi").await.unwrap();
    assert_eq!(names(&world, "both").await, ["chi", "clerk", "dao"]);
    // One address is one mailbox's or one group's.
    let taken = engine.add_group(&actor(), &group("chi", GroupRule::Manual, None, false)).await;
    assert_eq!(taken, Err(GroupError::Admin(AdminError::AddressTaken)));
    assert_eq!(engine.add_mailbox(&actor(), &mailbox("clerks")).await, Err(AdminError::AddressTaken));
    assert_eq!(engine.add_group(&actor(), &made[0]).await, Err(GroupError::Admin(AdminError::AddressTaken)));
    engine.remove_group(&actor(), &address("hand")).await.unwrap();
    assert_eq!(names(&world, "both").await, ["chi", "clerk"]);
}

#[tokio::test]
async fn a_full_member_gets_no_mail_by_a_group_and_its_sender_is_told() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    engine.add_group(&actor(), &group("so", GroupRule::People, Some("sotttt"), true)).await.unwrap();
    let fill = "update counters set used_bytes = 400000000
                 where account_id in (select account_id from addresses where address = any (array[";
    world.database.run(&format!("{fill} 'chi@demo.gov.vn']))")).await;
    send(&world, &an, &["so"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'so@demo.gov.vn'").await, 3);
    let told = world.read(&an, "INBOX").await;
    let report = String::from_utf8_lossy(&told[0].1);
    for part in ["Final-Recipient: rfc822;chi@demo.gov.vn", "Action: failed", "Status: 5.2.2"] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("binh@demo.gov.vn"), "{report}");
    // When nobody has room, the sender hears it at the door.
    world
        .database
        .run(&format!("{fill} 'binh@demo.gov.vn', 'clerk@demo.gov.vn', 'head@demo.gov.vn']))"))
        .await;
    world.database.run("update accounts set quota_bytes = 300000000").await;
    assert_eq!(send(&world, &an, &["so"]).await, Err(DeliverError::RecipientFull));
}

#[tokio::test]
async fn whoever_writes_to_a_group_does_not_learn_where_the_mail_of_one_of_it_goes_on() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    world.user("rieng").await;
    engine.add_group(&actor(), &group("so", GroupRule::People, Some("sotttt"), true)).await.unwrap();
    engine.set_forward(&actor(), &address("head"), (&address("rieng"), false)).await.unwrap();
    let fill = "update counters set used_bytes = 400000000
                 where account_id in (select account_id from addresses where address = 'rieng@demo.gov.vn')";
    world.database.run(fill).await;
    send(&world, &an, &["so"]).await.unwrap();
    let told = world.read(&an, "INBOX").await;
    let report = String::from_utf8_lossy(&told[0].1);
    assert!(report.contains("Final-Recipient: rfc822;so@demo.gov.vn"), "{report}");
    assert!(!report.contains("rieng") && !report.contains("head@"), "{report}");
    // Who is in the group himself is named, also where somebody else's mail goes on to him.
    engine.set_forward(&actor(), &address("head"), (&address("chi"), false)).await.unwrap();
    world.database.run(&fill.replace("rieng", "chi")).await;
    send(&world, &an, &["so"]).await.unwrap();
    let told = world.read(&an, "INBOX").await;
    let report = String::from_utf8_lossy(&told.last().unwrap().1);
    assert!(report.contains("Final-Recipient: rfc822;chi@demo.gov.vn"), "{report}");
}

/// Who has no room has none of it by a forwarding either, and no copy.
#[tokio::test]
async fn the_trace_says_nothing_of_a_forwarding_to_a_full_member() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    engine.add_group(&actor(), &group("so", GroupRule::People, Some("sotttt"), true)).await.unwrap();
    for (of, to, keep_copy) in [("clerk", "binh", true), ("binh", "head", false), ("head", "chi", true)] {
        engine.set_forward(&actor(), &address(of), (&address(to), keep_copy)).await.unwrap();
    }
    let fill = "update counters set used_bytes = 400000000 where account_id in
                (select account_id from addresses where address in ('chi@demo.gov.vn', 'clerk@demo.gov.vn'))";
    world.database.run(fill).await;
    send(&world, &an, &["so"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'so@demo.gov.vn'").await, 1);
    let steps = "select string_agg(replace(array_to_string(recipients, ' '), '@demo.gov.vn', '') || ' ' || status, ', '
                                   order by event_id) from events where kind = 'forwarded'";
    assert_eq!(world.database.text(steps).await, "clerk binh none_kept, binh head none_kept");
}

#[tokio::test]
async fn a_group_in_a_group_asks_for_itself_who_may_write() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let closed = NewGroup {
        senders: GroupSenders::Members,
        ..group("vanphong", GroupRule::People, Some("vp"), false)
    };
    engine.add_group(&actor(), &closed).await.unwrap();
    engine.add_group(&actor(), &group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    let into = [address("vanphong"), address("head")];
    engine.change_group(&actor(), &address("nhom"), (&into, true)).await.unwrap();
    send(&world, &an, &["nhom"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'nhom@demo.gov.vn'").await, 1);
    let report = world.read(&an, "INBOX").await;
    let report = String::from_utf8_lossy(&report[0].1);
    assert!(report.contains("Final-Recipient: rfc822;vanphong@demo.gov.vn"), "{report}");
    let binh = engine.log_in("binh@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    send(&world, &binh, &["nhom"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'nhom@demo.gov.vn'").await, 4);
    // Where it has nobody else in it, the sender hears it at the door.
    engine.change_group(&actor(), &address("nhom"), (&[address("head")], false)).await.unwrap();
    let refused = engine.recipient_of(&address("nhom"), Some(&an)).await.unwrap_err();
    assert_eq!(refused, RecipientError::Restricted);
}

#[tokio::test]
async fn officers_and_owners_read_what_is_theirs_to_read() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let other = DomainName::new("khac.gov.vn").unwrap();
    engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    let id = world.store.domain(&domain()).await.unwrap().unwrap();
    let vp = world.store.unit(id, "vp").await.unwrap().unwrap();
    let grant = Grant::new(Role::OrganisationOfficer, Scope::Subtree { domain: id, unit: vp }).unwrap();
    let officer = Actor::of("dau-moi", None, vec![grant]);
    let owner = engine.actor_of(&an).await.unwrap();
    super::policy(&world, "sending.group_approval_over", "2").await;
    for new in [
        group("so", GroupRule::Everybody, Some("sotttt"), true),
        group("vanphong", GroupRule::Everybody, Some("vp"), false),
        group("tinh", GroupRule::Everybody, None, false),
    ] {
        engine.add_group(&actor(), &new).await.unwrap();
    }
    let missing = |domain: &DomainName| AdminError::NoSuchDomain(domain.clone());
    for who in [&officer, &owner] {
        // One address book and one policy for all of the domain.
        assert_eq!(engine.directory(who, &domain(), "chi", (None, 9)).await.unwrap().len(), 1);
        assert_eq!(engine.directory(who, &other, "chi", (None, 9)).await, Err(missing(&other)));
        assert!(engine.policy(who, &domain()).await.is_ok());
        assert_eq!(engine.policy(who, &other).await.unwrap_err(), missing(&other));
        assert!(engine.policy_history(who, &domain()).await.is_err(), "who changed what is not theirs");
    }
    let groups = engine.groups(&officer, &domain(), (None, 9)).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.address.local()).collect::<Vec<_>>(), ["vanphong"]);
    assert_eq!(engine.groups(&officer, &other, (None, 9)).await, Err(missing(&other).into()));
    assert!(engine.groups(&owner, &domain(), (None, 9)).await.is_err());
    for name in ["so", "vanphong", "tinh"] {
        send(&world, &an, &[name]).await.unwrap();
    }
    assert_eq!(engine.held_messages(&actor(), &domain(), (false, 9)).await.unwrap().len(), 3);
    for decided in [false, true] {
        let seen = engine.held_messages(&officer, &domain(), (decided, 9)).await.unwrap();
        assert_eq!(
            seen.iter().map(|one| one.group.as_str()).collect::<Vec<_>>(),
            ["Nhóm vanphong <vanphong@demo.gov.vn>"]
        );
    }
    let all = engine.held_messages(&actor(), &domain(), (false, 9)).await.unwrap();
    for one in &all {
        let decided = engine.decide_held(&officer, one.held, (true, "")).await;
        let own = one.unit == Some(vp);
        assert_eq!(decided, if own { Ok(()) } else { Err(GroupError::NoSuchMessage) });
    }
}

#[tokio::test]
async fn the_address_of_a_removed_group_is_kept_from_others() {
    let world = World::new().await;
    let engine = &world.engine;
    let first = group("nhom", GroupRule::People, None, false);
    engine.add_group(&actor(), &first).await.unwrap();
    engine.remove_group(&actor(), &address("nhom")).await.unwrap();
    assert_eq!(engine.recipient(&address("nhom")).await.unwrap_err(), RecipientError::Unknown);
    let taken = GroupError::Admin(AdminError::AddressTaken);
    let other = group("nhom", GroupRule::Leaders, None, false);
    assert_eq!(engine.add_group(&actor(), &other).await, Err(taken.clone()));
    assert_eq!(engine.add_mailbox(&actor(), &mailbox("nhom")).await, Err(AdminError::AddressTaken));
    engine.add_group(&actor(), &first).await.unwrap();
    engine.remove_group(&actor(), &address("nhom")).await.unwrap();
    super::policy(&world, "naming.retired_months", "12").await;
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 360));
    assert_eq!(engine.add_group(&actor(), &other).await, Err(taken));
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 10));
    engine.add_group(&actor(), &other).await.unwrap();
}

#[tokio::test]
async fn mail_to_a_group_comes_once_and_only_from_those_who_may() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    let people = ["sotttt", "vp.sotttt", "head", "clerk", "binh", "chi"];
    assert_eq!(engine.recipient(&address("so")).await.unwrap_err(), RecipientError::Restricted);
    send(&world, &an, &["so", "chi", "so"]).await.unwrap();
    assert_eq!(inboxes(&world, &people).await, [1; 6]);
    let so = address("so");
    engine.set_group_senders(&actor(), &so, (GroupSenders::Members, &[])).await.unwrap();
    let may = async |who| engine.recipient_of(&so, Some(who)).await.map(|_| ());
    assert_eq!(may(&an).await, Err(RecipientError::Restricted));
    engine.set_group_senders(&actor(), &so, (GroupSenders::Listed, &[address("an")])).await.unwrap();
    assert_eq!(may(&an).await, Ok(()));
    engine.set_group_senders(&actor(), &so, (GroupSenders::Everybody, &[])).await.unwrap();
    assert!(engine.recipient(&so).await.is_ok());
    // A group of nobody is nobody's address.
    engine.add_group(&actor(), &group("none", GroupRule::Manual, None, false)).await.unwrap();
    assert_eq!(engine.recipient_of(&address("none"), Some(&an)).await.unwrap_err(), RecipientError::Unknown);
    // A unit's clerk, where policy has such addresses.
    let clerk = address("vanthu.sotttt");
    assert_eq!(engine.recipient(&clerk).await.unwrap_err(), RecipientError::Unknown);
    let settings = [("naming.clerk_addresses".to_owned(), "true".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "TN", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    send(&world, &an, &["vanthu.sotttt", "vanthu.vp"]).await.unwrap();
    // Where there is none, the unit's own mailbox.
    assert_eq!(inboxes(&world, &people).await, [1, 2, 1, 2, 1, 1]);
}

/// What nobody is to get is gone, also when it was not to go before a moment.
#[tokio::test]
async fn what_was_for_later_and_is_refused_leaves_nothing_behind() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let settings = [("sending.group_approval_over".to_owned(), "4".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    let at = engine.now() + jiff::SignedDuration::from_hours(2);
    let wishes = crate::Wishes { release_at: Some(at), ..crate::Wishes::default() };
    let to = super::queue::asked(
        engine.recipient_of(&address("so"), Some(&an)).await.unwrap(),
        model::queue::Notify::SUCCESS,
    );
    super::queue::submit(&world, &an, &[to], wishes).await;
    assert_eq!(world.queue_rows().await, [1, 0, 0, 0]);
    let held = engine.held_messages(&actor(), &domain(), (false, 10)).await.unwrap();
    engine.decide_held(&actor(), held[0].held, (false, "không cần thiết")).await.unwrap();
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
    assert_eq!(world.inbox(&an).await.len(), 1, "he is told of the refusal, and nothing else");
}

/// Whoever removes a folder while mail for it waits for somebody's word gets it where all mail comes.
#[tokio::test]
async fn what_waits_for_approval_outlives_the_folder_that_it_is_for() {
    let world = World::new().await;
    province(&world).await;
    let engine = &world.engine;
    super::policy(&world, "sending.group_approval_over", "4").await;
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("so"), (GroupSenders::Everybody, &[])).await.unwrap();
    let to = [engine.recipient(&address("so")).await.unwrap()];
    let examined = crate::Examined { sorting: model::Sorting::Junk, ..crate::Examined::default() };
    let arrival = Arrival { examined: Some(examined), ..arrival() };
    let mut spool = engine.new_spool();
    spool.write(b"From: a@b.vn\r\n\r\nx").await.unwrap();
    engine.deliver(&arrival, &to, spool).await.unwrap();
    let binh = engine.log_in("binh@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let chi = engine.log_in("chi@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    let junk = model::FolderName::new("Junk").unwrap();
    engine.delete_folder(&binh, &junk).await.unwrap();
    assert!(engine.delete_without_export(&actor(), &address("clerk"), "thử").await.unwrap());
    let held = engine.held_messages(&actor(), &domain(), (false, 10)).await.unwrap();
    engine.decide_held(&actor(), held[0].held, (true, "")).await.unwrap();
    engine.expand_all(&CancellationToken::new()).await;
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
    assert_eq!(world.inbox(&binh).await.len(), 1, "the folder is gone, and he is not");
    assert_eq!((world.inbox(&chi).await.len(), world.read(&chi, "Junk").await.len()), (0, 1));
    let came = "select count(*) from entries where recipient = 'so@demo.gov.vn'";
    assert_eq!(world.number(came).await, 5, "and nobody else lost it");
}

#[tokio::test]
async fn mail_to_a_large_group_waits_for_approval() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let settings = [("sending.group_approval_over".to_owned(), "4".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    engine.add_group(&actor(), &group("vp", GroupRule::People, Some("vp"), true)).await.unwrap();
    let people = ["sotttt", "vp.sotttt", "head", "clerk", "binh", "chi"];
    let hand_out = async || engine.expand_all(&CancellationToken::new()).await;
    send(&world, &an, &["so", "vp"]).await.unwrap();
    hand_out().await;
    assert_eq!(inboxes(&world, &people).await, [0, 0, 0, 0, 1, 1], "the small one does not wait");
    let held = engine.held_messages(&actor(), &domain(), (false, 10)).await.unwrap();
    assert_eq!((held.len(), held[0].members, held[0].subject.as_str()), (1, 4, "Họp"));
    // What waits can be traced from the first: held, and then what was decided, for all.
    let traced = async |status: &str| {
        let query = format!(
            "select coalesce(sum(cardinality(recipients)), 0) from events
              where status = '{status}' and recipients @> array['so@demo.gov.vn'] and about is not null"
        );
        world.number(&query).await
    };
    assert_eq!((traced("held").await, traced("delivered").await), (4, 0));
    engine.decide_held(&actor(), held[0].held, (true, "")).await.unwrap();
    assert_eq!((traced("held").await, traced("delivered").await), (4, 4));
    assert_eq!(world.audited("group.approve").await, ["so@demo.gov.vn"]);
    hand_out().await;
    assert_eq!(inboxes(&world, &people).await, [1; 6]);
    let again = engine.decide_held(&actor(), held[0].held, (false, "muộn")).await;
    assert_eq!(again, Err(GroupError::NoSuchMessage));
    send(&world, &an, &["so"]).await.unwrap();
    let held = engine.held_messages(&actor(), &domain(), (false, 10)).await.unwrap();
    engine.decide_held(&actor(), held[0].held, (false, "không cần thiết")).await.unwrap();
    assert_eq!((traced("held").await, traced("delivered").await, traced("rejected").await), (10, 4, 6));
    hand_out().await;
    assert_eq!(inboxes(&world, &people).await, [1; 6]);
    // The sender was told, twice.
    let told = world.read(&an, "INBOX").await;
    assert_eq!(told.len(), 2);
    assert_eq!(engine.held_messages(&actor(), &domain(), (true, 10)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn mail_goes_on_within_the_system_and_not_outside() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    world.user("chi").await;
    let (engine, other) = (&world.engine, world.another_node());
    other.open().await.unwrap();
    let set = async |from: &str, to: &str, keep| {
        engine.set_forward(&actor(), &address(from), (&address(to), keep)).await
    };
    let outside = DomainName::new("gmail.com").unwrap();
    assert_eq!(set("an", "an@gmail.com", true).await, Err(ForwardError::Outside(outside)));
    assert_eq!(set("an", "an", true).await, Err(ForwardError::Own));
    set("an", "binh", true).await.unwrap();
    set("binh", "chi", false).await.unwrap();
    assert_eq!(set("chi", "an", false).await, Err(ForwardError::Circle));
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [1, 0, 1]);
    world.deliver(&["an", "binh", "chi"], b"Subject: x\r\n\r\ny\r\n").await;
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [2, 0, 2]);
    assert!(engine.clear_forward(&actor(), &address("binh")).await.unwrap());
    assert!(!engine.clear_forward(&actor(), &address("binh")).await.unwrap());
    // Another node hears of it by its poll.
    other.poll().await;
    let mut spool = other.new_spool();
    spool.write(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
    let to = other.recipient(&address("an")).await.unwrap();
    other.deliver(&arrival(), &[to], spool).await.unwrap();
    assert_eq!(inboxes(&world, &["an", "binh", "chi"]).await, [3, 1, 2]);
    assert_eq!((world.read(&an, "INBOX").await.len(), world.read(&binh, "INBOX").await.len()), (3, 1));
    let settings = [("sending.forward_domains".to_owned(), "gmail.com".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    let shown = engine.forward(&actor(), &address("an")).await.unwrap().unwrap().forward;
    assert_eq!((shown.target, shown.keep_copy), (address("binh"), true));
    set("an", "an@gmail.com", true).await.unwrap();
    let shown = engine.forward(&actor(), &address("an")).await.unwrap().unwrap().forward;
    assert_eq!((shown.target, shown.keep_copy), (address("an@gmail.com"), true));
}

#[tokio::test]
async fn the_address_book_is_found_with_and_without_diacritics() {
    let world = World::new().await;
    province(&world).await;
    let find = async |words: &str| {
        let found = world.engine.directory(&actor(), &domain(), words, (None, 100)).await.unwrap();
        found.iter().map(|entry| entry.address.local().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find("buoi").await, ["clerk"]);
    assert_eq!(find("tran bưởi").await, ["clerk"]);
    assert_eq!(find("bươi").await, Vec::<String>::new());
    assert_eq!(find("van thu").await, ["clerk"]);
    assert_eq!(find("van phong").await, ["binh", "chi", "vp.sotttt"]);
    assert_eq!(find("").await.len(), 6);
    let page = world.engine.directory(&actor(), &domain(), "", (Some(&address("chi")), 2)).await.unwrap();
    let names: Vec<&str> = page.iter().map(|entry| entry.address.local()).collect();
    assert_eq!(names, ["clerk", "head"]);
    assert_eq!((page[0].positions.as_slice(), page[0].unit.is_some()), (&["Văn thư".to_owned()][..], true));
}

#[tokio::test]
async fn what_of_the_address_book_is_open_is_policy() {
    let world = World::new().await;
    province(&world).await;
    let engine = &world.engine;
    let open = async || {
        let open = engine.open_directory(&actor(), &domain()).await.unwrap();
        open.entries.iter().map(|entry| entry.address.local().to_owned()).collect::<Vec<_>>()
    };
    let shows = async |what: &str| super::policy(&world, "directory.public", what).await;
    shows("nothing").await;
    assert_eq!(open().await, Vec::<String>::new());
    shows("units").await;
    assert_eq!(open().await, ["sotttt", "vp.sotttt"]);
    shows("units-and-people").await;
    assert_eq!(open().await, ["binh", "chi", "clerk", "head", "sotttt", "vp.sotttt"]);
    engine.lock(&actor(), &address("chi"), LockReason::TakenOver, "đăng nhập lạ").await.unwrap();
    assert_eq!(open().await, ["binh", "clerk", "head", "sotttt", "vp.sotttt"]);

    let open = engine.open_directory(&actor(), &domain()).await.unwrap();
    engine.directory_published(&actor(), &domain(), &open, "json").await.unwrap();
    let filter = AuditFilter { action: Some("directory.publish"), limit: 9, ..AuditFilter::default() };
    let rows = engine.audit_rows(&actor(), &filter).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0].detail.contains("\"entries\": 5") || rows[0].detail.contains("\"entries\":5"),
        "{}",
        rows[0].detail
    );
    // Whoever may look things up may not give them out.
    let id = world.store.domain(&domain()).await.unwrap().unwrap();
    let so = world.store.unit(id, "sotttt").await.unwrap().unwrap();
    let grant = Grant::new(Role::OrganisationOfficer, Scope::Subtree { domain: id, unit: so }).unwrap();
    let officer = Actor::of("dau-moi", None, vec![grant]);
    assert!(engine.open_directory(&officer, &domain()).await.is_err());
    assert!(engine.directory_published(&officer, &domain(), &open, "json").await.is_err());
}

#[tokio::test]
async fn nobody_reaches_into_another_domain_by_a_group() {
    let world = World::new().await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let other = DomainName::new("khac.gov.vn").unwrap();
    engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    engine.add_mailbox(&actor(), &mailbox("la@khac.gov.vn")).await.unwrap();
    let group = |name: &str| NewGroup {
        senders: GroupSenders::Listed,
        ..group(name, GroupRule::Manual, None, false)
    };
    engine.add_group(&actor(), &group("nhom")).await.unwrap();
    engine.add_group(&actor(), &group("kin@khac.gov.vn")).await.unwrap();
    engine
        .change_group(&actor(), &address("kin@khac.gov.vn"), (&[address("la@khac.gov.vn")], true))
        .await
        .unwrap();
    let domain = engine.domain_id(&domain()).await.unwrap();
    let grant = Grant::new(Role::CentreOperator, Scope::Domain(domain)).unwrap();
    let operator = Actor::of("op", Some(an.account()), vec![grant]);
    let add =
        async |name: &str| engine.change_group(&operator, &address("nhom"), (&[address(name)], true)).await;
    assert_eq!(add("an").await, Ok(()));
    let (la, kin) = (address("la@khac.gov.vn"), address("kin@khac.gov.vn"));
    assert_eq!(add("la@khac.gov.vn").await, Err(AdminError::NoSuchMailbox(la.clone()).into()));
    assert_eq!(add("kin@khac.gov.vn").await, Err(GroupError::NoSuchGroup(kin)));
    let listed = engine
        .set_group_senders(&operator, &address("nhom"), (GroupSenders::Listed, std::slice::from_ref(&la)))
        .await;
    assert_eq!(listed, Err(AdminError::NoSuchMailbox(la).into()));
    assert_eq!(engine.decide_held(&operator, 7, (true, "")).await, Err(GroupError::NoSuchMessage));
}

#[tokio::test]
async fn groups_and_open_requests_move_with_their_domain() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let other = DomainName::new("khac.gov.vn").unwrap();
    engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    engine.add_group(&actor(), &group("so", GroupRule::People, Some("sotttt"), true)).await.unwrap();
    engine.add_group(&actor(), &group("nhom", GroupRule::Manual, None, false)).await.unwrap();
    engine.add_mailbox(&actor(), &mailbox("nhom@khac.gov.vn")).await.unwrap();
    let plan = engine.plan_move(&actor(), (&domain(), &other), "sáp nhập").await.unwrap();
    engine.run_move(&actor(), plan.id).await.unwrap();
    assert_eq!(names(&world, "so").await, ["binh", "chi", "clerk", "head"]);
    let called = async |at: &DomainName| {
        let all = engine.groups(&actor(), at, (None, 9)).await.unwrap();
        all.into_iter().map(|group| (group.address.to_string(), group.aliases)).collect::<Vec<_>>()
    };
    let name = |local: &str, at: &str| format!("{local}@{at}.gov.vn");
    // Somebody has the one name there.
    let expected = [(name("nhom", "demo"), vec![]), (name("so", "khac"), vec![name("so", "demo")])];
    assert_eq!(called(&other).await, expected);
    assert_eq!(
        engine.add_mailbox(&actor(), &mailbox("so")).await,
        Err(AdminError::AddressTaken),
        "it still receives"
    );
    engine.change_group(&actor(), &address("nhom"), (&[address("an")], true)).await.unwrap();
    send(&world, &an, &["so"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'so@demo.gov.vn'").await, 4);
    assert_eq!(engine.groups(&actor(), &other, (None, 9)).await.unwrap().len(), 2);
    engine.undo_move(&actor(), plan.id).await.unwrap();
    assert_eq!(names(&world, "so").await, ["binh", "chi", "clerk", "head"]);
    let expected = [(name("nhom", "demo"), vec![]), (name("so", "demo"), vec![name("so", "khac")])];
    assert_eq!(called(&domain()).await, expected);
    send(&world, &an, &["so@khac.gov.vn"]).await.unwrap();
    assert_eq!(world.number("select count(*) from entries where recipient = 'so@khac.gov.vn'").await, 4);
    // There and back again, and to the end of the old address.
    let again = engine.plan_move(&actor(), (&domain(), &other), "sáp nhập").await.unwrap();
    engine.run_move(&actor(), again.id).await.unwrap();
    assert_eq!(called(&other).await[1], (name("so", "khac"), vec![name("so", "demo")]));
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 366));
    engine.run_job("retire-old-addresses").await.unwrap().unwrap();
    assert_eq!(called(&other).await[1], (name("so", "khac"), vec![]));
    assert_eq!(engine.recipient(&address("so")).await.unwrap_err(), RecipientError::Unknown);
}
