//! Work that no attempt is needed for: what is late, given up, called back or sent elsewhere.
//!
//! Invariant: it goes through a lease, too, so that whoever is sending at the moment and whoever gives up never both decide.

use crate::queue::{Claimed, QueueLease};
use crate::{Error, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// Deliveries of one message that are told to be late at once.
const WHOLE_MAX: i64 = 1_000;

impl Store {
    /// Up to `limit` deliveries whose sender is to be told that they are late, and what else is late of the last one's message, or up to
    /// `limit` which are given up; none of `passed_over`, nor those that somebody is sending at the moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_overdue(
        &self,
        node: &str,
        passed_over: &[i64],
        limit: i64,
        (now, term): (Timestamp, SignedDuration),
    ) -> Result<Option<Claimed>, Error> {
        let mut tx = self.begin().await?;
        let mut chosen: Vec<i64> = sqlx::query_scalar(
            "select delivery_id from queue_deliveries
              where give_up_at <= $1 and lease_id is null and not held and delivery_id <> all ($3)
              order by give_up_at limit $2 for update skip locked",
        )
        .bind(now.to_sqlx())
        .bind(limit)
        .bind(passed_over)
        .fetch_all(&mut *tx.inner)
        .await?;
        if chosen.is_empty() {
            chosen = tx.late(passed_over, limit, now).await?;
        }
        tx.claimed(chosen, (node, term)).await
    }

    /// What of a message nobody is sending at the moment, and whether somebody is sending some of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_message(
        &self,
        message: i64,
        (node, term): (&str, SignedDuration),
    ) -> Result<(Option<Claimed>, bool), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("select 1 from queue_messages where message_id = $1 for update")
            .bind(message)
            .execute(&mut *tx.inner)
            .await?;
        let rows: Vec<(i64, bool)> = sqlx::query_as(
            "select delivery_id, lease_id is null from queue_deliveries where message_id = $1
              order by delivery_id for update",
        )
        .bind(message)
        .fetch_all(&mut *tx.inner)
        .await?;
        let busy = rows.iter().any(|(_, free)| !free);
        let chosen = rows.into_iter().filter(|(_, free)| *free).map(|(id, _)| id).collect();
        Ok((tx.claimed(chosen, (node, term)).await?, busy))
    }

    /// Has the destinations of a message looked at now, those that rest as well. In a transaction of its own: who claims
    /// locks them before deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look_at(&self, message: i64, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "update queue_destinations set next_at = least(next_at, $2), mail_at = least(mail_at, $2)
              where destination_id in (
                    select destination_id from queue_destinations
                     where destination_id in (select destination_id from queue_deliveries
                                               where message_id = $1 and lease_id is null and not held and due_at <= $2)
                     order by destination_id for no key update)",
        )
        .bind(message)
        .bind(now.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Who asked for it since `since` that a message be sent to this address, if it was the last that was asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redirect_asked(
        &self,
        message: i64,
        (to, since): (&str, Timestamp),
    ) -> Result<Option<RedirectAsker>, Error> {
        let asked: Option<(String, Option<i64>)> = sqlx::query_as(
            "select redirect_asked_by, redirect_asked_id from queue_messages
              where message_id = $1 and redirect_to = $2 and redirect_asked_at > $3",
        )
        .bind(message)
        .bind(to)
        .bind(since.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(asked.map(|(name, account)| RedirectAsker { name, account: account.map(AccountId) }))
    }

    /// Numbers and submitters of the messages that bear this id: one, but for those that were accepted before a restore.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queued_as(&self, queue_id: &str) -> Result<Vec<(i64, Option<AccountId>)>, Error> {
        let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(
            "select message_id, account_id from queue_messages where queue_id = $1 order by message_id",
        )
        .bind(queue_id)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(id, account)| (id, account.map(AccountId))).collect())
    }
}

/// Who asked for a message to be sent to another address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectAsker {
    /// As the audit trail has him.
    pub name: String,
    /// The own mailbox; `None` at the console.
    pub account: Option<AccountId>,
}

impl Tx {
    /// Locked.
    async fn late(&mut self, passed_over: &[i64], limit: i64, now: Timestamp) -> Result<Vec<i64>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select delivery_id, message_id from queue_deliveries
              where warn_at <= $1 and warn_at is not null and lease_id is null and not held
                and delivery_id <> all ($3)
              order by warn_at limit $2 for update skip locked",
        )
        .bind(now.to_sqlx())
        .bind(limit)
        .bind(passed_over)
        .fetch_all(&mut *self.inner)
        .await?;
        let mut chosen: Vec<i64> = rows.iter().map(|(delivery, _)| *delivery).collect();
        let Some((_, last)) = rows.last() else { return Ok(chosen) };
        let rest: Vec<i64> = sqlx::query_scalar(
            "select delivery_id from queue_deliveries
              where message_id = $1 and warn_at <= $2 and lease_id is null and not held
                and delivery_id <> all ($3) and delivery_id <> all ($4)
              limit $5 for update skip locked",
        )
        .bind(last)
        .bind(now.to_sqlx())
        .bind(passed_over)
        .bind(&chosen)
        .bind(WHOLE_MAX)
        .fetch_all(&mut *self.inner)
        .await?;
        chosen.extend(rest);
        Ok(chosen)
    }

    async fn claimed(
        mut self,
        chosen: Vec<i64>,
        (node, term): (&str, SignedDuration),
    ) -> Result<Option<Claimed>, Error> {
        if chosen.is_empty() {
            return Ok(None);
        }
        let lease = self.lease(&chosen, (None, node, term)).await?;
        let deliveries = self.leased(lease).await?;
        self.commit().await?;
        let lease = QueueLease { lease, destination: None, failures: 0 };
        Ok((!deliveries.is_empty()).then_some(Claimed { lease, deliveries }))
    }

    /// Makes what nobody is sending due at once. Says how many deliveries; [`Store::look_at`] follows the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_queued(&mut self, message: i64, now: Timestamp) -> Result<u64, Error> {
        let moved = sqlx::query(
            "update queue_deliveries set due_at = $2 where message_id = $1 and lease_id is null and not held",
        )
        .bind(message)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(moved.rows_affected())
    }

    /// Notes who wants a message sent to another address, instead of what was asked for before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ask_redirect(
        &mut self,
        message: i64,
        (to, by): (&str, &RedirectAsker),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "update queue_messages set redirect_to = $2, redirect_asked_by = $3, redirect_asked_id = $4, redirect_asked_at = $5
              where message_id = $1",
        )
        .bind(message)
        .bind(to)
        .bind(&by.name)
        .bind(by.account.map(|account| account.0))
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Takes back what waits for its moment within the system, or is kept back beyond it. Says for how many mailboxes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_pending(&mut self, message: i64, now: Timestamp) -> Result<u64, Error> {
        sqlx::query("select 1 from queue_messages where message_id = $1 for update")
            .bind(message)
            .execute(&mut *self.inner)
            .await?;
        let taken: i64 = sqlx::query_scalar(
            "with gone as (delete from pending_deliveries where message_id = $1 and (release_at > $2 or kept_at is not null)
                           returning content_id, cardinality(account_ids) as mailboxes),
                  noted as (insert into sweep_candidates (content_id, noted_at) select distinct content_id, $2 from gone)
             select coalesce(sum(mailboxes), 0)::bigint from gone",
        )
        .bind(message)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        self.end_these_messages(&[message], now).await?;
        Ok(taken.unsigned_abs())
    }
}
