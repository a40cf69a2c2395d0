//! The part of an address before the @, as we hand it out.
//!
//! Invariants: 1 to 64 bytes (RFC 5321 4.5.3.1.1) of `a-z0-9` with single `.`, `-` or `_` between them, and at least one
//! letter. That is narrower than what mail may be *received* for (`Address`): every program can write it, and
//! nothing in it means something to a shell, a file system or an SQL pattern matcher except `_`, which no scheme makes.

use serde::{Deserialize, Serialize};

/// Octets of a local part (RFC 5321 4.5.3.1.1).
pub const LOCAL_BYTES_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the part before @ has 1 to 64 of a-z, 0-9, at least one letter, and single . - _ between them")]
pub struct LocalPartError;

/// A local part fit for a new mailbox; see the module for what it may hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalPart(String);

impl LocalPart {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LocalPart {
    type Error = LocalPartError;
    fn try_from(text: String) -> Result<Self, LocalPartError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let valid = text.len() <= LOCAL_BYTES_MAX
            && text.split(['.', '-', '_']).all(|part| !part.is_empty() && part.chars().all(plain))
            && text.chars().any(|c| c.is_ascii_lowercase());
        if valid { Ok(Self(text)) } else { Err(LocalPartError) }
    }
}

impl std::str::FromStr for LocalPart {
    type Err = LocalPartError;
    fn from_str(text: &str) -> Result<Self, LocalPartError> {
        // Checked before it is copied: a hostile text may be long.
        if text.len() > LOCAL_BYTES_MAX { Err(LocalPartError) } else { Self::try_from(text.to_owned()) }
    }
}

impl From<LocalPart> for String {
    fn from(local: LocalPart) -> Self {
        local.0
    }
}

impl std::fmt::Display for LocalPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_before_the_at() {
        for good in ["a", "ntbinh02", "vanthu.sotttt", "ntbinh-stttt", "a_b", "5a", &"a".repeat(64)] {
            assert_eq!(good.parse::<LocalPart>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "5",
            "12.3",
            ".a",
            "a.",
            "a..b",
            "a.-b",
            "-a",
            "A",
            "đào",
            "a b",
            "a+b",
            "a@b",
            "a/b",
            "a\0",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<LocalPart>().is_err(), "{bad:?}");
        }
    }
}
