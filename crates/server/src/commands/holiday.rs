//! `congthu holiday …`: the working days by which terms are counted.

use super::Session;
use crate::cli::{HolidayCommand, SetHolidays};
use anyhow::Result;
use model::calendar::{SecondNationalDay, YearTable};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &HolidayCommand) -> Result<()> {
    match command {
        HolidayCommand::List => list(session).await,
        HolidayCommand::Set(set) => {
            let table = table(set);
            session.node.engine.set_holidays(&session.actor, &table).await?;
            session.answer(&serde_json::to_value(&table)?, &format!("{} is entered", table.year))
        }
    }
}

async fn list(session: &Session) -> Result<()> {
    let all = session.node.engine.holidays().await?;
    let mut text = String::new();
    for table in &all {
        let _ = writeln!(text, "{}\t{}", table.year, table.source);
        for (day, kind) in table.days()? {
            let is_working = if kind.is_working() { "làm việc" } else { "nghỉ" };
            let _ = writeln!(text, "  {day}\t{}\t{is_working}", day.strftime("%a"));
        }
    }
    session.answer(&serde_json::to_value(&all)?, &text)
}

fn table(set: &SetHolidays) -> YearTable {
    let second = if set.third_of_september { SecondNationalDay::After } else { SecondNationalDay::Before };
    YearTable {
        tet_days_before: set.tet_days_before,
        second_national_day: second,
        swaps: set.swap.clone(),
        also_off: set.off.clone(),
        also_worked: set.worked.clone(),
        source: set.source.clone(),
        ..YearTable::undecided(set.year)
    }
}
