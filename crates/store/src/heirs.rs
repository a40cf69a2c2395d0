//! What is open of a unit that ends goes to the one that takes over: requests, the review of its mailboxes, its offices.
//!
//! Invariant: called by who holds the domain's organisation; a unit has one open review at most, before and after.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::UnitId;

impl Tx {
    /// Open requests of one unit become another's; says their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand_requests(&mut self, from: UnitId, to: UnitId) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar(
            "with handed as (
                 update requests r set unit_id = $2 from units u
                  where u.unit_id = $1 and r.domain_id = u.domain_id and r.unit_id = $1 and r.state in ('new', 'accepted')
              returning r.request_id)
             select request_id from handed order by request_id",
        )
        .bind(from.0)
        .bind(to.0)
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// The open review of one unit goes on as another's, within that one's where it has one, which is then of both units'
    /// mailboxes. Numbers of the two, which are one where it goes on by itself; `None`: there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand_review(
        &mut self,
        (from, to): (UnitId, UnitId),
        (by, note, now): (&str, &str, Timestamp),
    ) -> Result<Option<(i64, i64)>, Error> {
        let Some(review) = self.open_review_of(from).await? else { return Ok(None) };
        let Some(heir) = self.open_review_of(to).await? else {
            sqlx::query("update reviews set unit_id = $2 where review_id = $1")
                .bind(review)
                .bind(to.0)
                .execute(&mut *self.inner)
                .await?;
            return Ok(Some((review, review)));
        };
        sqlx::query(
            "update reviews h set listed = array(select distinct one from unnest(h.listed || r.listed) as one order by one)
               from reviews r where h.review_id = $2 and r.review_id = $1",
        )
        .bind(review)
        .bind(heir)
        .execute(&mut *self.inner)
        .await?;
        sqlx::query("update reviews set finished_at = $2, finished_by = $3, note = $4 where review_id = $1")
            .bind(review)
            .bind(now.to_sqlx())
            .bind(by)
            .bind(note)
            .execute(&mut *self.inner)
            .await?;
        Ok(Some((review, heir)))
    }

    async fn open_review_of(&mut self, unit: UnitId) -> Result<Option<i64>, Error> {
        Ok(sqlx::query_scalar(
            "select review_id from reviews where unit_id = $1 and finished_at is null for no key update",
        )
        .bind(unit.0)
        .fetch_optional(&mut *self.inner)
        .await?)
    }

    /// Addresses of a unit's organisation mailboxes, its own first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn offices_of(&mut self, unit: UnitId) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(
            "select g.address
               from accounts a join addresses g on g.account_id = a.account_id and g.kind = 'primary'
              where a.unit_id = $1 and a.class = 'organisation' and a.state <> 'deleted'
              order by a.moved_in_at nulls first, a.account_id",
        )
        .bind(unit.0)
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// Codes of the units that took over a dissolved one, the first first; `None`: it lives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heirs_of_dissolved(&mut self, unit: UnitId) -> Result<Option<Vec<String>>, Error> {
        Ok(sqlx::query_scalar(
            "select array(select h.code from unnest(u.successors) with ordinality as s (unit_id, nth)
                            join units h on h.unit_id = s.unit_id order by s.nth)
               from units u where u.unit_id = $1 and u.dissolved_on is not null",
        )
        .bind(unit.0)
        .fetch_optional(&mut *self.inner)
        .await?)
    }
}
