//! Mailboxes and their addresses.

use crate::{Error, NewGrant, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, AccountState, Address, DomainId, MailboxClass, UnitId};

/// What a log-in is checked against.
#[derive(Clone, Debug)]
pub struct LoginRow {
    pub account: AccountId,
    pub domain: DomainId,
    pub primary: Address,
    pub state: AccountState,
    pub password_hash: Option<String>,
    pub password_change: bool,
    pub password_set_at: Timestamp,
    /// The end of a one-time password.
    pub one_time_until: Option<Timestamp>,
    pub security_epoch: i64,
}

/// A mailbox that is to be made.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    pub domain: DomainId,
    pub unit: Option<UnitId>,
    pub class: MailboxClass,
    pub display_name: &'a str,
    pub quota_bytes: u64,
    pub password_hash: Option<&'a str>,
    pub password_change: bool,
}

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

impl Store {
    /// Whoever may log in with `address`: the primary address or an alias.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login(&self, address: &Address) -> Result<Option<LoginRow>, Error> {
        type Row = (
            i64,
            i64,
            String,
            String,
            Option<String>,
            bool,
            i64,
            jiff_sqlx::Timestamp,
            Option<jiff_sqlx::Timestamp>,
        );
        let row: Option<Row> = sqlx::query_as(
            "select a.account_id, a.domain_id, p.address, a.state, a.password_hash, a.password_change, a.security_epoch,
                    coalesce(a.password_set_at, a.created_at), a.one_time_until
               from addresses g
               join accounts a using (account_id)
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
              where g.address = $1 and g.kind <> 'retired'",
        )
        .bind(address.to_string())
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((
            account,
            domain,
            primary,
            state,
            password_hash,
            password_change,
            security_epoch,
            set_at,
            until,
        )) = row
        else {
            return Ok(None);
        };
        Ok(Some(LoginRow {
            account: AccountId(account),
            domain: DomainId(domain),
            primary: primary.parse().map_err(|_| DAMAGED)?,
            state: state.parse().map_err(|_| DAMAGED)?,
            password_hash,
            password_change,
            password_set_at: set_at.to_jiff(),
            one_time_until: until.map(jiff_sqlx::Timestamp::to_jiff),
            security_epoch,
        }))
    }

    /// The domain that a mailbox belongs to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn domain_of(&self, account: AccountId) -> Result<Option<DomainId>, Error> {
        let id: Option<i64> = sqlx::query_scalar("select domain_id from accounts where account_id = $1")
            .bind(account.0)
            .fetch_optional(&self.pools.main)
            .await?;
        Ok(id.map(DomainId))
    }

    /// Does any of these mailboxes belong to the domain?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_any_of(&self, domain: DomainId, accounts: &[AccountId]) -> Result<bool, Error> {
        if accounts.is_empty() {
            return Ok(false);
        }
        Ok(sqlx::query_scalar(
            "select exists (select from accounts where account_id = any ($2) and domain_id = $1 and state <> 'deleted')",
        )
        .bind(domain.0)
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .fetch_one(&self.pools.main)
        .await?)
    }

    /// Is the address somebody's, or was it ever?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_given_out(&self, address: &Address) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from addresses where address = $1 union all select from groups where address = $1
                            union all select from group_addresses where address = $1)",
        )
            .bind(address.to_string())
            .fetch_one(&self.pools.main)
            .await?)
    }

    /// Used bytes, quota in bytes, messages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn usage(&self, account: AccountId) -> Result<Option<(u64, u64, u64)>, Error> {
        let row: Option<(i64, i64, i64)> = sqlx::query_as(
            "select c.used_bytes, a.quota_bytes, c.messages
               from accounts a join counters c using (account_id) where account_id = $1",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(used, quota, messages)| {
            (used.unsigned_abs(), quota.unsigned_abs(), messages.unsigned_abs())
        }))
    }

    /// A first log-in makes a new mailbox active.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activate(&self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "update accounts set state = 'active', life_since = $2 where account_id = $1 and state = 'new'",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }
}

impl Tx {
    /// Makes the account, its counters and its primary address; folders are the caller's.
    ///
    /// # Errors
    /// `addresses_pkey` when the address was ever given out.
    pub async fn insert_account(
        &mut self,
        new: &NewAccount<'_>,
        address: &Address,
        now: Timestamp,
    ) -> Result<AccountId, Error> {
        let grant = NewGrant {
            unit: new.unit,
            person: None,
            class: new.class,
            display_name: new.display_name,
            quota_bytes: new.quota_bytes,
            password_hash: new.password_hash,
            password_change: new.password_change,
            change_reason: None,
            one_time_until: None,
            address,
            rule: None,
            is_reused: false,
        };
        let made = self.insert_accounts(new.domain, &[grant], now).await?;
        made.first().copied().ok_or(Error::Damaged("an account was made and has no number"))
    }

    /// # Errors
    /// `addresses_pkey` when the address was ever given out.
    pub async fn insert_address(
        &mut self,
        address: &Address,
        account: AccountId,
        kind: &'static str,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query("insert into addresses (address, account_id, kind, created_at) values ($1, $2, $3, $4)")
            .bind(address.to_string())
            .bind(account.0)
            .bind(kind)
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Takes an alias away, for good. False when it is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retire_alias(&mut self, alias: &Address, now: Timestamp) -> Result<bool, Error> {
        let retired = sqlx::query(
            "update addresses set kind = 'retired', retired_at = $2 where address = $1 and kind = 'alias'",
        )
        .bind(alias.to_string())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(retired.rows_affected() > 0)
    }

    /// Takes everything from a mailbox: its mail, folders, counters and passwords go, its addresses are retired, its number
    /// stays used. Its stage is the caller's to set. False when it had ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_account(&mut self, account: AccountId, now: Timestamp) -> Result<bool, Error> {
        if self.lock_mailbox(account).await?.is_none() {
            return Ok(false);
        }
        sqlx::query(
            "with gone as (delete from entries where account_id = $1 returning content_id)
             insert into sweep_candidates (content_id, noted_at) select distinct content_id, $2 from gone",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        sqlx::query("update addresses set kind = 'retired', retired_at = $2 where account_id = $1 and kind <> 'retired'")
            .bind(account.0)
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        sqlx::query(
            "update delegations set revoked_at = $2, revoked_by = 'system:mailbox deleted'
              where (mailbox_id = $1 or delegate_id = $1) and revoked_at is null",
        )
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        for statement in [
            "delete from tombstones where account_id = $1",
            "delete from subscriptions where account_id = $1",
            "delete from keywords where account_id = $1",
            "delete from folders where account_id = $1",
            "delete from counters where account_id = $1",
            "delete from password_history where account_id = $1",
            "delete from activity where account_id = $1",
            "delete from quota_warnings where account_id = $1",
            "delete from sending_counts where account_id = $1",
            "delete from correspondents where account_id = $1",
            "delete from listed_senders where account_id = $1",
            "delete from lessons where account_id = $1",
            "update accounts set password_hash = null where account_id = $1",
        ] {
            sqlx::query(statement).bind(account.0).execute(&mut *self.inner).await?;
        }
        self.forget_quarantined(account, now).await?;
        self.forwards_touched(&[account.0]).await?;
        self.forget_scripts(account).await?;
        Ok(true)
    }
}
