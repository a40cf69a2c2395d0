//! Automatic forwarding (chuyển thư tự động): few rows, which every node keeps in memory.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, FolderId};

/// Where mail of a mailbox goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardRow {
    pub account: AccountId,
    pub target: AccountId,
    /// The target's INBOX.
    pub inbox: FolderId,
    pub keep_copy: bool,
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

impl Store {
    /// A number that is higher after each change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards_version(&self) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select coalesce(max(version), 0) from forwards")
            .fetch_one(&self.pools.main)
            .await?)
    }

    /// All that hold, to mailboxes that may receive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forwards(&self) -> Result<Vec<ForwardRow>, Error> {
        let rows: Vec<(i64, i64, i64, bool)> = sqlx::query_as(
            "select w.account_id, w.target_id, f.folder_id, w.keep_copy
               from forwards w
               join accounts t on t.account_id = w.target_id and t.state in ('new', 'active', 'locked')
               join folders f on f.account_id = w.target_id and f.name = 'INBOX'
              where w.target_id is not null",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let forward = |(account, target, inbox, keep_copy)| ForwardRow {
            account: AccountId(account),
            target: AccountId(target),
            inbox: FolderId(inbox),
            keep_copy,
        };
        Ok(rows.into_iter().map(forward).collect())
    }

    /// That of a mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forward(&self, account: AccountId) -> Result<Option<ForwardDetail>, Error> {
        let row: Option<(String, String, bool, String, jiff_sqlx::Timestamp)> = sqlx::query_as(
            "select a.address, t.address, w.keep_copy, w.set_by, w.set_at
               from forwards w
               join addresses a on a.account_id = w.account_id and a.kind = 'primary'
               join addresses t on t.account_id = w.target_id and t.kind = 'primary'
              where w.account_id = $1 and w.target_id is not null",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        let damaged = |_| Error::Damaged("a forwarding has an impossible address");
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

impl Tx {
    /// `target`: none from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_forward(
        &mut self,
        account: AccountId,
        (target, keep_copy): (Option<AccountId>, bool),
        (by, now): (&str, Timestamp),
    ) -> Result<(), Error> {
        sqlx::query(
            "insert into forwards (account_id, target_id, keep_copy, set_by, set_at) values ($1, $2, $3, $4, $5)
             on conflict on constraint forwards_pkey do update
                set target_id = excluded.target_id, keep_copy = excluded.keep_copy, set_by = excluded.set_by,
                    set_at = excluded.set_at, version = excluded.version",
        )
        .bind(account.0)
        .bind(target.map(|target| target.0))
        .bind(keep_copy)
        .bind(by)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
