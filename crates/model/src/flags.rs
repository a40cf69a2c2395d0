//! What a client may mark on a message: the five system flags as bits, keywords by name.

use serde::{Deserialize, Serialize};

/// The system flags that are stored (RFC 9051 2.3.2). `\Recent` is a session's property and not one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flags(pub i32);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const SEEN: Self = Self(1);
    pub const ANSWERED: Self = Self(2);
    pub const FLAGGED: Self = Self(4);
    pub const DELETED: Self = Self(8);
    pub const DRAFT: Self = Self(16);
    pub const ALL: Self = Self(31);

    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Keywords one mailbox may ever have used: they are listed to the client at every SELECT.
pub const KEYWORDS_PER_ACCOUNT_MAX: usize = 250;

/// A keyword: `flag-keyword = atom` (RFC 9051 9), 1 to 100 characters, compared without case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keyword(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a keyword is an atom of 1 to 100 characters")]
pub struct KeywordError;

impl Keyword {
    /// # Errors
    /// When `text` is no atom or longer than 100 characters.
    pub fn new(text: &str) -> Result<Self, KeywordError> {
        let atom = text.bytes().all(|b| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b));
        if atom && (1..=100).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(KeywordError) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}
