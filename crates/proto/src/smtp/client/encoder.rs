//! Message content on its way out: dot-stuffing (RFC 5321 4.5.2) and line ends.
//!
//! Invariant: what leaves has no CR and no LF alone (RFC 5321 2.3.8), whatever was kept, so that no server sees a message
//! end where another does not (SMTP smuggling). Octets of a message that has none either leave as they are, but for the dots.

/// Encodes one message, piece by piece.
#[derive(Debug)]
pub(super) struct Encoder {
    /// A dot that begins a line is doubled, and the end is a dot alone: for DATA, not for BDAT (RFC 3030 2).
    dots: bool,
    line_start: bool,
    /// The last octet was a CR, which is still to be written.
    cr: bool,
}

impl Encoder {
    pub(super) fn new(dots: bool) -> Self {
        Self { dots, line_start: true, cr: false }
    }

    pub(super) fn encode(&mut self, octets: &[u8], output: &mut Vec<u8>) {
        let mut rest = octets;
        while let Some((first, behind)) = rest.split_first() {
            if std::mem::take(&mut self.cr) {
                self.end_line(output);
                if *first == b'\n' {
                    rest = behind;
                    continue;
                }
            }
            match first {
                b'\r' => {
                    self.cr = true;
                    rest = behind;
                }
                b'\n' => {
                    self.end_line(output);
                    rest = behind;
                }
                _ => rest = self.text(rest, output),
            }
        }
    }

    /// What belongs behind the last octet.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) {
            self.end_line(output);
        }
        if self.dots {
            if !self.line_start {
                self.end_line(output);
            }
            output.extend_from_slice(b".\r\n");
        }
    }

    /// Up to the next CR or LF; gives what is left.
    fn text<'a>(&mut self, rest: &'a [u8], output: &mut Vec<u8>) -> &'a [u8] {
        if std::mem::take(&mut self.line_start) && self.dots && rest.starts_with(b".") {
            output.push(b'.');
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (text, rest) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        output.extend_from_slice(text);
        rest
    }

    fn end_line(&mut self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"\r\n");
        self.line_start = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(dots: bool, octets: &[u8], piece: usize) -> Vec<u8> {
        let (mut encoder, mut output) = (Encoder::new(dots), Vec::new());
        for piece in octets.chunks(piece) {
            encoder.encode(piece, &mut output);
        }
        encoder.finish(&mut output);
        output
    }

    #[test]
    fn dots_and_line_ends() {
        for (octets, data, chunk) in [
            ("", ".\r\n", ""),
            ("a\r\n", "a\r\n.\r\n", "a\r\n"),
            ("a", "a\r\n.\r\n", "a"),
            (".\r\n", "..\r\n.\r\n", ".\r\n"),
            (".", "..\r\n.\r\n", "."),
            ("a\r\n.b\r\n..c\r\n", "a\r\n..b\r\n...c\r\n.\r\n", "a\r\n.b\r\n..c\r\n"),
            ("a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
            ("a\r.\r\nb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb"),
            ("a\r\r\n", "a\r\n\r\n.\r\n", "a\r\n\r\n"),
            ("a\r", "a\r\n.\r\n", "a\r\n"),
            ("\r\n\r\n", "\r\n\r\n.\r\n", "\r\n\r\n"),
        ] {
            for piece in [1, 2, 3, 100] {
                let text = |dots| String::from_utf8(encoded(dots, octets.as_bytes(), piece)).unwrap();
                assert_eq!((text(true).as_str(), text(false).as_str()), (data, chunk), "{octets:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_reader_sees_another_end(
            octets in prop::collection::vec(prop::sample::select(b"a.\r\n".to_vec()), 0..60),
            piece in 1_usize..9,
        ) {
            let data = encoded(true, &octets, piece);
            let body = data.strip_suffix(b".\r\n").unwrap();
            for (at, octet) in body.iter().enumerate() {
                prop_assert!(*octet != b'\n' || at > 0 && body[at - 1] == b'\r');
                prop_assert!(*octet != b'\r' || body.get(at + 1) == Some(&b'\n'));
            }
            let lines: Vec<_> = body.split(|octet| *octet == b'\n').collect();
            prop_assert!(!lines.contains(&&b".\r"[..]));
        }
    }
}
