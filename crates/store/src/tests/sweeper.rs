//! The sweeper against everybody who may want the bytes back.

use super::world::{World, described};
use crate::{Error, GRACE, SearchContent, SearchPiece, Target};
use jiff::{SignedDuration, Timestamp};
use model::{ContentId, Flags, Uid};

/// Later than any grace.
fn later(now: Timestamp) -> Timestamp {
    now + GRACE + SignedDuration::from_mins(1)
}

impl World {
    async fn expunge_all(&self, target: &Target) {
        let mut tx = self.store.begin().await.unwrap();
        let modseq = tx.lock_mailbox(target.account).await.unwrap().unwrap();
        let place = (target.account, target.folder);
        tx.remove_entries(place, None, Flags::NONE, (modseq, self.now)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Rounds at `at` until nothing is left to do.
    async fn sweep(&self, at: Timestamp) {
        self.let_others_end().await;
        while !self.store.sweep(at).await.unwrap().is_idle() {}
    }

    /// Waits for the transactions of other tests, which share the cluster's numbers.
    async fn let_others_end(&self) {
        for _ in 0..2 {
            self.raise_the_round().await;
        }
    }

    /// Raises the round, as soon as the transactions that it waits for have ended.
    async fn raise_the_round(&self) {
        while !self.store.raise_round().await.unwrap() {
            tokio::task::yield_now().await;
        }
    }

    /// Delivers and expunges, and brings the chunks to where they are condemned and due at the returned time.
    async fn condemned(&self, pieces: &[&[u8]], target: &Target) -> Timestamp {
        self.deliver(pieces, std::slice::from_ref(target)).await;
        self.expunge_all(target).await;
        self.sweep(self.now).await;
        let contents_due = later(self.now);
        self.sweep(contents_due).await;
        assert_eq!(self.number("select count(*) from contents").await, 0);
        assert_eq!(self.number("select count(*) from chunks where condemned_at is null").await, 0);
        self.let_others_end().await;
        later(contents_due)
    }
}

#[tokio::test]
async fn bytes_nobody_needs_go_after_the_grace_and_not_before() {
    let world = World::new().await;
    let to = world.mailboxes(2).await;
    world.deliver(&[b"shared", b"own"], &to).await;
    world.expunge_all(&to[0]).await;
    world.sweep(world.now).await;
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from chunks").await, 2, "the other mailbox has it still");
    world.expunge_all(&to[1]).await;
    let noted = later(world.now);
    world.sweep(noted).await;
    world.sweep(noted + SignedDuration::from_mins(59)).await;
    assert_eq!(world.number("select count(*) from contents").await, 1, "condemned, not gone");
    world.sweep(later(noted)).await;
    assert_eq!(world.number("select count(*) from contents").await, 0);
    assert_eq!(world.number("select count(*) from chunks").await, 2, "condemned, not gone");
    world.sweep(later(later(noted))).await;
    assert_eq!(world.number("select count(*) from chunks").await, 0);
    assert_eq!(world.number("select count(*) from chunk_refs").await, 0);
}

#[tokio::test]
async fn a_copy_made_during_the_grace_keeps_the_content() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"wanted again"], &to).await;
    let mut tx = world.store.begin().await.unwrap();
    let modseq = tx.lock_mailbox(to[0].account).await.unwrap().unwrap();
    let place = crate::Place { account: to[0].account, folder: to[0].folder, uids: &[Uid(1)], modseq };
    tx.copy_entries(place, to[0].folder, world.now).await.unwrap();
    // The source goes, and the sweeper condemns, before the copy is committed.
    sqlx::query("insert into sweep_candidates (content_id, noted_at) select content_id, now() from contents")
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    sqlx::query("update contents set condemned_at = $1")
        .bind(jiff_sqlx::ToSqlx::to_sqlx(world.now))
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from contents where condemned_at is null").await, 1);
}

#[tokio::test]
async fn a_dedupe_hit_on_a_condemned_chunk_pardons_it() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let due = world.condemned(&[b"again"], &to[0]).await;
    world.deliver(&[b"again"], &to).await;
    world.sweep(due).await;
    assert_eq!(world.number("select count(*) from chunks where condemned_at is null").await, 1);
    world.sweep(later(due)).await;
    assert_eq!(world.number("select count(*) from chunks").await, 1);
}

#[tokio::test]
async fn the_sweeper_waits_for_an_accepting_transaction_and_then_spares_the_chunk() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let due = world.condemned(&[b"contested"], &to[0]).await;
    let content = world.content(&[b"contested"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let (id, _) = tx.accept(&content, &to, &world.event()).await.unwrap();
    let sweep = async {
        // skip locked passes over the row, or the delete waits for it: either way it is spared.
        world.store.sweep(due).await.unwrap()
    };
    let commit = async { tx.commit_known(&id).await.unwrap() };
    let (swept, ()) = tokio::join!(sweep, commit);
    assert_eq!(swept.chunks_deleted, 0);
    assert_eq!(
        world
            .number(
                "select count(*) from chunks c join chunk_refs r using (chunk_id) where condemned_at is null"
            )
            .await,
        1
    );
}

/// Transactions that are the newest of all are the point, and other tests may begin and end one: hence some attempts.
const NEWEST: usize = 20;

#[tokio::test]
async fn a_round_lasts_until_whoever_holds_chunks_has_ended() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let content = world.content(&[b"held"]).await;
    for _ in 0..NEWEST {
        world.let_others_end().await;
        let mut tx = world.store.begin().await.unwrap();
        let (id, _) = tx.accept(&content, &to, &world.event()).await.unwrap();
        // The round that began before it may end, once those of other tests have; the next, whose beginning it has
        // seen, may not.
        world.raise_the_round().await;
        assert!(!world.store.raise_round().await.unwrap());
        tx.commit_known(&id).await.unwrap();
    }
}

#[tokio::test]
async fn a_chunk_swept_between_writing_and_accepting_is_noticed() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let due = world.condemned(&[b"gone"], &to[0]).await;
    let content = world.content(&[b"gone"]).await;
    sqlx::query("update chunks set condemned_at = $1")
        .bind(jiff_sqlx::ToSqlx::to_sqlx(world.now))
        .execute(&mut world.superuser().await)
        .await
        .unwrap();
    world.sweep(due).await;
    assert_eq!(world.number("select count(*) from chunks").await, 0);
    let mut tx = world.store.begin().await.unwrap();
    let refused = tx.accept(&content, &to, &world.event()).await.unwrap_err();
    assert!(matches!(refused, Error::ChunkGone), "{refused}");
    drop(tx);
    world.deliver(&[b"gone"], &to).await;
    assert_eq!(world.number("select count(*) from chunks").await, 1);
}

#[tokio::test]
async fn a_deletion_under_way_does_not_take_the_chunk_from_a_delivery() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let due = world.condemned(&[b"race"], &to[0]).await;
    let content = world.content(&[b"race"]).await;
    // The sweeper's delete, stopped before its commit.
    let mut superuser = world.superuser().await;
    let mut deleting = sqlx::Connection::begin(&mut superuser).await.unwrap();
    sqlx::query("delete from chunks where condemned_at < $1")
        .bind(jiff_sqlx::ToSqlx::to_sqlx(due))
        .execute(&mut *deleting)
        .await
        .unwrap();
    let mut tx = world.store.begin().await.unwrap();
    let event = world.event();
    let accept = tx.accept(&content, &to, &event);
    let finish = async {
        // The delivery waits for the deletion, which then commits.
        wait_for_a_lock(&world).await;
        deleting.commit().await.unwrap();
    };
    let (accepted, ()) = tokio::join!(accept, finish);
    assert!(matches!(accepted, Err(Error::ChunkGone)), "never a message without its bytes");
}

/// Returns when some session waits for a lock.
async fn wait_for_a_lock(world: &World) {
    let waiting = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'";
    while world.number(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn chunks_in_opposite_orders_do_not_deadlock() {
    let world = std::sync::Arc::new(World::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..8u8 {
        let world = world.clone();
        tasks.spawn(async move {
            for turn in 0..5u8 {
                let mut pieces: Vec<Vec<u8>> = (0..60u8).map(|piece| vec![turn, piece, 7]).collect();
                if writer % 2 == 0 {
                    pieces.reverse();
                }
                let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
                world.content(&pieces).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(world.number("select count(*) from chunks").await, 300);
}

#[tokio::test]
async fn condemned_chunks_pardoned_in_opposite_orders_do_not_deadlock() {
    let world = std::sync::Arc::new(World::new().await);
    let to = world.mailboxes(8).await;
    let pieces: Vec<Vec<u8>> = (0..40u8).map(|piece| vec![piece, 9]).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let ids = world.content(&pieces).await.chunk_ids;
    let mut tasks = tokio::task::JoinSet::new();
    for (at, target) in to.into_iter().enumerate() {
        let (world, mut ids) = (world.clone(), ids.clone());
        let mut sizes: Vec<Vec<u8>> = (0..40u8).map(|piece| vec![piece, 9]).collect();
        if at % 2 == 0 {
            ids.reverse();
            sizes.reverse();
        }
        tasks.spawn(async move {
            let sizes: Vec<&[u8]> = sizes.iter().map(Vec::as_slice).collect();
            for _ in 0..5 {
                sqlx::query(
                    "update chunks set condemned_at = now() where chunk_id in
                             (select chunk_id from chunks order by chunk_id for no key update)",
                )
                .execute(&mut world.superuser().await)
                .await
                .unwrap();
                let content = described(ids.clone(), &sizes);
                let mut tx = world.store.begin().await.unwrap();
                let (id, _) =
                    tx.accept(&content, std::slice::from_ref(&target), &world.event()).await.unwrap();
                tx.commit_known(&id).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn chunks_of_a_delivery_that_failed_are_found_a_day_later() {
    let world = World::new().await;
    world.content(&[b"never accepted"]).await;
    world.sweep(world.now + SignedDuration::from_hours(23)).await;
    let found = world.now + SignedDuration::from_hours(25);
    world.sweep(found).await;
    assert_eq!(world.number("select count(*) from chunks where condemned_at is not null").await, 1);
    world.sweep(later(found)).await;
    assert_eq!(world.number("select count(*) from chunks").await, 0);
}

#[tokio::test]
async fn objects_hold_large_content_and_go_after_their_chunks() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let rng = std::sync::Arc::new(FixedBytes);
    world.store.objects = Some(crate::Objects::open(directory.path(), rng).unwrap());
    let to = world.mailboxes(1).await;
    let large: Vec<u8> = (0..200_000u32).map(|n| blake3::hash(&n.to_be_bytes()).as_bytes()[0]).collect();
    let delivered = world.content(&[&large[..100_000], &large[100_000..]]).await;
    let files = || walk(directory.path());
    assert_eq!(files(), 1, "one file for the message");
    let mut read = world.store.read_chunks(&delivered.chunk_ids).await.unwrap();
    read.sort_by_key(|(id, _)| *id);
    let bytes: Vec<u8> = delivered
        .chunk_ids
        .iter()
        .flat_map(|id| read.iter().find(|r| r.0 == *id).unwrap().1.clone())
        .collect();
    assert_eq!(bytes, large);
    let due = world.condemned(&[&large[..100_000], &large[100_000..]], &to[0]).await;
    world.sweep(due).await;
    assert_eq!(files(), 1, "its rows have just gone");
    world.sweep(later(due)).await;
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn a_delivery_under_way_keeps_the_chunk_whatever_the_clock_says() {
    let world = World::new().await;
    let to = world.mailboxes(2).await;
    world.deliver(&[b"one for both"], &to[..1]).await;
    let content = world.content(&[b"one for both"]).await;
    let mut tx = world.store.begin().await.unwrap();
    let (id, _) = tx.accept(&content, &to[1..], &world.event()).await.unwrap();
    world.expunge_all(&to[0]).await;
    // Each round an hour and more after the one before, by a clock that leaps.
    let mut at = world.now;
    for _ in 0..8 {
        world.store.sweep(at).await.unwrap();
        at = later(at);
    }
    tx.commit_known(&id).await.unwrap();
    assert_eq!(world.number("select count(*) from chunks").await, 1);
    let lost = "select count(*) from chunk_refs r where not exists (select from chunks c where c.chunk_id = r.chunk_id)";
    assert_eq!(world.number(lost).await, 0);
}

#[tokio::test]
async fn a_batch_is_a_batch_and_what_is_wanted_again_is_pardoned_in_it() {
    let world = World::new().await;
    let mut superuser = world.superuser().await;
    sqlx::query(
        "insert into chunks (hash, size, data, created_at, condemned_at)
         select sha256(n::text::bytea), 1, '', $1, $1 from generate_series(1, 2500) n",
    )
    .bind(jiff_sqlx::ToSqlx::to_sqlx(world.now))
    .execute(&mut superuser)
    .await
    .unwrap();
    sqlx::query("insert into chunk_refs select chunk_id, 1 from chunks order by chunk_id limit 400")
        .execute(&mut superuser)
        .await
        .unwrap();
    world.let_others_end().await;
    let first = world.store.sweep(later(world.now)).await.unwrap();
    assert_eq!((first.chunks_deleted + first.pardoned, first.pardoned <= 400), (1000, true));
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from chunks where condemned_at is null").await, 400);
    assert_eq!(world.number("select count(*) from chunks").await, 400);
}

#[tokio::test]
async fn candidates_that_are_wanted_do_not_end_the_sweep() {
    let world = World::new().await;
    let to = world.mailboxes(2).await;
    world.deliver(&[b"kept by one"], &to).await;
    sqlx::query(
        "insert into sweep_candidates (content_id, noted_at)
         select content_id, now() from contents, generate_series(1, 1500)",
    )
    .execute(&mut world.superuser().await)
    .await
    .unwrap();
    world.sweep(world.now).await;
    assert_eq!(world.number("select count(*) from sweep_candidates").await, 0);
}

#[tokio::test]
async fn a_second_sweeper_does_nothing_meanwhile() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"x"], &to).await;
    world.expunge_all(&to[0]).await;
    let mut superuser = world.superuser().await;
    let mut other = sqlx::Connection::begin(&mut superuser).await.unwrap();
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(crate::sweeper::SWEEP_LOCK)
        .execute(&mut *other)
        .await
        .unwrap();
    assert!(world.store.sweep(world.now).await.unwrap().is_idle());
    other.rollback().await.unwrap();
    assert_eq!(world.store.sweep(world.now).await.unwrap().contents_condemned, 1);
}

#[tokio::test]
async fn a_chunk_pardoned_for_a_delivery_that_failed_goes_all_the_same() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let due = world.condemned(&[b"again and again"], &to[0]).await;
    // As when two messages bring it at once: the later one did not know it and meets its row.
    let chunk =
        crate::NewChunk { hash: *blake3::hash(b"again and again").as_bytes(), bytes: b"again and again" };
    world.store.insert_in_rows(&[chunk], world.now, &mut std::collections::HashMap::new()).await.unwrap();
    world.sweep(due).await;
    assert_eq!(world.number("select count(*) from chunks").await, 0);
}

#[tokio::test]
async fn an_object_without_chunks_is_found_a_day_later() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let rng = std::sync::Arc::new(FixedBytes);
    world.store.objects = Some(crate::Objects::open(directory.path(), rng).unwrap());
    let large: Vec<u8> = (0..200_000u32).map(|n| blake3::hash(&n.to_be_bytes()).as_bytes()[0]).collect();
    world.content(&[&large]).await;
    // As when the node died before it wrote the rows of the chunks.
    sqlx::query("delete from chunks").execute(&mut world.superuser().await).await.unwrap();
    world.sweep(world.now + SignedDuration::from_hours(23)).await;
    assert_eq!(world.number("select count(*) from objects where condemned_at is null").await, 1);
    let found = world.now + SignedDuration::from_hours(25);
    world.sweep(found).await;
    assert_eq!(walk(directory.path()), 1, "condemned, not gone");
    world.sweep(later(found)).await;
    assert_eq!((walk(directory.path()), world.number("select count(*) from objects").await), (0, 0));
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_keeps_its_row_and_no_others() {
    let mut world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    world.store.objects =
        Some(crate::Objects::open(directory.path(), std::sync::Arc::new(FixedBytes)).unwrap());
    // A directory stands where the first one's file should be.
    std::fs::create_dir_all(directory.path().join("aa").join("aa01").join("in the way")).unwrap();
    std::fs::create_dir_all(directory.path().join("bb")).unwrap();
    std::fs::write(directory.path().join("bb").join("bb01"), "x").unwrap();
    sqlx::query(
        "insert into objects (name, created_at, condemned_at) values ('aa01', $1, $1), ('bb01', $1, $1)",
    )
    .bind(jiff_sqlx::ToSqlx::to_sqlx(world.now))
    .execute(&mut world.superuser().await)
    .await
    .unwrap();
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from objects where name = 'aa01'").await, 1);
    assert_eq!(world.number("select count(*) from objects").await, 1);
    assert!(!directory.path().join("bb").join("bb01").exists());
}

#[tokio::test]
async fn old_tombstones_go_and_who_needed_them_reads_the_whole_folder() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"still there"], &to).await;
    sqlx::query(
        "insert into tombstones (account_id, folder_id, modseq, uid)
         select $1, $2, n, n + 1000 from generate_series(1, $3) n",
    )
    .bind(to[0].account.0)
    .bind(to[0].folder.0)
    .bind(crate::sweeper::TOMBSTONES_KEPT + 25)
    .execute(&mut world.superuser().await)
    .await
    .unwrap();
    world.sweep(world.now).await;
    let count = "select count(*) from tombstones";
    assert_eq!(world.number(count).await, crate::sweeper::TOMBSTONES_KEPT);
    let delta = async |since| {
        let since = Some((model::ModSeq(since), Uid(1)));
        world.store.folder_delta(to[0].account, to[0].folder, since).await.unwrap().unwrap()
    };
    let known_too_little = delta(24).await;
    assert!(known_too_little.whole && known_too_little.gone.is_empty());
    assert_eq!(known_too_little.changed.len(), 1);
    let known_enough = delta(25).await;
    assert!(!known_enough.whole);
    assert_eq!(known_enough.gone.len() as i64, crate::sweeper::TOMBSTONES_KEPT);
}

#[derive(Debug)]
struct FixedBytes;

impl model::Rng for FixedBytes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn walk(directory: &std::path::Path) -> usize {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { walk(&path) } else { 1 })
        .sum()
}

fn indexed(content: ContentId) -> SearchContent {
    SearchContent { content, facts: String::new(), pieces: vec![SearchPiece::default()] }
}

#[tokio::test]
async fn what_was_swept_while_it_was_analysed_is_not_indexed() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"gone"], &to).await;
    let fill = world.store.search_fill((1, 1), &mut None, 10).await.unwrap();
    let [content] = fill.contents[..] else { panic!("one waits") };
    world.expunge_all(&to[0]).await;
    world.sweep(world.now).await;
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from contents").await, 0);
    let mut tx = world.store.begin().await.unwrap();
    tx.put_search(&[indexed(content)], (1, world.now)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.number("select count(*) from search_contents").await, 0);
    assert_eq!(world.number("select count(*) from search_texts").await, 0);
}

#[tokio::test]
async fn the_sweeper_passes_over_what_is_being_indexed_and_takes_it_later() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    world.deliver(&[b"going"], &to).await;
    let fill = world.store.search_fill((1, 1), &mut None, 10).await.unwrap();
    let [content] = fill.contents[..] else { panic!("one waits") };
    world.expunge_all(&to[0]).await;
    world.sweep(world.now).await;
    world.let_others_end().await;
    let mut tx = world.store.begin().await.unwrap();
    tx.put_search(&[indexed(content)], (1, world.now)).await.unwrap();
    world.store.sweep(later(world.now)).await.unwrap();
    assert_eq!(world.number("select count(*) from contents").await, 1, "it is held");
    tx.commit().await.unwrap();
    assert_eq!(world.number("select count(*) from search_texts").await, 1);
    world.sweep(later(world.now)).await;
    assert_eq!(world.number("select count(*) from contents").await, 0);
    assert_eq!(world.number("select count(*) from search_texts").await, 0);
}

#[tokio::test]
async fn one_node_indexes_at_a_time_and_two_do_no_harm() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    for text in [b"one", b"two"] {
        world.deliver(&[text], &to).await;
    }
    let store = &world.store;
    let first = store.search_fill((1, 1), &mut None, 10).await.unwrap().contents;
    assert_eq!(first.len(), 2);
    assert_eq!(store.search_fill((2, 1), &mut None, 10).await.unwrap().contents, []);
    // The lease of the first ran out, and it did not notice.
    store.search_release(1).await.unwrap();
    let second = store.search_fill((2, 1), &mut None, 10).await.unwrap().contents;
    assert_eq!(first, second);
    let words = ["một".to_owned()];
    let write = async |contents: &[ContentId]| {
        let mut tx = store.begin().await.unwrap();
        let numbers = tx.number_words(&words, |known| {
            words.iter().filter(|word| !known.contains_key(*word)).cloned().collect()
        });
        let numbers = numbers.await.unwrap();
        let all: Vec<_> = contents.iter().map(|content| indexed(*content)).collect();
        tx.put_search(&all, (1, world.now)).await.unwrap();
        tx.commit().await.unwrap();
        numbers
    };
    let (one, other) = tokio::join!(write(&first), write(&second));
    assert_eq!(one, other);
    assert_eq!(world.number("select count(*) from search_texts").await, 2);
    assert_eq!(world.number("select count(*) from search_words").await, 1);
}

#[tokio::test]
async fn the_index_does_not_pass_what_is_being_accepted() {
    let world = World::new().await;
    let to = world.mailboxes(1).await;
    let content = world.content(&[b"late"]).await;
    let mut mark = None;
    for _ in 0..NEWEST {
        let mut tx = world.store.begin().await.unwrap();
        let (id, _) = tx.accept(&content, &to, &world.event()).await.unwrap();
        // It has its number, and nobody sees it yet.
        for mark in [&mut None, &mut mark] {
            assert_eq!(world.store.search_fill((1, 1), mark, 10).await.unwrap().contents, []);
        }
        tx.commit_known(&id).await.unwrap();
        let number = world.number("select max(content_id) from contents").await;
        assert_eq!(world.store.search_unknown(&[number], 1).await.unwrap(), [ContentId(number)]);
        let fill = world.store.search_fill((1, 1), &mut mark, 10).await.unwrap();
        assert_eq!(fill.contents, [ContentId(number)]);
        let mut tx = world.store.begin().await.unwrap();
        tx.put_search(&[indexed(ContentId(number))], (1, world.now)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let indexed_up_to = "select indexed_up_to from search_state";
    let last = world.number("select max(content_id) from contents").await;
    while world.number(indexed_up_to).await < last {
        assert_eq!(world.store.search_fill((1, 1), &mut mark, 10).await.unwrap().contents, []);
    }
}
