//! How much is kept apart: for each mailbox, which has an end, and of all, which somebody is to see.

use crate::{Error, Store};
use model::AccountId;

/// Those of the mailboxes $1 for which $2 messages or $3 octets are kept apart: by `quarantined_account` alone.
pub(crate) const FULL: &str = "select account_id from quarantined where account_id = any ($1)
      group by account_id having count(*) >= $2 or sum(size) >= $3";

/// All of it: by `quarantined_account` alone.
pub(crate) const ALL: &str = "select count(*), coalesce(sum(size), 0)::bigint from quarantined";

/// How much is kept apart. What is for several counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineCounts {
    pub messages: u64,
    /// Octets.
    pub bytes: u64,
}

impl Store {
    /// Those of these mailboxes for which as much is kept apart as may be: so many messages, or octets. Who asks at the same moment does not
    /// see what the other one adds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn full_quarantines(
        &self,
        accounts: &[AccountId],
        (messages, bytes): (u32, u64),
    ) -> Result<Vec<AccountId>, Error> {
        let full: Vec<i64> = sqlx::query_scalar(FULL)
            .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
            .bind(i64::from(messages))
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .fetch_all(&self.pools.main)
            .await?;
        Ok(full.into_iter().map(AccountId).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn quarantine_counts(&self) -> Result<QuarantineCounts, Error> {
        let (messages, bytes): (i64, i64) = sqlx::query_as(ALL).fetch_one(&self.pools.main).await?;
        Ok(QuarantineCounts { messages: messages.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }
}
