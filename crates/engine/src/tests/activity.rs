//! What counts as use of a mailbox (B4), and what does not.

use super::delegation::{delegation, office, reach};
use super::{World, actor};
use crate::{Announcement, AnnouncementKind, Principal};
use jiff::SignedDuration;
use model::{FolderName, Right, Uid};
use tokio_util::sync::CancellationToken;

/// Takes every body of a folder, as `who`.
async fn read_all(world: &World, who: &Principal) {
    let inbox = world.engine.folder(who, &FolderName::inbox()).await.unwrap().unwrap();
    let view = world.engine.view(who, inbox.id).await.unwrap();
    let all: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
    assert!(!all.is_empty());
    world.engine.note_retrieved(who, &view, &all).await;
}

async fn is_used(world: &World, name: &str) -> bool {
    let query = "select count(*) from activity v join addresses g using (account_id) where v.retrieved_at is not null";
    world.number(&format!("{query} and g.address = '{name}@demo.gov.vn'")).await == 1
}

#[tokio::test]
async fn to_read_an_announcement_is_no_use() {
    let world = World::new().await;
    let an = world.user("an").await;
    let begins = world.engine.now() + SignedDuration::from_hours(1);
    let kind = AnnouncementKind::Stop {
        begins,
        ends: begins + SignedDuration::from_hours(2),
        emergency: Some("Sự cố"),
    };
    world.engine.announce(&actor(), &Announcement { domain: None, kind, text: "Nâng cấp" }).await.unwrap();
    world.engine.expand_all(&CancellationToken::new()).await;
    read_all(&world, &an).await;
    assert!(!is_used(&world, "an").await);
    world.deliver(&["an"], b"Subject: x\r\n\r\ny\r\n").await;
    read_all(&world, &an).await;
    assert!(is_used(&world, "an").await);
}

#[tokio::test]
async fn an_office_is_used_by_whoever_reads_for_it() {
    let world = World::new().await;
    let an = world.user("an").await;
    office(&world, "vanthu").await;
    world.engine.grant_delegation(&actor(), &delegation("vanthu", "an", &[Right::Read])).await.unwrap();
    world.deliver(&["vanthu"], b"Subject: x\r\n\r\ny\r\n").await;
    let place = reach(&world, &an, "Other Users/vanthu@demo.gov.vn/INBOX").await.unwrap();
    read_all(&world, &place.who).await;
    assert!(is_used(&world, "vanthu").await);
    // What was lent of a person's says nothing of that person.
    world.database.run("update accounts set class = 'person'").await;
    world.database.run("delete from activity").await;
    world.deliver(&["vanthu"], b"Subject: z\r\n\r\ny\r\n").await;
    world.clock.advance(SignedDuration::from_hours(48));
    read_all(&world, &place.who).await;
    assert!(!is_used(&world, "vanthu").await);
}
