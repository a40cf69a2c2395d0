//! Quotas (dung lượng): who may send, who is near the end of his, whose own it is, and whether usage is the truth.
//!
//! Invariant: usage is kept by those who write entries, in the same statement; here it is read, compared and, should it ever
//! not be the truth, mended under the mailbox's lock.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use model::{AccountId, Address, DomainId, MailboxClass};

/// What decides whether a mailbox may send.
#[derive(Clone, Copy, Debug)]
pub struct SendingRow {
    pub security_epoch: i64,
    pub domain: DomainId,
    pub class: MailboxClass,
    pub used_bytes: u64,
    pub quota_bytes: u64,
}

/// A mailbox's usage with what was said of it.
#[derive(Clone, Debug)]
pub struct UsageRow {
    pub account: AccountId,
    pub address: Address,
    pub used_bytes: u64,
    pub quota_bytes: u64,
    /// The threshold, in percent, that was warned about.
    pub warned: Option<u16>,
    /// Since when nothing more is taken.
    pub full_since: Option<Timestamp>,
}

/// What is to be kept of a mailbox's usage.
#[derive(Clone, Copy, Debug)]
pub struct UsageMark {
    pub account: AccountId,
    pub warned: Option<u16>,
    pub full_since: Option<Timestamp>,
}

/// A mailbox's quota, and whose decision it is when it has one of its own.
#[derive(Clone, Debug)]
pub struct QuotaRow {
    pub account: AccountId,
    pub domain: DomainId,
    pub address: Address,
    pub class: MailboxClass,
    pub quota_bytes: u64,
    pub used_bytes: u64,
    pub messages: u64,
    /// Who, and why.
    pub own: Option<(String, String)>,
}

/// A mailbox whose usage was not the truth: octets and messages, as they were kept and as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    pub account: AccountId,
    pub address: String,
    pub kept: (i64, i64),
    pub truth: (i64, i64),
}

const DAMAGED: Error = Error::Damaged("an account row has a value this version does not know");

impl Store {
    /// The standing of an account that may log in, with its usage.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sending(&self, account: AccountId) -> Result<Option<SendingRow>, Error> {
        let row: Option<(i64, i64, i64, i64, String)> = sqlx::query_as(
            "select a.security_epoch, a.domain_id, c.used_bytes, a.quota_bytes, a.class
               from accounts a join counters c using (account_id)
              where account_id = $1 and a.state in ('new', 'active')",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((security_epoch, domain, used, quota, class)) = row else { return Ok(None) };
        Ok(Some(SendingRow {
            security_epoch,
            domain: DomainId(domain),
            class: class
                .parse()
                .map_err(|_| Error::Damaged("a mailbox has a class this version does not know"))?,
            used_bytes: used.unsigned_abs(),
            quota_bytes: quota.unsigned_abs(),
        }))
    }

    /// Mailboxes of a domain that use at least `percent` of their quota, or of which something is kept; in order of their
    /// number from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn near_quota(
        &self,
        domain: DomainId,
        percent: u16,
        after: AccountId,
        limit: u32,
    ) -> Result<Vec<UsageRow>, Error> {
        type Row = (i64, String, i64, i64, Option<i16>, Option<jiff_sqlx::Timestamp>);
        let rows: Vec<Row> = sqlx::query_as(
            "select a.account_id, g.address, c.used_bytes, a.quota_bytes, w.warned, a.full_since
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               join counters c on c.account_id = a.account_id
               left join quota_warnings w on w.account_id = a.account_id
              where a.domain_id = $1 and a.account_id > $3
                and (w.warned is not null or a.full_since is not null
                     or c.used_bytes::numeric * 100 >= a.quota_bytes::numeric * $2)
              order by a.account_id limit $4",
        )
        .bind(domain.0)
        .bind(i32::from(percent))
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        rows.into_iter()
            .map(|(account, address, used, quota, warned, full_since)| {
                Ok(UsageRow {
                    account: AccountId(account),
                    address: address.parse().map_err(|_| DAMAGED)?,
                    used_bytes: used.unsigned_abs(),
                    quota_bytes: quota.unsigned_abs(),
                    warned: warned.map(i16::unsigned_abs),
                    full_since: full_since.map(jiff_sqlx::Timestamp::to_jiff),
                })
            })
            .collect()
    }

    /// # Errors
    /// When the database fails.
    pub async fn quota_row(&self, address: &Address) -> Result<Option<QuotaRow>, Error> {
        type Row = (i64, i64, String, String, i64, i64, i64, Option<String>, Option<String>);
        let row: Option<Row> = sqlx::query_as(
            "select a.account_id, a.domain_id, p.address, a.class, a.quota_bytes, c.used_bytes, c.messages, a.quota_by,
                    a.quota_why
               from addresses g
               join accounts a using (account_id)
               join counters c using (account_id)
               join addresses p on p.account_id = a.account_id and p.kind = 'primary'
              where g.address = $1 and g.kind <> 'retired'",
        )
        .bind(address.to_string())
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((account, domain, address, class, quota, used, messages, by, why)) = row else {
            return Ok(None);
        };
        Ok(Some(QuotaRow {
            account: AccountId(account),
            domain: DomainId(domain),
            address: address.parse().map_err(|_| DAMAGED)?,
            class: class.parse().map_err(|_| DAMAGED)?,
            quota_bytes: quota.unsigned_abs(),
            used_bytes: used.unsigned_abs(),
            messages: messages.unsigned_abs(),
            own: by.map(|by| (by, why.unwrap_or_default())),
        }))
    }

    /// Mailboxes whose usage is not the sum of their messages, as both stand at one moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drifts(&self) -> Result<Vec<AccountId>, Error> {
        let mut tx = self.begin().await?;
        // However many messages there are, all are counted.
        tx.take_time().await?;
        let ids: Vec<i64> = sqlx::query_scalar(
            "select c.account_id from counters c
               left join (select account_id, sum(size)::bigint as bytes, count(*) as messages
                            from entries group by account_id) t using (account_id)
              where (c.used_bytes, c.messages) is distinct from (coalesce(t.bytes, 0), coalesce(t.messages, 0))",
        )
        .fetch_all(&mut *tx.inner)
        .await?;
        Ok(ids.into_iter().map(AccountId).collect())
    }
}

impl Tx {
    /// Gives mailboxes without a quota of their own what their class has; says how many had another one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn follow_class_quotas(
        &mut self,
        domain: DomainId,
        quotas: &[(MailboxClass, u64)],
    ) -> Result<u64, Error> {
        let (classes, bytes): (Vec<&str>, Vec<i64>) = quotas
            .iter()
            .map(|(class, bytes)| (class.as_str(), i64::try_from(*bytes).unwrap_or(i64::MAX)))
            .unzip();
        let followed = sqlx::query(
            "update accounts a set quota_bytes = n.bytes from unnest($2::text[], $3::bigint[]) as n (class, bytes)
              where a.domain_id = $1 and a.class = n.class and a.quota_by is null and a.quota_bytes <> n.bytes
                and a.state <> 'deleted'",
        )
        .bind(domain.0)
        .bind(classes)
        .bind(bytes)
        .execute(&mut *self.inner)
        .await?;
        Ok(followed.rows_affected())
    }

    /// Keeps what was found out about usages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_usages(&mut self, marks: &[UsageMark]) -> Result<(), Error> {
        let accounts: Vec<i64> = marks.iter().map(|mark| mark.account.0).collect();
        let warned: Vec<Option<i16>> =
            marks.iter().map(|mark| mark.warned.and_then(|percent| i16::try_from(percent).ok())).collect();
        sqlx::query(
            "with n as (select * from unnest($1::bigint[], $2::smallint[]) as n (account_id, warned)),
                  gone as (delete from quota_warnings w using n where w.account_id = n.account_id and n.warned is null)
             insert into quota_warnings (account_id, warned) select account_id, warned from n where warned is not null
             on conflict (account_id) do update set warned = excluded.warned",
        )
        .bind(&accounts)
        .bind(warned)
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "update accounts a set full_since = n.since
               from unnest($1::bigint[], $2::timestamptz[]) as n (account_id, since)
              where a.account_id = n.account_id and a.full_since is distinct from n.since",
        )
        .bind(&accounts)
        .bind(marks.iter().map(|mark| mark.full_since.map(jiff_sqlx::ToSqlx::to_sqlx)).collect::<Vec<_>>())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// `own`: who gave it a quota of its own, and why; `None`: what its class has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_quota(
        &mut self,
        account: AccountId,
        bytes: u64,
        own: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        sqlx::query(
            "update accounts set quota_bytes = $2, quota_by = $3, quota_why = $4 where account_id = $1",
        )
        .bind(account.0)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(own.map(|(by, _)| by))
        .bind(own.map(|(_, why)| why))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Makes a mailbox's usage the truth, under its lock. `None` when it was, or the mailbox is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recount(&mut self, account: AccountId) -> Result<Option<Drift>, Error> {
        if self.lock_mailbox(account).await?.is_none() {
            return Ok(None);
        }
        let row: Option<(String, i64, i64, i64, i64)> = sqlx::query_as(
            "with truth as (select coalesce(sum(size), 0)::bigint as bytes, count(*) as messages
                              from entries where account_id = $1),
                  kept as (select used_bytes, messages from counters where account_id = $1)
             update counters c set used_bytes = t.bytes, messages = t.messages
               from truth t, kept k, addresses g
              where c.account_id = $1 and g.account_id = $1 and g.kind = 'primary'
                and (c.used_bytes, c.messages) is distinct from (t.bytes, t.messages)
             returning g.address, k.used_bytes, k.messages, t.bytes, t.messages",
        )
        .bind(account.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(row.map(|(address, used, messages, bytes, count)| Drift {
            account,
            address,
            kept: (used, messages),
            truth: (bytes, count),
        }))
    }
}
