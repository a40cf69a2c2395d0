//! How much is kept apart: for each mailbox, which has an end, and of all, which somebody is to see.
//!
//! Invariant: however many keep something apart at one moment, there is no more of a mailbox than may be: `quarantine_amounts` is counted
//! by triggers, and whoever adds to it holds its row until his commit. Copies that stay for a legal hold alone do not count.

use crate::{Error, Store, Tx};
use model::AccountId;

/// Messages that are kept apart for one mailbox: whoever gets more in a month looks at none of them, and has the rest as Junk.
pub const QUARANTINE_MESSAGES_MAX: u32 = 2_000;
/// Octets of those: it counts for no quota, and the disk is everybody's.
pub const QUARANTINE_BYTES_MAX: u64 = 1 << 30;
/// Of either, from which on somebody is to see it.
const NEARLY_FULL_PERCENT: u64 = 90;

/// Those of the mailboxes $1 that have $2 messages or more than $3 octets: by key.
pub(crate) const FULL: &str = "select account_id from quarantine_amounts
      where account_id = any ($1) and (messages >= $2 or bytes > $3)";

/// All of it, and how many mailboxes have $1 messages or $2 octets: of one row for each mailbox, however much lies there.
pub(crate) const ALL: &str =
    "select coalesce(sum(messages), 0)::bigint, coalesce(sum(bytes), 0)::bigint, count(*) filter (where messages >= $1 or bytes >= $2)
       from quarantine_amounts";

/// How much is kept apart. What is for several counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineCounts {
    pub messages: u64,
    /// Octets.
    pub bytes: u64,
    /// Mailboxes that have nine tenths of what may be, or more.
    pub nearly_full: u64,
}

/// A mailbox that has nine tenths of what may be kept apart for it, or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearlyFullQuarantine {
    /// Primary address.
    pub mailbox: String,
    pub messages: u64,
    /// Octets.
    pub bytes: u64,
}

impl Store {
    /// Those of these mailboxes for which no message of so many octets more can be kept apart. What somebody else adds at the moment is not
    /// seen: who keeps it apart is told under the lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn full_quarantines(
        &self,
        accounts: &[AccountId],
        bytes: u64,
    ) -> Result<Vec<AccountId>, Error> {
        let full: Vec<i64> = sqlx::query_scalar(FULL)
            .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
            .bind(i64::from(QUARANTINE_MESSAGES_MAX))
            .bind(as_i64(QUARANTINE_BYTES_MAX) - as_i64(bytes))
            .fetch_all(&self.pools.main)
            .await?;
        Ok(full.into_iter().map(AccountId).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn quarantine_counts(&self) -> Result<QuarantineCounts, Error> {
        let (messages, bytes, nearly_full): (i64, i64, i64) = sqlx::query_as(ALL)
            .bind(as_i64(nearly(u64::from(QUARANTINE_MESSAGES_MAX))))
            .bind(as_i64(nearly(QUARANTINE_BYTES_MAX)))
            .fetch_one(&self.pools.main)
            .await?;
        Ok(QuarantineCounts {
            messages: messages.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            nearly_full: nearly_full.unsigned_abs(),
        })
    }

    /// The fullest of them first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nearly_full_quarantines(&self, limit: u32) -> Result<Vec<NearlyFullQuarantine>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "select coalesce(m.address, '#' || q.account_id), q.messages, q.bytes
               from quarantine_amounts q left join addresses m on m.account_id = q.account_id and m.kind = 'primary'
              where q.messages >= $1 or q.bytes >= $2
              order by greatest(q.messages::double precision / $3, q.bytes::double precision / $4) desc, q.account_id limit $5",
        )
        .bind(as_i64(nearly(u64::from(QUARANTINE_MESSAGES_MAX))))
        .bind(as_i64(nearly(QUARANTINE_BYTES_MAX)))
        .bind(f64::from(QUARANTINE_MESSAGES_MAX))
        .bind(QUARANTINE_BYTES_MAX as f64)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(mailbox, messages, bytes): (String, i64, i64)| NearlyFullQuarantine {
            mailbox,
            messages: messages.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

impl Tx {
    /// Keeps others from adding to what lies apart for these mailboxes until the end of this transaction, by number.
    ///
    /// # Errors
    /// `MailboxGone` when one vanished, `QuarantineFull` when a message of so many octets has no room with one.
    pub(super) async fn hold_quarantines(&mut self, accounts: &[i64], bytes: u64) -> Result<(), Error> {
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "with there as materialized (
                 select account_id from counters where account_id = any ($1) order by account_id for key share
             )
             insert into quarantine_amounts as q (account_id, messages, bytes)
             select account_id, 0, 0 from there order by account_id
             on conflict (account_id) do update set messages = q.messages returning account_id, messages, bytes",
        )
        .bind(accounts)
        .fetch_all(&mut *self.inner)
        .await?;
        if rows.len() != accounts.len() {
            return Err(Error::MailboxGone);
        }
        let (messages_max, bytes_max) =
            (i64::from(QUARANTINE_MESSAGES_MAX), as_i64(QUARANTINE_BYTES_MAX) - as_i64(bytes));
        let is_full =
            |(_, messages, bytes): &&(i64, i64, i64)| *messages >= messages_max || *bytes > bytes_max;
        if rows.iter().any(|row| is_full(&row)) { Err(Error::QuarantineFull) } else { Ok(()) }
    }
}

const fn nearly(max: u64) -> u64 {
    max / 100 * NEARLY_FULL_PERCENT
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
