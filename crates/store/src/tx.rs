//! A write transaction. The caller owns it, so that one use case is one commit; sqlx stays inside.
//!
//! Invariant: a `Tx` that is dropped without [`Tx::commit`] changes nothing. A commit whose answer was lost is
//! resolved by asking the database for the transaction's fate, never guessed. The number alone does not tell it: after
//! a crash Postgres hands out again the numbers whose log was not yet on disk, so "committed" may be said of another
//! transaction. What was committed is ours only when the event it noted is there.

use crate::{Error, Event, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgPool, Postgres, Transaction};
use std::time::Duration;

/// How long the fate of a commit is asked for before giving up: longer than a Postgres restart takes, shorter than who
/// sent the message waits for the answer to it (RFC 5321 4.5.3.2.6: ten minutes).
const RESOLVE_FOR: Duration = Duration::from_secs(60);
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);
/// The longest a statement about all of a folder may run: two million messages take some minutes.
const WHOLE_FOLDER_TIMEOUT: Duration = Duration::from_mins(15);

/// One transaction in READ COMMITTED.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: Transaction<'static, Postgres>,
    pool: PgPool,
}

/// What Postgres says when asked for a transaction it has not begun: ours was lost in a crash.
const NOT_YET_BEGUN: &str = "22023";

/// Names a transaction to the server, so that its fate can be asked for on another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionId {
    pub(crate) number: String,
    /// The event that this transaction noted; no other has the same moment, trace and kind.
    at: Timestamp,
    trace: String,
    kind: String,
}

impl TransactionId {
    pub(crate) fn new(number: String, event: &Event<'_>) -> Self {
        Self { number, at: event.at, trace: event.trace.to_owned(), kind: event.kind.to_owned() }
    }
}

impl Store {
    /// # Errors
    /// When no connection is to be had.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx { inner: self.pools.main.begin().await?, pool: self.pools.main.clone() })
    }
}

impl Tx {
    /// For a change of a whole folder, however large: one that is cut off in its middle would be so each time it is tried.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_time(&mut self) -> Result<(), Error> {
        sqlx::query("select set_config('statement_timeout', $1, true)")
            .bind(WHOLE_FOLDER_TIMEOUT.as_millis().to_string())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Returns after the commit is durable.
    ///
    /// # Errors
    /// When the commit failed; `AnswerLost` when it may have happened: see [`Tx::commit_known`] and
    /// [`Store::commit_entries`] for where nothing may be done twice.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await.map_err(Error::of_commit)
    }

    /// As [`Tx::commit`], but a lost answer is resolved by `id`.
    ///
    /// # Errors
    /// `Unavailable` when the transaction was certainly not committed, `CommitUnknown` when nobody can tell.
    pub async fn commit_known(self, id: &TransactionId) -> Result<(), Error> {
        let Err(error) = self.inner.commit().await else { return Ok(()) };
        tracing::warn!(%error, transaction = id.number, "the answer to a commit was lost; asking for its fate");
        match resolve(&self.pool, id).await? {
            Fate::Committed => Ok(()),
            Fate::Aborted => Err(Error::from(error)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    Aborted,
}

/// Asks until the transaction has ended. A transaction that was in progress when its connection died is aborted by the
/// server as soon as it notices, so "in progress" is waited out.
pub(crate) async fn resolve(pool: &PgPool, id: &TransactionId) -> Result<Fate, Error> {
    // Around everything: waiting for a connection may by itself take half of it.
    tokio::time::timeout(RESOLVE_FOR, ask_until_ended(pool, id)).await.unwrap_or(Err(Error::CommitUnknown))
}

async fn ask_until_ended(pool: &PgPool, id: &TransactionId) -> Result<Fate, Error> {
    loop {
        match ask(pool, id).await {
            Ok(Answer::Ended(fate)) => return Ok(fate),
            // Too old to be remembered: it cannot be ours, which began moments ago on this timeline.
            Ok(Answer::Forgotten) => return Err(Error::CommitUnknown),
            Ok(Answer::InProgress) | Err(_) => tokio::time::sleep(RESOLVE_PAUSE).await,
        }
    }
}

enum Answer {
    Ended(Fate),
    InProgress,
    Forgotten,
}

async fn ask(pool: &PgPool, id: &TransactionId) -> Result<Answer, sqlx::Error> {
    let status = sqlx::query_scalar::<_, Option<String>>("select pg_xact_status($1::text::xid8)")
        .bind(&id.number)
        .fetch_one(pool)
        .await;
    match status {
        Ok(Some(status)) => match status.as_str() {
            "committed" if noted(pool, id).await? => Ok(Answer::Ended(Fate::Committed)),
            "aborted" | "committed" => Ok(Answer::Ended(Fate::Aborted)),
            _ => Ok(Answer::InProgress),
        },
        Ok(None) => Ok(Answer::Forgotten),
        Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some(NOT_YET_BEGUN) => {
            Ok(Answer::Ended(Fate::Aborted))
        }
        Err(error) => Err(error),
    }
}

async fn noted(pool: &PgPool, id: &TransactionId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from events where at = $1 and trace = $2 and kind = $3)")
        .bind(id.at.to_sqlx())
        .bind(&id.trace)
        .bind(&id.kind)
        .fetch_one(pool)
        .await
}
