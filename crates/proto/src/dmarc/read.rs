//! Reading a report, in one pass over its elements.

use super::{Disposition, DkimResult, Report, Row, SpfResult, TEXT_BYTES_MAX, Unreadable};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use std::net::IpAddr;

/// Elements within each other: the schema has six.
const DEPTH_MAX: usize = 12;
/// Rows that are kept, the first ones: those of a day's report of a domain are some hundred.
const ROWS_MAX: usize = 10_000;
/// Signatures and reasons of one row.
const PARTS_MAX: usize = 10;

/// Reads the document.
///
/// # Errors
/// `Xml`, `Missing`.
pub fn read(xml: &[u8]) -> Result<Report, Unreadable> {
    let xml = String::from_utf8_lossy(xml.strip_prefix(b"\xef\xbb\xbf").unwrap_or(xml));
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().expand_empty_elements = true;
    let mut building = Building::default();
    loop {
        match reader.read_event().map_err(|_| Unreadable::Xml("it is not well-formed"))? {
            Event::Start(start) => building.open(start.local_name().as_ref())?,
            Event::End(_) => building.close(),
            Event::Text(text) => building.add(&text.xml10_content()),
            Event::CData(text) => building.add(&text.xml10_content()),
            Event::GeneralRef(reference) => building.add(&resolved(&reference)?),
            Event::DocType(_) => return Err(Unreadable::Xml("it defines a type of its own")),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    building.finish()
}

/// XML 1.0 4.6: those that need no definition.
fn resolved(reference: &BytesRef<'_>) -> Result<String, Unreadable> {
    let unknown = Unreadable::Xml("it has an entity that nobody defined");
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character.to_string());
    }
    let name = reference.xml10_content();
    Ok(match name.as_ref() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return Err(unknown),
    }
    .to_owned())
}

/// What was read so far.
#[derive(Debug, Default)]
struct Building {
    report: Report,
    /// Names of the open elements below the root.
    path: Vec<String>,
    has_root: bool,
    has_ended: bool,
    text: String,
    row: Partial,
    dkim: DkimResult,
    spf: SpfResult,
    dates: (Option<i64>, Option<i64>),
}

/// A row that is being read.
#[derive(Debug, Default)]
struct Partial {
    source: Option<IpAddr>,
    messages: u64,
    disposition: Disposition,
    dkim_aligned: bool,
    spf_aligned: bool,
    reasons: Vec<String>,
    header_from: String,
    envelope_from: String,
    dkim: Vec<DkimResult>,
    spf: Option<SpfResult>,
}

impl Building {
    fn open(&mut self, name: &str) -> Result<(), Unreadable> {
        self.text.clear();
        if !self.has_root {
            self.has_root = true;
            let is_report = name == "feedback";
            return if is_report { Ok(()) } else { Err(Unreadable::Xml("it is another document")) };
        }
        if self.path.len() >= DEPTH_MAX {
            return Err(Unreadable::Xml("it is too deep"));
        }
        // Longer names are of none that is known.
        let name: String = name.chars().take(TEXT_BYTES_MAX).collect();
        self.path.push(name);
        Ok(())
    }

    fn add(&mut self, text: &str) {
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        for character in plain {
            if self.text.len() + character.len_utf8() > TEXT_BYTES_MAX {
                return;
            }
            // What stands in front of a text is layout.
            if !(self.text.is_empty() && character.is_whitespace()) {
                self.text.push(character);
            }
        }
    }

    fn close(&mut self) {
        let text = std::mem::take(&mut self.text).trim_end().to_owned();
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [] => self.has_ended = true,
            ["report_metadata" | "policy_published", ..] => {
                set(&mut self.report, &mut self.dates, &path, text);
            }
            ["record", "auth_results", "dkim", name] => {
                let field = match *name {
                    "domain" => &mut self.dkim.domain,
                    "selector" => &mut self.dkim.selector,
                    "result" => &mut self.dkim.result,
                    _ => &mut String::new(),
                };
                *field = text;
            }
            ["record", "auth_results", "spf", name] => match *name {
                "domain" => self.spf.domain = text,
                "scope" => self.spf.of_helo = text == "helo",
                "result" => self.spf.result = text,
                _ => {}
            },
            ["record", "auth_results", "dkim"] => {
                let found = std::mem::take(&mut self.dkim);
                if self.row.dkim.len() < PARTS_MAX && !found.domain.is_empty() {
                    self.row.dkim.push(found);
                }
            }
            ["record", "auth_results", "spf"] => {
                let found = std::mem::take(&mut self.spf);
                self.row.spf.get_or_insert(found);
            }
            ["record"] => {
                let row = std::mem::take(&mut self.row).finish();
                self.report.rows.extend(row.filter(|_| self.report.rows.len() < ROWS_MAX));
            }
            ["record", ..] => self.row.set(&path, text),
            _ => {}
        }
        self.path.pop();
    }

    fn finish(self) -> Result<Report, Unreadable> {
        if !self.has_ended {
            return Err(Unreadable::Xml("it ends before its end"));
        }
        let mut report = self.report;
        for (text, name) in [(&report.org, "org_name"), (&report.id, "report_id"), (&report.domain, "domain")]
        {
            if text.is_empty() {
                return Err(Unreadable::Missing(name));
            }
        }
        let (Some(begin), Some(end)) = self.dates else { return Err(Unreadable::Missing("date_range")) };
        (report.begin, report.end) = (begin, end);
        Ok(report)
    }
}

fn set(report: &mut Report, dates: &mut (Option<i64>, Option<i64>), path: &[&str], text: String) {
    match path {
        ["report_metadata", "org_name"] => report.org = text,
        ["report_metadata", "email"] => report.email = text,
        ["report_metadata", "report_id"] => report.id = text,
        ["report_metadata", "date_range", "begin"] => dates.0 = text.parse().ok(),
        ["report_metadata", "date_range", "end"] => dates.1 = text.parse().ok(),
        ["policy_published", "domain"] => report.domain = domain(&text),
        ["policy_published", "adkim"] => report.strict_dkim = text == "s",
        ["policy_published", "aspf"] => report.strict_spf = text == "s",
        ["policy_published", "p"] => report.policy = text,
        ["policy_published", "sp"] => report.below = Some(text),
        _ => {}
    }
}

impl Partial {
    fn set(&mut self, path: &[&str], text: String) {
        match path {
            [_, "row", "source_ip"] => self.source = text.parse().ok(),
            [_, "row", "count"] => self.messages = text.parse().unwrap_or(0),
            [_, "row", "policy_evaluated", "disposition"] => self.disposition = Disposition::of(&text),
            [_, "row", "policy_evaluated", "dkim"] => self.dkim_aligned = text == "pass",
            [_, "row", "policy_evaluated", "spf"] => self.spf_aligned = text == "pass",
            [_, "row", "policy_evaluated", "reason", "type"] if self.reasons.len() < PARTS_MAX => {
                self.reasons.push(text);
            }
            [_, "identifiers", "header_from"] => self.header_from = domain(&text),
            [_, "identifiers", "envelope_from"] => self.envelope_from = domain(&text),
            _ => {}
        }
    }

    /// `None`: it says of nothing how often.
    fn finish(self) -> Option<Row> {
        let source = self.source.filter(|_| self.messages > 0)?;
        Some(Row {
            source,
            messages: self.messages,
            disposition: self.disposition,
            dkim_aligned: self.dkim_aligned,
            spf_aligned: self.spf_aligned,
            reasons: self.reasons,
            header_from: self.header_from,
            envelope_from: self.envelope_from,
            dkim: self.dkim,
            spf: self.spf,
        })
    }
}

fn domain(text: &str) -> String {
    text.trim_end_matches('.').to_lowercase()
}
