//! Automatic forwarding (chuyển thư tự động): few rows, which every node keeps in memory.
//!
//! Invariant: whatever changes what holds, also a stage of a mailbox, moves the one version on in its own transaction, whose
//! row it keeps until it commits. So whoever has read a version has read all that was committed under it.

use crate::{Error, Reach, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, AccountState, Address, DomainId, DomainName, FolderId};

/// Where mail of a mailbox goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRow {
    pub account: AccountId,
    /// The account's domain, whose policy says where mail may go.
    pub domain: DomainId,
    pub to: ForwardTo,
    pub keep_copy: bool,
}

/// To whom mail is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    Mailbox {
        target: AccountId,
        /// Its INBOX.
        inbox: FolderId,
        /// Its domain, whose policy says whether a locked mailbox receives.
        domain: DomainId,
        is_locked: bool,
    },
    /// An address of another system.
    Outside(Address),
}

/// A forwarding as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardDetail {
    pub mailbox: Address,
    pub target: Address,
    pub keep_copy: bool,
    pub set_by: String,
    pub set_at: Timestamp,
}

/// Which forwardings to list.
#[derive(Clone, Copy, Debug)]
pub struct ForwardFilter<'a> {
    /// What is outside is not there.
    pub reach: &'a Reach,
    pub domain: Option<&'a DomainName>,
    /// That of this mailbox alone.
    pub account: Option<AccountId>,
    /// Those to this mailbox alone.
    pub target: Option<AccountId>,
    /// Those to addresses of other systems alone.
    pub outside: bool,
    pub after: Option<&'a Address>,
    /// Rows at most.
    pub limit: u32,
}

/// A forwarding as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardListed {
    pub forward: ForwardDetail,
    /// The mailbox's domain, whose policy says where mail may go.
    pub domain: DomainId,
    /// The domain and stage of the mailbox that it goes to; `None`: an address of another system.
    pub to: Option<(DomainId, AccountState)>,
}

impl Store {
    /// By address of the mailbox, from behind `after` on. Forwardings are few: all within the reach are sorted for a page.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards_listed(&self, filter: ForwardFilter<'_>) -> Result<Vec<ForwardListed>, Error> {
        type Row = (String, String, bool, String, jiff_sqlx::Timestamp, i64, Option<i64>, Option<String>);
        let rows: Vec<Row> = sqlx::query_as(
            "select g.address, coalesce(w.outside, t.address), w.keep_copy, w.set_by, w.set_at, a.domain_id, o.domain_id, o.state
               from forwards w
               join accounts a on a.account_id = w.account_id and a.state <> 'deleted'
               join addresses g on g.account_id = w.account_id and g.kind = 'primary'
               left join accounts o on o.account_id = w.target_id
               left join lateral (select x.address from addresses x where x.account_id = w.target_id and x.kind in ('primary', 'retired')
                                   order by x.kind = 'primary' desc, x.retired_at desc nulls last, x.created_at limit 1) t on true
              where (w.outside is not null or t.address is not null and not $3)
                and ($1::text is null or g.address > $1)
                and ($2::text is null or a.domain_id = (select domain_id from domains where name = $2))
                and ($5 or a.domain_id = any ($6) or a.account_id = any ($9)
                     or a.unit_id in (select units_below($7, $8)))
                and ($10::bigint is null or w.account_id = $10)
                and ($11::bigint is null or w.target_id = $11)
              order by g.address limit $4",
        )
        .bind(filter.after.map(ToString::to_string))
        .bind(filter.domain.map(DomainName::as_str))
        .bind(filter.outside)
        .bind(i64::from(filter.limit))
        .bind(filter.reach.everything)
        .bind(&filter.reach.domains)
        .bind(&filter.reach.subtree_domains)
        .bind(&filter.reach.subtree_units)
        .bind(&filter.reach.mailboxes)
        .bind(filter.account.map(|account| account.0))
        .bind(filter.target.map(|account| account.0))
        .fetch_all(&self.pools.main)
        .await?;
        let unknown = |_| Error::Damaged("an account row has a value this version does not know");
        rows.into_iter()
            .map(|(mailbox, target, keep_copy, set_by, set_at, domain, to, state)| {
                let state = state.map(|state| state.parse().map_err(unknown)).transpose()?;
                let forward = ForwardDetail {
                    mailbox: mailbox.parse().map_err(damaged)?,
                    target: target.parse().map_err(damaged)?,
                    keep_copy,
                    set_by,
                    set_at: set_at.to_jiff(),
                };
                Ok(ForwardListed { forward, domain: DomainId(domain), to: to.map(DomainId).zip(state) })
            })
            .collect()
    }

    /// A number that is higher after each change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards_version(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select version from forward_version").fetch_one(&self.pools.main).await?)
    }

    /// All that hold, to mailboxes that receive, or may, when they are locked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards(&self) -> Result<Vec<ForwardRow>, Error> {
        type Row = (i64, i64, bool, Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<bool>);
        let rows: Vec<Row> = sqlx::query_as(
            "select w.account_id, o.domain_id, w.keep_copy, w.outside, t.account_id, f.folder_id, t.domain_id, t.state = 'locked'
               from forwards w
               join accounts o on o.account_id = w.account_id
               left join accounts t on t.account_id = w.target_id and t.state in ('new', 'active', 'locked')
               left join folders f on f.account_id = t.account_id and f.name = 'INBOX'
              where f.folder_id is not null or w.outside is not null",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let mut forwards = Vec::with_capacity(rows.len());
        for (account, own, keep_copy, outside, target, inbox, domain, locked) in rows {
            let to = match (outside, target.zip(inbox).zip(domain)) {
                (Some(outside), _) => ForwardTo::Outside(outside.parse().map_err(damaged)?),
                (None, Some(((target, inbox), domain))) => ForwardTo::Mailbox {
                    target: AccountId(target),
                    inbox: FolderId(inbox),
                    domain: DomainId(domain),
                    is_locked: locked.unwrap_or(false),
                },
                (None, None) => continue,
            };
            forwards.push(ForwardRow { account: AccountId(account), domain: DomainId(own), to, keep_copy });
        }
        Ok(forwards)
    }

    /// That of a mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forward(&self, account: AccountId) -> Result<Option<ForwardDetail>, Error> {
        let row: Option<(String, String, bool, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select a.address, coalesce(w.outside, t.address), w.keep_copy, w.set_by, w.set_at
               from forwards w
               join addresses a on a.account_id = w.account_id and a.kind = 'primary'
               left join addresses t on t.account_id = w.target_id and t.kind = 'primary'
              where w.account_id = $1 and (t.address is not null or w.outside is not null)",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(|(mailbox, target, keep_copy, set_by, set_at)| {
            Ok(ForwardDetail {
                mailbox: mailbox.parse().map_err(damaged)?,
                target: target.parse().map_err(damaged)?,
                keep_copy,
                set_by,
                set_at: set_at.to_jiff(),
            })
        })
        .transpose()
    }
}

fn damaged(_: model::AddressError) -> Error {
    Error::Damaged("a forwarding has an impossible address")
}

impl Tx {
    /// The stage of a mailbox that mail is to go on to; nobody changes it until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_state(&mut self, account: AccountId) -> Result<Option<AccountState>, Error> {
        let state: Option<String> =
            sqlx::query_scalar("select state from accounts where account_id = $1 for share")
                .bind(account.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        let damaged = |_| Error::Damaged("an account row has a value this version does not know");
        state.map(|state| state.parse().map_err(damaged)).transpose()
    }

    /// Sets it in place of what there was, under the mailbox's lock; says to which address mail went before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_forward(
        &mut self,
        account: AccountId,
        (target, keep_copy): (Result<AccountId, &Address>, bool),
        (by, now): (&str, Timestamp),
    ) -> Result<Option<String>, Error> {
        let went: Option<String> = sqlx::query_scalar(
            "with there as (
                 select coalesce(w.outside, t.address) as went
                   from forwards w
                   left join lateral (select x.address from addresses x where x.account_id = w.target_id and x.kind in ('primary', 'retired')
                                       order by x.kind = 'primary' desc, x.retired_at desc nulls last, x.created_at limit 1) t on true
                  where w.account_id = $1
             )
             insert into forwards (account_id, target_id, keep_copy, set_by, set_at, outside) values ($1, $2, $3, $4, $5, $6)
             on conflict on constraint forwards_pkey do update
                set target_id = excluded.target_id, outside = excluded.outside, keep_copy = excluded.keep_copy, set_by = excluded.set_by,
                    set_at = excluded.set_at
             returning (select went from there)",
        )
        .bind(account.0)
        .bind(target.ok().map(|target| target.0))
        .bind(keep_copy)
        .bind(by)
        .bind(now.to_sqlx())
        .bind(target.err().map(ToString::to_string))
        .fetch_one(&mut *self.inner)
        .await?;
        self.forwards_changed().await?;
        Ok(went)
    }

    /// Ends that of a mailbox, whose lock is held; says to which address mail went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_forward(
        &mut self,
        account: AccountId,
        (by, now): (&str, Timestamp),
    ) -> Result<Option<String>, Error> {
        self.end_forward_of(account, None, (by, now)).await
    }

    /// Ends that of a mailbox if it goes to one of `people` or was set by one of them; says to which address mail went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_forward_by(
        &mut self,
        account: AccountId,
        people: &[AccountId],
        (by, now): (&str, Timestamp),
    ) -> Result<Option<String>, Error> {
        self.end_forward_of(account, Some(people), (by, now)).await
    }

    async fn end_forward_of(
        &mut self,
        account: AccountId,
        people: Option<&[AccountId]>,
        (by, now): (&str, Timestamp),
    ) -> Result<Option<String>, Error> {
        let people: Option<Vec<i64>> = people.map(|people| people.iter().map(|person| person.0).collect());
        let ended: Option<String> = sqlx::query_scalar(
            "with there as (
                 select w.account_id,
                        coalesce(w.outside, (select g.address from addresses g
                                              where g.account_id = w.target_id and g.kind = 'primary'), '') as went
                   from forwards w
                  where w.account_id = $1 and (w.target_id is not null or w.outside is not null)
                    and ($2::bigint[] is null or w.target_id = any ($2)
                         or exists (select from addresses g where g.address = w.set_by and g.account_id = any ($2)))
             )
             update forwards w set target_id = null, outside = null, set_by = $3, set_at = $4
               from there where w.account_id = there.account_id
             returning there.went",
        )
        .bind(account.0)
        .bind(people)
        .bind(by)
        .bind(now.to_sqlx())
        .fetch_optional(&mut *self.inner)
        .await?;
        if ended.is_some() {
            self.forwards_changed().await?;
        }
        Ok(ended)
    }

    /// To be called behind a change of these mailboxes' stages: is mail forwarded to one of them, it may go elsewhere now.
    pub(crate) async fn forwards_touched(&mut self, accounts: &[i64]) -> Result<(), Error> {
        // By the index of targets. Whoever is making one holds the target's row, which was changed before this.
        sqlx::query(
            "update forward_version set version = version + 1
              where exists (select from forwards where target_id = any ($1))",
        )
        .bind(accounts)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Last in its transaction, but for the audit trail: it is held until the commit.
    pub(crate) async fn forwards_changed(&mut self) -> Result<(), Error> {
        sqlx::query("update forward_version set version = version + 1").execute(&mut *self.inner).await?;
        Ok(())
    }
}
