//! Years as they were announced, and terms across Tết, leap days and month ends.

use super::*;

fn calendar() -> WorkCalendar {
    WorkCalendar::new([]).unwrap()
}

/// Runs of days off, as they were announced, for cán bộ, công chức; weekends included.
const OFF: &[(Date, Date)] = &[
    // 2022: 30/4 on a Saturday, 1/5 on a Sunday.
    (date(2022, 4, 30), date(2022, 5, 3)),
    // 2023: Giỗ Tổ, 30/4 and 1/5 in a row.
    (date(2023, 4, 29), date(2023, 5, 3)),
    (date(2024, 1, 1), date(2024, 1, 1)),
    (date(2024, 2, 8), date(2024, 2, 14)),
    (date(2024, 4, 18), date(2024, 4, 18)),
    (date(2024, 4, 27), date(2024, 5, 1)),
    (date(2024, 8, 31), date(2024, 9, 3)),
    (date(2025, 1, 1), date(2025, 1, 1)),
    (date(2025, 1, 25), date(2025, 2, 2)),
    (date(2025, 4, 5), date(2025, 4, 7)),
    (date(2025, 4, 30), date(2025, 5, 4)),
    (date(2025, 8, 30), date(2025, 9, 2)),
    (date(2026, 1, 1), date(2026, 1, 4)),
    (date(2026, 2, 14), date(2026, 2, 22)),
    (date(2026, 4, 25), date(2026, 4, 27)),
    (date(2026, 4, 30), date(2026, 5, 3)),
    (date(2026, 8, 29), date(2026, 9, 2)),
    // 2027, by law: 5 to 9 February, Saturday and Sunday made up for on the 10th and 11th.
    (date(2027, 2, 5), date(2027, 2, 11)),
    // 2028: the first of January on a Saturday.
    (date(2028, 1, 1), date(2028, 1, 3)),
];

#[test]
fn announced_holidays_are_off_and_their_neighbours_worked() {
    let calendar = calendar();
    for (first, last) in OFF {
        let mut day = *first;
        while day <= *last {
            assert!(!calendar.is_working_day(day), "{day}");
            day = plus_days(day, 1);
        }
        for neighbour in [plus_days(*first, -1), plus_days(*last, 1)] {
            assert!(calendar.is_working_day(neighbour) || is_weekend(neighbour), "{neighbour}");
        }
    }
}

#[test]
fn letters_write_days_and_minutes_as_people_here_do() {
    assert_eq!(written_day(date(2026, 12, 1)), "01/12/2026");
    // Seven hours ahead: the next morning.
    assert_eq!(written_time("2026-11-29T18:05:40Z".parse().unwrap()), "01 giờ 05 ngày 30/11/2026");
}

#[test]
fn swapped_saturdays_are_worked() {
    let calendar = calendar();
    for day in [date(2024, 5, 4), date(2025, 4, 26), date(2026, 1, 10), date(2026, 8, 22)] {
        assert_eq!(calendar.kind(day), Some(DayKind::SwappedWorking));
        assert!(calendar.is_working_day(day) && is_weekend(day));
    }
    assert_eq!(calendar.kind(date(2026, 8, 31)), Some(DayKind::SwappedOff));
    assert_eq!(calendar.kind(date(2026, 4, 27)), Some(DayKind::Compensatory(Holiday::HungKings)));
}

/// Eleven days a year are off on what would have been working days, whatever falls on weekends.
#[test]
fn every_year_has_its_eleven_days() {
    for year in YEARS {
        let days = YearTable::undecided(year).days().unwrap();
        let free = days.keys().filter(|date| !is_weekend(**date)).count();
        let coinciding = 11 - days.values().filter(|kind| matches!(kind, DayKind::Holiday(_))).count();
        assert_eq!(free + coinciding, 11, "{year}");
        assert!(days.keys().all(|date| date.year() == year), "{year}");
    }
}

#[test]
fn a_table_replaces_a_year() {
    let mut table = YearTable::undecided(2027);
    table.tet_days_before = 2;
    table.second_national_day = SecondNationalDay::After;
    table.also_off = vec![date(2027, 11, 24)];
    table.also_worked = vec![date(2027, 11, 27)];
    let calendar = WorkCalendar::new([table]).unwrap();
    assert!(!calendar.is_working_day(date(2027, 2, 4)) && calendar.is_working_day(date(2027, 2, 11)));
    assert!(!calendar.is_working_day(date(2027, 9, 3)) && calendar.is_working_day(date(2027, 9, 1)));
    assert_eq!(calendar.kind(date(2027, 11, 24)), Some(DayKind::DecreedOff));
    assert!(calendar.is_working_day(date(2027, 11, 27)));
}

#[test]
fn a_table_that_contradicts_the_calendar_is_refused() {
    let year = || YearTable::undecided(2027);
    let swap = |off, worked| YearTable { swaps: vec![Swap { off, worked }], ..year() };
    let cases = [
        (YearTable { tet_days_before: 0, ..year() }, CalendarError::TetDays(0)),
        (YearTable { tet_days_before: 5, ..year() }, CalendarError::TetDays(5)),
        (YearTable::undecided(2200), CalendarError::Lunar(2200)),
        (swap(date(2027, 9, 2), date(2027, 9, 4)), CalendarError::NotWorking(date(2027, 9, 2))),
        (swap(date(2027, 9, 3), date(2027, 9, 6)), CalendarError::NotWeekend(date(2027, 9, 6))),
        (swap(date(2027, 9, 3), date(2027, 2, 6)), CalendarError::NotWeekend(date(2027, 2, 6))),
        (
            YearTable { also_off: vec![date(2028, 1, 4)], ..year() },
            CalendarError::OtherYear { year: 2027, date: date(2028, 1, 4) },
        ),
    ];
    for (table, error) in cases {
        assert_eq!(WorkCalendar::new([table]).unwrap_err(), error);
    }
}

#[test]
fn working_days_are_counted() {
    let calendar = calendar();
    for (from, count, expected) in [
        // A Friday; a Saturday; a Sunday.
        (date(2026, 11, 20), 1, date(2026, 11, 23)),
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (date(2026, 11, 22), 1, date(2026, 11, 23)),
        (date(2026, 11, 22), 0, date(2026, 11, 22)),
        // Across Tết 2026: asked for on Friday the 13th, done on Monday the 23rd.
        (date(2026, 2, 13), 1, date(2026, 2, 23)),
        (date(2026, 2, 13), 3, date(2026, 2, 25)),
        (date(2026, 2, 23), -1, date(2026, 2, 13)),
        // Onto a swapped Saturday.
        (date(2026, 1, 9), 1, date(2026, 1, 10)),
        (date(2026, 8, 21), 2, date(2026, 8, 24)),
        // Across the leap day, a Thursday in 2024 and a Tuesday in 2028.
        (date(2024, 2, 28), 1, date(2024, 2, 29)),
        (date(2024, 2, 28), 2, date(2024, 3, 1)),
        (date(2028, 2, 28), 2, date(2028, 3, 1)),
        // Across a year's end.
        (date(2026, 12, 31), 1, date(2027, 1, 4)),
    ] {
        assert_eq!(calendar.add_working_days(from, count), expected, "{from} {count}");
    }
}

#[test]
fn adding_and_counting_agree() {
    let calendar = calendar();
    let mut day = date(2024, 1, 1);
    while day < date(2029, 1, 1) {
        for count in [1, 2, 5, 23] {
            let later = calendar.add_working_days(day, count);
            assert!(calendar.is_working_day(later) && later > day);
            assert_eq!(calendar.working_days_between(day, later), count.unsigned_abs(), "{day} {count}");
            assert_eq!(calendar.working_days_between(later, day), 0);
            if calendar.is_working_day(day) {
                assert_eq!(calendar.add_working_days(later, -count), day);
            }
        }
        day = plus_days(day, 1);
    }
}

#[test]
fn terms_of_months_end_on_working_days() {
    let calendar = calendar();
    for (from, months, end) in [
        (date(2026, 3, 10), 3, date(2026, 6, 10)),
        // 30 November 2026 and three months: February has 28 days, and they end on a Sunday.
        (date(2026, 11, 30), 3, date(2027, 3, 1)),
        (date(2027, 11, 30), 3, date(2028, 2, 29)),
        (date(2023, 11, 29), 3, date(2024, 2, 29)),
        (date(2026, 12, 31), 6, date(2027, 6, 30)),
        // Ends in the days of Tết 2026: on the first working day after them.
        (date(2025, 11, 16), 3, date(2026, 2, 23)),
        (date(2025, 11, 20), 3, date(2026, 2, 23)),
        (date(2026, 5, 31), 3, date(2026, 9, 3)),
    ] {
        assert_eq!(calendar.term_end(from, months), end, "{from}");
    }
}

#[test]
fn days_begin_in_vietnam() {
    let last_second: Timestamp = "2026-02-16T16:59:59Z".parse().unwrap();
    let midnight: Timestamp = "2026-02-16T17:00:00Z".parse().unwrap();
    assert_eq!(local_date(last_second), date(2026, 2, 16));
    assert_eq!(local_date(midnight), date(2026, 2, 17));
    assert_eq!(start_of_day(date(2026, 2, 17)), midnight);
    let deadline = calendar().deadline("2026-02-13T09:00:00Z".parse().unwrap(), 1);
    assert_eq!(deadline, start_of_day(date(2026, 2, 24)));
}

/// The fixed offset is what the time zone database says, for as long as it says anything.
#[test]
fn the_zone_is_seven_hours_ahead() {
    let zone = jiff::tz::TimeZone::get(TIME_ZONE).unwrap();
    for year in YEARS {
        for month in 1..=12 {
            let moment = start_of_day(date(year, month, 1));
            assert_eq!(zone.to_offset(moment), OFFSET, "{year}-{month}");
        }
    }
}

#[test]
fn the_ends_of_time_are_survived() {
    let calendar = calendar();
    assert_eq!(calendar.add_working_days(Date::MAX, 5), Date::MAX);
    assert_eq!(calendar.add_working_days(Date::MIN, -5), Date::MIN);
    assert_eq!(calendar.working_day_from(Date::MAX), Date::MAX);
    assert_eq!(plus_months(Date::MAX, 3), Date::MAX);
    let _ = start_of_day(Date::MAX);
}
