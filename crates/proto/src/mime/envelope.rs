//! The envelope of a message as IMAP shows it: raw values, unfolded, encoded words kept.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::header::{HeaderField, unfold};
use super::limits::{ADDRESS_BYTES_MAX, FIELDS_MAX, REFERENCES_BYTES_MAX, VALUE_MAX};
use super::{address, date, header_fields};

/// First octet of the stored form; another one means facts are made anew from the raw bytes.
const VERSION: u8 = 2;

/// One entry of an address list in the four fields of RFC 9051 7.5.2, raw (encoded words and UTF-8 kept).
///
/// Group syntax is two markers around its members: a start has only `mailbox` (the group's name), an end has nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailAddress {
    /// Display name, quotes and backslashes removed.
    pub name: Option<Vec<u8>>,
    /// Source route (`@a,@b`), obsolete.
    pub route: Option<Vec<u8>>,
    /// Local part, or a group's name, or — of something that is not an address — its whole text.
    pub mailbox: Option<Vec<u8>>,
    /// Domain; empty for an address that has none, `None` only in group markers.
    pub host: Option<Vec<u8>>,
}

impl MailAddress {
    /// True for the marker that opens a group.
    pub fn is_group_start(&self) -> bool {
        self.host.is_none() && self.mailbox.is_some()
    }

    /// True for the marker that closes a group.
    pub fn is_group_end(&self) -> bool {
        self.host.is_none() && self.mailbox.is_none()
    }

    /// `local@domain` as text (legacy octets decoded), `None` for group markers.
    pub fn address(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        let mut text = String::from_utf8_lossy(self.mailbox.as_deref().unwrap_or_default()).into_owned();
        if !host.is_empty() {
            text.push('@');
            text.push_str(&String::from_utf8_lossy(host));
        }
        Some(text)
    }

    /// The display name decoded for people.
    pub fn display_name(&self) -> Option<String> {
        self.name.as_deref().map(super::decode_header)
    }
}

/// RFC 9051 7.5.2 ENVELOPE. `None` is a missing field, an empty value a field without content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Date, as written.
    pub date: Option<Vec<u8>>,
    /// Subject, as written.
    pub subject: Option<Vec<u8>>,
    /// From; several fields are one list. Empty where the field is missing or empty, as in all lists here.
    pub from: Vec<MailAddress>,
    /// Sender, or else From.
    pub sender: Vec<MailAddress>,
    /// Reply-To, or else From.
    pub reply_to: Vec<MailAddress>,
    /// To.
    pub to: Vec<MailAddress>,
    /// Cc.
    pub cc: Vec<MailAddress>,
    /// Bcc.
    pub bcc: Vec<MailAddress>,
    /// In-Reply-To, as written.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, as written.
    pub message_id: Option<Vec<u8>>,
    /// References, as written, its first and last octets where it is long: not for ENVELOPE, but for THREAD.
    pub references: Option<Vec<u8>>,
}

impl Envelope {
    /// The calendar day of the Date field as its sender wrote it (SEARCH SENTON and its kin).
    pub fn sent_on(&self) -> Option<Date> {
        date::civil_date(self.date.as_deref()?)
    }

    /// The moment of the Date field (RFC 5256 2.2); a time that cannot be read is midnight in UTC.
    pub fn sent_at(&self) -> Option<Timestamp> {
        date::timestamp(self.date.as_deref()?)
    }

    /// Reads a header.
    pub(super) fn parse(header: &[u8]) -> Self {
        let mut envelope = Self::default();
        let mut room = [ADDRESS_BYTES_MAX; 6];
        for field in header_fields(header).take(FIELDS_MAX) {
            envelope.add(&field, &mut room);
        }
        // RFC 9051 7.5.2: a missing or empty Sender or Reply-To is the From.
        if envelope.sender.is_empty() {
            envelope.sender = envelope.from.clone();
        }
        if envelope.reply_to.is_empty() {
            envelope.reply_to = envelope.from.clone();
        }
        envelope
    }

    /// Of strings given twice the first counts; lists given twice are one list, so that no address hides in the
    /// second. `room` is how many octets each list may still read.
    fn add(&mut self, field: &HeaderField<'_>, room: &mut [usize; 6]) {
        let strings = [
            ("Date", &mut self.date),
            ("Subject", &mut self.subject),
            ("In-Reply-To", &mut self.in_reply_to),
            ("Message-ID", &mut self.message_id),
        ];
        for (name, value) in strings {
            if field.is(name) && value.is_none() {
                *value = Some(unfold(field.value, VALUE_MAX));
            }
        }
        if field.is("References") && self.references.is_none() {
            self.references = Some(both_ends(unfold(field.value, VALUE_MAX)));
        }
        let lists = [
            ("From", &mut self.from),
            ("Sender", &mut self.sender),
            ("Reply-To", &mut self.reply_to),
            ("To", &mut self.to),
            ("Cc", &mut self.cc),
            ("Bcc", &mut self.bcc),
        ];
        for ((name, list), room) in lists.into_iter().zip(room) {
            if field.is(name) {
                let value = unfold(field.value, *room);
                *room = room.saturating_sub(field.value.len());
                address::parse_into(&value, list);
            }
        }
    }

    /// Octets that all values take in memory.
    pub(super) fn octets(&self) -> usize {
        let strings = [&self.date, &self.subject, &self.in_reply_to, &self.message_id, &self.references];
        let lists = [&self.from, &self.sender, &self.reply_to, &self.to, &self.cc, &self.bcc];
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let addresses = lists.into_iter().flatten().map(|address| {
            let values = [&address.name, &address.route, &address.mailbox, &address.host];
            size_of_val(address) + values.map(length).iter().sum::<usize>()
        });
        strings.into_iter().map(length).sum::<usize>() + addresses.sum::<usize>()
    }

    /// The stored form: a version octet, then postcard.
    pub fn to_bytes(&self) -> Vec<u8> {
        super::versioned(VERSION, self)
    }

    /// The stored form read back; `None` if it is damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        super::unversioned(VERSION, bytes)
    }
}

/// The first of the references are the conversation's, the last the message's own.
fn both_ends(mut references: Vec<u8>) -> Vec<u8> {
    if references.len() > REFERENCES_BYTES_MAX {
        let middle = REFERENCES_BYTES_MAX / 4..references.len() - REFERENCES_BYTES_MAX * 3 / 4;
        // What the cut leaves of two ids is no id: an open bracket meets the next one.
        references.splice(middle, *b" <");
    }
    references
}
