//! The tests of a search that need something of the message: its envelope, its header, its text.
//!
//! Texts are compared decoded, in NFC and without case (RFC 3501 6.4.4: case-insensitive substrings).

use super::key::{Compiled, Test, Verdicts, holds};
use crate::imap::limits::{HEADER_BYTES_MAX, SEARCH_TEXT_BYTES_MAX};
use engine::{Body, Error, Message};
use proto::mime::{self, Envelope, MailAddress, Part, Structure};
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;

/// A text as it is compared.
pub(crate) fn fold(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// Answers what the envelope answers.
pub(crate) fn by_envelope(compiled: &Compiled, message: &Message, verdicts: &mut Verdicts) {
    let Some(envelope) = &message.envelope else { return };
    for (test, verdict) in compiled.tests().iter().zip(verdicts) {
        *verdict = in_envelope(test, envelope);
    }
}

/// RFC 3501 6.4.4: FROM, TO and the like are about the envelope's fields.
fn in_envelope(test: &Test, envelope: &Envelope) -> Option<bool> {
    Some(match test {
        Test::From(needle) => in_addresses(&envelope.from, needle),
        Test::To(needle) => in_addresses(&envelope.to, needle),
        Test::Cc(needle) => in_addresses(&envelope.cc, needle),
        Test::Bcc(needle) => in_addresses(&envelope.bcc, needle),
        Test::Subject(needle) => in_value(envelope.subject.as_deref(), needle),
        Test::Sent(test, wanted) => envelope.sent_on().is_some_and(|date| holds(*test, date, *wanted)),
        Test::Header(name, needle) if name.eq_ignore_ascii_case("message-id") => {
            in_value(envelope.message_id.as_deref(), needle)
        }
        Test::Header(name, needle) if name.eq_ignore_ascii_case("subject") => {
            in_value(envelope.subject.as_deref(), needle)
        }
        Test::Header(..) | Test::Body(_) | Test::Text(_) => return None,
    })
}

fn in_value(value: Option<&[u8]>, needle: &str) -> bool {
    value.is_some_and(|value| fold(&mime::decode_header(value)).contains(needle))
}

fn in_addresses(addresses: &[MailAddress], needle: &str) -> bool {
    addresses.iter().any(|address| {
        let name = address.display_name().unwrap_or_default();
        let address = address.address().unwrap_or_default();
        fold(&format!("{name} <{address}>")).contains(needle)
    })
}

/// Answers what the header answers: HEADER for good, TEXT if it is found.
pub(crate) async fn by_header(
    compiled: &Compiled,
    structure: &Structure,
    body: &Body,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let root = structure.root();
    let header = body.read(at_most(root.header_start..root.body_start, HEADER_BYTES_MAX)).await?;
    for (test, verdict) in compiled.tests().iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()) {
        *verdict = match test {
            Test::Header(name, needle) => Some(in_fields(&header, Some(name), needle)),
            Test::Text(needle) => in_fields(&header, None, needle).then_some(true),
            _ => None,
        };
    }
    Ok(())
}

/// Is the needle in a field of that name, or in any field with its name?
fn in_fields(header: &[u8], name: Option<&str>, needle: &str) -> bool {
    mime::header_fields(header).any(|field| match name {
        Some(name) => field.is(name) && fold(&mime::decode_header(&field.unfolded())).contains(needle),
        None => {
            let name = String::from_utf8_lossy(field.name);
            fold(&format!("{name}: {}", mime::decode_header(&field.unfolded()))).contains(needle)
        }
    })
}

/// Answers everything that is left: the headers of the parts and the texts, one part at a time.
pub(crate) async fn by_body(
    compiled: &Compiled,
    structure: &Structure,
    body: &Body,
    verdicts: &mut Verdicts,
) -> Result<(), Error> {
    let root = structure.root().header_start;
    for part in structure.parts() {
        if verdicts.iter().all(Option::is_some) {
            return Ok(());
        }
        if part.header_start != root || part.parent.is_some() {
            let header = body.read(at_most(part.header_start..part.body_start, HEADER_BYTES_MAX)).await?;
            find(compiled, verdicts, |needle| in_fields(&header, None, needle));
        }
        if part.is_text() && part.children.is_empty() {
            let octets = body.read(at_most(part.body_start..part.body_end, SEARCH_TEXT_BYTES_MAX)).await?;
            for text in texts(part, &octets) {
                find(compiled, verdicts, |needle| text.contains(needle));
            }
        }
        tokio::task::yield_now().await;
    }
    for verdict in verdicts.iter_mut() {
        verdict.get_or_insert(false);
    }
    Ok(())
}

/// A part as it is written, and as it is read where that is something else.
fn texts(part: &Part, octets: &[u8]) -> Vec<String> {
    let Some(text) = mime::decode_text(part, octets) else { return Vec::new() };
    let visible = (part.subtype == "html").then(|| fold(&mime::html_text(&text)));
    std::iter::once(fold(&text)).chain(visible).collect()
}

fn find(compiled: &Compiled, verdicts: &mut Verdicts, found: impl Fn(&str) -> bool) {
    for (test, verdict) in compiled.tests().iter().zip(verdicts).filter(|(_, verdict)| verdict.is_none()) {
        if let Test::Body(needle) | Test::Text(needle) = test
            && found(needle)
        {
            *verdict = Some(true);
        }
    }
}

fn at_most(range: Range<u64>, bytes: u64) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(bytes))
}
