//! Forwarding ends with what it rests on: the next mailbox's life, the rights of whoever set it, a hand-over.

use super::delegation::{delegation, office};
use super::groups::{domain, inboxes};
use super::{World, actor, address, arrival};
use crate::{
    AclEdit, AdminError, DelegationError, ForwardError, ForwardQuery, ForwardStop, NewDelegation,
    NewHandover, PolicyEdit, Principal,
};
use jiff::SignedDuration;
use model::lifecycle::{DeletionCause, LockReason};
use model::{Reason, Right, Rights};

const MAIL: &[u8] = b"Subject: x\r\n\r\ny\r\n";

async fn target(world: &World, of: &str) -> Option<String> {
    let shown = world.engine.forward(&actor(), &address(of)).await.unwrap();
    shown.map(|shown| shown.forward.target.local().to_owned())
}

#[tokio::test]
async fn mail_stays_where_it_came_when_the_next_mailbox_ends() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    let (engine, other) = (&world.engine, world.another_node());
    other.open().await.unwrap();
    let binh = address("binh");
    engine.set_forward(&actor(), &address("an"), (&binh, false)).await.unwrap();
    other.poll().await;
    let elsewhere = async || {
        let to = other.recipient(&address("an")).await.unwrap();
        let mut spool = other.new_spool();
        spool.write(MAIL).await.unwrap();
        other.deliver(&arrival(), &[to], spool).await.map(|_| ())
    };
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 1]);
    // Where policy lets a locked mailbox receive nothing, nothing goes to it.
    engine.lock(&actor(), &binh, LockReason::Requested, "thử").await.unwrap();
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [0]);
    let settings = [("life.locked_receives".to_owned(), "false".to_owned())];
    let edit = PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
    engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [1]);
    engine.list_for_deletion(&actor(), &binh, DeletionCause::Revoked, "nghỉ hưu").await.unwrap();
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [2]);
    let to = engine.forwards_to(&actor(), &binh).await.unwrap();
    assert_eq!(to.iter().map(|one| one.forward.mailbox.clone()).collect::<Vec<_>>(), [address("an")]);
    assert_eq!(engine.forwards_to(&actor(), &address("an")).await.unwrap(), []);
    let refused = engine.set_forward(&actor(), &address("chi"), (&binh, false)).await;
    assert_eq!(refused, Err(ForwardError::Inactive(binh.clone())));
    // A node that has not heard of it yet finds nobody there, and looks again.
    other.renew_policies().await;
    engine.delete_without_export(&actor(), &binh, "thu hồi").await.unwrap();
    assert_eq!(elsewhere().await, Ok(()), "stale");
    assert_eq!(elsewhere().await, Ok(()), "stale");
    world.deliver(&["an"], MAIL).await;
    assert_eq!(inboxes(&world, &["an"]).await, [5]);
    // It is there still, and said to be stopped, as the list says it.
    let shown = engine.forward(&actor(), &address("an")).await.unwrap().unwrap();
    assert_eq!((shown.forward.target, shown.stopped), (binh, Some(ForwardStop::Target)));
}

#[tokio::test]
async fn whoever_sets_a_forwarding_hears_what_it_replaces() {
    let world = World::new().await;
    for name in ["an", "binh", "chi"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    let set = async |to: &str, keep_copy| {
        engine.set_forward(&actor(), &address("an"), (&address(to), keep_copy)).await.unwrap()
    };
    assert_eq!(set("binh", true).await, None);
    assert_eq!(set("binh", false).await, None, "the same, without a copy");
    assert_eq!(set("chi", false).await, Some(address("binh").to_string()));
    assert_eq!(world.detail("forwarding.set").await["went_to"], address("binh").to_string());
    engine.clear_forward(&actor(), &address("an")).await.unwrap();
    assert_eq!(set("binh", false).await, None);
    engine.delete_without_export(&actor(), &address("binh"), "thu hồi").await.unwrap();
    assert_eq!(set("chi", false).await, Some(address("binh").to_string()), "where it went is known still");
}

#[tokio::test]
async fn a_forwarding_ends_with_rights_and_hand_overs() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("chi").await;
    office(&world, "vanthu").await;
    let (engine, vanthu) = (&world.engine, address("vanthu"));
    let give = async |rights: &[Right]| {
        engine.grant_delegation(&actor(), &delegation("vanthu", "an", rights)).await.unwrap();
    };
    let set = async |to: &str| {
        let by = engine.actor_of(&an).await.unwrap();
        engine.set_forward(&by, &vanthu, (&address(to), true)).await
    };
    // Who may not read the mail does not have it sent to him.
    give(&[Right::Manage]).await;
    let denied = ForwardError::Admin(AdminError::Denied(Reason::Right(Right::Read)));
    assert_eq!(set("an").await, Err(denied));
    // What he set goes with his rights, wherever it goes to; so does what goes to him.
    let all = [Right::Read, Right::Manage];
    for to in ["an", "chi"] {
        give(&all).await;
        set(to).await.unwrap();
        give(&[Right::Read, Right::Manage, Right::Write]).await;
        assert_eq!(target(&world, "vanthu").await.as_deref(), Some(to), "other rights that let him do it");
        let revoked = engine.revoke_delegation(&actor(), &vanthu, Some(&address("an"))).await.unwrap();
        assert_eq!(revoked.forward_ended, Some(address(to).to_string()), "said to whoever ended it");
        assert_eq!(target(&world, "vanthu").await, None);
    }
    give(&all).await;
    engine.set_forward(&actor(), &vanthu, (&address("an"), true)).await.unwrap();
    give(&[Right::SendAs]).await;
    assert_eq!(target(&world, "vanthu").await, None);
    world.deliver(&["vanthu"], MAIL).await;
    assert_eq!(inboxes(&world, &["vanthu", "an"]).await, [1, 0]);
    // A hand-over ends it whoever set it.
    engine.set_forward(&actor(), &vanthu, (&address("chi"), false)).await.unwrap();
    let new = NewHandover {
        mailbox: vanthu.clone(),
        from: "Nguyễn Văn A".into(),
        to: "Trần Thị B".into(),
        delegate: None,
        rights: Rights::NONE,
        document: "20/QĐ-UBND".into(),
    };
    engine.start_handover(&actor(), &new).await.unwrap();
    let done = engine.finish_handover(&actor(), &vanthu).await.unwrap();
    assert_eq!(done.handover.row.record["forwarded"], "chi@demo.gov.vn");
    assert!(done.handover.text().contains("Thôi chuyển thư tự động đến: chi@demo.gov.vn"));
    assert_eq!(target(&world, "vanthu").await, None);
    world.deliver(&["vanthu"], MAIL).await;
    assert_eq!(inboxes(&world, &["vanthu", "chi"]).await, [2, 0]);
}

#[tokio::test]
async fn a_list_says_who_forwards_where_and_what_of_it_is_stopped() {
    let world = World::new().await;
    for name in ["an", "binh", "chi", "dung"] {
        world.user(name).await;
    }
    let engine = &world.engine;
    let policy = async |settings: &[(String, String)]| {
        let edit = PolicyEdit { settings, based_on: None, reason: "thử", dry_run: false };
        engine.change_policy(&actor(), &domain(), &edit).await.unwrap();
    };
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    policy(&[set("sending.forward_domains", "bo.gov.vn, tw.gov.vn")]).await;
    for (from, to) in [("an", "an@bo.gov.vn"), ("binh", "binh@tw.gov.vn"), ("chi", "dung@demo.gov.vn")] {
        engine.set_forward(&actor(), &address(from), (&to.parse().unwrap(), true)).await.unwrap();
    }
    let all = ForwardQuery { limit: 10, ..ForwardQuery::default() };
    let list = async |query| {
        let listed = engine.forwards(&actor(), query).await.unwrap();
        let line = |one: &crate::ForwardListed| {
            (one.forward.mailbox.local().to_owned(), one.is_outside, one.stopped)
        };
        listed.iter().map(line).collect::<Vec<_>>()
    };
    let line = |of: &str, outside, stopped| (of.to_owned(), outside, stopped);
    assert_eq!(list(all).await, [line("an", true, None), line("binh", true, None), line("chi", false, None)]);
    // What policy does not let out any more, and what goes to nobody, is said to stay.
    policy(&[set("sending.forward_domains", "bo.gov.vn"), set("life.locked_receives", "false")]).await;
    engine.lock(&actor(), &address("dung"), LockReason::Requested, "thử").await.unwrap();
    let stays = line("binh", true, Some(ForwardStop::Policy));
    let nobody = line("chi", false, Some(ForwardStop::Target));
    assert_eq!(list(all).await, [line("an", true, None), stays.clone(), nobody]);
    assert_eq!(list(ForwardQuery { outside: true, ..all }).await, [line("an", true, None), stays.clone()]);
    let (after, here) = (address("an"), domain());
    let page = ForwardQuery { after: Some(&after), limit: 1, ..all };
    assert_eq!(list(page).await, std::slice::from_ref(&stays));
    assert_eq!(list(ForwardQuery { domain: Some(&here), ..page }).await, [stays]);
    engine.clear_forward(&actor(), &address("an")).await.unwrap();
    assert_eq!(list(all).await.len(), 2);
}

#[tokio::test]
async fn other_nodes_are_told_of_a_forwarding_before_its_setter_is() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    let other = world.another_node();
    other.open().await.unwrap();
    other.renew_forwards().await.unwrap();
    let mut listener = world.store.listen_for_rights().await.unwrap();
    let mut elsewhere = async |to: [usize; 2]| {
        let heard = tokio::time::timeout(std::time::Duration::from_secs(10), listener.next());
        other.heard_of_rights(heard.await.unwrap().unwrap()).await.unwrap();
        let recipient = other.recipient(&address("an")).await.unwrap();
        let mut spool = other.new_spool();
        spool.write(MAIL).await.unwrap();
        other.deliver(&arrival(), &[recipient], spool).await.unwrap();
        assert_eq!(inboxes(&world, &["an", "binh"]).await, to);
    };
    world.engine.set_forward(&actor(), &address("an"), (&address("binh"), false)).await.unwrap();
    elsewhere([0, 1]).await;
    world.engine.clear_forward(&actor(), &address("an")).await.unwrap();
    elsewhere([1, 1]).await;
}

#[tokio::test]
async fn whoever_manages_for_another_gives_nothing_but_his_own() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("chi").await;
    office(&world, "vanthu").await;
    let engine = &world.engine;
    let day = SignedDuration::from_hours(24);
    let until = Some(engine.now() + day);
    let lent = [Right::Manage, Right::Read];
    let term = NewDelegation { until, ..delegation("vanthu", "an", &lent) };
    engine.grant_delegation(&actor(), &term).await.unwrap();
    let give = async |new: NewDelegation| {
        let by = engine.actor_of(&an).await.unwrap();
        engine.grant_delegation(&by, &new).await.map(|_| ())
    };
    let more = Err(DelegationError::MoreThanOwn);
    let everything: Vec<Right> = Right::ALL.to_vec();
    assert_eq!(give(NewDelegation { until, ..delegation("vanthu", "an", &everything) }).await, more);
    assert_eq!(give(delegation("vanthu", "an", &lent)).await, more, "for longer");
    let own_paper = NewDelegation { document: "tự lập".into(), ..term.clone() };
    assert_eq!(give(own_paper).await, more);
    assert_eq!(give(NewDelegation { until, ..delegation("vanthu", "chi", &[Right::SendAs]) }).await, more);
    assert_eq!(give(delegation("vanthu", "chi", &[Right::Read])).await, more, "for longer");
    assert_eq!(give(NewDelegation { until, ..delegation("vanthu", "chi", &[Right::Read]) }).await, Ok(()));
    // What an administrator gave him, the manager may leave to him.
    let sends = NewDelegation { until, ..delegation("vanthu", "chi", &[Right::Read, Right::SendAs]) };
    engine.grant_delegation(&actor(), &sends).await.unwrap();
    assert_eq!(give(sends).await, Ok(()));
}

#[tokio::test]
async fn a_term_that_ended_is_no_right_that_a_list_could_leave_as_it_is() {
    let world = World::new().await;
    let (an, owner): (Principal, Principal) = (world.user("an").await, office(&world, "vanthu").await);
    let engine = &world.engine;
    let read = Rights::NONE.with(Right::Read);
    let until = Some(engine.now() + SignedDuration::from_hours(1));
    let term = NewDelegation { until, ..delegation("vanthu", "an", &[Right::Read]) };
    engine.grant_delegation(&actor(), &term).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(2));
    engine.change_acl(&owner, &address("an"), AclEdit::Add(read)).await.unwrap();
    assert!(engine.has_shared(&an).await.unwrap());
    assert_eq!(engine.acl(&owner).await.unwrap().len(), 2);
}
