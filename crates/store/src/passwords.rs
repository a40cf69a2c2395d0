//! Passwords' hashes: the present one, those before it, and what is recorded of resets (cấp lại mật khẩu).
//!
//! Invariants: no plain password comes here; whoever sets a password ends the sessions that used the one before.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId};

const DAMAGED: Error = Error::Damaged("an account has an impossible address");

/// A password that is to be set.
#[derive(Clone, Copy, Debug)]
pub struct NewPassword<'a> {
    /// PHC string.
    pub hash: &'a str,
    pub at: Timestamp,
    /// Why it must be changed before anything else; `None`: it need not.
    pub change: Option<&'a str>,
    /// The end of a one-time password.
    pub one_time_until: Option<Timestamp>,
    /// How many of the last ones are kept.
    pub remembered: u16,
}

/// What a password is checked against: whose it is, and which ones there were.
#[derive(Clone, Debug, Default)]
pub struct PasswordSubject {
    /// Of the mailbox, and of the person it belongs to.
    pub names: Vec<String>,
    pub addresses: Vec<String>,
    /// Names and codes of the unit.
    pub units: Vec<String>,
    pub birth_year: Option<i16>,
    /// The present hash, then those before it, the newest first.
    pub hashes: Vec<String>,
}

/// A reset whose written confirmation may be owed.
#[derive(Clone, Debug)]
pub struct ResetRow {
    pub reset: i64,
    pub address: Address,
    pub at: Timestamp,
    pub made_by: String,
    pub reason: String,
    pub confirmation_due: Option<Date>,
    pub confirmed_at: Option<Timestamp>,
    pub confirmed_by: Option<String>,
    pub document: Option<String>,
}

/// A password that was set long ago, with what its owner is told by.
#[derive(Clone, Debug)]
pub struct PasswordAge {
    pub account: AccountId,
    pub set_at: Timestamp,
}

impl Store {
    /// # Errors
    /// When the database fails.
    pub async fn password_subject(
        &self,
        account: AccountId,
        remembered: u16,
    ) -> Result<Option<PasswordSubject>, Error> {
        type Row = (Vec<Option<String>>, Vec<String>, Vec<Option<String>>, Option<i16>, Vec<String>);
        let row: Option<Row> = sqlx::query_as(
            "select array[a.display_name, p.full_name],
                    array(select g.address from addresses g where g.account_id = a.account_id and g.kind <> 'retired'),
                    array[u.name, u.code], p.birth_year,
                    array(select hash from (
                              select a.password_hash as hash, null::timestamptz as set_at
                               where a.password_hash is not null
                              union all
                              (select h.hash, h.set_at from password_history h where h.account_id = a.account_id
                                order by h.set_at desc limit $2)
                          ) every order by set_at desc nulls first)
               from accounts a
               left join people p on p.person_id = a.person_id
               left join units u on u.unit_id = a.unit_id
              where a.account_id = $1",
        )
        .bind(account.0)
        .bind(i64::from(remembered))
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(names, addresses, units, birth_year, hashes)| PasswordSubject {
            names: names.into_iter().flatten().collect(),
            addresses,
            units: units.into_iter().flatten().collect(),
            birth_year,
            hashes,
        }))
    }

    /// Mailboxes of a domain that may be logged in to and whose password, which need not be changed, was set before then;
    /// in order of their number from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn old_passwords(
        &self,
        domain: DomainId,
        before: Timestamp,
        after: AccountId,
        limit: u32,
    ) -> Result<Vec<PasswordAge>, Error> {
        let rows: Vec<(i64, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select account_id, coalesce(password_set_at, created_at) from accounts
              where domain_id = $1 and account_id > $2 and state in ('new', 'active') and not password_change
                and password_hash is not null and coalesce(password_set_at, created_at) < $3
              order by account_id limit $4",
        )
        .bind(domain.0)
        .bind(after.0)
        .bind(before.to_sqlx())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let age = |(account, at): (i64, jiff_sqlx::Timestamp)| PasswordAge {
            account: AccountId(account),
            set_at: at.to_jiff(),
        };
        Ok(rows.into_iter().map(age).collect())
    }

    /// Resets, the newest first; `open`: only those whose confirmation is owed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_resets(&self, open: bool, limit: u32) -> Result<Vec<ResetRow>, Error> {
        type Row = (
            i64,
            String,
            jiff_sqlx::Timestamp,
            String,
            String,
            Option<jiff_sqlx::Date>,
            Option<jiff_sqlx::Timestamp>,
            Option<String>,
            Option<String>,
        );
        let rows: Vec<Row> = sqlx::query_as(
            "select r.reset_id, g.address, r.at, r.made_by, r.reason, r.confirmation_due, r.confirmed_at,
                    r.confirmed_by, r.document
               from password_resets r
               join lateral (select x.address from addresses x where x.account_id = r.account_id and x.kind in ('primary', 'retired')
                              order by x.kind = 'primary' desc, x.retired_at desc nulls last, x.created_at limit 1) g on true
              where not $1 or (r.confirmed_at is null and r.confirmation_due is not null)
              order by r.reset_id desc limit $2",
        )
        .bind(open)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(reset, address, at, made_by, reason, due, confirmed_at, confirmed_by, document)| {
                Ok(ResetRow {
                    reset,
                    address: address.parse().map_err(|_| DAMAGED)?,
                    at: at.to_jiff(),
                    made_by,
                    reason,
                    confirmation_due: due.map(jiff_sqlx::Date::to_jiff),
                    confirmed_at: confirmed_at.map(jiff_sqlx::Timestamp::to_jiff),
                    confirmed_by,
                    document,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Sets the password, keeps the one before among the last ones, and ends the sessions that used it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_password(&mut self, account: AccountId, new: &NewPassword<'_>) -> Result<(), Error> {
        sqlx::query(
            "insert into password_history (account_id, set_at, hash)
             select account_id, coalesce(password_set_at, created_at), password_hash from accounts
              where account_id = $1 and password_hash is not null
             on conflict do nothing",
        )
        .bind(account.0)
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "delete from password_history h
              where h.account_id = $1 and h.set_at < (
                    select min(set_at) from (select set_at from password_history where account_id = $1
                                              order by set_at desc limit $2) as kept)",
        )
        .bind(account.0)
        .bind(i64::from(new.remembered.max(1)))
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "update accounts set password_hash = $2, password_set_at = $3, password_change = $4 is not null,
                    change_reason = $4, one_time_until = $5, security_epoch = security_epoch + 1
              where account_id = $1",
        )
        .bind(account.0)
        .bind(new.hash)
        .bind(new.at.to_sqlx())
        .bind(new.change)
        .bind(new.one_time_until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// What is to be said of the first password of a mailbox that was just made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_first_password(
        &mut self,
        account: AccountId,
        change: Option<&str>,
        one_time_until: Option<Timestamp>,
    ) -> Result<(), Error> {
        sqlx::query(
            "update accounts set password_change = $2 is not null, change_reason = $2, one_time_until = $3
              where account_id = $1",
        )
        .bind(account.0)
        .bind(change)
        .bind(one_time_until.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// The hash that holds, once nobody else can change it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_hash(&mut self, account: AccountId) -> Result<Option<String>, Error> {
        let hash: Option<Option<String>> =
            sqlx::query_scalar("select password_hash from accounts where account_id = $1 for no key update")
                .bind(account.0)
                .fetch_optional(&mut *self.inner)
                .await?;
        Ok(hash.flatten())
    }

    /// Records that a password was reset; the number of the record.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_password_reset(
        &mut self,
        account: AccountId,
        at: Timestamp,
        by: &str,
        reason: &str,
        confirmation_due: Option<Date>,
    ) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into password_resets (account_id, at, made_by, reason, confirmation_due)
             values ($1, $2, $3, $4, $5) returning reset_id",
        )
        .bind(account.0)
        .bind(at.to_sqlx())
        .bind(by)
        .bind(reason)
        .bind(confirmation_due.map(jiff_sqlx::ToSqlx::to_sqlx))
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// The confirmation has come. The address of the mailbox, or `None` when nothing is owed under this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn confirm_password_reset(
        &mut self,
        reset: i64,
        at: Timestamp,
        by: &str,
        document: &str,
    ) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar(
            "update password_resets r set confirmed_at = $2, confirmed_by = $3, document = $4
               from addresses g
              where r.reset_id = $1 and r.confirmed_at is null and g.account_id = r.account_id and g.kind = 'primary'
             returning g.address",
        )
        .bind(reset)
        .bind(at.to_sqlx())
        .bind(by)
        .bind(document)
        .fetch_optional(&mut *self.inner)
        .await?)
    }
}
