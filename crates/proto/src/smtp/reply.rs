//! Replies: a code, an enhanced code and a text (RFC 5321 4.2, RFC 2034).
//!
//! Invariants: every line is printable ASCII and at most 512 octets with its CRLF, whatever text was given;
//! the class of the enhanced code is the code's first digit.

use super::limits::REPLY_LINE_BYTES_MAX;
use std::borrow::Cow;

/// One reply, of one or more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    /// Subject and detail (RFC 3463); the class follows from the code.
    enhanced: Option<(u16, u16)>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply with an enhanced status code, given as (subject, detail): `Reply::new(550, (1, 1), …)` is `550 5.1.1`.
    #[must_use]
    pub fn new(code: u16, enhanced: (u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(enhanced), lines: vec![text.into()] }
    }

    /// A reply that has no enhanced code: greeting, EHLO, and every 3yz (RFC 2034 4).
    #[must_use]
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, lines: vec![text.into()] }
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The command, or the message, was not accepted.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The connection ends behind this reply: 421 always says so (RFC 5321 4.2.2).
    #[must_use]
    pub fn closes(&self) -> bool {
        self.code == 421
    }

    /// Appends the reply as it goes over the wire.
    pub fn write(&self, output: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (number, text) in self.lines.iter().enumerate() {
            let separator = if number == last { ' ' } else { '-' };
            let mut line = format!("{}{separator}", self.code);
            if let Some((subject, detail)) = self.enhanced {
                line.push_str(&format!("{}.{subject}.{detail} ", self.code / 100));
            }
            // RFC 5321 4.2: textstring is printable ASCII; RFC 6531 3.7.4 allows more only to those who asked for it.
            line.extend(text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }));
            line.truncate(REPLY_LINE_BYTES_MAX - 2);
            output.extend_from_slice(line.as_bytes());
            output.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut output = Vec::new();
        reply.write(&mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn forms() {
        assert_eq!(written(&Reply::new(550, (1, 1), "No such user")), "550 5.1.1 No such user\r\n");
        assert_eq!(written(&Reply::plain(250, "a").line("SIZE 5")), "250-a\r\n250 SIZE 5\r\n");
        assert_eq!(
            written(&Reply::new(550, (7, 1), "one").line("two")),
            "550-5.7.1 one\r\n550 5.7.1 two\r\n"
        );
    }

    #[test]
    fn no_text_breaks_the_line() {
        let text = written(&Reply::new(550, (7, 1), "đ\r\n250 ok\0"));
        assert_eq!(text, "550 5.7.1 ???250 ok?\r\n");
        let long = written(&Reply::new(550, (7, 1), "x".repeat(2_000)));
        assert_eq!(long.len(), REPLY_LINE_BYTES_MAX);
        assert!(long.ends_with("x\r\n"));
    }
}
