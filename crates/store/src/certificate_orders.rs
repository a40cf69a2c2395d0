//! What becomes of orders of certificates, in the transaction of whoever decides it.
//!
//! Invariant: only who holds an order, by the number of its last taking, changes it; who was given up changes nothing.

use crate::{AcmeAnswerRow, Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// How long orders of which nothing is used any more are remembered.
const REMEMBERED_DAYS: i32 = 400;

impl Tx {
    /// `names` in the order of their octets. False when one of this label is open already for the same names at the same authority.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_acme_order(
        &mut self,
        (label, directory, names): (&str, &str, &[String]),
        at: Timestamp,
        asked: bool,
    ) -> Result<bool, Error> {
        let added = sqlx::query(
            "insert into acme_orders (label, directory, names, state, started_at, asked) values ($1, $2, $3, 'open', $4, $5)
             on conflict (label, directory, hash_array_extended(names, 0)) where state = 'open' do nothing",
        )
        .bind(label)
        .bind(directory)
        .bind(names)
        .bind(at.to_sqlx())
        .bind(asked)
        .execute(&mut *self.inner)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    /// Has an open order looked at now. False when none is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hurry_acme_order(
        &mut self,
        (label, directory, names): (&str, &str, &[String]),
    ) -> Result<bool, Error> {
        let hurried = sqlx::query(
            "update acme_orders set look_at = least(look_at, clock_timestamp())
              where label = $1 and directory = $2 and names = $3 and state = 'open'",
        )
        .bind(label)
        .bind(directory)
        .bind(names)
        .execute(&mut *self.inner)
        .await?;
        Ok(hurried.rows_affected() == 1)
    }

    /// Keeps what every node is to answer for an order. False when somebody else has the order by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_acme_answers(
        &mut self,
        (id, turn): (i64, i32),
        answers: &[AcmeAnswerRow],
    ) -> Result<bool, Error> {
        if !self.holds_acme_order((id, turn)).await? {
            return Ok(false);
        }
        let column = |of: fn(&AcmeAnswerRow) -> &str| answers.iter().map(of).collect::<Vec<_>>();
        sqlx::query(
            "insert into acme_answers (order_id, name, token, key_authorization)
             select $1, * from unnest($2::text[], $3::text[], $4::text[])
             on conflict on constraint acme_answers_pkey do nothing",
        )
        .bind(id)
        .bind(column(|answer| &answer.name))
        .bind(column(|answer| &answer.token))
        .bind(column(|answer| &answer.key_authorization))
        .execute(&mut *self.inner)
        .await?;
        Ok(true)
    }

    /// Its certificate is in use from now on, in place of those before that had no other names. False when somebody else has the order by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_acme_order(
        &mut self,
        (id, turn): (i64, i32),
        (chain, begins, ends): (&str, Timestamp, Timestamp),
        at: Timestamp,
    ) -> Result<bool, Error> {
        if !self.holds_acme_order((id, turn)).await? {
            return Ok(false);
        }
        sqlx::query(
            "update acme_orders old set state = 'replaced', secret = null
               from acme_orders new
              where new.order_id = $1 and old.label = new.label and old.directory = new.directory
                and old.names <@ new.names and old.state = 'done'",
        )
        .bind(id)
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "update acme_orders set state = 'done', chain = $2, begins = $3, ends = $4, ended_at = $5, fault = null
              where order_id = $1",
        )
        .bind(id)
        .bind(chain)
        .bind(begins.to_sqlx())
        .bind(ends.to_sqlx())
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.forget_acme((id, at)).await?;
        Ok(true)
    }

    /// Nothing comes of it. False when somebody else has the order by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fail_acme_order(
        &mut self,
        (id, turn): (i64, i32),
        fault: &str,
        at: Timestamp,
    ) -> Result<bool, Error> {
        if !self.holds_acme_order((id, turn)).await? {
            return Ok(false);
        }
        sqlx::query(
            "update acme_orders set state = 'failed', secret = null, fault = $2, ended_at = $3 where order_id = $1",
        )
        .bind(id)
        .bind(fault)
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.forget_acme((id, at)).await?;
        Ok(true)
    }

    async fn holds_acme_order(&mut self, (id, turn): (i64, i32)) -> Result<bool, Error> {
        let held: Option<i64> = sqlx::query_scalar(
            "select order_id from acme_orders where order_id = $1 and turn = $2 and state = 'open' for update",
        )
        .bind(id)
        .bind(turn)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(held.is_some())
    }

    /// The answers of an order that ended, and orders of long ago.
    async fn forget_acme(&mut self, (id, at): (i64, Timestamp)) -> Result<(), Error> {
        sqlx::query("delete from acme_answers where order_id = $1")
            .bind(id)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "delete from acme_orders where state in ('failed', 'replaced') and ended_at < $1 - make_interval(days => $2)",
        )
        .bind(at.to_sqlx())
        .bind(REMEMBERED_DAYS)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
