//! The rights of access control lists (RFC 4314 2).

use std::fmt;

/// A set of the standard rights (RFC 4314 2.1). The obsolete `c` and `d` stand for the rights they were divided into: `c` for
/// `k` and `x`, `d` for `e` and `t` (2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AclRights(u16);

/// RFC 4314 2.1, in its order.
const STANDARD: &str = "lrswipkxtea";
/// RFC 4314 2.1.1: what is written behind them when any of the others is there.
const OBSOLETE: [(char, &str); 2] = [('c', "kx"), ('d', "te")];

impl AclRights {
    pub const NONE: Self = Self(0);

    /// `rights = astring`, only lower-case letters (RFC 4314 7).
    ///
    /// # Errors
    /// The first character that is no right.
    pub fn parse(text: &str) -> Result<Self, char> {
        let mut rights = Self::NONE;
        for right in text.chars() {
            let members =
                OBSOLETE.iter().find(|(obsolete, _)| *obsolete == right).map(|(_, members)| *members);
            let standard = STANDARD.find(right);
            rights = match (members, standard) {
                (Some(members), _) => rights.union(Self::parse(members)?),
                (None, Some(bit)) => rights.union(Self(1 << bit)),
                (None, None) => return Err(right),
            };
        }
        Ok(rights)
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Are all of `other` in it?
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Is any of `other` in it?
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for AclRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, right) in STANDARD.char_indices() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{right}")?;
            }
        }
        for (obsolete, members) in OBSOLETE {
            if Self::parse(members).is_ok_and(|members| self.meets(members)) {
                write!(f, "{obsolete}")?;
            }
        }
        Ok(())
    }
}

/// What SETACL does with the rights it names (RFC 4314 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclMode {
    Replace,
    Add,
    Remove,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obsolete_rights_stand_for_others() {
        let shown = |text: &str| AclRights::parse(text).unwrap().to_string();
        // RFC 4314 2.1.1, the two examples, in our order.
        assert_eq!(shown("lrswida"), "lrswitead");
        assert_eq!(shown("lrswikda"), "lrswikteacd");
        assert_eq!(shown("c"), "kxc");
        assert_eq!(shown("rwiptslxetad"), "lrswipxteacd");
        assert_eq!(shown(""), "");
        assert_eq!(AclRights::parse("lrqs"), Err('q'));
        assert_eq!(AclRights::parse("lQ"), Err('Q'));
    }
}
