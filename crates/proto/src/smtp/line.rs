//! Command lines out of a byte stream.
//!
//! Invariants: a line ends in CR LF and in nothing else; a line with a bare CR, a bare LF, a NUL or another
//! control character, or one too long, never reaches a command, and its bytes are not kept. Memory is bounded by
//! [`AUTH_LINE_BYTES_MAX`].

use super::limits::{AUTH_LINE_BYTES_MAX, COMMAND_LINE_BYTES_MAX};

/// What a piece of input brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineEvent {
    /// No line has ended yet: more input is needed.
    More,
    /// A whole line, without its CRLF.
    Line(String),
    /// A line was refused. For a bare LF this comes at once (somebody types through a tool that ends lines
    /// so, and would wait for ever), and what follows up to the next CRLF is still the same refused line.
    Fault(LineFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    BareLf,
    /// A control character, or bytes that are not UTF-8.
    Characters,
    TooLong,
}

/// Gathers one line at a time.
#[derive(Default)]
pub(super) struct LineReader {
    bytes: Vec<u8>,
    /// The last byte was a CR.
    cr: bool,
    /// The line is refused; what remains is the reply to give when it ends, if it was not given before.
    refused: Option<Option<LineFault>>,
}

impl LineReader {
    /// Takes from `input` up to the end of a line. `sasl`: the line answers a SASL challenge.
    pub(super) fn read(&mut self, input: &mut &[u8], sasl: bool) -> LineEvent {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            match (std::mem::replace(&mut self.cr, byte == b'\r'), byte) {
                (true, b'\n') => match self.finish() {
                    None => continue,
                    Some(event) => return event,
                },
                (false, b'\n') => {
                    self.refuse(None);
                    return LineEvent::Fault(LineFault::BareLf);
                }
                (true, _) => self.refuse(Some(LineFault::Characters)),
                (false, _) => {}
            }
            if byte != b'\r' {
                self.push(byte, sasl);
            }
        }
        LineEvent::More
    }

    fn push(&mut self, byte: u8, sasl: bool) {
        if self.refused.is_some() {
            return;
        }
        if byte.is_ascii_control() && byte != b'\t' {
            return self.refuse(Some(LineFault::Characters));
        }
        self.bytes.push(byte);
        let long = sasl || self.bytes.get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"AUTH "));
        let limit = if long { AUTH_LINE_BYTES_MAX } else { COMMAND_LINE_BYTES_MAX };
        if self.bytes.len() + "\r\n".len() > limit {
            self.refuse(Some(LineFault::TooLong));
        }
    }

    /// The first reason counts.
    fn refuse(&mut self, fault: Option<LineFault>) {
        self.bytes = Vec::new();
        self.refused.get_or_insert(fault);
        if fault.is_none() {
            self.refused = Some(None);
        }
    }

    /// `None` for the rest of a line whose bare LF has been answered.
    fn finish(&mut self) -> Option<LineEvent> {
        let bytes = std::mem::take(&mut self.bytes);
        match self.refused.take() {
            Some(fault) => fault.map(LineEvent::Fault),
            None => Some(match String::from_utf8(bytes) {
                Ok(line) => LineEvent::Line(line),
                Err(_) => LineEvent::Fault(LineFault::Characters),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], piece: usize) -> Vec<LineEvent> {
        let mut reader = LineReader::default();
        let mut events = Vec::new();
        for mut input in text.chunks(piece) {
            while !input.is_empty() {
                match reader.read(&mut input, false) {
                    LineEvent::More => {}
                    event => events.push(event),
                }
            }
        }
        events
    }

    #[test]
    fn only_crlf_ends_a_line() {
        use LineEvent::{Fault, Line};
        use LineFault::{BareLf, Characters};
        for (text, expected) in [
            (&b"NOOP\r\nQUIT\r\n"[..], vec![Line("NOOP".into()), Line("QUIT".into())]),
            (b"\r\n", vec![Line(String::new())]),
            (b"A\tB\r\n", vec![Line("A\tB".into())]),
            (b"A\nB\r\nC\r\n", vec![Fault(BareLf), Line("C".into())]),
            (b"A\nB\n\r\nC\r\n", vec![Fault(BareLf), Fault(BareLf), Line("C".into())]),
            (b"A\rB\r\nC\r\n", vec![Fault(Characters), Line("C".into())]),
            (b"A\r\r\nC\r\n", vec![Fault(Characters), Line("C".into())]),
            (b"A\0\r\nC\r\n", vec![Fault(Characters), Line("C".into())]),
            (b"A\xff\r\nC\r\n", vec![Fault(Characters), Line("C".into())]),
            (b"A\0\nB\r\nC\r\n", vec![Fault(BareLf), Line("C".into())]),
        ] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(all(text, piece), expected, "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn lengths_are_exact() {
        let line = |n: usize| format!("{}\r\n", "x".repeat(n - 2)).into_bytes();
        assert!(matches!(all(&line(COMMAND_LINE_BYTES_MAX), 7)[..], [LineEvent::Line(_)]));
        assert_eq!(all(&line(COMMAND_LINE_BYTES_MAX + 1), 7), [LineEvent::Fault(LineFault::TooLong)]);
        let auth = |n: usize| format!("auth {}\r\n", "x".repeat(n - 7)).into_bytes();
        assert!(matches!(all(&auth(AUTH_LINE_BYTES_MAX), 7)[..], [LineEvent::Line(_)]));
        assert_eq!(all(&auth(AUTH_LINE_BYTES_MAX + 1), 7), [LineEvent::Fault(LineFault::TooLong)]);
    }
}
