//! Entries: one message in one folder. Written under the mailbox's lock; `snapshot` reads them.

use crate::folders::to_u32;
use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, Flags, FolderId, ModSeq, Uid};
use sqlx::Row as _;

/// What a copy or move made of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    pub from: Uid,
    pub to: Uid,
    pub content: ContentId,
}

/// Statements that name uids are planned for the uids they name. The plan kept for all calls would compare each entry of
/// the folder with each uid named: 5,000 of 100,000 took 3.5 s in place of 66 ms, from the sixth time on.
pub(crate) const PLANNED_ONCE: bool = false;
/// Removes the entries of a folder that are marked so and meet the condition.
macro_rules! remove {
    ($condition:literal) => {
        concat!(
            "with gone as (
                 delete from entries where account_id = $1 and folder_id = $2 and flags & $3 = $3 ",
            $condition,
            "    returning uid, content_id, size
             ), buried as (
                 insert into tombstones (account_id, folder_id, modseq, uid) select $1, $2, $4, uid from gone
             ), noted as (
                 insert into sweep_candidates (content_id, noted_at) select distinct content_id, $5 from gone
             ), counted as (
                 update counters
                    set used_bytes = used_bytes - (select coalesce(sum(size), 0) from gone),
                        messages = messages - (select count(*) from gone)
                  where account_id = $1
             ), touched as (
                 update folders set modseq = $4
                  where account_id = $1 and folder_id = $2 and exists (select from gone)
             )
             select uid from gone order by uid"
        )
    };
}

impl Tx {
    /// Those of the entries that changed after `since`, ascending: what a conditional change leaves alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changed_since(&mut self, place: Place<'_>, since: ModSeq) -> Result<Vec<Uid>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "select uid from entries
              where account_id = $1 and folder_id = $2 and uid = any ($3) and modseq > $4 order by uid",
        )
        .persistent(PLANNED_ONCE)
        .bind(place.account.0)
        .bind(place.folder.0)
        .bind(uid_column(place.uids))
        // What does not fit is later than every change.
        .bind(i64::try_from(since.0).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
    }

    /// Removes entries: of `uids` (ascending; `None`: all) those that have all of `required`. Leaves tombstones and notes the
    /// contents for the sweeper; usage goes down. Returns what went, ascending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_entries(
        &mut self,
        (account, folder): (AccountId, FolderId),
        uids: Option<&[Uid]>,
        required: Flags,
        (modseq, now): (ModSeq, Timestamp),
    ) -> Result<Vec<Uid>, Error> {
        let statement = match uids {
            Some(uids) if is_dense(uids) => {
                // One walk from the first to the last, each looked up in the list, in place of a search for each.
                let statement =
                    remove!("and uid between $6[1] and $6[cardinality($6)] and uid + 0 = any ($6)");
                sqlx::query_scalar(statement).persistent(PLANNED_ONCE)
            }
            Some(_) => sqlx::query_scalar(remove!("and uid = any ($6)")).persistent(PLANNED_ONCE),
            None => sqlx::query_scalar(remove!("")),
        };
        let statement = statement
            .bind(account.0)
            .bind(folder.0)
            .bind(required.0)
            .bind(modseq.0.cast_signed())
            .bind(now.to_sqlx());
        let statement = match uids {
            Some(uids) => statement.bind(uid_column(uids)),
            None => statement,
        };
        let rows: Vec<i64> = statement.fetch_all(&mut *self.inner).await?;
        Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
    }

    /// Those of `uids` that the folder does not have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn absent(
        &mut self,
        (account, folder): (AccountId, FolderId),
        uids: &[Uid],
    ) -> Result<Vec<Uid>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "select uid from unnest($3::bigint[]) as wanted (uid)
              where not exists (select from entries e
                                 where e.account_id = $1 and e.folder_id = $2 and e.uid = wanted.uid)",
        )
        .persistent(PLANNED_ONCE)
        .bind(account.0)
        .bind(folder.0)
        .bind(uid_column(uids))
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
    }

    /// Copies entries into `to` of the same account, in uid order, as new emails; usage goes up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn copy_entries(
        &mut self,
        from: Place<'_>,
        to: FolderId,
        now: Timestamp,
    ) -> Result<Vec<Transferred>, Error> {
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "with source as (
                 select *, row_number() over (order by uid) - 1 as nth
                   from entries where account_id = $1 and folder_id = $2 and uid = any ($3)
             ), room as (
                 update folders set uid_next = uid_next + (select count(*) from source), modseq = $4
                  where account_id = $1 and folder_id = $5 and exists (select from source)
                 returning uid_next - (select count(*) from source) as first
             ), counted as (
                 update counters
                    set used_bytes = used_bytes + (select coalesce(sum(size), 0) from source),
                        messages = messages + (select count(*) from source)
                  where account_id = $1
             ), added as (
                 insert into entries (account_id, folder_id, uid, content_id, thread_id, flags, keywords, modseq, size,
                                      internal_date, save_date, recipient)
                 select $1, $5, room.first + nth, content_id, thread_id, flags, keywords, $4, size, internal_date, $6,
                        recipient
                   from source, room
             )
             select source.uid, room.first + nth, content_id from source, room order by 1",
        )
        .persistent(PLANNED_ONCE)
        .bind(from.account.0)
        .bind(from.folder.0)
        .bind(uid_column(from.uids))
        .bind(from.modseq.0.cast_signed())
        .bind(to.0)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(transferred(rows))
    }

    /// Moves entries into `to` of the same account, in uid order: the same emails under new uids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_entries(
        &mut self,
        from: Place<'_>,
        to: FolderId,
        now: Timestamp,
    ) -> Result<Vec<Transferred>, Error> {
        // A planner that takes the folder for small joins it with itself row by row: 1,000 messages took 3.7 s.
        sqlx::query("set local enable_nestloop = off").execute(&mut *self.inner).await?;
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "with source as (
                 select uid, row_number() over (order by uid) - 1 as nth
                   from entries where account_id = $1 and folder_id = $2 and uid = any ($3)
             ), room as (
                 update folders set uid_next = uid_next + (select count(*) from source), modseq = $4
                  where account_id = $1 and folder_id = $5 and exists (select from source)
                 returning uid_next - (select count(*) from source) as first
             ), moved as (
                 update entries e
                    set folder_id = $5, uid = room.first + source.nth, modseq = $4, save_date = $6
                   from source, room
                  where e.account_id = $1 and e.folder_id = $2 and e.uid = source.uid
                 returning source.uid as old, e.uid as new, e.content_id
             ), buried as (
                 insert into tombstones (account_id, folder_id, modseq, uid) select $1, $2, $4, old from moved
             ), left_behind as (
                 update folders set modseq = $4
                  where account_id = $1 and folder_id = $2 and folder_id <> $5 and exists (select from source)
             )
             select old, new, content_id from moved order by old",
        )
        .persistent(PLANNED_ONCE)
        .bind(from.account.0)
        .bind(from.folder.0)
        .bind(uid_column(from.uids))
        .bind(from.modseq.0.cast_signed())
        .bind(to.0)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        sqlx::query("set local enable_nestloop = on").execute(&mut *self.inner).await?;
        Ok(transferred(rows))
    }

    /// Every uid of the folder, ascending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_uids(&mut self, account: AccountId, folder: FolderId) -> Result<Vec<Uid>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "select uid from entries where account_id = $1 and folder_id = $2 order by uid",
        )
        .bind(account.0)
        .bind(folder.0)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
    }

    /// Used bytes, quota in bytes, messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&mut self, account: AccountId) -> Result<(u64, u64, u64), Error> {
        let (used, quota, messages): (i64, i64, i64) = sqlx::query_as(
            "select c.used_bytes, a.quota_bytes, c.messages from accounts a join counters c using (account_id)
              where account_id = $1",
        )
        .bind(account.0)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok((used.unsigned_abs(), quota.unsigned_abs(), messages.unsigned_abs()))
    }

    /// Octets of the entries that exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn entries_bytes(
        &mut self,
        account: AccountId,
        folder: FolderId,
        uids: &[Uid],
    ) -> Result<i64, Error> {
        let row = sqlx::query(
            "select coalesce(sum(size), 0)::bigint from entries
              where account_id = $1 and folder_id = $2 and uid = any ($3)",
        )
        .persistent(PLANNED_ONCE)
        .bind(account.0)
        .bind(folder.0)
        .bind(uid_column(uids))
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(row.try_get(0)?)
    }
}

/// Entries of one folder, and the number under which they change.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub account: AccountId,
    pub folder: FolderId,
    pub uids: &'a [Uid],
    pub modseq: ModSeq,
}

/// Are these, ascending, so many in a row that at most four numbers are there for each?
fn is_dense(uids: &[Uid]) -> bool {
    match uids {
        [first, .., last] => ((last.0 - first.0) as usize) < uids.len().saturating_mul(4),
        _ => false,
    }
}

pub(crate) fn uid_column(uids: &[Uid]) -> Vec<i64> {
    uids.iter().map(|uid| i64::from(uid.0)).collect()
}

pub(crate) fn transferred(rows: Vec<(i64, i64, i64)>) -> Vec<Transferred> {
    rows.into_iter()
        .map(|(from, to, content)| Transferred {
            from: Uid(to_u32(from)),
            to: Uid(to_u32(to)),
            content: ContentId(content),
        })
        .collect()
}
