//! Hand-overs of organisation mailboxes (bàn giao nguyên trạng).

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Rights};
use serde_json::Value;

/// A hand-over that is to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewHandover<'a> {
    pub mailbox: AccountId,
    pub from: &'a str,
    pub to: &'a str,
    pub to_account: Option<AccountId>,
    pub to_rights: Rights,
    pub document: &'a str,
    pub by: &'a str,
    pub record: &'a Value,
}

/// A hand-over, under way or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct HandoverRow {
    pub handover: i64,
    pub from: String,
    pub to: String,
    pub to_account: Option<AccountId>,
    pub to_rights: Rights,
    pub document: String,
    pub started_by: String,
    pub started_at: Timestamp,
    /// When, by whom, and `finished` or `cancelled`.
    pub ended: Option<(Timestamp, String, String)>,
    pub record: Value,
}

/// A folder and how much lies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderCount {
    pub name: String,
    pub messages: u64,
    pub unseen: u64,
    pub bytes: u64,
}

type Row = (
    i64,
    String,
    String,
    Option<i64>,
    i16,
    String,
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<String>,
    Value,
);

fn handover(row: Row) -> HandoverRow {
    let (id, from, to, account, rights, document, by, at, ended_at, ended_by, outcome, record) = row;
    HandoverRow {
        handover: id,
        from,
        to,
        to_account: account.map(AccountId),
        to_rights: Rights::from_bits(u8::try_from(rights).unwrap_or(0)),
        document,
        started_by: by,
        started_at: at.to_jiff(),
        ended: ended_at.map(|at| (at.to_jiff(), ended_by.unwrap_or_default(), outcome.unwrap_or_default())),
        record,
    }
}

const COLUMNS: &str =
    "select handover_id, from_name, to_name, to_id, to_rights, document, started_by, started_at,
                              ended_at, ended_by, outcome, record
                         from handovers where mailbox_id = $1 order by handover_id desc limit $2";

impl Store {
    /// Hand-overs of the mailbox, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn handovers(&self, mailbox: AccountId, limit: u32) -> Result<Vec<HandoverRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(COLUMNS)
            .bind(mailbox.0)
            .bind(i64::from(limit))
            .fetch_all(&self.pools.main)
            .await?;
        Ok(rows.into_iter().map(handover).collect())
    }
}

impl Tx {
    /// Is the mailbox being handed over? Asked under its lock, which a hand-over takes to begin and to end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_frozen(&mut self, mailbox: AccountId) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from handovers where mailbox_id = $1 and ended_at is null)",
        )
        .bind(mailbox.0)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// # Errors
    /// `handovers_one` when one is under way.
    pub async fn insert_handover(&mut self, new: &NewHandover<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into handovers (mailbox_id, from_name, to_name, to_id, to_rights, document, started_by, started_at,
                                    record)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning handover_id",
        )
        .bind(new.mailbox.0)
        .bind(new.from)
        .bind(new.to)
        .bind(new.to_account.map(|account| account.0))
        .bind(i16::from(new.to_rights.bits()))
        .bind(new.document)
        .bind(new.by)
        .bind(now.to_sqlx())
        .bind(new.record)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// The hand-over that is under way.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present_handover(&mut self, mailbox: AccountId) -> Result<Option<HandoverRow>, Error> {
        let row: Option<Row> =
            sqlx::query_as(COLUMNS).bind(mailbox.0).bind(1_i64).fetch_optional(&mut *self.inner).await?;
        Ok(row.map(handover).filter(|row| row.ended.is_none()))
    }

    /// # Errors
    /// When the database fails.
    pub async fn end_handover(
        &mut self,
        handover: i64,
        (by, outcome, record): (&str, &str, &Value),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "update handovers set ended_at = $2, ended_by = $3, outcome = $4, record = $5 where handover_id = $1",
        )
        .bind(handover)
        .bind(now.to_sqlx())
        .bind(by)
        .bind(outcome)
        .bind(record)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// How much lies in each folder, by name. Reads every entry of the mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folder_counts(&mut self, mailbox: AccountId) -> Result<Vec<FolderCount>, Error> {
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "select f.name, count(e.uid), count(e.uid) filter (where e.flags & $2 = 0),
                    coalesce(sum(e.size), 0)::bigint
               from folders f
               left join entries e on e.account_id = $1 and e.folder_id = f.folder_id
              where f.account_id = $1 group by f.folder_id order by f.name",
        )
        .bind(mailbox.0)
        .bind(model::Flags::SEEN.0)
        .fetch_all(&mut *self.inner)
        .await?;
        let count = |(name, messages, unseen, bytes): (String, i64, i64, i64)| FolderCount {
            name,
            messages: messages.unsigned_abs(),
            unseen: unseen.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
        };
        Ok(rows.into_iter().map(count).collect())
    }
}
