//! Accepting in one statement: the same as in a transaction, and a lost answer is found out.

use super::world::{World, described, open};
use crate::{Error, Event, NewChunk, Room, SmallMessage, Store, Target};
use model::{Flags, FolderId, Uid};

fn small<'a>(pieces: &'a [&'a [u8]], targets: &'a [Target]) -> SmallMessage<'a> {
    let chunks =
        pieces.iter().map(|bytes| NewChunk { hash: *blake3::hash(bytes).as_bytes(), bytes }).collect();
    let content = described(Vec::new(), pieces);
    SmallMessage { content, chunks, targets, forwarded: &[], flags: Flags::NONE, internal_date: None }
}

async fn accept(
    world: &World,
    store: &Store,
    pieces: &[&[u8]],
    to: &[Target],
    trace: &str,
) -> Result<Vec<Option<Uid>>, Error> {
    let event = Event { trace, ..world.event() };
    store.accept_small(vec![small(pieces, to)], &event).await
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
    assert_eq!(world.number("select count(*) from contents").await, 0);
}

/// A mailbox that has vanished is nobody else's fault.
#[tokio::test]
async fn many_at_once_come_each_for_itself() {
    let world = World::new().await;
    let mut to = world.mailboxes(4).await;
    to[3].folder = FolderId(to[3].folder.0 + 1000);
    let bodies: Vec<String> = (0..200).map(|n| format!("message {}", n % 150)).collect();
    let traces: Vec<String> = (0..200).map(|n| format!("trace {n}")).collect();
    let pieces: Vec<[&[u8]; 2]> = bodies.iter().map(|body| [body.as_bytes(), b"common"]).collect();
    let under_way =
        (0..200).map(|n| accept(&world, &world.store, &pieces[n], &to[n % 4..=n % 4], &traces[n]));
    for (n, accepted) in futures_util::future::join_all(under_way).await.into_iter().enumerate() {
        match accepted {
            Ok(uids) => assert!(n % 4 != 3 && uids.len() == 1 && uids[0].is_some(), "{n}: {uids:?}"),
            Err(refused) => assert!(n % 4 == 3 && matches!(refused, Error::MailboxGone), "{n}: {refused}"),
        }
    }
    assert_eq!(world.number("select count(*) from entries").await, 150);
    assert_eq!(world.number("select count(distinct (folder_id, uid)) from entries").await, 150);
    assert_eq!(world.number("select sum(messages)::bigint from counters").await, 150);
    let sum = "select sum(size)::bigint - (select sum(used_bytes)::bigint from counters) from entries";
    assert_eq!(world.number(sum).await, 0);
    assert_eq!(world.number("select count(*) from events").await, 150);
}

#[tokio::test]
async fn messages_of_one_act_come_together_or_not_at_all() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let event = |trace| Event { trace, kind: "appended", ..world.event() };
    let at = Some("2020-02-02T02:02:02Z".parse().unwrap());
    let pieces: [[&[u8]; 1]; 3] = [[b"one"], [b"two"], [b"one"]];
    let of = |bytes, messages| [Target { room: Some(Room { bytes, messages }), ..to[0].clone() }];
    let (few, little, enough) = (of(9, 2), of(8, 3), of(9, 3));
    let three = |to| -> Vec<SmallMessage<'_>> {
        let one = |piece| SmallMessage { flags: Flags::SEEN, internal_date: at, ..small(piece, to) };
        pieces.iter().map(|piece| one(piece)).collect()
    };
    for (to, trace) in [(&few, "1"), (&little, "2")] {
        let refused = world.store.accept_small(three(to), &event(trace)).await.unwrap_err();
        assert!(matches!(&refused, Error::MailboxFull(full) if *full == [to[0].account]), "{refused}");
    }
    assert_eq!(world.number("select count(*) from chunks").await, 0);
    let uids = world.store.accept_small(three(&enough), &event("3")).await.unwrap();
    assert_eq!(uids, [Some(Uid(1)), Some(Uid(2)), Some(Uid(3))]);
    assert_eq!(world.number("select count(distinct content_id) from entries where flags = 1").await, 3);
    assert_eq!(
        world.number("select count(*) from entries where internal_date = '2020-02-02T02:02:02Z'").await,
        3
    );
    assert_eq!(world.number("select count(*) from chunks").await, 2);
    assert_eq!(world.number("select count(*) from events where kind = 'appended' and size = 9").await, 1);
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

#[tokio::test]
async fn a_mailbox_that_is_held_keeps_mail_from_no_other() {
    let world = World::new().await;
    let to = world.mailboxes(3).await;
    let mut holder = world.store.begin().await.unwrap();
    holder.lock_mailbox(to[0].account).await.unwrap();
    let traces: Vec<String> = (0..60).map(|n| format!("trace {n}")).collect();
    let pieces: [[&[u8]; 1]; 1] = [[b"x"]];
    let accepts = |of: usize| {
        let numbers = (0..60).filter(move |n| n % 3 == of);
        let one = |n: usize| accept(&world, &world.store, &pieces[0], &to[n % 3..=n % 3], &traces[n]);
        futures_util::future::join_all(numbers.map(one))
    };
    let mut held = std::pin::pin!(accepts(0));
    let others = async { (accepts(1).await, accepts(2).await) };
    tokio::select! {
        _ = &mut held => panic!("the mailbox is held"),
        (one, two) = others => assert!(one.iter().chain(&two).all(Result::is_ok)),
    }
    assert_eq!(world.number("select count(*) from entries").await, 40);
    drop(holder);
    assert!(held.await.iter().all(Result::is_ok));
    assert_eq!(world.number("select count(distinct (folder_id, uid)) from entries").await, 60);
}
