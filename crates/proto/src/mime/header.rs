//! Header fields as they lie in the stored bytes. Nothing here allocates by input size except the subsets, and every
//! function is one pass. Line ends are CRLF or a bare LF; a bare CR is an octet like any other.

/// One field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderField<'a> {
    /// As written, without white space around; empty for a line that has no colon.
    pub name: &'a [u8],
    /// The whole field as stored: name, colon, folding, and its line end if there is one.
    pub raw: &'a [u8],
    /// What is behind the colon, folding kept, without the last line end.
    pub value: &'a [u8],
}

impl HeaderField<'_> {
    /// Is this the field of that name, in any case?
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value with folding undone (RFC 5322 2.2.3) and white space trimmed.
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.value, usize::MAX)
    }
}

/// Offset of the first octet of the body: behind the blank line, or the input's length if there is none.
pub fn header_end(raw: &[u8]) -> usize {
    let mut at = 0;
    while at < raw.len() {
        let line = line_at(raw, at);
        at += line.len();
        if is_blank(line) {
            return at;
        }
    }
    raw.len()
}

/// The fields of a header in order. Ends at the blank line or the end of input; lines without a colon come with an
/// empty name.
pub fn header_fields(header: &[u8]) -> impl Iterator<Item = HeaderField<'_>> {
    Fields { rest: header }
}

/// The fields whose name is in `names` (any case), bytes as stored, then the blank line: `HEADER.FIELDS` of
/// RFC 9051 6.4.5.1.
pub fn header_subset(header: &[u8], names: &[&[u8]]) -> Vec<u8> {
    subset(header, names, true)
}

/// The fields whose name is not in `names`, then the blank line: `HEADER.FIELDS.NOT` of RFC 9051 6.4.5.1.
pub fn header_subset_not(header: &[u8], names: &[&[u8]]) -> Vec<u8> {
    subset(header, names, false)
}

fn subset(header: &[u8], names: &[&[u8]], wanted: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in header_fields(header) {
        let named = names.iter().any(|name| name.eq_ignore_ascii_case(field.name));
        if named == wanted {
            out.extend_from_slice(field.raw);
        }
    }
    // RFC 9051 6.4.5.1: the delimiting blank line is always included.
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = HeaderField<'a>;

    fn next(&mut self) -> Option<HeaderField<'a>> {
        let first = line_at(self.rest, 0);
        if first.is_empty() || is_blank(first) {
            self.rest = &[];
            return None;
        }
        let mut end = first.len();
        // RFC 5322 2.2.3: a line that starts with white space continues the field.
        while matches!(self.rest.get(end), Some(b' ' | b'\t')) {
            end += line_at(self.rest, end).len();
        }
        let (raw, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        let content = trim_line_end(raw);
        let colon = first.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(colon) => content.split_at_checked(colon).unwrap_or((content, &[])),
            None => (&[][..], content),
        };
        let value = if colon.is_some() { value.get(1..).unwrap_or_default() } else { value };
        Some(HeaderField { name: name.trim_ascii(), raw, value })
    }
}

/// The line that starts at `at`, its line end included; empty at the end of input.
pub(super) fn line_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.iter().position(|byte| *byte == b'\n') {
        Some(position) => rest.get(..=position).unwrap_or(rest),
        None => rest,
    }
}

/// Is this line, its line end included, empty?
pub(super) fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// Without the last CRLF or LF.
pub(super) fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// RFC 5322 2.2.3: takes out the line ends, nothing else; then trims. Reads at most `octets_max` octets.
pub(super) fn unfold(value: &[u8], octets_max: usize) -> Vec<u8> {
    let value = value.get(..octets_max).unwrap_or(value);
    let mut out = Vec::with_capacity(value.len());
    for line in value.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(trim_line_end(line));
    }
    out.trim_ascii().to_vec()
}
