//! The `date` and `currentdate` tests (RFC 5260 4, 5).

use super::super::compare::How;
use super::super::compile::moments::offset_seconds;
use super::super::program::{DateTest, Zone};
use super::{Ran, Run};
use jiff::Zoned;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::{Offset, TimeZone};

impl Run<'_> {
    pub(super) fn date(&mut self, test: &DateTest) -> Ran<bool> {
        let mut moments = Vec::new();
        match &test.field {
            None => moments.push(self.setting.now.clone()),
            Some(name) => {
                let name = self.text(name)?;
                // RFC 5260 4: without an index, the first of its name.
                if let Some(field) = self.header.found(&name, test.index, &mut self.meter)?.first() {
                    self.meter.spend(4 + field.octets().len() / 16)?;
                    moments.extend(moment(field.octets()));
                }
            }
        }
        let zone = match &test.zone {
            Zone::Local => Some(self.setting.now.time_zone().clone()),
            Zone::Original => None,
            Zone::Given(text) => {
                let offset =
                    offset_seconds(&self.text(text)?).and_then(|seconds| Offset::from_seconds(seconds).ok());
                Some(offset.map_or(TimeZone::UTC, TimeZone::fixed))
            }
        };
        let part = self.text(&test.part)?.to_ascii_lowercase();
        let in_zone = |moment: Zoned| match &zone {
            Some(zone) => moment.with_time_zone(zone.clone()),
            None => moment,
        };
        let texts: Vec<String> =
            moments.into_iter().filter_map(|moment| shown(&in_zone(moment), &part)).collect();
        let keys = self.texts(&test.keys)?;
        if texts.is_empty() && !matches!(test.compare.how, How::Count(_)) {
            return Ok(false);
        }
        self.meets_any(test.compare, &texts, &keys)
    }
}

/// A date of RFC 5322 3.3, whole or behind the last semicolon, as in Received.
fn moment(value: &[u8]) -> Option<Zoned> {
    const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    let last = value.rsplit(|octet| *octet == b';').next().unwrap_or(value);
    let unfolded: Vec<u8> = last.iter().filter(|octet| !matches!(octet, b'\r' | b'\n')).copied().collect();
    PARSER.parse_zoned(unfolded.trim_ascii()).ok()
}

/// RFC 5260 4.2.
fn shown(moment: &Zoned, part: &str) -> Option<String> {
    let (date, time) = (moment.date(), moment.time());
    let offset = moment.offset().seconds();
    let zone = |colon: &str| {
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    };
    let plain_date = format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
    let plain_time = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    Some(match part {
        "year" => format!("{:04}", date.year()),
        "month" => format!("{:02}", date.month()),
        "day" => format!("{:02}", date.day()),
        "date" => plain_date,
        "julian" => julian(date).to_string(),
        "hour" => format!("{:02}", time.hour()),
        "minute" => format!("{:02}", time.minute()),
        "second" => format!("{:02}", time.second()),
        "time" => plain_time,
        "iso8601" if offset == 0 => format!("{plain_date}T{plain_time}Z"),
        "iso8601" => format!("{plain_date}T{plain_time}{}", zone(":")),
        "std11" => format!("{} {}", moment.strftime("%a, %d %b %Y %H:%M:%S"), zone("")),
        "zone" => zone(""),
        "weekday" => date.weekday().to_sunday_zero_offset().to_string(),
        _ => return None,
    })
}

/// RFC 5260 4.2: the modified Julian day, which began on 17 November 1858.
fn julian(date: jiff::civil::Date) -> i64 {
    let epoch = jiff::civil::date(1858, 11, 17);
    epoch.until(date).map_or(0, |span| i64::from(span.get_days()))
}
