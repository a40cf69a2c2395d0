//! Reviews of a unit's mailboxes (rà soát danh sách hộp thư, B13): what is said of each.

use crate::{RequestKind, UnknownName};
use serde::{Deserialize, Serialize};

/// What a unit says of one of its mailboxes (AG Đ10.2b; ST Đ11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewDecision {
    /// In use, and as it should be.
    Confirm,
    /// Đề nghị thay đổi.
    Change,
    /// Đề nghị thu hồi.
    Revoke,
}

impl ReviewDecision {
    pub const ALL: [Self; 3] = [Self::Confirm, Self::Change, Self::Revoke];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Change => "change",
            Self::Revoke => "revoke",
        }
    }

    /// For people to read, and to write in a list.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Confirm => "xác nhận",
            Self::Change => "thay đổi",
            Self::Revoke => "thu hồi",
        }
    }

    /// What is asked of the centre, which decides; nothing where all is well.
    #[must_use]
    pub const fn request(self) -> Option<RequestKind> {
        match self {
            Self::Confirm => None,
            Self::Change => Some(RequestKind::Change),
            Self::Revoke => Some(RequestKind::Revoke),
        }
    }
}

impl std::str::FromStr for ReviewDecision {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        // However a spreadsheet writes it: with marks in one piece or in two, or without any, in large letters.
        let written = crate::fold_marks(name).to_lowercase();
        let means =
            |decision: &Self| written == decision.as_str() || written == crate::fold_marks(decision.label());
        Self::ALL.into_iter().find(means).ok_or_else(|| UnknownName {
            what: "decision",
            name: name.to_owned(),
            expected: "confirm, change, revoke, or xác nhận, thay đổi, thu hồi",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_however_a_spreadsheet_writes_it() {
        for decision in ReviewDecision::ALL {
            assert_eq!(decision.as_str().parse(), Ok(decision));
            assert_eq!(decision.label().parse(), Ok(decision));
            assert_eq!(decision.label().to_uppercase().parse(), Ok(decision));
        }
        assert_eq!("thu ho\u{302}\u{300}i".parse(), Ok(ReviewDecision::Revoke));
        assert!("".parse::<ReviewDecision>().is_err() && "xoá".parse::<ReviewDecision>().is_err());
    }
}
