//! Who is to be told of what the nightly job does to mailboxes.
//!
//! Invariant: nobody is told by an office that he no longer holds.

use crate::{Error, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, UnitId};

impl Store {
    /// Who is told what happens to the mailboxes of these units: the units' own mailboxes (hộp thư đơn vị), and the officers
    /// (cán bộ đầu mối) of the units and of those above them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn officers(
        &self,
        units: &[UnitId],
        now: Timestamp,
    ) -> Result<Vec<(UnitId, AccountId)>, Error> {
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
              where g.revoked_at is null and (g.until is null or g.until > $2) and g.mailbox_id is null
             order by 1, 2",
        )
        .bind(units.iter().map(|unit| unit.0).collect::<Vec<_>>())
        .bind(now.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(|(unit, account)| (UnitId(unit), AccountId(account))).collect())
    }
}
