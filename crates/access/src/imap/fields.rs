//! Some fields of a header (RFC 3501 6.4.5, HEADER.FIELDS), piece by piece.
//!
//! Invariants: whatever a header holds, two pieces of it are in memory; octets are given as they are stored; other
//! tasks run between the pieces.

use super::limits::{FIELD_NAME_BYTES_MAX, PIECE_BYTES};
use engine::{Body, Error};
use std::ops::Range;

/// The fields of a message's header that somebody chose.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    body: &'a Body,
    unread: Range<u64>,
    /// Read, but not yet to be judged: the beginning of a line.
    begun: Vec<u8>,
    choice: Choice<'a>,
}

impl<'a> Fields<'a> {
    /// Of the `header` that lies there, those named, or the others.
    pub(crate) fn new(body: &'a Body, header: Range<u64>, names: &'a [String], without: bool) -> Self {
        Self { body, unread: header, begun: Vec::new(), choice: Choice::new(names, without) }
    }

    /// The octets chosen of the next piece, maybe none; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Range { start, end } = self.unread;
        if start >= end {
            return Ok(None);
        }
        tokio::task::yield_now().await;
        let piece = self.body.piece(start, end.min(start + PIECE_BYTES as u64)).await?;
        if piece.is_empty() {
            return Err(Error::NotFound);
        }
        self.unread.start += piece.len() as u64;
        self.begun.extend_from_slice(&piece);
        let mut chosen = Vec::new();
        let seen = self.choice.feed(&self.begun, self.unread.is_empty(), &mut chosen);
        self.begun.drain(..seen);
        Ok(Some(chosen))
    }
}

/// Line by line: is it of a chosen field?
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    names: &'a [String],
    without: bool,
    /// The field under way is chosen; `None` before the first.
    chosen: Option<bool>,
    line_begun: bool,
    ended: bool,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(names: &'a [String], without: bool) -> Self {
        Self { names, without, chosen: None, line_begun: false, ended: false }
    }

    /// Puts what is chosen of `octets` into `chosen`, and says how many it has judged: the others are to come again
    /// with more behind them, unless these are the `last`.
    pub(crate) fn feed(&mut self, octets: &[u8], last: bool, chosen: &mut Vec<u8>) -> usize {
        let mut seen = 0;
        while let Some(rest) = octets.get(seen..).filter(|rest| !rest.is_empty()) {
            let line_end = rest.iter().position(|octet| *octet == b'\n').map(|at| at + 1);
            let line = rest.get(..line_end.unwrap_or(rest.len())).unwrap_or(rest);
            if !self.line_begun {
                if line_end.is_none() && !last && rest.len() < FIELD_NAME_BYTES_MAX {
                    break;
                }
                self.begin(line);
            }
            if self.ended {
                // RFC 3501 6.4.5: the blank line is always there, where the message has one.
                chosen.extend_from_slice(b"\r\n");
                return octets.len();
            }
            if self.chosen == Some(true) {
                chosen.extend_from_slice(line);
            }
            self.line_begun = line_end.is_none();
            seen += line.len();
        }
        seen
    }

    fn begin(&mut self, line: &[u8]) {
        if matches!(line, b"\r\n" | b"\n") {
            self.ended = true;
            return;
        }
        // RFC 5322 2.2.3: a line that begins with white space continues the field.
        if self.chosen.is_some() && matches!(line, [b' ' | b'\t', ..]) {
            return;
        }
        let colon = line.iter().position(|octet| *octet == b':');
        let name = colon.and_then(|colon| line.get(..colon)).unwrap_or_default().trim_ascii();
        let named = self.names.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name));
        self.chosen = Some(named != self.without);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mime;

    fn chosen(header: &[u8], names: &[String], without: bool, piece: usize) -> Vec<u8> {
        let mut choice = Choice::new(names, without);
        let (mut out, mut begun, mut rest) = (Vec::new(), Vec::new(), header);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            begun.extend_from_slice(now);
            let seen = choice.feed(&begun, later.is_empty(), &mut out);
            begun.drain(..seen);
            rest = later;
        }
        assert!(begun.is_empty());
        out
    }

    #[test]
    fn pieces_of_any_size_choose_what_the_whole_header_chooses() {
        let long = format!("From: {}\r\nTo: x\r\n\r\n", "a".repeat(5_000));
        let headers = [
            "From: a\r\nTo: b\r\n folded: c\r\n\td\r\nfrom : e\r\nno colon\r\nSubject:\r\n\r\n",
            " To: first\nFrom: b\n\n",
            "\r\n",
            "",
            "To: no end",
            "To: no body\r\n",
            &long,
        ];
        for (header, names) in
            headers.iter().flat_map(|h| [(h, vec!["FROM"]), (h, vec!["to", "x"]), (h, vec![])])
        {
            let octets: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            for piece in [1, 2, 3, 1_500, 10_000] {
                let (of, not) =
                    [false, true].map(|without| chosen(header.as_bytes(), &names, without, piece)).into();
                assert_eq!(of, mime::header_subset(header.as_bytes(), &octets), "{header:?} {names:?}");
                assert_eq!(not, mime::header_subset_not(header.as_bytes(), &octets), "{header:?} {names:?}");
            }
        }
    }
}
