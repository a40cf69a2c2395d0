//! Roles over scopes, and what is needed to decide by them: where somebody or something stands in the tree.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, AccountState, Address, DomainId, DomainName, Grant, Role, Scope, Standing, UnitId};

const DAMAGED: Error = Error::Damaged("a grant or account row has a value this version does not know");

/// A role that somebody was given, as lists show it.
#[derive(Clone, Debug)]
pub struct RoleRow {
    pub grant: i64,
    /// Who has it: his primary address, or what it was.
    pub holder: String,
    pub role: Role,
    pub scope: Scope,
    /// The scope for people to read: `*`, a domain, `domain/unit code`, or an address.
    pub place: String,
    pub reason: String,
    pub given_by: String,
    pub given_at: Timestamp,
    pub until: Option<Timestamp>,
    pub revoked: Option<(String, Timestamp)>,
}

/// A role that is to be given.
#[derive(Clone, Copy, Debug)]
pub struct NewRole<'a> {
    pub account: AccountId,
    pub grant: Grant,
    pub reason: &'a str,
    pub given_by: &'a str,
    pub until: Option<Timestamp>,
}

/// A mailbox as permission sees it.
#[derive(Clone, Debug)]
pub struct MailboxPlace {
    pub account: AccountId,
    pub domain: DomainId,
    pub path: Vec<UnitId>,
    pub state: AccountState,
    /// The highest administrative role of its owner.
    pub holder: Option<Role>,
}

/// Scopes as statements take them: everything, or any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub everything: bool,
    pub domains: Vec<i64>,
    /// Domains and units of subtrees, in pairs.
    pub subtree_domains: Vec<i64>,
    pub subtree_units: Vec<i64>,
    pub mailboxes: Vec<i64>,
}

impl Reach {
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        let mut reach = Self::default();
        for scope in scopes {
            match *scope {
                Scope::System => reach.everything = true,
                Scope::Domain(domain) => reach.domains.push(domain.0),
                Scope::Subtree { domain, unit } => {
                    reach.subtree_domains.push(domain.0);
                    reach.subtree_units.push(unit.0);
                }
                Scope::Mailbox(account) => reach.mailboxes.push(account.0),
            }
        }
        reach
    }

    /// Reaches nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn scope(domain: Option<i64>, unit: Option<i64>, mailbox: Option<i64>) -> Result<Scope, Error> {
    match (domain, unit, mailbox) {
        (None, None, None) => Ok(Scope::System),
        (Some(domain), None, None) => Ok(Scope::Domain(DomainId(domain))),
        (Some(domain), Some(unit), None) => {
            Ok(Scope::Subtree { domain: DomainId(domain), unit: UnitId(unit) })
        }
        (None, None, Some(mailbox)) => Ok(Scope::Mailbox(AccountId(mailbox))),
        _ => Err(DAMAGED),
    }
}

fn columns(scope: Scope) -> (Option<i64>, Option<i64>, Option<i64>) {
    match scope {
        Scope::System => (None, None, None),
        Scope::Domain(domain) => (Some(domain.0), None, None),
        Scope::Subtree { domain, unit } => (Some(domain.0), Some(unit.0), None),
        Scope::Mailbox(account) => (None, None, Some(account.0)),
    }
}

fn role(name: &str) -> Result<Role, Error> {
    Role::ALL.into_iter().find(|role| role.as_str() == name).ok_or(DAMAGED)
}

impl Store {
    /// How somebody stands, and the administrative roles he has at `now`; `None`: there was never such an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants_of(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<(Standing, i64, Vec<Grant>)>, Error> {
        type Row = (String, bool, i64, Option<String>, Option<i64>, Option<i64>, Option<i64>);
        let rows: Vec<Row> = sqlx::query_as(
            "select a.state, a.password_change, a.security_epoch, g.role, g.domain_id, g.unit_id, g.mailbox_id
               from accounts a
               left join grants g on g.account_id = a.account_id and g.revoked_at is null
                                 and (g.until is null or g.until > $2)
              where a.account_id = $1",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        let Some((state, must_change, epoch, ..)) = rows.first() else { return Ok(None) };
        let standing = match state.parse().map_err(|_| DAMAGED)? {
            AccountState::New | AccountState::Active if *must_change => Standing::MustChangePassword,
            AccountState::New | AccountState::Active => Standing::Active,
            AccountState::Locked => Standing::Locked,
            AccountState::ToBeDeleted | AccountState::Deleted => Standing::Retired,
        };
        let epoch = *epoch;
        let mut grants = Vec::new();
        for (_, _, _, name, domain, unit, mailbox) in rows {
            let Some(name) = name else { continue };
            let scope = scope(domain, unit, mailbox)?;
            grants.push(Grant::new(role(&name)?, scope).map_err(|_| DAMAGED)?);
        }
        Ok(Some((standing, epoch, grants)))
    }

    /// Where a mailbox stands, by any of its addresses or by its number; `None`: there is none (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailbox_place(
        &self,
        by: Result<&Address, AccountId>,
        now: Timestamp,
    ) -> Result<Option<MailboxPlace>, Error> {
        type Row = (i64, i64, String, Vec<i64>, Vec<String>);
        let row: Option<Row> = sqlx::query_as(
            "select a.account_id, a.domain_id, a.state, unit_path(a.unit_id),
                    array(select g.role from grants g
                           where g.account_id = a.account_id and g.revoked_at is null
                             and (g.until is null or g.until > $3))
               from accounts a
              where a.account_id = coalesce($2, (select o.account_id from addresses o
                                                  where o.address = $1 and o.kind <> 'retired'))
                and a.state <> 'deleted'",
        )
        .bind(by.ok().map(ToString::to_string))
        .bind(by.err().map(|account| account.0))
        .bind(now.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((account, domain, state, path, roles)) = row else { return Ok(None) };
        let roles = roles.iter().map(|name| role(name)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(MailboxPlace {
            account: AccountId(account),
            domain: DomainId(domain),
            path: path.into_iter().map(UnitId).collect(),
            state: state.parse().map_err(|_| DAMAGED)?,
            // Roles are declared from the highest down.
            holder: roles.into_iter().min(),
        }))
    }

    /// The domain of a unit and the way to it from the top; `None`: there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_place(&self, unit: UnitId) -> Result<Option<(DomainId, Vec<UnitId>)>, Error> {
        let row: Option<(i64, Vec<i64>)> =
            sqlx::query_as("select domain_id, unit_path(unit_id) from units where unit_id = $1")
                .bind(unit.0)
                .fetch_optional(&self.pools.main)
                .await?;
        Ok(row.map(|(domain, path)| (DomainId(domain), path.into_iter().map(UnitId).collect())))
    }

    /// As [`Store::unit_place`], by the unit's code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_place_by_code(
        &self,
        domain: &DomainName,
        code: &str,
    ) -> Result<Option<(DomainId, Vec<UnitId>)>, Error> {
        let row: Option<(i64, Vec<i64>)> = sqlx::query_as(
            "select u.domain_id, unit_path(u.unit_id) from units u join domains d using (domain_id)
              where d.name = $1 and u.code = $2",
        )
        .bind(domain.as_str())
        .bind(code)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(domain, path)| (DomainId(domain), path.into_iter().map(UnitId).collect())))
    }

    /// Roles in force at `now` (with `all` those of the past too), oldest first, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants(
        &self,
        reach: &Reach,
        all: bool,
        now: Timestamp,
        after: i64,
        limit: u32,
    ) -> Result<Vec<RoleRow>, Error> {
        let rows: Vec<RoleColumns> = sqlx::query_as(
            "select g.grant_id, coalesce(h.address, '#' || g.account_id),
                    g.role, g.domain_id, g.unit_id, g.mailbox_id,
                    case when g.mailbox_id is not null then coalesce(m.address, '#' || g.mailbox_id)
                         when g.unit_id is not null then d.name || '/' || u.code
                         else coalesce(d.name, '*') end,
                    g.reason, g.given_by, g.given_at, g.until, g.revoked_by, g.revoked_at
               from grants g
               left join addresses h on h.account_id = g.account_id and h.kind = 'primary'
               left join domains d on d.domain_id = g.domain_id
               left join units u on u.unit_id = g.unit_id
               left join addresses m on m.account_id = g.mailbox_id and m.kind = 'primary'
               left join accounts b on b.account_id = g.mailbox_id
              where ($1 or coalesce(g.domain_id, b.domain_id) = any ($2))
                and ($3 or (g.revoked_at is null and (g.until is null or g.until > $4)))
                and g.grant_id > $5
              order by g.grant_id limit $6",
        )
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(all)
        .bind(now.to_sqlx())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(role_row).collect()
    }
}

type RoleColumns = (
    i64,
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    String,
    String,
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    Option<jiff_sqlx::Timestamp>,
);

fn role_row(columns: RoleColumns) -> Result<RoleRow, Error> {
    let (grant, holder, name, domain, unit, mailbox, place, reason, given_by, given_at, until, by, at) =
        columns;
    Ok(RoleRow {
        grant,
        holder,
        role: role(&name)?,
        scope: scope(domain, unit, mailbox)?,
        place,
        reason,
        given_by,
        given_at: given_at.to_jiff(),
        until: until.map(jiff_sqlx::Timestamp::to_jiff),
        revoked: by.zip(at.map(jiff_sqlx::Timestamp::to_jiff)),
    })
}

impl Tx {
    /// # Errors
    /// `grants_once` when he has it already.
    pub async fn insert_grant(&mut self, new: &NewRole<'_>, now: Timestamp) -> Result<i64, Error> {
        // One that has ended by itself makes room.
        sqlx::query(
            "update grants set revoked_by = 'system:until', revoked_at = until
              where account_id = $1 and revoked_at is null and until <= $2",
        )
        .bind(new.account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        let (domain, unit, mailbox) = columns(new.grant.scope());
        Ok(sqlx::query_scalar(
            "insert into grants (account_id, role, domain_id, unit_id, mailbox_id, reason, given_by, given_at, until)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning grant_id",
        )
        .bind(new.account.0)
        .bind(new.grant.role().as_str())
        .bind(domain)
        .bind(unit)
        .bind(mailbox)
        .bind(new.reason)
        .bind(new.given_by)
        .bind(now.to_sqlx())
        .bind(new.until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Takes a role away. False when he does not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_grant(
        &mut self,
        account: AccountId,
        grant: Grant,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (domain, unit, mailbox) = columns(grant.scope());
        let revoked = sqlx::query(
            "update grants set revoked_by = $6, revoked_at = $7
              where account_id = $1 and role = $2 and revoked_at is null
                and domain_id is not distinct from $3 and unit_id is not distinct from $4
                and mailbox_id is not distinct from $5",
        )
        .bind(account.0)
        .bind(grant.role().as_str())
        .bind(domain)
        .bind(unit)
        .bind(mailbox)
        .bind(by)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(revoked.rows_affected() > 0)
    }
}
