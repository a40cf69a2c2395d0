//! Administrators and the queue: what they see, what they may do, what is written down of it.

use super::*;
use crate::{Actor, QueueError, QueueFilter, QueueState, TraceQuery, Wishes};
use model::lifecycle::LockReason;
use model::{DomainName, Grant, Role, Scope};

fn every() -> QueueFilter {
    QueueFilter { limit: 100, ..QueueFilter::default() }
}

#[tokio::test]
async fn an_administrator_sees_holds_lets_go_and_ends() {
    let world = World::new().await;
    let an = world.user("an").await;
    let id = send(&world, &an, &["ai@example.org", "ai@example.net"]).await;
    work(&world.engine, |delivery| all(delivery, &later())).await;
    let engine = &world.engine;
    let rows = engine.queued_message(&actor(), &id).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.attempts == 1 && row.state == QueueState::Waiting));
    assert!(rows[0].recipients[0].1.as_ref().is_some_and(|answer| answer.code == Some(451)));
    let destinations = engine.queue_destinations(&actor()).await.unwrap();
    assert_eq!(destinations.len(), 2);
    let one = QueueFilter { domain: Some("example.net".into()), ..every() };
    assert_eq!(engine.queue(&actor(), &one).await.unwrap().len(), 1);
    // Kept back, it is neither sent nor given up.
    assert_eq!(engine.hold_queued(&actor(), &id, true).await.unwrap().deliveries, 2);
    world.forward(24 * 6, 0);
    world.look_after().await;
    assert_eq!(everything_taken(engine).await.len(), 0);
    assert_eq!(world.queue_rows().await, [1, 2, 2, 0]);
    // That time does not count.
    engine.hold_queued(&actor(), &id, false).await.unwrap();
    world.look_after().await;
    assert_eq!((world.queue_rows().await, world.inbox(&an).await.len()), ([1, 2, 2, 0], 0));
    work(engine, |delivery| all(delivery, &later())).await;
    // At once, also where nobody would look.
    engine.retry_queued(&actor(), &id).await.unwrap();
    assert_eq!(work(engine, |delivery| all(delivery, &later())).await.len(), 2);
    engine.expire_queued(&actor(), &id, false).await.unwrap();
    let told = world.inbox(&an).await;
    assert_eq!(told.iter().filter(|text| text.contains("Status: 5.4.7")).count(), 1, "{told:?}");
    let letters = world.letters(&an).await;
    assert!(
        letters.iter().any(|text| text.contains("An administrator has stopped this message.")),
        "{letters:?}"
    );
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.audited("queue.change").await, vec![format!("*/queue/{id}"); 4]);
    for (code, found) in [("5.4.7", 1), ("5.4", 0), ("4.7", 0), ("547", 0)] {
        let query = TraceQuery { status: Some(code.to_owned()), limit: 10, ..TraceQuery::default() };
        assert_eq!(engine.trace(&actor(), &query).await.unwrap().len(), found, "{code}");
    }
    let gone = engine.queued_message(&actor(), &id).await.unwrap_err();
    assert_eq!(gone, QueueError::NoSuchMessage(id));
}

#[tokio::test]
async fn what_is_being_sent_is_not_touched() {
    let world = World::new().await;
    let an = world.user("an").await;
    let id = send(&world, &an, &["ai@example.org"]).await;
    let claimed = world.engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    let refused = world.engine.expire_queued(&actor(), &id, true).await.unwrap_err();
    assert_eq!(refused, QueueError::BeingSent(id.clone()));
    world.engine.give_back_mail(&claimed.lease).await.unwrap();
    world.engine.expire_queued(&actor(), &id, true).await.unwrap();
    assert_eq!(world.inbox(&an).await.len(), 0, "quietly");
    assert_eq!(world.queue_rows().await, [0; 4]);
}

#[tokio::test]
async fn a_message_is_sent_elsewhere_instead() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let there = send(&world, &an, &["ai@example.org", "ai@example.net"]).await;
    let here = send(&world, &an, &["ai@example.org"]).await;
    let (one, two) = (Actor::console("one"), Actor::console("two"));
    let redirect =
        async |who: &Actor, id: &str, to: &str| world.engine.redirect_queued(who, id, &address(to)).await;
    let nobody = redirect(&one, &there, "khongco").await.unwrap_err();
    assert_eq!(nobody, QueueError::NoSuchTarget(address("khongco")));
    // Not by one alone, nor by two who mean different things.
    assert_eq!(redirect(&one, &there, "moi@example.com").await, Ok(None));
    let alone = redirect(&one, &there, "moi@example.com").await.unwrap_err();
    assert_eq!(alone, QueueError::Admin(crate::AdminError::SecondPerson));
    assert_eq!(redirect(&two, &there, "khac@example.com").await, Ok(None));
    assert_eq!(redirect(&one, &there, "moi@example.com").await, Ok(None));
    assert_eq!(redirect(&two, &there, "moi@example.com").await.unwrap().unwrap().deliveries, 2);
    assert_eq!(redirect(&two, &here, "binh").await, Ok(None));
    assert_eq!(redirect(&one, &here, "binh").await.unwrap().unwrap().deliveries, 1);
    assert_eq!(world.inbox(&binh).await.len(), 1);
    assert_eq!(world.audited("queue.redirect").await.len(), 6);
    assert_eq!(everything_taken(&world.engine).await, ["example.com"]);
    assert_eq!(world.queue_rows().await, [0; 4]);
    // Its sender knows of it.
    let told = world.inbox(&an).await;
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("Diagnostic-Code: x-cong-thu;sent to moi@example.com instead"), "{}", told[0]);
    assert!(told[1].contains("Final-Recipient: rfc822;ai@example.org\r\nAction: relayed"), "{}", told[1]);
}

/// Two persons by the numbers of their mailboxes, as an address changes with a transfer; both may still do it when it is done.
#[tokio::test]
async fn the_second_person_is_another_one_whatever_they_are_called() {
    let world = World::new().await;
    let an = world.user("an").await;
    let (one, two) = (world.user("mot").await, world.user("hai").await);
    let id = send(&world, &an, &["ai@example.org"]).await;
    let everywhere = Grant::new(Role::SystemAdministrator, Scope::System).unwrap();
    let (first, second) = (address("mot"), address("hai"));
    let role = |holder| crate::RoleOver {
        holder,
        role: Role::SystemAdministrator,
        over: crate::AdminTarget::System,
    };
    for holder in [&first, &second] {
        world.engine.grant_role(&actor(), &role(holder), None, "QĐ 1").await.unwrap();
    }
    let named = |name: &str, who: &Principal| Actor::of(name, Some(who.account()), vec![everywhere]);
    let to = address("moi@example.com");
    let redirect = async |who: &Actor| world.engine.redirect_queued(who, &id, &to).await;
    assert_eq!(redirect(&named("mot@demo.gov.vn", &one)).await, Ok(None));
    // Under his new address he is who he was.
    let same = redirect(&named("mot.moi@demo.gov.vn", &one)).await.unwrap_err();
    assert_eq!(same, QueueError::Admin(crate::AdminError::SecondPerson));
    // What nobody agreed to within a day was never asked for.
    world.forward(24, 1);
    assert_eq!(redirect(&named("hai@demo.gov.vn", &two)).await, Ok(None));
    // Whoever may not ask for it any more has not asked.
    assert!(world.engine.revoke_role(&actor(), &role(&second)).await.unwrap());
    assert_eq!(redirect(&named("mot@demo.gov.vn", &one)).await, Ok(None));
    let console = Actor::console("console:root");
    assert_eq!(redirect(&console).await.unwrap().unwrap().deliveries, 1);
    assert_eq!(everything_taken(&world.engine).await, ["example.com"]);
}

/// Who sends it to himself reads it.
#[tokio::test]
async fn an_operator_sends_nobodys_mail_to_another_address() {
    let world = World::new().await;
    let an = world.user("an").await;
    let id = send(&world, &an, &["ai@example.org"]).await;
    let own = world.database.number("select domain_id from domains").await;
    let grant = Grant::new(Role::CentreOperator, Scope::Domain(model::DomainId(own)));
    let operator = Actor::of("x", None, grant.into_iter().collect());
    assert!(world.engine.queued_message(&operator, &id).await.is_ok());
    let refused = world.engine.redirect_queued(&operator, &id, &address("an")).await.unwrap_err();
    assert_eq!(refused, QueueError::Admin(crate::AdminError::Denied(model::Reason::Role)));
}

#[tokio::test]
async fn another_domains_mail_is_out_of_sight() {
    let world = World::new().await;
    let an = world.user("an").await;
    let id = send(&world, &an, &["ai@example.org"]).await;
    world.engine.add_domain(&actor(), &DomainName::new("khac.gov.vn").unwrap(), "an-giang").await.unwrap();
    let of = |role, scope| Actor::of("x", None, Grant::new(role, scope).into_iter().collect());
    let domain = async |name: &str| {
        let statement = format!("select domain_id from domains where name = '{name}'");
        model::DomainId(world.database.number(&statement).await)
    };
    let (own, other) = (domain("demo.gov.vn").await, domain("khac.gov.vn").await);
    for (actor, sees) in [
        (of(Role::CentreOperator, Scope::Domain(own)), true),
        (of(Role::CentreOperator, Scope::Domain(other)), false),
        (of(Role::Helpdesk, Scope::Domain(own)), false),
        (of(Role::Inspector, Scope::Domain(own)), false),
    ] {
        assert_eq!(world.engine.queue(&actor, &every()).await.unwrap().len(), usize::from(sees));
        assert_eq!(world.engine.queue_destinations(&actor).await.unwrap().len(), usize::from(sees));
        let held = world.engine.hold_queued(&actor, &id, true).await;
        assert_eq!(held.is_ok(), sees, "{held:?}");
    }
    let stranger = of(Role::CentreOperator, Scope::Domain(other));
    let hidden = world.engine.expire_queued(&stranger, &id, true).await.unwrap_err();
    let missing = world.engine.expire_queued(&stranger, "0000", true).await.unwrap_err();
    assert_eq!(hidden, QueueError::NoSuchMessage(id));
    assert_eq!(missing, QueueError::NoSuchMessage("0000".into()));
}

/// Whose, to whom, and why it is still there.
#[tokio::test]
async fn the_queue_is_narrowed_by_sender_recipient_and_state() {
    let world = World::new().await;
    let (an, binh, chi) = (world.user("an").await, world.user("binh").await, world.user("chi").await);
    let engine = &world.engine;
    let away = |_: &LeasedDelivery| Err(super::away());
    send(&world, &an, &["ai@rest.example"]).await;
    work(engine, away).await;
    let at = engine.now() + SignedDuration::from_hours(2);
    let later = Wishes { release_at: Some(at), ..Wishes::default() };
    submit(&world, &an, &[outside(&world, &an, "sau@example.org").await], later).await;
    let id = send(&world, &binh, &["Ai@example.org", "ba@example.net"]).await;
    engine.hold_queued(&actor(), &id, true).await.unwrap();
    send(&world, &chi, &["ai@example.com"]).await;
    engine.lock(&actor(), &address("chi"), LockReason::Spam, "thư rác").await.unwrap();
    send(&world, &an, &["ba@example.info"]).await;
    let listed = async |filter: QueueFilter| {
        let rows = engine.queue(&actor(), &filter).await.unwrap();
        rows.iter().map(|row| format!("{} {}", row.destination, row.state.as_str())).collect::<Vec<_>>()
    };
    let of = |state| QueueFilter { state: Some(state), ..every() };
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (of(QueueState::Resting), vec!["rest.example resting"]),
        (of(QueueState::Scheduled), vec!["example.org scheduled"]),
        (
            of(QueueState::HeldByOperator),
            vec!["example.net held-by-operator", "example.org held-by-operator"],
        ),
        (of(QueueState::HeldByLock), vec!["example.com held-by-lock"]),
        (of(QueueState::Waiting), vec!["example.info waiting"]),
        (of(QueueState::Sending), vec![]),
        (
            QueueFilter { sender: text("binh@demo.gov.vn"), recipient: text("ai@example.org"), ..every() },
            vec!["example.org held-by-operator"],
        ),
        (QueueFilter { recipient: text("ba@example.info"), ..every() }, vec!["example.info waiting"]),
        (QueueFilter { sender: text(""), ..every() }, vec![]),
    ] {
        assert_eq!(listed(filter.clone()).await, expected, "{filter:?}");
    }
    let claimed = engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    assert_eq!(listed(of(QueueState::Sending)).await, ["example.info sending"]);
    engine.give_back_mail(&claimed.lease).await.unwrap();
}

#[tokio::test]
async fn all_that_somebody_sent_is_held_or_given_up() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let engine = &world.engine;
    let first = send(&world, &an, &["ai@example.org", "ai@example.net"]).await;
    send(&world, &an, &["ai@example.com"]).await;
    send(&world, &binh, &["ai@example.info"]).await;
    assert_eq!(engine.hold_mail_of(&actor(), &address("an"), true).await.unwrap(), 3);
    assert_eq!(everything_taken(engine).await, ["example.info"], "others go");
    engine.hold_queued(&actor(), &first, false).await.unwrap();
    let claimed = engine.claim_mail(&WantedWork::default()).await.unwrap().unwrap();
    // What is being sent stays; the rest is given up, and its sender hears nothing.
    let (ended, being_sent) = engine.expire_mail_of(&actor(), &address("an"), true).await.unwrap();
    assert_eq!((ended, being_sent), (1, vec![first.clone()]));
    engine.give_back_mail(&claimed.lease).await.unwrap();
    assert_eq!(engine.expire_mail_of(&actor(), &address("an"), false).await.unwrap(), (2, vec![]));
    assert_eq!((world.queue_rows().await, world.inbox(&an).await.len()), ([0; 4], 1));
    assert_eq!(world.audited("queue.change").await.len(), 4);
    let nobody = engine.hold_mail_of(&actor(), &address("khongco"), true).await;
    assert!(matches!(nobody, Err(QueueError::Admin(crate::AdminError::NoSuchMailbox(_)))), "{nobody:?}");
}
