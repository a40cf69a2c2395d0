//! Line ends, and the announcement of a literal before one.

/// A literal announcement, `~{18446744073709551615+}` and CR, is shorter; so many octets of a discarded line
/// are kept to recognise one at its end.
pub(super) const ANNOUNCEMENT_BYTES_MAX: usize = 64;

/// The offset behind the first LF at or after `from`. Lines end in CRLF; a bare LF is taken as one.
pub(super) fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = bytes.get(from..)?.iter().position(|&b| b == b'\n')?;
    Some(from + at + 1)
}

pub(super) fn strip_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `literal = "{" number ["+"] "}" CRLF` at the end of a line (RFC 7888 8), or a literal8, with `~` before (RFC 4466 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    /// A number too large to count is as large as can be.
    pub(super) bytes: u64,
    pub(super) synchronising: bool,
}

impl Announcement {
    pub(super) fn at_end(line: &[u8]) -> Option<Self> {
        let inner = strip_line_end(line).strip_suffix(b"}")?;
        let (digits, synchronising) = match inner.strip_suffix(b"+") {
            Some(digits) => (digits, false),
            None => (inner, true),
        };
        let open = digits.iter().rposition(|b| !b.is_ascii_digit())?;
        let (brace, digits) = (digits.get(open)?, digits.get(open + 1..)?);
        if *brace != b'{' || digits.is_empty() {
            return None;
        }
        let bytes = digits.iter().try_fold(0_u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')));
        Some(Self { bytes: bytes.unwrap_or(u64::MAX), synchronising })
    }
}
