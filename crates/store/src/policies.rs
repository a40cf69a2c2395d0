//! Policies of domains (chính sách): every version, never edited; the highest one holds.
//!
//! Fields that this congthu does not know are those of a newer one, while nodes are renewed one by one: they are read over, and
//! carried into the next version.

use crate::{Error, Store, Tx};
use jiff_sqlx::{Timestamp, ToSqlx as _};
use model::{DomainId, Policy, PolicyVersion};
use serde_json::Value;

const DAMAGED: Error = Error::Damaged("a policy is not one that this version knows");

type Row = (i32, Timestamp, String, String, Value);

fn version((number, since, by, reason, policy): Row) -> Result<PolicyVersion, Error> {
    let policy: Policy = serde_json::from_value(policy).map_err(|_| DAMAGED)?;
    let number = u32::try_from(number).map_err(|_| DAMAGED)?;
    Ok(PolicyVersion { number, since: since.to_jiff(), by, reason, policy })
}

impl Store {
    /// The version that holds.
    ///
    /// # Errors
    /// When the database fails, or the policy is of a newer congthu.
    pub async fn policy(&self, domain: DomainId) -> Result<Option<PolicyVersion>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "select version, since, made_by, reason, policy from policies
              where domain_id = $1 order by version desc limit 1",
        )
        .bind(domain.0)
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(version).transpose()
    }

    /// Every version, the newest first.
    ///
    /// # Errors
    /// As [`Store::policy`].
    pub async fn policy_history(&self, domain: DomainId) -> Result<Vec<PolicyVersion>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select version, since, made_by, reason, policy from policies where domain_id = $1 order by version desc",
        )
        .bind(domain.0)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(version).collect()
    }

    /// The number of the version that holds in each domain.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn policy_versions(&self) -> Result<Vec<(DomainId, u32)>, Error> {
        let rows: Vec<(i64, i32)> =
            sqlx::query_as("select domain_id, max(version) from policies group by domain_id")
                .fetch_all(&self.pools.main)
                .await?;
        Ok(rows.into_iter().map(|(domain, number)| (DomainId(domain), number.unsigned_abs())).collect())
    }
}

impl Tx {
    /// # Errors
    /// `policies_pkey` when somebody else was quicker.
    pub async fn add_policy(&mut self, domain: DomainId, version: &PolicyVersion) -> Result<(), Error> {
        let policy = serde_json::to_value(&version.policy).map_err(|_| DAMAGED)?;
        sqlx::query(
            "insert into policies (domain_id, version, since, made_by, reason, policy)
             select $1, $2, $3, $4, $5, coalesce(
                 (select jsonb_object_agg(coalesce(o.key, n.key), case
                             when jsonb_typeof(o.value) = 'object' and jsonb_typeof(n.value) = 'object' then o.value || n.value
                             else coalesce(n.value, o.value) end)
                    from jsonb_each((select policy from policies where domain_id = $1 and version = $2 - 1)) o
                    full join jsonb_each($6) n on n.key = o.key), $6)",
        )
        .bind(domain.0)
        .bind(i32::try_from(version.number).map_err(|_| DAMAGED)?)
        .bind(version.since.to_sqlx())
        .bind(&version.by)
        .bind(&version.reason)
        .bind(policy)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
