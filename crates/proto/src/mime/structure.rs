//! The tree of parts of a message as a flat arena: nothing here recurses, neither in use nor on drop.
//!
//! Invariants: part 0 is the message itself; a child's index is greater than its parent's; for every part
//! `header_start <= body_start <= body_end`, and a child lies within its parent's body; children are in the order of
//! their offsets and do not overlap.

use serde::{Deserialize, Serialize};

use super::attachment;
use super::envelope::Envelope;

/// First octet of the stored form; another one means facts are made anew from the raw bytes.
const VERSION: u8 = 1;

/// A parameter of Content-Type or Content-Disposition, continuations joined (RFC 2231 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Lower case, without `*0*` parts; ends with `*` if the value is still in the extended form
    /// `charset'language'percent-encoded` (RFC 2231 4), as IMAP shows it.
    pub name: String,
    /// Raw octets, quotes and backslashes removed.
    pub value: Vec<u8>,
}

impl Param {
    /// Octets that it takes in memory.
    pub(super) fn octets(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.len()
    }
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disposition {
    /// Lower case: `inline`, `attachment` or anything else.
    pub kind: String,
    /// Its parameters.
    pub params: Vec<Param>,
}

/// One part: the message, a body part, or the message inside a message/rfc822 part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Lower case media type. What is opaque to the walk is `application/octet-stream`, whatever was declared.
    pub media_type: String,
    /// Lower case media subtype.
    pub subtype: String,
    /// Parameters of Content-Type.
    pub params: Vec<Param>,
    /// Content-ID, raw.
    pub id: Option<Vec<u8>>,
    /// Content-Description, raw.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, lower case; `7bit` when missing (RFC 2045 6.1).
    pub encoding: String,
    /// Line ends in the body: the "lines" of RFC 9051 7.5.2.
    pub lines: u64,
    /// Content-MD5, raw.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// Content-Language tags, raw.
    pub language: Vec<Vec<u8>>,
    /// Content-Location, raw.
    pub location: Option<Vec<u8>>,
    /// Octet offset in the message at which the part's header starts.
    pub header_start: u64,
    /// Octet offset behind the blank line: `header_start..body_start` is `BODY[n.MIME]`, blank line included.
    pub body_start: u64,
    /// Octet offset of the body's end, without the line end that belongs to the next boundary (RFC 2046 5.1.1).
    pub body_end: u64,
    /// Arena index of the part around this one.
    pub parent: Option<u32>,
    /// Arena indices: the parts of a multipart (at least one); for a message part exactly one, the message inside,
    /// whose header is that part's `BODY[n.HEADER]` and whose body is `BODY[n.TEXT]`.
    pub children: Vec<u32>,
    /// Only of a message part that was looked into: the envelope of the message inside.
    pub envelope: Option<Box<Envelope>>,
}

impl Part {
    /// Octets of the body, still encoded.
    pub fn octets(&self) -> u64 {
        self.body_end.saturating_sub(self.body_start)
    }

    /// True if it has parts of its own (a multipart without any is a text/plain leaf here).
    pub fn is_multipart(&self) -> bool {
        self.media_type == "multipart"
    }

    /// True for message/rfc822 and message/global that were looked into: one child, and an envelope.
    /// RFC 3501 has the long form of BODY for `rfc822` only; `global` has it from RFC 9051 on.
    pub fn is_message(&self) -> bool {
        self.envelope.is_some()
    }

    /// True for text/*.
    pub fn is_text(&self) -> bool {
        self.media_type == "text"
    }

    /// The name under which the part is offered as a file, as in [`super::Attachment::name`].
    pub fn file_name(&self) -> Option<String> {
        attachment::name(self)
    }

    /// A Content-Type parameter by its lower case name as text: the extended form decoded, or encoded words, or raw.
    pub fn param_text(&self, name: &str) -> Option<String> {
        attachment::param_text(&self.params, name)
    }

    /// A Content-Type parameter by its lower case name, raw; the extended form is not looked at.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        self.params.iter().find(|param| param.name == name).map(|param| param.value.as_slice())
    }
}

/// All parts of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structure {
    /// Never empty.
    pub(super) arena: Vec<Part>,
}

impl Structure {
    /// The message itself.
    pub fn root(&self) -> &Part {
        // A structure comes from the walk or from `from_bytes`; both refuse an empty arena.
        self.arena.first().unwrap_or(&EMPTY)
    }

    /// All parts, a parent before its children, in the order of their offsets.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.arena.iter()
    }

    /// The parts directly inside `part`.
    pub fn children<'a>(&'a self, part: &'a Part) -> impl ExactSizeIterator<Item = &'a Part> {
        part.children.iter().map(|index| self.at(*index))
    }

    /// The part of an arena index.
    pub fn at(&self, index: u32) -> &Part {
        self.arena.get(index as usize).unwrap_or(&EMPTY)
    }

    /// The message inside a message part: its header and text are `BODY[n.HEADER]` and `BODY[n.TEXT]`.
    pub fn message(&self, part: &Part) -> Option<&Part> {
        part.is_message().then(|| part.children.first().map(|index| self.at(*index)))?
    }

    /// The part of an IMAP section number, `None` if there is none. An empty path is the message itself.
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        // RFC 9051 6.4.5.1: every message has at least one part number; a message part's numbers are those of the
        // message inside.
        let mut body = Some(self.root());
        let mut found = self.root();
        for number in path {
            let within = body?;
            found = if within.is_multipart() {
                let position = usize::try_from(*number).ok()?.checked_sub(1)?;
                self.at(*within.children.get(position)?)
            } else if *number == 1 {
                within
            } else {
                return None;
            };
            body = if found.is_multipart() { Some(found) } else { self.message(found) };
        }
        Some(found)
    }

    /// The stored form: a version octet, then postcard.
    pub fn to_bytes(&self) -> Vec<u8> {
        super::versioned(VERSION, self)
    }

    /// The stored form read back; `None` if it is damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let structure: Self = super::unversioned(VERSION, bytes)?;
        let count = structure.arena.len();
        let sound = structure.arena.iter().enumerate().all(|(index, part)| {
            part.children.iter().all(|child| (*child as usize) > index && (*child as usize) < count)
        });
        (count > 0 && sound).then_some(structure)
    }
}

/// What a lookup in an empty arena would give; no arena is empty.
pub(super) static EMPTY: Part = Part {
    media_type: String::new(),
    subtype: String::new(),
    params: Vec::new(),
    id: None,
    description: None,
    encoding: String::new(),
    lines: 0,
    md5: None,
    disposition: None,
    language: Vec::new(),
    location: None,
    header_start: 0,
    body_start: 0,
    body_end: 0,
    parent: None,
    children: Vec::new(),
    envelope: None,
};
