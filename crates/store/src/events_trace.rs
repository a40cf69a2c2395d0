//! Looking for messages among the events (tra cứu thư), and handing all events out for central logs.
//!
//! Invariant: closed parts of `events` have indexes of their own for every key of [`TraceFilter`], made behind the mail by
//! [`Store::index_events`]; the open one is read through. So nothing is asked of a message that comes for being found later.

use crate::{Error, Reach, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use std::collections::HashSet;

/// Which events of mail to find; what is `None` or empty does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Envelope sender, in lower case.
    pub sender: Option<String>,
    pub recipient: Option<String>,
    /// Words of the subject, folded as [`MailFacts`](crate::MailFacts) has them; all of them are in it.
    pub words: Vec<String>,
    /// Without angle brackets; any of them.
    pub message_ids: Vec<String>,
    /// Any of them.
    pub queue_ids: Vec<String>,
    /// A status, a kind of event, or the code that what was said of it begins with, ours as others', behind their three digits.
    pub status: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Older than this event: the next page.
    pub before: Option<(Timestamp, i64)>,
    pub limit: u32,
}

impl TraceFilter {
    /// Is there an index for it? Then the order of the moments must not be one that an index has, too: Postgres, which knows
    /// little of what is in `about`, would read everything in that order until it has found enough.
    #[must_use]
    pub fn has_key(&self) -> bool {
        let lists = [&self.words, &self.message_ids, &self.queue_ids];
        self.sender.is_some() || self.recipient.is_some() || lists.iter().any(|list| !list.is_empty())
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub at: Timestamp,
    pub id: i64,
    pub kind: String,
    pub trace: String,
    /// Primary address of whose act it was.
    pub account: Option<String>,
    pub remote: Option<String>,
    pub sender: Option<String>,
    /// Those that may be shown.
    pub recipients: Vec<String>,
    pub size: Option<u64>,
    pub status: Option<String>,
    pub queue_id: Option<String>,
    pub message_id: Option<String>,
    pub subject: Option<String>,
    /// What showed where it comes from.
    pub detail: Option<String>,
}

type Row = (
    jiff_sqlx::Timestamp,
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<Vec<String>>,
    Option<i64>,
    Option<String>,
    Option<String>,
);

fn event(row: Row) -> EventRow {
    let (at, id, kind, trace, account, remote, sender, recipients, size, status, about) = row;
    let about = about.unwrap_or_default();
    let mut lines = about.split('\n').map(|line| Some(line.to_owned()).filter(|line| !line.is_empty()));
    EventRow {
        at: at.to_jiff(),
        id,
        kind,
        trace,
        account,
        remote,
        sender,
        recipients: recipients.unwrap_or_default(),
        size: size.map(i64::unsigned_abs),
        status,
        queue_id: lines.next().flatten(),
        message_id: lines.next().flatten(),
        subject: lines.next().flatten(),
        // Behind the words, which are the subject's once more.
        detail: lines.nth(1).flatten(),
    }
}

impl EventRow {
    /// With each recipient once. An address stands there for each mailbox that got it by that address: how many are in a group, or that
    /// a mailbox passes its mail on with a copy, is nothing that whoever wrote to it is told.
    fn shown(mut self) -> Self {
        let mut seen = HashSet::new();
        self.recipients.retain(|one| seen.insert(one.clone()));
        self
    }
}

impl Store {
    /// Events of mail within `reach`, the newest first. Of a message that came to others, too, only the recipients within
    /// `reach` are shown, each once, as nobody is told who else was written to in secret; who sent it sees all that he wrote to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trace(&self, filter: &TraceFilter, reach: &Reach) -> Result<Vec<EventRow>, Error> {
        let mut tx = self.pools.main.begin().await?;
        // A plan for the keys that are given: one for all would use the index of none.
        sqlx::query(
            "select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)",
        )
        .execute(&mut *tx)
        .await?;
        let rows: Vec<Row> = sqlx::query_as(
            "with mine as (
                 select coalesce(array_agg(a.account_id), '{}') as senders
                   from accounts a where a.account_id = any ($10) or (not $11 and a.domain_id = any ($12))
             ), receive as (
                 select array(select name from domains where domain_id = any ($12)) as names,
                        array(select address from addresses where account_id = any ($10)) as addresses
             ), all_events as (
                 select at, event_id, kind, trace, account_id, remote, sender, recipients, size, status, about from events
                 union all
                 select at, event_id, kind, trace, account_id, remote, sender, recipients, size, status, about from events_held
             )
             select e.at, e.event_id, e.kind, e.trace, p.address, e.remote, e.sender,
                    case when $11 or e.account_id = any (mine.senders) then e.recipients
                         else array(select r from unnest(e.recipients) r
                                     where split_part(r, '@', 2) = any (receive.names) or r = any (receive.addresses)) end,
                    e.size, e.status, e.about
               from all_events e
              cross join mine cross join receive
               left join addresses p on p.account_id = e.account_id and p.kind = 'primary'
              where e.about is not null
                and ($1::text is null or lower(e.sender) = $1)
                -- Whom else it came to is not to be found out by asking for him.
                and ($2::text is null or e.recipients @> array[$2]
                        and ($11 or e.account_id = any (mine.senders) or split_part($2, '@', 2) = any (receive.names)
                             or $2 = any (receive.addresses)))
                -- In the open part few are taken apart: those that have the letters at all.
                and (cardinality($3::text[]) = 0
                     or (e.about like all ($16::text[]) and string_to_array(split_part(e.about, E'\\n', 4), ' ') @> $3))
                and (cardinality($4::text[]) = 0 or split_part(e.about, E'\\n', 2) = any ($4))
                and (cardinality($5::text[]) = 0 or split_part(e.about, E'\\n', 1) = any ($5))
                and ($6::text is null or e.status = $6 or e.kind = $6
                     or $6 ~ '^[0-9.]+$' and e.status ~ ('^([0-9]{3} )?' || replace($6, '.', '[.]') || '( |$)'))
                and ($7::timestamptz is null or e.at >= $7) and ($8::timestamptz is null or e.at < $8)
                and ($9::timestamptz is null or (e.at, e.event_id) < ($9, $13))
                and ($11 or e.account_id = any (mine.senders)
                     or exists (select from unnest(e.recipients) r
                                 where split_part(r, '@', 2) = any (receive.names) or r = any (receive.addresses)))
              order by case when $15 then e.at + interval '0' else e.at end desc, e.event_id desc limit $14",
        )
        .bind(&filter.sender)
        .bind(&filter.recipient)
        .bind(&filter.words)
        .bind(&filter.message_ids)
        .bind(&filter.queue_ids)
        .bind(&filter.status)
        .bind(filter.since.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.before.map(|(at, _)| at.to_sqlx()))
        .bind(&reach.mailboxes)
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(filter.before.map(|(_, id)| id))
        .bind(i64::from(filter.limit))
        .bind(filter.has_key())
        // Words are letters and digits: no pattern's signs.
        .bind(filter.words.iter().map(|word| format!("%{word}%")).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await?;
        tx.rollback().await?;
        Ok(rows.into_iter().map(event).map(EventRow::shown).collect())
    }

    /// Every event, log-ins too, the oldest first, from behind `after` on: for central logs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(
        &self,
        after: (Timestamp, i64),
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<EventRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select e.at, e.event_id, e.kind, e.trace, p.address, e.remote, e.sender, e.recipients, e.size, e.status, e.about
               from events e left join addresses p on p.account_id = e.account_id and p.kind = 'primary'
              where (e.at, e.event_id) > ($1, $2) and e.at < $3
              order by e.at, e.event_id limit $4",
        )
        .bind(after.0.to_sqlx())
        .bind(after.1)
        .bind(until.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(event).collect())
    }

    /// Indexes one part of the events that is written no more. `None`: all are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn index_events(&self, now: Timestamp) -> Result<Option<String>, Error> {
        let mut tx = self.begin().await?;
        tx.take_time().await?;
        let part = sqlx::query_scalar("select index_event_part($1)")
            .bind(now.to_sqlx())
            .fetch_one(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(part)
    }
}
