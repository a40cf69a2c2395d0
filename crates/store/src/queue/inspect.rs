//! What is in the queue, for administrators, owners and figures.

use crate::queue::claim::last_answer;
use crate::{Error, Reach, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;
use model::queue::Answer;
use std::collections::HashMap;

/// Which deliveries to list; what is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct QueueFilter {
    /// Destination.
    pub domain: Option<String>,
    pub queue_id: Option<String>,
    /// Of the envelope, in lower case; empty: reports.
    pub sender: Option<String>,
    /// Somebody who has not got it yet, in lower case.
    pub recipient: Option<String>,
    pub state: Option<QueueState>,
    /// From behind this delivery on.
    pub after: i64,
    pub limit: u32,
}

/// Why a delivery has not gone yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// An administrator keeps it back.
    HeldByOperator,
    /// The lock of its sender's mailbox keeps it back.
    HeldByLock,
    /// The filter for spam keeps it back.
    HeldByFilter,
    /// Somebody is sending it now.
    Sending,
    /// Its sender submitted it for later.
    Scheduled,
    /// Its destination cannot be reached, and rests.
    Resting,
    /// Its turn, or its next try, comes.
    Waiting,
}

impl QueueState {
    pub const ALL: [Self; 7] = [
        Self::HeldByOperator,
        Self::HeldByLock,
        Self::HeldByFilter,
        Self::Sending,
        Self::Scheduled,
        Self::Resting,
        Self::Waiting,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeldByOperator => "held-by-operator",
            Self::HeldByLock => "held-by-lock",
            Self::HeldByFilter => "held-by-filter",
            Self::Sending => "sending",
            Self::Scheduled => "scheduled",
            Self::Resting => "resting",
            Self::Waiting => "waiting",
        }
    }

    fn of(text: &str) -> Result<Self, Error> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or(Error::Damaged("a delivery is in no known state"))
    }
}

/// A delivery as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRow {
    pub delivery: i64,
    pub queue_id: String,
    pub sender: String,
    pub destination: String,
    pub accepted_at: Timestamp,
    pub due_at: Timestamp,
    pub give_up_at: Timestamp,
    pub attempts: u32,
    pub state: QueueState,
    /// Since when it is kept back.
    pub held_at: Option<Timestamp>,
    /// Recipients that have not got it.
    pub recipients: Vec<(String, Option<Answer>)>,
    /// As [`Event::about`](crate::Event::about).
    pub about: String,
    /// What was last said of reaching the destination.
    pub destination_answer: Option<String>,
}

/// A destination, and what waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDestinationRow {
    pub name: String,
    pub deliveries: u64,
    pub oldest: Timestamp,
    pub next_at: Timestamp,
    pub failures: u32,
    pub answer: Option<String>,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    pub deliveries: u64,
    pub oldest: Option<Timestamp>,
}

/// A message that its sender may still call back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledRow {
    pub queue_id: String,
    pub release_at: Timestamp,
    pub about: String,
}

type Row = (
    i64,
    String,
    String,
    String,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    i32,
    String,
    Option<jiff_sqlx::Timestamp>,
    String,
    Option<String>,
);
type DestinationRow = (String, i64, jiff_sqlx::Timestamp, jiff_sqlx::Timestamp, i32, Option<String>);
type Recipient = (String, Option<Answer>);
type RecipientRow = (i64, String, Option<i32>, Option<String>, Option<String>, Option<String>);

impl Store {
    /// By number: those that were accepted first come first. Of senders within `reach`. Reads the queue in that order until it has
    /// found enough.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue(
        &self,
        filter: &QueueFilter,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<Vec<QueueRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select d.delivery_id, m.queue_id, m.sender, q.name, m.accepted_at, d.due_at, d.give_up_at, d.attempts,
                    s.state, d.held_at, m.about, q.answer
               from queue_deliveries d join queue_messages m using (message_id) join queue_destinations q using (destination_id)
               left join accounts a using (account_id)
              cross join lateral (
                    select case when d.held then 'held-by-' || coalesce(d.held_by, case when m.account_id is null then 'operator' else 'lock' end)
                                when d.lease_id is not null then 'sending'
                                when d.attempts = 0 and d.due_at > $10 then 'scheduled'
                                when q.failures > 0 then 'resting'
                                else 'waiting' end as state
               ) as s
              where d.delivery_id > $1 and ($2::text is null or q.name = $2) and ($3::text is null or m.queue_id = $3)
                and ($4 or a.domain_id = any ($5))
                and ($7::text is null or lower(m.sender) = $7)
                and ($8::text is null or exists (select from queue_recipients r
                                                  where r.delivery_id = d.delivery_id and lower(r.address) = $8))
                and ($9::text is null or s.state = $9)
              order by d.delivery_id limit $6",
        )
        .bind(filter.after)
        .bind(&filter.domain)
        .bind(&filter.queue_id)
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(i64::from(filter.limit))
        .bind(&filter.sender)
        .bind(&filter.recipient)
        .bind(filter.state.map(QueueState::as_str))
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let mut recipients = self.queue_recipients(&ids).await?;
        rows.into_iter().map(|row| queue_row(row, &mut recipients)).collect()
    }

    async fn queue_recipients(&self, deliveries: &[i64]) -> Result<HashMap<i64, Vec<Recipient>>, Error> {
        let rows: Vec<RecipientRow> = sqlx::query_as(
            "select delivery_id, address, code, status, answer, host from queue_recipients
              where delivery_id = any ($1) order by delivery_id, nth",
        )
        .bind(deliveries)
        .fetch_all(&self.pools.main)
        .await?;
        let mut recipients: HashMap<i64, Vec<Recipient>> = HashMap::new();
        for (delivery, address, code, status, text, host) in rows {
            let last = last_answer(code, status.as_deref(), text, host);
            recipients.entry(delivery).or_default().push((address, last));
        }
        Ok(recipients)
    }

    /// What this mailbox has in the queue: number and id, by number. By the index of the mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queued_of(&self, account: AccountId) -> Result<Vec<(i64, String)>, Error> {
        let found = sqlx::query_as(
            "select message_id, queue_id from queue_messages where account_id = $1 order by message_id",
        );
        Ok(found.bind(account.0).fetch_all(&self.pools.main).await?)
    }

    /// Destinations with deliveries of senders within `reach`, those with the most first. Reads the whole queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_destinations(
        &self,
        reach: &Reach,
        limit: u32,
    ) -> Result<Vec<QueueDestinationRow>, Error> {
        let rows: Vec<DestinationRow> = sqlx::query_as(
            "select q.name, count(*), min(m.accepted_at), q.next_at, q.failures, q.answer
               from queue_deliveries d join queue_messages m using (message_id) join queue_destinations q using (destination_id)
               left join accounts a using (account_id)
              where $1 or a.domain_id = any ($2)
              group by q.destination_id order by count(*) desc, q.name limit $3",
        )
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(destination_row).collect())
    }

    /// As [`Store::queue_destinations`], of everybody's mail that was accepted before then, and is neither kept back nor for later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_waiting(
        &self,
        (before, now): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<Vec<QueueDestinationRow>, Error> {
        let rows: Vec<DestinationRow> = sqlx::query_as(
            "select q.name, count(*), min(m.accepted_at), q.next_at, q.failures, q.answer
               from queue_deliveries d join queue_messages m using (message_id) join queue_destinations q using (destination_id)
              where m.accepted_at < $1 and not d.held and (d.due_at <= $2 or d.attempts > 0)
              group by q.destination_id order by count(*) desc, q.name limit $3",
        )
        .bind(before.to_sqlx())
        .bind(now.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(destination_row).collect())
    }

    /// How much there is, and since when the oldest waits that is neither kept back nor for later. Reads the whole queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_counts(&self, now: Timestamp) -> Result<QueueCounts, Error> {
        let (deliveries, oldest): (i64, Option<jiff_sqlx::Timestamp>) = sqlx::query_as(
            "select (select count(*) from queue_deliveries),
                    (select m.accepted_at from queue_messages m
                      where exists (select from queue_deliveries d where d.message_id = m.message_id and not d.held
                                       and (d.due_at <= $1 or d.attempts > 0))
                      order by m.message_id limit 1)",
        )
        .bind(now.to_sqlx())
        .fetch_one(&self.pools.main)
        .await?;
        Ok(QueueCounts {
            deliveries: deliveries.unsigned_abs(),
            oldest: oldest.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }

    /// What this mailbox submitted for a later moment, by that moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scheduled(
        &self,
        account: AccountId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ScheduledRow>, Error> {
        let rows: Vec<(String, jiff_sqlx::Timestamp, String)> = sqlx::query_as(
            "select m.queue_id, w.release_at, m.about
               from queue_messages m
               cross join lateral (
                    select min(at) as release_at
                      from (select due_at as at from queue_deliveries d where d.message_id = m.message_id and d.attempts = 0
                            union all
                            select release_at from pending_deliveries p where p.message_id = m.message_id) as moments
               ) as w
              where m.account_id = $1 and w.release_at > $2 order by w.release_at limit $3",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let row = |(queue_id, at, about): (String, jiff_sqlx::Timestamp, String)| ScheduledRow {
            queue_id,
            release_at: at.to_jiff(),
            about,
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

fn queue_row(row: Row, recipients: &mut HashMap<i64, Vec<Recipient>>) -> Result<QueueRow, Error> {
    let (id, queue_id, sender, name, accepted, due, give_up, attempts, state, held_at, about, answer) = row;
    Ok(QueueRow {
        delivery: id,
        queue_id,
        sender,
        destination: name,
        accepted_at: accepted.to_jiff(),
        due_at: due.to_jiff(),
        give_up_at: give_up.to_jiff(),
        attempts: u32::try_from(attempts).unwrap_or(0),
        state: QueueState::of(&state)?,
        held_at: held_at.map(jiff_sqlx::Timestamp::to_jiff),
        recipients: recipients.remove(&id).unwrap_or_default(),
        about,
        destination_answer: answer,
    })
}

fn destination_row(row: DestinationRow) -> QueueDestinationRow {
    let (name, count, oldest, next, failures, answer) = row;
    QueueDestinationRow {
        name,
        deliveries: count.unsigned_abs(),
        oldest: oldest.to_jiff(),
        next_at: next.to_jiff(),
        failures: u32::try_from(failures).unwrap_or(0),
        answer,
    }
}
