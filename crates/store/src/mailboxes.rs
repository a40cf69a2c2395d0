//! Mailboxes as administrators list them.
//!
//! Invariant: a page is read along the addresses, from behind the last one of the page before; what is out of reach is not in it.

use crate::{Error, Reach, Store};
use jiff::Timestamp;
use jiff_sqlx::{Timestamp as SqlTimestamp, ToSqlx};
use model::{AccountId, AccountState, Address, DomainId, DomainName, MailboxClass, UnitId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

/// A mailbox as an administrator sees it.
#[derive(Clone, Debug)]
pub struct AccountRow {
    pub account: AccountId,
    pub address: Address,
    /// Each with the moment from which it receives no more; `None`: it stays.
    pub aliases: Vec<(Address, Option<Timestamp>)>,
    pub display_name: String,
    pub class: MailboxClass,
    pub state: AccountState,
    /// Its code and its name.
    pub unit: Option<(String, String)>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    pub created_at: Timestamp,
    /// To the hour, as [`Store::note_sent`] and [`Store::note_retrieved`] note it.
    pub sent_at: Option<Timestamp>,
    pub retrieved_at: Option<Timestamp>,
}

/// Which mailboxes to list.
#[derive(Clone, Copy, Debug)]
pub struct AccountFilter<'a> {
    /// What is outside is not there.
    pub reach: &'a Reach,
    pub address: Option<&'a Address>,
    pub domain: Option<&'a DomainName>,
    /// Of one of these.
    pub units: Option<&'a [UnitId]>,
    /// Last used before then, or never and made before then.
    pub unused_since: Option<Timestamp>,
    pub after: Option<&'a Address>,
    /// Rows at most.
    pub limit: u32,
}

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

/// Along `addresses_pkey`, so that all pages together read each mailbox once; by `accounts_unit` where the units have few of them.
pub(crate) const LIST: &str = "
    select a.account_id, g.address,
           array(select o.address from addresses o
                  where o.account_id = a.account_id and o.kind = 'alias' order by o.address) as aliases,
           array(select o.until from addresses o
                  where o.account_id = a.account_id and o.kind = 'alias' order by o.address) as untils,
           a.display_name, a.class, a.state, u.code, u.name, a.quota_bytes,
           coalesce(c.used_bytes, 0) as used_bytes, coalesce(c.messages, 0) as messages, a.created_at, v.sent_at, v.retrieved_at
      from addresses g
      join accounts a using (account_id)
      left join counters c using (account_id)
      left join activity v using (account_id)
      left join units u using (unit_id)
     where g.kind = 'primary' and a.state <> 'deleted'
       and ($1::text is null or g.address = $1)
       and ($2::text is null or a.domain_id = (select domain_id from domains where name = $2))
       and ($3::text is null or g.address > $3)
       and ($5 or a.domain_id = any ($6) or a.account_id = any ($9)
            or a.unit_id in (select units_below($7, $8)))
       and ($10::bigint[] is null or a.unit_id = any ($10))
       and ($11::timestamptz is null or coalesce(greatest(v.sent_at, v.retrieved_at), a.created_at) < $11)
     order by g.address limit $4";

fn account_row(row: &PgRow) -> Result<AccountRow, Error> {
    let at =
        |column| Ok::<_, Error>(row.try_get::<Option<SqlTimestamp>, _>(column)?.map(SqlTimestamp::to_jiff));
    let number = |column| Ok::<_, Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
    let aliases: Vec<String> = row.try_get("aliases")?;
    let untils: Vec<Option<SqlTimestamp>> = row.try_get("untils")?;
    let ends = untils.into_iter().map(|until| until.map(SqlTimestamp::to_jiff));
    let unit: Option<String> = row.try_get("code")?;
    Ok(AccountRow {
        account: AccountId(row.try_get("account_id")?),
        address: row.try_get::<&str, _>("address")?.parse().map_err(|_| DAMAGED)?,
        aliases: aliases
            .iter()
            .zip(ends)
            .filter_map(|(alias, end)| Some((alias.parse().ok()?, end)))
            .collect(),
        display_name: row.try_get("display_name")?,
        class: row.try_get::<&str, _>("class")?.parse().map_err(|_| DAMAGED)?,
        state: row.try_get::<&str, _>("state")?.parse().map_err(|_| DAMAGED)?,
        unit: unit.zip(row.try_get::<Option<String>, _>("name")?),
        quota_bytes: number("quota_bytes")?,
        used_bytes: number("used_bytes")?,
        messages: number("messages")?,
        created_at: row.try_get::<SqlTimestamp, _>("created_at")?.to_jiff(),
        sent_at: at("sent_at")?,
        retrieved_at: at("retrieved_at")?,
    })
}

impl Store {
    /// Mailboxes that exist, by primary address, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, filter: AccountFilter<'_>) -> Result<Vec<AccountRow>, Error> {
        let units = filter.units.map(|units| units.iter().map(|unit| unit.0).collect::<Vec<_>>());
        let rows = sqlx::query(LIST)
            // Planned for what is asked: one plan for all would be that of no question.
            .persistent(false)
            .bind(filter.address.map(ToString::to_string))
            .bind(filter.domain.map(DomainName::as_str))
            .bind(filter.after.map(ToString::to_string))
            .bind(i64::from(filter.limit))
            .bind(filter.reach.everything)
            .bind(&filter.reach.domains)
            .bind(&filter.reach.subtree_domains)
            .bind(&filter.reach.subtree_units)
            .bind(&filter.reach.mailboxes)
            .bind(units)
            .bind(filter.unused_since.map(ToSqlx::to_sqlx))
            .fetch_all(&self.pools.main)
            .await?;
        rows.iter().map(account_row).collect()
    }

    /// The unit and all below it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_below(&self, domain: DomainId, unit: UnitId) -> Result<Vec<UnitId>, Error> {
        let units: Vec<i64> = sqlx::query_scalar("select units_below(array[$1::bigint], array[$2::bigint])")
            .bind(domain.0)
            .bind(unit.0)
            .fetch_all(&self.pools.main)
            .await?;
        Ok(units.into_iter().map(UnitId).collect())
    }
}
