//! What clients that come back are told of their folders: the uids that went, and when messages were saved.

use crate::entries::PLANNED_ONCE;
use crate::folders::to_u32;
use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::Timestamp as SqlTimestamp;
use model::{AccountId, FolderId, ModSeq, Uid};

/// Uids that went from a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// All of them, ascending.
    Known(Vec<Uid>),
    /// Tombstones are kept down to a floor, and it is above what was asked for.
    Forgotten,
}

impl Store {
    /// The uids that went from the folder after `since` and up to `until`; `None`: no such folder.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn gone(
        &self,
        account: AccountId,
        folder: FolderId,
        since: ModSeq,
        until: ModSeq,
    ) -> Result<Option<Gone>, Error> {
        let number = |modseq: ModSeq| i64::try_from(modseq.0).unwrap_or(i64::MAX);
        // One statement sees one moment: the sweeper raises the floor before it removes what is below.
        let row: Option<(i64, Vec<i64>)> = sqlx::query_as(
            "select tombstone_floor,
                    array(select uid from tombstones
                           where account_id = $1 and folder_id = $2 and modseq > $3 and modseq <= $4 order by uid)
               from folders where account_id = $1 and folder_id = $2",
        )
        .bind(account.0)
        .bind(folder.0)
        .bind(number(since))
        .bind(number(until))
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(floor, uids)| {
            if since.0 < floor.unsigned_abs() {
                return Gone::Forgotten;
            }
            Gone::Known(uids.into_iter().map(|uid| Uid(to_u32(uid))).collect())
        }))
    }

    /// When the messages that are there were saved in the folder, ascending by uid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_dates(
        &self,
        account: AccountId,
        folder: FolderId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, Timestamp)>, Error> {
        let uids: Vec<i64> = uids.iter().map(|uid| i64::from(uid.0)).collect();
        let rows: Vec<(i64, SqlTimestamp)> = sqlx::query_as(
            "select uid, save_date from entries
              where account_id = $1 and folder_id = $2 and uid = any ($3) order by uid",
        )
        .persistent(PLANNED_ONCE)
        .bind(account.0)
        .bind(folder.0)
        .bind(uids)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(uid, at)| (Uid(to_u32(uid)), at.to_jiff())).collect())
    }
}
