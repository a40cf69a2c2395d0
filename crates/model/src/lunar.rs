//! Âm lịch: the Vietnamese lunisolar calendar, from which Tết and Giỗ Tổ follow.
//!
//! Hồ Ngọc Đức's method: new moons and the sun's place by Meeus's series, both taken at midnight UTC+7. That hour less
//! than in China moves whole months now and then (Tết 1985, 2007 and 2030), so a Chinese table would not do.
//! Invariant: a month begins on the day of its new moon; the month with the winter solstice is the eleventh; when thirteen
//! months lie between two of those, the first without a major solar term (trung khí) is the leap month (tháng nhuận).

use jiff::SignedDuration;
use jiff::civil::{Date, date};
use std::ops::RangeInclusive;

/// Gregorian years that can be converted: from Vietnam's change to UTC+7 on, and while the series hold.
pub const YEARS: RangeInclusive<i16> = 1968..=2100;

/// Mean length of a lunation, in days.
const LUNATION_DAYS: f64 = 29.530_588_68;
/// Julian day number of `EPOCH`, near which lunation 0 begins.
const EPOCH_JULIAN_DAY: i64 = 2_415_021;
const EPOCH: Date = date(1900, 1, 1);
/// UTC+7 as a part of a day.
const ZONE_DAYS: f64 = 7.0 / 24.0;

/// A day of the lunar calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LunarDate {
    /// The year that begins with the Tết of the Gregorian year of the same number.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// Whether it is the leap month that follows the month of the same number.
    pub leap: bool,
    /// 1 to 30.
    pub day: u8,
}

impl LunarDate {
    /// A day of a regular month; whether it exists is `date`'s to say.
    #[must_use]
    pub const fn new(year: i16, month: u8, day: u8) -> Self {
        Self { year, month, leap: false, day }
    }

    /// The lunar day of a Gregorian one; `None` outside `YEARS`.
    #[must_use]
    pub fn of(date: Date) -> Option<Self> {
        if !YEARS.contains(&date.year()) {
            return None;
        }
        let day = julian_day(date);
        let (year, month) = [date.year(), date.year() + 1]
            .into_iter()
            .flat_map(|year| months(year).into_iter().map(move |month| (year, month)))
            .find(|(_, month)| month.first <= day && day < month.end)?;
        Some(Self {
            year: if month.number >= 11 { year - 1 } else { year },
            month: month.number,
            leap: month.leap,
            day: u8::try_from(day - month.first + 1).ok()?,
        })
    }

    /// The Gregorian day of a lunar one; `None` where there is no such day, and outside `YEARS`.
    #[must_use]
    pub fn date(self) -> Option<Date> {
        if !YEARS.contains(&self.year) {
            return None;
        }
        let year = if self.month >= 11 { self.year + 1 } else { self.year };
        let month = months(year).into_iter().find(|m| m.number == self.month && m.leap == self.leap)?;
        let day = month.first + i64::from(self.day) - 1;
        if self.day == 0 || day >= month.end {
            return None;
        }
        EPOCH.checked_add(SignedDuration::from_hours(24 * (day - EPOCH_JULIAN_DAY))).ok()
    }
}

/// Mùng một Tết of the lunar year that begins in Gregorian `year`; `None` outside `YEARS`.
#[must_use]
pub fn new_year(year: i16) -> Option<Date> {
    LunarDate::new(year, 1, 1).date()
}

/// A month by the Julian day numbers of its first day and of the next month's.
struct Month {
    first: i64,
    end: i64,
    number: u8,
    leap: bool,
}

/// The months from the eleventh that began in `year - 1` to the last before the eleventh of `year`.
fn months(year: i16) -> Vec<Month> {
    let (first, end) = (eleventh_month(year - 1), eleventh_month(year));
    let starts: Vec<i64> = (first..=end).map(new_moon).collect();
    let pairs = || starts.iter().zip(starts.iter().skip(1));
    let leap_index = (end - first == 13)
        .then(|| pairs().skip(1).position(|(start, next)| sun_sign(*start) == sun_sign(*next)))
        .flatten()
        .map(|position| position + 1);
    // The numbers of the months, December's first: 11, 12, 1, 2, ...
    let mut number = 10;
    pairs()
        .enumerate()
        .map(|(index, (start, next))| {
            let leap = leap_index == Some(index);
            if !leap {
                number = number % 12 + 1;
            }
            Month { first: *start, end: *next, number, leap }
        })
        .collect()
}

/// The lunation whose month holds the winter solstice of `year`.
fn eleventh_month(year: i16) -> i64 {
    let days = (julian_day(date(year, 12, 31)) - EPOCH_JULIAN_DAY) as f64;
    let lunation = (days / LUNATION_DAYS).floor() as i64;
    // Begun after the solstice (270 degrees): then the month before held it.
    if sun_sign(new_moon(lunation)) >= 9 { lunation - 1 } else { lunation }
}

/// Julian day number of a Gregorian day.
fn julian_day(date: Date) -> i64 {
    EPOCH_JULIAN_DAY + date.duration_since(EPOCH).as_hours() / 24
}

/// Julian day number of the local day on which lunation `number` begins (Meeus, Astronomical Algorithms, 1991).
fn new_moon(number: i64) -> i64 {
    let k = number as f64;
    let t = k / 1236.85;
    let (t2, t3) = (t * t, t * t * t);
    let sin = |degrees: f64| degrees.to_radians().sin();
    let mean = 2_415_020.759_33 + LUNATION_DAYS * k + 0.000_117_8 * t2 - 0.000_000_155 * t3
        + 0.000_33 * sin(166.56 + 132.87 * t - 0.009_173 * t2);
    // Anomalies of the sun and the moon, and the moon's argument of latitude.
    let sun = 359.2242 + 29.105_356_08 * k - 0.000_033_3 * t2 - 0.000_003_47 * t3;
    let moon = 306.0253 + 385.816_918_06 * k + 0.010_730_6 * t2 + 0.000_012_36 * t3;
    let latitude = 21.2964 + 390.670_506_46 * k - 0.001_652_8 * t2 - 0.000_002_39 * t3;
    let correction = (0.1734 - 0.000_393 * t) * sin(sun) + 0.0021 * sin(2.0 * sun) - 0.4068 * sin(moon)
        + 0.0161 * sin(2.0 * moon)
        - 0.0004 * sin(3.0 * moon)
        + 0.0104 * sin(2.0 * latitude)
        - 0.0051 * sin(sun + moon)
        - 0.0074 * sin(sun - moon)
        + 0.0004 * sin(2.0 * latitude + sun)
        - 0.0004 * sin(2.0 * latitude - sun)
        - 0.0006 * sin(2.0 * latitude + moon)
        + 0.0010 * sin(2.0 * latitude - moon)
        + 0.0005 * sin(2.0 * moon + sun);
    let dynamical = -0.000_278 + 0.000_265 * t + 0.000_262 * t2;
    (mean + correction - dynamical + 0.5 + ZONE_DAYS).floor() as i64
}

/// Which twelfth of the ecliptic, 0 to 11 from the spring equinox, the sun is in as the local day begins.
fn sun_sign(julian_day: i64) -> i64 {
    let t = (julian_day as f64 - 2_451_545.5 - ZONE_DAYS) / 36525.0;
    let t2 = t * t;
    let sin = |degrees: f64| degrees.to_radians().sin();
    let anomaly = 357.529_10 + 35_999.050_30 * t - 0.000_155_9 * t2 - 0.000_000_48 * t * t2;
    let mean = 280.466_45 + 36_000.769_83 * t + 0.000_303_2 * t2;
    let centre = (1.914_600 - 0.004_817 * t - 0.000_014 * t2) * sin(anomaly)
        + (0.019_993 - 0.000_101 * t) * sin(2.0 * anomaly)
        + 0.000_290 * sin(3.0 * anomaly);
    let apparent = mean + centre - 0.005_69 - 0.004_78 * sin(125.04 - 1934.136 * t);
    (apparent.rem_euclid(360.0) / 30.0).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tết as kept in Vietnam; the second column where China's falls on another day.
    const TET: &[(Date, Option<Date>)] = &[
        (date(1968, 1, 29), Some(date(1968, 1, 30))),
        (date(1985, 1, 21), Some(date(1985, 2, 20))),
        (date(2000, 2, 5), None),
        (date(2007, 2, 17), Some(date(2007, 2, 18))),
        (date(2020, 1, 25), None),
        (date(2023, 1, 22), None),
        (date(2024, 2, 10), None),
        (date(2025, 1, 29), None),
        (date(2026, 2, 17), None),
        (date(2027, 2, 6), None),
        (date(2028, 1, 26), None),
        (date(2029, 2, 13), None),
        (date(2030, 2, 2), Some(date(2030, 2, 3))),
        (date(2031, 1, 23), None),
        (date(2032, 2, 11), None),
        (date(2033, 1, 31), None),
        (date(2034, 2, 19), None),
        (date(2035, 2, 8), None),
        (date(2036, 1, 28), None),
        (date(2037, 2, 15), None),
        (date(2038, 2, 4), None),
        (date(2039, 1, 24), None),
        (date(2040, 2, 12), None),
    ];

    #[test]
    fn tet_falls_where_vietnam_keeps_it() {
        for (vietnam, china) in TET {
            assert_eq!(new_year(vietnam.year()), Some(*vietnam));
            assert_ne!(Some(*vietnam), *china);
        }
    }

    #[test]
    fn gio_to_is_the_tenth_of_the_third_month() {
        for expected in [
            date(2020, 4, 2),
            date(2021, 4, 21),
            date(2022, 4, 10),
            date(2023, 4, 29),
            date(2024, 4, 18),
            date(2025, 4, 7),
            date(2026, 4, 26),
            date(2027, 4, 16),
            date(2028, 4, 4),
            date(2029, 4, 23),
        ] {
            assert_eq!(LunarDate::new(expected.year(), 3, 10).date(), Some(expected));
        }
    }

    #[test]
    fn leap_months_are_where_the_almanac_has_them() {
        for (year, month) in [(2012, 4), (2014, 9), (2017, 6), (2020, 4), (2023, 2), (2025, 6), (2028, 5)] {
            let leap = LunarDate { year, month, leap: true, day: 1 };
            assert!(leap.date().is_some(), "{year}");
            let others = (1..=12).filter(|other| *other != month);
            for month in others {
                assert_eq!(LunarDate { month, ..leap }.date(), None, "{year}");
            }
        }
        for year in [2024, 2026, 2027] {
            assert!((1..=12).all(|month| LunarDate { year, month, leap: true, day: 1 }.date().is_none()));
        }
        // The thirteen months around 2033, where programs that count solar terms carelessly err.
        assert_eq!(
            LunarDate::of(date(2033, 12, 22)),
            Some(LunarDate { year: 2033, month: 11, leap: true, day: 1 })
        );
    }

    #[test]
    fn days_that_do_not_exist_have_no_date() {
        for (month, day) in [(0, 1), (13, 1), (1, 0), (1, 31)] {
            assert_eq!(LunarDate::new(2026, month, day).date(), None);
        }
        assert_eq!(new_year(1967), None);
        assert_eq!(LunarDate::of(date(2101, 1, 1)), None);
    }

    /// Every day has one lunar day and comes back from it, and the lunar days follow each other.
    #[test]
    fn every_day_round_trips() {
        let mut day = date(2023, 12, 1);
        let mut before: Option<LunarDate> = None;
        while day <= date(2041, 2, 1) {
            let lunar = LunarDate::of(day).unwrap();
            assert_eq!(lunar.date(), Some(day), "{lunar:?}");
            if let Some(before) = before {
                let follows = lunar.day == before.day + 1 || (lunar.day == 1 && before.day >= 29);
                assert!(follows, "{before:?} {lunar:?}");
                assert!(lunar.day <= 30 && (lunar.year == before.year || (lunar.month, lunar.day) == (1, 1)));
            }
            before = Some(lunar);
            day = day.tomorrow().unwrap();
        }
    }
}
