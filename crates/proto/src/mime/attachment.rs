//! Which parts a person would call attachments, and what they are called.

use std::collections::BTreeMap;

use super::body::{decoded_size, escapes};
use super::charset;
use super::limits::NAME_CHARS_MAX;
use super::structure::{Param, Part, Structure};
use super::words::decode_header;

/// A part that is offered as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Decoded name as the sender gave it, NFC, 1 to 255 characters, without control characters and without those
    /// that turn the direction of writing (they make `exe.pdf` of `fdp.exe`). Not safe as a path.
    pub name: Option<String>,
    /// Declared `type/subtype`, lower case.
    pub content_type: String,
    /// Octets after its transfer encoding is undone.
    pub size: u64,
    /// Arena index: `structure.at(part)`.
    pub part: u32,
}

/// Attachments in the order of the parts. The declared types are those of the walk.
pub(super) fn attachments(
    raw: &[u8],
    structure: &Structure,
    declared: &BTreeMap<u32, String>,
) -> Vec<Attachment> {
    let mut found = Vec::new();
    for (index, part) in (0_u32..).zip(structure.parts()) {
        if part.is_multipart() {
            continue;
        }
        let name = name(part);
        if name.is_none() && !is_attachment(part, index) {
            continue;
        }
        let declared = declared.get(&index).cloned();
        let start = usize::try_from(part.body_start).unwrap_or(usize::MAX);
        let end = usize::try_from(part.body_end).unwrap_or(usize::MAX);
        let size = if part.is_message() {
            part.octets()
        } else {
            decoded_size(&part.encoding, raw.get(start..end).unwrap_or_default())
        };
        found.push(Attachment {
            name,
            content_type: declared.unwrap_or_else(|| format!("{}/{}", part.media_type, part.subtype)),
            size,
            part: index,
        });
    }
    found
}

/// RFC 2183 2.1 and 2.2; without a disposition, whatever is not text and not the whole message.
fn is_attachment(part: &Part, index: u32) -> bool {
    match part.disposition.as_ref().map(|disposition| disposition.kind.as_str()) {
        Some("attachment") => true,
        _ => !part.is_text() && (index > 0 || !part.is_message()),
    }
}

/// The file name: of the disposition before that of the type, the extended form first (RFC 2183 2.3, RFC 2231).
pub(super) fn name(part: &Part) -> Option<String> {
    let disposition = part.disposition.as_ref().map(|disposition| disposition.params.as_slice());
    let lists = [(disposition.unwrap_or_default(), "filename"), (part.params.as_slice(), "name")];
    lists
        .into_iter()
        .find_map(|(params, name)| param_text(params, name))
        .map(|name| clean(&name))
        .filter(|name| !name.is_empty())
}

/// A parameter as text: RFC 2231 extended, or with encoded words, or raw.
pub(super) fn param_text(params: &[Param], name: &str) -> Option<String> {
    let value = |extended: bool| {
        let stem = |param: &&Param| match param.name.strip_suffix('*') {
            Some(stem) => extended && stem == name,
            None => !extended && param.name == name,
        };
        params.iter().find(stem).map(|param| param.value.as_slice())
    };
    if let Some(extended) = value(true) {
        return Some(extended_text(extended));
    }
    value(false).map(decode_header)
}

/// RFC 2231 4: `charset'language'percent-encoded`.
fn extended_text(value: &[u8]) -> String {
    let mut fields = value.splitn(3, |byte| *byte == b'\'');
    let (charset, encoded) = match (fields.next(), fields.next(), fields.next()) {
        (Some(charset), Some(_), Some(encoded)) => (charset, encoded),
        _ => (&[][..], value),
    };
    let mut octets = Vec::with_capacity(encoded.len());
    escapes(encoded, b'%', &mut |decoded| octets.extend_from_slice(decoded));
    charset::tidy_line(&charset::decode(&String::from_utf8_lossy(charset), &octets))
}

fn clean(name: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let kept: String = name.chars().filter(|c| !turns(*c)).collect();
    kept.trim().chars().take(NAME_CHARS_MAX).collect()
}
