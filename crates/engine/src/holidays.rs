//! The working days of each year (B6): by law, as announced, and as an administrator has entered them.

use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::Action;
use model::calendar::{WorkCalendar, YEARS, YearTable};
use serde_json::json;

impl Engine {
    /// What terms are counted by.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn calendar(&self) -> Result<WorkCalendar, Error> {
        let tables = self.0.store.holidays().await?;
        WorkCalendar::new(tables).map_err(|error| {
            // Each was checked when it was entered.
            tracing::error!(%error, "the table of holidays contradicts the calendar");
            Error::Unavailable
        })
    }

    /// Every year that was announced or decided, by year.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holidays(&self) -> Result<Vec<YearTable>, Error> {
        let decided = self.0.store.holidays().await?;
        let is_open = |table: &YearTable| !decided.iter().any(|known| known.year == table.year);
        let mut all: Vec<YearTable> = YearTable::announced().into_iter().filter(is_open).collect();
        all.extend(decided);
        all.sort_by_key(|table| table.year);
        Ok(all)
    }

    /// Enters or changes a year.
    ///
    /// # Errors
    /// `BadHolidays` when it contradicts the calendar.
    pub async fn set_holidays(&self, actor: &Actor, table: &YearTable) -> Result<(), AdminError> {
        self.authorize(actor, Action::CalendarChange, &AdminTarget::System).await?;
        if !YEARS.contains(&table.year) {
            return Err(AdminError::BadHolidays(format!(
                "the calendar goes from {} to {}",
                YEARS.start(),
                YEARS.end()
            )));
        }
        table.days().map_err(|error| AdminError::BadHolidays(error.to_string()))?;
        crate::admin::check_reason(&table.source)?;
        let mut tx = self.0.store.begin().await?;
        tx.set_holidays(table, actor.name(), self.now()).await?;
        let detail = json!({ "days": table });
        let target = AuditKind::Holiday.of_system(&table.year.to_string());
        self.audit(&mut tx, actor, "holiday.set", &target, &detail).await?;
        Ok(tx.commit().await?)
    }
}
