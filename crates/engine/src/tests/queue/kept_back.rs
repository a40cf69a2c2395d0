//! A mailbox that is locked for what it sends: nothing of it goes on, wherever it is, until an administrator lets it go.

use super::*;
use crate::tests::groups::{domain, group, province};
use crate::{Actor, GroupError, LockEvidence, QueueError};
use model::lifecycle::LockReason;
use model::{DomainId, Grant, GroupRule, Role, Scope};
use tokio_util::sync::CancellationToken;

async fn lock(world: &World) {
    let reason = LockReason::Spam;
    world.engine.lock(&actor(), &address("an"), reason, "thư rác").await.unwrap();
}

/// The lock finds nothing of a message that is being accepted, and whoever accepts it finds the lock.
#[tokio::test]
async fn what_is_being_accepted_when_the_lock_comes_stays_as_well() {
    let world = World::new().await;
    let an = world.user("an").await;
    let mut held = world.database.hold("lock table queue_recipients in share row exclusive mode").await;
    let mut sent = std::pin::pin!(send(&world, &an, &["ai@example.org"]));
    tokio::select! {
        done = &mut sent => panic!("{done}"),
        () = held.until_somebody_waits() => {}
    }
    lock(&world).await;
    held.release().await;
    sent.await;
    assert_eq!(world.number("select count(*) from queue_deliveries where held").await, 1);
    assert!(world.engine.claim_mail(&WantedWork::default()).await.unwrap().is_none());
}

/// A connection has one message under way and others before it.
#[tokio::test]
async fn what_a_node_has_claimed_and_not_begun_stays() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    for _ in 0..3 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    send(&world, &binh, &["ai@example.org"]).await;
    let engine = &world.engine;
    let claimed = engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let [first, second, third, of_binh] = claimed.deliveries.as_slice() else { panic!("{claimed:?}") };
    assert!(engine.may_go(&claimed.lease, first).await.unwrap());
    lock(&world).await;
    for delivery in [second, third] {
        assert!(!engine.may_go(&claimed.lease, delivery).await.unwrap());
    }
    assert!(engine.may_go(&claimed.lease, of_binh).await.unwrap(), "others are not held up");
    // What was under way and is put off is not tried again, nor what comes back with the lease.
    let reported = engine.report_mail(&claimed.lease, first, vec![later()], Contact::Reached).await.unwrap();
    assert!(reported);
    engine.give_back_mail(&claimed.lease).await.unwrap();
    let of_an = |text: &str| {
        format!(
            "select count(*) from queue_deliveries join queue_messages using (message_id)
                                       where sender = 'an@demo.gov.vn' and {text}"
        )
    };
    assert_eq!(world.number(&of_an("held and lease_id is null")).await, 3);
    assert_eq!(everything_taken(engine).await.len(), 1);
    world.forward(24 * 6, 0);
    world.look_after().await;
    assert!(everything_taken(engine).await.is_empty());
    // Its owner is given it back; what was written in his name is for an administrator to look at.
    let refused = engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap_err();
    assert!(matches!(refused, QueueError::SenderLocked(_)), "{refused}");
    let unlocked = engine.unlock(&actor(), &address("an"), Some("đề nghị")).await.unwrap();
    assert_eq!(unlocked.kept_back, 3);
    assert!(everything_taken(engine).await.is_empty());
    assert_eq!(engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap(), 3);
    assert_eq!(everything_taken(engine).await.len(), 3);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.audited("queue.change").await, ["an@demo.gov.vn"]);
}

#[tokio::test]
async fn what_was_for_later_does_not_come_at_its_moment() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let engine = &world.engine;
    let at = engine.now() + SignedDuration::from_hours(2);
    let wishes = || Wishes { release_at: Some(at), ..Wishes::default() };
    let to = [outside(&world, &an, "binh").await, outside(&world, &an, "ai@example.org").await];
    submit(&world, &an, &to, wishes()).await;
    let here = submit(&world, &an, &to[..1], wishes()).await;
    lock(&world).await;
    let stop = CancellationToken::new();
    world.forward(3, 0);
    engine.expand_all(&stop).await;
    assert_eq!((world.inbox(&binh).await.len(), everything_taken(engine).await.len()), (0, 0));
    assert_eq!(engine.unlock(&actor(), &address("an"), Some("đề nghị")).await.unwrap().kept_back, 2);
    // One after the other, or all.
    assert_eq!(engine.hold_queued(&actor(), &here, false).await.unwrap().deliveries, 1);
    engine.expand_all(&stop).await;
    assert_eq!((world.inbox(&binh).await.len(), everything_taken(engine).await.len()), (1, 0));
    assert_eq!(engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap(), 2);
    engine.expand_all(&stop).await;
    assert_eq!((world.inbox(&binh).await.len(), everything_taken(engine).await.len()), (2, 1));
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn what_an_administrator_holds_is_not_the_locks() {
    let world = World::new().await;
    let an = world.user("an").await;
    let engine = &world.engine;
    let before = send(&world, &an, &["ai@example.org"]).await;
    for _ in 0..3 {
        send(&world, &an, &["ai@example.org"]).await;
    }
    engine.hold_queued(&actor(), &before, true).await.unwrap();
    let locked = engine.lock(&actor(), &address("an"), LockReason::Spam, "thư rác").await.unwrap();
    assert_eq!((locked.receives, locked.kept_back), (true, 3));
    let shown = engine.lock_detail(&actor(), &address("an")).await.unwrap().unwrap();
    let evidence = LockEvidence { by: actor().name().to_owned(), note: "thư rác".to_owned() };
    assert_eq!((shown.evidence, shown.kept_back), (Some(evidence), 3));
    // Whoever may see the mailbox and not lock it: its owner, and those who help him.
    for role in [Role::MailboxOwner, Role::Helpdesk] {
        let scope = match role {
            Role::MailboxOwner => Scope::Mailbox(an.account()),
            _ => Scope::Domain(DomainId(world.number("select domain_id from domains").await)),
        };
        let who = Actor::of("x", None, Grant::new(role, scope).into_iter().collect());
        let shown = engine.lock_detail(&who, &address("an")).await.unwrap().unwrap();
        assert_eq!((shown.evidence, shown.kept_back), (None, 3), "{role:?}");
    }
    assert_eq!(world.number("select count(*) from events where kind = 'denied'").await, 0);
    let unlocked = engine.unlock(&actor(), &address("an"), Some("đề nghị")).await.unwrap();
    assert_eq!(unlocked.kept_back, 3);
    assert!(engine.lock_detail(&actor(), &address("an")).await.unwrap().is_none(), "it is in use");
    engine.hold_queued(&actor(), &before, false).await.unwrap();
    assert_eq!(everything_taken(engine).await.len(), 1);
    assert_eq!(engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap(), 3);
}

#[tokio::test]
async fn what_waits_for_approval_is_not_approved_until_the_lock_ends() {
    let world = World::new().await;
    province(&world).await;
    let (an, engine) = (world.user("an").await, &world.engine);
    let binh =
        engine.log_in("binh@demo.gov.vn", crate::tests::PASSWORD, &crate::tests::origin()).await.unwrap();
    crate::tests::policy(&world, "sending.group_approval_over", "4").await;
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    for _ in 0..2 {
        send(&world, &an, &["so"]).await;
    }
    lock(&world).await;
    let held = engine.held_messages(&actor(), &domain(), (false, 10)).await.unwrap();
    let (one, other) = (held[0].held, held[1].held);
    assert_eq!(engine.decide_held(&actor(), one, (true, "")).await, Err(GroupError::SenderLocked));
    engine.decide_held(&actor(), other, (false, "thư rác")).await.unwrap();
    engine.unlock(&actor(), &address("an"), Some("đề nghị")).await.unwrap();
    engine.decide_held(&actor(), one, (true, "")).await.unwrap();
    engine.expand_all(&CancellationToken::new()).await;
    assert_eq!(world.inbox(&binh).await.len(), 1);
}

/// Nobody is left who could let it go, but for the system's administrators.
#[tokio::test]
async fn what_is_kept_back_of_a_mailbox_that_is_deleted_can_still_be_ended() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    let at = world.engine.now() + SignedDuration::from_hours(2);
    let to = [outside(&world, &an, "binh").await, outside(&world, &an, "ai@example.org").await];
    let id = submit(&world, &an, &to, Wishes { release_at: Some(at), ..Wishes::default() }).await;
    lock(&world).await;
    world.forward(3, 0);
    assert!(world.engine.delete_without_export(&actor(), &address("an"), "thư rác").await.unwrap());
    let gone = world.engine.hold_mail_of(&actor(), &address("an"), false).await.unwrap_err();
    assert_eq!(gone, QueueError::Admin(crate::AdminError::NoSuchMailbox(address("an"))));
    assert_eq!(world.engine.expire_queued(&actor(), &id, true).await.unwrap().deliveries, 2);
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
}
