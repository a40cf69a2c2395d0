//! What can go wrong below, sorted by what the caller will do about it.

use crate::figures;
use model::AccountId;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// An error of the database or of its rules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A named rule said no (a unique key, a check): the caller knows which and what it means.
    #[error("the database refused: {0}")]
    Constraint(String),
    /// A chunk of the message was swept between writing and accepting: write the chunks again.
    #[error("a chunk was swept")]
    ChunkGone,
    /// A mailbox or folder named by the caller is gone.
    #[error("a mailbox or folder is gone")]
    MailboxGone,
    /// These mailboxes, of those named by the caller, would hold more than he allows.
    #[error("a mailbox is full")]
    MailboxFull(Vec<AccountId>),
    /// As much is kept apart for a mailbox as may be, since the caller looked: look again.
    #[error("as much is kept apart for a mailbox as may be")]
    QuarantineFull,
    /// Lost against another transaction; nothing was changed and the same may be tried again.
    #[error("lost against another transaction")]
    Conflict,
    /// It is not known whether the transaction was committed, and it could not be found out.
    #[error("the outcome of a commit is unknown")]
    CommitUnknown,
    /// The connection died, or the server went away, at COMMIT: it may have happened. What may be done twice is done again.
    #[error("the answer to a commit was lost: {0}")]
    AnswerLost(#[source] sqlx::Error),
    /// The database did not answer or its disk is full.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Stored data contradicts itself.
    #[error("stored data is damaged: {0}")]
    Damaged(&'static str),
    /// Content outside the database (a file or an object) could not be written or read.
    #[error("content storage failed: {0}")]
    Content(#[source] std::io::Error),
}

/// Raised by `hold_chunks` in the schema.
const CHUNK_GONE: &str = "CT001";
/// Raised by `add_entries` and `accept_messages` in the schema.
const MAILBOX_GONE: &str = "CT002";
/// Raised by `add_entries` and `accept_messages` in the schema; DETAIL has the numbers of the mailboxes.
const MAILBOX_FULL: &str = "CT004";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK_DETECTED: &str = "40P01";

/// The numbers in the DETAIL of an error that the schema raised.
pub(crate) fn numbers(refusal: &dyn DatabaseError) -> impl Iterator<Item = i64> {
    let detail = refusal.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail);
    detail.unwrap_or_default().split(' ').filter_map(|number| number.parse().ok())
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(refusal) = error.as_database_error() else {
            figures::failed(&error);
            return Self::Unavailable(error);
        };
        match refusal.code().as_deref() {
            Some(CHUNK_GONE) => Self::ChunkGone,
            Some(MAILBOX_GONE) => Self::MailboxGone,
            Some(MAILBOX_FULL) => Self::MailboxFull(numbers(refusal).map(AccountId).collect()),
            Some(SERIALIZATION_FAILURE | DEADLOCK_DETECTED) => {
                figures::conflict();
                Self::Conflict
            }
            _ => match refusal.constraint() {
                Some(name) => Self::Constraint(name.to_owned()),
                None => {
                    figures::failed(&error);
                    Self::Unavailable(error)
                }
            },
        }
    }
}

impl Error {
    /// Of a COMMIT: only a rule or another transaction that stood in the way is a certain no.
    pub(crate) fn of_commit(error: sqlx::Error) -> Self {
        match Self::from(error) {
            Self::Unavailable(error) => Self::AnswerLost(error),
            refused => refused,
        }
    }

    /// This error of a commit, once it was found out that it did not happen.
    pub(crate) fn not_done(self) -> Self {
        match self {
            Self::AnswerLost(error) => Self::Unavailable(error),
            other => other,
        }
    }

    /// Is this the refusal of the constraint called `name`?
    #[must_use]
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint(refused) if refused == name)
    }
}
