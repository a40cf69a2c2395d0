//! Transfer encodings undone piece by piece.
//!
//! Invariants: how the octets are cut into pieces makes no difference; a decoder holds at most [`BLANKS_MAX`] octets,
//! whatever it is given; at most one octet comes out per octet that went in. Decoders are tolerant: what is no part of
//! the encoding is passed over (base64) or kept as it is (quoted-printable).

use super::limits::BLANKS_MAX;

/// Octets of base64 that are given on together.
const BATCH_BYTES: usize = 768;

/// One body being decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferDecoder(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Identity,
    Base64(Base64),
    QuotedPrintable(QuotedPrintable),
}

impl TransferDecoder {
    /// Octets are given as they are.
    pub const IDENTITY: Self = Self(Kind::Identity);

    /// Of a Content-Transfer-Encoding, in any case (RFC 2045 6.1); `None` for one that is not known.
    #[must_use]
    pub fn new(encoding: &str) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        if is("7bit") || is("8bit") || is("binary") {
            return Some(Self::IDENTITY);
        }
        if is("base64") {
            return Some(Self(Kind::Base64(Base64::default())));
        }
        is("quoted-printable").then(|| Self(Kind::QuotedPrintable(QuotedPrintable::default())))
    }

    #[must_use]
    pub fn is_identity(&self) -> bool {
        matches!(self.0, Kind::Identity)
    }

    /// Takes the next octets of the body and gives what they amount to.
    pub fn feed(&mut self, octets: &[u8], sink: &mut dyn FnMut(&[u8])) {
        match &mut self.0 {
            Kind::Identity => sink(octets),
            Kind::Base64(base64) => base64.feed(octets, sink),
            Kind::QuotedPrintable(text) => text.feed(octets, sink),
        }
    }

    /// Gives what was held back: the body has ended.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&[u8])) {
        match &mut self.0 {
            Kind::Identity => {}
            Kind::Base64(base64) => base64.rest(sink),
            Kind::QuotedPrintable(text) => text.finish(sink),
        }
    }
}

/// RFC 2045 6.8: characters outside the alphabet are ignored. Padding ends a group, and what follows starts anew, for
/// bodies that were joined from encoded pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Base64 {
    group: u32,
    digits: u8,
}

impl Base64 {
    fn feed(&mut self, octets: &[u8], sink: &mut dyn FnMut(&[u8])) {
        let mut batch = Vec::with_capacity(BATCH_BYTES.min(octets.len()) + 3);
        for byte in octets {
            let digit = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => {
                    self.rest(&mut |octets| batch.extend_from_slice(octets));
                    continue;
                }
                _ => continue,
            };
            self.group = self.group << 6 | u32::from(digit);
            self.digits += 1;
            if self.digits == 4 {
                let [_, first, second, third] = self.group.to_be_bytes();
                batch.extend_from_slice(&[first, second, third]);
                (self.group, self.digits) = (0, 0);
                if batch.len() >= BATCH_BYTES {
                    sink(&batch);
                    batch.clear();
                }
            }
        }
        sink(&batch);
    }

    /// What a group that was not completed stands for.
    fn rest(&mut self, sink: &mut dyn FnMut(&[u8])) {
        let (group, digits) = (std::mem::take(&mut self.group), std::mem::take(&mut self.digits));
        match digits {
            2 => sink(&[(group >> 4) as u8]),
            3 => sink(&[(group >> 10) as u8, (group >> 2) as u8]),
            _ => {}
        }
    }
}

/// RFC 2045 6.7: white space at a line's end is none of the text, `=` at a line's end joins lines. Of white space
/// without end the first blocks of [`BLANKS_MAX`] are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct QuotedPrintable {
    /// White space that may be the end of a line.
    blanks: Vec<u8>,
    escape: Escape,
}

/// How far an escape has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// `=`
    Marker,
    /// `=` and a digit, as it is written.
    Digit(u8),
    /// `=` and the white space that is kept.
    Blanks,
}

impl QuotedPrintable {
    fn feed(&mut self, octets: &[u8], sink: &mut dyn FnMut(&[u8])) {
        let mut rest = octets;
        while let Some((octet, behind)) = rest.split_first() {
            if self.escape != Escape::None {
                if self.escaped(*octet, sink) {
                    rest = behind;
                }
                continue;
            }
            match octet {
                b'\n' => {
                    sink(if self.blanks.last() == Some(&b'\r') { b"\r\n" } else { b"\n" });
                    self.blanks.clear();
                    rest = behind;
                }
                b'=' => {
                    self.give_blanks(sink);
                    self.escape = Escape::Marker;
                    rest = behind;
                }
                octet if octet.is_ascii_whitespace() => {
                    self.keep(*octet, sink);
                    rest = behind;
                }
                _ => {
                    self.give_blanks(sink);
                    let end = rest.iter().position(|octet| matches!(octet, b'=' | b'\n'));
                    let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest).trim_ascii_end();
                    sink(text);
                    rest = rest.get(text.len()..).unwrap_or_default();
                }
            }
        }
    }

    /// The next octet behind a marker; false if it is none of the escape and is to be looked at again.
    fn escaped(&mut self, octet: u8, sink: &mut dyn FnMut(&[u8])) -> bool {
        match self.escape {
            Escape::Marker if octet.is_ascii_hexdigit() => {
                self.escape = Escape::Digit(octet);
                true
            }
            Escape::Digit(first) => {
                self.escape = Escape::None;
                if let (Some(high), Some(low)) = (hex(first), hex(octet)) {
                    sink(&[high << 4 | low]);
                    return true;
                }
                sink(&[b'=', first]);
                false
            }
            Escape::Marker | Escape::Blanks if octet == b'\n' => {
                self.blanks.clear();
                self.escape = Escape::None;
                true
            }
            Escape::Marker | Escape::Blanks
                if octet.is_ascii_whitespace() && self.blanks.len() < BLANKS_MAX =>
            {
                self.blanks.push(octet);
                self.escape = Escape::Blanks;
                true
            }
            Escape::None | Escape::Marker | Escape::Blanks => {
                // A marker of nothing is text.
                sink(b"=");
                self.escape = Escape::None;
                false
            }
        }
    }

    fn keep(&mut self, blank: u8, sink: &mut dyn FnMut(&[u8])) {
        if self.blanks.len() >= BLANKS_MAX {
            self.give_blanks(sink);
        }
        self.blanks.push(blank);
    }

    fn give_blanks(&mut self, sink: &mut dyn FnMut(&[u8])) {
        if !self.blanks.is_empty() {
            sink(&self.blanks);
            self.blanks.clear();
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(&[u8])) {
        self.blanks.clear();
        if let Escape::Digit(first) = std::mem::take(&mut self.escape) {
            sink(&[b'=', first]);
        }
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENCODINGS: [&str; 5] = ["7bit", "8BIT", "binary", "Base64", "quoted-printable"];

    fn decode(encoding: &str, body: &[u8], piece: usize) -> Vec<u8> {
        let mut decoder = TransferDecoder::new(encoding).unwrap();
        let mut out = Vec::new();
        for piece in body.chunks(piece.max(1)) {
            decoder.feed(piece, &mut |octets| out.extend_from_slice(octets));
            if let Kind::QuotedPrintable(state) = &decoder.0 {
                assert!(state.blanks.len() <= BLANKS_MAX);
            }
        }
        decoder.finish(&mut |octets| out.extend_from_slice(octets));
        out
    }

    #[test]
    fn encodings_that_are_known() {
        for known in ENCODINGS {
            assert!(TransferDecoder::new(known).is_some(), "{known}");
        }
        for unknown in ["", "x-uuencode", "base64 ", "uuencode", "7-bit", "\u{212a}bit"] {
            assert!(TransferDecoder::new(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn white_space_without_end_is_not_held() {
        let blanks = " ".repeat(3 * BLANKS_MAX);
        for (body, expected) in [
            (format!("a{blanks}\r\nb"), format!("a{}\r\nb", " ".repeat(3 * BLANKS_MAX))),
            (format!("a{blanks}b"), format!("a{blanks}b")),
            (format!("a={blanks}\r\nb"), format!("a={}\r\nb", " ".repeat(3 * BLANKS_MAX))),
            (format!("a={}\nb", " ".repeat(BLANKS_MAX)), "ab".to_owned()),
        ] {
            for piece in [1, 7, body.len()] {
                let decoded = decode("quoted-printable", body.as_bytes(), piece);
                assert!(decoded == expected.as_bytes(), "{} of {}", decoded.len(), expected.len());
            }
        }
    }

    #[test]
    fn what_is_begun_and_not_ended() {
        for (body, expected) in
            [("=", ""), ("=4", "=4"), ("a= \t", "a"), ("a \r", "a"), ("==41=\r\n", "=A"), ("=\r=41", "=\rA")]
        {
            for piece in [1, 2, 10] {
                let decoded = decode("quoted-printable", body.as_bytes(), piece);
                assert_eq!(String::from_utf8_lossy(&decoded), expected, "{body:?}");
            }
        }
        assert_eq!(decode("base64", b"AAA=AAA", 1), [0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            body in prop::collection::vec(prop::sample::select(b"=aF4 \t\r\n\0\xff+/".to_vec()), 0..300),
            piece in 1_usize..20,
        ) {
            for encoding in ENCODINGS {
                let whole = decode(encoding, &body, body.len());
                prop_assert!(whole.len() <= body.len());
                prop_assert_eq!(decode(encoding, &body, piece), whole);
            }
        }
    }
}
