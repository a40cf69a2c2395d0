//! Mailboxes follow their people and units: the unit they belong to, their class and quota, their address.
//!
//! Invariant: called by who holds the domain's organisation; an address that is replaced goes on receiving.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::quota::Range;
use model::{AccountId, Address, MailboxClass, PersonId, UnitId};

/// What a mailbox of a class has, in octets, and what one may have for itself.
#[derive(Clone, Copy, Debug)]
pub struct ClassQuota {
    pub bytes: u64,
    pub own: Range,
}

/// A mailbox that has another class now, and what that does to its quota (octets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassChange {
    /// The primary address.
    pub address: String,
    pub from: MailboxClass,
    pub to: MailboxClass,
    pub quota_before: u64,
    pub quota: u64,
    pub used: u64,
}

/// A mailbox with what its address is made of.
#[derive(Clone, Debug)]
pub struct UnitMailbox {
    pub account: AccountId,
    pub unit: Option<UnitId>,
    pub class: MailboxClass,
    pub person: Option<PersonId>,
    /// The person's full name, or as the mailbox is shown.
    pub name: String,
    pub display_name: String,
    /// The primary one.
    pub address: String,
}

type UnitMailboxColumns = (i64, Option<i64>, String, Option<i64>, Option<String>, String, String);

macro_rules! unit_mailboxes {
    () => {
        "select a.account_id, a.unit_id, a.class, a.person_id, p.full_name, a.display_name, g.address
           from accounts a
           join addresses g on g.account_id = a.account_id and g.kind = 'primary'
           left join people p using (person_id)"
    };
}

fn unit_mailbox(row: UnitMailboxColumns) -> Result<UnitMailbox, Error> {
    const DAMAGED: Error = Error::Damaged("an account has a class this version does not know");
    let (account, unit, class, person, full_name, display_name, address) = row;
    Ok(UnitMailbox {
        account: AccountId(account),
        unit: unit.map(UnitId),
        class: class.parse().map_err(|_| DAMAGED)?,
        person: person.map(PersonId),
        name: full_name.unwrap_or_else(|| display_name.clone()),
        display_name,
        address,
    })
}

/// An address that a mailbox is to be called by.
#[derive(Clone, Debug)]
pub struct NewPrimary {
    pub account: AccountId,
    pub address: Address,
    /// The rule of the naming scheme that made it.
    pub rule: String,
    /// It was given up by somebody long enough ago.
    pub is_reused: bool,
}

impl Tx {
    /// How many mailboxes exist that belong to each of these units, people's and units' own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailboxes_of_units(&mut self, units: &[UnitId]) -> Result<Vec<(UnitId, u64)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select unit_id, count(*) from accounts where unit_id = any ($1) and state <> 'deleted' group by unit_id",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|(unit, count)| (UnitId(unit), count.unsigned_abs())).collect())
    }

    /// Mailboxes follow their unit, or their person: sets the unit of those that belong to one unit, which ends, or to these people.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_mailboxes(&mut self, from: UnitId, to: UnitId, now: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query(
            "update accounts set unit_id = $2, moved_in_at = $3 where unit_id = $1 and state <> 'deleted'",
        )
        .bind(from.0)
        .bind(to.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected())
    }

    /// # Errors
    /// When the database fails.
    pub async fn move_mailboxes_of(&mut self, people: &[PersonId], to: Option<UnitId>) -> Result<u64, Error> {
        let done =
            sqlx::query("update accounts set unit_id = $2 where person_id = any ($1) and state <> 'deleted'")
                .bind(people.iter().map(|person| person.0).collect::<Vec<_>>())
                .bind(to.map(|unit| unit.0))
                .execute(&mut *self.inner)
                .await?;
        Ok(done.rows_affected())
    }

    /// Of a person's mailboxes of one class: gives them the other, and its quota unless they have one of their own that it may have.
    /// Says which they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_class(
        &mut self,
        person: PersonId,
        (from, to): (MailboxClass, MailboxClass),
        quota: ClassQuota,
    ) -> Result<Vec<ClassChange>, Error> {
        let octets = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "update accounts a
                set class = $3,
                    quota_bytes = case when a.quota_by is not null and a.quota_bytes between $5 and $6 then a.quota_bytes else $4 end,
                    quota_by = case when a.quota_bytes between $5 and $6 then a.quota_by end,
                    quota_why = case when a.quota_bytes between $5 and $6 then a.quota_why end
               from accounts o
               left join counters c on c.account_id = o.account_id
               left join addresses g on g.account_id = o.account_id and g.kind = 'primary'
              where a.account_id = o.account_id and a.person_id = $1 and a.class = $2 and a.state <> 'deleted'
             returning coalesce(g.address, ''), o.quota_bytes, a.quota_bytes, coalesce(c.used_bytes, 0)",
        )
        .bind(person.0)
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(octets(quota.bytes))
        .bind(octets(quota.own.least.unwrap_or(0)))
        .bind(octets(quota.own.most.unwrap_or(u64::MAX)))
        .fetch_all(&mut *self.inner)
        .await?;
        let change = |(address, before, now, used): (String, i64, i64, i64)| ClassChange {
            address,
            from,
            to,
            quota_before: before.unsigned_abs(),
            quota: now.unsigned_abs(),
            used: used.unsigned_abs(),
        };
        Ok(rows.into_iter().map(change).collect())
    }

    /// The mailboxes that belong to these units, people's and units' own (by `accounts_unit`).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailboxes_in(&mut self, units: &[UnitId]) -> Result<Vec<UnitMailbox>, Error> {
        let rows: Vec<UnitMailboxColumns> = sqlx::query_as(concat!(
            unit_mailboxes!(),
            " where a.unit_id = any ($1) and a.state <> 'deleted' order by a.account_id"
        ))
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.into_iter().map(unit_mailbox).collect()
    }

    /// The mailboxes of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailboxes_of(&mut self, person: PersonId) -> Result<Vec<UnitMailbox>, Error> {
        let rows: Vec<UnitMailboxColumns> = sqlx::query_as(concat!(
            unit_mailboxes!(),
            " where a.person_id = $1 and a.state <> 'deleted' order by a.account_id"
        ))
        .bind(person.0)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.into_iter().map(unit_mailbox).collect()
    }

    /// A unit's own mailboxes that are shown by the name it had are shown by the one it has now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_offices(&mut self, unit: UnitId, (from, to): (&str, &str)) -> Result<(), Error> {
        sqlx::query(
            "update accounts set display_name = $3
              where unit_id = $1 and class = 'organisation' and display_name = $2 and state <> 'deleted'",
        )
        .bind(unit.0)
        .bind(from)
        .bind(to)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Gives mailboxes new primary addresses, which may be older ones of theirs or of the same person; the ones before receive
    /// until then.
    ///
    /// # Errors
    /// `addresses_pkey` when one is somebody else's.
    pub async fn replace_primaries(
        &mut self,
        new: &[NewPrimary],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), Error> {
        let accounts: Vec<i64> = new.iter().map(|primary| primary.account.0).collect();
        // Held, so that none is deleted, or moved to another domain, meanwhile.
        sqlx::query("select from counters where account_id = any ($1) order by account_id for no key update")
            .bind(&accounts)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "update addresses set kind = 'alias', until = $2 where account_id = any ($1) and kind = 'primary'",
        )
        .bind(&accounts)
        .bind(until.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        let reused = new.iter().filter(|primary| primary.is_reused);
        let reused: Vec<String> = reused.map(|primary| primary.address.to_string()).collect();
        self.take_from_groups(&reused).await?;
        let done = sqlx::query(
            "insert into addresses as g (address, account_id, kind, rule, created_at)
             select address, account_id, 'primary', rule, $4
               from unnest($1::text[], $2::bigint[], $3::text[]) as n (address, account_id, rule)
             on conflict on constraint addresses_pkey do update
                set kind = 'primary', account_id = excluded.account_id, rule = excluded.rule, until = null, retired_at = null
              where g.kind <> 'primary'
                and (g.account_id = excluded.account_id
                     or (select a.person_id from accounts a where a.account_id = g.account_id)
                      = (select a.person_id from accounts a where a.account_id = excluded.account_id)
                     or g.kind = 'retired' and g.address = any ($5))",
        )
        .bind(new.iter().map(|primary| primary.address.to_string()).collect::<Vec<_>>())
        .bind(&accounts)
        .bind(new.iter().map(|primary| primary.rule.as_str()).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .bind(reused)
        .execute(&mut *self.inner)
        .await?;
        if done.rows_affected() == new.len() as u64 {
            Ok(())
        } else {
            Err(Error::Constraint("addresses_pkey".to_owned()))
        }
    }
}
