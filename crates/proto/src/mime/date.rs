//! The Date field read tolerantly, for SEARCH SENTON and its kin: day, month and year as written.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// The calendar day of a Date field, its time and zone left out (RFC 9051 6.4.4 SENTON): `[Wed,] 7 Feb 2024 …`, also
/// with dashes, with two-digit years (RFC 5322 4.3), and in the order of asctime.
pub(super) fn civil_date(value: &[u8]) -> Option<Date> {
    let words: Vec<&[u8]> = value
        .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'-'))
        .filter(|word| !word.is_empty())
        .take(8)
        .collect();
    let position = words.iter().position(|word| month(word).is_some())?;
    let month = month(words.get(position)?)?;
    if let Some(day) = position.checked_sub(1).and_then(|before| number(words.get(before)?)) {
        let word = words.get(position + 1)?;
        return date(year(word)?, month, day);
    }
    // asctime: `Wed Feb  7 12:00:00 2024`
    let day = number(words.get(position + 1)?)?;
    let year = words.get(position + 2..)?.iter().find(|word| word.len() == 4).and_then(|word| year(word))?;
    date(year, month, day)
}

/// The moment of a Date field; without a time that can be read, midnight in UTC of its day.
pub(super) fn timestamp(value: &[u8]) -> Option<Timestamp> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let read = PARSER.parse_timestamp(value).ok();
    read.or_else(|| Some(civil_date(value)?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

fn date(year: i16, month: i8, day: u16) -> Option<Date> {
    Date::new(year, month, i8::try_from(day).ok()?).ok()
}

fn month(word: &[u8]) -> Option<i8> {
    let word = word.get(..3)?;
    let position = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(word))?;
    i8::try_from(position + 1).ok()
}

fn number(word: &[u8]) -> Option<u16> {
    std::str::from_utf8(word).ok().filter(|word| word.len() <= 4)?.parse().ok()
}

/// RFC 5322 4.3: two digits below 50 are of this century, others of the last; three count from 1900.
fn year(word: &[u8]) -> Option<i16> {
    let value = i16::try_from(number(word)?).ok()?;
    Some(match (word.len(), value) {
        (2, 0..=49) => 2000 + value,
        (2 | 3, _) => 1900 + value,
        _ => value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dates_as_written() {
        for (value, expected) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21"),
            ("7 Feb 2024 23:59:59 +0700 (ICT)", "2024-02-07"),
            ("Thu, 13 Feb 69 23:32 -0330", "1969-02-13"),
            ("01-Jan-05 00:00", "2005-01-01"),
            ("Wed Feb  7 12:00:00 2024", "2024-02-07"),
            ("Mon, 29 February 2024", "2024-02-29"),
        ] {
            assert_eq!(civil_date(value.as_bytes()).map(|date| date.to_string()).as_deref(), Some(expected));
        }
        for value in ["", "yesterday", "31 Feb 2024", "Feb", "1 Jan", "99999 Jan 2024", "\u{1ec7}"] {
            assert_eq!(civil_date(value.as_bytes()), None, "{value}");
        }
    }
}
