//! Mail that is kept apart: it lies in no folder, goes to whom it was for once somebody says so, and is dropped when its term is over.

use super::groups::{group, inboxes, province};
use super::life::sweep_all;
use super::{World, actor, address, arrival, mailbox, policy};
use crate::{Actor, Arrival, DeliverError, Examined, QuarantineError, QuarantineQuery, TraceQuery};
use jiff::SignedDuration;
use model::admission::{Author, Evidence, Ground, Outcome};
use model::lifecycle::LockReason;
use model::{
    AccountState, Cause, DomainId, DomainName, Grant, GroupRule, GroupSenders, Listed, Reason, Right, Rights,
    Role, Scope, Sorting, Standing,
};
use store::ListedLine;
use tokio_util::sync::CancellationToken;

const MESSAGE: &[u8] =
    b"From: Ai <Ai@B.vn>\r\nMessage-ID: <q@b.vn>\r\nSubject: =?utf-8?q?H=E1=BB=8Dp?=\r\n\r\nx\r\n";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// From somebody whose domain has or has not shown that it is his, of which the door says this.
fn brought(sorting: Sorting, aligned: Outcome) -> Arrival {
    let author = Author { domain: "b.vn".into(), aligned, ..Author::default() };
    let evidence = Evidence { authors: vec![author], ..Evidence::default() };
    Arrival { examined: Some(Examined { evidence, sorting }), ..arrival() }
}

fn forged() -> Arrival {
    brought(Sorting::Quarantine(Cause::Origin(Ground::Dmarc)), Outcome::Fail)
}

async fn comes(world: &World, arrival: &Arrival, to: &[&str]) -> Result<(), DeliverError> {
    says(world, arrival, to, MESSAGE).await
}

async fn says(world: &World, arrival: &Arrival, to: &[&str], message: &[u8]) -> Result<(), DeliverError> {
    let mut recipients = Vec::new();
    for name in to {
        recipients.push(world.engine.recipient(&address(name)).await.unwrap());
    }
    let mut spool = world.engine.new_spool();
    spool.write(message).await.unwrap();
    world.engine.deliver(arrival, &recipients, spool).await.map(drop)
}

/// Numbers of what this one may see, with the address each was written to.
async fn seen(world: &World, who: &Actor) -> Vec<(i64, String)> {
    let query = QuarantineQuery { limit: 100, ..QuarantineQuery::default() };
    let found = world.engine.quarantine(who, &query).await.unwrap();
    found.into_iter().map(|message| (message.row.held, message.row.recipient)).collect()
}

async fn hand_out(world: &World) {
    world.engine.expand_all(&CancellationToken::new()).await;
}

async fn expire(world: &World) -> String {
    world.engine.run_job("expire-quarantine").await.unwrap().unwrap()
}

/// What became of the message, for this recipient.
async fn course(world: &World, to: &str) -> Vec<String> {
    let query = TraceQuery { to: Some(address(to)), limit: 10, ..TraceQuery::default() };
    let found = world.engine.trace(&actor(), &query).await.unwrap();
    let events = found.into_iter().flat_map(|course| course.events);
    let of = events.filter(|event| event.recipients.contains(&address(to).to_string()));
    of.map(|event| format!("{} {}", event.kind, event.status.unwrap_or_default())).collect()
}

/// Whatever was found out of where it comes from: the database knows the word for it.
#[tokio::test]
async fn mail_is_kept_apart_for_whatever_policy_may_say() {
    let world = World::new().await;
    world.user("an").await;
    for ground in Ground::ALL.into_iter().filter(|ground| ground.keeps_apart()) {
        let arrival = brought(Sorting::Quarantine(Cause::Origin(ground)), Outcome::Pass);
        assert_eq!(comes(&world, &arrival, &["an"]).await, Ok(()), "{ground:?}");
    }
    assert_eq!(world.number("select count(*) from quarantined where reason in ('listed', 'helo')").await, 2);
}

#[tokio::test]
async fn what_is_kept_apart_is_in_no_mailbox_until_it_is_released_once() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    hand_out(&world).await;
    sweep_all(&world).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 0], "it counts for nothing");
    assert_eq!(world.number("select count(*) from contents").await, 1, "and is there");
    assert_eq!(course(&world, "an").await, ["received quarantined"]);
    let all = seen(&world, &actor()).await;
    let [(ans, to_an), (binhs, _)] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(*to_an, address("an").to_string());
    let shown = world.engine.quarantined_message(&actor(), *ans).await.unwrap();
    assert_eq!(shown.row.author.as_deref(), Some("ai@b.vn"));
    assert_eq!((shown.row.subject.as_str(), shown.row.reason.as_str()), ("Họp", "dmarc"));
    assert_eq!(shown.until, shown.row.held_at + 30 * DAY);
    world.engine.release_quarantined(&actor(), (*ans, false)).await.unwrap();
    hand_out(&world).await;
    let read = world.read(&an, "INBOX").await;
    assert_eq!((read.len(), super::without_trace(&read[0].1)), (1, MESSAGE));
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [1, 0]);
    assert_eq!(course(&world, "an").await, ["received quarantined", "quarantine released"]);
    assert_eq!(world.audited("quarantine.release").await, ["an@demo.gov.vn"]);
    let again = world.engine.release_quarantined(&actor(), (*ans, false)).await;
    assert_eq!(again, Err(QuarantineError::NoSuchMessage));
    assert_eq!(
        world.engine.delete_quarantined(&actor(), *ans).await,
        Err(QuarantineError::NoSuchMessage),
        "nobody takes it back"
    );
    world.engine.delete_quarantined(&actor(), *binhs).await.unwrap();
    hand_out(&world).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [1, 0]);
    assert_eq!(course(&world, "binh").await, ["received quarantined", "quarantine deleted"]);
    assert_eq!(world.audited("quarantine.delete").await, ["binh@demo.gov.vn"]);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
    sweep_all(&world).await;
    assert_eq!(world.read(&an, "INBOX").await[0].1, read[0].1);
}

#[tokio::test]
async fn when_its_term_is_over_it_is_dropped_and_its_content_goes() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    let binh = address("binh");
    let hold = world.engine.place_hold(&actor(), crate::Held::Mailbox(&binh), "CV 1").await.unwrap();
    world.clock.advance(30 * DAY);
    assert_eq!(expire(&world).await, "0 messages dropped, 0 kept for legal holds, 0 given up");
    world.clock.advance(DAY);
    assert_eq!(expire(&world).await, "1 messages dropped, 1 kept for legal holds, 0 given up");
    assert_eq!(expire(&world).await, "0 messages dropped, 0 kept for legal holds, 0 given up");
    let left = seen(&world, &actor()).await;
    assert_eq!(left.len(), 1, "what is for a mailbox under legal hold stays");
    assert_eq!(course(&world, "an").await, ["received quarantined", "quarantine expired"]);
    let released = world.engine.release_quarantined(&actor(), (left[0].0 - 1, false)).await;
    assert_eq!(released, Err(QuarantineError::NoSuchMessage));
    sweep_all(&world).await;
    assert_eq!(world.number("select count(*) from contents").await, 1);
    let kept = world.engine.delete_quarantined(&actor(), left[0].0).await;
    assert_eq!(kept, Err(QuarantineError::Held), "nobody deletes it, either");
    for who in ["first", "second"] {
        world.engine.release_hold(&Actor::console(who), hold, None).await.unwrap();
    }
    assert_eq!(expire(&world).await, "1 messages dropped, 0 kept for legal holds, 0 given up");
    sweep_all(&world).await;
    assert_eq!(world.number("select count(*) from contents").await, 0);
    // A shorter term holds for what is there.
    comes(&world, &forged(), &["an"]).await.unwrap();
    policy(&world, "filter.quarantine_days", "2").await;
    world.clock.advance(3 * DAY);
    assert_eq!(expire(&world).await, "1 messages dropped, 0 kept for legal holds, 0 given up");
}

/// What this one is shown and told: what lies there, what became of it, and the answers to whatever he tries.
async fn learns(world: &World, who: &Actor, name: &str, held: i64) -> Vec<String> {
    let engine = &world.engine;
    let mut told: Vec<String> = seen(world, who).await.iter().map(|(held, _)| held.to_string()).collect();
    told.push(format!("{:?}", engine.quarantined_message(who, held).await.map(drop)));
    told.push(format!("{:?}", engine.delete_quarantined(who, held).await.map(drop)));
    told.push(format!("{:?}", engine.release_quarantined(who, (held, false)).await.map(drop)));
    told.push(format!("{:?}", engine.block_sender(who, held).await.map(drop)));
    told.push(format!("{:?} {:?}", course(world, name).await, lie(world, name).await[..2].to_vec()));
    told
}

#[tokio::test]
async fn whose_mailbox_is_under_legal_hold_does_not_learn_that_here() {
    let world = World::new().await;
    let engine = &world.engine;
    let people = [("an", world.user("an").await), ("binh", world.user("binh").await)];
    for _ in 0..2 {
        comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    }
    let hold = engine.place_hold(&actor(), crate::Held::Mailbox(&address("an")), "CV 1").await.unwrap();
    let mut learned = Vec::new();
    for (name, who) in &people {
        let who = engine.actor_of(who).await.unwrap();
        let [(deleted, _), (over, _)] = seen(&world, &who).await.try_into().unwrap();
        assert_eq!(engine.delete_quarantined(&who, deleted).await.map(drop), Ok(()), "{name}");
        let mut told = learns(&world, &who, name, deleted).await;
        assert_eq!(told.remove(0), over.to_string());
        learned.push((who, over, told));
    }
    assert_eq!(learned[0].2, learned[1].2);
    // In the letter of the day he hears of the other one alone.
    assert_eq!(tell(&world).await, "2 letters sent");
    assert_eq!(world.letters(&people[0].1).await.pop().unwrap().matches("- Số ").count(), 1);
    // Nor when its term is over.
    world.clock.advance(31 * DAY);
    assert_eq!(expire(&world).await, "1 messages dropped, 1 kept for legal holds, 0 given up");
    let mut told = Vec::new();
    for ((name, _), (who, over, _)) in people.iter().zip(&learned) {
        told.push(learns(&world, who, name, *over).await);
    }
    assert_eq!(told[0], told[1]);
    let counted = world.store.quarantine_counts().await.unwrap();
    assert_eq!(counted.messages, 0, "and what he has no room for is as without a hold");
    // Whoever administers the mailbox sees both, and why they are there; not of his own.
    let all = seen(&world, &actor()).await;
    assert_eq!(all.len(), 2);
    let shown = engine.quarantined_message(&actor(), all[0].0).await.unwrap();
    assert!(shown.row.kept_since.is_some());
    assert_eq!(engine.delete_quarantined(&actor(), all[0].0).await, Err(QuarantineError::Held));
    let system = Grant::new(Role::SystemAdministrator, Scope::System).unwrap();
    for (account, sees) in [(people[1].1.account(), 2), (people[0].1.account(), 0)] {
        let grants = vec![system, Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).unwrap()];
        let administrator = Actor::of("x", Some(account), grants);
        assert_eq!(seen(&world, &administrator).await.len(), sees);
        assert_eq!(engine.quarantined_message(&administrator, all[0].0).await.is_ok(), sees > 0);
    }
    let audited = "select detail ->> 'kept_for_hold' from audit where action = 'quarantine.delete' and target = 'an@demo.gov.vn'";
    assert_eq!(world.database.texts(audited).await, ["true"]);
    // The copy is whole, and goes with the hold.
    sweep_all(&world).await;
    assert_eq!(
        world.number("select count(*) from pending_deliveries join contents using (content_id)").await,
        2
    );
    for who in ["first", "second"] {
        engine.release_hold(&Actor::console(who), hold, None).await.unwrap();
    }
    assert_eq!(expire(&world).await, "2 messages dropped, 0 kept for legal holds, 0 given up");
    assert_eq!(course(&world, "an").await, course(&world, "binh").await, "noted once");
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 0);
}

#[tokio::test]
async fn of_several_who_decide_one_does() {
    let world = World::new().await;
    world.user("an").await;
    comes(&world, &forged(), &["an"]).await.unwrap();
    comes(&world, &forged(), &["an"]).await.unwrap();
    let ids: Vec<i64> = seen(&world, &actor()).await.into_iter().map(|(id, _)| id).collect();
    let (who, engine) = (actor(), &world.engine);
    let first = (ids[0], false);
    let (one, other) =
        tokio::join!(engine.release_quarantined(&who, first), engine.release_quarantined(&who, first));
    assert_ne!(one.is_ok(), other.is_ok(), "{one:?} {other:?}");
    // Somebody releases the other one while its term ends.
    world.clock.advance(31 * DAY);
    let row = world.store.quarantined_message(ids[1]).await.unwrap().unwrap();
    let mut tx = world.store.begin().await.unwrap();
    assert!(tx.release_quarantined(&row, (&[(row.account, row.inbox)], &[]), engine.now()).await.unwrap());
    assert_eq!(expire(&world).await, "0 messages dropped, 0 kept for legal holds, 0 given up");
    tx.commit().await.unwrap();
    assert_eq!(expire(&world).await, "0 messages dropped, 0 kept for legal holds, 0 given up");
    hand_out(&world).await;
    assert_eq!(inboxes(&world, &["an"]).await, [2]);
}

#[tokio::test]
async fn each_decides_on_his_own_and_operators_on_their_domains() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let other = DomainName::new("khac.gov.vn").unwrap();
    world.engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    let [(ans, _), (binhs, _)] = seen(&world, &actor()).await.try_into().unwrap();
    let domain = async |name: &str| {
        DomainId(world.number(&format!("select domain_id from domains where name = '{name}'")).await)
    };
    let of = |role, scope| Actor::of("x", None, Grant::new(role, scope).into_iter().collect());
    let ours = Scope::Domain(domain("demo.gov.vn").await);
    let (operator, inspector) = (of(Role::CentreOperator, ours), of(Role::Inspector, ours));
    let stranger = of(Role::CentreOperator, Scope::Domain(domain("khac.gov.vn").await));
    let helpdesk = of(Role::Helpdesk, ours);
    let [an, binh] = [world.engine.actor_of(&an).await.unwrap(), world.engine.actor_of(&binh).await.unwrap()];
    for (who, numbers) in [
        (&operator, vec![ans, binhs]),
        (&inspector, vec![ans, binhs]),
        (&an, vec![ans]),
        (&binh, vec![binhs]),
        (&stranger, vec![]),
        (&helpdesk, vec![]),
    ] {
        let found: Vec<i64> = seen(&world, who).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, numbers, "{}", who.name());
    }
    let release = async |who: &Actor, id| world.engine.release_quarantined(who, (id, false)).await.map(drop);
    for who in [&stranger, &an] {
        assert_eq!(release(who, binhs).await, Err(QuarantineError::NoSuchMessage));
        assert!(world.engine.quarantined_message(who, binhs).await.is_err());
    }
    let denied = release(&inspector, binhs).await;
    assert!(matches!(denied, Err(QuarantineError::Admin(crate::AdminError::Denied(_)))), "{denied:?}");
    let of_binh = QuarantineQuery { mailbox: Some(address("binh")), limit: 10, ..QuarantineQuery::default() };
    assert_eq!(world.engine.quarantine(&operator, &of_binh).await.unwrap().len(), 1);
    assert!(world.engine.quarantine(&an, &of_binh).await.is_err());
    let of_other = QuarantineQuery { domain: Some(other), limit: 10, ..QuarantineQuery::default() };
    assert!(world.engine.quarantine(&operator, &of_other).await.is_err());
    assert_eq!(world.engine.quarantine(&actor(), &of_other).await.unwrap(), []);
    release(&an, ans).await.unwrap();
    release(&operator, binhs).await.unwrap();
    hand_out(&world).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [1, 1]);
}

#[tokio::test]
async fn released_mail_goes_on_as_its_mailbox_passes_it_on() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    world.engine.set_forward(&actor(), &address("an"), (&address("binh"), false)).await.unwrap();
    comes(&world, &forged(), &["an"]).await.unwrap();
    let [(id, to)] = seen(&world, &actor()).await.try_into().unwrap();
    assert_eq!(to, "an@demo.gov.vn", "it lies where it was written to");
    world.engine.release_quarantined(&actor(), (id, false)).await.unwrap();
    hand_out(&world).await;
    assert_eq!(inboxes(&world, &["an", "binh"]).await, [0, 1]);
    assert!(course(&world, "binh").await.contains(&"forwarded none_kept".to_owned()));
}

#[tokio::test]
async fn members_of_a_group_have_each_their_own_and_a_large_one_is_approved_as_junk() {
    let world = World::new().await;
    province(&world).await;
    let engine = &world.engine;
    engine.add_group(&actor(), &group("vp", GroupRule::People, Some("vp"), true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("vp"), (GroupSenders::Everybody, &[])).await.unwrap();
    comes(&world, &forged(), &["vp", "chi"]).await.unwrap();
    let all = seen(&world, &actor()).await;
    assert_eq!(all.len(), 2, "{all:?}");
    for (id, _) in all {
        engine.release_quarantined(&actor(), (id, false)).await.unwrap();
    }
    hand_out(&world).await;
    assert_eq!(inboxes(&world, &["binh", "chi"]).await, [1, 1]);
    policy(&world, "sending.group_approval_over", "4").await;
    engine.add_group(&actor(), &group("so", GroupRule::Everybody, Some("sotttt"), true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("so"), (GroupSenders::Everybody, &[])).await.unwrap();
    comes(&world, &forged(), &["so"]).await.unwrap();
    assert_eq!(seen(&world, &actor()).await, []);
    let held = engine.held_messages(&actor(), &super::groups::domain(), (false, 10)).await.unwrap();
    engine.decide_held(&actor(), held[0].held, (true, "")).await.unwrap();
    hand_out(&world).await;
    let chi = engine.log_in("chi@demo.gov.vn", super::PASSWORD, &super::origin()).await.unwrap();
    assert_eq!(world.read(&chi, "Junk").await.len(), 1);
}

#[tokio::test]
async fn there_is_an_end_to_what_is_kept_for_one_mailbox() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    comes(&world, &forged(), &["an"]).await.unwrap();
    let fill =
        "insert into quarantined (account_id, recipient, sender, subject, size, reason, trace, held_at)
                select account_id, recipient, sender, subject, size, reason, trace, held_at
                  from quarantined, generate_series(1, 1999)";
    world.database.run(fill).await;
    comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [0, 1, 2_000], "the rest is Junk");
    assert_eq!(lie(&world, "binh").await, [0, 0, 1], "and nobody else's");
    let engine = &world.engine;
    engine.add_group(&actor(), &group("hai", GroupRule::Manual, None, false)).await.unwrap();
    engine.change_group(&actor(), &address("hai"), (&[address("an"), address("binh")], true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("hai"), (GroupSenders::Everybody, &[])).await.unwrap();
    comes(&world, &forged(), &["hai"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 2, 2_000], [0, 0, 2]));
    comes(&world, &brought(Sorting::Inbox, Outcome::Pass), &["an"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [1, 2, 2_000]);
}

#[tokio::test]
async fn however_many_come_at_once_no_more_is_kept_than_may_be() {
    let world = World::new().await;
    let other = world.another_node();
    world.user("an").await;
    world.user("binh").await;
    comes(&world, &forged(), &["an"]).await.unwrap();
    let fill =
        "insert into quarantined (account_id, recipient, sender, subject, size, reason, trace, held_at)
                select account_id, recipient, sender, subject, size, reason, trace, held_at
                  from quarantined, generate_series(1, 1997)";
    world.database.run(fill).await;
    let came = async |engine: &crate::Engine, to: &[&str]| {
        let mut recipients = Vec::new();
        for name in to {
            recipients.push(engine.recipient(&address(name)).await.unwrap());
        }
        let mut spool = engine.new_spool();
        spool.write(MESSAGE).await.unwrap();
        engine.deliver(&forged(), &recipients, spool).await.map(drop).unwrap();
    };
    let (one, both) = (["an"], ["binh", "an"]);
    tokio::join!(
        came(&world.engine, &one),
        came(&world.engine, &both),
        came(&world.engine, &one),
        came(&other, &both),
        came(&other, &one),
        came(&other, &one),
    );
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 4, 2_000], [0, 0, 2]));
    assert_eq!(world.store.quarantine_counts().await.unwrap().nearly_full, 1);
}

#[tokio::test]
async fn while_a_mailbox_is_locked_only_operators_decide_what_comes_into_it() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    comes(&world, &forged(), &["an"]).await.unwrap();
    let [(id, _)] = seen(&world, &actor()).await.try_into().unwrap();
    let manages = Grant::delegate(an.account(), Rights::NONE.with(Right::Manage)).into_iter().collect();
    let delegate = Actor::of("binh", Some(binh.account()), manages);
    let engine = &world.engine;
    engine.lock(&actor(), &address("an"), LockReason::TakenOver, "đăng nhập lạ").await.unwrap();
    let owner = engine.actor_again(an.account()).await.unwrap().unwrap();
    let locked = Reason::Mailbox(AccountState::Locked);
    for (who, why) in [(&owner, Reason::Standing(Standing::Locked)), (&delegate, locked)] {
        let denied = || Err(QuarantineError::Admin(crate::AdminError::Denied(why)));
        assert_eq!(engine.release_quarantined(who, (id, false)).await.map(drop), denied(), "{}", who.name());
        assert_eq!(engine.delete_quarantined(who, id).await.map(drop), denied(), "{}", who.name());
        assert_eq!(engine.block_sender(who, id).await.map(drop), denied(), "{}", who.name());
    }
    engine.block_sender(&actor(), id).await.unwrap();
    engine.release_quarantined(&actor(), (id, false)).await.unwrap();
    assert_eq!(seen(&world, &actor()).await, []);
}

#[tokio::test]
async fn with_a_mailbox_goes_what_was_kept_apart_for_it() {
    let world = World::new().await;
    world.engine.add_mailbox(&actor(), &mailbox("an")).await.unwrap();
    world.user("binh").await;
    comes(&world, &forged(), &["an", "binh"]).await.unwrap();
    assert!(world.engine.delete_without_export(&actor(), &address("an"), "thử").await.unwrap());
    let left = seen(&world, &actor()).await;
    assert_eq!(left.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["binh@demo.gov.vn"]);
    assert_eq!(world.number("select count(*) from pending_deliveries").await, 1);
}

/// How many lie in INBOX, in Junk, and apart, for this mailbox.
async fn lie(world: &World, name: &str) -> [i64; 3] {
    let of = format!("(select account_id from addresses where address = '{name}@demo.gov.vn')");
    let folder = |name: &str| {
        format!(
            "select count(*) from entries join folders f using (folder_id) where f.account_id = {of} and f.name = '{name}'"
        )
    };
    let apart = format!("select count(*) from quarantined where account_id = {of}");
    let (inbox, junk) = (folder("INBOX"), folder("Junk"));
    [world.number(&inbox).await, world.number(&junk).await, world.number(&apart).await]
}

#[tokio::test]
async fn whom_a_mailbox_allows_is_wanted_there_where_it_is_shown_to_be_him() {
    let world = World::new().await;
    let (an, _) = (world.user("an").await, world.user("binh").await);
    let an = world.engine.actor_of(&an).await.unwrap();
    let spam = Sorting::Quarantine(Cause::Content(model::scan::Reason::Spam));
    comes(&world, &brought(spam, Outcome::Pass), &["an", "binh"]).await.unwrap();
    let [(ans, _)] = seen(&world, &an).await.try_into().unwrap();
    world.engine.release_quarantined(&an, (ans, true)).await.unwrap();
    hand_out(&world).await;
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([1, 0, 0], [0, 0, 1]));
    let listed = world.engine.listed_senders(&an, &address("an")).await.unwrap();
    assert_eq!((listed.len(), listed[0].sender.as_str(), listed[0].listed), (1, "ai@b.vn", Listed::Allowed));
    assert_eq!(world.audited("senders.change").await, ["an@demo.gov.vn"]);
    for (sorting, aligned, at_an, at_binh) in [
        (spam, Outcome::Pass, [2, 0, 0], [0, 0, 2]),
        (Sorting::Junk, Outcome::Pass, [3, 0, 0], [0, 1, 2]),
        // Anybody can write his name.
        (spam, Outcome::Fail, [3, 0, 1], [0, 1, 3]),
        (Sorting::Junk, Outcome::None, [3, 1, 1], [0, 2, 3]),
    ] {
        comes(&world, &brought(sorting, aligned), &["an", "binh"]).await.unwrap();
        assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), (at_an, at_binh), "{sorting:?}");
    }
    // Of an envelope nobody is shown, as what its reader sees is From.
    let mut unclear = brought(spam, Outcome::Pass);
    unclear.sender = Some(crate::Sender::from(&address("ai@b.vn")));
    says(&world, &unclear, &["an"], b"From: other@b.vn\r\n\r\nx").await.unwrap();
    assert_eq!(lie(&world, "an").await, [3, 1, 2]);
    assert!(world.engine.unlist_sender(&an, &address("an"), &address("ai@b.vn")).await.unwrap());
    assert!(!world.engine.unlist_sender(&an, &address("an"), &address("ai@b.vn")).await.unwrap());
    comes(&world, &brought(spam, Outcome::Pass), &["an"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [3, 1, 3]);
}

#[tokio::test]
async fn what_allowed_senders_write_is_passed_on_and_what_blocked_ones_write_is_not() {
    let world = World::new().await;
    world.user("an").await;
    world.user("binh").await;
    let put = async |listed: Listed| {
        let held = seen(&world, &actor()).await[0].0;
        let row = world.store.quarantined_message(held).await.unwrap().unwrap();
        let mut tx = world.store.begin().await.unwrap();
        let line = ListedLine { sender: "ai@b.vn".to_owned(), listed, is_shown: true };
        assert!(tx.list_sender(row.account, &line, ("test", 9), world.engine.now()).await.unwrap());
        tx.commit().await.unwrap();
    };
    comes(&world, &forged(), &["an"]).await.unwrap();
    world.engine.set_forward(&actor(), &address("an"), (&address("binh"), false)).await.unwrap();
    put(Listed::Allowed).await;
    comes(&world, &brought(Sorting::Junk, Outcome::Pass), &["an"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 0, 1], [1, 0, 0]));
    put(Listed::Blocked).await;
    comes(&world, &brought(Sorting::Inbox, Outcome::Pass), &["an"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 1, 1], [1, 0, 0]));
    // Whatever is known of where it comes from; to whomever it is besides.
    comes(&world, &arrival(), &["binh", "an"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 2, 1], [2, 0, 0]));
    // As a member of a group, too; what is to be kept apart still is.
    let engine = &world.engine;
    engine.add_group(&actor(), &group("hai", GroupRule::Manual, None, false)).await.unwrap();
    engine.change_group(&actor(), &address("hai"), (&[address("an"), address("binh")], true)).await.unwrap();
    engine.set_group_senders(&actor(), &address("hai"), (GroupSenders::Everybody, &[])).await.unwrap();
    comes(&world, &arrival(), &["hai"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([0, 3, 1], [3, 0, 0]));
    comes(&world, &forged(), &["an"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [0, 3, 2]);
}

#[tokio::test]
async fn who_gets_it_from_somebody_who_wants_it_has_it_whoever_is_named_first() {
    let world = World::new().await;
    for name in ["an", "binh"] {
        world.user(name).await;
    }
    let spam = brought(Sorting::Quarantine(Cause::Content(model::scan::Reason::Spam)), Outcome::Pass);
    comes(&world, &spam, &["binh"]).await.unwrap();
    let [(first, _)] = seen(&world, &actor()).await.try_into().unwrap();
    world.engine.release_quarantined(&actor(), (first, true)).await.unwrap();
    hand_out(&world).await;
    world.engine.set_forward(&actor(), &address("binh"), (&address("an"), false)).await.unwrap();
    for (came, to) in [(1, ["an", "binh"]), (2, ["binh", "an"])] {
        comes(&world, &spam, &to).await.unwrap();
        assert_eq!(lie(&world, "an").await, [came, 0, 0], "{to:?}");
    }
    comes(&world, &spam, &["an"]).await.unwrap();
    assert_eq!((lie(&world, "an").await, lie(&world, "binh").await), ([2, 0, 1], [1, 0, 0]));
}

#[tokio::test]
async fn whose_name_was_forged_is_not_blocked_by_that() {
    let world = World::new().await;
    world.user("an").await;
    let engine = &world.engine;
    let block = async || {
        let (id, _) = seen(&world, &actor()).await.pop().unwrap();
        engine.block_sender(&actor(), id).await.unwrap().1
    };
    comes(&world, &forged(), &["an"]).await.unwrap();
    let line = block().await;
    assert_eq!((line.sender.as_str(), line.is_shown), ("ai@b.vn", false));
    for (arrival, at_an) in [
        (brought(Sorting::Inbox, Outcome::Pass), [1, 0, 1]),
        (brought(Sorting::Inbox, Outcome::Fail), [1, 1, 1]),
        (arrival(), [1, 2, 1]),
    ] {
        comes(&world, &arrival, &["an"]).await.unwrap();
        assert_eq!(lie(&world, "an").await, at_an);
    }
    // He himself, and then again somebody in his name.
    for (arrival, at_an) in [
        (brought(Sorting::Quarantine(Cause::Content(model::scan::Reason::Spam)), Outcome::Pass), [1, 3, 2]),
        (forged(), [1, 4, 3]),
    ] {
        comes(&world, &arrival, &["an"]).await.unwrap();
        block().await;
        comes(&world, &brought(Sorting::Inbox, Outcome::Pass), &["an"]).await.unwrap();
        assert_eq!(lie(&world, "an").await, at_an);
    }
    let listed = engine.listed_senders(&actor(), &address("an")).await.unwrap();
    assert_eq!((listed.len(), listed[0].is_shown), (1, true));
    comes(&world, &brought(Sorting::Inbox, Outcome::Fail), &["an"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [1, 5, 3]);
}

#[tokio::test]
async fn a_list_has_an_end_and_no_colleague_is_blocked() {
    let world = World::new().await;
    world.user("an").await;
    let engine = &world.engine;
    for message in [MESSAGE, b"From: binh@demo.gov.vn\r\n\r\nx", b"Subject: nobody\r\n\r\nx"] {
        says(&world, &forged(), &["an"], message).await.unwrap();
    }
    let [(strange, _), (ours, _), (nobody, _)] = seen(&world, &actor()).await.try_into().unwrap();
    let own = engine.block_sender(&actor(), ours).await;
    assert_eq!(own, Err(QuarantineError::OwnSender(address("binh"))));
    let (_, blocked) = engine.block_sender(&actor(), nobody).await.unwrap();
    assert_eq!(blocked.sender, "sender@example.org", "without an author that of the envelope");
    let allowed = engine.release_quarantined(&actor(), (nobody, true)).await;
    assert_eq!(allowed, Err(QuarantineError::NoSender));
    let fill = "insert into listed_senders
                select account_id, n || '@x.vn', 'blocked', 'x', now()
                  from generate_series(1, 499) n, addresses where address = 'an@demo.gov.vn'";
    world.database.run(fill).await;
    let full = engine.release_quarantined(&actor(), (strange, true)).await;
    assert_eq!(full, Err(QuarantineError::TooManySenders));
    assert_eq!(engine.block_sender(&actor(), strange).await, Err(QuarantineError::TooManySenders));
    engine.block_sender(&actor(), nobody).await.unwrap();
    hand_out(&world).await;
    assert_eq!(lie(&world, "an").await, [0, 0, 3], "and nothing was released");
    comes(&world, &brought(Sorting::Inbox, Outcome::Fail), &["an"]).await.unwrap();
    assert_eq!(lie(&world, "an").await, [0, 1, 3], "sender@example.org brought it");
}

async fn tell(world: &World) -> String {
    world.engine.run_job("quarantine-letters").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_mailbox_is_told_once_of_what_is_kept_apart_for_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    comes(&world, &forged(), &["an"]).await.unwrap();
    let lure = b"From: a@b.vn\r\nSubject: http://x.vn/a?b@c \xe2\x80\xaed\xe2\x80\xa8e\xef\xbc\x8ef\r\n\r\nx";
    says(&world, &forged(), &["an"], lure).await.unwrap();
    assert_eq!(tell(&world).await, "1 letters sent");
    let letter = world.letters(&an).await.pop().unwrap();
    assert!(letter.starts_with("Có 2 thư gửi đến hộp thư an@demo.gov.vn"), "{letter}");
    assert!(letter.contains("từ ai[@]b[.]vn: “Họp” (tên miền gửi không xác nhận thư này)"), "{letter}");
    assert!(letter.contains("“http: x[.]vn a?b c d e[.]f”"), "nothing to click on: {letter}");
    assert!(letter.contains("2 messages for an@demo.gov.vn are kept apart"), "{letter}");
    for (id, _) in seen(&world, &actor()).await {
        assert!(letter.contains(&format!("- Số {id}, ")), "{letter}");
    }
    world.clock.advance(DAY);
    assert_eq!(tell(&world).await, "0 letters sent", "he has been told");
    for _ in 0..21 {
        comes(&world, &forged(), &["an"]).await.unwrap();
    }
    assert_eq!(tell(&world).await, "1 letters sent");
    comes(&world, &forged(), &["an"]).await.unwrap();
    assert_eq!(tell(&world).await, "0 letters sent", "one a day");
    let letter = world.letters(&an).await.pop().unwrap();
    assert_eq!(
        (letter.matches("- Số ").count(), letter.contains("… và 1 thư khác.")),
        (20, true),
        "{letter}"
    );
    world.clock.advance(DAY);
    assert_eq!(tell(&world).await, "1 letters sent");
    assert_eq!(lie(&world, "binh").await, [0, 0, 0]);
}
