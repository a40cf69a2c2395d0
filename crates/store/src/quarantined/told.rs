//! Which mailboxes had no letter of what is kept apart for them.

use super::{QuarantinedRow, Row, select_quarantined};
use crate::{Error, Store};
use model::AccountId;

impl Store {
    /// Mailboxes behind `after` for which something is kept apart that they had no letter about, by number (`quarantined_untold`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_quarantines(&self, after: AccountId, limit: u32) -> Result<Vec<AccountId>, Error> {
        let accounts: Vec<i64> = sqlx::query_scalar(
            "select distinct account_id from quarantined where not is_told and account_id > $1 order by account_id limit $2",
        )
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(accounts.into_iter().map(AccountId).collect())
    }

    /// What a mailbox had no letter about, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_quarantined(&self, account: AccountId) -> Result<Vec<QuarantinedRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            select_quarantined!(),
            " where q.account_id = $1 and not q.is_told order by q.held_id desc"
        ))
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// A letter was about these.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quarantined_told(&self, held: &[i64]) -> Result<(), Error> {
        sqlx::query("update quarantined set is_told = true where held_id = any ($1)")
            .bind(held)
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }
}
