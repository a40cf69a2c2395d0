//! Groups of addresses, and who is in them at the moment.

mod addresses;
mod nested;

pub use nested::{FullRow, NestedGroup};

use crate::within::within;
use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{
    AccountId, AccountState, Address, DomainId, DomainName, FolderId, GroupRule, GroupSenders, UnitId,
};

/// A group that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewGroup<'a> {
    pub domain: DomainId,
    pub address: &'a Address,
    pub name: &'a str,
    pub rule: GroupRule,
    pub unit: Option<UnitId>,
    pub deep: bool,
    pub senders: GroupSenders,
    pub by: &'a str,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    pub group: i64,
    pub domain: DomainId,
    pub address: Address,
    /// Addresses that it had and under which it still receives.
    pub aliases: Vec<String>,
    pub name: String,
    pub rule: GroupRule,
    /// Code of the unit.
    pub unit: Option<String>,
    pub unit_id: Option<UnitId>,
    pub deep: bool,
    pub senders: GroupSenders,
    pub made_by: String,
    pub made_at: Timestamp,
}

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    pub account: AccountId,
    pub inbox: FolderId,
    pub address: Address,
    pub display_name: String,
    pub state: AccountState,
}

const DAMAGED: Error = Error::Damaged("a group has a value this version does not know");

type Row = (
    i64,
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<i64>,
    bool,
    String,
    String,
    jiff_sqlx::Timestamp,
    Vec<String>,
);

fn group(
    (id, domain, address, name, rule, unit, unit_id, deep, senders, by, at, aliases): Row,
) -> Result<GroupRow, Error> {
    Ok(GroupRow {
        group: id,
        domain: DomainId(domain),
        address: address.parse().map_err(|_| DAMAGED)?,
        aliases,
        name,
        rule: rule.parse().map_err(|_| DAMAGED)?,
        unit,
        unit_id: unit_id.map(UnitId),
        deep,
        senders: senders.parse().map_err(|_| DAMAGED)?,
        made_by: by,
        made_at: at.to_jiff(),
    })
}

macro_rules! groups {
    ($where:literal) => {
        concat!(
            "select g.group_id, g.domain_id, g.address, g.name, g.rule, u.code, g.unit_id, g.deep, g.senders, g.made_by, g.made_at,
                    array(select x.address from group_addresses x where x.group_id = g.group_id and x.retired_at is null
                           order by x.address)
               from groups g left join units u on u.unit_id = g.unit_id ",
            $where
        )
    };
}

/// `chosen (account_id)`: whoever is in the group `$1` on the day `$2`, groups in it but for `$3` included, each once.
macro_rules! chosen {
    ($rest:literal) => {
        concat!(
            "with recursive nested (group_id) as (
                 select $1::bigint
                  union
                 select m.member_group_id from group_members m join nested n on n.group_id = m.group_id
                  where m.member_group_id is not null and m.member_group_id <> all ($3::bigint[])
             ), places (group_id, unit_id) as (
                 select g.group_id, g.unit_id from groups g join nested using (group_id) where g.unit_id is not null
                  union
                 select p.group_id, u.unit_id
                   from places p join groups g using (group_id) join units u on u.parent_id = p.unit_id
                  where g.deep
             ), clerks (person_id) as materialized (
                 select a.person_id
                   from appointments a join positions t using (position_id)
                  where a.from_day <= $2 and (a.until_day is null or a.until_day > $2)
                    and fold_words(t.title) like 'van thu%'
             ), offices (unit_id) as materialized (
                 select unit_id from units where fold_words(name) like 'van phong%'
             ), chosen (account_id) as (
                 select m.account_id from group_members m join nested using (group_id) where m.account_id is not null
                  union
                 select a.account_id
                   from groups g join nested using (group_id) join accounts a on a.domain_id = g.domain_id
                  where (g.unit_id is null
                         or exists (select from places p where p.group_id = g.group_id and p.unit_id = a.unit_id))
                    and case g.rule
                        when 'everybody' then true
                        when 'people' then a.class in ('person', 'leader')
                        when 'leaders' then a.class = 'leader'
                        when 'organisations' then a.class = 'organisation'
                        when 'clerks' then a.person_id in (select person_id from clerks)
                        when 'offices' then a.class = 'organisation' and a.unit_id in (select unit_id from offices)
                        else false end
             ) ",
            $rest
        )
    };
}

impl Store {
    /// By the address that it has, or had and still receives under.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group(&self, address: &Address) -> Result<Option<GroupRow>, Error> {
        let row: Option<Row> = sqlx::query_as(groups!(
            "where g.group_id = (select group_id from groups where address = $1
                                  union all
                                 select group_id from group_addresses where address = $1 and retired_at is null)"
        ))
            .bind(address.to_string())
            .fetch_optional(&self.pools.main)
            .await?;
        row.map(group).transpose()
    }

    /// Groups of the domain by address, from behind `after` on, as far as `reach` goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(
        &self,
        reach: &Reach,
        domain: &DomainName,
        (after, limit): (Option<&Address>, u32),
    ) -> Result<Vec<GroupRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            groups!(
                "where g.domain_id = (select domain_id from domains where name = $1)
                   and ($2::text is null or g.address > $2) and "
            ),
            within!("g"),
            " order by g.address limit $6"
        ))
        .bind(domain.as_str())
        .bind(after.map(ToString::to_string))
        .bind(reach.everything)
        .bind(&reach.domains)
        .bind(&reach.subtree_units)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(group).collect()
    }

    /// Whoever is in the group on that day, but by no group of `shut`, and has a mailbox that may receive, by number, from behind
    /// `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_members(
        &self,
        (group, shut): (i64, &[i64]),
        day: Date,
        (after, limit): (Option<AccountId>, u32),
    ) -> Result<Vec<MemberRow>, Error> {
        let rows: Vec<(i64, i64, String, String, String)> = sqlx::query_as(chosen!(
            "select a.account_id, f.folder_id, p.address, a.display_name, a.state
               from chosen c
               join accounts a using (account_id)
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
               join folders f on f.account_id = a.account_id and f.name = 'INBOX'
              where a.state <> 'deleted' and a.account_id > $4
              order by a.account_id limit $5"
        ))
        .bind(group)
        .bind(day.to_sqlx())
        .bind(shut)
        .bind(after.map_or(0, |account| account.0))
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(member).collect()
    }

    /// Is this mailbox in the group on that day?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_group_member(&self, group: i64, day: Date, account: AccountId) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(chosen!("select exists (select from chosen where account_id = $4)"))
            .bind(group)
            .bind(day.to_sqlx())
            .bind(Vec::<i64>::new())
            .bind(account.0)
            .fetch_one(&self.pools.main)
            .await?)
    }

    /// # Errors
    /// When the database fails.
    pub async fn is_group_sender(&self, group: i64, account: AccountId) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from group_senders where group_id = $1 and account_id = $2)",
        )
        .bind(group)
        .bind(account.0)
        .fetch_one(&self.pools.main)
        .await?)
    }
}

pub(crate) fn member(
    (account, inbox, address, name, state): (i64, i64, String, String, String),
) -> Result<MemberRow, Error> {
    Ok(MemberRow {
        account: AccountId(account),
        inbox: FolderId(inbox),
        address: address.parse().map_err(|_| DAMAGED)?,
        display_name: name,
        state: state.parse().map_err(|_| DAMAGED)?,
    })
}

impl Tx {
    /// # Errors
    /// `addresses_pkey` or `groups_address_key` when the address is taken.
    pub async fn insert_group(&mut self, new: &NewGroup<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into groups (domain_id, address, name, rule, unit_id, deep, senders, made_by, made_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning group_id",
        )
        .bind(new.domain.0)
        .bind(new.address.to_string())
        .bind(new.name)
        .bind(new.rule.as_str())
        .bind(new.unit.map(|unit| unit.0))
        .bind(new.deep)
        .bind(new.senders.as_str())
        .bind(new.by)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Nobody else changes who is in groups meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_groups(&mut self, domain: DomainId) -> Result<(), Error> {
        sqlx::query("select 1 from domains where domain_id = $1 for no key update")
            .bind(domain.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Is `inner` the group itself, or in it through others?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_contains(&mut self, outer: i64, inner: i64) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "with recursive nested (group_id) as (
                 select $1::bigint
                  union
                 select m.member_group_id from group_members m join nested n on n.group_id = m.group_id
                  where m.member_group_id is not null
             ) select exists (select from nested where group_id = $2)",
        )
        .bind(outer)
        .bind(inner)
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Puts mailboxes and groups into a group; those that are in it stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_group_members(
        &mut self,
        group: i64,
        accounts: &[AccountId],
        groups: &[i64],
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into group_members (group_id, account_id, member_group_id)
             select $1, id, null from unnest($2::bigint[]) as id
              union all
             select $1, null, id from unnest($3::bigint[]) as id
             on conflict on constraint group_members_key do nothing",
        )
        .bind(group)
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(groups)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Takes them out; says how many were in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_group_members(
        &mut self,
        group: i64,
        accounts: &[AccountId],
        groups: &[i64],
    ) -> Result<u64, Error> {
        let done = sqlx::query(
            "delete from group_members
              where group_id = $1 and (account_id = any ($2) or member_group_id = any ($3))",
        )
        .bind(group)
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(groups)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected())
    }

    /// Says who may write to it in place of those who might.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_group_senders(
        &mut self,
        group: i64,
        senders: GroupSenders,
        listed: &[AccountId],
    ) -> Result<(), Error> {
        sqlx::query("update groups set senders = $2 where group_id = $1")
            .bind(group)
            .bind(senders.as_str())
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("delete from group_senders where group_id = $1")
            .bind(group)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "insert into group_senders (group_id, account_id) select distinct $1::bigint, id from unnest($2::bigint[]) as id",
        )
        .bind(group)
        .bind(listed.iter().map(|account| account.0).collect::<Vec<_>>())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
