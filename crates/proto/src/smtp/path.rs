//! Envelope addresses: the exact grammar of RFC 5321 4.1.2 with RFC 6531 3.3's additions.
//!
//! Invariants: a [`Mailbox`] can only come out of this parser, holds its local part without quotes, keeps the
//! length limits, and has no control character in it. A reverse path is only handed on and answered to, never looked
//! up, so what real senders write beyond the grammar is taken there: local parts as long as the path allows (VERP, SRS)
//! and `_` in domains. Source routes are read and dropped (RFC 5321 appendix C).

use super::limits::{DOMAIN_BYTES_MAX, LOCAL_PART_BYTES_MAX, PATH_BYTES_MAX};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use unicode_normalization::char::is_combining_mark;

/// Octets of one label of a domain (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// `Local-part "@" ( Domain / address-literal )`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local: String,
    domain: Domain,
}

/// What stands behind the `@`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A name, in the spelling that was sent.
    Name(String),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`
    Ip(IpAddr),
    /// A literal of a kind nobody has registered yet; kept as written, with its brackets.
    Other(String),
}

/// Whom RCPT TO names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipient {
    Mailbox(Mailbox),
    /// `<Postmaster>` without a domain (RFC 5321 4.1.1.3).
    Postmaster,
}

/// Why a path was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("not a path")]
    Syntax,
    #[error("too long")]
    TooLong,
}

impl Mailbox {
    /// The local part, without quotes and backslashes.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// True when SMTPUTF8 is needed to name it.
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.local.is_ascii() || matches!(&self.domain, Domain::Name(name) if !name.is_ascii())
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) | Self::Other(text) => f.write_str(text),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", quoted(&self.local), self.domain)
    }
}

/// `Local-part`: as it is where it is a `Dot-string`, else as a `Quoted-string`.
#[must_use]
pub fn quoted(local: &str) -> Cow<'_, str> {
    if local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext)) {
        return Cow::Borrowed(local);
    }
    let mut text = String::with_capacity(local.len() + 2);
    text.push('"');
    for c in local.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    Cow::Owned(text)
}

/// Which end of a message a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reverse,
    Forward,
}

/// `Reverse-path = Path / "<>"`: `None` is the null path. Returns what follows the closing bracket, too.
///
/// # Errors
/// When `text` does not begin with a reverse path, or a part of it is too long.
pub fn reverse_path(text: &str) -> Result<(Option<Mailbox>, &str), PathError> {
    if let Some(rest) = text.strip_prefix("<>") {
        return Ok((None, rest));
    }
    let (mailbox, rest) = path(text, End::Reverse)?;
    Ok((Some(mailbox), rest))
}

/// `"<Postmaster>" / Forward-path`. Returns what follows the closing bracket, too.
///
/// # Errors
/// When `text` does not begin with a forward path, or a part of it is too long.
pub fn forward_path(text: &str) -> Result<(Recipient, &str), PathError> {
    const POSTMASTER: &str = "<postmaster>";
    if let Some((head, rest)) = text.split_at_checked(POSTMASTER.len())
        && head.eq_ignore_ascii_case(POSTMASTER)
    {
        return Ok((Recipient::Postmaster, rest));
    }
    let (mailbox, rest) = path(text, End::Forward)?;
    Ok((Recipient::Mailbox(mailbox), rest))
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`
fn path(text: &str, end: End) -> Result<(Mailbox, &str), PathError> {
    let text = text.strip_prefix('<').ok_or(PathError::Syntax)?;
    let text = if text.starts_with('@') { source_route(text)? } else { text };
    let (mailbox, rest) = mailbox(text, end)?;
    let octets = text.len() - rest.len() + "<>".len();
    let rest = rest.strip_prefix('>').ok_or(PathError::Syntax)?;
    if octets > PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    Ok((mailbox, rest))
}

/// `A-d-l = At-domain *( "," At-domain )`, then the colon. RFC 5321 4.1.2: must be accepted, should be ignored.
fn source_route(mut text: &str) -> Result<&str, PathError> {
    loop {
        let (_, rest) = domain_name(text.strip_prefix('@').ok_or(PathError::Syntax)?, End::Forward)?;
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return rest.strip_prefix(':').ok_or(PathError::Syntax),
        }
    }
}

fn mailbox(text: &str, end: End) -> Result<(Mailbox, &str), PathError> {
    let (local, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => dot_string(text)?,
    };
    // RFC 5321 4.5.3.1: better no limit than one in the way; the path's bounds it.
    if end == End::Forward && local.len() > LOCAL_PART_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    let rest = rest.strip_prefix('@').ok_or(PathError::Syntax)?;
    let (domain, rest) = match rest.strip_prefix('[') {
        Some(literal) => address_literal(literal)?,
        None => domain_name(rest, end).map(|(name, rest)| (Domain::Name(name.to_owned()), rest))?,
    };
    Ok((Mailbox { local, domain }, rest))
}

/// `Dot-string = Atom *("." Atom)`
fn dot_string(text: &str) -> Result<(String, &str), PathError> {
    let end = text.find(|c| c != '.' && !is_atext(c)).unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if local.split('.').any(str::is_empty) {
        return Err(PathError::Syntax);
    }
    Ok((local.to_owned(), rest))
}

/// `Quoted-string`, behind its opening quote.
fn quoted_string(text: &str) -> Result<(String, &str), PathError> {
    let mut local = String::new();
    let mut chars = text.chars();
    loop {
        let c = match chars.next().ok_or(PathError::Syntax)? {
            // An empty quoted string is a local part by the grammar, but names nobody.
            '"' if local.is_empty() => return Err(PathError::Syntax),
            '"' => return Ok((local, chars.as_str())),
            // quoted-pairSMTP = %d92 %d32-126
            '\\' => chars.next().filter(char::is_ascii).ok_or(PathError::Syntax)?,
            c => c,
        };
        if c.is_control() {
            return Err(PathError::Syntax);
        }
        local.push(c);
    }
}

/// `Domain = sub-domain *("." sub-domain)`, where RFC 6531 3.3 adds U-labels.
fn domain_name(text: &str, end: End) -> Result<(&str, &str), PathError> {
    let in_label = |c: char| {
        c == '-'
            || c.is_alphanumeric()
            || (c == '_' && end == End::Reverse)
            || (!c.is_ascii() && is_combining_mark(c))
    };
    let stop = text.find(|c| c != '.' && !in_label(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(stop);
    let label_ok = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    if !name.split('.').all(label_ok) {
        return Err(PathError::Syntax);
    }
    if name.len() > DOMAIN_BYTES_MAX || name.split('.').any(|label| label.len() > LABEL_BYTES_MAX) {
        return Err(PathError::TooLong);
    }
    Ok((name, rest))
}

/// `address-literal` (RFC 5321 4.1.3), behind its opening bracket.
fn address_literal(text: &str) -> Result<(Domain, &str), PathError> {
    let (literal, rest) = text.split_once(']').ok_or(PathError::Syntax)?;
    if let Ok(ip) = literal.parse::<Ipv4Addr>() {
        return Ok((Domain::Ip(ip.into()), rest));
    }
    // General-address-literal = Standardized-tag ":" 1*dcontent
    let (tag, content) = literal.split_once(':').ok_or(PathError::Syntax)?;
    if tag.eq_ignore_ascii_case("IPv6") {
        let ip: Ipv6Addr = content.parse().map_err(|_| PathError::Syntax)?;
        return Ok((Domain::Ip(ip.into()), rest));
    }
    let tag_ok =
        !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !tag.ends_with('-');
    let dcontent = |c: char| matches!(c, '!'..='Z' | '^'..='~');
    if !tag_ok || content.is_empty() || !content.chars().all(dcontent) {
        return Err(PathError::Syntax);
    }
    Ok((Domain::Other(format!("[{literal}]")), rest))
}

/// `atext` of RFC 5322 3.2.3 with RFC 6531 3.3's UTF8-non-ascii.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<String, PathError> {
        reverse_path(text).map(|(mailbox, rest)| {
            assert_eq!(rest, "", "{text}");
            mailbox.map(|mailbox| mailbox.to_string()).unwrap_or_default()
        })
    }

    #[test]
    fn accepts_the_grammar() {
        for (text, expected) in [
            ("<>", ""),
            ("<a@b>", "a@b"),
            ("<Joe.Blow+x=1@Example.ORG>", "Joe.Blow+x=1@Example.ORG"),
            ("<\"Joe Blow\"@example.org>", "\"Joe Blow\"@example.org"),
            ("<\"joe\"@example.org>", "joe@example.org"),
            ("<\"a\\\"b\\\\c\"@x.vn>", "\"a\\\"b\\\\c\"@x.vn"),
            ("<\"a@b>c\"@x.vn>", "\"a@b>c\"@x.vn"),
            ("<\"..\"@x.vn>", "\"..\"@x.vn"),
            ("<@hosta.int,@jkl.org:userc@d.bar.org>", "userc@d.bar.org"),
            ("<an@[192.0.2.1]>", "an@[192.0.2.1]"),
            ("<an@[IPv6:2001:db8::1]>", "an@[IPv6:2001:db8::1]"),
            ("<an@[x-tag:stuff]>", "an@[x-tag:stuff]"),
            ("<đào@tỉnh.vn>", "đào@tỉnh.vn"),
            ("<a@b_c.vn>", "a@b_c.vn"),
            ("<a@xn--tnh-1na.vn>", "a@xn--tnh-1na.vn"),
        ] {
            assert_eq!(written(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "<",
            ">",
            "<a>",
            "<a@>",
            "<@b>",
            "<a@b",
            "a@b>",
            "a@b",
            "< a@b>",
            "<a@b >",
            "<a b@c>",
            "<a@@b>",
            "<a@b@c>",
            "<.a@b>",
            "<a.@b>",
            "<a..c@b>",
            "<a@b.>",
            "<a@.b>",
            "<a@b..c>",
            "<a@-b>",
            "<a@b->",
            "<a@b>c>",
            "<\"a@b>",
            "<\"\"@b>",
            "<\"a\u{7}\"@b>",
            "<\"a\\\u{e1}\"@b>",
            "<\"a\"b@c>",
            "<a@[1.2.3]>",
            "<a@[1.2.3.4>",
            "<a@[1.2.3.256]>",
            "<a@[IPv6:zz]>",
            "<a@[tag:]>",
            "<a@[tag-:x]>",
            "<a@[x:a b]>",
            "<@a:>",
            "<@a,b:c@d>",
            "<@a c@d>",
            "<a\u{a0}b@c>",
            "<a@b\u{3002}c>",
            "<a(x)@b>",
            "<a,b@c>",
            "<a;b@c>",
            "<a:b@c>",
            "<<a@b>>",
        ] {
            let parsed = reverse_path(text).map(|(_, rest)| rest.is_empty());
            assert_ne!(parsed, Ok(true), "{text}");
            let parsed = forward_path(text).map(|(_, rest)| rest.is_empty());
            assert_ne!(parsed, Ok(true), "{text}");
        }
        assert!(forward_path("<a@b_c>").is_err());
    }

    #[test]
    fn length_limits_are_exact() {
        let local = |n: usize| format!("<{}@b.vn>", "x".repeat(n));
        assert!(forward_path(&local(64)).is_ok());
        assert_eq!(forward_path(&local(65)), Err(PathError::TooLong));
        assert!(written(&local(249)).is_ok());
        assert_eq!(written(&local(250)), Err(PathError::TooLong));
        let label = |n: usize| format!("<a@{}.vn>", "x".repeat(n));
        assert!(written(&label(63)).is_ok());
        assert_eq!(written(&label(64)), Err(PathError::TooLong));
        let labels = |n: usize| ["x"; 200].join(".").chars().take(n).collect::<String>();
        let domain = labels(251);
        assert_eq!(format!("<ab@{domain}>").len(), 256);
        assert!(written(&format!("<ab@{domain}>")).is_ok());
        assert_eq!(written(&format!("<abc@{domain}>")), Err(PathError::TooLong));
        assert_eq!(written(&format!("<a@{}>", labels(257))), Err(PathError::TooLong));
    }

    #[test]
    fn postmaster_needs_no_domain() {
        assert_eq!(forward_path("<PostMaster> X"), Ok((Recipient::Postmaster, " X")));
        let (recipient, _) = forward_path("<Postmaster@a.vn>").unwrap();
        assert!(matches!(recipient, Recipient::Mailbox(mailbox) if mailbox.local() == "Postmaster"));
        assert_eq!(forward_path("<>"), Err(PathError::Syntax));
    }

    #[test]
    fn every_mailbox_survives_being_written() {
        for text in ["<\"a b\\\"\"@c.vn>", "<\"\\a\"@c>", "<đ.d@c>", "<\" \"@[IPv6:::1]>"] {
            let (mailbox, _) = reverse_path(text).unwrap();
            let again = format!("<{}>", mailbox.as_ref().unwrap());
            assert_eq!(reverse_path(&again).unwrap().0, mailbox, "{text}");
        }
    }
}
