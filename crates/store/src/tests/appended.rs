//! Committing an APPEND: a lost answer is found out, either way.

use super::world::{World, open};
use crate::{Error, Evidence, NewEntry, Store, Target, Tx};
use model::{Flags, Uid};

async fn append(world: &World, store: &Store, to: &Target) -> (Tx, Evidence) {
    let content = world.content(&[b"draft"]).await;
    let mut tx = store.begin().await.unwrap();
    let id = tx.add_content(&content, world.now).await.unwrap();
    let modseq = tx.lock_mailbox(to.account).await.unwrap().unwrap();
    let new = NewEntry { now: world.now, internal_date: world.now, flags: Flags::NONE, keywords: &[] };
    let placed = tx.add_entries(id, std::slice::from_ref(to), new).await.unwrap();
    let entries = placed.iter().map(|place| (place.uid, id)).collect();
    (tx, Evidence { account: to.account, folder: to.folder, saved: world.now, entries, modseq })
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_out() {
    let world = World::new().await;
    let to = world.mailboxes(1).await.remove(0);
    let (url, proxy) = testkit_proxy(&world);
    let store = open(&url, 12).await;
    let (tx, evidence) = append(&world, &store, &to).await;
    proxy.cut_at_next_commit();
    store.commit_entries(tx, &evidence).await.unwrap();
    assert_eq!(world.number("select count(*) from entries").await, 1);
}

#[tokio::test]
async fn a_commit_that_did_not_happen_is_not_taken_for_one_that_did() {
    let world = World::new().await;
    let to = world.mailboxes(1).await.remove(0);
    let (tx, evidence) = append(&world, &world.store, &to).await;
    terminate(&world).await;
    assert!(matches!(world.store.commit_entries(tx, &evidence).await, Err(Error::Unavailable(_))));
    // Another message came to lie under the same uid.
    let (tx, other) = append(&world, &world.store, &to).await;
    world.store.commit_entries(tx, &other).await.unwrap();
    assert_eq!(evidence.entries[0].0, other.entries[0].0);
    let (tx, mut lost) = append(&world, &world.store, &to).await;
    terminate(&world).await;
    lost.entries = vec![(Uid(1), lost.entries[0].1)];
    assert!(matches!(world.store.commit_entries(tx, &lost).await, Err(Error::Unavailable(_))));
}

async fn terminate(world: &World) {
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
}

fn testkit_proxy(world: &World) -> (String, testkit::FaultProxy) {
    let url = &world.database.server_url;
    let home = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
    let proxy = testkit::FaultProxy::start(std::path::Path::new(home));
    let through = url.replace(home, &proxy.directory().display().to_string());
    assert_ne!(&through, url, "the proxy stands between");
    (through, proxy)
}
