//! People as lists show them, as far as somebody may see.
//!
//! Invariant: who is outside the reach is neither listed nor counted, nor does a page get shorter by him.

use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, MailboxClass, PersonId, UnitId};

/// Which people to list.
#[derive(Clone, Copy, Debug)]
pub struct PersonFilter<'a> {
    /// Who is outside is not there.
    pub reach: &'a Reach,
    pub person: Option<PersonId>,
    pub unit: Option<UnitId>,
    pub after: Option<PersonId>,
    /// Rows at most.
    pub limit: u32,
}

/// A person as lists show it.
#[derive(Clone, Debug)]
pub struct PersonListed {
    pub person: PersonId,
    pub full_name: String,
    pub birth_year: Option<i16>,
    pub unit: Option<String>,
    pub positions: Vec<String>,
    pub is_leader: bool,
    pub addresses: Vec<String>,
}

/// What says whose a mailbox is.
#[derive(Clone, Debug)]
pub struct OwnerRow {
    pub class: MailboxClass,
    /// The mailbox's own.
    pub name: String,
    pub person: Option<PersonId>,
    pub unit: Option<UnitId>,
}

type ListedColumns = (i64, String, Option<i16>, Option<String>, Vec<String>, bool, Vec<String>);

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn people(
        &self,
        domain: DomainId,
        filter: PersonFilter<'_>,
    ) -> Result<Vec<PersonListed>, Error> {
        let rows: Vec<ListedColumns> = sqlx::query_as(
            "select p.person_id, p.full_name, p.birth_year, u.code,
                    array(select o.title from appointments a join positions o using (position_id)
                           where a.person_id = p.person_id and a.until_day is null order by o.rank, o.title),
                    exists (select from appointments a join positions o using (position_id)
                             where a.person_id = p.person_id and a.until_day is null and o.leader),
                    array(select g.address from accounts a join addresses g using (account_id)
                           where a.person_id = p.person_id and g.kind = 'primary' and a.state <> 'deleted'
                           order by a.account_id)
               from people p
               left join memberships m on m.person_id = p.person_id and m.until_day is null
               left join units u on u.unit_id = m.unit_id
              where p.domain_id = $1 and ($2::bigint is null or m.unit_id = $2) and p.person_id > $3
                and ($5::bigint is null or p.person_id = $5)
                and ($6 or p.domain_id = any ($7) or exists (
                     with recursive above as (
                         select m.unit_id
                         union all
                         select b.parent_id from units b join above using (unit_id) where b.parent_id is not null
                     )
                     select from above where unit_id = any ($8)))
              order by p.person_id limit $4",
        )
        .bind(domain.0)
        .bind(filter.unit.map(|unit| unit.0))
        .bind(filter.after.map_or(0, |after| after.0))
        .bind(i64::from(filter.limit))
        .bind(filter.person.map(|person| person.0))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_units)
        .fetch_all(&self.pools.main)
        .await?;
        let listed =
            |(person, full_name, birth_year, unit, positions, is_leader, addresses): ListedColumns| {
                PersonListed {
                    person: PersonId(person),
                    full_name,
                    birth_year,
                    unit,
                    positions,
                    is_leader,
                    addresses,
                }
            };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Whose personal mailbox this is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of(&self, account: AccountId) -> Result<Option<PersonId>, Error> {
        let person: Option<Option<i64>> =
            sqlx::query_scalar("select person_id from accounts where account_id = $1 and state <> 'deleted'")
                .bind(account.0)
                .fetch_optional(&self.pools.main)
                .await?;
        Ok(person.flatten().map(PersonId))
    }
}

impl Tx {
    /// Whose a mailbox is, held against others until the transaction ends; `None`: it does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_owner(&mut self, account: AccountId) -> Result<Option<OwnerRow>, Error> {
        let row: Option<(String, String, Option<i64>, Option<i64>)> = sqlx::query_as(
            "select class, display_name, person_id, unit_id from accounts
              where account_id = $1 and state <> 'deleted' for no key update",
        )
        .bind(account.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        let Some((class, name, person, unit)) = row else { return Ok(None) };
        let class =
            class.parse().map_err(|_| Error::Damaged("an account has a class this version does not know"))?;
        Ok(Some(OwnerRow { class, name, person: person.map(PersonId), unit: unit.map(UnitId) }))
    }

    /// From now on the mailbox is this person's.
    ///
    /// # Errors
    /// `Damaged` when it is somebody's, or does not exist.
    pub async fn set_owner(&mut self, account: AccountId, person: PersonId) -> Result<(), Error> {
        let set = sqlx::query(
            "update accounts set person_id = $2 where account_id = $1 and person_id is null and state <> 'deleted'",
        )
        .bind(account.0)
        .bind(person.0)
        .execute(&mut *self.inner)
        .await?;
        match set.rows_affected() {
            1 => Ok(()),
            _ => Err(Error::Damaged("a mailbox that was held is somebody else's")),
        }
    }

    /// What somebody's mailboxes have besides themselves: roles with what they are over, rights to others' mailboxes (as
    /// `delegate`), and units whose requests they are told of (as `watcher`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_by(
        &mut self,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Error> {
        Ok(sqlx::query_as(
            "select g.role as what, coalesce(u.code, b.address, d.name, '*') as over
               from accounts a
               join grants g on g.account_id = a.account_id and g.revoked_at is null and (g.until is null or g.until > $2)
               left join units u on u.unit_id = g.unit_id
               left join domains d on d.domain_id = g.domain_id
               left join addresses b on b.account_id = g.mailbox_id and b.kind = 'primary'
              where a.person_id = $1 and a.state <> 'deleted'
             union all
             select 'delegate', b.address
               from accounts a
               join delegations x on x.delegate_id = a.account_id and x.revoked_at is null and (x.until is null or x.until > $2)
               join addresses b on b.account_id = x.mailbox_id and b.kind = 'primary'
              where a.person_id = $1 and a.state <> 'deleted'
             union all
             select 'watcher', u.code
               from accounts a join unit_watchers w using (account_id) join units u on u.unit_id = w.unit_id
              where a.person_id = $1 and a.state <> 'deleted'
              order by what, over",
        )
        .bind(person.0)
        .bind(now.to_sqlx())
        .fetch_all(&mut *self.inner)
        .await?)
    }
}
