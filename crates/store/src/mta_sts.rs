//! Policies that domains publish for mail to them (MTA-STS, RFC 8461), as this system has last fetched them.
//!
//! Invariant: one that does not hold any more is not found.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// A policy as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtaStsRow {
    pub id: String,
    pub policy: String,
    pub until: Timestamp,
}

impl Store {
    /// By the primary key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mta_sts(&self, domain: &str, now: Timestamp) -> Result<Option<MtaStsRow>, Error> {
        let row: Option<(String, String, jiff_sqlx::Timestamp)> =
            sqlx::query_as("select id, policy, until from mta_sts_policies where domain = $1 and until > $2")
                .bind(domain)
                .bind(now.to_sqlx())
                .fetch_optional(&self.pools.main)
                .await?;
        Ok(row.map(|(id, policy, until)| MtaStsRow { id, policy, until: until.to_jiff() }))
    }

    /// # Errors
    /// When the database fails.
    pub async fn put_mta_sts(&self, domain: &str, row: &MtaStsRow) -> Result<(), Error> {
        sqlx::query(
            "insert into mta_sts_policies (domain, id, policy, until) values ($1, $2, $3, $4)
             on conflict on constraint mta_sts_policies_pkey
                do update set id = excluded.id, policy = excluded.policy, until = excluded.until",
        )
        .bind(domain)
        .bind(&row.id)
        .bind(&row.policy)
        .bind(row.until.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Forgets those that hold no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_mta_sts(&self, now: Timestamp) -> Result<(), Error> {
        sqlx::query("delete from mta_sts_policies where until <= $1")
            .bind(now.to_sqlx())
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }
}
