//! Working days of state agencies in Vietnam: public holidays, compensatory and swapped days, and terms counted in them.
//!
//! Data, not branches: each year is a `YearTable` that an administrator can edit; what the law fixes (and the lunar
//! calendar decides) is computed, what the Prime Minister decides each year is in the table. Invariants: pure functions
//! of dates; a day is one of a kind; Saturday and Sunday are the weekly rest (Quyết định 188/1999/QĐ-TTg) unless swapped.

mod written;

pub use written::{local_text, written_day, written_time};

use crate::lunar;
use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The zone in which every rule counts its days.
pub const TIME_ZONE: &str = "Asia/Ho_Chi_Minh";
/// What the zone has been since 1975, without summer time.
const OFFSET: Offset = Offset::constant(7);

/// Years whose holidays a calendar knows without being told; before and after, only weekends rest.
pub const YEARS: RangeInclusive<i16> = 2020..=2050;

/// Days of Tết Âm lịch (Bộ luật Lao động 2019 Điều 112.1b).
const TET_DAYS: u8 = 5;

/// The day it is in Vietnam at that moment.
#[must_use]
pub fn local_date(at: Timestamp) -> Date {
    OFFSET.to_datetime(at).date()
}

/// Day and time of day in Vietnam.
#[must_use]
pub fn local_time(at: Timestamp) -> DateTime {
    OFFSET.to_datetime(at)
}

/// The moment the day begins in Vietnam.
#[must_use]
pub fn start_of_day(date: Date) -> Timestamp {
    // Fails only in the last hours of the year 9999.
    OFFSET.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

/// `days` later, or earlier if negative.
#[must_use]
pub fn plus_days(date: Date, days: i32) -> Date {
    date.saturating_add(SignedDuration::from_hours(24 * i64::from(days)))
}

/// `months` later on the day of the same number, or on the month's last day where there is none
/// (Bộ luật Dân sự 2015 Điều 148.3).
#[must_use]
pub fn plus_months(date: Date, months: u16) -> Date {
    date.saturating_add(Span::new().months(months))
}

/// Days from `from` to `to`; negative if `to` is earlier.
#[must_use]
pub fn days_from(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_hours() / 24
}

/// Ngày nghỉ lễ, tết (Bộ luật Lao động 2019 Điều 112.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holiday {
    /// 1/1, one day.
    NewYear,
    /// Five days around the lunar new year.
    Tet,
    /// 10/3 âm lịch, one day.
    HungKings,
    /// 30/4, one day.
    Reunification,
    /// 1/5, one day.
    Labour,
    /// 2/9 and the day before or after.
    NationalDay,
}

impl Holiday {
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::NewYear => "Tết Dương lịch",
            Self::Tet => "Tết Âm lịch",
            Self::HungKings => "Giỗ Tổ Hùng Vương",
            Self::Reunification => "Ngày Chiến thắng",
            Self::Labour => "Ngày Quốc tế Lao động",
            Self::NationalDay => "Quốc khánh",
        }
    }
}

/// Why a day differs from the weekly order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayKind {
    Holiday(Holiday),
    /// Nghỉ bù: the working day after a holiday that fell on a weekend (Điều 111.3).
    Compensatory(Holiday),
    /// Nghỉ hoán đổi: a working day moved to a weekend.
    SwappedOff,
    /// Làm bù: the weekend day it was moved to.
    SwappedWorking,
    /// Off by another decision that the table holds.
    DecreedOff,
    /// Worked by another decision that the table holds.
    DecreedWorking,
}

impl DayKind {
    #[must_use]
    pub const fn is_working(self) -> bool {
        matches!(self, Self::SwappedWorking | Self::DecreedWorking)
    }
}

/// A working day exchanged for a weekend day (hoán đổi ngày làm việc).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    pub off: Date,
    pub worked: Date,
}

/// Which day goes with 2/9 (Điều 112.1đ leaves it open, 112.3 to the Prime Minister).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondNationalDay {
    /// 1/9.
    Before,
    /// 3/9.
    After,
}

/// What is decided for one year (Bộ luật Lao động 2019 Điều 112.3); the rest follows from the law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearTable {
    pub year: i16,
    /// How many of the five days of Tết are the old year's last; 1 to 4, in practice 1 or 2.
    pub tet_days_before: u8,
    pub second_national_day: SecondNationalDay,
    #[serde(default)]
    pub swaps: Vec<Swap>,
    /// Further days off, for instance a new holiday or a storm.
    #[serde(default)]
    pub also_off: Vec<Date>,
    /// Further days worked.
    #[serde(default)]
    pub also_worked: Vec<Date>,
    /// Who decided: the document's number and date, or that nobody has yet.
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("the lunar calendar of {0} is not known")]
    Lunar(i16),
    #[error("1 to 4 days of Tết lie before it, not {0}")]
    TetDays(u8),
    #[error("{date} is not in {year}")]
    OtherYear { year: i16, date: Date },
    #[error("{0} cannot be given off: it is no working day")]
    NotWorking(Date),
    #[error("{0} cannot be worked instead: it is no free weekend day")]
    NotWeekend(Date),
}

impl YearTable {
    /// The year as it is until somebody decides: one day before Tết, 1/9, no swaps.
    #[must_use]
    pub fn undecided(year: i16) -> Self {
        Self {
            year,
            tet_days_before: 1,
            second_national_day: SecondNationalDay::Before,
            swaps: Vec::new(),
            also_off: Vec::new(),
            also_worked: Vec::new(),
            source: "chưa có quyết định; tính theo Bộ luật Lao động 2019".to_owned(),
        }
    }

    /// The years that were announced for cán bộ, công chức, viên chức; to start the editable table with.
    #[must_use]
    pub fn announced() -> Vec<Self> {
        let swap = |off, worked| Swap { off, worked };
        let source = |year: i16| format!("lịch nghỉ lễ, tết năm {year} đã công bố");
        vec![
            Self {
                tet_days_before: 2,
                second_national_day: SecondNationalDay::After,
                swaps: vec![swap(date(2024, 4, 29), date(2024, 5, 4))],
                source: source(2024),
                ..Self::undecided(2024)
            },
            Self {
                tet_days_before: 2,
                swaps: vec![swap(date(2025, 5, 2), date(2025, 4, 26))],
                source: source(2025),
                ..Self::undecided(2025)
            },
            Self {
                swaps: vec![
                    swap(date(2026, 1, 2), date(2026, 1, 10)),
                    swap(date(2026, 8, 31), date(2026, 8, 22)),
                ],
                source: source(2026),
                ..Self::undecided(2026)
            },
        ]
    }

    /// Every day of the year that differs from the weekly order.
    ///
    /// # Errors
    /// `CalendarError` where the table contradicts the calendar.
    pub fn days(&self) -> Result<BTreeMap<Date, DayKind>, CalendarError> {
        let mut days: BTreeMap<Date, DayKind> =
            self.holidays()?.into_iter().map(|(date, holiday)| (date, DayKind::Holiday(holiday))).collect();
        compensate(&mut days);
        for date in &self.also_off {
            self.own(*date)?;
            days.entry(*date).or_insert(DayKind::DecreedOff);
        }
        for swap in &self.swaps {
            self.own(swap.off)?;
            self.own(swap.worked)?;
            if !works(&days, swap.off) {
                return Err(CalendarError::NotWorking(swap.off));
            }
            if !is_weekend(swap.worked) || days.contains_key(&swap.worked) {
                return Err(CalendarError::NotWeekend(swap.worked));
            }
            days.insert(swap.off, DayKind::SwappedOff);
            days.insert(swap.worked, DayKind::SwappedWorking);
        }
        for date in &self.also_worked {
            self.own(*date)?;
            days.insert(*date, DayKind::DecreedWorking);
        }
        Ok(days)
    }

    /// Bộ luật Lao động 2019 Điều 112.1, before compensation.
    fn holidays(&self) -> Result<Vec<(Date, Holiday)>, CalendarError> {
        if !(1..TET_DAYS).contains(&self.tet_days_before) {
            return Err(CalendarError::TetDays(self.tet_days_before));
        }
        let unknown = CalendarError::Lunar(self.year);
        let tet = lunar::new_year(self.year).ok_or(unknown)?;
        let hung_kings = lunar::LunarDate::new(self.year, 3, 10).date().ok_or(unknown)?;
        let second = match self.second_national_day {
            SecondNationalDay::Before => date(self.year, 9, 1),
            SecondNationalDay::After => date(self.year, 9, 3),
        };
        let mut holidays = vec![
            (date(self.year, 1, 1), Holiday::NewYear),
            (hung_kings, Holiday::HungKings),
            (date(self.year, 4, 30), Holiday::Reunification),
            (date(self.year, 5, 1), Holiday::Labour),
            (date(self.year, 9, 2), Holiday::NationalDay),
            (second, Holiday::NationalDay),
        ];
        let first = plus_days(tet, -i32::from(self.tet_days_before));
        holidays.extend((0..TET_DAYS).map(|day| (plus_days(first, i32::from(day)), Holiday::Tet)));
        Ok(holidays)
    }

    fn own(&self, date: Date) -> Result<(), CalendarError> {
        if date.year() == self.year {
            Ok(())
        } else {
            Err(CalendarError::OtherYear { year: self.year, date })
        }
    }
}

/// Điều 111.3: a holiday on a weekend is made up for on the next working day, the earliest holiday first.
fn compensate(days: &mut BTreeMap<Date, DayKind>) {
    let on_weekends: Vec<(Date, Holiday)> = days
        .iter()
        .filter_map(|(date, kind)| match kind {
            DayKind::Holiday(holiday) if is_weekend(*date) => Some((*date, *holiday)),
            _ => None,
        })
        .collect();
    for (date, holiday) in on_weekends {
        let mut day = plus_days(date, 1);
        while !works(days, day) {
            day = plus_days(day, 1);
        }
        days.insert(day, DayKind::Compensatory(holiday));
    }
}

fn works(days: &BTreeMap<Date, DayKind>, date: Date) -> bool {
    days.get(&date).map_or(!is_weekend(date), |kind| kind.is_working())
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Which days are worked, and terms counted in them.
#[derive(Clone, Debug)]
pub struct WorkCalendar(BTreeMap<Date, DayKind>);

impl WorkCalendar {
    /// `YEARS` by law and announcement, the years in `tables` as those say.
    ///
    /// # Errors
    /// `CalendarError` where a table contradicts the calendar.
    pub fn new(tables: impl IntoIterator<Item = YearTable>) -> Result<Self, CalendarError> {
        let by_year = |table: YearTable| (table.year, table);
        let mut years: BTreeMap<i16, YearTable> = YEARS.map(YearTable::undecided).map(by_year).collect();
        years.extend(YearTable::announced().into_iter().map(by_year));
        years.extend(tables.into_iter().map(by_year));
        let mut days = BTreeMap::new();
        for table in years.into_values() {
            days.extend(table.days()?);
        }
        Ok(Self(days))
    }

    /// Why the day differs from the weekly order, if it does.
    #[must_use]
    pub fn kind(&self, date: Date) -> Option<DayKind> {
        self.0.get(&date).copied()
    }

    #[must_use]
    pub fn is_working_day(&self, date: Date) -> bool {
        works(&self.0, date)
    }

    /// `date` if it is worked, else the next day that is.
    #[must_use]
    pub fn working_day_from(&self, date: Date) -> Date {
        let mut day = date;
        while !self.is_working_day(day) && day < Date::MAX {
            day = plus_days(day, 1);
        }
        day
    }

    /// The `count`th working day after `date`, or before it if negative. The day itself is not counted, as the first
    /// day of a term is not (Bộ luật Dân sự 2015 Điều 147.2); 0 gives `date`, whether it is worked or not.
    #[must_use]
    pub fn add_working_days(&self, date: Date, count: i32) -> Date {
        let step = count.signum();
        let mut left = count.unsigned_abs();
        let mut day = date;
        while left > 0 && day > Date::MIN && day < Date::MAX {
            day = plus_days(day, step);
            left -= u32::from(self.is_working_day(day));
        }
        day
    }

    /// Working days after `from` up to and including `to`; 0 if `to` is not later.
    #[must_use]
    pub fn working_days_between(&self, from: Date, to: Date) -> u32 {
        let mut count = 0;
        let mut day = from;
        while day < to {
            day = plus_days(day, 1);
            count += u32::from(self.is_working_day(day));
        }
        count
    }

    /// The last day of a term of months that began with something on `from`: the day of the same number, or the month's
    /// last; if that is not worked, the next working day (Bộ luật Dân sự 2015 Điều 148.3, 148.5).
    #[must_use]
    pub fn term_end(&self, from: Date, months: u16) -> Date {
        self.working_day_from(plus_months(from, months))
    }

    /// The moment by which something received at `at` is to be done within `working_days`: the end of the last of them.
    /// So also the earliest moment for what is announced that many whole working days ahead (An Giang 63/2016 Điều 10.1k).
    #[must_use]
    pub fn deadline(&self, at: Timestamp, working_days: u16) -> Timestamp {
        let last = self.add_working_days(local_date(at), i32::from(working_days));
        start_of_day(plus_days(last, 1))
    }
}

#[cfg(test)]
mod tests;
