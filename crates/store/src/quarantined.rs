//! Mail that is kept apart until somebody has looked at it, or its term is over (cách ly; docs/adr/0023-quarantine.md).
//!
//! Invariants: it is kept in the transaction that takes it, and its content with it; of each mailbox's it is decided once, as
//! whoever decides takes its row away: released, it is handed out by [`Store::expand_pending`], else its content is the
//! sweeper's. What becomes of it is an event of the same transaction. For a legal hold a copy may stay (`kept`).

mod amounts;
mod kept;
mod told;

#[cfg(test)]
pub(crate) use amounts::{ALL as ALL_QUARANTINED, FULL as FULL_QUARANTINES};
pub use amounts::{NearlyFullQuarantine, QUARANTINE_BYTES_MAX, QUARANTINE_MESSAGES_MAX, QuarantineCounts};

use crate::accept::columns;
use crate::within::within;
use crate::{Error, Event, Forwarded, Reach, Store, Target, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, ContentId, DomainId, FolderId};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

/// A message that is to be kept apart.
#[derive(Clone, Copy, Debug)]
pub struct NewQuarantined<'a> {
    /// For whom; where each gets it once it is released, and by which address it came.
    pub targets: &'a [Target],
    /// Of the envelope; empty: null.
    pub sender: &'a str,
    /// The one address of From, in lower case.
    pub author: Option<&'a str>,
    /// What passed is of the author's domain.
    pub is_shown: bool,
    pub subject: &'a str,
    /// Name of a [`model::Cause`].
    pub reason: &'a str,
}

/// A message that is kept apart, for one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedRow {
    pub held: i64,
    pub account: AccountId,
    pub domain: DomainId,
    /// Primary address of the mailbox.
    pub mailbox: String,
    /// Where all its mail comes.
    pub inbox: FolderId,
    /// The address that was written to.
    pub recipient: String,
    pub sender: String,
    /// The one address of From, in lower case.
    pub author: Option<String>,
    /// What passed is of the author's domain.
    pub is_shown: bool,
    pub subject: String,
    /// Octets.
    pub size: u64,
    pub reason: String,
    /// As [`Event::trace`].
    pub trace: String,
    /// As [`Event::about`].
    pub about: String,
    pub held_at: Timestamp,
    pub content: ContentId,
    /// Since when it is deleted, or over, for its owner, and stays for a legal hold alone.
    pub kept_since: Option<Timestamp>,
}

/// Which of them to list; what is `None` does not narrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    pub mailbox: Option<AccountId>,
    pub domain: Option<DomainId>,
    /// Behind this number.
    pub after: i64,
    pub limit: u32,
}

/// As [`select_quarantined`] has it.
struct Row(QuarantinedRow);

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let at = |column| row.try_get::<Option<jiff_sqlx::Timestamp>, _>(column);
        let jiff = |at: Option<jiff_sqlx::Timestamp>| at.map(jiff_sqlx::Timestamp::to_jiff);
        Ok(Self(QuarantinedRow {
            held: row.try_get("held_id")?,
            account: AccountId(row.try_get("account_id")?),
            domain: DomainId(row.try_get("domain_id")?),
            mailbox: row.try_get("mailbox")?,
            inbox: FolderId(row.try_get("inbox")?),
            recipient: row.try_get("recipient")?,
            sender: row.try_get("sender")?,
            author: row.try_get("author")?,
            is_shown: row.try_get("is_shown")?,
            subject: row.try_get("subject")?,
            size: row.try_get::<i64, _>("size")?.unsigned_abs(),
            reason: row.try_get("reason")?,
            trace: row.try_get("trace")?,
            about: row.try_get::<Option<String>, _>("about")?.unwrap_or_default(),
            held_at: jiff(at("held_at")?).unwrap_or_default(),
            content: ContentId(row.try_get("content_id")?),
            kept_since: jiff(at("kept_since")?),
        }))
    }
}

macro_rules! select_quarantined {
    () => {
        "select q.held_id, q.account_id, a.domain_id, coalesce(m.address, q.recipient) as mailbox, p.folder_ids[1] as inbox, q.recipient,
                q.sender, q.author, q.is_shown, q.subject, q.size, q.reason, q.trace, q.about, q.held_at, p.content_id, q.kept_since
           from quarantined q
           join accounts a using (account_id)
           join pending_deliveries p on p.held_id = q.held_id
           left join addresses m on m.account_id = q.account_id and m.kind = 'primary'"
    };
}
use select_quarantined;

/// Takes rows away, notes what becomes of them (`$2` when, `$3` which status; of a copy for a legal hold it was noted) and forgets their
/// deliveries.
macro_rules! end_quarantined {
    ($which:literal) => {
        concat!(
            "with gone as (delete from quarantined where ",
            $which,
            " returning held_id, trace, sender, recipient, size, about, kept_since
             ), noted as (
                 insert into events (at, kind, trace, sender, recipients, size, status, about)
                 select $2, 'quarantine', trace, sender, array[recipient], size, $3, about from gone where kept_since is null
             ), dropped as (
                 delete from pending_deliveries where held_id in (select held_id from gone) returning content_id
             ), swept as (
                 insert into sweep_candidates (content_id, noted_at) select distinct content_id, $2 from dropped
             )
             select count(*) from gone"
        )
    };
}
use end_quarantined;

impl Store {
    /// What is kept apart within `reach`, the oldest first; copies for a legal hold only within `offices`, and none of `own`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quarantined(
        &self,
        filter: &QuarantineFilter,
        reach: &Reach,
        (offices, own): (&Reach, Option<AccountId>),
    ) -> Result<Vec<QuarantinedRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            select_quarantined!(),
            " where ($1::bigint is null or q.account_id = $1) and ($2::bigint is null or a.domain_id = $2)
                and (",
            within!("a"),
            " or q.account_id = any ($6)) and q.held_id > $7
                and (q.kept_since is null
                     or q.account_id is distinct from $9
                        and ($10 or a.domain_id = any ($11) or q.account_id = any ($13)
                             or a.unit_id is not null and unit_path(a.unit_id) && $12::bigint[]))
              order by q.held_id limit $8"
        ))
        .bind(filter.mailbox.map(|account| account.0))
        .bind(filter.domain.map(|domain| domain.0))
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(&reach.subtree_units)
        .bind(&reach.mailboxes)
        .bind(filter.after)
        .bind(i64::from(filter.limit))
        .bind(own.map(|account| account.0))
        .bind(offices.everything)
        .bind(&offices.domains)
        .bind(&offices.subtree_units)
        .bind(&offices.mailboxes)
        .persistent(false) // Planned for what is asked: one mailbox's by its index.
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn quarantined_message(&self, held: i64) -> Result<Option<QuarantinedRow>, Error> {
        let row: Option<Row> = sqlx::query_as(concat!(select_quarantined!(), " where q.held_id = $1"))
            .bind(held)
            .fetch_optional(&self.pools.main)
            .await?;
        Ok(row.map(|row| row.0))
    }
}

impl Tx {
    /// Keeps an added content apart for each target, and notes it.
    ///
    /// # Errors
    /// `MailboxGone` when a target vanished, `QuarantineFull` when one has no room for it.
    pub(crate) async fn quarantine(
        &mut self,
        content: ContentId,
        new: &NewQuarantined<'_>,
        event: &Event<'_>,
    ) -> Result<(), Error> {
        let (accounts, folders, recipients) = columns(new.targets);
        let size = event.size.unwrap_or(0);
        self.hold_quarantines(&accounts, size).await?;
        sqlx::query(
            "with kept as (
                 insert into quarantined (account_id, recipient, sender, author, is_shown, subject, size, reason, trace, about, held_at)
                 select t.account_id, coalesce(t.recipient, ''), $4, $5, $13, $6, $7, $8, $9, $10, $11
                   from unnest($1::bigint[], $2::text[]) as t (account_id, recipient)
                 returning held_id, account_id, recipient
             )
             insert into pending_deliveries (content_id, account_ids, folder_ids, recipients, internal_date, held_id)
             select $3, array[k.account_id], array[t.folder_id], array[k.recipient], $11, k.held_id
               from kept k join unnest($1::bigint[], $12::bigint[]) as t (account_id, folder_id) using (account_id)",
        )
        .bind(&accounts)
        .bind(&recipients)
        .bind(content.0)
        .bind(new.sender)
        .bind(new.author)
        .bind(new.subject)
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(new.reason)
        .bind(event.trace)
        .bind(event.about)
        .bind(event.at.to_sqlx())
        .bind(&folders)
        .bind(new.is_shown)
        .execute(&mut *self.inner)
        .await?;
        self.note_for(&Event { status: Some("quarantined"), ..*event }, recipients).await
    }

    /// Lets it go to these mailboxes, which it goes on to by these steps. False when it was decided since it was read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_quarantined(
        &mut self,
        message: &QuarantinedRow,
        (places, forwarded): (&[(AccountId, FolderId)], &[Forwarded]),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let released = sqlx::query(
            "with gone as (delete from quarantined where held_id = $1 and kept_since is not distinct from $5
                           returning held_id, recipient)
             update pending_deliveries p
                set held_id = null, internal_date = $2, account_ids = $3::bigint[], folder_ids = $4::bigint[],
                    recipients = array_fill(g.recipient, array[cardinality($3::bigint[])])
               from gone g where p.held_id = g.held_id",
        )
        .bind(message.held)
        .bind(now.to_sqlx())
        .bind(places.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(places.iter().map(|(_, folder)| folder.0).collect::<Vec<_>>())
        .bind(message.kept_since.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(&mut *self.inner)
        .await?;
        if released.rows_affected() == 0 {
            return Ok(false);
        }
        let event = Event {
            at: now,
            kind: "quarantine",
            trace: &message.trace,
            account: None,
            remote: None,
            sender: Some(&message.sender),
            size: Some(message.size),
            status: Some("released"),
            about: Some(&message.about),
        };
        self.note_forwarded(&event, vec![Some(&message.recipient)], forwarded).await?;
        Ok(true)
    }

    /// Nobody gets it. False when it was decided before, or its mailbox is under legal hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_quarantined(&mut self, held: i64, now: Timestamp) -> Result<bool, Error> {
        let gone: i64 = sqlx::query_scalar(end_quarantined!(
            "held_id = $1
                and not exists (select from holds h where h.account_id = quarantined.account_id
                                    and h.kind = 'mailbox' and h.released_at is null)"
        ))
        .bind(held)
        .bind(now.to_sqlx())
        .bind("deleted")
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(gone > 0)
    }

    /// Drops what was kept apart for mailboxes of the domains before the moment `before`, `limit` messages at most; says how many.
    /// What somebody decides on at this moment is passed over, and what is for mailboxes under legal hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_quarantined(
        &mut self,
        domains: &[DomainId],
        (before, limit): (Timestamp, u32),
        now: Timestamp,
    ) -> Result<u64, Error> {
        let gone: i64 = sqlx::query_scalar(end_quarantined!(
            "held_id = any (array(
                 select q.held_id from quarantined q join accounts a using (account_id)
                  where a.domain_id = any ($1) and q.held_at < $4
                    and not exists (select from holds h where h.account_id = q.account_id and h.kind = 'mailbox'
                                                          and h.released_at is null)
                  order by q.held_at limit $5 for update of q skip locked))"
        ))
        .bind(domains.iter().map(|domain| domain.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .bind("expired")
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(gone.unsigned_abs())
    }

    /// All that is kept apart for a mailbox goes with it. Behind the end of its counters: who keeps something apart holds those.
    pub(crate) async fn forget_quarantined(
        &mut self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let _gone: i64 = sqlx::query_scalar(end_quarantined!("account_id = $1"))
            .bind(account.0)
            .bind(now.to_sqlx())
            .bind("deleted")
            .fetch_one(&mut *self.inner)
            .await?;
        Ok(())
    }
}
