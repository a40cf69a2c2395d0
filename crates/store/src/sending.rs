//! What mailboxes have sent lately, and whom they know.
//!
//! Invariants: counts are changed under the row's lock alone, so they are exact over all nodes; nothing here is waited for on
//! the disk, and a crash forgets counts, never mail; every statement finds its rows by a primary key, but for the nightly one
//! that forgets, which has an index of its own.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;
use model::sending::{Sent, Window};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, Row as _, Transaction};

/// The counts of one mailbox, held until they are written or let go.
#[derive(Debug)]
pub struct HeldCounts {
    inner: Transaction<'static, Postgres>,
    account: AccountId,
    pub sent: Sent,
    /// Digests of its messages that were stopped last, the oldest first.
    stopped: Vec<i64>,
}

/// So many stopped messages of a mailbox are known again.
const STOPPED_MAX: usize = 100;

struct SentRow(Sent);

impl FromRow<'_, PgRow> for SentRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let number = |name: &str| row.try_get::<i32, _>(name).map(i32::unsigned_abs);
        let window = |since: &str, messages: &str, recipients: &str| -> Result<Window, sqlx::Error> {
            let since = row.try_get::<jiff_sqlx::Timestamp, _>(since)?.to_jiff();
            Ok(Window { since, messages: number(messages)?, recipients: number(recipients)? })
        };
        Ok(Self(Sent {
            hour: window("hour_since", "hour_messages", "hour_recipients")?,
            day: window("day_since", "day_messages", "day_recipients")?,
            strangers: number("strangers")?,
            refused: number("refused")?,
            told: row.try_get("told")?,
            suspect_until: row
                .try_get::<Option<jiff_sqlx::Timestamp>, _>("suspect_until")?
                .map(jiff_sqlx::Timestamp::to_jiff),
            malware: number("malware")?,
            spam: number("spam")?,
        }))
    }
}

/// Counts are far below; one that is not stays at the end of what the column holds.
fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Store {
    /// Takes the counts of a mailbox into hand, waiting for whoever else of its senders has them.
    ///
    /// # Errors
    /// When the database fails, or there is no such mailbox.
    pub async fn hold_counts(&self, account: AccountId, now: Timestamp) -> Result<HeldCounts, Error> {
        let mut inner = self.pools.chunks.begin().await?;
        for _ in 0..2 {
            let row = sqlx::query(
                "select hour_since, hour_messages, hour_recipients, day_since, day_messages, day_recipients, strangers, refused, told,
                        suspect_until, malware, spam, stopped
                   from sending_counts where account_id = $1 for no key update",
            )
            .bind(account.0)
            .fetch_optional(&mut *inner)
            .await?;
            if let Some(row) = row {
                let SentRow(sent) = SentRow::from_row(&row)?;
                return Ok(HeldCounts { inner, account, sent, stopped: row.try_get("stopped")? });
            }
            sqlx::query(
                "insert into sending_counts values ($1, $2, 0, 0, $2, 0, 0, 0, 0, false) on conflict (account_id) do nothing",
            )
            .bind(account.0)
            .bind(now.to_sqlx())
            .execute(&mut *inner)
            .await?;
        }
        // Somebody forgets it at this moment.
        Err(Error::Conflict)
    }

    /// What is kept of a mailbox, if anything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sent_counts(&self, account: AccountId) -> Result<Option<Sent>, Error> {
        let row: Option<SentRow> = sqlx::query_as(
            "select hour_since, hour_messages, hour_recipients, day_since, day_messages, day_recipients, strangers, refused, told,
                    suspect_until, malware, spam
               from sending_counts where account_id = $1",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|SentRow(sent)| sent))
    }

    /// How many of these addresses a mailbox never wrote to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_strangers(&self, account: AccountId, keys: &[i64]) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from unnest($2::bigint[]) as k (address_key)
              where not exists (select from correspondents c where c.account_id = $1 and c.address_key = k.address_key)",
        )
        .bind(account.0)
        .bind(keys)
        .fetch_one(&self.pools.main)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// It wrote to these. Noted anew only where it was not for `since`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_correspondents(
        &self,
        account: AccountId,
        keys: &[i64],
        now: Timestamp,
        since: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into correspondents as c (account_id, address_key, last_at)
             select $1, k.address_key, $3 from unnest($2::bigint[]) as k (address_key) order by 2
             on conflict (account_id, address_key) do update set last_at = excluded.last_at where c.last_at < $4",
        )
        .bind(account.0)
        .bind(keys)
        .bind(now.to_sqlx())
        .bind(since.to_sqlx())
        .execute(&self.pools.chunks)
        .await?;
        Ok(())
    }

    /// Forgets whom nobody wrote to since then; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_correspondents(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let done = sqlx::query(
            "delete from correspondents c using (select account_id, address_key from correspondents where last_at < $1 limit $2) as o
              where c.account_id = o.account_id and c.address_key = o.address_key",
        )
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .execute(&self.pools.chunks)
        .await?;
        Ok(done.rows_affected())
    }
}

impl HeldCounts {
    /// Remembers a message that was stopped, with what is kept. False: it is one of the last that were.
    pub fn is_first(&mut self, digest: i64) -> bool {
        if self.stopped.contains(&digest) {
            return false;
        }
        let most = self.stopped.len().min(STOPPED_MAX - 1);
        self.stopped.drain(..self.stopped.len() - most);
        self.stopped.push(digest);
        true
    }

    /// Keeps what was counted, and lets go.
    ///
    /// # Errors
    /// When the database fails; then nothing was counted.
    pub async fn keep(mut self, sent: &Sent) -> Result<(), Error> {
        sqlx::query(
            "update sending_counts
                set hour_since = $2, hour_messages = $3, hour_recipients = $4, day_since = $5, day_messages = $6,
                    day_recipients = $7, strangers = $8, refused = $9, told = $10, suspect_until = $11,
                    malware = $12, spam = $13, stopped = $14
              where account_id = $1",
        )
        .bind(self.account.0)
        .bind(sent.hour.since.to_sqlx())
        .bind(column(sent.hour.messages))
        .bind(column(sent.hour.recipients))
        .bind(sent.day.since.to_sqlx())
        .bind(column(sent.day.messages))
        .bind(column(sent.day.recipients))
        .bind(column(sent.strangers))
        .bind(column(sent.refused))
        .bind(sent.told)
        .bind(sent.suspect_until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(column(sent.malware))
        .bind(column(sent.spam))
        .bind(&self.stopped)
        .execute(&mut *self.inner)
        .await?;
        Ok(self.inner.commit().await?)
    }
}

impl Tx {
    /// Until then the mailbox may send less; what it may already not do for longer stays so.
    ///
    /// # Errors
    /// When the database fails, or there is no such mailbox.
    pub async fn suspect(
        &mut self,
        account: AccountId,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into sending_counts as s values ($1, $2, 0, 0, $2, 0, 0, 0, 0, false, $3)
             on conflict (account_id) do update set suspect_until = greatest(s.suspect_until, excluded.suspect_until)",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .bind(until.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Lets a mailbox begin anew.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_counts(&mut self, account: AccountId) -> Result<(), Error> {
        sqlx::query("delete from sending_counts where account_id = $1")
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
