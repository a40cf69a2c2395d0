//! The text of one transcript line: escapes, wildcards and variables.
//!
//! Invariants: a pattern matches a whole line, never a part of it; a variable, once bound, means the same bytes to the end
//! of the transcript, in what is sent and in what is expected.

use std::collections::BTreeMap;

/// Variables by name.
pub(super) type Variables = BTreeMap<String, Vec<u8>>;

/// A repetition in a transcript may make this many bytes at most: a typing error must not fill the memory.
const REPEAT_BYTES_MAX: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    /// `…` or `<*>`: any bytes, none too.
    Anything,
    /// `<name>`: at least one byte, no space.
    Variable(String),
}

/// A line as written in the transcript, without its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

impl Pattern {
    /// # Errors
    /// Says which escape or variable is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let (piece, length) = special(rest)?;
            match piece {
                Some(Piece::Bytes(more)) => bytes.extend(more),
                Some(piece) => {
                    flush(&mut bytes, &mut pieces);
                    pieces.push(piece);
                }
                None => bytes.extend(next.to_string().bytes()),
            }
            rest = &rest[length..];
        }
        flush(&mut bytes, &mut pieces);
        Ok(Self { pieces })
    }

    /// The bytes to send.
    ///
    /// # Errors
    /// A variable is not bound, or there is a wildcard: nothing definite could be sent.
    pub(super) fn to_bytes(&self, variables: &Variables) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(more) => bytes.extend(more),
                Piece::Anything => return Err("a wildcard cannot be sent".to_owned()),
                Piece::Variable(name) => match variables.get(name) {
                    Some(value) => bytes.extend(value),
                    None => {
                        return Err(format!("<{name}> is not bound; write \\<{name}> for the text itself"));
                    }
                },
            }
        }
        Ok(bytes)
    }

    /// Whether the whole line matches; if so, binds the variables seen for the first time.
    pub(super) fn matches(&self, line: &[u8], variables: &mut Variables) -> bool {
        match matched(&self.pieces, line, variables) {
            Some(bound) => {
                variables.extend(bound);
                true
            }
            None => false,
        }
    }
}

fn flush(bytes: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(std::mem::take(bytes)));
    }
}

/// What begins at the start of `text` and its length in the text, or the length of the plain character there.
fn special(text: &str) -> Result<(Option<Piece>, usize), String> {
    if let Some(rest) = text.strip_prefix('\\') {
        let (bytes, length) = escape(rest)?;
        return Ok((Some(Piece::Bytes(bytes)), 1 + length));
    }
    for wildcard in ["…", "<*>"] {
        if text.starts_with(wildcard) {
            return Ok((Some(Piece::Anything), wildcard.len()));
        }
    }
    if let Some((name, _)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>'))
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return Ok((Some(Piece::Variable(name.to_owned())), name.len() + 2));
    }
    Ok((None, text.chars().next().map_or(0, char::len_utf8)))
}

/// The bytes an escape stands for and its length behind the backslash.
fn escape(text: &str) -> Result<(Vec<u8>, usize), String> {
    let byte = match text.bytes().next() {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(same @ (b'\\' | b'<')) => same,
        Some(b'x') => {
            let digits = text.get(1..3).ok_or("\\x takes two hexadecimal digits")?;
            let byte = u8::from_str_radix(digits, 16).map_err(|_| format!("\\x{digits}: not hexadecimal"))?;
            return Ok((vec![byte], 3));
        }
        Some(b'{') => return repetition(text),
        _ => return Err(format!("unknown escape \\{}", text.chars().take(1).collect::<String>())),
    };
    Ok((vec![byte], 1))
}

/// `{1000*text}`: the text, itself with escapes, a thousand times.
fn repetition(text: &str) -> Result<(Vec<u8>, usize), String> {
    let wrong = || "a repetition is written \\{1000*text}".to_owned();
    let end = text.find('}').ok_or_else(wrong)?;
    let (count, what) = text[1..end].split_once('*').ok_or_else(wrong)?;
    let count: usize = count.parse().map_err(|_| wrong())?;
    let bytes = Pattern::parse(what)?.to_bytes(&Variables::new())?;
    if bytes.len().saturating_mul(count) > REPEAT_BYTES_MAX {
        return Err(format!("a repetition makes {REPEAT_BYTES_MAX} bytes at most"));
    }
    Ok((bytes.repeat(count), end + 1))
}

/// The bindings under which `pieces` matches `line`, if any. A variable takes as little as the rest allows.
fn matched(pieces: &[Piece], line: &[u8], bound: &Variables) -> Option<Variables> {
    let Some((piece, rest)) = pieces.split_first() else {
        return line.is_empty().then(|| bound.clone());
    };
    match piece {
        Piece::Bytes(bytes) => matched(rest, line.strip_prefix(bytes.as_slice())?, bound),
        Piece::Anything if rest.is_empty() => Some(bound.clone()),
        Piece::Anything => (0..=line.len()).find_map(|length| matched(rest, &line[length..], bound)),
        Piece::Variable(name) => match bound.get(name) {
            Some(value) => matched(rest, line.strip_prefix(value.as_slice())?, bound),
            None => {
                let longest = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
                (1..=longest).find_map(|length| {
                    let mut with = bound.clone();
                    with.insert(name.clone(), line[..length].to_vec());
                    matched(rest, &line[length..], &with)
                })
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Variables};

    #[track_caller]
    fn check(pattern: &str, line: &str, bound: Option<&[(&str, &str)]>) {
        let mut variables = Variables::new();
        let matches = Pattern::parse(pattern).unwrap().matches(line.as_bytes(), &mut variables);
        let expected = bound.map(|pairs| {
            let owned = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
            owned.collect::<Variables>()
        });
        assert_eq!(matches.then_some(variables), expected, "{pattern} on {line}");
    }

    #[test]
    fn matches_whole_lines() {
        check("250 ok", "250 ok", Some(&[]));
        check("250 ok", "250 okay", None);
        check("250 …", "250 okay", Some(&[]));
        check("250 <*>y", "250 okay", Some(&[]));
        check("250 <*>z", "250 okay", None);
        check("…", "", Some(&[]));
    }

    #[test]
    fn binds_as_little_as_fits_and_holds_to_it() {
        check(
            "a OK [APPENDUID <validity> <uid>] done",
            "a OK [APPENDUID 17 4] done",
            Some(&[("validity", "17"), ("uid", "4")]),
        );
        check("<x>-<x>", "ab-ab", Some(&[("x", "ab")]));
        check("<x>-<x>", "ab-ac", None);
        check("<x>", "two words", None);
        check("<x>", "", None);
    }

    #[test]
    fn angle_brackets_of_mail_are_text() {
        check("MAIL FROM:<an@b.vn>", "MAIL FROM:<an@b.vn>", Some(&[]));
        check("MAIL FROM:<>", "MAIL FROM:<>", Some(&[]));
        check("RCPT TO:\\<postmaster>", "RCPT TO:<postmaster>", Some(&[]));
    }

    #[test]
    fn sends_escapes_and_refuses_the_indefinite() {
        let bytes = |text: &str| Pattern::parse(text).and_then(|pattern| pattern.to_bytes(&Variables::new()));
        assert_eq!(bytes("a\\r\\n\\x00\\\\\\0đ").unwrap(), "a\r\n\0\\\0đ".as_bytes());
        assert_eq!(bytes("x\\{3*ab}y").unwrap(), b"xabababy");
        for wrong in ["\\q", "\\x0", "\\xgg", "\\{3ab}", "\\{99999999999*a}", "a …", "<unbound>", "\\"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
