//! The countries that mailboxes were logged in to from.
//!
//! Invariants: of a mailbox all are read and one is written by the primary key, so a log-in costs the same however many there are;
//! at night old ones go by an index of their own, but never the newest of a mailbox.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::visits::Visit;
use model::{AccountId, Country};

/// Of one mailbox.
pub(crate) const VISITS: &str = "select country, last_at, told_at from login_countries where account_id = $1";

pub(crate) const NOTE: &str = "
    insert into login_countries as l (account_id, country, last_at) values ($1, $2, $3)
    on conflict (account_id, country) do update set last_at = greatest(l.last_at, excluded.last_at)";

pub(crate) const TOLD: &str = "
    insert into login_countries as l (account_id, country, told_at) values ($1, $2, $3)
    on conflict (account_id, country) do update set told_at = excluded.told_at where l.told_at is null or l.told_at <= $4";

/// What is older than the first, unless nothing newer is known of its mailbox.
pub(crate) const FORGET: &str = "
    delete from login_countries l using (
        select account_id, country from login_countries o
         where coalesce(o.last_at, o.told_at) < $1
           and coalesce(o.last_at, o.told_at) < (select max(n.last_at) from login_countries n where n.account_id = o.account_id)
         order by coalesce(o.last_at, o.told_at) limit $2) as old
     where l.account_id = old.account_id and l.country = old.country";

impl Store {
    /// Where a mailbox was seen; a country that is none is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visits(&self, account: AccountId) -> Result<Vec<Visit>, Error> {
        type Row = (String, Option<SqlTimestamp>, Option<SqlTimestamp>);
        let rows: Vec<Row> = sqlx::query_as(VISITS).bind(account.0).fetch_all(&self.pools.main).await?;
        let visit = |(country, last_at, told_at): Row| {
            let at = |at: Option<SqlTimestamp>| at.map(SqlTimestamp::to_jiff);
            Some(Visit { country: country.parse().ok()?, last_at: at(last_at), told_at: at(told_at) })
        };
        Ok(rows.into_iter().filter_map(visit).collect())
    }

    /// It was logged in to from there, without waiting for the disk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_visit(
        &self,
        account: AccountId,
        country: Country,
        now: Timestamp,
    ) -> Result<(), Error> {
        let statement = sqlx::query(NOTE).bind(account.0).bind(country.to_string()).bind(now.to_sqlx());
        statement.execute(&self.pools.chunks).await?;
        Ok(())
    }

    /// Forgets what is older, `limit` at most; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_visits(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let statement = sqlx::query(FORGET).bind(before.to_sqlx()).bind(i64::from(limit));
        Ok(statement.execute(&self.pools.chunks).await?.rows_affected())
    }
}

impl Tx {
    /// As [`Store::note_visit`], with what becomes of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_visit(
        &mut self,
        account: AccountId,
        country: Country,
        now: Timestamp,
    ) -> Result<(), Error> {
        let statement = sqlx::query(NOTE).bind(account.0).bind(country.to_string()).bind(now.to_sqlx());
        statement.execute(&mut *self.inner).await?;
        Ok(())
    }

    /// Somebody is told of a log-in from there. False when that was done after `before`: whoever does it at the same moment waits here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_visit_told(
        &mut self,
        account: AccountId,
        country: Country,
        (now, before): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let statement = sqlx::query(TOLD)
            .bind(account.0)
            .bind(country.to_string())
            .bind(now.to_sqlx())
            .bind(before.to_sqlx());
        Ok(statement.execute(&mut *self.inner).await?.rows_affected() == 1)
    }

    /// Countries that somebody was told of are strange again: whoever gets the mailbox back may not have been there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_told_visits(&mut self, account: AccountId) -> Result<(), Error> {
        sqlx::query("delete from login_countries where account_id = $1 and told_at is not null")
            .bind(account.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
