//! Mailboxes that are made many at a time, and which addresses are given out.
//!
//! Invariant: this is the one place where accounts come from, so that whatever each of them needs is made here.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx as _};
use model::{
    AccountId, Address, DomainId, DomainName, FolderName, MailboxClass, PersonId, SpecialUse, UnitId,
};

/// A mailbox that is to be made, with its first address.
#[derive(Clone, Debug)]
pub struct NewGrant<'a> {
    pub unit: Option<UnitId>,
    pub person: Option<PersonId>,
    pub class: MailboxClass,
    pub display_name: &'a str,
    pub quota_bytes: u64,
    pub password_hash: Option<&'a str>,
    pub password_change: bool,
    /// Why the password has to be changed, and the end of a one-time password.
    pub change_reason: Option<&'a str>,
    pub one_time_until: Option<Timestamp>,
    pub address: &'a Address,
    /// The rule of the naming scheme that made the address.
    pub rule: Option<&'a str>,
    /// The address was given up by somebody long enough ago.
    pub is_reused: bool,
}

/// An address that is, or was, somebody's.
#[derive(Clone, Debug)]
pub struct TakenRow {
    pub address: String,
    /// The mailbox that has or had it; a group's has none.
    pub account: Option<AccountId>,
    /// Whose, if it is or was a person's.
    pub person: Option<PersonId>,
    /// A further address, not the mailbox's own.
    pub is_alias: bool,
    /// It was given up, and when, if that is known.
    pub retired: Option<Option<Timestamp>>,
}

/// What somebody gave up while he is held for an inspection is nobody's to have: the log names him by it.
macro_rules! taken_addresses {
    () => {
        "select g.address, a.account_id, a.person_id,
                case when g.kind = 'retired'
                          and exists (select from holds h where h.account_id = a.account_id and h.released_at is null)
                     then 'held' else g.kind end,
                g.retired_at
           from addresses g join accounts a using (account_id)"
    };
}

type TakenColumns = (String, Option<i64>, Option<i64>, String, Option<SqlTimestamp>);

fn taken(row: TakenColumns) -> TakenRow {
    let (address, account, person, kind, at) = row;
    TakenRow {
        address,
        account: account.map(AccountId),
        person: person.map(PersonId),
        is_alias: kind == "alias",
        retired: (kind == "retired").then(|| at.map(SqlTimestamp::to_jiff)),
    }
}

impl Tx {
    /// Those of these addresses that are or were given out, or are a group's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn taken(&mut self, addresses: &[String]) -> Result<Vec<TakenRow>, Error> {
        let rows: Vec<TakenColumns> = sqlx::query_as(concat!(
            taken_addresses!(),
            " where g.address = any ($1)
             union all
             select address, null, null, 'group', null from groups where address = any ($1)
             union all
             select address, null, null, case when retired_at is null then 'group' else 'retired' end, retired_at
               from group_addresses where address = any ($1)",
        ))
        .bind(addresses)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(taken).collect())
    }

    /// Every address of the domain that is or was given out, or is a group's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn taken_in(&mut self, domain: &DomainName) -> Result<Vec<TakenRow>, Error> {
        let rows: Vec<TakenColumns> = sqlx::query_as(concat!(
            taken_addresses!(),
            " where right(g.address, length($1) + 1) = '@' || $1
             union all
             select address, null, null, 'group', null from groups where right(address, length($1) + 1) = '@' || $1
             union all
             select address, null, null, case when retired_at is null then 'group' else 'retired' end, retired_at
               from group_addresses where right(address, length($1) + 1) = '@' || $1",
        ))
        .bind(domain.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(taken).collect())
    }

    /// What units have as their own address: the primary one of their oldest organisation mailbox
    /// that did not come from a unit that ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_addresses(&mut self, domain: DomainId) -> Result<Vec<(UnitId, String)>, Error> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select distinct on (a.unit_id) a.unit_id, g.address
               from accounts a join addresses g on g.account_id = a.account_id and g.kind = 'primary'
              where a.domain_id = $1 and a.unit_id is not null and a.class = 'organisation' and a.state <> 'deleted'
              order by a.unit_id, a.moved_in_at nulls first, a.account_id",
        )
        .bind(domain.0)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(|(unit, address)| (UnitId(unit), address)).collect())
    }

    /// Makes mailboxes without folders; in the order of `grants`.
    ///
    /// # Errors
    /// `addresses_pkey` when an address is somebody's, or was and is not said to be reused.
    pub async fn insert_accounts(
        &mut self,
        domain: DomainId,
        grants: &[NewGrant<'_>],
        now: Timestamp,
    ) -> Result<Vec<AccountId>, Error> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "select nextval(pg_get_serial_sequence('accounts', 'account_id')) from generate_series(1, $1)",
        )
        .bind(i64::try_from(grants.len()).unwrap_or(0))
        .fetch_all(&mut *self.inner)
        .await?;
        sqlx::query(
            "with made as (
                 insert into accounts (account_id, domain_id, unit_id, person_id, class, state, display_name, quota_bytes,
                                       password_hash, password_change, change_reason, one_time_until, created_at)
                 overriding system value
                 select account_id, $1, unit_id, person_id, class, 'new', display_name, quota_bytes, password_hash,
                        password_change, change_reason, one_time_until, $12
                   from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                               $8::text[], $9::boolean[], $10::text[], $11::timestamptz[])
                     as a (account_id, unit_id, person_id, class, display_name, quota_bytes, password_hash,
                           password_change, change_reason, one_time_until)
                 returning account_id
             )
             insert into counters (account_id) select account_id from made",
        )
        .bind(domain.0)
        .bind(&ids)
        .bind(grants.iter().map(|grant| grant.unit.map(|unit| unit.0)).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.person.map(|person| person.0)).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.class.as_str()).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.display_name).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| i64::try_from(grant.quota_bytes).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.password_hash).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.password_change).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.change_reason).collect::<Vec<_>>())
        .bind(grants.iter().map(|grant| grant.one_time_until.map(Timestamp::to_sqlx)).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        self.insert_primaries(&ids, grants, now).await?;
        Ok(ids.into_iter().map(AccountId).collect())
    }

    async fn insert_primaries(
        &mut self,
        accounts: &[i64],
        grants: &[NewGrant<'_>],
        now: Timestamp,
    ) -> Result<(), Error> {
        let both = || accounts.iter().zip(grants);
        for is_reused in [false, true] {
            let (of, these): (Vec<i64>, Vec<&NewGrant<'_>>) =
                both().filter(|(_, grant)| grant.is_reused == is_reused).unzip();
            if these.is_empty() {
                continue;
            }
            let addresses: Vec<String> = these.iter().map(|grant| grant.address.to_string()).collect();
            let statement = if is_reused {
                self.take_from_groups(&addresses).await?;
                "insert into addresses as g (address, account_id, kind, rule, created_at)
                 select address, account_id, 'primary', rule, $4
                   from unnest($1::text[], $2::bigint[], $3::text[]) as n (address, account_id, rule)
                 on conflict on constraint addresses_pkey do update
                    set account_id = excluded.account_id, kind = 'primary', rule = excluded.rule,
                        created_at = excluded.created_at, retired_at = null
                  where g.kind = 'retired'"
            } else {
                "insert into addresses (address, account_id, kind, rule, created_at)
                 select address, account_id, 'primary', rule, $4
                   from unnest($1::text[], $2::bigint[], $3::text[]) as n (address, account_id, rule)"
            };
            let done = sqlx::query(statement)
                .bind(addresses)
                .bind(of)
                .bind(these.iter().map(|grant| grant.rule).collect::<Vec<_>>())
                .bind(now.to_sqlx())
                .execute(&mut *self.inner)
                .await?;
            if done.rows_affected() != these.len() as u64 {
                return Err(Error::Constraint("addresses_pkey".to_owned()));
            }
        }
        Ok(())
    }

    /// Gives each of these new mailboxes the same folders, in this order, and subscribes to them.
    ///
    /// # Errors
    /// `folders_name_key` when one has a folder of such a name.
    pub async fn insert_folders(
        &mut self,
        accounts: &[AccountId],
        folders: &[(FolderName, Option<SpecialUse>)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let names: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
        sqlx::query(
            "with numbered as (
                 update counters
                    set uid_validity = greatest(uid_validity + 1, extract(epoch from $4)::bigint) + cardinality($2::text[]) - 1
                  where account_id = any ($1)
                 returning account_id, modseq, uid_validity - cardinality($2::text[]) as before
             )
             insert into folders (account_id, name, special_use, uid_validity, modseq, flags_modseq, created_at)
             select account_id, name, special_use, before + nth, modseq, modseq, $4
               from numbered, unnest($2::text[], $3::text[]) with ordinality as f (name, special_use, nth)
              order by account_id, nth",
        )
        .bind(&ids)
        .bind(&names)
        .bind(folders.iter().map(|(_, special)| special.map(SpecialUse::as_str)).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "insert into subscriptions (account_id, name)
             select account_id, name from unnest($1::bigint[]) as account_id, unnest($2::text[]) as name",
        )
        .bind(&ids)
        .bind(&names)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
