//! Replies of a server out of a byte stream (RFC 5321 4.2).
//!
//! Invariants: a line over [`REPLY_LINE_OCTETS_MAX`] or a reply over [`REPLY_LINES_MAX`] is an error before it is kept; what is
//! no reply is an error, never skipped, for a reply that is missed shifts all the later ones.

use super::dialogue::Broken;

/// Octets of one line of a reply with its CRLF. RFC 5321 4.5.3.1.5 allows 512; some servers put whole policies into one.
pub const REPLY_LINE_OCTETS_MAX: usize = 2_000;
/// Lines of one reply: the longest EHLO replies have some 20.
pub const REPLY_LINES_MAX: usize = 100;
/// Octets of a reply's text that are handed on; the first lines say why.
const TEXT_OCTETS_MAX: usize = 2_000;

/// What a server said, for whoever decides and for whoever is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// 200 to 599.
    pub code: u16,
    /// The enhanced code of the last line (RFC 2034), where its class is the code's.
    pub status: Option<(u8, u16, u16)>,
    /// All lines, without codes, with spaces between them; cut where it grows long. May have any character.
    pub text: String,
}

impl Said {
    /// 2yz
    #[must_use]
    pub fn is_yes(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz
    #[must_use]
    pub fn is_not_now(&self) -> bool {
        self.code / 100 == 4
    }

    /// 4yz or 5yz
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) said: Said,
    /// Texts of the lines, as they came.
    pub(super) lines: Vec<String>,
}

/// Gathers one reply at a time.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    line: Vec<u8>,
    lines: Vec<String>,
}

impl ReplyReader {
    /// Has a reply begun that has not ended?
    pub(super) fn has_begun(&self) -> bool {
        !self.line.is_empty() || !self.lines.is_empty()
    }

    /// Takes from `input` up to the end of a reply; `None`: more is needed.
    ///
    /// # Errors
    /// When it is no reply, or one without end.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Heard>, Broken> {
        while !input.is_empty() {
            let end = memchr::memchr(b'\n', input);
            let (piece, rest) = match end {
                Some(at) => input.split_at_checked(at + 1).unwrap_or((input, &[])),
                None => (*input, &[][..]),
            };
            if self.line.len() + piece.len() > REPLY_LINE_OCTETS_MAX {
                return Err(Broken::TooLong);
            }
            self.line.extend_from_slice(piece);
            *input = rest;
            if end.is_some()
                && let Some(heard) = self.finish_line()?
            {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    fn finish_line(&mut self) -> Result<Option<Heard>, Broken> {
        let line = std::mem::take(&mut self.line);
        let (code, last, text) = reply_line(&line).ok_or(Broken::Garbage)?;
        if self.lines.len() >= REPLY_LINES_MAX {
            return Err(Broken::TooLong);
        }
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        if !last {
            return Ok(None);
        }
        let lines = std::mem::take(&mut self.lines);
        Ok(Some(Heard { said: said(code, &lines), lines }))
    }
}

/// `Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF`: code, is it the last, text. A line
/// that ends in LF alone is taken too: the code is the same.
fn reply_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    let [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] = digits else { return None };
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// The code of the last line counts: RFC 5321 4.2.1 has them all the same.
fn said(code: u16, lines: &[String]) -> Said {
    let mut text = String::new();
    let mut status = None;
    for line in lines {
        let (found, words) = enhanced(line);
        status = found.filter(|status| u16::from(status.0) == code / 100);
        if text.len() + words.len() <= TEXT_OCTETS_MAX {
            let gap = if text.is_empty() || words.is_empty() { "" } else { " " };
            text.push_str(gap);
            text.push_str(words);
        }
    }
    Said { code, status, text }
}

/// `status-code = class "." subject "." detail` (RFC 2034 4) and what follows it.
fn enhanced(line: &str) -> (Option<(u8, u16, u16)>, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = word.split('.').map(|number| {
        let fits = (1..=3).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit());
        fits.then(|| number.parse::<u16>().ok()).flatten()
    });
    let parts = (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten());
    match (parts, numbers.next()) {
        ((Some(class @ (2 | 4 | 5)), Some(subject), Some(detail)), None) => {
            let class = u8::try_from(class).unwrap_or_default();
            (Some((class, subject, detail)), rest)
        }
        _ => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], piece: usize) -> Result<Vec<Heard>, Broken> {
        let (mut reader, mut heard) = (ReplyReader::default(), Vec::new());
        for mut input in text.chunks(piece) {
            while let Some(reply) = reader.read(&mut input)? {
                heard.push(reply);
            }
        }
        Ok(heard)
    }

    #[test]
    fn forms() {
        for (text, code, status, words) in [
            ("250 OK\r\n", 250, None, "OK"),
            ("250\r\n", 250, None, ""),
            ("250 \n", 250, None, ""),
            ("550 5.1.1 No such user\r\n", 550, Some((5, 1, 1)), "No such user"),
            ("550-5.7.1 one\r\n550 5.7.26 two\r\n", 550, Some((5, 7, 26)), "one two"),
            ("250-a\r\n250-\r\n250 b\r\n", 250, None, "a b"),
            // Its class is another one: not believed.
            ("550 4.2.2 full\r\n", 550, None, "full"),
            ("450 1.2.3 x\r\n", 450, None, "1.2.3 x"),
            ("450 4.2 x\r\n", 450, None, "4.2 x"),
            ("450 4.2.1.1 x\r\n", 450, None, "4.2.1.1 x"),
            ("450 4.2.1234 x\r\n", 450, None, "4.2.1234 x"),
            // The last code counts.
            ("250-a\r\n550 b\r\n", 550, None, "a b"),
        ] {
            for piece in [1, 2, 100] {
                let said = Said { code, status, text: words.to_owned() };
                let heard = all(text.as_bytes(), piece).unwrap();
                assert_eq!(heard.into_iter().map(|heard| heard.said).collect::<Vec<_>>(), [said], "{text}");
            }
        }
        assert_eq!(all(b"250 a\r\n354 b\r\n", 4).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_reply() {
        for text in [
            "\r\n",
            "25\r\n",
            "2500 x\r\n",
            "150 x\r\n",
            "650 x\r\n",
            "HTTP/1.1 400\r\n",
            "250_x\r\n",
            "\0\n",
        ] {
            assert_eq!(all(text.as_bytes(), 3), Err(Broken::Garbage), "{text:?}");
        }
    }

    #[test]
    fn limits_are_exact() {
        let line = |n: usize| format!("250 {}\r\n", "x".repeat(n - 6)).into_bytes();
        assert_eq!(all(&line(REPLY_LINE_OCTETS_MAX), 7).unwrap().len(), 1);
        assert_eq!(all(&line(REPLY_LINE_OCTETS_MAX + 1), 7), Err(Broken::TooLong));
        let lines = |n: usize| ("250-x\r\n".repeat(n - 1) + "250 x\r\n").into_bytes();
        assert_eq!(all(&lines(REPLY_LINES_MAX), 7).unwrap().len(), 1);
        assert_eq!(all(&lines(REPLY_LINES_MAX + 1), 7), Err(Broken::TooLong));
        let endless = vec![b'2'; 1 << 20];
        assert_eq!(all(&endless, 1000), Err(Broken::TooLong));
    }
}
