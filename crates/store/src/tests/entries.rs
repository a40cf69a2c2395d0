//! Entries: reading a folder as a whole and changing many of its messages at once.

use super::world::{World, open};
use crate::Target;

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
