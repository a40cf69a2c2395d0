//! Files of many mailboxes, and which of their rows have become one.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, DomainId, UnitId};

/// An import of a file.
#[derive(Clone, Copy, Debug)]
pub struct NewImport<'a> {
    pub domain: DomainId,
    /// BLAKE3 of what the rows are made from.
    pub digest: &'a [u8; 32],
    pub file_name: &'a str,
    pub rows: u32,
    pub actor: &'a str,
}

/// A row of an import whose mailbox nobody has used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedRow {
    pub row: u32,
    pub account: AccountId,
    pub address: String,
    pub name: String,
    pub unit: Option<UnitId>,
}

impl Store {
    /// The import of this file that was begun before, and its rows that have become mailboxes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn import(
        &self,
        domain: DomainId,
        digest: &[u8; 32],
    ) -> Result<Option<(i64, Vec<(u32, AccountId)>)>, Error> {
        let import: Option<i64> =
            sqlx::query_scalar("select import_id from imports where domain_id = $1 and digest = $2")
                .bind(domain.0)
                .bind(digest.as_slice())
                .fetch_optional(&self.pools.main)
                .await?;
        let Some(import) = import else { return Ok(None) };
        let rows: Vec<(i32, i64)> = sqlx::query_as(
            "select row_number, account_id from import_rows where import_id = $1 order by row_number",
        )
        .bind(import)
        .fetch_all(&self.pools.main)
        .await?;
        let rows = rows.into_iter().map(|(row, account)| (row.unsigned_abs(), AccountId(account)));
        Ok(Some((import, rows.collect())))
    }
}

impl Tx {
    /// The number of the import; that of the one before when the same file was begun.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_import(&mut self, new: &NewImport<'_>, now: Timestamp) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "insert into imports (domain_id, digest, file_name, row_count, actor, started_at) values ($1, $2, $3, $4, $5, $6)
             on conflict on constraint imports_digest_key do update set finished_at = null
             returning import_id",
        )
        .bind(new.domain.0)
        .bind(new.digest.as_slice())
        .bind(new.file_name)
        .bind(i32::try_from(new.rows).unwrap_or(i32::MAX))
        .bind(new.actor)
        .bind(now.to_sqlx())
        .fetch_one(&mut *self.inner)
        .await?)
    }

    /// Rows that have become these mailboxes.
    ///
    /// # Errors
    /// `import_rows_pkey` when one of them had before: another node runs the same import.
    pub async fn note_import_rows(&mut self, import: i64, rows: &[(u32, AccountId)]) -> Result<(), Error> {
        sqlx::query(
            "insert into import_rows (import_id, row_number, account_id)
             select $1, row_number, account_id from unnest($2::integer[], $3::bigint[]) as r (row_number, account_id)",
        )
        .bind(import)
        .bind(rows.iter().map(|(row, _)| i32::try_from(*row).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, account)| account.0).collect::<Vec<_>>())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// # Errors
    /// When the database fails.
    pub async fn end_import(&mut self, import: i64, now: Timestamp) -> Result<(), Error> {
        sqlx::query("update imports set finished_at = $2 where import_id = $1")
            .bind(import)
            .bind(now.to_sqlx())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Rows of an import whose mailboxes nobody has used yet and whose passwords no owner has chosen, by account;
    /// locked, so that nobody begins meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unused_import_rows(&mut self, import: i64, rows: &[u32]) -> Result<Vec<UnusedRow>, Error> {
        let found: Vec<(i32, i64, String, String, Option<i64>)> = sqlx::query_as(
            "select r.row_number, a.account_id, g.address, a.display_name, a.unit_id
               from import_rows r
               join accounts a using (account_id)
               join addresses g on g.account_id = a.account_id and g.kind = 'primary'
              where r.import_id = $1 and r.row_number = any ($2) and a.state = 'new'
                and (a.password_change or a.password_set_at is null)
              order by a.account_id for no key update of a",
        )
        .bind(import)
        .bind(rows.iter().map(|row| i32::try_from(*row).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .fetch_all(&mut *self.inner)
        .await?;
        let row = |(row, account, address, name, unit): (i32, i64, String, String, Option<i64>)| UnusedRow {
            row: row.unsigned_abs(),
            account: AccountId(account),
            address,
            name,
            unit: unit.map(UnitId),
        };
        Ok(found.into_iter().map(row).collect())
    }

    /// Gives mailboxes that nobody has used new one-time passwords.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_one_time_passwords(
        &mut self,
        new: &[(AccountId, String)],
        (until, change): (Timestamp, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "update accounts a
                set password_hash = n.hash, password_set_at = $4, one_time_until = $3, password_change = true, change_reason = $5,
                    security_epoch = security_epoch + 1
               from unnest($1::bigint[], $2::text[]) as n (account_id, hash)
              where a.account_id = n.account_id",
        )
        .bind(new.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(new.iter().map(|(_, hash)| hash.as_str()).collect::<Vec<_>>())
        .bind(until.to_sqlx())
        .bind(now.to_sqlx())
        .bind(change)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
