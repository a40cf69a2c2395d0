//! Names in SPF records, with what is put into them (RFC 7208 7).
//!
//! Invariants: what is read is of the grammar of RFC 7208 7.1, or nothing; a name that comes out is no longer than the domain name
//! system takes, whatever a stranger calls himself.

use std::net::IpAddr;

/// Characters of a name (RFC 7208 7.3).
const NAME_MAX: usize = 253;

/// A `domain-spec` or another `macro-string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro(Macro),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// In lower case.
    letter: char,
    /// Written in upper case: to be URL-escaped.
    escaped: bool,
    /// How many parts stay, from the right.
    keep: Option<usize>,
    reverse: bool,
    delimiters: String,
}

/// What macros stand for.
#[derive(Clone, Debug)]
pub(super) struct Values<'a> {
    /// `l`
    pub(super) local: &'a str,
    /// `o`
    pub(super) origin: &'a str,
    /// `d`: the domain whose record is read.
    pub(super) domain: &'a str,
    /// `i`, `c`, `v`
    pub(super) ip: IpAddr,
    /// `h`
    pub(super) helo: &'a str,
    /// `p`
    pub(super) validated: &'a str,
}

impl Spec {
    /// A name: RFC 7208 7.1 `domain-spec`.
    pub(super) fn domain(text: &str) -> Option<Self> {
        let spec = Self::text(text)?;
        match spec.0.last()? {
            Piece::Macro(_) => Some(spec),
            Piece::Text(text) => {
                let text = text.strip_suffix('.').unwrap_or(text);
                let (_, top) = text.rsplit_once('.')?;
                is_top_label(top).then_some(spec)
            }
        }
    }

    /// RFC 7208 7.1 `macro-string`, without the letters that stand in explanations alone.
    pub(super) fn text(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if !matches!(first, '\x21'..='\x7e') {
                return None;
            }
            let Some(after) = rest.strip_prefix('%') else {
                literal.push(first);
                rest = rest.get(first.len_utf8()..)?;
                continue;
            };
            if let Some(inside) = after.strip_prefix('{') {
                let (inside, behind) = inside.split_once('}')?;
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Macro(Macro::read(inside)?));
                rest = behind;
                continue;
            }
            literal.push_str(match after.chars().next()? {
                '%' => "%",
                '_' => " ",
                '-' => "%20",
                _ => return None,
            });
            rest = after.get(1..)?;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Some(Self(pieces))
    }

    /// Is `%{p}` in it, which has to be found out first?
    pub(super) fn needs_validated(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Macro(found) if found.letter == 'p'))
    }

    /// The name, shortened from the left where it is too long (RFC 7208 7.3).
    pub(super) fn name(&self, values: &Values<'_>) -> String {
        let mut name = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Macro(found) => name.push_str(&found.value(values)),
            }
        }
        let mut name = name.trim_end_matches('.');
        while name.len() > NAME_MAX {
            let Some((_, shorter)) = name.split_once('.') else { break };
            name = shorter;
        }
        name.to_owned()
    }
}

impl Macro {
    fn read(inside: &str) -> Option<Self> {
        let letter = inside.chars().next()?;
        if !"slodiphv".contains(letter.to_ascii_lowercase()) {
            return None;
        }
        let rest = inside.get(1..)?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, rest) = rest.split_at_checked(digits)?;
        // As many as nobody has are all.
        let keep = if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(usize::MAX)) };
        let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let known = delimiters.chars().all(|c| ".-+,/_=".contains(c));
        (known && keep != Some(0)).then(|| Self {
            letter: letter.to_ascii_lowercase(),
            escaped: letter.is_ascii_uppercase(),
            keep,
            reverse,
            delimiters: if delimiters.is_empty() { ".".to_owned() } else { delimiters.to_owned() },
        })
    }

    fn value(&self, values: &Values<'_>) -> String {
        let value = match self.letter {
            's' => format!("{}@{}", values.local, values.origin),
            'l' => values.local.to_owned(),
            'o' => values.origin.to_owned(),
            'd' => values.domain.to_owned(),
            'i' => dotted(values.ip),
            'h' => values.helo.to_owned(),
            'p' => values.validated.to_owned(),
            _ => match values.ip {
                IpAddr::V4(_) => "in-addr".to_owned(),
                IpAddr::V6(_) => "ip6".to_owned(),
            },
        };
        let mut parts: Vec<&str> = value.split(|c| self.delimiters.contains(c)).collect();
        if self.reverse {
            parts.reverse();
        }
        let from = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        let value = parts.get(from..).unwrap_or_default().join(".");
        if self.escaped { escape(&value) } else { value }
    }
}

/// RFC 7208 7.3: of IPv6 each half octet is a part.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            let digits = six.octets().map(|octet| format!("{:x}.{:x}", octet >> 4, octet & 15));
            digits.join(".")
        }
    }
}

/// RFC 3986 2.1: all but what is unreserved.
fn escape(text: &str) -> String {
    let escaped = |octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    };
    text.bytes().map(escaped).collect()
}

/// RFC 7208 7.1 `toplabel`: letters, digits and hyphens inside, not digits alone.
fn is_top_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7208 7.4.
    #[test]
    fn the_examples_of_the_rfc() {
        let values = |ip: &str| Values {
            local: "strong-bad",
            origin: "email.example.com",
            domain: "email.example.com",
            ip: ip.parse().unwrap(),
            helo: "mx.example.org",
            validated: "mx.example.org",
        };
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("a%%b%_c%-d.vn", "a%b c%20d.vn"),
            ("%{S}.vn", "strong-bad%40email.example.com.vn"),
        ] {
            assert_eq!(Spec::text(text).unwrap().name(&values("192.0.2.3")), expected, "{text}");
        }
        let six = Spec::text("%{ir}.%{v}._spf.%{d2}").unwrap().name(&values("2001:db8::cb01"));
        let expected = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com";
        assert_eq!(six, expected);
    }

    #[test]
    fn what_is_no_name_is_not_read() {
        for text in [
            "", "vn", "a.", "a.1", "a.-b", "a.b-", "a b.vn", "%{z}.vn", "%{d0}", "%{d", "%a.vn", "a.vn%",
            "%{d,x}", "%{c}",
        ] {
            assert_eq!(Spec::domain(text), None, "{text}");
        }
        for text in ["a.vn", "a.vn.", "%{d}", "_spf.%{d2r}", "a.xn--1", "a.b1"] {
            assert!(Spec::domain(text).is_some(), "{text}");
        }
    }

    #[test]
    fn long_names_lose_their_left() {
        let local = "a".repeat(60) + "." + &"b".repeat(60);
        let values = Values {
            local: &local,
            origin: "vn",
            domain: &format!("{}.vn", vec!["c".repeat(50); 4].join(".")),
            ip: IpAddr::from([0; 4]),
            helo: "",
            validated: "",
        };
        let name = Spec::domain("%{l}.%{d}").unwrap().name(&values);
        assert!(name.len() <= NAME_MAX && name.ends_with("c.vn"), "{name}");
    }
}
