//! Structured MIME fields: `type/subtype; name=value…` of Content-Type, Content-Disposition and the like, read
//! tolerantly. A comment or a quoted string that never ends reaches to the end of the field.

use std::collections::{BTreeMap, BTreeSet};

use super::header::unfold;
use super::limits::{COMMENT_DEPTH_MAX, MIME_FIELD_MAX, PARAM_VALUE_MAX, PARAMS_MAX, TOKEN_MAX};
use super::structure::{Disposition, Param};

/// Content-Type: type and subtype in lower case (`None` if they are not of the form `type/subtype`), parameters.
pub(super) struct ContentType {
    pub(super) media: Option<(String, String)>,
    pub(super) params: Vec<Param>,
}

/// RFC 2045 5.1.
pub(super) fn content_type(value: &[u8]) -> ContentType {
    let value = unfold(value, MIME_FIELD_MAX);
    let mut cursor = Cursor { bytes: &value, at: 0 };
    let media_type = cursor.token();
    cursor.skip_comments();
    let mut subtype = None;
    if cursor.peek() == Some(b'/') {
        cursor.at += 1;
        subtype = cursor.token();
    }
    ContentType { media: media_type.zip(subtype), params: cursor.params() }
}

/// Type and subtype in lower case, and the parameters, of the value of a Content-Type field.
pub(crate) fn content_type_of(value: &[u8]) -> (Option<(String, String)>, Vec<Param>) {
    let ContentType { media, params } = content_type(value);
    (media, params)
}

/// RFC 2183 2; `None` without a kind. An unknown kind is to be treated as attachment, but is shown as it is.
pub(crate) fn disposition(value: &[u8]) -> Option<Disposition> {
    let value = unfold(value, MIME_FIELD_MAX);
    let mut cursor = Cursor { bytes: &value, at: 0 };
    let kind = cursor.token()?;
    Some(Disposition { kind, params: cursor.params() })
}

/// The first token of a field in lower case (Content-Transfer-Encoding, RFC 2045 6.1).
pub(super) fn first_token(value: &[u8]) -> Option<String> {
    let value = unfold(value, MIME_FIELD_MAX);
    Cursor { bytes: &value, at: 0 }.token()
}

/// A comma separated list of tokens, comments left out (Content-Language, RFC 3282 2).
pub(super) fn tokens(value: &[u8], count_max: usize) -> Vec<Vec<u8>> {
    let value = unfold(value, MIME_FIELD_MAX);
    let mut cursor = Cursor { bytes: &value, at: 0 };
    let mut found = Vec::new();
    while found.len() < count_max && cursor.at < value.len() {
        if let Some(token) = cursor.token() {
            found.push(token.into_bytes());
        }
        cursor.skip_behind(b',');
    }
    found
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// White space and comments (RFC 5322 3.2.2), nested ones counted, not recursed into.
    fn skip_comments(&mut self) {
        let mut depth = 0_u32;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => depth = depth.saturating_add(1).min(COMMENT_DEPTH_MAX),
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.at += 1,
                _ if depth > 0 || byte.is_ascii_whitespace() => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    /// A token in lower case: RFC 2045 5.1 without `tspecials`, ASCII only.
    fn token(&mut self) -> Option<String> {
        self.skip_comments();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !is_token(*byte)).unwrap_or(rest.len());
        self.at += length;
        let token = rest.get(..length).filter(|token| !token.is_empty() && token.len() <= TOKEN_MAX)?;
        String::from_utf8(token.to_ascii_lowercase()).ok()
    }

    fn skip_behind(&mut self, end: u8) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| *byte == end).map_or(rest.len(), |position| position + 1);
    }

    /// What is behind the type. A missing semicolon is forgiven in front of what is a parameter otherwise.
    fn params(&mut self) -> Vec<Param> {
        let mut pieces = Vec::new();
        while pieces.len() < PARAMS_MAX && self.at < self.bytes.len() {
            let name = self.token();
            self.skip_comments();
            match name {
                Some(name) if self.peek() == Some(b'=') => {
                    self.at += 1;
                    pieces.push(Piece::new(&name, self.value()));
                }
                _ => self.skip_behind(b';'),
            }
        }
        join(&pieces)
    }

    /// A parameter's value: a quoted string, or all up to the next semicolon, for names with spaces that were not
    /// quoted. A comment behind a token is no part of it (RFC 2045 5.1).
    fn value(&mut self) -> Vec<u8> {
        self.skip_comments();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return self.quoted();
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'('))
            .unwrap_or(rest.len());
        self.at += length;
        let behind = self.at;
        self.skip_comments();
        let clean = matches!(self.peek(), None | Some(b';'));
        self.at = if clean { self.at } else { behind };
        let length =
            if clean { length } else { rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len()) };
        capped(rest.get(..length).unwrap_or(rest).trim_ascii()).to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            let byte = match byte {
                b'"' => break,
                b'\\' => match self.peek() {
                    Some(escaped) => {
                        self.at += 1;
                        escaped
                    }
                    None => break,
                },
                _ => byte,
            };
            if value.len() < PARAM_VALUE_MAX {
                value.push(byte);
            }
        }
        value
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?="#.contains(&byte)
}

fn capped(value: &[u8]) -> &[u8] {
    value.get(..PARAM_VALUE_MAX).unwrap_or(value)
}

/// One `name*number*=value` as written.
struct Piece {
    name: String,
    number: Option<u32>,
    extended: bool,
    value: Vec<u8>,
}

impl Piece {
    /// RFC 2231 3 and 4: `name*` is extended, `name*1` the second piece, `name*1*` both.
    fn new(name: &str, value: Vec<u8>) -> Self {
        let (stem, extended) = name.strip_suffix('*').map_or((name, false), |stem| (stem, true));
        let numbered = stem.rsplit_once('*').and_then(|(base, number)| Some((base, number.parse().ok()?)));
        match numbered {
            Some((base, number)) => Self { name: base.to_owned(), number: Some(number), extended, value },
            None => Self { name: stem.to_owned(), number: None, extended, value },
        }
    }

    /// The parameter of a piece that is all of it.
    fn whole(&self) -> Param {
        let star = if self.extended { "*" } else { "" };
        Param { name: format!("{}{star}", self.name), value: self.value.clone() }
    }
}

/// Joins continuations; parameters come in the order of their first piece, the first of equal names wins.
fn join(pieces: &[Piece]) -> Vec<Param> {
    // A map, because a message of nothing but parameters would pay for looking through lists of them.
    let mut groups: BTreeMap<(&str, bool), Vec<&Piece>> = BTreeMap::new();
    let mut order = Vec::new();
    for piece in pieces {
        let key = (piece.name.as_str(), piece.number.is_some());
        let group = groups.entry(key).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        group.push(piece);
    }
    let mut known = BTreeSet::new();
    let mut params: Vec<Param> = Vec::new();
    for key @ (name, numbered) in order {
        let mut group = groups.remove(&key).unwrap_or_default();
        let found = if numbered {
            group.sort_by_key(|piece| piece.number);
            vec![continued(name.to_owned(), &group)]
        } else {
            group.into_iter().map(Piece::whole).collect()
        };
        params.extend(found.into_iter().filter(|param| known.insert(param.name.clone())));
    }
    params
}

/// The pieces of one name in the order of their numbers, up to the first gap.
fn continued(name: String, group: &[&Piece]) -> Param {
    let extended = group.iter().any(|piece| piece.extended);
    let mut value = Vec::new();
    let mut expected = group.first().and_then(|piece| piece.number);
    let mut first = true;
    for piece in group {
        if piece.number != expected {
            // A number given twice: the first wins. A gap: what is behind belongs to nothing.
            if piece.number < expected {
                continue;
            }
            break;
        }
        expected = expected.and_then(|number| number.checked_add(1));
        if extended && first && !piece.extended {
            value.extend_from_slice(b"''");
        }
        first = false;
        if extended && !piece.extended {
            percent_encode(&piece.value, &mut value);
        } else {
            value.extend_from_slice(&piece.value);
        }
    }
    value.truncate(PARAM_VALUE_MAX);
    Param { name: if extended { format!("{name}*") } else { name }, value }
}

/// A plain piece between extended ones, made one of them (RFC 2231 4.1 lets them mix).
fn percent_encode(plain: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in plain {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(value: &str) -> Vec<(String, String)> {
        let params = content_type(value.as_bytes()).params;
        params
            .into_iter()
            .map(|param| (param.name, String::from_utf8_lossy(&param.value).into_owned()))
            .collect()
    }

    fn check(value: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(pairs(value), expected, "{value}");
    }

    #[test]
    fn reads_the_examples_of_rfc_2045() {
        check("text/plain; charset=us-ascii (Plain text)", &[("charset", "us-ascii")]);
        check("text/plain; charset=\"us-ascii\"", &[("charset", "us-ascii")]);
        let parsed = content_type(b" Text / (a (nested) comment) HTML ;charset = x");
        assert_eq!(parsed.media, Some(("text".into(), "html".into())));
        assert_eq!(content_type(b"text").media, None);
        assert_eq!(content_type(b"").media, None);
    }

    #[test]
    fn joins_the_examples_of_rfc_2231() {
        check(
            "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
            &[("access-type", "URL"), ("url", "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar")],
        );
        check(
            "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            &[("title*", "us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")],
        );
        check(
            "application/x-stuff;\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
            &[("title*", "us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it%21")],
        );
        // Any order; a gap ends it; plain and extended forms side by side.
        check("a/b; n*1=b; n*0=a; n*3=d", &[("n", "ab")]);
        check("a/b; n=plain; n*=utf-8''x", &[("n", "plain"), ("n*", "utf-8''x")]);
        check("a/b; n*0=p; x=y; n=q; n=r; n*0*=''s; n*=t", &[("n*", "''p"), ("x", "y"), ("n", "q")]);
    }

    #[test]
    fn tolerates_what_senders_do() {
        check("a/b; name=my file (1).pdf; x=y", &[("name", "my file (1).pdf"), ("x", "y")]);
        check("a/b; name=\"a;b\\\"c\"; x=y", &[("name", "a;b\"c"), ("x", "y")]);
        check("a/b; name==?utf-8?Q?a?=; x", &[("name", "=?utf-8?Q?a?=")]);
        check("a/b;;; ;name=", &[("name", "")]);
        check("a/b; name=\"never closed", &[("name", "never closed")]);
        check("a/b\r\n\tname=\"x\" y=z; q", &[("name", "x"), ("y", "z")]);
        check("a/b; name=\"x\"junk; y=z", &[("name", "x"), ("y", "z")]);
        check("a/b; name=x; name=y; NAME=z", &[("name", "x")]);
    }

    #[test]
    fn a_flood_of_parameters_is_capped() {
        let flood = "a/b".to_owned() + &"; x=y".repeat(50_000);
        assert!(content_type(flood.as_bytes()).params.len() <= PARAMS_MAX);
        let flood: String = (0..50_000).map(|n| format!("; n*{n}=xxxx")).collect();
        assert!(content_type(("a/b".to_owned() + &flood).as_bytes()).params.len() == 1);
    }
}
