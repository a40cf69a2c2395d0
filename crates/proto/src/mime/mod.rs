//! Facts of a message: what IMAP, search and lists need to know about it without reading it again.
//!
//! Invariants: any input gives facts, in time linear in its length, never a panic and never recursion on its depth;
//! everything kept is bounded by `limits`; offsets are exact, so that every IMAP section is a slice of the stored
//! bytes. Derived text (names, preview) is NFC without control characters; envelope values stay raw.
//!
//! The walk must not decode and the decoders must not walk: raw offsets and derived text never mix.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod address;
mod attachment;
mod authors;
mod body;
mod charset;
mod date;
mod envelope;
mod fuzz;
mod header;
pub mod limits;
mod param;
mod preview;
mod seven_bit;
mod structure;
#[cfg(test)]
mod tests;
mod transfer;
mod walk;
mod words;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use attachment::Attachment;
pub use authors::{Authors, AuthorsError, authors};
pub use body::decode_body;
pub use envelope::{Envelope, MailAddress};
pub use fuzz::fuzz_mime;
pub use header::{HeaderField, header_end, header_fields, header_subset, header_subset_not};
pub use preview::{decode_text, html_text};
pub use seven_bit::seven_bit;
pub use structure::{Disposition, Param, Part, Structure};
pub use transfer::TransferDecoder;
pub use words::decode_header;

pub(crate) use address::addresses;
pub(crate) use param::{content_type_of, disposition as disposition_of};

use limits::MESSAGE_ID_MAX;

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// For ENVELOPE.
    pub envelope: Envelope,
    /// For BODY, BODYSTRUCTURE and every section.
    pub structure: Structure,
    /// Start of the visible text, at most 256 characters, NFC, white space collapsed; may be empty.
    pub preview: String,
    /// Parts a person would call attachments, in order, those of attached messages too.
    pub attachments: Vec<Attachment>,
    /// Message id of the conversation's first message, without angle brackets: first of References, else In-Reply-To,
    /// else Message-ID.
    pub thread_key: Option<String>,
    /// Received fields, for the loop guard (RFC 5321 6.3).
    pub received_count: u32,
    /// Fields of the message's header.
    pub header_count: u32,
    /// Octets of the message's header, the blank line included.
    pub header_bytes: u64,
}

impl Facts {
    /// Offsets at which the body of a part of at least `bytes_min` octets begins, ascending, each once:
    /// content-defined chunking cuts there, so that an attachment is stored once whatever message it comes in.
    pub fn body_starts(&self, bytes_min: u64) -> Vec<u64> {
        let leaves = self.structure.parts().filter(|part| part.children.is_empty());
        let mut starts: Vec<u64> =
            leaves.filter(|part| part.octets() >= bytes_min).map(|part| part.body_start).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

/// Facts of a message, from any bytes.
pub fn facts(raw: &[u8]) -> Facts {
    let walked = walk::walk(raw);
    let structure = Structure { arena: walked.arena };
    let header_bytes = structure.root().body_start;
    let header = raw.get(..usize::try_from(header_bytes).unwrap_or(usize::MAX)).unwrap_or(raw);
    let mut counts = Counts::default();
    for field in header_fields(header) {
        counts.add(&field);
    }
    Facts {
        envelope: Envelope::parse(header),
        preview: preview::preview(raw, &structure),
        attachments: attachment::attachments(raw, &structure, &walked.declared),
        structure,
        thread_key: counts.references.or(counts.in_reply_to).or(counts.message_id),
        received_count: counts.received,
        header_count: counts.fields,
        header_bytes,
    }
}

/// What is gathered from the message's own header besides the envelope.
#[derive(Default)]
struct Counts {
    fields: u32,
    received: u32,
    references: Option<String>,
    in_reply_to: Option<String>,
    message_id: Option<String>,
}

impl Counts {
    fn add(&mut self, field: &HeaderField<'_>) {
        self.fields = self.fields.saturating_add(1);
        if field.is("Received") {
            self.received = self.received.saturating_add(1);
        }
        for (name, id) in [
            ("References", &mut self.references),
            ("In-Reply-To", &mut self.in_reply_to),
            ("Message-ID", &mut self.message_id),
        ] {
            if field.is(name) && id.is_none() {
                *id = first_message_id(field.value);
            }
        }
    }
}

/// The first message id of a field (RFC 5322 3.6.4), without brackets and folding; without brackets, a word with an
/// at sign, for old In-Reply-To fields hold prose.
fn first_message_id(value: &[u8]) -> Option<String> {
    let bracketed = value.iter().position(|byte| *byte == b'<').and_then(|open| {
        let rest = value.get(open + 1..)?;
        let close = rest.iter().take(MESSAGE_ID_MAX).position(|byte| *byte == b'>')?;
        rest.get(..close)
    });
    let mut words = value.split(u8::is_ascii_whitespace);
    let id = bracketed.or_else(|| words.find(|word| word.contains(&b'@')))?;
    // Controls are taken out of the text: those of Unicode (C1) are two octets, neither of them a control itself.
    let text = String::from_utf8_lossy(id);
    let visible: String = text.chars().filter(|c| !c.is_ascii_whitespace() && !c.is_control()).collect();
    let fits = !visible.is_empty() && visible.len() <= MESSAGE_ID_MAX;
    fits.then_some(visible)
}

fn versioned<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    // Serialising to a growing vector fails only for types postcard cannot hold, and ours it can.
    postcard::to_extend(value, vec![version]).unwrap_or_default()
}

fn unversioned<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Option<T> {
    let (first, rest) = bytes.split_first()?;
    if *first != version {
        return None;
    }
    postcard::from_bytes(rest).ok()
}
