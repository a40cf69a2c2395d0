//! Saying what became of deliveries: all of it in one transaction, and only by whoever holds their lease.
//!
//! Invariants: who was taken over changes nothing (the fence is the lease's row, locked first); what failed for good goes in
//! the transaction that puts the report of it into its sender's mailbox, or by for one of more (`untold`), so he is told exactly
//! once; a message's row goes with its last delivery, once its sender was told, and its content with that.

use crate::contents::NewContent;
use crate::queue::{NewOutgoing, NewUntold};
use crate::tx::TransactionId;
use crate::{AuditEntry, Error, Event, NewEntry, Placed, Store, Target, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::Flags;
use model::queue::Answer;

/// What became of one delivery.
#[derive(Clone, Debug, Default)]
pub struct DeliveryReport<'a> {
    pub delivery: i64,
    pub message: i64,
    /// Recipients that have it, or never will.
    pub ended: Vec<i32>,
    /// Those that are to be tried again, and what was said of them.
    pub deferred: Vec<RecipientAnswer<'a>>,
    /// When it is tried again, if something is left; `None`: as before, and no attempt is counted.
    pub due_at: Option<Timestamp>,
    /// Its sender has been told that it is late.
    pub warned: bool,
    /// What is left goes elsewhere.
    pub reroute: Option<Reroute<'a>>,
}

/// What was said of a recipient.
#[derive(Clone, Copy, Debug)]
pub struct RecipientAnswer<'a> {
    pub nth: i32,
    pub answer: &'a Answer,
}

/// Where an administrator lets a message go instead.
#[derive(Clone, Debug)]
pub enum Reroute<'a> {
    Here(Target),
    There(Box<NewOutgoing<'a>>),
}

/// A report to a sender, and its event.
#[derive(Clone, Debug)]
pub struct MailBack<'a> {
    pub content: NewContent,
    pub to: MailBackTo<'a>,
    pub event: Event<'a>,
}

/// Where it goes.
#[derive(Clone, Debug)]
pub enum MailBackTo<'a> {
    Here(Target),
    There(Box<NewOutgoing<'a>>),
}

/// Everything that one transaction says.
#[derive(Clone, Copy, Debug)]
pub struct QueueReport<'a> {
    pub deliveries: &'a [DeliveryReport<'a>],
    /// One at least; nothing else has the trace of the first.
    pub events: &'a [NewOutgoingEvent<'a>],
    /// Of the first delivery's message: what its sender is told of later, with more.
    pub untold: &'a [NewUntold<'a>],
    /// When an administrator does it.
    pub audit: Option<AuditEntry<'a>>,
}

/// An event of the queue: sent, deferred, bounced, and the like.
#[derive(Clone, Debug)]
pub struct NewOutgoingEvent<'a> {
    pub event: Event<'a>,
    pub recipients: Vec<String>,
}

impl Store {
    /// Where what is mailed back came to lie; `None`, and nothing is changed, when the lease is not ours any more.
    ///
    /// # Errors
    /// `ChunkGone`, `Conflict`, `MailboxGone`: of what is mailed back; nothing was changed. `CommitUnknown`.
    pub async fn report_mail(
        &self,
        lease: i64,
        report: &QueueReport<'_>,
        back: &[MailBack<'_>],
        now: Timestamp,
    ) -> Result<Option<Vec<Placed>>, Error> {
        let (reports, events) = (report.deliveries, report.events);
        let Some(event) = events.first() else { return Err(Error::Damaged("a report without an event")) };
        let mut tx = self.begin().await?;
        let number: String =
            sqlx::query_scalar("select pg_current_xact_id()::text").fetch_one(&mut *tx.inner).await?;
        if !tx.holds(lease, reports).await? {
            return Ok(None);
        }
        let mut placed = Vec::new();
        for report in reports {
            placed.extend(tx.apply(report, now).await?);
        }
        if let Some(first) = reports.first() {
            tx.put_by(first.message, report.untold, now).await?;
        }
        tx.end_messages(reports, now).await?;
        tx.bring_forward(reports).await?;
        for mail in back {
            placed.extend(tx.mail_back(mail).await?);
        }
        for event in events {
            tx.note_for(&event.event, event.recipients.iter().map(|to| Some(to.as_str())).collect()).await?;
        }
        if let Some(audit) = &report.audit {
            tx.audit(audit).await?;
        }
        tx.commit_known(&TransactionId::new(number, &event.event)).await?;
        Ok(Some(placed))
    }

    /// The destination was reached: it rests no more, and what waits there is looked at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn destination_reached(&self, destination: i64, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "update queue_destinations
                set failures = 0, next_at = least(next_at, $2), mail_at = least(mail_at, $2), answer = null, answered_at = $2
              where destination_id = $1 and failures > 0",
        )
        .bind(destination)
        .bind(now.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// The destination could not be reached, `failures` times running as far as whoever claimed it knows: what the lease had is
    /// due as before, but nobody looks before `next_at`. Connections that break together count as one. False when the lease is
    /// not ours any more. `events` tell of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn destination_failed(
        &self,
        (lease, destination): (i64, i64),
        (failures, next_at, answer): (u32, Timestamp, &str),
        events: &[NewOutgoingEvent<'_>],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let ours = sqlx::query("delete from queue_leases where lease_id = $1")
            .bind(lease)
            .execute(&mut *tx.inner)
            .await?;
        if ours.rows_affected() == 0 {
            return Ok(false);
        }
        let has_mail: bool = sqlx::query_scalar(
            "with freed as (update queue_deliveries set lease_id = null where lease_id = $1 returning priority)
             select coalesce(bool_or(priority < 2), false) from freed",
        )
        .bind(lease)
        .fetch_one(&mut *tx.inner)
        .await?;
        sqlx::query(
            "update queue_destinations
                set failures = greatest(failures, $5), answer = $3, answered_at = $4,
                    next_at = case when failures < $5 then $2 else greatest(next_at, $2) end,
                    mail_at = case when $6 then case when failures < $5 then $2 else greatest(next_at, $2) end
                              else greatest(mail_at, $2) end
              where destination_id = $1",
        )
        .bind(destination)
        .bind(next_at.to_sqlx())
        .bind(answer)
        .bind(now.to_sqlx())
        .bind(i32::try_from(failures).unwrap_or(i32::MAX))
        .bind(has_mail)
        .execute(&mut *tx.inner)
        .await?;
        for event in events {
            tx.note_for(&event.event, event.recipients.iter().map(|to| Some(to.as_str())).collect()).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

impl Tx {
    /// Is everything that is reported still under this lease? Locks it, and the messages that may end.
    async fn holds(&mut self, lease: i64, reports: &[DeliveryReport<'_>]) -> Result<bool, Error> {
        let lock = sqlx::query("select 1 from queue_leases where lease_id = $1 for update")
            .bind(lease)
            .fetch_optional(&mut *self.inner)
            .await?;
        if lock.is_none() {
            return Ok(false);
        }
        let (deliveries, messages) = numbers(reports);
        // In their order: two that each end one of a message's last deliveries must not both leave its row to the other.
        sqlx::query(
            "select 1 from queue_messages where message_id = any ($1) order by message_id for update",
        )
        .bind(&messages)
        .execute(&mut *self.inner)
        .await?;
        let held: i64 = sqlx::query_scalar(
            "select count(*) from queue_deliveries where delivery_id = any ($1) and lease_id = $2",
        )
        .bind(&deliveries)
        .bind(lease)
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(usize::try_from(held).ok() == Some(deliveries.len()))
    }

    async fn apply(&mut self, report: &DeliveryReport<'_>, now: Timestamp) -> Result<Vec<Placed>, Error> {
        let mut placed = Vec::new();
        match &report.reroute {
            Some(Reroute::Here(target)) => placed = self.put_here(report.message, target, now).await?,
            Some(Reroute::There(new)) => self.add_deliveries(report.message, new).await?,
            None => {}
        }
        sqlx::query("delete from queue_recipients where delivery_id = $1 and (nth = any ($2) or $3)")
            .bind(report.delivery)
            .bind(&report.ended)
            .bind(report.reroute.is_some())
            .execute(&mut *self.inner)
            .await?;
        self.keep_answers(report, now).await?;
        sqlx::query(
            "with left_over as (select exists (select from queue_recipients where delivery_id = $1) as some_are),
                  kept as (
                      update queue_deliveries d
                         set lease_id = null, due_at = coalesce($2, due_at), attempts = attempts + ($2 is not null)::int,
                             warn_at = case when $3 then null else warn_at end
                        from left_over where d.delivery_id = $1 and left_over.some_are
                  )
             delete from queue_deliveries d using left_over where d.delivery_id = $1 and not left_over.some_are",
        )
        .bind(report.delivery)
        .bind(report.due_at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(report.warned)
        .execute(&mut *self.inner)
        .await?;
        Ok(placed)
    }

    async fn put_here(
        &mut self,
        message: i64,
        target: &Target,
        now: Timestamp,
    ) -> Result<Vec<Placed>, Error> {
        let content: i64 = sqlx::query_scalar("select content_id from queue_messages where message_id = $1")
            .bind(message)
            .fetch_one(&mut *self.inner)
            .await?;
        let entry = NewEntry { now, internal_date: now, flags: Flags::NONE, keywords: &[] };
        self.add_entries(model::ContentId(content), std::slice::from_ref(target), entry).await
    }

    async fn keep_answers(&mut self, report: &DeliveryReport<'_>, now: Timestamp) -> Result<(), Error> {
        if report.deferred.is_empty() {
            return Ok(());
        }
        let answers = || report.deferred.iter().map(|deferred| deferred.answer);
        sqlx::query(
            "update queue_recipients r
                set code = a.code, status = a.status, answer = a.answer, host = a.host, answered_at = $7
               from unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::text[]) as a (nth, code, status, answer, host)
              where r.delivery_id = $1 and r.nth = a.nth",
        )
        .bind(report.delivery)
        .bind(report.deferred.iter().map(|deferred| deferred.nth).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.code.map(i32::from)).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.status.to_string()).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.text.as_str()).collect::<Vec<_>>())
        .bind(answers().map(|answer| answer.host.as_deref()).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Messages without a delivery, without anything that waits for its moment here, and whose sender has been told.
    async fn end_messages(&mut self, reports: &[DeliveryReport<'_>], now: Timestamp) -> Result<(), Error> {
        let (_, messages) = numbers(reports);
        self.end_these_messages(&messages, now).await
    }

    pub(crate) async fn end_these_messages(&mut self, messages: &[i64], now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "with gone as (
                 delete from queue_messages m where m.message_id = any ($1) and m.tell_at is null
                    and not exists (select from queue_deliveries d where d.message_id = m.message_id)
                    and not exists (select from pending_deliveries p where p.message_id = m.message_id)
                 returning content_id
             )
             insert into sweep_candidates (content_id, noted_at) select content_id, $2 from gone",
        )
        .bind(messages)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// A destination that was drained is looked at when the first of what was put off is due.
    async fn bring_forward(&mut self, reports: &[DeliveryReport<'_>]) -> Result<(), Error> {
        let (deliveries, messages) = numbers(reports);
        let rerouted: Vec<i64> = match reports.iter().any(|report| report.reroute.is_some()) {
            true => messages,
            false => Vec::new(),
        };
        sqlx::query(
            "with due as (
                 select destination_id, min(due_at) as at, min(due_at) filter (where priority < 2) as mail_at
                   from queue_deliveries
                  where (delivery_id = any ($1) or message_id = any ($2)) and lease_id is null and not held
                  group by destination_id
             ), locked as materialized (
                 select destination_id from queue_destinations where destination_id in (select destination_id from due)
                  order by destination_id for no key update
             )
             update queue_destinations q set next_at = least(q.next_at, due.at), mail_at = least(q.mail_at, due.mail_at)
               from due join locked using (destination_id)
              where q.destination_id = due.destination_id and (q.next_at > due.at or q.mail_at > due.mail_at) and q.failures = 0",
        )
        .bind(&deliveries)
        .bind(&rerouted)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Puts a message of ours into a mailbox or the queue.
    ///
    /// # Errors
    /// As [`Tx::accept_all`].
    pub async fn mail_back(&mut self, mail: &MailBack<'_>) -> Result<Vec<Placed>, Error> {
        let content = self.add_content(&mail.content, mail.event.at).await?;
        let at = mail.event.at;
        match &mail.to {
            MailBackTo::Here(target) => {
                let entry = NewEntry { now: at, internal_date: at, flags: Flags::NONE, keywords: &[] };
                let placed = self.add_entries(content, std::slice::from_ref(target), entry).await?;
                self.note_for(&mail.event, vec![target.recipient.as_deref()]).await?;
                Ok(placed)
            }
            MailBackTo::There(new) => {
                self.enqueue(content, new, at).await?;
                let recipients = new.parts.iter().flat_map(|part| &part.recipients);
                let to = recipients.map(|recipient| Some(recipient.address.as_str())).collect();
                self.note_for(&mail.event, to).await?;
                Ok(Vec::new())
            }
        }
    }
}

/// Deliveries, and messages, each once.
fn numbers(reports: &[DeliveryReport<'_>]) -> (Vec<i64>, Vec<i64>) {
    let deliveries = reports.iter().map(|report| report.delivery).collect();
    let mut messages: Vec<i64> = reports.iter().map(|report| report.message).collect();
    messages.sort_unstable();
    messages.dedup();
    (deliveries, messages)
}
