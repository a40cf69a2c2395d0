//! Whom rules answered by themselves (RFC 5230 4.2), as it is looked at beforehand.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

impl Store {
    /// Has a mailbox answered this, so that it is not to `now`? For whoever would do much for nothing: [`crate::Tx::note_answered`] decides.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_answered(
        &self,
        account: AccountId,
        key: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let answered =
            "select exists (select from sieve_answered where account_id = $1 and key = $2 and until > $3)";
        Ok(sqlx::query_scalar(answered)
            .bind(account.0)
            .bind(key.as_slice())
            .bind(now.to_sqlx())
            .fetch_one(&self.pools.main)
            .await?)
    }
}
