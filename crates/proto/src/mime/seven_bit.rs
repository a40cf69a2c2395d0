//! A message of 8-bit text made into one of 7 bits (RFC 6152 3), for servers that know no other.
//!
//! Invariants: what a reader sees is the same: only transfer encodings change; a message where that cannot be had (headers
//! beyond ASCII, signed parts, octets that belong to no part) is not touched; nothing of the result is above 127. The
//! sender's DKIM signature over the body no longer fits, which is why this is done only where nothing else is left.

use super::structure::{Part, Structure};
use super::{facts, header_fields};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Characters of an encoded line (RFC 2045 6.7, 6.8), its CRLF not counted.
const LINE_MAX: usize = 76;
const FIELD: &str = "Content-Transfer-Encoding";

/// The message in 7 bits; `None`: it cannot be had so.
#[must_use]
pub fn seven_bit(raw: &[u8]) -> Option<Vec<u8>> {
    let structure = facts(raw).structure;
    let mut edits = Edits { raw, made: Vec::new() };
    let root = header_of(raw, structure.root())?;
    if !header_fields(root).any(|field| field.is("MIME-Version")) {
        return None;
    }
    for part in structure.parts() {
        // RFC 1847 2.1: a signed part is not to be changed on the way.
        if part.media_type == "multipart" && matches!(part.subtype.as_str(), "signed" | "encrypted") {
            return None;
        }
        edits.part(&structure, part)?;
    }
    let converted = edits.apply()?;
    converted.is_ascii().then_some(converted)
}

struct Edits<'a> {
    raw: &'a [u8],
    /// What stands instead of what; in the order of the message, as parts and their headers are.
    made: Vec<(Range<usize>, Vec<u8>)>,
}

impl Edits<'_> {
    fn part(&mut self, structure: &Structure, part: &Part) -> Option<()> {
        let body = usize::try_from(part.body_start).ok()?..usize::try_from(part.body_end).ok()?;
        let octets = self.raw.get(body.clone())?;
        if octets.is_ascii() {
            return Some(());
        }
        if structure.children(part).len() > 0 {
            // What is inside becomes 7 bits (RFC 2045 6.4).
            return self.encoding(part, "7bit");
        }
        if !matches!(part.encoding.as_str(), "7bit" | "8bit" | "binary") || part.media_type == "message" {
            return None;
        }
        let (name, encoded) = match part.is_text() {
            true => ("quoted-printable", quoted_printable(octets)),
            false => ("base64", base64_lines(octets)),
        };
        self.encoding(part, name)?;
        self.made.push((body, encoded));
        Some(())
    }

    /// Says the new encoding in the part's header.
    fn encoding(&mut self, part: &Part, encoding: &str) -> Option<()> {
        let header = header_of(self.raw, part)?;
        let mut at = usize::try_from(part.header_start).ok()?;
        let line = format!("{FIELD}: {encoding}\r\n").into_bytes();
        for field in header_fields(header) {
            let end = at + field.raw.len();
            if field.is(FIELD) {
                self.made.push((at..end, line));
                return Some(());
            }
            at = end;
        }
        self.made.push((at..at, line));
        Some(())
    }

    fn apply(mut self) -> Option<Vec<u8>> {
        self.made.sort_by_key(|(range, _)| (range.start, range.end));
        let (mut out, mut at) = (Vec::with_capacity(self.raw.len() * 5 / 4), 0);
        for (range, octets) in self.made {
            out.extend_from_slice(self.raw.get(at..range.start)?);
            out.extend_from_slice(&octets);
            at = range.end;
        }
        out.extend_from_slice(self.raw.get(at..)?);
        Some(out)
    }
}

fn header_of<'a>(raw: &'a [u8], part: &Part) -> Option<&'a [u8]> {
    raw.get(usize::try_from(part.header_start).ok()?..usize::try_from(part.body_start).ok()?)
}

/// RFC 2045 6.7
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 3 / 2);
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let mut column = 0;
        for (index, octet) in content.iter().enumerate() {
            let last = index + 1 == content.len();
            let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~') || matches!(octet, b' ' | b'\t') && !last;
            let width = if plain { 1 } else { 3 };
            // Room for the `=` of a soft break.
            if column + width > LINE_MAX - usize::from(!last) {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            if plain {
                out.push(*octet);
            } else {
                out.extend_from_slice(format!("={octet:02X}").as_bytes());
            }
            column += width;
        }
        if line.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// RFC 2045 6.8
fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() * 3 / 2);
    for piece in octets.chunks(LINE_MAX / 4 * 3) {
        out.extend_from_slice(STANDARD.encode(piece).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::decode_body;
    use super::*;
    use proptest::prelude::*;

    /// Bodies of all leaves, decoded.
    fn leaves(raw: &[u8]) -> Vec<Vec<u8>> {
        let structure = facts(raw).structure;
        let leaves = structure.parts().filter(|part| part.children.is_empty());
        leaves
            .map(|part| decode_body(&part.encoding, &raw[part.body_start as usize..part.body_end as usize]))
            .collect()
    }

    const HEAD: &str = "From: an@a.vn\r\nMIME-Version: 1.0\r\n";

    #[test]
    fn text_becomes_quoted_printable() {
        let raw = format!(
            "{HEAD}Content-Transfer-Encoding: 8bit\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nChào = bạn \r\nx\r\n"
        );
        let expected = format!(
            "{HEAD}Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
             Ch=C3=A0o =3D b=E1=BA=A1n=20\r\nx\r\n"
        );
        assert_eq!(String::from_utf8(seven_bit(raw.as_bytes()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn each_part_for_itself() {
        let raw = format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             --b\r\n\r\nđường\r\n--b\r\nContent-Type: application/x\r\n\r\n\u{e9}\u{e9}\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nplain\r\n\
             --b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\nở trong\r\n--b--\r\n"
        );
        let converted = seven_bit(raw.as_bytes()).unwrap();
        let text = String::from_utf8(converted.clone()).unwrap();
        assert!(text.is_ascii(), "{text}");
        assert_eq!(leaves(&converted), leaves(raw.as_bytes()));
        assert!(!text.contains("8bit") && text.contains("\r\nplain\r\n"), "{text}");
        assert_eq!(text.matches("Content-Transfer-Encoding: base64").count(), 1, "{text}");
    }

    #[test]
    fn what_cannot_be_had_is_not_touched() {
        for raw in [
            "From: an@a.vn\r\n\r\nđ\r\n".to_owned(),
            format!("Subject: đ\r\n{HEAD}\r\nđ\r\n"),
            format!("{HEAD}Content-Transfer-Encoding: base64\r\n\r\nđ\r\n"),
            format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\nđ\r\n--b\r\n\r\na\r\n--b--\r\n"),
            format!(
                "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: đ\r\n\r\na\r\n--b--\r\n"
            ),
            format!(
                "{HEAD}Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nđ\r\n--b\r\n\r\nx\r\n--b--\r\n"
            ),
        ] {
            assert_eq!(seven_bit(raw.as_bytes()), None, "{raw}");
        }
        let ascii = format!("{HEAD}\r\nall well\r\n");
        assert_eq!(seven_bit(ascii.as_bytes()).as_deref(), Some(ascii.as_bytes()));
    }

    proptest! {
        #[test]
        fn lines_are_short_and_nothing_is_lost(text in "[ađ =\t.\r\n]{0,300}") {
            let text = text.replace(['\r', '\n'], "\r\n");
            let encoded = quoted_printable(text.as_bytes());
            prop_assert!(encoded.is_ascii());
            for line in encoded.split(|octet| *octet == b'\n') {
                prop_assert!(line.len() <= LINE_MAX + 1, "{}", line.len());
            }
            prop_assert_eq!(decode_body("quoted-printable", &encoded), text.as_bytes());
        }
    }
}
