//! Rules for mail that comes in (bộ lọc thư, Sieve: RFC 5228), as deliveries read them.
//!
//! Invariants: whatever changes what is followed moves the one version on in its own transaction, whose row it keeps until it commits, so
//! whoever has read a version has read all that was committed under it; a version of a script never changes, so that it may be kept in
//! memory; that a mailbox moved to another unit or domain is seen with the next message, as each asks anew.

use crate::{Error, Store};
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, ScriptId, UnitId};

const DAMAGED: Error = Error::Damaged("an address of a mailbox is impossible");

/// What belongs to the mailboxes that have anything to be followed. $1: them. $2: today, for leaves.
pub(crate) const CHAINS: &str = "with who as materialized (
     select account_id, domain_id, unit_id from accounts where account_id = any ($1)
 ), paths as materialized (
     select unit_id, unit_path(unit_id) as path from (select distinct unit_id from who where unit_id is not null) u
 )
 select w.account_id, w.domain_id, coalesce(p.path, '{}'), coalesce(s.scripts, '{}'), coalesce(s.versions, '{}'),
        coalesce(s.units, '{}'), coalesce(s.own, '{}'),
        array(select g.address from addresses g where g.account_id = w.account_id and g.kind <> 'retired'
               order by g.kind = 'primary' desc, g.address),
        l.answer_subject, l.answer, l.from_day, l.to_day
   from who w
   left join paths p using (unit_id)
   left join lateral (
       select array_agg(script_id order by nth) as scripts, array_agg(version order by nth) as versions,
              array_agg(unit_id order by nth) as units, array_agg(is_own order by nth) as own
         from (select script_id, version, null::bigint as unit_id, false as is_own, 0 as nth
                 from sieve_scripts where domain_id = w.domain_id and is_active
               union all
               select script_id, version, unit_id, false, array_position(p.path, unit_id)
                 from sieve_scripts where unit_id = any (p.path) and is_active
               union all
               select script_id, version, null, true, 1000
                 from sieve_scripts where account_id = w.account_id and is_active) c
   ) s on true
   left join lateral (
       select answer_subject, answer, from_day, to_day from leaves
        where account_id = w.account_id and answer is not null and withdrawn_at is null and from_day <= $2 and to_day >= $2
        order by from_day, leave_id limit 1
   ) l on true
  order by w.account_id";
/// $1: today.
pub(crate) const FOLLOWED: &str =
    "select 1 as kind, account_id, null::bigint as domain_id, null::date as from_day, null::date as to_day
   from sieve_scripts where account_id is not null and is_active
 union all
 select 2, s.unit_id, u.domain_id, null, null
   from sieve_scripts s join units u using (unit_id) where s.unit_id is not null and s.is_active
 union all
 select 3, domain_id, domain_id, null, null from sieve_scripts where domain_id is not null and is_active
 union all
 select 4, account_id, null, from_day, to_day
   from leaves where answer is not null and withdrawn_at is null and to_day >= $1";
/// $1: the scripts. $2: of each, which version.
pub(crate) const SOURCES: &str = "select s.script_id, v.version, s.name, v.source
   from unnest($1::bigint[], $2::integer[]) as w (script_id, version)
   join sieve_versions v using (script_id, version)
   join sieve_scripts s using (script_id)";
/// $1: name. $2, $3, $4: the mailbox, the unit or the domain whose it is.
pub(crate) const NAMED: &str = "select s.script_id, s.version, s.name, v.source
   from (select script_id, version, name from sieve_scripts where account_id = $2 and name = $1
         union all
         select script_id, version, name from sieve_scripts where unit_id = $3 and name = $1
         union all
         select script_id, version, name from sieve_scripts where domain_id = $4 and name = $1) s
   join sieve_versions v using (script_id, version)";
/// Whose a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScriptOwner {
    Mailbox(AccountId),
    /// For all mailboxes of the unit and of those below it.
    Unit(UnitId),
    Domain(DomainId),
}

impl ScriptOwner {
    /// As the three columns have it.
    pub(crate) fn columns(self) -> (Option<i64>, Option<i64>, Option<i64>) {
        match self {
            Self::Mailbox(account) => (Some(account.0), None, None),
            Self::Unit(unit) => (None, Some(unit.0), None),
            Self::Domain(domain) => (None, None, Some(domain.0)),
        }
    }
}

/// What is followed at all: few rows, for memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SieveFollowed {
    /// Mailboxes with an active script of their own.
    pub accounts: Vec<AccountId>,
    /// Units with an active script, and the domain of each.
    pub units: Vec<(UnitId, DomainId)>,
    pub domains: Vec<DomainId>,
    /// Mailboxes that answer on days of leave, today or later: the first and the last of them.
    pub answers: Vec<(AccountId, Date, Date)>,
}

/// A script that is followed, of which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SieveScriptAt {
    pub script: ScriptId,
    pub version: u32,
    pub owner: ScriptOwner,
}

/// What a notice of leave answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveAnswer {
    /// None: as is usual.
    pub subject: Option<String>,
    pub text: String,
    pub from_day: Date,
    /// The last day of it.
    pub to_day: Date,
}

/// What is followed for a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveChain {
    pub account: AccountId,
    pub domain: DomainId,
    /// From the top of the tree to the mailbox's own; empty: it belongs to none.
    pub units: Vec<UnitId>,
    /// In the order in which they are followed: the domain's, those of the units from the top on, its own.
    pub scripts: Vec<SieveScriptAt>,
    /// The primary one first, then the aliases.
    pub addresses: Vec<Address>,
    /// That of the leave it is on; it comes before the mailbox's own script.
    pub answer: Option<SieveAnswer>,
}

/// The text of one version of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveSource {
    pub script: ScriptId,
    pub version: u32,
    /// As it is called now.
    pub name: String,
    pub source: String,
}

impl Store {
    /// A number that is higher after each change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sieve_version(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select version from sieve_version").fetch_one(&self.pools.main).await?)
    }

    /// # Errors
    /// When the database fails.
    pub async fn sieve_followed(&self, today: Date) -> Result<SieveFollowed, Error> {
        type Row = (i32, i64, Option<i64>, Option<jiff_sqlx::Date>, Option<jiff_sqlx::Date>);
        let rows: Vec<Row> =
            sqlx::query_as(FOLLOWED).bind(today.to_sqlx()).fetch_all(&self.pools.main).await?;
        let mut followed = SieveFollowed::default();
        for row in rows {
            match row {
                (1, account, ..) => followed.accounts.push(AccountId(account)),
                (2, unit, Some(domain), ..) => followed.units.push((UnitId(unit), DomainId(domain))),
                (3, domain, ..) => followed.domains.push(DomainId(domain)),
                (_, account, _, Some(from), Some(to)) => {
                    followed.answers.push((AccountId(account), from.to_jiff(), to.to_jiff()));
                }
                _ => {}
            }
        }
        Ok(followed)
    }

    /// What is followed for each of these mailboxes, by number; also of those for which nothing is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sieve_chains(&self, accounts: &[AccountId], today: Date) -> Result<Vec<SieveChain>, Error> {
        let rows: Vec<ChainRow> = sqlx::query_as(CHAINS)
            .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
            .bind(today.to_sqlx())
            .fetch_all(&self.pools.main)
            .await?;
        rows.into_iter().map(chain).collect()
    }

    /// The texts of these versions; those that are gone are missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sieve_sources(&self, versions: &[(ScriptId, u32)]) -> Result<Vec<SieveSource>, Error> {
        let rows: Vec<SourceRow> = sqlx::query_as(SOURCES)
            .bind(versions.iter().map(|(script, _)| script.0).collect::<Vec<_>>())
            .bind(versions.iter().map(|(_, version)| column(*version)).collect::<Vec<_>>())
            .fetch_all(&self.pools.main)
            .await?;
        Ok(rows.into_iter().map(source).collect())
    }

    /// An owner's script of that name, active or not, as it is now: what `include` asks for (RFC 6609).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sieve_named(&self, owner: ScriptOwner, name: &str) -> Result<Option<SieveSource>, Error> {
        let (account, unit, domain) = owner.columns();
        let row: Option<SourceRow> = sqlx::query_as(NAMED)
            .bind(name)
            .bind(account)
            .bind(unit)
            .bind(domain)
            .fetch_optional(&self.pools.main)
            .await?;
        Ok(row.map(source))
    }
}

type SourceRow = (i64, i32, String, String);

fn source((script, version, name, source): SourceRow) -> SieveSource {
    SieveSource { script: ScriptId(script), version: version.unsigned_abs(), name, source }
}

/// As integers of the database are.
pub(crate) fn column(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

type ChainRow = (
    i64,
    i64,
    Vec<i64>,
    Vec<i64>,
    Vec<i32>,
    Vec<Option<i64>>,
    Vec<bool>,
    Vec<String>,
    Option<String>,
    Option<String>,
    Option<jiff_sqlx::Date>,
    Option<jiff_sqlx::Date>,
);

fn chain(
    (account, domain, path, scripts, versions, units, own, addresses, subject, text, from, to): ChainRow,
) -> Result<SieveChain, Error> {
    let (account, domain) = (AccountId(account), DomainId(domain));
    let scripts =
        scripts.into_iter().zip(versions).zip(units).zip(own).map(|(((script, version), unit), own)| {
            let owner = match unit {
                Some(unit) => ScriptOwner::Unit(UnitId(unit)),
                None if own => ScriptOwner::Mailbox(account),
                None => ScriptOwner::Domain(domain),
            };
            SieveScriptAt { script: ScriptId(script), version: version.unsigned_abs(), owner }
        });
    let answer = text.zip(from.zip(to)).map(|(text, (from, to))| SieveAnswer {
        subject,
        text,
        from_day: from.to_jiff(),
        to_day: to.to_jiff(),
    });
    Ok(SieveChain {
        account,
        domain,
        units: path.into_iter().map(UnitId).collect(),
        scripts: scripts.collect(),
        addresses: addresses
            .iter()
            .map(|address| address.parse().map_err(|_| DAMAGED))
            .collect::<Result<_, _>>()?,
        answer,
    })
}
