//! Who is to be told of what the nightly job does to mailboxes.
//!
//! Invariant: nobody is told by an office that he no longer holds.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, Role, UnitId};

impl Store {
    /// Who is told what happens to the mailboxes of these units: the units' own mailboxes (hộp thư đơn vị), and the officers
    /// (cán bộ đầu mối) of the units and of those above them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn officers(
        &self,
        units: &[UnitId],
        now: Timestamp,
    ) -> Result<Vec<(UnitId, AccountId)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select u.unit_id, a.account_id
               from unnest($1::bigint[]) as u (unit_id)
               join accounts a on a.unit_id = u.unit_id and a.class = 'organisation'
              where a.state in ('new', 'active')
             union
             select u.unit_id, g.account_id
               from unnest($1::bigint[]) as u (unit_id)
               join grants g on g.unit_id = any (unit_path(u.unit_id)) and g.role = 'organisation-officer'
               join accounts a on a.account_id = g.account_id and a.state in ('new', 'active')
              where g.revoked_at is null and (g.until is null or g.until > $2) and g.mailbox_id is null
             order by 1, 2",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(unit, account)| (UnitId(unit), AccountId(account))).collect())
    }

    /// Who hears at the centre (trung tâm) what happens in a domain: its operators, and the mailbox for suspicious mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn centre(
        &self,
        domain: DomainId,
        suspicious: Option<&Address>,
        now: Timestamp,
    ) -> Result<Vec<AccountId>, Error> {
        // Grants are as few as there are administrators; the address is found by its key.
        let rows: Vec<i64> = sqlx::query_scalar(
            "select a.account_id from grants g join accounts a on a.account_id = g.account_id and a.state in ('new', 'active')
              where g.role = 'centre-operator' and g.unit_id is null and g.mailbox_id is null
                and (g.domain_id is null or g.domain_id = $1)
                and g.revoked_at is null and (g.until is null or g.until > $3)
             union
             select a.account_id from addresses d join accounts a on a.account_id = d.account_id and a.state in ('new', 'active')
              where d.address = $2 and d.kind <> 'retired'
             order by 1",
        )
        .bind(domain.0)
        .bind(suspicious.map(ToString::to_string))
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(AccountId).collect())
    }
}

impl Tx {
    /// Who is told of these units' reviews: the units' own mailboxes, and the officers (cán bộ đầu mối) who are nearest to each, of it
    /// or of what is above it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review_officers(
        &mut self,
        units: &[UnitId],
        now: Timestamp,
    ) -> Result<Vec<(UnitId, AccountId)>, Error> {
        // Grants are as few as there are administrators.
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "with paths as materialized (
                 select u.unit_id, unit_path(u.unit_id) as path from unnest($1::bigint[]) as u (unit_id)
             ), officers as (
                 select p.unit_id, g.account_id,
                        rank() over (partition by p.unit_id order by array_position(p.path, g.unit_id) desc) as nth
                   from paths p
                   join grants g on g.unit_id = any (p.path) and g.role = $3
                   join accounts a on a.account_id = g.account_id and a.state in ('new', 'active')
                  where g.revoked_at is null and (g.until is null or g.until > $2) and g.mailbox_id is null
             )
             select unit_id, account_id from officers where nth = 1
             union
             select a.unit_id, a.account_id from accounts a
              where a.unit_id = any ($1) and a.class = 'organisation' and a.state in ('new', 'active')
             order by 1, 2",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .bind(Role::OrganisationOfficer.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|(unit, account)| (UnitId(unit), AccountId(account))).collect())
    }
}
