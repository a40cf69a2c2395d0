//! Facts of a message: what IMAP, search and lists need to know about it without reading it again.
//!
//! Invariants: any input gives facts, in time linear in its length, never a panic and never recursion on its depth;
//! everything kept is bounded by `limits`; offsets are exact, so that every IMAP section is a slice of the stored
//! bytes. Derived text (names, preview) is NFC without control characters; envelope values stay raw.
//!
//! The walk must not decode and the decoders must not walk: raw offsets and derived text never mix.

mod envelope;
mod header;
pub mod limits;
mod structure;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use envelope::{Envelope, MailAddress};
pub use header::{HeaderField, header_end, header_fields, header_subset, header_subset_not};
pub use structure::{Disposition, Param, Part, Structure};

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

/// A part that is offered as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Decoded name, NFC, at most 255 characters, no path and no control characters.
    pub name: Option<String>,
    /// Declared `type/subtype`, lower case.
    pub content_type: String,
    /// Octets after its transfer encoding is undone.
    pub size: u64,
    /// Arena index: `structure.at(part)`.
    pub part: u32,
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
    let _ = raw;
    unreachable!("written next")
}

/// Text of a header value: encoded words (RFC 2047), UTF-8 or legacy octets, as NFC.
pub fn decode_header(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Text of a text part as NFC: transfer encoding and charset undone; `None` if the part is not text.
/// `body` is the part's body as stored.
pub fn decode_text(part: &Part, body: &[u8]) -> Option<String> {
    part.is_text().then(|| String::from_utf8_lossy(&decode_body(&part.encoding, body)).into_owned())
}

/// Octets of a body with its transfer encoding undone; of an unknown encoding as they are.
pub fn decode_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    let _ = encoding;
    body.to_vec()
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
