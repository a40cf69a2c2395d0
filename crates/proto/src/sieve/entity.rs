//! A reason that is a MIME entity with a header of its own (RFC 5230 4.4): nothing of it becomes a field of the message but what
//! tells of its content.

use crate::mime::{header_end, header_fields};

/// Octets of a line without its end (RFC 5322 2.1.1).
const LINE_OCTETS_MAX: usize = 998;

/// A MIME entity that is fit to be the body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its `Content-` fields, each with its line end; other ones are left out.
    pub fields: Vec<u8>,
    /// Every line ends with CR LF. It may hold octets above 127.
    pub body: Vec<u8>,
}

impl Entity {
    /// `None`: its header is not what RFC 5230 5 asks for (octets above 127, a line that is no field), or a line is longer than
    /// mail may have.
    pub fn parse(text: &str) -> Option<Self> {
        let octets = lines(text);
        let end = header_end(&octets);
        let (header, body) = octets.split_at_checked(end)?;
        let blank = header.ends_with(b"\r\n\r\n") || header == b"\r\n";
        let is_long = octets.split(|octet| *octet == b'\n').any(|line| line.len() > LINE_OCTETS_MAX + 1);
        if !header.is_ascii() || is_long || !(blank || body.is_empty()) {
            return None;
        }
        let mut fields = Vec::new();
        for field in header_fields(header) {
            if field.name.is_empty() {
                return None;
            }
            if is_content(field.name) {
                fields.extend_from_slice(field.raw);
            }
        }
        Some(Self { fields, body: body.to_vec() })
    }
}

/// RFC 2045 3: a field of the content, and nothing but a name.
fn is_content(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"content-";
    let begins = name.get(..PREFIX.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
    begins && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}

/// With CR LF at the end of each, and without octets that no mail may have.
fn lines(text: &str) -> Vec<u8> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    let mut octets = text.replace('\n', "\r\n").into_bytes();
    if !octets.ends_with(b"\r\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        let Entity { fields, body } = Entity::parse(text)?;
        Some((String::from_utf8(fields).unwrap(), String::from_utf8(body).unwrap()))
    }

    #[test]
    fn nothing_but_its_content_is_told() {
        let both = |fields: &str, body: &str| Some((fields.to_owned(), body.to_owned()));
        assert_eq!(
            parsed(
                "Content-Type: text/html;\n charset=utf-8\nSubject: x\nBcc: z@y.test\nMIME-Version: 1.0\n\n<p>Vắng\r</p>"
            ),
            both("Content-Type: text/html;\r\n charset=utf-8\r\n", "<p>Vắng\r\n</p>\r\n")
        );
        assert_eq!(parsed("\nVắng"), both("", "Vắng\r\n"), "RFC 2045 5.2: text, as nothing is said");
        assert_eq!(parsed("content-language: vi\r\n\r\n"), both("content-language: vi\r\n", ""));
    }

    #[test]
    fn what_is_no_entity_is_none() {
        let long = format!("\n{}", "x".repeat(LINE_OCTETS_MAX + 1));
        for text in ["Tôi đi vắng", "Content-Type: text/plain; x=vắng\n\na", "a b c\n\nd", &long] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert!(parsed(&long.replacen('x', "", 1)).is_some());
    }
}
