//! Chunks of large messages, written through COPY.

use super::world::World;
use crate::NewChunk;
use futures_util::FutureExt as _;

/// Octets that hardly compress, `seed` apart from all others.
fn octets(seed: u32, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn chunk(bytes: &[u8]) -> NewChunk<'_> {
    NewChunk { hash: *blake3::hash(bytes).as_bytes(), bytes }
}

#[tokio::test]
async fn large_messages_are_stored_once_and_read_back() {
    let world = World::new().await;
    let mut bodies: Vec<Vec<u8>> = (0..100).map(|seed| octets(seed, 100_000)).collect();
    bodies.push(b"a long line\r\n".repeat(20_000));
    bodies.push(octets(7, 100_000));
    bodies.push(Vec::new());
    let chunks: Vec<NewChunk<'_>> = bodies.iter().map(|body| chunk(body)).collect();
    let ids = world.store.write_chunks(&chunks, world.now).await.unwrap();
    assert_eq!((ids.len(), ids[7]), (103, ids[101]));
    let before = world.number("select count(*) from chunks").await;
    assert_eq!(world.store.write_chunks(&chunks, world.now).await.unwrap(), ids, "they are known now");
    assert_eq!((before, world.number("select count(*) from chunks").await), (102, 102));
    let mut read = world.store.read_chunks(&ids).await.unwrap();
    read.sort_unstable();
    for (id, body) in ids.iter().zip(&bodies) {
        let at = read.binary_search_by_key(id, |(id, _)| *id).unwrap();
        assert!(read[at].1 == *body);
    }
    let seconds = world.now.as_second();
    let made = world.number("select extract(epoch from min(created_at))::bigint from chunks").await;
    assert_eq!(made, seconds);
}

#[tokio::test]
async fn two_messages_with_the_same_attachment_at_once_both_get_it() {
    let world = World::new().await;
    let (one, two) = (octets(1, 200_000), octets(2, 200_000));
    let mut both = [chunk(&one), chunk(&two)];
    both.sort_unstable_by_key(|chunk| chunk.hash);
    let first = world.store.write_chunks(&both[..1], world.now).await.unwrap();
    // As if both had asked what is stored before either stored it.
    assert!(!world.store.copy_in(&both, &[9001, 9002], world.now).await.unwrap());
    assert_eq!(world.number("select count(*) from chunks").await, 1, "all of it or nothing");
    let ids = world.store.write_chunks(&both, world.now).await.unwrap();
    assert_eq!(ids[0], first[0]);
    let writes = (0..8).map(|_| world.store.write_chunks(&both, world.now));
    for written in futures_util::future::join_all(writes).await {
        assert_eq!(written.unwrap(), ids);
    }
    let (three, four) = (octets(3, 200_000), octets(4, 200_000));
    let new = [chunk(&three), chunk(&four)];
    let writes = (0..8).map(|_| world.store.write_chunks(&new, world.now));
    let written = futures_util::future::join_all(writes).await;
    assert!(written.iter().all(|ids| ids.as_ref().unwrap() == written[0].as_ref().unwrap()));
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_no_connection_behind() {
    let world = World::new().await;
    let body = octets(1, 250_000);
    for stop in 0..20 {
        let one = [chunk(&body)];
        let mut writing = std::pin::pin!(world.store.write_chunks(&one, world.now));
        for _ in 0..stop {
            if (&mut writing).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Each connection of the pool once more.
    let bodies: Vec<Vec<u8>> = (2..20).map(|seed| octets(seed, 150_000)).collect();
    let writes = bodies.iter().map(|body| {
        let world = &world;
        async move { world.store.write_chunks(&[chunk(body)], world.now).await.unwrap().len() }
    });
    assert_eq!(futures_util::future::join_all(writes).await, [1; 18]);
}
