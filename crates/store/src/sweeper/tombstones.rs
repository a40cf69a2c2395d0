//! Keeps the tombstones of a folder to the newest: they only spare a reader who knew the folder before from reading it
//! as a whole.
//!
//! Invariant: a folder's floor is raised, and that committed, before the first tombstone at or below it goes; a reader
//! who asks from below the floor is given the whole folder (see `snapshot`).

use super::Swept;
use crate::{Error, Store};

/// Tombstones a folder keeps: more went than a view gains by hearing of each.
pub(crate) const TOMBSTONES_KEPT: i64 = 10_000;
/// Tombstones of one folder deleted in one transaction.
const TOMBSTONES_BATCH: i64 = 10_000;
/// Folders looked at in one round. A province's hundred thousand take some hours, and nothing waits for it.
const FOLDERS_BATCH: i64 = 1000;

/// A folder, and the newest tombstone that is one too many.
struct TooMany {
    account_id: i64,
    folder_id: i64,
    modseq: i64,
}

impl Store {
    /// Looks at the next folders; once none of them has too many, at those behind them in the next round.
    pub(super) async fn delete_tombstones(&self, swept: &mut Swept) -> Result<(), Error> {
        let too_many = self.next_with_too_many_tombstones().await?;
        for folder in too_many {
            swept.tombstones_deleted += self.delete_tombstones_of(&folder).await?;
        }
        Ok(())
    }

    async fn next_with_too_many_tombstones(&self) -> Result<Vec<TooMany>, Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(Vec::new()) };
        let folders: Vec<(i64, i64, Option<i64>)> = sqlx::query_as(
            "select f.account_id, f.folder_id,
                    (select modseq from tombstones t where t.account_id = f.account_id and t.folder_id = f.folder_id
                      order by modseq desc offset $2 limit 1)
               from folders f
              where folder_id > (select folders_checked from installation) order by folder_id limit $1",
        )
        .bind(FOLDERS_BATCH)
        .bind(TOMBSTONES_KEPT)
        .fetch_all(&mut *tx.inner)
        .await?;
        let last = folders.last().map_or(0, |(_, folder_id, _)| *folder_id);
        let too_many: Vec<TooMany> = folders
            .into_iter()
            .filter_map(|(account_id, folder_id, modseq)| {
                Some(TooMany { account_id, folder_id, modseq: modseq? })
            })
            .collect();
        if too_many.is_empty() {
            // Behind the last folder comes the first again.
            sqlx::query("update installation set folders_checked = $1 where folders_checked <> $1")
                .bind(last)
                .execute(&mut *tx.inner)
                .await?;
        }
        tx.commit().await?;
        Ok(too_many)
    }

    async fn delete_tombstones_of(&self, folder: &TooMany) -> Result<u64, Error> {
        sqlx::query(
            "update folders set tombstone_floor = $3
              where account_id = $1 and folder_id = $2 and tombstone_floor < $3",
        )
        .bind(folder.account_id)
        .bind(folder.folder_id)
        .bind(folder.modseq)
        .execute(&self.pools.main)
        .await?;
        let gone = sqlx::query(
            "delete from tombstones
              where ctid = any (array(select ctid from tombstones
                                       where account_id = $1 and folder_id = $2 and modseq <= $3
                                       order by modseq limit $4))",
        )
        .bind(folder.account_id)
        .bind(folder.folder_id)
        .bind(folder.modseq)
        .bind(TOMBSTONES_BATCH)
        .execute(&self.pools.main)
        .await?;
        Ok(gone.rows_affected())
    }
}
