//! What stands in a string for something else: characters by number (RFC 5228 2.4.2.4), and variables (RFC 5229 3). What only
//! looks like one stays as it is written.

use super::compare::CAPTURED_MAX;
use super::program::{Piece, Text, Variable};

/// Octets of a variable's name.
pub(super) const NAME_MAX: usize = 64;

/// Why a string cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StringProblem {
    /// RFC 5228 2.4.2.4: no such character, or octets that are no UTF-8.
    Encoded,
    /// RFC 5229 3: of a namespace that nothing asked for.
    Namespace(String),
    /// RFC 5229 3.2: beyond `${32}`.
    Captured,
}

/// Characters given by number.
///
/// # Errors
/// One of them is none.
pub(super) fn encoded_characters(text: &str) -> Result<String, StringProblem> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (plain, marked) = rest.split_at(begin);
        out.extend_from_slice(plain.as_bytes());
        let body = marked.get(2..).unwrap_or_default();
        // No further than the next one may begin: a text of nothing but beginnings is still read once.
        let end =
            body.find(['}', '$']).filter(|end| body.get(*end..).is_some_and(|rest| rest.starts_with('}')));
        match end.and_then(|end| numbers(body.get(..end)?).map(|octets| (end, octets))) {
            Some((end, octets)) => {
                out.extend_from_slice(&octets?);
                rest = body.get(end + 1..).unwrap_or_default();
            }
            None => {
                out.extend_from_slice(b"${");
                rest = body;
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| StringProblem::Encoded)
}

/// Of `hex:…` and `unicode:…`. None: it is neither.
fn numbers(body: &str) -> Option<Result<Vec<u8>, StringProblem>> {
    let (kind, list) = body.split_once(':')?;
    let is_unicode = match kind.to_ascii_lowercase().as_str() {
        "hex" => false,
        "unicode" => true,
        _ => return None,
    };
    let mut octets = Vec::new();
    let mut found = false;
    for word in list.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
        let most = if is_unicode { 6 } else { 2 };
        let digits = if is_unicode { word.trim_start_matches('0') } else { word };
        if !word.bytes().all(|octet| octet.is_ascii_hexdigit()) || (!is_unicode && word.len() > most) {
            return None;
        }
        found = true;
        if digits.len() > most {
            return Some(Err(StringProblem::Encoded));
        }
        let number = u32::from_str_radix(word, 16).unwrap_or(u32::MAX);
        if is_unicode {
            let Some(c) = char::from_u32(number) else { return Some(Err(StringProblem::Encoded)) };
            octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            octets.push(u8::try_from(number).unwrap_or_default());
        }
    }
    found.then_some(Ok(octets))
}

/// Variables in a string. `is_global` says of a name without namespace whether it is one of all scripts (RFC 6609 3.4).
///
/// # Errors
/// A variable that cannot be.
pub(super) fn variables(
    text: &str,
    has_include: bool,
    is_global: impl Fn(&str) -> bool,
) -> Result<Text, StringProblem> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (plain, marked) = rest.split_at(begin);
        literal.push_str(plain);
        let body = marked.get(2..).unwrap_or_default();
        let end = body.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        let end = end.filter(|end| body.get(*end..).is_some_and(|rest| rest.starts_with('}')));
        let reference = end.and_then(|end| Some((end, reference(body.get(..end)?)?)));
        let Some((end, reference)) = reference else {
            literal.push_str("${");
            rest = body;
            continue;
        };
        let piece = match reference {
            Reference::Number(number) if number <= CAPTURED_MAX => Piece::Captured(number),
            Reference::Number(_) => return Err(StringProblem::Captured),
            Reference::Name(name) => Piece::Variable(Variable { is_global: is_global(&name), name }),
            Reference::In(space, name) if space == "global" && has_include => {
                Piece::Variable(Variable { name, is_global: true })
            }
            Reference::In(space, _) => return Err(StringProblem::Namespace(space)),
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(piece);
        rest = body.get(end + 1..).unwrap_or_default();
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Text(pieces))
}

enum Reference {
    Number(usize),
    Name(String),
    In(String, String),
}

/// RFC 5229 3: `variable-ref`, without what stands around it.
fn reference(body: &str) -> Option<Reference> {
    if !body.is_empty() && body.bytes().all(|octet| octet.is_ascii_digit()) {
        return Some(Reference::Number(body.parse().unwrap_or(usize::MAX)));
    }
    let body = body.to_ascii_lowercase();
    match body.rsplit_once('.') {
        None => is_identifier(&body).then_some(Reference::Name(body)),
        Some((space, name)) => {
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
            let mut parts = space.split('.');
            let begins = parts.next().is_some_and(is_identifier);
            let rest = parts.all(|part| is_identifier(part) || is_number(part));
            let ends = is_identifier(name) || is_number(name);
            (begins && rest && ends).then(|| Reference::In(space.to_owned(), name.to_owned()))
        }
    }
}

/// RFC 5228 8.1.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}
