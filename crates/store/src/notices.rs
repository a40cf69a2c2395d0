//! System mail that was put into mailboxes, by a key that is used once, and what is owed.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, FolderId};

const DAMAGED: Error = Error::Damaged("an account has an impossible address");

/// Where system mail for somebody goes.
#[derive(Clone, Debug)]
pub struct NoticePlace {
    pub domain: DomainId,
    pub address: Address,
    pub display_name: String,
    pub inbox: FolderId,
}

/// System mail that an act owes to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedNotice {
    /// What makes it this notice and no other, for ever.
    pub key: String,
    pub to: AccountId,
    pub subject: String,
    pub text: String,
}

impl Store {
    /// What is owed, by key from behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owed_notices(&self, after: &str, limit: u32) -> Result<Vec<OwedNotice>, Error> {
        let rows: Vec<(String, i64, String, String)> = sqlx::query_as(
            "select key, account_id, subject, text from owed_notices where key > $1 order by key limit $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.main)
        .await?;
        let owed = |(key, account, subject, text)| OwedNotice { key, to: AccountId(account), subject, text };
        Ok(rows.into_iter().map(owed).collect())
    }

    /// These are no longer owed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notices_sent(&self, keys: &[&str]) -> Result<(), Error> {
        sqlx::query("delete from owed_notices where key = any ($1)")
            .bind(keys)
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// `None` when the mailbox is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notice_place(&self, account: AccountId) -> Result<Option<NoticePlace>, Error> {
        let row: Option<(i64, String, String, i64)> = sqlx::query_as(
            "select a.domain_id, g.address, a.display_name, f.folder_id
               from accounts a
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
               join folders f on f.account_id = a.account_id and f.name = 'INBOX'
              where a.account_id = $1",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((domain, address, display_name, inbox)) = row else { return Ok(None) };
        let address = address.parse().map_err(|_| DAMAGED)?;
        Ok(Some(NoticePlace { domain: DomainId(domain), address, display_name, inbox: FolderId(inbox) }))
    }

    /// # Errors
    /// When the database fails.
    pub async fn was_noticed(&self, key: &str) -> Result<bool, Error> {
        Ok(sqlx::query_scalar("select exists (select from notices where key = $1)")
            .bind(key)
            .fetch_one(&self.pools.main)
            .await?)
    }

    /// Forgets the keys of notices sent before then; says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_notices(&self, before: Timestamp) -> Result<u64, Error> {
        let forgotten = sqlx::query("delete from notices where sent_at < $1")
            .bind(before.to_sqlx())
            .execute(&self.pools.main)
            .await?;
        Ok(forgotten.rows_affected())
    }
}

impl Tx {
    /// Keeps what the act owes, with the act.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owe_notices(&mut self, owed: &[OwedNotice], now: Timestamp) -> Result<(), Error> {
        if owed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into owed_notices (key, account_id, subject, text, owed_at)
             select key, account_id, subject, text, $5
               from unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) as n (key, account_id, subject, text)
             on conflict do nothing",
        )
        .bind(owed.iter().map(|one| one.key.as_str()).collect::<Vec<_>>())
        .bind(owed.iter().map(|one| one.to.0).collect::<Vec<_>>())
        .bind(owed.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>())
        .bind(owed.iter().map(|one| one.text.as_str()).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Uses the key up. False when it was; then somebody else sends, or has sent, this notice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_notice_key(
        &mut self,
        key: &str,
        account: AccountId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let used = sqlx::query(
            "insert into notices (key, account_id, sent_at) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(key)
        .bind(account.0)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(used.rows_affected() > 0)
    }
}
