//! Domains, and the units (đơn vị) of their organisation trees.

use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{DomainId, DomainName, UnitId};

/// A hosted domain and how many mailboxes it has.
#[derive(Clone, Debug)]
pub struct DomainRow {
    pub name: DomainName,
    pub profile: String,
    pub mailboxes: u64,
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn domain(&self, name: &DomainName) -> Result<Option<DomainId>, Error> {
        let id: Option<i64> = sqlx::query_scalar("select domain_id from domains where name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.pools.main)
            .await?;
        Ok(id.map(DomainId))
    }

    /// The domains within `reach`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn domain_name(&self, domain: DomainId) -> Result<Option<DomainName>, Error> {
        let name: Option<String> = sqlx::query_scalar("select name from domains where domain_id = $1")
            .bind(domain.0)
            .fetch_optional(&self.pools.main)
            .await?;
        let damaged = |_| Error::Damaged("a domain has an impossible name");
        name.map(|name| DomainName::new(&name).map_err(damaged)).transpose()
    }

    /// # Errors
    /// When the database fails.
    pub async fn domains(&self, reach: &Reach) -> Result<Vec<DomainRow>, Error> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "select d.name, d.profile, count(a.account_id)
               from domains d
               left join accounts a on a.domain_id = d.domain_id and a.state <> 'deleted'
              where $1 or d.domain_id = any ($2)
              group by d.domain_id order by d.name",
        )
        .bind(reach.everything)
        .bind(&reach.domains)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(name, profile, mailboxes)| {
                let name =
                    DomainName::new(&name).map_err(|_| Error::Damaged("a domain has an impossible name"))?;
                Ok(DomainRow { name, profile, mailboxes: mailboxes.unsigned_abs() })
            })
            .collect()
    }

    /// # Errors
    /// When the database fails.
    pub async fn unit(&self, domain: DomainId, code: &str) -> Result<Option<UnitId>, Error> {
        let id: Option<i64> =
            sqlx::query_scalar("select unit_id from units where domain_id = $1 and code = $2")
                .bind(domain.0)
                .bind(code)
                .fetch_optional(&self.pools.main)
                .await?;
        Ok(id.map(UnitId))
    }
}

impl Tx {
    /// # Errors
    /// `domains_name_key` when it exists.
    pub async fn insert_domain(
        &mut self,
        name: &DomainName,
        profile: &str,
        now: Timestamp,
    ) -> Result<DomainId, Error> {
        let id: i64 = sqlx::query_scalar(
            "insert into domains (name, profile, created_at) values ($1, $2, $3) returning domain_id",
        )
        .bind(name.as_str())
        .bind(profile)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(DomainId(id))
    }

    /// Deletes a domain in which no address was ever given out, with its units. False when one was.
    ///
    /// # Errors
    /// `accounts_domain_fkey` when a mailbox of it has its addresses elsewhere.
    pub async fn delete_domain(&mut self, domain: DomainId, name: &DomainName) -> Result<bool, Error> {
        sqlx::query("delete from units where domain_id = $1 and not exists (select from accounts where domain_id = $1)")
            .bind(domain.0)
            .execute(&mut *self.inner)
            .await?;
        let deleted = sqlx::query(
            "delete from domains where domain_id = $1
                and not exists (select from addresses where right(address, length($2) + 1) = '@' || $2)
                and not exists (select from group_addresses where right(address, length($2) + 1) = '@' || $2)",
        )
        .bind(domain.0)
        .bind(name.as_str())
        .execute(&mut *self.inner)
        .await?;
        Ok(deleted.rows_affected() > 0)
    }
}
