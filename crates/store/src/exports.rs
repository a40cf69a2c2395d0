//! What was exported of mailboxes before their deletion (kết xuất lưu trữ, B7), and all of a mailbox as of one moment.
//!
//! Invariant: an archive counts for what was there at its moment and nothing else, and only if that was not before the mailbox went
//! out of use.

use crate::folders::folder_row;
use crate::snapshot::Snapshot;
use crate::{EntryRow, Error, FolderRow, KeywordRow, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ModSeq};
use sqlx::Row as _;

/// Has `accounts a` mail that no archive holds which was written since the mailbox went out of use, and which nobody said may go
/// without? What the system itself wrote there, warnings and announcements, is kept elsewhere and does not count.
macro_rules! unexported {
    () => {
        "(not coalesce(a.export_waived_at = a.deletion_confirmed_at, false) and exists (
            select from entries e
             where e.account_id = a.account_id
               and e.modseq > coalesce((select max(x.modseq) from exports x
                                         where x.account_id = a.account_id and a.state in ('locked', 'to_be_deleted')
                                           and x.at >= coalesce(a.out_of_use_since, a.life_since)), 0)
               and not exists (select from notices n where n.account_id = e.account_id and n.sent_at = e.save_date)
               and not exists (select from announced m where m.content_id = e.content_id)))"
    };
}
pub(crate) use unexported;

/// All that is in a mailbox at one moment, but the octets: contents never change, so these can be read later.
#[derive(Debug)]
pub struct MailboxSnapshot {
    pub modseq: ModSeq,
    pub keywords: Vec<KeywordRow>,
    /// By name; the entries of each by uid.
    pub folders: Vec<(FolderRow, Vec<EntryRow>)>,
}

/// An archive that was written.
#[derive(Clone, Debug)]
pub struct NewExport<'a> {
    pub account: AccountId,
    /// The moment it shows.
    pub at: Timestamp,
    pub modseq: ModSeq,
    pub made_by: &'a str,
    pub messages: u64,
    /// Of the archive.
    pub octets: u64,
    pub sha256: &'a [u8; 32],
    /// Without directories.
    pub file_name: &'a str,
}

/// An archive that was written, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    pub at: Timestamp,
    pub made_by: String,
    pub messages: u64,
    pub octets: u64,
    pub sha256: Vec<u8>,
    pub file_name: String,
}

impl Store {
    /// The whole of a mailbox but its octets, whatever its stage; `None` when there is no such mailbox (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailbox_snapshot(&self, account: AccountId) -> Result<Option<MailboxSnapshot>, Error> {
        type Row = (i64, String, Option<String>, i64, i64, i64, i64, i64);
        let mut snapshot = Snapshot::begin(&self.pools.main).await?;
        let connection = &mut *snapshot.connection;
        let modseq: Option<i64> = sqlx::query_scalar("select modseq from counters where account_id = $1")
            .bind(account.0)
            .fetch_optional(&mut *connection)
            .await?;
        let keywords: Vec<(i16, String)> =
            sqlx::query_as("select keyword_id, name from keywords where account_id = $1")
                .bind(account.0)
                .fetch_all(&mut *connection)
                .await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq
               from folders where account_id = $1 order by name collate \"C\"",
        )
        .bind(account.0)
        .fetch_all(&mut *connection)
        .await?;
        let mut folders = Vec::with_capacity(rows.len());
        for row in rows {
            let folder = folder_row(row)?;
            // COPY takes no parameters; everything put into its text is a number.
            let statement = format!(
                "copy (select uid, flags, keywords, modseq, size, internal_date, content_id, email_id, thread_id
                         from entries where account_id = {} and folder_id = {} order by uid)
                 to stdout (format binary)",
                account.0, folder.folder_id.0
            );
            let entries = crate::copy_out::entries(&mut *connection, &statement).await?;
            folders.push((folder, entries));
        }
        snapshot.end().await?;
        let keywords =
            keywords.into_iter().map(|(keyword_id, name)| KeywordRow { keyword_id, name }).collect();
        let modseq = modseq.map(|modseq| ModSeq(modseq.unsigned_abs()));
        Ok(modseq.map(|modseq| MailboxSnapshot { modseq, keywords, folders }))
    }

    /// The last archive that was written of a mailbox since it went out of use; `None` where there is none, or the mailbox is in use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_export(&self, account: AccountId) -> Result<Option<ExportRow>, Error> {
        let row = sqlx::query(
            "select x.at, x.made_by, x.messages, x.octets, x.sha256, x.file_name
               from exports x join accounts a using (account_id)
              where x.account_id = $1 and a.state in ('locked', 'to_be_deleted')
                and x.at >= coalesce(a.out_of_use_since, a.life_since)
              order by x.at desc, x.export_id desc limit 1",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
        Ok(Some(ExportRow {
            at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
            made_by: row.try_get("made_by")?,
            messages: number("messages")?,
            octets: number("octets")?,
            sha256: row.try_get("sha256")?,
            file_name: row.try_get("file_name")?,
        }))
    }
}

impl Tx {
    /// Keeps what archive was written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_export(&mut self, new: &NewExport<'_>) -> Result<(), Error> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        sqlx::query(
            "insert into exports (account_id, at, modseq, made_by, messages, octets, sha256, file_name)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(new.account.0)
        .bind(new.at.to_sqlx())
        .bind(number(new.modseq.0))
        .bind(new.made_by)
        .bind(number(new.messages))
        .bind(number(new.octets))
        .bind(new.sha256.as_slice())
        .bind(new.file_name)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The mailbox, which is held and whose deletion was confirmed just now, goes without an archive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waive_export(&mut self, account: AccountId) -> Result<(), Error> {
        sqlx::query("update accounts set export_waived_at = deletion_confirmed_at where account_id = $1")
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
