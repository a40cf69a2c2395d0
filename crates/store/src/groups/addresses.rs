//! Addresses that groups gave up: when they were removed.
//!
//! Invariant: what a group was called by is nobody else's before the policy's time for it is over.

use super::NewGroup;
use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

impl Tx {
    /// Lets the same group, made again, have the address that it had, and whichever one has an address that was given up before
    /// `over`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn free_group_address(
        &mut self,
        new: &NewGroup<'_>,
        over: Option<Timestamp>,
    ) -> Result<(), Error> {
        sqlx::query(
            "delete from group_addresses
              where address = $1 and retired_at is not null
                and (name = $2 and rule = $3 and unit_id is not distinct from $4 and deep = $5 or retired_at < $6)",
        )
        .bind(new.address.to_string())
        .bind(new.name)
        .bind(new.rule.as_str())
        .bind(new.unit.map(|unit| unit.0))
        .bind(new.deep)
        .bind(over.map(Timestamp::to_sqlx))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Those of these addresses that removed groups had are mailboxes' from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn take_from_groups(&mut self, addresses: &[String]) -> Result<(), Error> {
        sqlx::query("delete from group_addresses where address = any ($1) and retired_at is not null")
            .bind(addresses)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Its addresses are kept from others.
    ///
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_group(&mut self, group: i64, now: Timestamp) -> Result<(), Error> {
        for statement in [
            "update group_addresses set retired_at = coalesce(retired_at, $2), until = null where group_id = $1",
            "insert into group_addresses (address, name, rule, unit_id, deep, retired_at)
             select address, name, rule, unit_id, deep, $2 from groups where group_id = $1",
        ] {
            sqlx::query(statement).bind(group).bind(now.to_sqlx()).execute(&mut *self.inner).await?;
        }
        sqlx::query("delete from groups where group_id = $1").bind(group).execute(&mut *self.inner).await?;
        Ok(())
    }
}
