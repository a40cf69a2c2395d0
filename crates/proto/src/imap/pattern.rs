//! Matching of LIST and LSUB patterns, in time linear in pattern × name whatever the wildcards.

use super::ListPattern;
use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

const INBOX: &[u8] = b"INBOX";

/// Octets of a pattern beside its wildcards, composed or not: no name is so long, so what is behind them is left out.
const LITERALS_MAX: usize = 4 << 10;

impl ListPattern {
    /// The pattern behind a reference name (RFC 3501 6.3.8): `~/Mail/` and `foo.*` give `~/Mail/foo.*`. It is as short as
    /// it can be said, for it is held against every name of a mailbox.
    #[must_use]
    pub fn under(&self, reference: &str) -> Self {
        let mut pattern = String::new();
        let (mut last, mut literals) = ('\0', 0);
        for symbol in reference.chars().chain(self.0.chars()) {
            match (last, symbol) {
                // What `*` reaches, a wildcard beside it reaches too.
                ('*', '*' | '%') | ('%', '%') => continue,
                ('%', '*') => drop(pattern.pop()),
                (_, '*' | '%') => {}
                _ => literals += symbol.len_utf8(),
            }
            pattern.push(symbol);
            last = symbol;
            if literals > LITERALS_MAX {
                break;
            }
        }
        Self(pattern)
    }

    /// Does the pattern match the whole of `name`, which is in NFC? The pattern need not be. `delimiter` is ASCII.
    /// `INBOX`, alone or as the first level, is matched without case.
    #[must_use]
    pub fn matches(&self, name: &str, delimiter: char) -> bool {
        let name = name.as_bytes();
        let inbox = name.get(..INBOX.len()) == Some(INBOX)
            && name.get(INBOX.len()).is_none_or(|&b| u32::from(b) == u32::from(delimiter));
        let pattern: Cow<'_, str> =
            if is_nfc(&self.0) { Cow::Borrowed(&self.0) } else { Cow::Owned(self.0.nfc().collect()) };
        let literals = pattern.bytes().filter(|b| !matches!(b, b'*' | b'%')).count();
        if literals > name.len() {
            return false;
        }
        // reach[i]: the pattern so far matches the first i octets.
        let mut reach = vec![false; name.len() + 1];
        if let Some(start) = reach.first_mut() {
            *start = true;
        }
        let mut before = 0;
        for symbol in pattern.bytes() {
            match symbol {
                // What `*` reaches, a wildcard behind it reaches too.
                b'*' | b'%' if before == b'*' => continue,
                b'%' if before == b'%' => continue,
                b'*' => spread(&mut reach, |_| true),
                b'%' => spread(&mut reach, |at| {
                    name.get(at).is_some_and(|&b| u32::from(b) != u32::from(delimiter))
                }),
                symbol => advance(&mut reach, |at| {
                    let caseless = inbox && at < INBOX.len();
                    let octet = name.get(at).copied().unwrap_or_default();
                    if caseless { octet.eq_ignore_ascii_case(&symbol) } else { octet == symbol }
                }),
            }
            before = symbol;
            if !reach.contains(&true) {
                return false;
            }
        }
        reach.last().copied().unwrap_or(false)
    }
}

/// From every reached place on, over octets that `passes` accepts.
fn spread(reach: &mut [bool], passes: impl Fn(usize) -> bool) {
    let mut reached = false;
    for (at, place) in reach.iter_mut().enumerate() {
        reached = *place || (reached && at.checked_sub(1).is_some_and(&passes));
        *place = reached;
    }
}

/// Every reached place moves one octet on where `matches` accepts that octet.
fn advance(reach: &mut [bool], matches: impl Fn(usize) -> bool) {
    let mut reached = false;
    for (at, place) in reach.iter_mut().enumerate() {
        let next = *place && matches(at);
        *place = reached;
        reached = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        ListPattern(pattern.to_owned()).matches(name, '/')
    }

    #[test]
    fn wildcards() {
        for (pattern, name) in [
            ("*", "a/b/c"),
            ("*", ""),
            ("%", "a"),
            ("%/%", "a/b"),
            ("a/*", "a/b/c"),
            ("*c", "a/b/c"),
            ("a", "a"),
            ("%b*", "ab/c"),
            ("*%*", "a/b"),
            ("%%", "ab"),
            ("*/%", "a/b/c"),
            ("Thư%", "Thư đi"),
            ("a*b*c", "a-b/b-c"),
            ("", ""),
            ("%", ""),
        ] {
            assert!(matches(pattern, name), "{pattern:?} {name:?}");
        }
        for (pattern, name) in [
            ("%", "a/b"),
            ("a/%", "a/b/c"),
            ("a", "A"),
            ("a", "ab"),
            ("b", "ab"),
            ("%%", "a/b"),
            ("a/*", "a"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn inbox_knows_no_case() {
        assert!(matches("inbox", "INBOX") && matches("iNb%", "INBOX") && matches("inbox/*", "INBOX/a"));
        assert!(!matches("inbox/A", "INBOX/a") && !matches("inbox*", "INBOXES"));
    }

    #[test]
    fn decomposed_patterns() {
        assert!(matches("Thu\u{31b}%", "Thư đi"));
    }

    #[test]
    fn reference_goes_before() {
        assert_eq!(ListPattern("foo.*".to_owned()).under("~/Mail/").0, "~/Mail/foo.*");
    }

    #[test]
    fn a_pattern_is_as_short_as_it_can_be() {
        let under = |reference: &str, pattern: &str| ListPattern(pattern.to_owned()).under(reference).0;
        assert_eq!(under("%", "%a*%*b%*%"), "%a*b*");
        assert_eq!(under("", &"%*".repeat(250_000)), "*");
        let long = ListPattern(under("", &"a".repeat(500_000)));
        assert!(long.0.len() <= LITERALS_MAX + 1 && !long.matches(&"a".repeat(LITERALS_MAX), '/'));
    }

    #[test]
    fn wildcard_chains_cost_little() {
        let name = "a".repeat(480);
        assert!(matches(&"*a".repeat(480), &name));
        assert!(!matches(&("*a".repeat(479) + "b"), &name));
        assert!(matches(&"%*".repeat(250_000), &name));
    }
}
