//! Parts of a date, and offsets of zones (RFC 5260 4.1, 4.2), as far as they can be looked at before a message comes.

use super::super::problem::Value;
use super::super::program::Text;
use super::arguments::Arguments;
use super::{Compiled, Compiler};

/// RFC 5260 4.2.
const DATE_PARTS: [&str; 13] = [
    "year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone",
    "weekday",
];

impl Compiler<'_> {
    pub(super) fn date_part(&self, arguments: &mut Arguments) -> Compiled<Text> {
        let literal = arguments.literal(self)?;
        let at = literal.at;
        let text = self.text(literal)?;
        match text.literal() {
            Some(part) if !DATE_PARTS.contains(&part.to_ascii_lowercase().as_str()) => {
                Err(self.invalid(at, Value::DatePart, part))
            }
            _ => Ok(text),
        }
    }

    pub(super) fn zone(&self, arguments: &mut Arguments) -> Compiled<Text> {
        let literal = arguments.literal(self)?;
        let at = literal.at;
        let text = self.text(literal)?;
        match text.literal() {
            Some(zone) if offset_seconds(zone).is_none() => Err(self.invalid(at, Value::Zone, zone)),
            _ => Ok(text),
        }
    }
}

/// Of `+0700`: seconds east of UTC, within a day (RFC 5322 3.3).
pub(in crate::sieve) fn offset_seconds(zone: &str) -> Option<i32> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}
