//! The log-ins to one mailbox among the events: when, by which door, from where.
//!
//! Invariant: of other mailboxes, and of mail, nothing is given out.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::AccountId;

/// An event of the kind `login`, `login_refused` or `password_changed`, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginEvent {
    pub at: Timestamp,
    pub kind: String,
    pub remote: Option<String>,
    /// The door, and behind a colon why it was refused.
    pub status: Option<String>,
}

/// No index has the mailbox: a statement reads all events between its two moments, by the index of the moments.
pub(crate) const LOGINS: &str = "
    select at, kind, remote, status
      from (select at, event_id, account_id, kind, remote, status from events
            union all
            select at, event_id, account_id, kind, remote, status from events_held) e
     where account_id = $1 and kind in ('login', 'login_refused', 'password_changed') and at >= $2 and at < $3
     order by at desc, event_id desc limit $4";

impl Store {
    /// The log-ins from the first moment to before the second, the newest first, `limit` at most. To be asked in pieces of the time:
    /// all events between the two are read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logins(
        &self,
        account: AccountId,
        (since, until): (Timestamp, Timestamp),
        limit: u32,
    ) -> Result<Vec<LoginEvent>, Error> {
        type Row = (SqlTimestamp, String, Option<String>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(LOGINS)
            // Planned for these moments: the other parts are not looked at.
            .persistent(false)
            .bind(account.0)
            .bind(since.to_sqlx())
            .bind(until.to_sqlx())
            .bind(i64::from(limit))
            .fetch_all(&self.pools.main)
            .await?;
        let event = |(at, kind, remote, status): Row| LoginEvent { at: at.to_jiff(), kind, remote, status };
        Ok(rows.into_iter().map(event).collect())
    }

    /// The moment of the first event that is kept; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_event(&self) -> Result<Option<Timestamp>, Error> {
        let first: Option<SqlTimestamp> = sqlx::query_scalar(
            "select least((select min(at) from events), (select min(at) from events_held))",
        )
        .fetch_one(&self.pools.main)
        .await?;
        Ok(first.map(SqlTimestamp::to_jiff))
    }
}
