//! Mailboxes as administrators see them: one, or a list.

use crate::{Actor, Engine, Error};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::calendar::local_date;
use model::{AccountState, Action, Address, DomainName, MailboxClass};
use store::{AccountFilter, AccountRow};

/// A mailbox as lists show it.
#[derive(Clone, Debug)]
pub struct MailboxDetail {
    pub address: Address,
    pub aliases: Vec<Alias>,
    pub display_name: String,
    pub class: MailboxClass,
    pub state: AccountState,
    pub unit: Option<String>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    pub created_at: Timestamp,
}

/// A further address of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub address: Address,
    /// The last day on which it receives, of an address from before; `None`: it stays.
    pub until: Option<Date>,
}

impl From<(Address, Option<Timestamp>)> for Alias {
    fn from((address, end): (Address, Option<Timestamp>)) -> Self {
        let last = |end: Timestamp| local_date(end - SignedDuration::from_secs(1));
        Self { address, until: end.map(last) }
    }
}

impl From<AccountRow> for MailboxDetail {
    fn from(row: AccountRow) -> Self {
        Self {
            address: row.address,
            aliases: row.aliases.into_iter().map(Alias::from).collect(),
            display_name: row.display_name,
            class: row.class,
            state: row.state,
            unit: row.unit,
            quota_bytes: row.quota_bytes,
            used_bytes: row.used_bytes,
            messages: row.messages,
            created_at: row.created_at,
        }
    }
}

impl Engine {
    /// `None`: there is no such mailbox that he may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailbox(&self, actor: &Actor, address: &Address) -> Result<Option<MailboxDetail>, Error> {
        let Some(login) = self.0.store.login(address).await? else { return Ok(None) };
        let reach = actor.reach(Action::MailboxShow);
        let filter = AccountFilter {
            reach: &reach,
            address: Some(&login.primary),
            domain: None,
            after: None,
            limit: 1,
        };
        Ok(self.0.store.accounts(filter).await?.pop().map(MailboxDetail::from))
    }

    /// Mailboxes that he may see by address, from behind `after` on, `limit` at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mailboxes(
        &self,
        actor: &Actor,
        domain: Option<&DomainName>,
        after: Option<&Address>,
        limit: u32,
    ) -> Result<Vec<MailboxDetail>, Error> {
        let reach = actor.reach(Action::MailboxList);
        let filter = AccountFilter { reach: &reach, address: None, domain, after, limit };
        let rows = self.0.store.accounts(filter).await?;
        Ok(rows.into_iter().map(MailboxDetail::from).collect())
    }
}
