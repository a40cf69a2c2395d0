//! How often mailboxes are looked at, from log-ins and open sessions.

use super::{PASSWORD, World, actor, origin};
use crate::{Actor, Checking};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use model::{DomainName, Grant, Role, Scope};

const MONDAY: Date = date(2026, 11, 23);
const TUESDAY: Date = date(2026, 11, 24);

async fn log_in(world: &World, name: &str, at: &str) {
    let at: Timestamp = at.parse().unwrap();
    world.clock.advance(at.duration_since(world.engine.now()));
    world.engine.log_in(&format!("{name}@demo.gov.vn"), PASSWORD, &origin()).await.unwrap();
}

async fn met(world: &World, days: (Date, Date)) -> Vec<(String, u32, u32)> {
    let report = world.engine.checking(&actor(), None, days).await.unwrap();
    report.mailboxes.into_iter().map(|one| (one.of, one.met, one.expected)).collect()
}

#[tokio::test]
async fn days_count_that_were_checked_in_each_half_session() {
    let world = World::new().await;
    let an = world.user("an").await;
    world.user("binh").await;
    // An Giang: at the beginning and in the middle of the morning and of the afternoon, Vietnamese time.
    for hour in ["00:10", "03:00", "06:40", "09:00"] {
        log_in(&world, "an", &format!("2026-11-23T{hour}:00Z")).await;
    }
    log_in(&world, "binh", "2026-11-23T09:05:00Z").await;
    assert!(world.engine.run_job("note-checks").await.unwrap().is_some());
    let name = |name: &str| format!("{name}@demo.gov.vn");
    assert_eq!(met(&world, (MONDAY, MONDAY)).await, [(name("an"), 1, 1), (name("binh"), 0, 1)]);
    // The Sunday before is no working day, and tomorrow has not been.
    let week = (date(2026, 11, 16), date(2026, 11, 29));
    assert_eq!(met(&world, week).await, [(name("an"), 1, 1), (name("binh"), 0, 1)], "made on Sunday");
    // Who leaves his mail program open all day.
    let watch = world.engine.watch(&an);
    for hour in ["00:40", "03:10", "06:10", "09:10"] {
        let at: Timestamp = format!("2026-11-24T{hour}:00Z").parse().unwrap();
        world.clock.advance(at.duration_since(world.engine.now()));
        world.engine.note_present().await;
    }
    drop(watch);
    world.engine.note_present().await;
    assert_eq!(met(&world, (MONDAY, TUESDAY)).await, [(name("an"), 2, 2), (name("binh"), 0, 2)]);
    assert!(world.engine.run_job("note-checks").await.unwrap().is_some());
    assert_eq!(
        met(&world, (MONDAY, TUESDAY)).await,
        [(name("an"), 2, 2), (name("binh"), 0, 2)],
        "done twice"
    );
    let twice = [("checking.person".to_owned(), "1".to_owned())];
    let edit = crate::PolicyEdit { settings: &twice, based_on: None, reason: "QĐ", dry_run: false };
    world.engine.change_policy(&actor(), &DomainName::new("demo.gov.vn").unwrap(), &edit).await.unwrap();
    assert_eq!(met(&world, (MONDAY, TUESDAY)).await, [(name("an"), 2, 2), (name("binh"), 1, 2)]);
    let report = world.engine.checking(&actor(), None, (MONDAY, TUESDAY)).await.unwrap();
    let whole = Checking { of: "demo.gov.vn".into(), name: String::new(), mailboxes: 2, expected: 4, met: 3 };
    assert_eq!(report.units, [whole]);
    assert_eq!(report.units[0].percent(), Some(75));
    assert!(world.engine.checking(&actor(), None, (TUESDAY, MONDAY)).await.is_err());
    let owner = Grant::new(Role::MailboxOwner, Scope::Mailbox(an.account())).unwrap();
    let report =
        world.engine.checking(&Actor::of("an", None, vec![owner]), None, (MONDAY, TUESDAY)).await.unwrap();
    assert_eq!(report.mailboxes.len(), 1);
    let helpdesk = Grant::new(Role::Helpdesk, Scope::Domain(model::DomainId(1))).unwrap();
    let report =
        world.engine.checking(&Actor::of("x", None, vec![helpdesk]), None, (MONDAY, TUESDAY)).await.unwrap();
    assert_eq!(report.mailboxes, []);
}
