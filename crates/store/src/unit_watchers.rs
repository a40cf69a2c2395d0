//! Who follows the mailboxes of an organisation and of those below it (AG Đ7.3).
//!
//! Invariant: it ends with what it rests on, as a role does ([`crate::EndedRole`]), unless whoever follows has a role over the
//! organisation, by which he sees its requests anyway.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{AccountId, Address, DomainId, PersonId, UnitId};

const DAMAGED: Error = Error::Damaged("a watcher has an address this version does not know");

/// Ends what is so; with the watcher's primary address and the unit's code.
macro_rules! ending {
    ($($which:tt)*) => {
        concat!(
            "with ended as (
                 delete from unit_watchers w using accounts a, units u
                  where a.account_id = w.account_id and u.unit_id = w.unit_id and ",
            $($which)*,
            " returning w.account_id, u.code)
             select coalesce(g.address, ''), e.code
               from ended e left join addresses g on g.account_id = e.account_id and g.kind = 'primary' order by 1, 2"
        )
    };
}

/// [`ending!`], unless a role covers it at $1.
macro_rules! ending_uncovered {
    ($which:literal) => {
        ending!(concat!(
            $which,
            " and not exists (select from grants r
                               where r.account_id = w.account_id and r.revoked_at is null and (r.until is null or r.until > $1)
                                 and r.mailbox_id is null and (r.domain_id is null or r.domain_id = u.domain_id)
                                 and (r.unit_id is null or r.unit_id = any (unit_path(w.unit_id))))"
        ))
    };
}

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

    /// Ends what somebody's mailboxes follow of `units`, or of all where there are none; says the mailbox and the unit's code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_watching_of(
        &mut self,
        person: PersonId,
        units: Option<&[UnitId]>,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Error> {
        let units: Option<Vec<i64>> = units.map(|units| units.iter().map(|unit| unit.0).collect());
        let ended = sqlx::query_as(ending_uncovered!(
            "a.person_id = $2 and ($3::bigint[] is null or w.unit_id = any ($3))"
        ));
        Ok(ended.bind(now.to_sqlx()).bind(person.0).bind(units).fetch_all(&mut *self.inner).await?)
    }

    /// Ends following units of the domain that are dissolved: who followed a small one does not come to follow what it was merged
    /// into. As [`Tx::end_watching_of`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_watching_of_dissolved(
        &mut self,
        domain: DomainId,
    ) -> Result<Vec<(String, String)>, Error> {
        let ended = sqlx::query_as(ending!("u.domain_id = $1 and u.dissolved_on is not null"));
        Ok(ended.bind(domain.0).fetch_all(&mut *self.inner).await?)
    }

    /// Ends what mailboxes of the first of two units, as `accounts` still have it, follow of the other one. As
    /// [`Tx::end_watching_of`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_watching_out_of(
        &mut self,
        left: &[(UnitId, UnitId)],
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Error> {
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let ended = sqlx::query_as(ending_uncovered!(
            "exists (select from unnest($2::bigint[], $3::bigint[]) as l (unit_id, above_id)
                      where l.unit_id = a.unit_id and l.above_id = w.unit_id)"
        ));
        Ok(ended
            .bind(now.to_sqlx())
            .bind(left.iter().map(|(unit, _)| unit.0).collect::<Vec<_>>())
            .bind(left.iter().map(|(_, above)| above.0).collect::<Vec<_>>())
            .fetch_all(&mut *self.inner)
            .await?)
    }
}
