//! What somebody says of a message by where he puts it: into the folder for unwanted mail, that it is spam; out of it, that it is none
//! (requirements D6, D7).

use crate::{FolderName, SpecialUse};

/// What the filter for spam is to learn of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    Spam,
    /// It is wanted.
    Ham,
}

impl Lesson {
    /// What moving or copying a message from one folder to the other says of it; `None`: nothing. Each folder by its use and name.
    #[must_use]
    pub fn of_move(
        from: (Option<SpecialUse>, &FolderName),
        to: (Option<SpecialUse>, &FolderName),
    ) -> Option<Self> {
        use SpecialUse::{Drafts, Junk, Sent, Trash};
        match (from.0, to.0) {
            // What he wrote himself is no mail that came; and who throws unwanted mail away does not want it.
            (Some(Junk | Drafts | Sent), Some(Junk)) | (Some(Junk), Some(Trash)) => None,
            (_, Some(Junk)) => Some(Self::Spam),
            (Some(Junk), _) if to.1.is_below(from.1) => None,
            (Some(Junk), _) => Some(Self::Ham),
            _ => None,
        }
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::Ham => "ham",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SpecialUse::{Archive, Drafts, Junk, Sent, Trash};

    #[test]
    fn a_move_says_something_only_at_the_folder_for_unwanted_mail() {
        for (from, to, expected) in [
            ((None, "INBOX"), (Some(Junk), "Junk"), Some(Lesson::Spam)),
            ((Some(Archive), "Archive"), (Some(Junk), "Junk"), Some(Lesson::Spam)),
            ((Some(Trash), "Trash"), (Some(Junk), "Junk"), Some(Lesson::Spam)),
            ((Some(Junk), "Junk"), (None, "INBOX"), Some(Lesson::Ham)),
            ((Some(Junk), "Junk"), (Some(Archive), "Archive"), Some(Lesson::Ham)),
            ((Some(Junk), "Junk"), (None, "Junket"), Some(Lesson::Ham)),
            ((Some(Junk), "Junk"), (Some(Trash), "Trash"), None),
            ((Some(Junk), "Junk"), (Some(Junk), "Junk"), None),
            ((Some(Junk), "Junk"), (None, "Junk/2026"), None),
            ((Some(Sent), "Sent"), (Some(Junk), "Junk"), None),
            ((Some(Drafts), "Drafts"), (Some(Junk), "Junk"), None),
            ((None, "INBOX"), (Some(Archive), "Archive"), None),
            ((None, "INBOX"), (Some(Trash), "Trash"), None),
            // By its use, whatever it is called.
            ((None, "Junk"), (None, "INBOX"), None),
        ] {
            let name = |name| FolderName::new(name).unwrap();
            let (source, target) = (name(from.1), name(to.1));
            let found = Lesson::of_move((from.0, &source), (to.0, &target));
            assert_eq!(found, expected, "{from:?} {to:?}");
        }
    }
}
