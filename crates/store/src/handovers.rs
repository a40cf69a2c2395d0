//! Hand-overs of organisation mailboxes (bàn giao nguyên trạng).

use crate::{Error, Tx};
use model::AccountId;

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
}
