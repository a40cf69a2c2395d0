//! Folders of a mailbox, and the lock under which anything in it changes.
//!
//! Invariant: [`Tx::lock_mailbox`] comes before any other change to an account's folders or entries in a transaction.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, FolderId, FolderName, ModSeq, SpecialUse, Uid, UidValidity};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use std::collections::HashMap;

/// A folder as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    pub folder_id: FolderId,
    pub name: FolderName,
    pub special_use: Option<SpecialUse>,
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    pub recent_uid: Uid,
    pub modseq: ModSeq,
    pub flags_modseq: ModSeq,
}

type Columns = (i64, String, Option<String>, i64, i64, i64, i64, i64);

/// The account's state that every use of a folder is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub security_epoch: i64,
}

pub(crate) fn folder_row(columns: Columns) -> Result<FolderRow, Error> {
    let (folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq) = columns;
    Ok(FolderRow {
        folder_id: FolderId(folder_id),
        name: FolderName::new(&name).map_err(|_| Error::Damaged("a folder has an impossible name"))?,
        special_use: special_use.as_deref().and_then(SpecialUse::from_name),
        uid_validity: UidValidity(to_u32(uid_validity)),
        uid_next: Uid(to_u32(uid_next)),
        recent_uid: Uid(to_u32(recent_uid)),
        modseq: ModSeq(modseq.unsigned_abs()),
        flags_modseq: ModSeq(flags_modseq.unsigned_abs()),
    })
}

pub(crate) fn to_u32(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

type Subscribing<'q> = QueryScalar<'q, Postgres, bool, PgArguments>;

fn subscribing(account: AccountId, name: &FolderName, max: i64) -> Subscribing<'_> {
    sqlx::query_scalar(
        "with added as (
             insert into subscriptions (account_id, name)
             select $1, $2 where (select count(*) from subscriptions where account_id = $1) < $3
             on conflict do nothing returning 1
         )
         select exists (select from added)
             or exists (select from subscriptions where account_id = $1 and name = $2)",
    )
    .bind(account.0)
    .bind(name.as_str())
    .bind(max)
}

impl Store {
    /// The folder of this use of each mailbox that has one, by `folders_name_key`, the mailbox in front.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn special_folders(
        &self,
        accounts: &[AccountId],
        special_use: SpecialUse,
    ) -> Result<HashMap<AccountId, FolderId>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select account_id, min(folder_id) from folders where account_id = any ($1) and special_use = $2 group by account_id",
        )
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .bind(special_use.as_str())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(account, folder)| (AccountId(account), FolderId(folder))).collect())
    }
}

impl Store {
    /// The standing of an account that may log in, and its folder of that name, in one look.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folder_named(
        &self,
        account: AccountId,
        name: &FolderName,
    ) -> Result<Option<(Standing, Option<FolderRow>)>, Error> {
        type Row = (
            i64,
            Option<i64>,
            Option<String>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
        );
        let row: Option<Row> = sqlx::query_as(
            "select a.security_epoch, f.folder_id, f.special_use, f.uid_validity, f.uid_next, f.recent_uid, f.modseq,
                    f.flags_modseq
               from accounts a left join folders f on f.account_id = a.account_id and f.name = $2
              where a.account_id = $1 and a.state in ('new', 'active')",
        )
        .bind(account.0)
        .bind(name.as_str())
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((security_epoch, id, special, validity, next, recent, modseq, flags)) = row else {
            return Ok(None);
        };
        let numbers = (|| Some((id?, validity?, next?, recent?, modseq?, flags?)))();
        let folder = numbers.map(|(id, validity, next, recent, modseq, flags)| {
            folder_row((id, name.as_str().to_owned(), special, validity, next, recent, modseq, flags))
        });
        Ok(Some((Standing { security_epoch }, folder.transpose()?)))
    }

    /// The folder and the standing of its account, in one look; `None` when either is gone or not the account's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folder_standing(
        &self,
        account: AccountId,
        folder: FolderId,
    ) -> Result<Option<(FolderRow, Standing)>, Error> {
        type Row = (i64, String, Option<String>, i64, i64, i64, i64, i64, i64);
        let row: Option<Row> = sqlx::query_as(
            "select folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq,
                    a.security_epoch
               from folders join accounts a using (account_id)
              where folder_id = $2 and account_id = $1 and a.state in ('new', 'active')",
        )
        .bind(account.0)
        .bind(folder.0)
        .fetch_optional(&self.pools.main)
        .await?;
        let Some((id, name, special, validity, next, recent, modseq, flags, security_epoch)) = row else {
            return Ok(None);
        };
        let folder = folder_row((id, name, special, validity, next, recent, modseq, flags))?;
        Ok(Some((folder, Standing { security_epoch })))
    }

    /// The standing of an account that may log in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&self, account: AccountId) -> Result<Option<Standing>, Error> {
        let epoch: Option<i64> = sqlx::query_scalar(
            "select security_epoch from accounts where account_id = $1 and state in ('new', 'active')",
        )
        .bind(account.0)
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(epoch.map(|security_epoch| Standing { security_epoch }))
    }

    /// Subscribes, to `max` names at most; true when the name is subscribed now, also when it was already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn subscribe(&self, account: AccountId, name: &FolderName, max: i64) -> Result<bool, Error> {
        Ok(subscribing(account, name, max).fetch_one(&self.pools.main).await?)
    }

    /// Says nothing when the name was not subscribed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unsubscribe(&self, account: AccountId, name: &FolderName) -> Result<(), Error> {
        sqlx::query("delete from subscriptions where account_id = $1 and name = $2")
            .bind(account.0)
            .bind(name.as_str())
            .execute(&self.pools.main)
            .await?;
        Ok(())
    }

    /// The first uid nobody was told of as `\Recent`; afterwards all present ones have been.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_recent(&self, account: AccountId, folder: FolderId) -> Result<Option<Uid>, Error> {
        // Most of the time nothing is new, and reading does not write the row.
        let now: Option<(i64, i64)> = sqlx::query_as(
            "select recent_uid, uid_next from folders where account_id = $1 and folder_id = $2",
        )
        .bind(account.0)
        .bind(folder.0)
        .fetch_optional(&self.pools.main)
        .await?;
        if let Some((recent, next)) = now
            && recent == next
        {
            return Ok(Some(Uid(to_u32(recent))));
        }
        let first: Option<i64> = sqlx::query_scalar(
            "with before as (
                 select recent_uid from folders where account_id = $1 and folder_id = $2 for no key update
             )
             update folders f set recent_uid = f.uid_next
               from before
              where f.account_id = $1 and f.folder_id = $2
             returning before.recent_uid",
        )
        .bind(account.0)
        .bind(folder.0)
        .fetch_optional(&self.pools.chunks)
        .await?;
        Ok(first.map(|uid| Uid(to_u32(uid))))
    }
}

impl Tx {
    /// Takes the mailbox for this transaction and moves its modseq on; `None` when it is gone. The number belongs to
    /// this transaction alone: whoever waited for the lock reads a later one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_mailbox(&mut self, account: AccountId) -> Result<Option<ModSeq>, Error> {
        let modseq: Option<i64> = sqlx::query_scalar(
            "update counters set modseq = modseq + 1 where account_id = $1 returning modseq",
        )
        .bind(account.0)
        .fetch_optional(&mut *self.inner)
        .await?;
        Ok(modseq.map(|modseq| ModSeq(modseq.unsigned_abs())))
    }

    /// # Errors
    /// When the database fails.
    pub async fn folder_named(
        &mut self,
        account: AccountId,
        name: &FolderName,
    ) -> Result<Option<FolderRow>, Error> {
        let row: Option<Columns> = sqlx::query_as(
            "select folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq
               from folders where account_id = $1 and name = $2",
        )
        .bind(account.0)
        .bind(name.as_str())
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(folder_row).transpose()
    }

    /// Has the account a folder of this use?
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_use(&mut self, account: AccountId, special_use: SpecialUse) -> Result<bool, Error> {
        Ok(sqlx::query_scalar(
            "select exists (select from folders where account_id = $1 and special_use = $2)",
        )
        .bind(account.0)
        .bind(special_use.as_str())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// # Errors
    /// When the database fails.
    pub async fn count_folders(&mut self, account: AccountId) -> Result<i64, Error> {
        Ok(sqlx::query_scalar("select count(*) from folders where account_id = $1")
            .bind(account.0)
            .fetch_one(&mut *self.inner)
            .await?)
    }

    /// Adds a folder with a UIDVALIDITY no folder of this mailbox ever had: later than all before it, and, as a rule,
    /// the time in seconds.
    ///
    /// # Errors
    /// `folders_name_key` when the name is taken.
    pub async fn insert_folder(
        &mut self,
        account: AccountId,
        name: &FolderName,
        special_use: Option<SpecialUse>,
        now: Timestamp,
    ) -> Result<FolderRow, Error> {
        let row: Columns = sqlx::query_as(
            "with numbered as (
                 update counters set uid_validity = greatest(uid_validity + 1, extract(epoch from $4)::bigint)
                  where account_id = $1 returning uid_validity, modseq
             )
             insert into folders (account_id, name, special_use, uid_validity, modseq, flags_modseq, created_at)
             select $1, $2, $3, uid_validity, modseq, modseq, $4 from numbered
             returning folder_id, name, special_use, uid_validity, uid_next, recent_uid, modseq, flags_modseq",
        )
        .bind(account.0)
        .bind(name.as_str())
        .bind(special_use.map(SpecialUse::as_str))
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?;
        folder_row(row)
    }

    /// Renames the folder and those below it; returns how many rows changed.
    ///
    /// # Errors
    /// `folders_name_key` when a new name is taken.
    pub async fn rename_folders(
        &mut self,
        account: AccountId,
        from: &FolderName,
        to: &FolderName,
        modseq: ModSeq,
    ) -> Result<u64, Error> {
        let done = sqlx::query(
            "update folders set name = $3 || substr(name, length($2) + 1), modseq = $4
              where account_id = $1 and (name = $2 or starts_with(name, $2 || '/'))",
        )
        .bind(account.0)
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(modseq.0.cast_signed())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected())
    }

    /// The names of the folders below `name`, to check what a rename would make of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn folder_names_below(
        &mut self,
        account: AccountId,
        name: &FolderName,
    ) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(
            "select name from folders where account_id = $1 and starts_with(name, $2 || '/')",
        )
        .bind(account.0)
        .bind(name.as_str())
        .fetch_all(&mut *self.inner)
        .await?)
    }

    /// As [`Store::subscribe`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn subscribe(
        &mut self,
        account: AccountId,
        name: &FolderName,
        max: i64,
    ) -> Result<bool, Error> {
        Ok(subscribing(account, name, max).fetch_one(&mut *self.inner).await?)
    }

    /// Removes the folder's row; its entries must have been removed before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_folder_row(&mut self, account: AccountId, folder: FolderId) -> Result<(), Error> {
        sqlx::query("delete from tombstones where account_id = $1 and folder_id = $2")
            .bind(account.0)
            .bind(folder.0)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("delete from folders where account_id = $1 and folder_id = $2")
            .bind(account.0)
            .bind(folder.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
