//! Years whose working days an administrator has decided.

use crate::{Error, Store, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::calendar::YearTable;

const DAMAGED: Error = Error::Damaged("a year's holidays are not what this version knows");

impl Store {
    /// By year.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holidays(&self) -> Result<Vec<YearTable>, Error> {
        let rows: Vec<serde_json::Value> =
            sqlx::query_scalar("select days from holidays order by year").fetch_all(&self.pools.main).await?;
        rows.into_iter().map(|days| serde_json::from_value(days).map_err(|_| DAMAGED)).collect()
    }
}

impl Tx {
    /// # Errors
    /// When the database fails.
    pub async fn set_holidays(&mut self, table: &YearTable, by: &str, at: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "insert into holidays (year, days, decided_by, decided_at) values ($1, $2, $3, $4)
             on conflict (year) do update
                set days = excluded.days, decided_by = excluded.decided_by, decided_at = excluded.decided_at",
        )
        .bind(table.year)
        .bind(serde_json::to_value(table).map_err(|_| DAMAGED)?)
        .bind(by)
        .bind(at.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
