//! What mailboxes say of senders: whose mail they want whatever the filter says, and whose they do not.
//!
//! Invariant: a mailbox's list has an end, looked at under its lock; a sender stands on it once.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Listed};

const DAMAGED: Error = Error::Damaged("a listed sender has a value this version does not know");

/// A line of a mailbox's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSenderRow {
    /// In lower case.
    pub sender: String,
    pub listed: Listed,
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
    ) -> Result<Vec<(AccountId, String, Listed)>, Error> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "select account_id, sender, listed from listed_senders where account_id = any ($1) and sender = any ($2)",
        )
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(senders)
        .fetch_all(&self.pools.main)
        .await?;
        let line = |(account, sender, listed): (i64, String, String)| {
            Ok((AccountId(account), sender, listed.parse().map_err(|_| DAMAGED)?))
        };
        rows.into_iter().map(line).collect()
    }

    /// The whole list of a mailbox, by sender.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn listed_senders(&self, account: AccountId) -> Result<Vec<ListedSenderRow>, Error> {
        let rows: Vec<(String, String, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select sender, listed, listed_by, listed_at from listed_senders where account_id = $1 order by sender",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        let line = |(sender, listed, by, at): (String, String, String, jiff_sqlx::Timestamp)| {
            let listed = listed.parse().map_err(|_| DAMAGED)?;
            Ok(ListedSenderRow { sender, listed, by, at: at.to_jiff() })
        };
        rows.into_iter().map(line).collect()
    }
}

impl Tx {
    /// Puts a sender on the list of a mailbox, which has `most` lines at most, or says something else of him. False when it is full.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_sender(
        &mut self,
        account: AccountId,
        (sender, listed): (&str, Listed),
        (by, most): (&str, u32),
        now: Timestamp,
    ) -> Result<bool, Error> {
        sqlx::query("select 1 from counters where account_id = $1 for no key update")
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        let done = sqlx::query(
            "insert into listed_senders (account_id, sender, listed, listed_by, listed_at)
             select $1, $2, $3, $4, $5
              where (select count(*) from listed_senders where account_id = $1 and sender <> $2) < $6
             on conflict on constraint listed_senders_pkey do update
                set listed = excluded.listed, listed_by = excluded.listed_by, listed_at = excluded.listed_at",
        )
        .bind(account.0)
        .bind(sender)
        .bind(listed.as_str())
        .bind(by)
        .bind(now.to_sqlx())
        .bind(i64::from(most))
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
