//! What the nightly job changes for many mailboxes at once, and who is to be told.
//!
//! Invariants: mailboxes are locked in order of their number, as everywhere; what changed since it was looked at is left for
//! the next night.

use crate::life::{Columns, select_lives};
use crate::{Error, LifeRow, Store, Tx};
use model::{AccountId, UnitId};

impl Tx {
    /// Locks these mailboxes, moving their modseqs on, and says how they stand now. Those that are gone are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_lives(&mut self, accounts: &[AccountId]) -> Result<Vec<LifeRow>, Error> {
        let ids: Vec<i64> = accounts.iter().map(|account| account.0).collect();
        sqlx::query("select from counters where account_id = any ($1) order by account_id for no key update")
            .bind(&ids)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("update counters set modseq = modseq + 1 where account_id = any ($1)")
            .bind(&ids)
            .execute(&mut *self.inner)
            .await?;
        let rows: Vec<Columns> = sqlx::query_as(select_lives!(
            "where a.account_id = any ($1) order by a.account_id for no key update of a"
        ))
        .bind(ids)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.into_iter().map(Columns::row).collect()
    }
}

impl Store {
    /// Who is told what happens to the mailboxes of these units: the units' own mailboxes (hộp thư đơn vị), and the officers
    /// (cán bộ đầu mối) of the units and of those above them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn officers(&self, units: &[UnitId]) -> Result<Vec<(UnitId, AccountId)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "select u.unit_id, a.account_id
               from unnest($1::bigint[]) as u (unit_id)
               join accounts a on a.unit_id = u.unit_id and a.class = 'organisation'
              where a.state in ('new', 'active')
             union
             select u.unit_id, g.account_id
               from unnest($1::bigint[]) as u (unit_id)
               join grants g on g.unit_id = any (unit_path(u.unit_id)) and g.role = 'organisation-officer'
               join accounts a on a.account_id = g.account_id and a.state in ('new', 'active')
              where g.revoked_at is null and g.mailbox_id is null
             order by 1, 2",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(unit, account)| (UnitId(unit), AccountId(account))).collect())
    }
}
