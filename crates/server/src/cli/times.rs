//! Days and moments as they are written on the command line: one reading of each, and one refusal that shows how to write it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, offset};

/// A day, such as 2026-11-01.
pub(crate) fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| match is_written_as_day(text) {
        true => format!("no month has the day {text}"),
        false => "write a day like 2026-11-01".to_owned(),
    })
}

/// Four, two and two digits: then the form is right, and the day is not.
fn is_written_as_day(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| digits(part))
}

/// A day or a minute in Việt Nam, or a moment with its zone.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let civil =
        text.parse::<DateTime>().map_err(|_| match text.split_once('T').map_or(text, |(day, _)| day) {
            day if is_written_as_day(day) && day.parse::<Date>().is_err() => {
                format!("no month has the day {day}")
            }
            _ => "write a time like 2026-11-01 or 2026-11-01T08:00".to_owned(),
        })?;
    TimeZone::fixed(offset(7)).to_timestamp(civil).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::cli::Arguments;
    use clap::Parser as _;

    #[test]
    fn moments_are_vietnamese_unless_they_say_otherwise() {
        let moment = |text: &str| super::moment(text).map(|at| at.to_string());
        assert_eq!(moment("2026-11-01").unwrap(), "2026-10-31T17:00:00Z");
        assert_eq!(moment("2026-11-01T08:00").unwrap(), "2026-11-01T01:00:00Z");
        assert_eq!(moment("2026-11-01T08:00:00Z").unwrap(), "2026-11-01T08:00:00Z");
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn a_day_that_no_month_has_is_not_said_to_be_written_wrongly() {
        let told = |text: &str| super::day(text).unwrap_err();
        assert_eq!(told("2027-02-30"), "no month has the day 2027-02-30");
        assert_eq!(told("2027-2-30"), "write a day like 2026-11-01");
        assert_eq!(super::moment("2027-02-30T08:00").unwrap_err(), "no month has the day 2027-02-30");
        assert!(super::moment("2027-02-28T25:00").unwrap_err().starts_with("write a time like"));
    }

    #[test]
    fn each_command_says_how_a_day_is_written() {
        for words in [
            "mailbox leave a@b.vn --reason R --to 2026-12-02 --from DAY",
            "mailbox leave a@b.vn --reason R --from 2026-12-01 --to DAY",
            "mailbox cancel-leave a@b.vn --reason R --from DAY",
            "mailbox add-many a.csv --since DAY",
            "holiday set 2027 --source S --off DAY",
            "holiday set 2027 --source S --worked DAY",
            "holiday set 2027 --source S --swap DAY=2027-01-09",
            "holiday set 2027 --source S --swap 2027-01-08=DAY",
            "unit add b.vn --name N --kind so --on DAY",
            "unit dissolve b.vn so --on DAY",
            "unit kinds b.vn --id x --label X --tier inner --ended DAY",
            "person appoint b.vn 1 T --on DAY",
            "person link b.vn a@b.vn --unit C --on DAY",
            "delegate grant a@b.vn c@b.vn --rights read --document D --since DAY",
            "delegate grant a@b.vn c@b.vn --rights read --document D --until DAY",
            "handling assign a@b.vn 1 --by c@b.vn --to c@b.vn --due DAY",
            "checking report --until 2026-12-02 --since DAY",
            "checking report --since 2026-12-01 --until DAY",
        ] {
            let try_with = |day: &str| {
                let words = format!("congthu {}", words.replace("DAY", day));
                Arguments::try_parse_from(words.split(' ')).map(drop).map_err(|error| error.to_string())
            };
            assert_eq!(try_with("2026-12-01"), Ok(()), "{words}");
            let refused = try_with("01/12/2026").unwrap_err();
            assert!(refused.contains("write a day like 2026-11-01"), "{words}: {refused}");
        }
    }
}
