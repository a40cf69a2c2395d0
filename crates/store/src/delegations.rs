//! Who may use whose mailbox (ủy quyền), and the looks at both that every such use begins with.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, Rights};

/// A delegation that holds: of a mailbox in use, to somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRow {
    pub delegation: i64,
    pub mailbox: AccountId,
    pub domain: DomainId,
    /// The mailbox's primary address.
    pub address: Address,
    pub mailbox_epoch: i64,
    pub delegate_epoch: i64,
    pub rights: Rights,
}

/// A delegation as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationRow {
    pub mailbox: Address,
    pub delegate: Address,
    pub delegate_name: String,
    pub rights: Rights,
    pub document: String,
    pub consent: Option<String>,
    pub given_by: String,
    pub given_at: Timestamp,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    pub revoked: Option<(Timestamp, String)>,
}

/// What a delegate has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentRow {
    pub rights: Rights,
    pub document: String,
    pub consent: Option<String>,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

impl PresentRow {
    /// Is it in its term?
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.since <= now && self.until.is_none_or(|until| until > now)
    }
}

/// A delegation that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewDelegation<'a> {
    pub mailbox: AccountId,
    pub delegate: AccountId,
    pub rights: Rights,
    pub document: &'a str,
    pub consent: Option<&'a str>,
    pub given_by: &'a str,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

/// Which delegations to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct DelegationFilter<'a> {
    pub mailbox: Option<AccountId>,
    pub delegate: Option<AccountId>,
    pub domain: Option<&'a model::DomainName>,
    /// Those that were revoked, too.
    pub ended: bool,
    /// From behind this mailbox and delegate on.
    pub after: Option<(&'a Address, &'a Address)>,
    pub limit: u32,
}

const DAMAGED: Error = Error::Damaged("a delegation has a value this version does not know");

fn rights(bits: i16) -> Rights {
    Rights::from_bits(u8::try_from(bits).unwrap_or(0))
}

type Held = (i64, i64, i64, String, i64, i64, i16);

/// Of whom a delegation holds now (`$2`), and whose sessions may use it.
macro_rules! held {
    ($and:literal) => {
        concat!(
            "select d.delegation_id, d.mailbox_id, m.domain_id, p.address, m.security_epoch, g.security_epoch, d.rights
               from delegations d
               join accounts m on m.account_id = d.mailbox_id and m.state in ('new', 'active')
               join accounts g on g.account_id = d.delegate_id and g.state in ('new', 'active')
               join addresses p on p.account_id = d.mailbox_id and p.kind = 'primary'
              where d.delegate_id = $1 and d.revoked_at is null and d.since <= $2
                and (d.until is null or d.until > $2) ",
            $and
        )
    };
}

fn held(
    (delegation, mailbox, domain, address, mailbox_epoch, delegate_epoch, bits): Held,
) -> Result<HeldRow, Error> {
    Ok(HeldRow {
        delegation,
        mailbox: AccountId(mailbox),
        domain: DomainId(domain),
        address: address.parse().map_err(|_| DAMAGED)?,
        mailbox_epoch,
        delegate_epoch,
        rights: rights(bits),
    })
}

impl Store {
    /// The delegation of the mailbox with this address (an alias, too) to `delegate`, if it holds at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_delegation(
        &self,
        delegate: AccountId,
        address: &Address,
        now: Timestamp,
    ) -> Result<Option<HeldRow>, Error> {
        let row: Option<Held> = sqlx::query_as(held!(
            "and d.mailbox_id = (select account_id from addresses where address = $3 and kind <> 'retired')"
        ))
        .bind(delegate.0)
        .bind(now.to_sqlx())
        .bind(address.to_string())
        .fetch_optional(&self.pools.main)
        .await?;
        row.map(held).transpose()
    }

    /// Every delegation to `delegate` that holds at `now`, by the mailboxes' addresses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn held_delegations(
        &self,
        delegate: AccountId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<HeldRow>, Error> {
        let rows: Vec<Held> = sqlx::query_as(held!("order by p.address limit $3"))
            .bind(delegate.0)
            .bind(now.to_sqlx())
            .bind(i64::from(limit))
            .fetch_all(&self.pools.main)
            .await?;
        rows.into_iter().map(held).collect()
    }

    /// The epoch of the delegate while this delegation holds and he may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delegate_epoch(&self, delegation: i64, now: Timestamp) -> Result<Option<i64>, Error> {
        Ok(sqlx::query_scalar(
            "select g.security_epoch
               from delegations d join accounts g on g.account_id = d.delegate_id
              where d.delegation_id = $1 and d.revoked_at is null and d.since <= $2
                and (d.until is null or d.until > $2) and g.state in ('new', 'active')",
        )
        .bind(delegation)
        .bind(now.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?)
    }

    /// To whom the mailbox is delegated at `now`, by address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delegates_of(
        &self,
        mailbox: AccountId,
        now: Timestamp,
    ) -> Result<Vec<(Address, Rights)>, Error> {
        let rows: Vec<(String, i16)> = sqlx::query_as(
            "select g.address, d.rights
               from delegations d join addresses g on g.account_id = d.delegate_id and g.kind = 'primary'
              where d.mailbox_id = $1 and d.revoked_at is null and d.since <= $2
                and (d.until is null or d.until > $2)
              order by g.address",
        )
        .bind(mailbox.0)
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(address, bits)| Ok((address.parse().map_err(|_| DAMAGED)?, rights(bits))))
            .collect()
    }

    /// Is the address of the account itself (`None`), or of a mailbox in use that it has these rights to? The outer `None`:
    /// neither.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sending_rights(
        &self,
        account: AccountId,
        address: &Address,
        now: Timestamp,
    ) -> Result<Option<Option<Rights>>, Error> {
        let row: Option<(bool, Option<i16>)> = sqlx::query_as(
            "select g.account_id = $1, d.rights
               from addresses g
               left join (delegations d
                          join accounts m on m.account_id = d.mailbox_id and m.state in ('new', 'active'))
                 on d.mailbox_id = g.account_id and d.delegate_id = $1 and d.revoked_at is null and d.since <= $3
                    and (d.until is null or d.until > $3)
              where g.address = $2 and g.kind <> 'retired'",
        )
        .bind(account.0)
        .bind(address.to_string())
        .bind(now.to_sqlx())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(match row {
            Some((true, _)) => Some(None),
            Some((false, Some(bits))) => Some(Some(rights(bits))),
            Some((false, None)) | None => None,
        })
    }

    /// By mailbox and delegate.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delegations(&self, filter: DelegationFilter<'_>) -> Result<Vec<DelegationRow>, Error> {
        type Row = (
            String,
            String,
            String,
            i16,
            String,
            Option<String>,
            String,
            jiff_sqlx::Timestamp,
            jiff_sqlx::Timestamp,
            Option<jiff_sqlx::Timestamp>,
            Option<jiff_sqlx::Timestamp>,
            Option<String>,
        );
        let rows: Vec<Row> = sqlx::query_as(
            "select m.address, g.address, a.display_name, d.rights, d.document, d.consent, d.given_by, d.given_at,
                    d.since, d.until, d.revoked_at, d.revoked_by
               from delegations d
               join lateral (select x.address from addresses x where x.account_id = d.mailbox_id and x.kind in ('primary', 'retired')
                              order by x.kind = 'primary' desc, x.retired_at desc nulls last, x.created_at limit 1) m on true
               join lateral (select x.address from addresses x where x.account_id = d.delegate_id and x.kind in ('primary', 'retired')
                              order by x.kind = 'primary' desc, x.retired_at desc nulls last, x.created_at limit 1) g on true
               join accounts a on a.account_id = d.delegate_id
               join accounts o on o.account_id = d.mailbox_id
              where ($1::bigint is null or d.mailbox_id = $1) and ($2::bigint is null or d.delegate_id = $2)
                and ($3::text is null or o.domain_id = (select domain_id from domains where name = $3))
                and ($4 or d.revoked_at is null)
                and ($5::text is null or (m.address, g.address) > ($5, $6))
              order by m.address, g.address, d.delegation_id limit $7",
        )
        .bind(filter.mailbox.map(|account| account.0))
        .bind(filter.delegate.map(|account| account.0))
        .bind(filter.domain.map(model::DomainName::as_str))
        .bind(filter.ended)
        .bind(filter.after.map(|(mailbox, _)| mailbox.to_string()))
        .bind(filter.after.map(|(_, delegate)| delegate.to_string()))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(mailbox, delegate, name, bits, document, consent, by, at, since, until, ended, ender)| {
                Ok(DelegationRow {
                    mailbox: mailbox.parse().map_err(|_| DAMAGED)?,
                    delegate: delegate.parse().map_err(|_| DAMAGED)?,
                    delegate_name: name,
                    rights: rights(bits),
                    document,
                    consent,
                    given_by: by,
                    given_at: at.to_jiff(),
                    since: since.to_jiff(),
                    until: until.map(jiff_sqlx::Timestamp::to_jiff),
                    revoked: ended.map(|at| (at.to_jiff(), ender.unwrap_or_default())),
                })
            })
            .collect()
    }
}

impl Tx {
    /// # Errors
    /// `delegations_one` when there is one already.
    pub async fn insert_delegation(&mut self, new: &NewDelegation<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into delegations (mailbox_id, delegate_id, rights, document, consent, given_by, given_at, since,
                                      until)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning delegation_id",
        )
        .bind(new.mailbox.0)
        .bind(new.delegate.0)
        .bind(i16::from(new.rights.bits()))
        .bind(new.document)
        .bind(new.consent)
        .bind(new.given_by)
        .bind(now.to_sqlx())
        .bind(new.since.to_sqlx())
        .bind(new.until.map(jiff::Timestamp::to_sqlx))
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// What the delegate has, also for a term that is not there yet or no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present_delegation(
        &mut self,
        mailbox: AccountId,
        delegate: AccountId,
    ) -> Result<Option<PresentRow>, Error> {
        type Row = (i16, String, Option<String>, jiff_sqlx::Timestamp, Option<jiff_sqlx::Timestamp>);
        let row: Option<Row> = sqlx::query_as(
            "select rights, document, consent, since, until from delegations
              where mailbox_id = $1 and delegate_id = $2 and revoked_at is null",
        )
        .bind(mailbox.0)
        .bind(delegate.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(|(bits, document, consent, since, until)| PresentRow {
            rights: rights(bits),
            document,
            consent,
            since: since.to_jiff(),
            until: until.map(jiff_sqlx::Timestamp::to_jiff),
        }))
    }

    /// Ends the delegation to `delegate`, or all of the mailbox; says to whom they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_delegations(
        &mut self,
        mailbox: AccountId,
        delegate: Option<AccountId>,
        (by, now): (&str, Timestamp),
    ) -> Result<Vec<AccountId>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "update delegations set revoked_at = $3, revoked_by = $4
              where mailbox_id = $1 and revoked_at is null and ($2::bigint is null or delegate_id = $2)
             returning delegate_id",
        )
        .bind(mailbox.0)
        .bind(delegate.map(|account| account.0))
        .bind(now.to_sqlx())
        .bind(by)
        .fetch_all(&mut *self.inner)
        .await?;
        Ok(rows.into_iter().map(AccountId).collect())
    }
}

impl Tx {
    /// How many people the mailbox is delegated to, and how many mailboxes this person has rights to, now or later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_delegations(
        &mut self,
        mailbox: AccountId,
        delegate: AccountId,
        now: Timestamp,
    ) -> Result<(usize, usize), Error> {
        let (delegates, mailboxes): (i64, i64) = sqlx::query_as(
            "select (select count(*) from delegations where mailbox_id = $1 and revoked_at is null
                        and (until is null or until > $3)),
                    (select count(*) from delegations where delegate_id = $2 and revoked_at is null
                        and (until is null or until > $3))",
        )
        .bind(mailbox.0)
        .bind(delegate.0)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        Ok((
            usize::try_from(delegates).unwrap_or(usize::MAX),
            usize::try_from(mailboxes).unwrap_or(usize::MAX),
        ))
    }
}
