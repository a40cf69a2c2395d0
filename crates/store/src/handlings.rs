//! Where mail of organisations' mailboxes is in its handling (xử lý thư).
//!
//! Invariant: a row is of an email that lies in the mailbox, and is changed only from the state it was read in.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, ToSqlx as _};
use model::{AccountId, Address, ContentId, EmailId, FolderName, HandlingState, Uid};

const DAMAGED: Error = Error::Damaged("a handling has a value this version does not know");

/// A mail with its handling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlingRow {
    pub folder: String,
    pub uid: Uid,
    pub email: EmailId,
    pub content: ContentId,
    pub received_at: Timestamp,
    pub state: HandlingState,
    /// `None`: nobody has done anything about it yet.
    pub due_on: Option<Date>,
    pub assignee: Option<Address>,
    /// Who did the last thing about it, and when.
    pub changed: Option<(String, Timestamp)>,
}

/// What a handling becomes.
#[derive(Clone, Copy, Debug)]
pub struct NewHandling<'a> {
    pub account: AccountId,
    pub email: EmailId,
    pub content: ContentId,
    /// The state it was read in.
    pub from: HandlingState,
    pub state: HandlingState,
    pub due_on: Date,
    /// `None`: as it was.
    pub assignee: Option<AccountId>,
    pub by: &'a str,
}

/// A mail whose day has passed.
#[derive(Clone, Debug)]
pub struct OverdueRow {
    pub handling: i64,
    pub account: AccountId,
    pub assignee: Option<AccountId>,
    pub due_on: Date,
    pub folder: String,
    pub uid: Uid,
}

type Row = (
    String,
    i64,
    i64,
    i64,
    jiff_sqlx::Timestamp,
    Option<String>,
    Option<SqlDate>,
    Option<String>,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
);

fn handling_state(name: &str) -> Result<HandlingState, Error> {
    HandlingState::ALL.iter().copied().find(|state| state.as_str() == name).ok_or(DAMAGED)
}

fn handling(
    (folder, uid, email, content, received_at, state, due_on, assignee, by, at): Row,
) -> Result<HandlingRow, Error> {
    Ok(HandlingRow {
        folder,
        uid: Uid(u32::try_from(uid).map_err(|_| DAMAGED)?),
        email: EmailId(email),
        content: ContentId(content),
        received_at: received_at.to_jiff(),
        state: state.map_or(Ok(HandlingState::New), |name| handling_state(&name))?,
        due_on: due_on.map(SqlDate::to_jiff),
        assignee: assignee.map(|address| address.parse().map_err(|_| DAMAGED)).transpose()?,
        changed: by.zip(at.map(jiff_sqlx::Timestamp::to_jiff)),
    })
}

impl Store {
    /// What is handled, wherever it was moved (`handlings_email_key`, `entries_content`), and what was delivered into the INBOX since
    /// then by others than the system and nobody has done anything about (a walk along the INBOX), by the time it came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn handlings(
        &self,
        account: AccountId,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<HandlingRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select f.name, e.uid, e.email_id, e.content_id, e.internal_date, h.state, h.due_on, g.address, h.changed_by, h.changed_at
               from handlings h
               join entries e on e.content_id = h.content_id and e.account_id = h.account_id and e.email_id = h.email_id
               join folders f on f.folder_id = e.folder_id
               left join addresses g on g.account_id = h.assignee_id and g.kind = 'primary'
              where h.account_id = $1
             union all
             select f.name, e.uid, e.email_id, e.content_id, e.internal_date, null, null, null, null, null
               from folders f
               join entries e on e.account_id = f.account_id and e.folder_id = f.folder_id
              where f.account_id = $1 and f.name = 'INBOX' and e.recipient is not null and e.internal_date >= $2
                and not exists (select from handlings h where h.account_id = e.account_id and h.email_id = e.email_id)
                and not exists (select from notices n where n.account_id = e.account_id and n.sent_at = e.save_date)
              order by 5, 3 limit $3",
        )
        .bind(account.0)
        .bind(since.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(handling).collect()
    }

    /// The mail at this place (the key of entries).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn handling_at(
        &self,
        account: AccountId,
        folder: &FolderName,
        uid: Uid,
    ) -> Result<Option<HandlingRow>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "select f.name, e.uid, e.email_id, e.content_id, e.internal_date, h.state, h.due_on, g.address, h.changed_by, h.changed_at
               from folders f
               join entries e on e.account_id = f.account_id and e.folder_id = f.folder_id
               left join handlings h on h.account_id = e.account_id and h.email_id = e.email_id
               left join addresses g on g.account_id = h.assignee_id and g.kind = 'primary'
              where f.account_id = $1 and f.name = $2 and e.uid = $3",
        )
        .bind(account.0)
        .bind(folder.as_str())
        .bind(i64::from(uid.0))
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(handling).transpose()
    }

    /// What is neither answered nor closed and was due before that day (`handlings_due`), by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn overdue_handlings(
        &self,
        before: Date,
        after: i64,
        limit: u32,
    ) -> Result<Vec<OverdueRow>, Error> {
        let rows: Vec<(i64, i64, Option<i64>, SqlDate, String, i64)> = sqlx::query_as(
            "select h.handling_id, h.account_id, h.assignee_id, h.due_on, f.name, e.uid
               from handlings h
               join entries e on e.content_id = h.content_id and e.account_id = h.account_id and e.email_id = h.email_id
               join folders f on f.folder_id = e.folder_id
              where h.state in ('reported', 'assigned') and h.due_on < $1 and h.handling_id > $2
              order by h.handling_id limit $3",
        )
        .bind(before.to_sqlx())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let row =
            |(handling, account, assignee, due_on, folder, uid): (_, _, Option<i64>, SqlDate, _, i64)| {
                OverdueRow {
                    handling,
                    account: AccountId(account),
                    assignee: assignee.map(AccountId),
                    due_on: due_on.to_jiff(),
                    folder,
                    uid: Uid(u32::try_from(uid).unwrap_or(u32::MAX)),
                }
            };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Removes those whose mail is gone; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_handlings(&self) -> Result<u64, Error> {
        let gone = sqlx::query(
            "delete from handlings h
              where not exists (select from entries e where e.content_id = h.content_id and e.account_id = h.account_id
                                                        and e.email_id = h.email_id)",
        )
        .execute(&self.pools.main)
        .await?;
        Ok(gone.rows_affected())
    }
}

impl Tx {
    /// False when it is not in the state it was read in any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_handling(&mut self, new: &NewHandling<'_>, now: Timestamp) -> Result<bool, Error> {
        let set = sqlx::query(
            "insert into handlings as h (account_id, email_id, content_id, state, due_on, assignee_id, changed_by, changed_at)
             select $1, $2, $3, $5, $6, $7, $8, $9
              where $4 = 'new' or exists (select from handlings where account_id = $1 and email_id = $2)
             on conflict on constraint handlings_email_key do update
                set state = excluded.state, due_on = excluded.due_on, changed_by = excluded.changed_by,
                    changed_at = excluded.changed_at, assignee_id = coalesce(excluded.assignee_id, h.assignee_id)
              where h.state = $4",
        )
        .bind(new.account.0)
        .bind(new.email.0)
        .bind(new.content.0)
        .bind(new.from.as_str())
        .bind(new.state.as_str())
        .bind(new.due_on.to_sqlx())
        .bind(new.assignee.map(|account| account.0))
        .bind(new.by)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(set.rows_affected() > 0)
    }
}
