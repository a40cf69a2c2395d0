//! Administrators and the queue: what they see, what they may do, what is written down of it.

use super::*;
use crate::{Actor, QueueError, QueueFilter};
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
    assert!(rows.iter().all(|row| row.attempts == 1 && !row.held && !row.sending));
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
    assert_eq!(world.queue_rows().await, [0; 4]);
    assert_eq!(world.audited("queue.change").await, vec![id.clone(); 4]);
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
