//! Roles, and rights to mailboxes, that end with what they rest on: a unit that is dissolved, a place in it that somebody leaves.
//!
//! Invariant: whoever ends them is told whose, which and over what they were, for the audit trail and for those to be told. All roles
//! are few: administrators'.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, PersonId, Rights, Role, UnitId};

/// A role that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRole {
    pub account: AccountId,
    /// The account's primary address.
    pub address: String,
    pub role: String,
    /// The unit's code.
    pub over: String,
}

/// Rights to another's mailbox that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedDelegation {
    /// Of the mailbox.
    pub account: AccountId,
    /// Its primary address.
    pub mailbox: String,
    pub delegate: AccountId,
    pub delegate_address: String,
    pub rights: Rights,
}

type RoleColumns = (i64, String, String, String);

fn ended_role((account, address, role, over): RoleColumns) -> EndedRole {
    EndedRole { account: AccountId(account), address, role, over }
}

/// Ends those of all roles `g` over units `u` that are so, at $2 by $1. Of all roles, which are few: administrators.
macro_rules! ending {
    ($which:literal) => {
        concat!(
            "with ended as (
                 update grants g set revoked_by = $1, revoked_at = $2
                   from ",
            $which,
            " and u.unit_id = g.unit_id and g.revoked_at is null
              returning g.account_id, g.role, u.code)
             select e.account_id, coalesce(a.address, ''), e.role, e.code
               from ended e left join addresses a on a.account_id = e.account_id and a.kind = 'primary'
              order by 2, 3, 4"
        )
    };
}

impl Tx {
    /// Ends roles over units of the domain that are dissolved. One who had a role over a small unit does
    /// not come to have it over the one it was merged into.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grants_of_ended(
        &mut self,
        domain: DomainId,
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<EndedRole>, Error> {
        let rows = sqlx::query_as(ending!("units u where u.domain_id = $3 and u.dissolved_on is not null"))
            .bind(by)
            .bind(now.to_sqlx())
            .bind(domain.0)
            .fetch_all(&mut *self.inner)
            .await?;
        Ok(rows.into_iter().map(ended_role).collect())
    }

    /// Ends the officer's roles that somebody's mailboxes have over any of `units`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_officer_of(
        &mut self,
        person: PersonId,
        units: &[UnitId],
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<EndedRole>, Error> {
        let rows = sqlx::query_as(ending!(
            "accounts a, units u
              where a.person_id = $4 and g.account_id = a.account_id and g.unit_id = any ($5)
                and g.role = $3 and (g.until is null or g.until > $2)"
        ))
        .bind(by)
        .bind(now.to_sqlx())
        .bind(Role::OrganisationOfficer.as_str())
        .bind(person.0)
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(ended_role).collect())
    }

    /// Ends the officer's roles of people who were in the first of two units, as `accounts` still have it, over the other one: of as
    /// many units as a reform moves, in one statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_officers_out_of(
        &mut self,
        left: &[(UnitId, UnitId)],
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<EndedRole>, Error> {
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query_as(ending!(
            "accounts a, units u, unnest($4::bigint[], $5::bigint[]) as l (unit_id, above_id)
              where a.unit_id = l.unit_id and a.class in ('person', 'leader') and g.account_id = a.account_id
                and g.unit_id = l.above_id and g.role = $3 and (g.until is null or g.until > $2)"
        ))
        .bind(by)
        .bind(now.to_sqlx())
        .bind(Role::OrganisationOfficer.as_str())
        .bind(left.iter().map(|(unit, _)| unit.0).collect::<Vec<_>>())
        .bind(left.iter().map(|(_, above)| above.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(ended_role).collect())
    }

    /// Holds the mailboxes of a person together with those of `units`, not people's, that he has rights to at `now` or later,
    /// whose modseqs move on: by them other nodes notice that rights have changed. Says which the latter are. One who lends more
    /// at the same moment does so after this. `also` are held with them. By `accounts_person` and `delegations_delegate`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_with_lent(
        &mut self,
        person: PersonId,
        (units, also): (&[UnitId], &[AccountId]),
        now: Timestamp,
    ) -> Result<Vec<AccountId>, Error> {
        let lent: Vec<i64> = sqlx::query_scalar(
            "select distinct d.mailbox_id
               from accounts a
               join delegations d on d.delegate_id = a.account_id and d.revoked_at is null and (d.until is null or d.until > $3)
               join accounts m on m.account_id = d.mailbox_id and m.unit_id = any ($2) and m.class not in ('person', 'leader')
              where a.person_id = $1",
        )
        .bind(person.0)
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        sqlx::query(
            "select from counters
              where account_id = any ($1) or account_id in (select account_id from accounts where person_id = $2)
              order by account_id for no key update",
        )
        .bind(lent.iter().copied().chain(also.iter().map(|mailbox| mailbox.0)).collect::<Vec<_>>())
        .bind(person.0)
        .execute(&mut *self.inner)
        .await?;
        sqlx::query("update counters set modseq = modseq + 1 where account_id = any ($1)")
            .bind(&lent)
            .execute(&mut *self.inner)
            .await?;
        Ok(lent.into_iter().map(AccountId).collect())
    }

    /// Ends the rights that somebody's mailboxes have to `mailboxes`, which are held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_lent_to(
        &mut self,
        person: PersonId,
        mailboxes: &[AccountId],
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<EndedDelegation>, Error> {
        let rows: Vec<(i64, String, i64, String, i16)> = sqlx::query_as(
            "with ended as (
                 update delegations d set revoked_at = $4, revoked_by = $3
                   from accounts a
                  where a.person_id = $1 and d.delegate_id = a.account_id and d.mailbox_id = any ($2) and d.revoked_at is null
              returning d.mailbox_id, d.delegate_id, d.rights)
             select e.mailbox_id, coalesce(m.address, ''), e.delegate_id, coalesce(g.address, ''), e.rights
               from ended e
               left join addresses m on m.account_id = e.mailbox_id and m.kind = 'primary'
               left join addresses g on g.account_id = e.delegate_id and g.kind = 'primary'
              order by 2, 4",
        )
        .bind(person.0)
        .bind(mailboxes.iter().map(|mailbox| mailbox.0).collect::<Vec<_>>())
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?;
        let ended =
            |(account, mailbox, delegate, delegate_address, bits): (i64, String, i64, String, i16)| {
                EndedDelegation {
                    account: AccountId(account),
                    mailbox,
                    delegate: AccountId(delegate),
                    delegate_address,
                    rights: Rights::from_bits(u8::try_from(bits).unwrap_or(0)),
                }
            };
        Ok(rows.into_iter().map(ended).collect())
    }
}
