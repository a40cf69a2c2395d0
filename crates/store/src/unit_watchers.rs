//! Who follows the mailboxes of an organisation and of those below it (AG Đ7.3).

use crate::{Error, Store, Tx};
use model::{AccountId, Address, UnitId};

const DAMAGED: Error = Error::Damaged("a watcher has an address this version does not know");

impl Store {
    /// Who follows the organisation, one above it, or the one of the mailbox; in use, each once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watchers_over(
        &self,
        unit: Option<UnitId>,
        account: Option<AccountId>,
    ) -> Result<Vec<AccountId>, Error> {
        let rows: Vec<i64> = sqlx::query_scalar(
            "with recursive above (unit_id, parent_id) as (
                 select unit_id, parent_id from units
                  where unit_id = $1 or unit_id = (select unit_id from accounts where account_id = $2)
                  union
                 select u.unit_id, u.parent_id from units u join above a on u.unit_id = a.parent_id
             )
             select distinct w.account_id
               from above join unit_watchers w using (unit_id) join accounts a using (account_id)
              where a.state in ('new', 'active') order by w.account_id",
        )
        .bind(unit.map(|unit| unit.0))
        .bind(account.map(|account| account.0))
        .fetch_all(&self.pools.main)
        .await?;
        Ok(rows.into_iter().map(AccountId).collect())
    }

    /// Who follows this organisation by itself, by address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_watchers(&self, unit: UnitId) -> Result<Vec<Address>, Error> {
        let rows: Vec<String> = sqlx::query_scalar(
            "select g.address from unit_watchers w
               join addresses g on g.account_id = w.account_id and g.kind = 'primary'
              where w.unit_id = $1 order by g.address",
        )
        .bind(unit.0)
        .fetch_all(&self.pools.main)
        .await?;
        rows.iter().map(|address| address.parse().map_err(|_| DAMAGED)).collect()
    }
}

impl Tx {
    /// False: it was so already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watch_unit(
        &mut self,
        unit: UnitId,
        account: AccountId,
        watches: bool,
    ) -> Result<bool, Error> {
        let statement = if watches {
            "insert into unit_watchers (unit_id, account_id) values ($1, $2) on conflict do nothing"
        } else {
            "delete from unit_watchers where unit_id = $1 and account_id = $2"
        };
        let done = sqlx::query(statement).bind(unit.0).bind(account.0).execute(&mut *self.inner).await?;
        Ok(done.rows_affected() > 0)
    }
}
