//! Reviews of units' mailboxes (rà soát danh sách hộp thư).
//!
//! Invariant: what a review says is written once, when it is finished; only an open one changes.

use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::{Date as SqlDate, Timestamp as SqlTimestamp, ToSqlx as _};
use model::{AccountId, AccountState, Address, DomainId, DomainName, MailboxClass, ReviewDecision, UnitId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgExecutor, Row as _};

/// A review, without what was said of each mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewRow {
    pub review: i64,
    pub domain: DomainId,
    pub domain_name: DomainName,
    pub unit: UnitId,
    pub unit_code: String,
    pub unit_name: String,
    pub opened_at: Timestamp,
    pub opened_by: String,
    pub due_on: Date,
    /// Mailboxes that were there when it was opened.
    pub listed: u64,
    pub reminded_at: Option<Timestamp>,
    /// When, and by whom.
    pub finished: Option<(Timestamp, String)>,
    pub document: String,
    pub note: String,
    pub confirmed: u64,
    pub changed: u64,
    pub revoked: u64,
}

/// What was said of one mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewedMailbox {
    pub account: i64,
    /// As it then was.
    pub address: String,
    pub decision: ReviewDecision,
    pub remark: String,
    /// Number of the request that was made of it.
    pub request: Option<i64>,
}

/// A mailbox that is to be reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewMailbox {
    pub account: AccountId,
    pub address: Address,
    pub name: String,
    pub class: MailboxClass,
    pub state: AccountState,
    /// When it was last used, to the hour.
    pub used_at: Option<Timestamp>,
    /// It came after the review was opened.
    pub is_new: bool,
}

/// What ends a review.
#[derive(Clone, Copy, Debug)]
pub struct ReviewEnd<'a> {
    pub by: &'a str,
    pub at: Timestamp,
    pub document: &'a str,
    pub note: &'a str,
    pub decisions: &'a [ReviewedMailbox],
}

/// Which reviews to list.
#[derive(Clone, Copy, Debug)]
pub struct ReviewFilter<'a> {
    pub reach: &'a Reach,
    pub domain: &'a DomainName,
    /// Those that are finished, too.
    pub finished: bool,
    /// Open ones alone that were due before this day.
    pub due_before: Option<Date>,
    pub after: i64,
    pub limit: u32,
}

const DAMAGED: Error = Error::Damaged("a review has a value this version does not know");

fn review(row: &PgRow) -> Result<ReviewRow, Error> {
    let at =
        |column| Ok::<_, Error>(row.try_get::<Option<SqlTimestamp>, _>(column)?.map(SqlTimestamp::to_jiff));
    let count = |column| Ok::<_, Error>(u64::from(row.try_get::<i32, _>(column)?.unsigned_abs()));
    let by: Option<String> = row.try_get("finished_by")?;
    Ok(ReviewRow {
        review: row.try_get("review_id")?,
        domain: DomainId(row.try_get("domain_id")?),
        domain_name: DomainName::new(row.try_get::<&str, _>("domain")?).map_err(|_| DAMAGED)?,
        unit: UnitId(row.try_get("unit_id")?),
        unit_code: row.try_get("code")?,
        unit_name: row.try_get("name")?,
        opened_at: row.try_get::<SqlTimestamp, _>("opened_at")?.to_jiff(),
        opened_by: row.try_get("opened_by")?,
        due_on: row.try_get::<SqlDate, _>("due_on")?.to_jiff(),
        listed: count("listed")?,
        reminded_at: at("reminded_at")?,
        finished: at("finished_at")?.zip(by),
        document: row.try_get("document")?,
        note: row.try_get("note")?,
        confirmed: count("confirmed")?,
        changed: count("changed")?,
        revoked: count("revoked")?,
    })
}

macro_rules! reviews {
    ($where:literal) => {
        concat!(
            "select r.review_id, u.domain_id, d.name as domain, r.unit_id, u.code, u.name, r.opened_at, r.opened_by, r.due_on,
                    cardinality(r.listed) as listed, r.reminded_at, r.finished_at, r.finished_by, r.document, r.note,
                    r.confirmed, r.changed, r.revoked
               from reviews r
               join units u on u.unit_id = r.unit_id
               join domains d on d.domain_id = u.domain_id ",
            $where
        )
    };
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn review(&self, review_id: i64) -> Result<Option<ReviewRow>, Error> {
        let row = sqlx::query(reviews!("where r.review_id = $1"))
            .bind(review_id)
            .fetch_optional(&self.pools.main)
            .await?;
        row.as_ref().map(review).transpose()
    }

    /// By number, a page of them: open ones by `reviews_open`, all by their key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews(&self, filter: ReviewFilter<'_>) -> Result<Vec<ReviewRow>, Error> {
        let rows = sqlx::query(reviews!(
            "where u.domain_id = (select domain_id from domains where name = $1)
               and ($2 or r.finished_at is null)
               and ($3::date is null or r.finished_at is null and r.due_on < $3) and r.review_id > $4
               and ($6 or u.domain_id = any ($7) or r.unit_id in (select units_below($8, $9)))
             order by r.review_id limit $5"
        ))
        .bind(filter.domain.as_str())
        .bind(filter.finished)
        .bind(filter.due_before.map(jiff_sqlx::ToSqlx::to_sqlx))
        .bind(filter.after)
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .fetch_all(&self.pools.main)
        .await?;
        rows.iter().map(review).collect()
    }

    /// What was said of each mailbox; empty while it is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review_decisions(&self, review_id: i64) -> Result<Vec<ReviewedMailbox>, Error> {
        let row: Option<Json<Vec<ReviewedMailbox>>> =
            sqlx::query_scalar("select decisions from reviews where review_id = $1")
                .bind(review_id)
                .fetch_optional(&self.pools.main)
                .await?;
        Ok(row.map(|Json(decisions)| decisions).unwrap_or_default())
    }

    /// The mailboxes that are now its unit's, by address: the unit's own and those of the people in it (by `accounts_unit`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review_mailboxes(&self, review_id: i64) -> Result<Vec<ReviewMailbox>, Error> {
        review_mailboxes(&self.pools.main, review_id).await
    }
    /// Units of a domain, by number from behind `after` on, that have mailboxes and no open review, and whose last review ended (or
    /// that were founded) `months` before `today` or earlier. Asked for once a night, of all units of the domain.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_to_review(
        &self,
        domain: DomainId,
        (months, today): (u32, Date),
        after: UnitId,
        limit: u32,
    ) -> Result<Vec<UnitId>, Error> {
        let units: Vec<i64> = sqlx::query_scalar(
            "select u.unit_id from units u
              where u.domain_id = $1 and u.dissolved_on is null and u.unit_id > $4
                and exists (select from accounts a where a.unit_id = u.unit_id and a.state <> 'deleted')
                and not exists (select from reviews r where r.unit_id = u.unit_id and r.finished_at is null)
                and (coalesce((select max(r.finished_at) from reviews r where r.unit_id = u.unit_id), u.created_at)
                        at time zone 'Asia/Ho_Chi_Minh')::date + make_interval(months => $2) <= $3
              order by u.unit_id limit $5",
        )
        .bind(domain.0)
        .bind(i32::try_from(months).unwrap_or(i32::MAX))
        .bind(today.to_sqlx())
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(units.into_iter().map(UnitId).collect())
    }

    /// # Errors
    /// When the database fails.
    pub async fn has_open_review(&self, unit: UnitId) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from reviews where unit_id = $1 and finished_at is null)",
        )
        .bind(unit.0)
        .fetch_one(&self.pools.main)
        .await?)
    }
}

impl Tx {
    /// Opens a review of the mailboxes that are there now. `None` when one is open, or there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_review(
        &mut self,
        unit: UnitId,
        due_on: Date,
        (by, now): (&str, Timestamp),
    ) -> Result<Option<ReviewRow>, Error> {
        let id: Option<i64> = sqlx::query_scalar(
            "insert into reviews (unit_id, opened_at, opened_by, due_on, listed)
             select $1, $2, $3, $4, array_agg(account_id order by account_id)
               from accounts where unit_id = $1 and state <> 'deleted'
             having count(*) > 0
             on conflict (unit_id) where finished_at is null do nothing returning review_id",
        )
        .bind(unit.0)
        .bind(now.to_sqlx())
        .bind(by)
        .bind(due_on.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some(id) = id else { return Ok(None) };
        let row =
            sqlx::query(reviews!("where r.review_id = $1")).bind(id).fetch_optional(&mut *self.inner).await?;
        row.as_ref().map(review).transpose()
    }

    /// As [`Store::review_mailboxes`], of a review that was opened just now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review_mailboxes(&mut self, review_id: i64) -> Result<Vec<ReviewMailbox>, Error> {
        review_mailboxes(&mut *self.inner, review_id).await
    }

    /// Finishes it. False when it was finished before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_review(&mut self, review_id: i64, end: &ReviewEnd<'_>) -> Result<bool, Error> {
        let count = |decision| {
            let of = end.decisions.iter().filter(|one| one.decision == decision).count();
            i32::try_from(of).unwrap_or(i32::MAX)
        };
        let finished = sqlx::query(
            "update reviews set finished_at = $2, finished_by = $3, document = $4, note = $5, confirmed = $6, changed = $7,
                    revoked = $8, decisions = $9
              where review_id = $1 and finished_at is null",
        )
        .bind(review_id)
        .bind(end.at.to_sqlx())
        .bind(end.by)
        .bind(end.document)
        .bind(end.note)
        .bind(count(ReviewDecision::Confirm))
        .bind(count(ReviewDecision::Change))
        .bind(count(ReviewDecision::Revoke))
        .bind(Json(end.decisions))
        .execute(&mut *self.inner)
        .await?;
        Ok(finished.rows_affected() > 0)
    }

    /// Holds an open review. False when it is finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_review(&mut self, review_id: i64) -> Result<bool, Error> {
        let held =
            sqlx::query("select from reviews where review_id = $1 and finished_at is null for no key update")
                .bind(review_id)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(held.is_some())
    }

    /// Finishes open reviews of units that have no mailbox left; says which they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_empty_reviews(
        &mut self,
        (by, note, now): (&str, &str, Timestamp),
    ) -> Result<Vec<ReviewRow>, Error> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "update reviews r set finished_at = $1, finished_by = $2, note = $3
              where r.finished_at is null
                and not exists (select from accounts a where a.unit_id = r.unit_id and a.state <> 'deleted')
            returning r.review_id",
        )
        .bind(now.to_sqlx())
        .bind(by)
        .bind(note)
        .fetch_all(&mut *self.inner)
        .await?;
        self.reviews_of(&ids).await
    }

    /// Takes open reviews of a domain that were due before `today` and of which nobody was reminded, as reminded of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_overdue_reviews(
        &mut self,
        domain: DomainId,
        (today, now): (Date, Timestamp),
        limit: u32,
    ) -> Result<Vec<ReviewRow>, Error> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "update reviews set reminded_at = $3
              where review_id in (select r.review_id from reviews r join units u using (unit_id)
                                   where r.finished_at is null and r.due_on < $2 and r.reminded_at is null and u.domain_id = $1
                                   order by r.review_id limit $4 for update of r skip locked)
            returning review_id",
        )
        .bind(domain.0)
        .bind(today.to_sqlx())
        .bind(now.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&mut *self.inner)
        .await?;
        self.reviews_of(&ids).await
    }

    async fn reviews_of(&mut self, ids: &[i64]) -> Result<Vec<ReviewRow>, Error> {
        let rows = sqlx::query(reviews!("where r.review_id = any ($1) order by r.review_id"))
            .bind(ids)
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(review).collect()
    }
}

async fn review_mailboxes<'e>(
    executor: impl PgExecutor<'e>,
    review_id: i64,
) -> Result<Vec<ReviewMailbox>, Error> {
    type Row = (i64, String, String, String, String, Option<SqlTimestamp>, bool);
    let rows: Vec<Row> = sqlx::query_as(
        "select a.account_id, g.address, a.display_name, a.class, a.state, greatest(v.sent_at, v.retrieved_at),
                a.account_id <> all (r.listed)
           from reviews r
           join accounts a on a.unit_id = r.unit_id and a.state <> 'deleted'
           join addresses g on g.account_id = a.account_id and g.kind = 'primary'
           left join activity v on v.account_id = a.account_id
          where r.review_id = $1
          order by g.address",
    )
    .bind(review_id)
    .fetch_all(executor)
    .await?;
    let mailbox = |(account, address, name, class, state, used_at, is_new): Row| {
        Ok(ReviewMailbox {
            account: AccountId(account),
            address: address.parse().map_err(|_| DAMAGED)?,
            name,
            class: class.parse().map_err(|_| DAMAGED)?,
            state: state.parse().map_err(|_| DAMAGED)?,
            used_at: used_at.map(SqlTimestamp::to_jiff),
            is_new,
        })
    };
    rows.into_iter().map(mailbox).collect()
}
