//! The texts of a message that are searched, normalised. A line end stands between what no needle may span.

use super::normalise;
use crate::mime::{self, Envelope, MailAddress, Part, Structure};

/// Lines of [`facts_text`], and one that an index adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FactsLine {
    Subject,
    From,
    To,
    Cc,
    Bcc,
    /// Not of the envelope: the values of these fields as [`header_text`] has them.
    MessageId,
}

impl FactsLine {
    /// Texts of this line: the subject, or each address.
    pub fn of(self, facts: &str) -> impl Iterator<Item = &str> {
        let line =
            facts.split('\n').nth(self as usize).filter(|line| !line.is_empty() || self == Self::Subject);
        line.into_iter().flat_map(|line| line.split('\t'))
    }
}

/// The fields of the envelope that have search keys of their own (RFC 3501 6.4.4), a line each, the addresses of a line
/// apart by tabs.
pub fn facts_text(envelope: &Envelope) -> String {
    let subject = envelope.subject.as_deref().map(mime::decode_header).unwrap_or_default();
    let mut text = normalise(&subject);
    for list in [&envelope.from, &envelope.to, &envelope.cc, &envelope.bcc] {
        text.push('\n');
        for (index, address) in list.iter().enumerate() {
            if index > 0 {
                text.push('\t');
            }
            text.push_str(&normalise(&address_text(address)));
        }
    }
    text
}

fn address_text(address: &MailAddress) -> String {
    let name = address.display_name().unwrap_or_default();
    let address = address.address().unwrap_or_default();
    format!("{name} <{address}>")
}

/// A header's fields, `name: value` each on a line.
pub fn header_text(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for field in mime::header_fields(octets) {
        if !text.is_empty() {
            text.push('\n');
        }
        // Of the octets that decode to nothing sensible a line end may be left in a name.
        text.push_str(&normalise(&String::from_utf8_lossy(field.name)));
        text.push_str(": ");
        text.push_str(&normalise(&mime::decode_header(&field.unfolded())));
    }
    text
}

/// Is the value of this field, by its name in lower case, written by people? The others are codes.
pub fn human_field(name: &str) -> bool {
    const HUMAN: [&str; 14] = [
        "subject",
        "from",
        "to",
        "cc",
        "bcc",
        "reply-to",
        "sender",
        "comments",
        "keywords",
        "organization",
        "thread-topic",
        "content-type",
        "content-disposition",
        "content-description",
    ];
    HUMAN.contains(&name)
}

/// The text of a text part as it is read: transfer encoding and charset undone, of HTML what is seen. `octets` is its
/// body as stored. `None` for other parts.
pub fn part_text(part: &Part, octets: &[u8]) -> Option<String> {
    let text = mime::decode_text(part, octets)?;
    Some(normalise(&if part.subtype == "html" { mime::html_text(&text) } else { text }))
}

/// Names of the files in a message, a line each.
pub fn names_text(structure: &Structure) -> String {
    let names: Vec<String> =
        structure.parts().filter_map(Part::file_name).map(|name| normalise(&name)).collect();
    names.join("\n")
}
