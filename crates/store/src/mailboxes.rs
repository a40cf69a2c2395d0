//! Mailboxes as administrators list them.
//!
//! Invariant: a page is read along the addresses, from behind the last one of the page before; what is out of reach is not in it.

use crate::{Error, Reach, Store};
use jiff::Timestamp;
use model::{AccountId, AccountState, Address, DomainName, MailboxClass};

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
    pub unit: Option<String>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    pub created_at: Timestamp,
}

/// Which mailboxes to list.
#[derive(Clone, Copy, Debug)]
pub struct AccountFilter<'a> {
    /// What is outside is not there.
    pub reach: &'a Reach,
    pub address: Option<&'a Address>,
    pub domain: Option<&'a DomainName>,
    pub after: Option<&'a Address>,
    /// Rows at most.
    pub limit: u32,
}

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

/// A row of [`Store::accounts`].
type Listed = (
    i64,
    String,
    Vec<String>,
    Vec<Option<jiff_sqlx::Timestamp>>,
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    jiff_sqlx::Timestamp,
);

fn account_row(row: Listed) -> Result<AccountRow, Error> {
    let (id, address, aliases, untils, display_name, class, state, unit, quota, used, messages, created) =
        row;
    let ends = untils.into_iter().map(|until| until.map(jiff_sqlx::Timestamp::to_jiff));
    Ok(AccountRow {
        account: AccountId(id),
        address: address.parse().map_err(|_| DAMAGED)?,
        aliases: aliases
            .iter()
            .zip(ends)
            .filter_map(|(alias, end)| Some((alias.parse().ok()?, end)))
            .collect(),
        display_name,
        class: class.parse().map_err(|_| DAMAGED)?,
        state: state.parse().map_err(|_| DAMAGED)?,
        unit,
        quota_bytes: quota.unsigned_abs(),
        used_bytes: used.unsigned_abs(),
        messages: messages.unsigned_abs(),
        created_at: created.to_jiff(),
    })
}

impl Store {
    /// Mailboxes that exist, by primary address, from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, filter: AccountFilter<'_>) -> Result<Vec<AccountRow>, Error> {
        let rows: Vec<Listed> = sqlx::query_as(
            "select a.account_id, g.address,
                    array(select o.address from addresses o
                           where o.account_id = a.account_id and o.kind = 'alias' order by o.address),
                    array(select o.until from addresses o
                           where o.account_id = a.account_id and o.kind = 'alias' order by o.address),
                    a.display_name, a.class, a.state, u.code, a.quota_bytes,
                    coalesce(c.used_bytes, 0), coalesce(c.messages, 0), a.created_at
               from addresses g
               join accounts a using (account_id)
               left join counters c using (account_id)
               left join units u using (unit_id)
              where g.kind = 'primary' and a.state <> 'deleted'
                and ($1::text is null or g.address = $1)
                and ($2::text is null or a.domain_id = (select domain_id from domains where name = $2))
                and ($3::text is null or g.address > $3)
                and ($5 or a.domain_id = any ($6) or a.account_id = any ($9)
                     or a.unit_id in (select units_below($7, $8)))
              order by g.address limit $4",
        )
        .bind(filter.address.map(ToString::to_string))
        .bind(filter.domain.map(DomainName::as_str))
        .bind(filter.after.map(ToString::to_string))
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .bind(&filter.reach.mailboxes)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(account_row).collect()
    }
}
