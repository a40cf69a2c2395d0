//! Events: what happened to which message and who logged in, by month, kept at least six (An Giang 63/2016 Điều 9.2).
//!
//! Never bodies or passwords; of a message its Message-ID and the beginning of its subject, by which it is looked for
//! (docs/adr/0017). Mail events are written in the transaction they tell of.

use crate::forwarded::{Columns, Of, bind_forwarded, insert_forwarded};
use crate::{Error, Forwarded, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// One event; what does not apply is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub at: Timestamp,
    /// received, login, login_refused, error …
    pub kind: &'a str,
    pub trace: &'a str,
    pub account: Option<AccountId>,
    pub remote: Option<&'a str>,
    pub sender: Option<&'a str>,
    pub size: Option<u64>,
    pub status: Option<&'a str>,
    /// Of a message: queue id, Message-ID, subject, its words without marks, and of a stranger's what showed where it comes
    /// from, a line each.
    pub about: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// Of mail that the system itself wrote: its sender is empty, and nobody brought it.
    #[must_use]
    pub fn of_own_mail(at: Timestamp, trace: &'a str, size: u64, about: &'a str) -> Self {
        Self {
            at,
            kind: "received",
            trace,
            account: None,
            remote: None,
            sender: Some(""),
            size: Some(size),
            status: Some("delivered"),
            about: Some(about),
        }
    }
}

macro_rules! insert_event {
    () => {
        "insert into events (at, kind, trace, account_id, remote, sender, size, status, recipients, about)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    };
}

type Insert<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn insert<'q>(event: &'q Event<'q>, recipients: Option<Vec<Option<&'q str>>>) -> Insert<'q> {
    bind_event(sqlx::query(insert_event!()), event, recipients)
}

fn bind_event<'q>(
    statement: Insert<'q>,
    event: &'q Event<'q>,
    recipients: Option<Vec<Option<&'q str>>>,
) -> Insert<'q> {
    statement
        .bind(event.at.to_sqlx())
        .bind(event.kind)
        .bind(event.trace)
        .bind(event.account.map(|account| account.0))
        .bind(event.remote)
        .bind(event.sender)
        .bind(event.size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
        .bind(event.status)
        .bind(recipients)
        .bind(event.about)
}

impl Tx {
    /// # Errors
    /// When the database fails.
    pub async fn note(&mut self, event: &Event<'_>) -> Result<(), Error> {
        insert(event, None).execute(&mut *self.inner).await?;
        Ok(())
    }
}

impl Tx {
    /// As [`Tx::note`], with the addresses it is about.
    pub(crate) async fn note_for(
        &mut self,
        event: &Event<'_>,
        recipients: Vec<Option<&str>>,
    ) -> Result<(), Error> {
        insert(event, Some(recipients)).execute(&mut *self.inner).await?;
        Ok(())
    }

    /// As [`Tx::note_for`], of a message that went on by itself.
    pub(crate) async fn note_forwarded(
        &mut self,
        event: &Event<'_>,
        recipients: Vec<Option<&str>>,
        forwarded: &[Forwarded],
    ) -> Result<(), Error> {
        if forwarded.is_empty() {
            return self.note_for(event, recipients).await;
        }
        let text = concat!(
            "with forwarded as (",
            insert_forwarded!("$11", "$12", "$13", "$14", "$15", "$16", "$17", "$18"),
            ") ",
            insert_event!()
        );
        let columns = Columns::of(forwarded.iter().map(|step| (Of::from(event), step)));
        bind_forwarded!(bind_event(sqlx::query(text), event, Some(recipients)), columns)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

impl<'a> From<&Event<'a>> for Of<'a> {
    fn from(event: &Event<'a>) -> Self {
        Self { at: event.at, trace: event.trace, sender: event.sender, about: event.about }
    }
}

impl Store {
    /// Notes an event of its own, without waiting for the disk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&self, event: &Event<'_>) -> Result<(), Error> {
        insert(event, None).execute(&self.pools.chunks).await?;
        Ok(())
    }

    /// As [`Store::note`], with the addresses it is about, in lower case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_about(&self, event: &Event<'_>, recipients: &[String]) -> Result<(), Error> {
        let recipients = recipients.iter().map(|to| Some(to.as_str())).collect();
        insert(event, Some(recipients)).execute(&self.pools.chunks).await?;
        Ok(())
    }

    /// Makes the parts of the months around the database's present.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_event_months(&self) -> Result<(), Error> {
        sqlx::query("select keep_event_months()").execute(&self.pools.main).await?;
        Ok(())
    }

    /// As [`Store::make_event_months`], and drops the parts of those that are, by the database's clock and by `now`, older
    /// than `months` (at least six), but for what is held; says how many went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_event_months(&self, now: Timestamp, months: i32) -> Result<u32, Error> {
        self.make_event_months().await?;
        let mut dropped = 0;
        loop {
            let mut tx = self.begin().await?;
            // It reads each event of the part where anything is held.
            tx.take_time().await?;
            let part: Option<String> = sqlx::query_scalar("select drop_event_part($1, $2)")
                .bind(now.to_sqlx())
                .bind(months)
                .fetch_one(&mut *tx.inner)
                .await?;
            tx.commit().await?;
            if part.is_none() {
                return Ok(dropped);
            }
            dropped += 1;
        }
    }
}
