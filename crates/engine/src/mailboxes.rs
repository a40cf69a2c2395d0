//! Mailboxes as administrators see them: one, or a list.

use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_date, plus_days, start_of_day};
use model::{AccountState, Action, Address, DomainName, MailboxClass, UnitId};
use store::{AccountFilter, AccountRow};

/// A mailbox as lists show it.
#[derive(Clone, Debug)]
pub struct MailboxDetail {
    pub address: Address,
    pub aliases: Vec<Alias>,
    pub display_name: String,
    pub class: MailboxClass,
    pub state: AccountState,
    /// Code of the unit it belongs to.
    pub unit: Option<String>,
    pub unit_name: Option<String>,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    pub created_at: Timestamp,
    /// `None`: never, or he who asks may not know it.
    pub last_use: Option<LastUse>,
}

/// When a mailbox was last used (giao dịch gửi, nhận), to the hour, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    pub at: Timestamp,
    pub by: Use,
}

/// What is use of a mailbox (An Giang 63/2016 Điều 8.1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It sent a message.
    Sent,
    /// New mail was retrieved.
    Retrieved,
}

impl Use {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retrieved => "retrieved",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Sent => "gửi thư",
            Self::Retrieved => "nhận thư mới",
        }
    }
}

/// Which mailboxes to list; what is `None` does not narrow.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailboxQuery<'a> {
    pub domain: Option<&'a DomainName>,
    /// Code of a unit of that domain: its mailboxes and those of the units below it.
    pub unit: Option<&'a str>,
    /// Whole days in Việt Nam: last used on a day before these, or never used and made before.
    pub unused_days: Option<u16>,
    /// Behind this address.
    pub after: Option<&'a Address>,
    pub limit: u32,
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
        let sent = row.sent_at.map(|at| LastUse { at, by: Use::Sent });
        let retrieved = row.retrieved_at.map(|at| LastUse { at, by: Use::Retrieved });
        let (unit, unit_name) = row.unit.unzip();
        Self {
            address: row.address,
            aliases: row.aliases.into_iter().map(Alias::from).collect(),
            display_name: row.display_name,
            class: row.class,
            state: row.state,
            unit,
            unit_name,
            quota_bytes: row.quota_bytes,
            used_bytes: row.used_bytes,
            messages: row.messages,
            created_at: row.created_at,
            last_use: sent.into_iter().chain(retrieved).max_by_key(|last| last.at),
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
            units: None,
            unused_since: None,
            after: None,
            limit: 1,
        };
        let Some(row) = self.0.store.accounts(filter).await?.pop() else { return Ok(None) };
        let mut detail = MailboxDetail::from(row);
        if !self.may(actor, Action::ActivityShow, &AdminTarget::Mailbox(login.account)).await? {
            detail.last_use = None;
        }
        Ok(Some(detail))
    }

    /// Mailboxes that he may see by address, a page of them.
    ///
    /// # Errors
    /// `NoSuchDomain`, `NoSuchUnit`, where a unit is asked for.
    pub async fn mailboxes(
        &self,
        actor: &Actor,
        query: MailboxQuery<'_>,
    ) -> Result<Vec<MailboxDetail>, AdminError> {
        let units = match (query.domain, query.unit) {
            (_, None) => None,
            (None, Some(code)) => return Err(AdminError::NoSuchUnit(code.to_owned())),
            (Some(domain), Some(code)) => Some(self.units_from(actor, domain, code).await?),
        };
        let since = |days: u16| start_of_day(plus_days(self.today(), -i32::from(days)));
        let filter = AccountFilter {
            reach: &actor.reach(Action::MailboxList),
            address: None,
            domain: query.domain,
            units: units.as_deref(),
            unused_since: query.unused_days.map(since),
            after: query.after,
            limit: query.limit,
        };
        let rows = self.0.store.accounts(filter).await?;
        Ok(rows.into_iter().map(MailboxDetail::from).collect())
    }

    /// The unit, which he may see, and all below it.
    async fn units_from(
        &self,
        actor: &Actor,
        domain: &DomainName,
        code: &str,
    ) -> Result<Vec<UnitId>, AdminError> {
        self.authorize(actor, Action::MailboxList, &AdminTarget::UnitCode(domain, code)).await?;
        let id = self.domain_id(domain).await?;
        let unit = self.0.store.unit(id, code).await?;
        let unit = unit.ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))?;
        Ok(self.0.store.units_below(id, unit).await?)
    }
}
