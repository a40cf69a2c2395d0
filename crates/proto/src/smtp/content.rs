//! Message content on its way in: dot-unstuffing, the end of DATA, and what makes content unacceptable.
//!
//! Invariants: DATA ends at CR LF . CR LF and nowhere else; content with a bare CR, a bare LF or a NUL is read to
//! that real end and refused, so no two readers of the same bytes can disagree on where a message stops (SMTP
//! smuggling); after a bare CR or LF in DATA the connection ends as well. Decoded bytes are handed out as slices of
//! the input; nothing is gathered here.

use super::limits::TEXT_LINE_BYTES_MAX;
use super::reply::Reply;

/// Why a message will be refused at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The first octet is SP or TAB. Our Received field goes before it (RFC 5321 4.4), and such a first line would be that
    /// field's continuation (RFC 5322 2.2.3): a From field hidden there is seen by no check.
    Blank,
    /// CR without LF behind it (RFC 5321 2.3.8: must not be sent).
    BareCr,
    /// LF without CR before it.
    BareLf,
    /// NUL is neither 7bit nor 8bit data (RFC 2045 2.7, 2.8), and some servers drop it, which moves the end of DATA.
    Nul,
    LineTooLong,
    TooLarge,
}

impl Fault {
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Blank => Reply::new(550, (6, 0), "Message refused: it begins with a blank"),
            Self::BareCr => Reply::new(550, (6, 0), "Message refused: CR without LF; lines end in CRLF"),
            Self::BareLf => Reply::new(550, (6, 0), "Message refused: LF without CR; lines end in CRLF"),
            Self::Nul => Reply::new(550, (6, 0), "Message refused: it contains a NUL octet"),
            Self::LineTooLong => Reply::new(554, (6, 0), "Message refused: a line is longer than 1 MiB"),
            Self::TooLarge => too_large(),
        }
    }
}

/// RFC 1870 6.1: the same words at MAIL FROM and while the message streams in.
pub(super) fn too_large() -> Reply {
    Reply::new(552, (3, 4), "Message is larger than the size limit")
}

/// Counts what has passed and remembers the first fault. Being too large outweighs any other, as octets are counted by
/// the piece: which came first must not depend on how the input was cut.
#[derive(Debug)]
struct Tally {
    bytes: u64,
    bytes_max: u64,
    /// Octets of the line so far.
    line: u64,
    first: Option<Fault>,
    bare_line_end: bool,
}

impl Tally {
    fn new(bytes_max: u64) -> Self {
        Self { bytes: 0, bytes_max, line: 0, first: None, bare_line_end: false }
    }

    fn refuse(&mut self, fault: Fault) {
        self.bare_line_end |= matches!(fault, Fault::BareCr | Fault::BareLf);
        self.first.get_or_insert(fault);
    }

    fn fault(&self) -> Option<Fault> {
        if self.bytes > self.bytes_max { Some(Fault::TooLarge) } else { self.first }
    }

    /// Looks at octets that are the next of the message, before anything else does.
    fn begin(&mut self, bytes: &[u8]) {
        if self.bytes == 0 && matches!(bytes, [b' ' | b'\t', ..]) {
            self.refuse(Fault::Blank);
        }
    }

    /// `count` more octets of the message.
    fn add(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_add(count as u64);
    }

    /// `count` more octets of the current line.
    fn text(&mut self, count: usize) {
        self.line = self.line.saturating_add(count as u64);
        if self.line > TEXT_LINE_BYTES_MAX {
            self.refuse(Fault::LineTooLong);
        }
    }
}

/// Where in the stream of DATA we stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// Behind a dot that began a line.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    Inside,
    /// Behind a CR that has not been handed out yet.
    Cr,
}

/// What a piece of DATA brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded<'a> {
    /// The input is used up.
    More,
    /// Octets of the message.
    Bytes(&'a [u8]),
    /// The final dot has been read.
    End,
}

/// Decodes what follows 354 (RFC 5321 4.1.1.4, 4.5.2).
#[derive(Debug)]
pub(super) struct DataDecoder {
    at: At,
    tally: Tally,
}

impl DataDecoder {
    pub(super) fn new(bytes_max: u64) -> Self {
        // The CRLF of the command line counts as the one before the first line (RFC 5321 4.1.1.4).
        Self { at: At::LineStart, tally: Tally::new(bytes_max) }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.tally.fault()
    }

    /// Was there a CR or LF alone, so that another reader may have seen the message end elsewhere?
    pub(super) fn has_bare_line_end(&self) -> bool {
        self.tally.bare_line_end
    }

    /// Decodes up to the next boundary. Call again until `More` or `End`.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Decoded<'a> {
        while let Some((&byte, rest)) = input.split_first() {
            let (next, taken) = match (self.at, byte) {
                (At::LineStart, b'.') => (At::Dot, true),
                // RFC 5321 4.5.2: a first dot with more behind it was stuffed in and falls away.
                (At::Dot, b'\r') => (At::DotCr, true),
                (At::LineStart | At::Dot, _) => (At::Inside, false),
                (At::DotCr, b'\n') => {
                    *input = rest;
                    return Decoded::End;
                }
                (At::Cr, b'\n') => {
                    (self.at, *input) = (At::LineStart, rest);
                    if let Some(bytes) = self.hand_out(b"\r\n") {
                        return Decoded::Bytes(bytes);
                    }
                    continue;
                }
                (At::DotCr | At::Cr, _) => {
                    self.tally.add(1);
                    self.tally.refuse(Fault::BareCr);
                    (At::Inside, false)
                }
                (At::Inside, _) => {
                    if let Some(bytes) = self.run(input) {
                        return Decoded::Bytes(bytes);
                    }
                    continue;
                }
            };
            self.at = next;
            if taken {
                *input = rest;
            }
        }
        Decoded::More
    }

    /// Takes from inside a line as many octets as can be handed out as they are: over line ends, too, until a line
    /// begins with a dot, or a CR is last.
    fn run<'a>(&mut self, input: &mut &'a [u8]) -> Option<&'a [u8]> {
        let all = *input;
        self.tally.begin(all);
        let mut end = 0;
        loop {
            let rest = all.get(end..).unwrap_or_default();
            let text = memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
            self.tally.text(text);
            end += text;
            match rest.get(text..).unwrap_or_default() {
                [] => break,
                [b'\r'] => {
                    self.at = At::Cr;
                    break;
                }
                [b'\r', b'\n', following @ ..] => {
                    self.tally.line = 0;
                    end += 2;
                    if matches!(following, [] | [b'.', ..]) {
                        self.at = At::LineStart;
                        break;
                    }
                }
                [byte, ..] => {
                    self.tally.refuse(match byte {
                        b'\r' => Fault::BareCr,
                        b'\n' => Fault::BareLf,
                        _ => Fault::Nul,
                    });
                    end += 1;
                }
            }
        }
        let (bytes, rest) = all.split_at_checked(end).unwrap_or((all, &[]));
        // The last CR waits in `At::Cr`, so it is taken but not handed out.
        *input = if self.at == At::Cr { rest.get(1..).unwrap_or_default() } else { rest };
        self.hand_out(bytes)
    }

    /// `None` for nothing, and for everything behind a fault.
    fn hand_out<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if bytes == b"\r\n" {
            self.tally.line = 0;
        }
        self.tally.add(bytes.len());
        (self.tally.fault().is_none() && !bytes.is_empty()).then_some(bytes)
    }
}

/// Watches the octets of BDAT chunks (RFC 3030). A CR may end one chunk and its LF begin the next.
#[derive(Debug)]
pub(super) struct ChunkWatch {
    cr: bool,
    tally: Tally,
}

impl ChunkWatch {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { cr: false, tally: Tally::new(bytes_max) }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.tally.fault()
    }

    /// Looks at the next octets of the message; false when they need not be kept.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> bool {
        self.tally.begin(bytes);
        self.tally.add(bytes.len());
        for &byte in bytes {
            match (std::mem::replace(&mut self.cr, byte == b'\r'), byte) {
                (true, b'\n') => self.tally.line = 0,
                (true, _) => self.tally.refuse(Fault::BareCr),
                (false, b'\n') => self.tally.refuse(Fault::BareLf),
                (false, b'\r') => {}
                (false, 0) => self.tally.refuse(Fault::Nul),
                (false, _) => self.tally.text(1),
            }
        }
        self.tally.fault().is_none()
    }

    /// The last chunk has ended.
    pub(super) fn finish(&mut self) {
        if self.cr {
            self.tally.refuse(Fault::BareCr);
        }
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
