//! Legal holds (lưu giữ theo yêu cầu pháp luật): what must not go while somebody looks into it.
//!
//! Invariant: held events are copied by the database's own function in the transaction that drops their month, so no caller can
//! forget it.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::AccountId;

/// A hold that is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct NewHold<'a> {
    /// `None`: everybody's events.
    pub account: Option<AccountId>,
    /// Events between these moments; `None`: the mailbox itself.
    pub period: Option<(Timestamp, Timestamp)>,
    pub reason: &'a str,
    pub placed_by: &'a str,
}

/// A hold as lists show it.
#[derive(Clone, Debug)]
pub struct HoldRow {
    pub hold: i64,
    pub account: Option<AccountId>,
    /// The account's primary address, or the one it had.
    pub address: Option<String>,
    pub period: Option<(Timestamp, Timestamp)>,
    pub reason: String,
    pub placed_by: String,
    pub since: Timestamp,
    /// Who asked for its end, and who agreed.
    pub asked: Option<(String, Timestamp)>,
    pub released: Option<(String, Timestamp)>,
}

type Row = (
    i64,
    Option<i64>,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    String,
    String,
    jiff_sqlx::Timestamp,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
);

fn hold(row: Row) -> HoldRow {
    let (hold, account, address, from, to, reason, placed_by, since, asker, asked, releaser, released) = row;
    let jiff = |at: Option<jiff_sqlx::Timestamp>| at.map(jiff_sqlx::Timestamp::to_jiff);
    HoldRow {
        hold,
        account: account.map(AccountId),
        address,
        period: jiff(from).zip(jiff(to)),
        reason,
        placed_by,
        since: since.to_jiff(),
        asked: asker.zip(jiff(asked)),
        released: releaser.zip(jiff(released)),
    }
}

impl Store {
    /// Holds by number from behind `after` on; with `all` those that have ended too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, all: bool, after: i64, limit: u32) -> Result<Vec<HoldRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select h.hold_id, h.account_id, coalesce(g.address, '#' || h.account_id), h.period_from, h.period_to,
                    h.reason, h.placed_by, h.since, h.release_asked_by, h.release_asked_at, h.released_by, h.released_at
               from holds h left join addresses g on g.account_id = h.account_id and g.kind = 'primary'
              where ($1 or h.released_at is null) and h.hold_id > $2
              order by h.hold_id limit $3",
        )
        .bind(all)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(hold).collect())
    }

    /// Forgets held events that no hold needs any more and whose time is over; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_released_events(&self, now: Timestamp, months: i32) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select drop_released_events($1, $2)")
            .bind(now.to_sqlx())
            .bind(months)
            .fetch_one(&self.pools.main)
            .await?)
    }
}

impl Tx {
    /// # Errors
    /// When the database fails.
    pub async fn insert_hold(&mut self, new: &NewHold<'_>, now: Timestamp) -> Result<i64, Error> {
        let kind = if new.period.is_some() { "events" } else { "mailbox" };
        Ok(sqlx::query_scalar(
            "insert into holds (account_id, kind, period_from, period_to, reason, placed_by, since)
             values ($1, $2, $3, $4, $5, $6, $7) returning hold_id",
        )
        .bind(new.account.map(|account| account.0))
        .bind(kind)
        .bind(new.period.map(|(from, _)| from.to_sqlx()))
        .bind(new.period.map(|(_, to)| to.to_sqlx()))
        .bind(new.reason)
        .bind(new.placed_by)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// A hold in force, locked; `None`: there is none of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_in_force(&mut self, id: i64) -> Result<Option<HoldRow>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "select h.hold_id, h.account_id, (select g.address from addresses g
                                               where g.account_id = h.account_id and g.kind = 'primary'),
                    h.period_from, h.period_to, h.reason, h.placed_by, h.since, h.release_asked_by, h.release_asked_at,
                    h.released_by, h.released_at
               from holds h where h.hold_id = $1 and h.released_at is null for update",
        )
        .bind(id)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(hold))
    }

    /// Notes who wants the hold to end, and with `agreed` that it has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_hold(
        &mut self,
        id: i64,
        by: &str,
        agreed: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let statement = if agreed {
            "update holds set released_by = $2, released_at = $3 where hold_id = $1"
        } else {
            "update holds set release_asked_by = $2, release_asked_at = $3 where hold_id = $1"
        };
        sqlx::query(statement).bind(id).bind(by).bind(now.to_sqlx()).execute(&mut *self.inner).await?;
        Ok(())
    }
}
