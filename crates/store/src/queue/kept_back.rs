//! Keeping mail back, and letting it go: by an administrator's word, or because its sender's mailbox was locked for what it sends.
//!
//! Invariants: what is kept back is not claimed, and who has claimed it begins it no more ([`Store::may_go`]); it stays so whatever
//! becomes of a lease, until an administrator lets it go; whoever holds mailboxes waits for no row of the queue, as those who
//! report of mail hold such rows and wait for mailboxes.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

impl Store {
    /// Is the delivery still under this lease, and does nobody keep it back? By its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_go(&self, lease: i64, delivery: i64) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from queue_deliveries where delivery_id = $2 and lease_id = $1 and not held)",
        )
        .bind(lease)
        .bind(delivery)
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// Keeps back what [`Tx::hold_mail_of`] passed over, one after the other, so that it waits with nothing in hand. Says how
    /// many deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_rest_of(&self, account: AccountId, now: Timestamp) -> Result<u64, Error> {
        let left: Vec<i64> = sqlx::query_scalar(
            "select d.delivery_id from queue_messages m join queue_deliveries d using (message_id)
              where m.account_id = $1 and not d.held",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        let mut kept = 0;
        for delivery in left {
            let changed = sqlx::query(
                "update queue_deliveries set held = true, held_at = $2, held_by = 'lock' where delivery_id = $1 and not held",
            )
            .bind(delivery)
            .bind(now.to_sqlx())
            .execute(&self.pools.main)
            .await?;
            kept += changed.rows_affected();
        }
        Ok(kept)
    }

    /// How many messages of this mailbox its lock keeps back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn kept_back_of(&self, account: AccountId) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from queue_messages m
              where m.account_id = $1
                and (exists (select from queue_deliveries d where d.message_id = m.message_id and d.held and coalesce(d.held_by, 'lock') = 'lock')
                  or exists (select from pending_deliveries p where p.message_id = m.message_id and p.kept_at is not null and p.kept_by is distinct from 'operator'))",
        )
        .bind(account.0)
        .fetch_one(&self.pools.main)
        .await?;
        Ok(count.unsigned_abs())
    }
}

impl Tx {
    /// Keeps a message back, or lets it go; what is being sent now is kept back when that fails, and so is what waits for its moment
    /// within the system. The time that it was kept back does not count towards giving it up. Says how many deliveries that
    /// changed, there and here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_queued(&mut self, message: i64, held: bool, now: Timestamp) -> Result<u64, Error> {
        self.hold_messages(&[message], held, now).await
    }

    /// Keeps everything back that this mailbox has in the queue, or lets everything go but what the filter for spam keeps back, which
    /// somebody is to look at. Says how many deliveries that changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_all_of(
        &mut self,
        account: AccountId,
        held: bool,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let messages: Vec<i64> = sqlx::query_scalar(
            "select message_id from queue_messages m
              where account_id = $1
                and ($2 or not exists (select from queue_deliveries d where d.message_id = m.message_id and d.held_by = 'filter'))
              order by 1",
        )
        .bind(account.0)
        .bind(held)
        .fetch_all(&mut *self.inner)
        .await?;
        self.hold_messages(&messages, held, now).await
    }

    async fn hold_messages(&mut self, messages: &[i64], held: bool, now: Timestamp) -> Result<u64, Error> {
        let there = sqlx::query(
            "update queue_deliveries
                set held = $2, held_at = case when $2 then $3::timestamptz end, held_by = case when $2 then 'operator' end,
                    give_up_at = case when $2 then give_up_at else give_up_at + ($3 - coalesce(held_at, $3)) end,
                    warn_at = case when $2 then warn_at else warn_at + ($3 - coalesce(held_at, $3)) end
              where message_id = any ($1) and held <> $2",
        )
        .bind(messages)
        .bind(held)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        let here = sqlx::query(
            "update pending_deliveries
                set kept_at = case when $2 then $3::timestamptz end, kept_by = case when $2 then 'operator' end,
                    internal_date = case when $2 then internal_date else greatest(internal_date, $3) end
              where message_id = any ($1) and (kept_at is null) = $2",
        )
        .bind(messages)
        .bind(held)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(there.rows_affected() + here.rows_affected())
    }

    /// Keeps back everything that this mailbox has in the queue and has for later, also what somebody is about to send. For
    /// whoever holds mailboxes: it waits for nobody, and passes over what another transaction has in hand at the moment, which
    /// [`Store::hold_rest_of`] finds. Says how many deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_mail_of(&mut self, account: AccountId, now: Timestamp) -> Result<u64, Error> {
        let there = sqlx::query(
            "update queue_deliveries set held = true, held_at = $2, held_by = 'lock' where delivery_id in (
                 select d.delivery_id from queue_messages m join queue_deliveries d using (message_id)
                  where m.account_id = $1 and not d.held for update of d skip locked)",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        let here = sqlx::query(
            "update pending_deliveries set kept_at = $2, kept_by = 'lock' where pending_id in (
                 select p.pending_id from queue_messages m join pending_deliveries p using (message_id)
                  where m.account_id = $1 and p.kept_at is null for update of p skip locked)",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(there.rows_affected() + here.rows_affected())
    }
}
