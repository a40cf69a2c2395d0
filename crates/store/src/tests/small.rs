//! Accepting in one statement: the same as in a transaction, and a lost answer is found out.

use super::world::{World, described, open};
use crate::{Error, Event, NewChunk, NewContent, Store, Target};
use model::FolderId;

async fn accept(
    world: &World,
    store: &Store,
    pieces: &[&[u8]],
    to: &[Target],
    trace: &str,
) -> Result<NewContent, Error> {
    let content = described(Vec::new(), pieces);
    let chunks: Vec<NewChunk<'_>> =
        pieces.iter().map(|bytes| NewChunk { hash: *blake3::hash(bytes).as_bytes(), bytes }).collect();
    let event = Event { trace, ..world.event() };
    store.accept_small(&content, &chunks, to, &event).await.map(|()| content)
}

/// The octets of the last content.
async fn last(world: &World) -> Vec<u8> {
    let row = "select chunk_ids[nth] from contents, generate_subscripts(chunk_ids, 1) as nth
                where content_id = (select max(content_id) from contents) order by nth";
    let ids: Vec<i64> = sqlx::query_scalar(row).fetch_all(&mut world.superuser().await).await.unwrap();
    let chunks = world.store.read_chunks(&ids).await.unwrap();
    let find = |id: &i64| chunks.iter().find(|(of, _)| of == id).unwrap().1.clone();
    ids.iter().flat_map(find).collect()
}

#[tokio::test]
async fn messages_come_with_their_chunks() {
    let world = World::new().await;
    let to = world.mailboxes(3).await;
    accept(&world, &world.store, &[b"alone"], &to[..1], "1").await.unwrap();
    assert_eq!(last(&world).await, b"alone");
    // New ones, one that is there, and one twice; to many.
    accept(&world, &world.store, &[b"b", b"alone", b"a", b"b"], &to, "2").await.unwrap();
    assert_eq!(last(&world).await, b"baloneab");
    accept(&world, &world.store, &[b"a", b"b"], &to[1..], "3").await.unwrap();
    assert_eq!(last(&world).await, b"ab");
    assert_eq!(world.number("select count(*) from chunks").await, 3);
    assert_eq!(world.number("select count(*) from chunk_refs").await, 6);
    assert_eq!(world.number("select count(*) from entries").await, 6);
    assert_eq!(world.number("select sum(used_bytes)::bigint from counters").await, 5 + 3 * 8 + 2 * 2);
    assert_eq!(world.number("select count(*) from folders where uid_next = 3").await, 3);
    assert_eq!(world.number("select count(*) from events where cardinality(recipients) = 3").await, 1);
}

#[tokio::test]
async fn what_cannot_be_accepted_leaves_nothing() {
    let world = World::new().await;
    let mut to = world.mailboxes(2).await;
    let there = to[1].folder;
    to[1].folder = FolderId(there.0 + 1000);
    for targets in [&to[..], &to[1..]] {
        let refused = accept(&world, &world.store, &[b"x"], targets, "1").await.unwrap_err();
        assert!(matches!(refused, Error::MailboxGone), "{refused}");
    }
    assert_eq!(world.number("select count(*) from chunks").await, 0);
    // The whole message in one piece that is there already.
    accept(&world, &world.store, &[b"y"], &to[..1], "2").await.unwrap();
    let refused = accept(&world, &world.store, &[b"y"], &to[..1], "3").await.unwrap_err();
    assert!(matches!(refused, Error::ChunkGone), "{refused}");
    assert_eq!(world.number("select count(*) from entries").await, 1);
}

/// The sweeper would delete it: accepting pardons it.
#[tokio::test]
async fn a_condemned_chunk_is_pardoned() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    accept(&world, &world.store, &[b"kept"], &to, "1").await.unwrap();
    world.database.run("update chunks set condemned_at = now()").await;
    accept(&world, &world.store, &[b"new", b"kept"], &to, "2").await.unwrap();
    assert_eq!(world.number("select count(*) from chunks where condemned_at is null").await, 2);
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let url = &world.database.server_url;
    let home = url.split("host=").nth(1).unwrap().split('&').next().unwrap();
    let proxy = testkit::FaultProxy::start(std::path::Path::new(home));
    let through = url.replace(home, &proxy.directory().display().to_string());
    let store = open(&through, 12).await;
    proxy.cut_at_next("trace-of-this-one");
    accept(&world, &store, &[b"acknowledged"], &to, "trace-of-this-one").await.unwrap();
    assert_eq!(world.number("select count(*) from entries").await, 1);
}

#[tokio::test]
async fn what_was_given_up_is_never_accepted() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let event = Event { trace: "late", ..world.event() };
    // Its connection died before the statement began, which then comes after all.
    assert!(!world.store.was_accepted(&event).await.unwrap());
    assert!(!world.store.was_accepted(&event).await.unwrap());
    let late = accept(&world, &world.store, &[b"x"], &to, "late").await.unwrap_err();
    assert!(matches!(late, Error::Unavailable(_)), "{late}");
    assert_eq!(world.number("select count(*) from entries").await, 0);
    accept(&world, &world.store, &[b"x"], &to, "other").await.unwrap();
    let accepted = Event { trace: "other", ..world.event() };
    assert!(world.store.was_accepted(&accepted).await.unwrap());
    assert_eq!(world.number("select count(*) from abandoned").await, 1);
}
