//! Mailboxes as those whom an administrative act is about.

use crate::{Error, Store};
use model::{AccountId, AccountState, Address, DomainId, MailboxClass, UnitId};

/// A mailbox that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyRow {
    pub account: AccountId,
    /// The primary address.
    pub address: Address,
    pub display_name: String,
    pub class: MailboxClass,
    pub state: AccountState,
    pub domain: DomainId,
    pub unit: Option<UnitId>,
    pub security_epoch: i64,
}

type Row = (i64, String, String, String, String, i64, Option<i64>, i64);

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

fn party(
    (account, address, display_name, class, state, domain, unit, epoch): Row,
) -> Result<PartyRow, Error> {
    Ok(PartyRow {
        account: AccountId(account),
        address: address.parse().map_err(|_| DAMAGED)?,
        display_name,
        class: class.parse().map_err(|_| DAMAGED)?,
        state: state.parse().map_err(|_| DAMAGED)?,
        domain: DomainId(domain),
        unit: unit.map(UnitId),
        security_epoch: epoch,
    })
}

impl Store {
    /// The mailbox that has this address, as its own or as an alias.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn party(&self, address: &Address) -> Result<Option<PartyRow>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "select a.account_id, p.address, a.display_name, a.class, a.state, a.domain_id, a.unit_id, a.security_epoch
               from addresses g
               join accounts a using (account_id)
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
              where g.address = $1 and g.kind <> 'retired' and a.state <> 'deleted'",
        )
        .bind(address.to_string())
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(party).transpose()
    }

    /// The mailboxes of these numbers that exist, by number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parties(&self, accounts: &[AccountId]) -> Result<Vec<PartyRow>, Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        let rows: Vec<Row> = sqlx::query_as(
            "select a.account_id, p.address, a.display_name, a.class, a.state, a.domain_id, a.unit_id, a.security_epoch
               from accounts a
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
              where a.account_id = any ($1) and a.state <> 'deleted' order by a.account_id",
        )
        .bind(ids)
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter().map(party).collect()
    }
}
