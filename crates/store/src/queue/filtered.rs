//! What the filter for spam keeps back of what is sent from here: who is to be told of it, how much there is, and when it is over.
//!
//! Invariants: a delivery is told of by its row, so that what comes while a letter is written is told of by the next; what a mailbox under
//! legal hold sent is not over.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, DomainId};

/// What there is for others that the filter keeps back: by `queue_deliveries_filtered` alone.
pub(crate) const COUNTS: &str =
    "select count(*), min(held_at) from queue_deliveries where held_by = 'filter'";

/// Mailboxes behind $1 that were not told of some of it: by `queue_deliveries_untold`.
pub(crate) const UNTOLD: &str =
    "select distinct m.account_id from queue_deliveries d join queue_messages m using (message_id)
      where d.held_by = 'filter' and not d.is_told and m.account_id > $1 order by m.account_id limit $2";

/// Messages of mailboxes of the domains $1 that are kept back since before $2: by `queue_deliveries_filtered`.
pub(crate) const OVER: &str = "select distinct m.message_id, m.queue_id
       from queue_deliveries d join queue_messages m using (message_id) join accounts a using (account_id)
      where d.held and d.held_by = 'filter' and d.held_at < $2 and d.lease_id is null and a.domain_id = any ($1)
        and not exists (select from holds h where h.account_id = m.account_id and h.kind = 'mailbox' and h.released_at is null)
      order by m.message_id limit $3";

/// A delivery that the filter keeps back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilteredRow {
    pub delivery: i64,
    pub queue_id: String,
    /// As [`Event::about`](crate::Event::about).
    pub about: String,
    pub held_at: Timestamp,
    /// The first of those it is for.
    pub recipient: String,
    /// How many it is for.
    pub recipients: u64,
}

/// How much the filter keeps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilteredCounts {
    pub deliveries: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// Messages, with their queue ids, that the filter for spam has kept back since before that moment, of mailboxes of the domains; of one
    /// that is deleted meanwhile, too, of none that is under legal hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn filtered_before(
        &self,
        domains: &[DomainId],
        (before, limit): (Timestamp, u32),
    ) -> Result<Vec<(i64, String)>, Error> {
        let domains: Vec<i64> = domains.iter().map(|domain| domain.0).collect();
        let rows = sqlx::query_as(OVER).bind(domains).bind(before.to_sqlx()).bind(i64::from(limit));
        Ok(rows.fetch_all(&self.pools.main).await?)
    }

    /// A message that the filter keeps back, and the domain of who sent it. `None`: it keeps back nothing of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn filtered_content(&self, message: i64) -> Result<Option<(ContentId, DomainId)>, Error> {
        let found: Option<(i64, i64)> = sqlx::query_as(
            "select m.content_id, a.domain_id from queue_messages m join accounts a using (account_id)
              where m.message_id = $1
                and exists (select from queue_deliveries d where d.message_id = m.message_id and d.held_by = 'filter')",
        )
        .bind(message)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(found.map(|(content, domain)| (ContentId(content), DomainId(domain))))
    }

    /// A message of the queue as it goes out, and the domain of who sent it where it was somebody here. `None`: it has gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queued_content(&self, message: i64) -> Result<Option<(ContentId, Option<DomainId>)>, Error> {
        let found: Option<(i64, Option<i64>)> = sqlx::query_as(
            "select m.content_id, a.domain_id from queue_messages m left join accounts a using (account_id)
              where m.message_id = $1",
        )
        .bind(message)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(found.map(|(content, domain)| (ContentId(content), domain.map(DomainId))))
    }

    /// Does the filter keep this message back, and is its sender's mailbox under legal hold?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_filtered_of_held(&self, message: i64) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from queue_messages m join queue_deliveries d using (message_id)
                              join holds h using (account_id)
                             where m.message_id = $1 and d.held_by = 'filter' and h.kind = 'mailbox' and h.released_at is null)",
        )
        .bind(message)
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// # Errors
    /// When the database fails.
    pub async fn filtered_counts(&self) -> Result<FilteredCounts, Error> {
        let (deliveries, oldest): (i64, Option<jiff_sqlx::Timestamp>) =
            sqlx::query_as(COUNTS).fetch_one(&self.pools.main).await?;
        let oldest = oldest.map(jiff_sqlx::Timestamp::to_jiff);
        Ok(FilteredCounts { deliveries: deliveries.unsigned_abs(), oldest })
    }

    /// Mailboxes behind `after` that sent something that is kept back and that they had no letter about, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_senders(&self, after: AccountId, limit: u32) -> Result<Vec<AccountId>, Error> {
        let accounts: Vec<i64> = sqlx::query_scalar(UNTOLD)
            .bind(after.0)
            .bind(i64::from(limit))
            .fetch_all(&self.pools.main)
            .await?;
        Ok(accounts.into_iter().map(AccountId).collect())
    }

    /// What a mailbox had no letter about, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untold_filtered(&self, account: AccountId) -> Result<Vec<FilteredRow>, Error> {
        type Row = (i64, String, String, jiff_sqlx::Timestamp, Option<String>, i64);
        let rows: Vec<Row> = sqlx::query_as(
            "select d.delivery_id, m.queue_id, m.about, d.held_at, r.first, r.number
               from queue_messages m join queue_deliveries d using (message_id)
              cross join lateral (select (array_agg(address order by nth))[1] as first, count(*) as number
                                    from queue_recipients where delivery_id = d.delivery_id) as r
              where m.account_id = $1 and d.held_by = 'filter' and not d.is_told order by d.delivery_id",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(delivery, queue_id, about, held_at, recipient, recipients): Row| FilteredRow {
            delivery,
            queue_id,
            about,
            held_at: held_at.to_jiff(),
            recipient: recipient.unwrap_or_default(),
            recipients: recipients.unsigned_abs(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// A letter was about these deliveries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn filtered_told(&self, deliveries: &[i64]) -> Result<(), Error> {
        sqlx::query(
            "update queue_deliveries set is_told = true
              where delivery_id in (select delivery_id from queue_deliveries where delivery_id = any ($1)
                                     order by delivery_id for no key update)",
        )
        .bind(deliveries)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }
}
