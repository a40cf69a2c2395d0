//! Stops are announced in time and to everybody, once.

use super::{World, actor};
use crate::{Actor, AdminError, Announcement, AnnouncementKind};
use jiff::{SignedDuration, Timestamp};
use model::{DomainName, Grant, Reason, Role, Scope};
use tokio_util::sync::CancellationToken;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn stop<'a>(begins: &str, emergency: Option<&'a str>) -> AnnouncementKind<'a> {
    let begins = at(begins);
    AnnouncementKind::Stop { begins, ends: begins + SignedDuration::from_hours(2), emergency }
}

async fn announce(world: &World, kind: AnnouncementKind<'_>) -> Result<i64, AdminError> {
    world.engine.announce(&actor(), &Announcement { domain: None, kind, text: "Nâng cấp máy chủ" }).await
}

#[tokio::test]
async fn a_stop_is_announced_three_whole_working_days_ahead_or_is_an_emergency() {
    let world = World::new().await;
    // A Sunday; Monday to Wednesday are three working days, in Vietnamese days.
    assert_eq!(world.engine.now(), at("2026-11-22T01:00:00Z"));
    let first = at("2026-11-25T17:00:00Z");
    let soon = announce(&world, stop("2026-11-25T16:59:59Z", None)).await;
    assert_eq!(soon, Err(AdminError::TooSoon { days: 3, first }));
    announce(&world, stop("2026-11-25T17:00:00Z", None)).await.unwrap();
    announce(&world, stop("2026-11-22T02:00:00Z", Some("Sự cố nguồn điện"))).await.unwrap();
    assert_eq!(announce(&world, stop("2026-11-22T02:00:00Z", Some(" "))).await, Err(AdminError::BadText));
    let backwards =
        AnnouncementKind::Stop { begins: at("2027-01-04T02:00:00Z"), ends: first, emergency: None };
    assert_eq!(announce(&world, backwards).await, Err(AdminError::BadPeriod));
    let incident = |recovery| AnnouncementKind::Incident { since: at("2026-11-22T00:30:00Z"), recovery };
    assert_eq!(announce(&world, incident(None)).await, Err(AdminError::NoRecovery));
    announce(&world, incident(Some(first))).await.unwrap();
    // Tết: from 5 to 12 February 2027 nobody works.
    world.clock.advance(at("2027-02-03T01:00:00Z").duration_since(world.engine.now()));
    let Err(AdminError::TooSoon { first, .. }) = announce(&world, stop("2027-02-06T01:00:00Z", None)).await
    else {
        panic!("two days before Tết");
    };
    assert!(first > at("2027-02-09T00:00:00Z"), "{first}");
    let no = [("announcement.emergencies".to_owned(), "false".to_owned())];
    let edit = crate::PolicyEdit { settings: &no, based_on: None, reason: "QĐ", dry_run: false };
    world.engine.change_policy(&actor(), &DomainName::new("demo.gov.vn").unwrap(), &edit).await.unwrap();
    let refused = announce(&world, stop("2027-02-04T02:00:00Z", Some("Sự cố"))).await;
    assert_eq!(refused, Err(AdminError::NoEmergencies));
}

#[tokio::test]
async fn everybody_is_told_once_and_so_of_its_cancellation() {
    let world = World::new().await;
    let (an, binh) = (world.user("an").await, world.user("binh").await);
    let number = announce(&world, stop("2026-12-01T13:00:00Z", None)).await.unwrap();
    let stop_now = CancellationToken::new();
    world.engine.expand_all(&stop_now).await;
    for who in [&an, &binh] {
        let mail = world.read(who, "INBOX").await;
        let [(_, only)] = mail.as_slice() else { panic!("{} messages", mail.len()) };
        let text = String::from_utf8_lossy(only);
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(!text.contains("binh@"), "nobody is named: {text}");
    }
    assert_eq!(world.database.number("select count(*) from contents").await, 1);
    let open = world.engine.announcements(&actor(), true, None).await.unwrap();
    assert_eq!(open.iter().map(|row| row.announcement).collect::<Vec<_>>(), [number]);
    world.engine.cancel_announcement(&actor(), number).await.unwrap();
    let again = world.engine.cancel_announcement(&actor(), number).await;
    assert_eq!(again, Err(AdminError::NoSuchAnnouncement(number)));
    world.engine.expand_all(&stop_now).await;
    assert_eq!(world.read(&an, "INBOX").await.len(), 2);
    assert!(world.engine.announcements(&actor(), true, None).await.unwrap().is_empty());
    assert_eq!(world.engine.announcements(&actor(), false, None).await.unwrap().len(), 1);
    assert_eq!(world.database.number("select count(*) from audit where action like 'announce.%'").await, 2);
}

#[tokio::test]
async fn an_incident_to_come_is_told_of_when_it_begins() {
    let world = World::new().await;
    let an = world.user("an").await;
    let (begins, over) = (at("2026-11-22T15:00:00Z"), at("2026-11-22T18:00:00Z"));
    let incident = AnnouncementKind::Incident { since: begins, recovery: Some(over) };
    let stays = announce(&world, incident).await.unwrap();
    let goes = announce(&world, incident).await.unwrap();
    let stop_now = CancellationToken::new();
    let received = async || {
        world.engine.run_job("tell-incidents").await.unwrap().unwrap();
        world.engine.expand_all(&stop_now).await;
        world.read(&an, "INBOX").await.len()
    };
    assert_eq!(received().await, 0);
    world.engine.cancel_announcement(&actor(), goes).await.unwrap();
    assert_eq!(received().await, 0, "nobody was told of it");
    world.clock.advance(begins.duration_since(world.engine.now()));
    assert_eq!(received().await, 1);
    assert_eq!(received().await, 1, "once");
    world.engine.cancel_announcement(&actor(), stays).await.unwrap();
    assert_eq!(received().await, 2);
}

#[tokio::test]
async fn an_operator_announces_in_his_domain_alone() {
    let world = World::new().await;
    let demo = DomainName::new("demo.gov.vn").unwrap();
    let other = DomainName::new("b.vn").unwrap();
    world.engine.add_domain(&actor(), &other, "an-giang").await.unwrap();
    let id = world.store.domain(&demo).await.unwrap().unwrap();
    let grant = Grant::new(Role::CentreOperator, Scope::Domain(id)).unwrap();
    let operator = Actor::of("vanhanh", None, vec![grant]);
    let of = |domain| Announcement { domain, kind: stop("2026-12-01T13:00:00Z", None), text: "Nâng cấp" };
    let everywhere = world.engine.announce(&actor(), &of(None)).await.unwrap();
    let foreign = world.engine.announce(&actor(), &of(Some(&other))).await.unwrap();
    let own = world.engine.announce(&operator, &of(Some(&demo))).await.unwrap();
    let refused = world.engine.announce(&operator, &of(None)).await;
    assert_eq!(refused, Err(AdminError::Denied(Reason::Role)));
    assert_eq!(
        world.engine.announce(&operator, &of(Some(&other))).await,
        Err(AdminError::NoSuchDomain(other.clone()))
    );
    let seen = world.engine.announcements(&operator, true, None).await.unwrap();
    assert_eq!(seen.iter().map(|row| row.announcement).collect::<Vec<_>>(), [own, everywhere]);
    let refused = world.engine.cancel_announcement(&operator, foreign).await;
    assert_eq!(refused, Err(AdminError::NoSuchAnnouncement(foreign)));
    let refused = world.engine.cancel_announcement(&operator, everywhere).await;
    assert_eq!(refused, Err(AdminError::Denied(Reason::Role)));
    world.engine.cancel_announcement(&operator, own).await.unwrap();
}
