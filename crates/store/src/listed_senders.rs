//! What mailboxes say of senders: whose mail they want whatever the filter says, and whose they do not.
//!
//! Invariant: a mailbox's list has an end, looked at under its lock; a sender stands on it once.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Listed};

const DAMAGED: Error = Error::Damaged("a listed sender has a value this version does not know");

/// What a mailbox says of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLine {
    /// In lower case.
    pub sender: String,
    pub listed: Listed,
    /// It was made from mail that is shown to be his.
    pub is_shown: bool,
}

/// A line of a mailbox's list, with who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSenderRow {
    /// In lower case.
    pub sender: String,
    pub listed: Listed,
    /// It was made from mail that is shown to be his.
    pub is_shown: bool,
    pub by: String,
    pub at: Timestamp,
}

impl Store {
    /// What these mailboxes say of these senders, which are in lower case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listed(
        &self,
        accounts: &[AccountId],
        senders: &[&str],
    ) -> Result<Vec<(AccountId, ListedLine)>, Error> {
        let rows: Vec<(i64, String, String, bool)> = sqlx::query_as(
            "select account_id, sender, listed, is_shown from listed_senders where account_id = any ($1) and sender = any ($2)",
        )
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(senders)
        .fetch_all(&self.pools.main)
        .await?;
        let line = |(account, sender, listed, is_shown): (i64, String, String, bool)| {
            let listed = listed.parse().map_err(|_| DAMAGED)?;
            Ok((AccountId(account), ListedLine { sender, listed, is_shown }))
        };
        rows.into_iter().map(line).collect()
    }

    /// The whole list of a mailbox, by sender.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listed_senders(&self, account: AccountId) -> Result<Vec<ListedSenderRow>, Error> {
        type Row = (String, String, bool, String, jiff_sqlx::Timestamp);
        let rows: Vec<Row> = sqlx::query_as(
            "select sender, listed, is_shown, listed_by, listed_at from listed_senders where account_id = $1 order by sender",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        let line = |(sender, listed, is_shown, by, at): Row| {
            let listed = listed.parse().map_err(|_| DAMAGED)?;
            Ok(ListedSenderRow { sender, listed, is_shown, by, at: at.to_jiff() })
        };
        rows.into_iter().map(line).collect()
    }
}

impl Tx {
    /// Puts a sender on the list of a mailbox, which has `most` lines at most, or says something else of him; what was made from mail shown
    /// to be his stays so. False when it is full.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_sender(
        &mut self,
        account: AccountId,
        line: &ListedLine,
        (by, most): (&str, u32),
        now: Timestamp,
    ) -> Result<bool, Error> {
        sqlx::query("select 1 from counters where account_id = $1 for no key update")
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        let done = sqlx::query(
            "insert into listed_senders (account_id, sender, listed, listed_by, listed_at, is_shown)
             select $1, $2, $3, $4, $5, $7
              where (select count(*) from listed_senders where account_id = $1 and sender <> $2) < $6
             on conflict on constraint listed_senders_pkey do update
                set is_shown = excluded.is_shown or listed_senders.is_shown and listed_senders.listed = excluded.listed,
                    listed = excluded.listed, listed_by = excluded.listed_by, listed_at = excluded.listed_at",
        )
        .bind(account.0)
        .bind(&line.sender)
        .bind(line.listed.as_str())
        .bind(by)
        .bind(now.to_sqlx())
        .bind(i64::from(most))
        .bind(line.is_shown)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a sender off the list. False when he was not on it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlist_sender(&mut self, account: AccountId, sender: &str) -> Result<bool, Error> {
        let gone = sqlx::query("delete from listed_senders where account_id = $1 and sender = $2")
            .bind(account.0)
            .bind(sender)
            .execute(&mut *self.inner)
            .await?;
        Ok(gone.rows_affected() > 0)
    }
}
