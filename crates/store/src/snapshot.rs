//! Reads a folder and what changed in it, all as of one moment.
//!
//! Invariant: a connection goes back to its pool only when every answer on it was read to its end. A COPY that was left
//! in the middle would give its rest to whoever comes next, who would take it for an answer of no rows; so a reader
//! that fails or is dropped closes its connection instead.

use crate::folders::{FolderRow, folder_row, to_u32};
use crate::{Error, Store};
use jiff::Timestamp;
use model::{AccountId, ContentId, EmailId, Flags, FolderId, ModSeq, ThreadId, Uid};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

/// An entry as a folder view shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    pub uid: Uid,
    pub flags: Flags,
    pub keywords: Box<[i16]>,
    pub modseq: ModSeq,
    pub size: u32,
    pub internal_date: Timestamp,
    pub content: ContentId,
    pub email: EmailId,
    pub thread: ThreadId,
}

/// What changed in a folder since a modseq, and the folder as it was at that moment.
#[derive(Debug)]
pub struct FolderDelta {
    pub folder: FolderRow,
    /// `changed` is all there is: nothing was known before, or too little to be told what went.
    pub whole: bool,
    /// New or changed entries, ascending by uid.
    pub changed: Vec<EntryRow>,
    pub gone: Vec<Uid>,
}

impl Store {
    /// The folder and all its entries, or only what changed after `since`, in one snapshot. `None`: no such folder.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folder_delta(
        &self,
        account: AccountId,
        folder: FolderId,
        since: Option<(ModSeq, Uid)>,
    ) -> Result<Option<FolderDelta>, Error> {
        let mut snapshot = Snapshot::begin(&self.pools.main).await?;
        let delta = delta(&mut snapshot.connection, account, folder, since).await?;
        snapshot.end().await?;
        Ok(delta)
    }
}

/// A read-only transaction that sees one moment.
pub(crate) struct Snapshot {
    pub(crate) connection: PoolConnection<Postgres>,
    ended: bool,
}

impl Snapshot {
    pub(crate) async fn begin(pool: &PgPool) -> Result<Self, Error> {
        let mut snapshot = Self { connection: pool.acquire().await?, ended: false };
        sqlx::query("begin isolation level repeatable read read only")
            .execute(&mut *snapshot.connection)
            .await?;
        Ok(snapshot)
    }

    pub(crate) async fn end(mut self) -> Result<(), Error> {
        sqlx::query("commit").execute(&mut *self.connection).await?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

async fn delta(
    connection: &mut PgConnection,
    account: AccountId,
    folder: FolderId,
    since: Option<(ModSeq, Uid)>,
) -> Result<Option<FolderDelta>, Error> {
    let Some((row, floor)) = folder_by_id(connection, account, folder).await? else { return Ok(None) };
    let (account, id) = (account.0, folder.0);
    let since = since.filter(|(modseq, _)| *modseq >= floor);
    let (condition, gone) = match since {
        None => (String::new(), Vec::new()),
        Some((modseq, uid_next)) => {
            let gone = tombstones_after(connection, account, id, modseq).await?;
            // Without a change of flags only new uids can have come, and those the key finds.
            let by_flags = if row.flags_modseq > modseq {
                format!("and modseq > {}", modseq.0)
            } else {
                format!("and uid >= {}", uid_next.0)
            };
            (by_flags, gone)
        }
    };
    // COPY takes no parameters; everything put into its text is a number.
    let statement = format!(
        "copy (select uid, flags, keywords, modseq, size, internal_date, content_id, email_id, thread_id
                 from entries where account_id = {account} and folder_id = {id} {condition} order by uid)
         to stdout (format binary)"
    );
    let changed = crate::copy_out::entries(connection, &statement).await?;
    Ok(Some(FolderDelta { folder: row, whole: since.is_none(), changed, gone }))
}

/// The folder, and the modseq up to which its tombstones may be missing.
async fn folder_by_id(
    connection: &mut PgConnection,
    account: AccountId,
    folder: FolderId,
) -> Result<Option<(FolderRow, ModSeq)>, Error> {
    type Row = (i64, String, Option<String>, i64, i64, i64, i64, i64, i64);
    let row: Option<Row> = sqlx::query_as(
        "select folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq,
                tombstone_floor
           from folders where account_id = $1 and folder_id = $2",
    )
    .bind(account.0)
    .bind(folder.0)
    .fetch_optional(connection)
    .await?;
    let Some((id, name, special, validity, next, recent, modseq, flags, floor)) = row else {
        return Ok(None);
    };
    let folder = folder_row((id, name, special, validity, next, recent, modseq, flags))?;
    Ok(Some((folder, ModSeq(floor.unsigned_abs()))))
}

async fn tombstones_after(
    connection: &mut PgConnection,
    account: i64,
    folder: i64,
    since: ModSeq,
) -> Result<Vec<Uid>, Error> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "select uid from tombstones where account_id = $1 and folder_id = $2 and modseq > $3",
    )
    .bind(account)
    .bind(folder)
    .bind(since.0.cast_signed())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|uid| Uid(to_u32(uid))).collect())
}
