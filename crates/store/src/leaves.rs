//! Notices of leave (thông báo lý do): days in which a mailbox may be unused (An Giang 63/2016 Điều 8.1a).
//!
//! Invariant: a notice is never changed, only taken back, and its row stays.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;
use model::lifecycle::Leave;

/// A leave as it was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveRow {
    pub leave: Leave,
    pub reason: String,
    /// What whoever writes on these days is answered; `None`: nothing.
    pub answer: Option<LeaveAnswer>,
    pub noted_by: String,
    pub noted_at: Timestamp,
    /// When it was taken back, by whom and why; `None`: it stands.
    pub withdrawn: Option<(Timestamp, String, String)>,
}

/// What a mailbox answers by itself on days of leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveAnswer {
    /// `None`: as is usual.
    pub subject: Option<String>,
    pub text: String,
}

type Row = (
    jiff_sqlx::Date,
    jiff_sqlx::Date,
    String,
    Option<String>,
    Option<String>,
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<String>,
);

fn leave((from, to, reason, subject, text, noted_by, noted_at, at, by, why): Row) -> LeaveRow {
    LeaveRow {
        leave: Leave { from: from.to_jiff(), to: to.to_jiff() },
        reason,
        answer: text.map(|text| LeaveAnswer { subject, text }),
        noted_by,
        noted_at: noted_at.to_jiff(),
        withdrawn: at.map(|at| (at.to_jiff(), by.unwrap_or_default(), why.unwrap_or_default())),
    }
}

impl Store {
    /// The leaves of a mailbox, the latest first, with those that were taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaves(&self, account: AccountId) -> Result<Vec<LeaveRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select from_day, to_day, reason, answer_subject, answer, noted_by, noted_at, withdrawn_at, withdrawn_by, withdrawn_why
               from leaves where account_id = $1 order by from_day desc, leave_id desc",
        )
        .bind(account.0)
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(leave).collect())
    }
}

impl Tx {
    /// The first leave that stands and has a day in common with this one. To be called under the mailbox's lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn overlapping_leave(
        &mut self,
        account: AccountId,
        leave: Leave,
    ) -> Result<Option<Leave>, Error> {
        let row: Option<(jiff_sqlx::Date, jiff_sqlx::Date)> = sqlx::query_as(
            "select from_day, to_day from leaves
              where account_id = $1 and withdrawn_at is null and from_day <= $3 and to_day >= $2
              order by from_day, leave_id limit 1",
        )
        .bind(account.0)
        .bind(leave.from.to_sqlx())
        .bind(leave.to.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(|(from, to)| Leave { from: from.to_jiff(), to: to.to_jiff() }))
    }

    /// # Errors
    /// When the database fails.
    pub async fn add_leave(
        &mut self,
        account: AccountId,
        (leave, reason): (Leave, &str),
        answer: Option<&LeaveAnswer>,
        (by, at): (&str, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into leaves (account_id, from_day, to_day, reason, noted_by, noted_at, answer_subject, answer)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(account.0)
        .bind(leave.from.to_sqlx())
        .bind(leave.to.to_sqlx())
        .bind(reason)
        .bind(by)
        .bind(at.to_sqlx())
        .bind(answer.and_then(|answer| answer.subject.as_deref()))
        .bind(answer.map(|answer| answer.text.as_str()))
        .execute(&mut *self.inner)
        .await?;
        if answer.is_some() {
            self.sieve_changed().await?;
        }
        Ok(())
    }

    /// Takes back all that stand and begin on that day (several only where they were noted before that was refused); says which.
    /// Warnings that were given before tell nobody of a lock any more that comes back by that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw_leaves(
        &mut self,
        account: AccountId,
        from: Date,
        (by, why, at): (&str, &str, Timestamp),
    ) -> Result<Vec<LeaveRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "update leaves set withdrawn_at = $3, withdrawn_by = $4, withdrawn_why = $5
              where account_id = $1 and from_day = $2 and withdrawn_at is null
             returning from_day, to_day, reason, answer_subject, answer, noted_by, noted_at, withdrawn_at, withdrawn_by, withdrawn_why",
        )
        .bind(account.0)
        .bind(from.to_sqlx())
        .bind(at.to_sqlx())
        .bind(by)
        .bind(why)
        .fetch_all(&mut *self.inner)
        .await?;
        if !rows.is_empty() {
            sqlx::query(
                "update activity set warned_days = null, warned_lock_on = null, warned_on = null where account_id = $1",
            )
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        }
        let withdrawn: Vec<LeaveRow> = rows.into_iter().map(leave).collect();
        if withdrawn.iter().any(|row| row.answer.is_some()) {
            self.sieve_changed().await?;
        }
        Ok(withdrawn)
    }
}
