//! The two date forms of IMAP, read and written.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `date-text = date-day "-" date-month "-" date-year`, date-day = 1*2DIGIT (RFC 3501 9).
pub(super) fn date_text(text: &[u8]) -> Option<Date> {
    let mut parts = text.split(|&b| b == b'-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(1..=2).contains(&day.len()) || year.len() != 4 {
        return None;
    }
    let month = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(month))? + 1;
    Date::new(digits(year)?, i8::try_from(month).ok()?, i8::try_from(digits(day)?).ok()?).ok()
}

/// `date-time`, without its quotes: `date-day-fixed "-" date-month "-" date-year SP time SP zone` (RFC 3501 9).
/// A day of one digit is taken without its space too; a leap second is the one before.
pub(super) fn date_time(text: &[u8]) -> Option<Timestamp> {
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let mut parts = text.split(|&b| b == b' ');
    let (date, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let date = date_text(date)?;
    // time = 2DIGIT ":" 2DIGIT ":" 2DIGIT
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = time else { return None };
    let two = |a, b| i8::try_from(digits(&[a, b])?).ok();
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let time = jiff::civil::Time::new(hour, minute, if second == 60 { 59 } else { second }, 0).ok()?;
    // zone = ("+" / "-") 4DIGIT
    let &[sign, h1, h2, m1, m2] = zone else { return None };
    let (hours, minutes) = (i32::from(two(h1, h2)?), i32::from(two(m1, m2)?));
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    if minutes > 59 {
        return None;
    }
    let offset = Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()?;
    offset.to_timestamp(DateTime::from_parts(date, time)).ok()
}

/// `date-time` with its quotes, as the local time at `offset` (whole minutes).
pub(super) fn write_date_time(at: Timestamp, offset: Offset) -> String {
    let local = offset.to_datetime(at);
    let month = usize::try_from(local.month() - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or("Jan");
    let minutes = offset.seconds() / 60;
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    format!(
        "\"{:2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}\"",
        local.day(),
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        minutes / 60,
        minutes % 60
    )
}

/// At most four ASCII digits.
fn digits(text: &[u8]) -> Option<i16> {
    let valid = (1..=4).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    valid.then(|| text.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    #[test]
    fn search_dates() {
        assert_eq!(date_text(b"1-Feb-1994"), Some(date(1994, 2, 1)));
        assert_eq!(date_text(b"01-FEB-1994"), Some(date(1994, 2, 1)));
        for bad in
            ["31-Feb-1994", "0-Feb-1994", "1-Foo-1994", "1-Feb-94", "001-Feb-1994", "1-Feb-1994-", "", "--"]
        {
            assert_eq!(date_text(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn internal_dates() {
        let at: Timestamp = "1996-07-17T09:44:25Z".parse().unwrap();
        assert_eq!(date_time(b"17-Jul-1996 02:44:25 -0700"), Some(at));
        assert_eq!(write_date_time(at, jiff::tz::offset(-7)), "\"17-Jul-1996 02:44:25 -0700\"");
        let first: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for form in [" 1-Jan-2026 00:00:00 +0000", "1-Jan-2026 07:00:00 +0700", "01-Jan-2026 05:30:00 +0530"]
        {
            assert_eq!(date_time(form.as_bytes()), Some(first), "{form:?}");
        }
        assert_eq!(write_date_time(first, jiff::tz::offset(7)), "\" 1-Jan-2026 07:00:00 +0700\"");
        assert_eq!(date_time(b"31-Dec-2016 23:59:60 +0000"), date_time(b"31-Dec-2016 23:59:59 +0000"));
    }

    #[test]
    fn refuses_other_forms() {
        for bad in [
            "17-Jul-1996 02:44:25",
            "17-Jul-1996 02:44:25 PDT",
            "17-Jul-1996 2:44:25 -0700",
            "17-Jul-1996  02:44:25 -0700",
            "17-Jul-1996 24:00:00 -0700",
            "17-Jul-1996 02:61:25 -0700",
            "17-Jul-1996 02:44:61 -0700",
            "17-Jul-1996 02:44:25 +9900",
            "17-Jul-1996 02:44:25 +0060",
            "31-Dec-9999 23:59:59 -2300",
        ] {
            assert_eq!(date_time(bad.as_bytes()), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(second in -62_135_596_800_i64..253_402_200_000, quarter in -47_i32..=56) {
            let at = Timestamp::from_second(second).unwrap();
            let offset = Offset::from_seconds(quarter * 900).unwrap();
            // Year 0 and before cannot be written.
            prop_assume!((1..=9999).contains(&offset.to_datetime(at).year()));
            let text = write_date_time(at, offset);
            prop_assert_eq!(date_time(text.trim_matches('"').as_bytes()), Some(at));
        }
    }
}
