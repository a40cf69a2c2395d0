//! Roles that end with what they rest on: a unit that is dissolved, a place in it that somebody leaves.
//!
//! Invariant: whoever ends them is told whose, which and over what they were, for the audit trail and for those to be told. All roles
//! are few: administrators'.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, PersonId, Role, UnitId};

impl Tx {
    /// Ends roles over units of the domain that are dissolved: whose, which, over what. One who had a role over a small unit does
    /// not come to have it over the one it was merged into. Of all roles, which are few: administrators.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grants_of_ended(
        &mut self,
        domain: DomainId,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<(AccountId, String, String, String)>, Error> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "with ended as (
                 update grants g set revoked_by = $2, revoked_at = $3
                   from units u
                  where u.domain_id = $1 and u.dissolved_on is not null and g.unit_id = u.unit_id and g.revoked_at is null
              returning g.account_id, g.role, u.code)
             select e.account_id, coalesce(a.address, ''), e.role, e.code
               from ended e left join addresses a on a.account_id = e.account_id and a.kind = 'primary'
              order by 2, 3, 4",
        )
        .bind(domain.0)
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        let ended = |(account, address, role, code)| (AccountId(account), address, role, code);
        Ok(rows.into_iter().map(ended).collect())
    }
    /// Ends the officer's roles that somebody's mailboxes have over any of `units`: whose, by what address, which, over what.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_officer_of(
        &mut self,
        person: PersonId,
        units: &[UnitId],
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<(AccountId, String, String, String)>, Error> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "with ended as (
                 update grants g set revoked_by = $4, revoked_at = $5
                   from accounts a, units u
                  where a.person_id = $1 and g.account_id = a.account_id and g.unit_id = any ($2) and u.unit_id = g.unit_id
                    and g.role = $3 and g.revoked_at is null and (g.until is null or g.until > $5)
              returning g.account_id, g.role, u.code)
             select e.account_id, coalesce(a.address, ''), e.role, e.code
               from ended e left join addresses a on a.account_id = e.account_id and a.kind = 'primary'
              order by 2, 3, 4",
        )
        .bind(person.0)
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(Role::OrganisationOfficer.as_str())
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        let ended = |(account, address, role, code)| (AccountId(account), address, role, code);
        Ok(rows.into_iter().map(ended).collect())
    }
}
