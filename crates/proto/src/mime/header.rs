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
/// RFC 9051 6.4.5.1. `header` is all of it, its blank line included.
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
    // RFC 9051 6.4.5.1: the blank line is included, except where the message has no body and no blank line.
    if header.ends_with(b"\n\r\n") || header.ends_with(b"\n\n") || is_blank(header) {
        out.extend_from_slice(b"\r\n");
    }
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
    match memchr::memchr(b'\n', rest) {
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

/// RFC 5322 2.2.3: takes out the line ends, and with them what no IMAP string may hold (NUL) or must not hold here
/// (a stray CR); then trims. Reads at most `octets_max` octets.
pub(super) fn unfold(value: &[u8], octets_max: usize) -> Vec<u8> {
    let value = value.get(..octets_max).unwrap_or(value).trim_ascii();
    value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n' | b'\0')).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(header: &[u8]) -> Vec<String> {
        header_fields(header).map(|field| String::from_utf8_lossy(field.name).into_owned()).collect()
    }

    #[test]
    fn finds_the_end_of_the_header() {
        for (raw, end) in [
            (&b""[..], 0),
            (b"\r\nbody", 2),
            (b"\nbody", 1),
            (b"a: b\r\n\r\nbody", 8),
            (b"a: b\n\nbody", 6),
            (b"a: b\r\n", 6),
            (b"a: b", 4),
            (b"a: b\r\r\rbody", 11),
            (b"a: b\r\n \r\n\r\nx", 11),
        ] {
            assert_eq!(header_end(raw), end, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn splits_fields_as_stored() {
        let header = b"A : one\r\n two\r\nno colon\r\nb:\n\r\nc: in the body";
        let fields: Vec<_> = header_fields(header).collect();
        assert_eq!(names(header), ["A", "", "b"]);
        assert_eq!(fields[0].raw, b"A : one\r\n two\r\n");
        assert_eq!(fields[0].unfolded(), b"one two");
        assert_eq!(fields[1].value, b"no colon");
        assert_eq!(fields[2].value, b"");
        assert!(fields[0].is("a"));
        assert_eq!(fields.iter().map(|field| field.raw.len()).sum::<usize>(), 28);
    }

    #[test]
    fn subsets_keep_the_bytes_and_the_blank_line() {
        let header = b"To: a\r\n b\r\nFrom: c\r\nTO: d\r\n\r\n";
        assert_eq!(header_subset(header, &[b"to"]), b"To: a\r\n b\r\nTO: d\r\n\r\n");
        assert_eq!(header_subset_not(header, &[b"to", b"x"]), b"From: c\r\n\r\n");
        assert_eq!(header_subset(header, &[]), b"\r\n");
        assert_eq!(header_subset(b"a: b\n\n", &[b"A"]), b"a: b\n\r\n");
        // A message that has no body and no blank line is given without one.
        assert_eq!(header_subset(b"a: b", &[b"a"]), b"a: b");
        assert_eq!(header_subset(b"", &[b"a"]), b"");
    }

    #[test]
    fn unfolding_takes_out_what_no_string_may_hold() {
        assert_eq!(unfold(b" a\r\n\tb\0c\rd \r\n", 100), b"a\tbcd");
        assert_eq!(unfold(b"abcdef", 3), b"abc");
    }
}
