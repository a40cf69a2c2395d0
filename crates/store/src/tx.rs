//! A write transaction. The caller owns it, so that one use case is one commit; sqlx stays inside.
//!
//! Invariant: a `Tx` that is dropped without [`Tx::commit`] changes nothing. A commit whose answer was lost is
//! resolved by asking the database for the transaction's fate, never guessed.

use crate::{Error, Store};
use sqlx::{PgPool, Postgres, Transaction};
use std::time::Duration;

/// How long the fate of a commit is asked for before giving up: longer than a Postgres restart takes.
const RESOLVE_TIMES: u32 = 120;
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// One transaction in READ COMMITTED.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: Transaction<'static, Postgres>,
    pool: PgPool,
}

/// Names a transaction to the server, so that its fate can be asked for on another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionId(pub(crate) String);

impl Store {
    /// # Errors
    /// When no connection is to be had.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(Tx { inner: self.pools.main.begin().await?, pool: self.pools.main.clone() })
    }
}

impl Tx {
    /// Returns after the commit is durable.
    ///
    /// # Errors
    /// When the commit failed or its answer was lost; use [`Tx::commit_known`] where that matters.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    /// As [`Tx::commit`], but a lost answer is resolved by `id`.
    ///
    /// # Errors
    /// `Unavailable` when the transaction was certainly not committed, `CommitUnknown` when nobody can tell.
    pub async fn commit_known(self, id: &TransactionId) -> Result<(), Error> {
        let Err(error) = self.inner.commit().await else { return Ok(()) };
        tracing::warn!(%error, transaction = id.0, "the answer to a commit was lost; asking for its fate");
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
    for _ in 0..RESOLVE_TIMES {
        let answer = sqlx::query_scalar::<_, Option<String>>("select pg_xact_status($1::text::xid8)")
            .bind(&id.0)
            .fetch_one(pool)
            .await;
        match answer.as_ref().map(Option::as_deref) {
            Ok(Some("committed")) => return Ok(Fate::Committed),
            Ok(Some("aborted")) => return Ok(Fate::Aborted),
            // Too old to be remembered: it cannot be ours, which began moments ago on this timeline.
            Ok(None) => return Err(Error::CommitUnknown),
            Ok(Some(_)) | Err(_) => tokio::time::sleep(RESOLVE_PAUSE).await,
        }
    }
    Err(Error::CommitUnknown)
}
