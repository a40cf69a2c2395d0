//! Where mail that was taken comes to lie: in front of its reader, among unwanted mail, or apart until somebody has looked at it
//! (cách ly; requirement D7, docs/adr/0023-quarantine.md).
//!
//! Invariants: several findings about one message are as strict as the strictest of them; a reader's own list never lets in what
//! policy refuses, as that is never taken.

use crate::admission::Ground;
use crate::scan;

/// Where a message comes to lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sorting {
    #[default]
    Inbox,
    /// The folder for unwanted mail.
    Junk,
    /// In no folder; for this cause.
    Quarantine(Cause),
}

/// Why a message is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Origin(Ground),
    Content(scan::Reason),
}

/// What somebody has said of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Allowed,
    Blocked,
}

impl Cause {
    /// As it is kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin(ground) => ground.as_str(),
            Self::Content(reason) => reason.as_str(),
        }
    }
}

impl Listed {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
        }
    }
}

impl std::str::FromStr for Listed {
    type Err = crate::UnknownName;
    fn from_str(name: &str) -> Result<Self, crate::UnknownName> {
        [Self::Allowed, Self::Blocked].into_iter().find(|listed| listed.as_str() == name).ok_or_else(|| {
            crate::UnknownName { what: "list", name: name.to_owned(), expected: "allowed or blocked" }
        })
    }
}

impl Sorting {
    /// Nobody passes it on: it stays in the mailbox that it came for.
    #[must_use]
    pub const fn is_unwanted(self) -> bool {
        !matches!(self, Self::Inbox)
    }

    /// The stricter of both; of equally strict ones this one.
    #[must_use]
    pub const fn or_stricter(self, other: Self) -> Self {
        if other.strictness() > self.strictness() { other } else { self }
    }

    /// For a reader who has said this of its sender.
    #[must_use]
    pub const fn as_listed(self, listed: Option<Listed>) -> Self {
        match listed {
            Some(Listed::Allowed) => Self::Inbox,
            Some(Listed::Blocked) => self.or_stricter(Self::Junk),
            None => self,
        }
    }

    const fn strictness(self) -> u8 {
        match self {
            Self::Inbox => 0,
            Self::Junk => 1,
            Self::Quarantine(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Sorting = Sorting::Quarantine(Cause::Content(scan::Reason::Spam));

    #[test]
    fn the_strictest_finding_holds() {
        let forged = Sorting::Quarantine(Cause::Origin(Ground::Dmarc));
        for (one, other, expected) in [
            (Sorting::Inbox, Sorting::Inbox, Sorting::Inbox),
            (Sorting::Inbox, Sorting::Junk, Sorting::Junk),
            (Sorting::Junk, APART, APART),
            (forged, Sorting::Junk, forged),
            (forged, APART, forged),
        ] {
            assert_eq!(one.or_stricter(other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_reader_may_want_it_and_may_not() {
        for (found, allowed, blocked) in [
            (Sorting::Inbox, Sorting::Inbox, Sorting::Junk),
            (Sorting::Junk, Sorting::Inbox, Sorting::Junk),
            (APART, Sorting::Inbox, APART),
        ] {
            assert_eq!(found.as_listed(Some(Listed::Allowed)), allowed);
            assert_eq!(found.as_listed(Some(Listed::Blocked)), blocked);
            assert_eq!(found.as_listed(None), found);
        }
    }
}
