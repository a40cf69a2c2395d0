//! Folder names and the folders every mailbox starts with.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// Separates the levels of a folder name.
pub const DELIMITER: char = '/';
/// The folder that mail arrives in; its name is compared without case (RFC 9051 5.1).
pub const INBOX: &str = "INBOX";

/// Bytes of one folder name: what clients show in full, and no index row grows past it.
const NAME_BYTES_MAX: usize = 480;
/// Levels of nesting, so that a name cannot make a client recurse for ever.
const LEVELS_MAX: usize = 16;

/// What a folder is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialUse {
    Archive,
    Drafts,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    pub const ALL: [Self; 5] = [Self::Archive, Self::Drafts, Self::Junk, Self::Sent, Self::Trash];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Drafts => "drafts",
            Self::Junk => "junk",
            Self::Sent => "sent",
            Self::Trash => "trash",
        }
    }

    /// The mailbox attribute of RFC 6154 2.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|special| special.as_str() == name)
    }
}

/// Made with every mailbox, all subscribed. The names are what clients look for; clients that know
/// SPECIAL-USE show their own words.
pub const DEFAULT_FOLDERS: [(&str, Option<SpecialUse>); 6] = [
    (INBOX, None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Archive", Some(SpecialUse::Archive)),
];

/// A full folder name in NFC, levels separated by [`DELIMITER`]; `inbox` in any case is `INBOX`,
/// as is the first level of its children.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FolderName(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FolderNameError {
    #[error("a folder name has 1 to 480 bytes")]
    Length,
    #[error("a folder name has no empty level and at most 16 levels")]
    Levels,
    #[error("a folder name has no control characters and neither % nor *")]
    Character,
}

impl FolderName {
    /// # Errors
    /// When the name is empty, too long, too deep, or has an empty level, a wildcard or a control character.
    pub fn new(name: &str) -> Result<Self, FolderNameError> {
        let name: String = name.nfc().collect();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(FolderNameError::Length);
        }
        if name.chars().any(|c| c.is_control() || matches!(c, '%' | '*' | '\u{2028}' | '\u{2029}')) {
            return Err(FolderNameError::Character);
        }
        if name.split(DELIMITER).any(str::is_empty) || name.split(DELIMITER).count() > LEVELS_MAX {
            return Err(FolderNameError::Levels);
        }
        let first = name.split(DELIMITER).next().unwrap_or_default();
        if first.eq_ignore_ascii_case(INBOX) {
            return Ok(Self(format!("{INBOX}{}", &name[first.len()..])));
        }
        Ok(Self(name))
    }

    #[must_use]
    pub fn inbox() -> Self {
        Self(INBOX.to_owned())
    }

    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == INBOX
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names above this one, outermost first: `a/b/c` has `a` and `a/b`.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.match_indices(DELIMITER).map(|(at, _)| Self(self.0[..at].to_owned()))
    }

    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with(DELIMITER))
    }
}

impl std::fmt::Display for FolderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_has_one_spelling() {
        assert!(FolderName::new("inBox").unwrap().is_inbox());
        assert_eq!(FolderName::new("inbox/Việc").unwrap().as_str(), "INBOX/Việc");
        assert_eq!(FolderName::new("inboxes").unwrap().as_str(), "inboxes");
    }

    #[test]
    fn refuses_what_clients_cannot_show() {
        assert_eq!(FolderName::new(""), Err(FolderNameError::Length));
        assert_eq!(FolderName::new("a//b"), Err(FolderNameError::Levels));
        assert_eq!(FolderName::new("/a"), Err(FolderNameError::Levels));
        assert_eq!(FolderName::new("a%"), Err(FolderNameError::Character));
        assert_eq!(FolderName::new("a\r\nb"), Err(FolderNameError::Character));
        assert_eq!(FolderName::new(&"x".repeat(481)), Err(FolderNameError::Length));
        assert_eq!(FolderName::new(&vec!["x"; 17].join("/")), Err(FolderNameError::Levels));
    }

    #[test]
    fn knows_its_ancestors() {
        let name = FolderName::new("a/b/c").unwrap();
        let above: Vec<_> = name.ancestors().map(|n| n.as_str().to_owned()).collect();
        assert_eq!(above, ["a", "a/b"]);
        assert!(name.is_below(&FolderName::new("a").unwrap()));
        assert!(!FolderName::new("ab").unwrap().is_below(&FolderName::new("a").unwrap()));
    }
}
