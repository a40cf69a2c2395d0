//! An SPF record as it is written (RFC 7208 4.5, 12).
//!
//! Invariant: a record is read as a whole before anything in it is followed: one error anywhere, and nothing of it counts (4.6).

use super::macros::Spec;
use model::admission::Outcome;
use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) directives: Vec<(Outcome, Mechanism)>,
    pub(super) redirect: Option<Spec>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(Spec),
    /// No name: the record's own.
    A(Option<Spec>, Masks),
    Mx(Option<Spec>, Masks),
    Ptr(Option<Spec>),
    Ip4(Ipv4Addr, u32),
    Ip6(Ipv6Addr, u32),
    Exists(Spec),
}

/// Bits of an address that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) four: u32,
    pub(super) six: u32,
}

/// Is this text a record of this version (RFC 7208 4.5)?
pub(super) fn is_record(text: &[u8]) -> bool {
    let (version, rest) = text.split_at_checked(6).unwrap_or((text, &[]));
    version.eq_ignore_ascii_case(b"v=spf1") && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// `None`: not of the grammar.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text.get(6..)?).ok()?;
        let mut record = Self::default();
        let mut explained = false;
        for term in text.split(' ').filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    if record.redirect.replace(Spec::domain(value)?).is_some() {
                        return None;
                    }
                }
                Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                    // What it leads to is shown to nobody: a stranger's text has no place in our answers.
                    Spec::domain(value)?;
                    if std::mem::replace(&mut explained, true) {
                        return None;
                    }
                }
                // RFC 7208 6: others are not known, and passed over.
                Some((_, value)) => drop(Spec::text(value)?),
                None => record.directives.push(directive(term)?),
            }
        }
        Some(record)
    }
}

/// Name and value of `name=value`.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet));
    is_name.then_some((name, value))
}

fn directive(term: &str) -> Option<(Outcome, Mechanism)> {
    let outcome = match term.bytes().next()? {
        b'-' => Outcome::Fail,
        b'~' => Outcome::SoftFail,
        b'?' => Outcome::Neutral,
        _ => Outcome::Pass,
    };
    let term = term.strip_prefix(['+', '-', '~', '?']).unwrap_or(term);
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at_checked(end)?;
    let value = rest.strip_prefix(':');
    let mechanism = match (name.to_ascii_lowercase().as_str(), value) {
        ("all", None) if rest.is_empty() => Mechanism::All,
        ("include", Some(value)) => Mechanism::Include(Spec::domain(value)?),
        ("exists", Some(value)) => Mechanism::Exists(Spec::domain(value)?),
        ("ptr", Some(value)) => Mechanism::Ptr(Some(Spec::domain(value)?)),
        ("ptr", None) if rest.is_empty() => Mechanism::Ptr(None),
        ("a", _) => {
            let (spec, masks) = hosts(value, rest)?;
            Mechanism::A(spec, masks)
        }
        ("mx", _) => {
            let (spec, masks) = hosts(value, rest)?;
            Mechanism::Mx(spec, masks)
        }
        ("ip4", Some(value)) => {
            let (address, bits) = network(value, 32)?;
            Mechanism::Ip4(address.parse().ok()?, bits)
        }
        ("ip6", Some(value)) => {
            let (address, bits) = network(value, 128)?;
            Mechanism::Ip6(address.parse().ok()?, bits)
        }
        _ => return None,
    };
    Some((outcome, mechanism))
}

/// `[":" domain-spec] [dual-cidr-length]`
fn hosts(value: Option<&str>, rest: &str) -> Option<(Option<Spec>, Masks)> {
    let (before, six) = match value.unwrap_or(rest).rsplit_once("//") {
        Some((before, bits)) => (before, length(bits, 128)?),
        None => (value.unwrap_or(rest), 128),
    };
    // A stroke may stand in a name, too; in front of nothing but digits it is none of a name.
    let (name, four) = match before.rsplit_once('/') {
        Some((name, bits)) if bits.bytes().all(|octet| octet.is_ascii_digit()) => (name, length(bits, 32)?),
        _ => (before, 32),
    };
    let spec = match value {
        Some(_) => Some(Spec::domain(name)?),
        None if name.is_empty() => None,
        None => return None,
    };
    Some((spec, Masks { four, six }))
}

fn network(value: &str, most: u32) -> Option<(&str, u32)> {
    match value.split_once('/') {
        Some((address, bits)) => Some((address, length(bits, most)?)),
        None => Some((value, most)),
    }
}

/// RFC 7208 12: no leading zero.
fn length(bits: &str, most: u32) -> Option<u32> {
    let plain = bits == "0" || (bits.bytes().all(|octet| octet.is_ascii_digit()) && !bits.starts_with('0'));
    let bits: u32 = bits.parse().ok()?;
    (plain && bits <= most).then_some(bits)
}
