//! Entries: reading a folder as a whole and changing many of its messages at once.

use super::world::{World, open};
use crate::{ContentColumns, FlagColumns, Place, Target};
use model::{Flags, Uid};

impl World {
    /// Puts `count` entries with uids from 1 on into the folder, all of one content that is not there.
    pub(super) async fn fill(&self, target: &Target, count: i64) {
        let mut superuser = self.superuser().await;
        sqlx::query(
            "insert into entries (account_id, folder_id, uid, content_id, thread_id, flags, modseq, size,
                                  internal_date, save_date)
             select $1, $2, uid, 1, 1, 0, 1, 1000, now(), now() from generate_series(1, $3) uid",
        )
        .bind(target.account.0)
        .bind(target.folder.0)
        .bind(count)
        .execute(&mut superuser)
        .await
        .unwrap();
        sqlx::query("update folders set uid_next = $2 + 1 where folder_id = $1")
            .bind(target.folder.0)
            .bind(count)
            .execute(&mut superuser)
            .await
            .unwrap();
        sqlx::query("update counters set used_bytes = 1000 * $2, messages = $2 where account_id = $1")
            .bind(target.account.0)
            .bind(count)
            .execute(&mut superuser)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_leaves_no_connection_in_the_middle_of_its_answer() {
    let world = World::new().await;
    let to = world.mailboxes(1).await.remove(0);
    world.fill(&to, 20_000).await;
    let store = open(&world.database.server_url, 2).await;
    for turns in 0..150 {
        let read = store.folder_delta(to.account, to.folder, None);
        let turned = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            read = read => assert_eq!(read.unwrap().unwrap().changed.len(), 20_000),
            () = turned => {}
        }
        for _ in 0..3 {
            let (used, _, messages) = store.usage(to.account).await.unwrap().expect("the mailbox is there");
            assert_eq!((used, messages), (20_000_000, 20_000), "after {turns} turns");
        }
    }
}

#[tokio::test]
async fn statements_that_name_uids_keep_no_plan_for_all_calls() {
    let world = World::new().await;
    let to = world.mailboxes(1).await.remove(0);
    world.fill(&to, 20).await;
    let mut tx = world.store.begin().await.unwrap();
    let modseq = tx.lock_mailbox(to.account).await.unwrap().unwrap();
    let uids: Vec<Uid> = (1..=5).map(Uid).collect();
    let place = Place { account: to.account, folder: to.folder, uids: &uids, modseq };
    assert_eq!(tx.edit_flags(place, &deleted()).await.unwrap(), uids);
    assert_eq!(tx.entries_bytes(to.account, to.folder, &uids).await.unwrap(), 5000);
    assert_eq!(tx.copy_entries(place, to.folder, world.now).await.unwrap().len(), 5);
    let at = (modseq, world.now);
    let gone = tx.remove_entries((to.account, to.folder), Some(&uids), Flags::DELETED, at).await.unwrap();
    assert_eq!(gone, uids);
    let rest: Vec<Uid> = (6..=8).map(Uid).collect();
    let place = Place { uids: &rest, ..place };
    assert_eq!(tx.move_entries(place, to.folder, world.now).await.unwrap().len(), 3);
    let gone = tx.remove_entries((to.account, to.folder), None, Flags::NONE, at).await.unwrap();
    assert_eq!(gone.len(), 20);
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from pg_prepared_statements where statement like '%entries%uid = any%'",
    )
    .persistent(false)
    .fetch_one(&mut *tx.inner)
    .await
    .unwrap();
    assert_eq!(kept, 0);
}

fn deleted() -> FlagColumns {
    FlagColumns {
        keep: Flags::ALL,
        set: Flags::DELETED,
        keep_keywords: true,
        set_keywords: Vec::new(),
        clear_keywords: Vec::new(),
    }
}

/// Two thousand hostile messages must not come into memory together: what is read ends with the one that goes over.
#[tokio::test]
async fn facts_are_read_within_their_octets() {
    let world = World::new().await;
    let mut tx = world.store.begin().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..5_u8 {
        let mut content = world.content(&[&[n]]).await;
        content.envelope = vec![n; 1000];
        ids.push(tx.add_content(&content, world.now).await.unwrap());
    }
    tx.commit().await.unwrap();
    ids.insert(1, model::ContentId(i64::MAX));
    let columns = ContentColumns { envelope: true, ..ContentColumns::default() };
    let read = async |octets_max| {
        let found = world.store.contents(&ids, columns, octets_max).await.unwrap();
        found.iter().map(|content| content.as_ref().map(|content| content.content_id)).collect::<Vec<_>>()
    };
    let in_order: Vec<_> = ids.iter().map(|id| Some(*id).filter(|id| id.0 != i64::MAX)).collect();
    assert_eq!(read(1).await, in_order[..1]);
    assert_eq!(read(1000).await, in_order[..1]);
    assert_eq!(read(1001).await, in_order[..3], "what is gone weighs nothing");
    assert_eq!(read(4000).await, in_order[..5]);
    assert_eq!(read(4001).await, in_order);
    let none = ContentColumns::default();
    assert_eq!(world.store.contents(&ids, none, 1).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_change_of_a_whole_folder_has_time_of_its_own() {
    let world = World::new().await;
    for (patient, expected) in [(true, "15min"), (false, "1min")] {
        let mut tx = world.store.begin().await.unwrap();
        if patient {
            tx.take_time().await.unwrap();
        }
        let timeout: String =
            sqlx::query_scalar("show statement_timeout").fetch_one(&mut *tx.inner).await.unwrap();
        assert_eq!(timeout, expected);
    }
}
