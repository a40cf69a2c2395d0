//! Cases (yêu cầu hỗ trợ, E6): trouble that was reported to the support address, and where it is in its life.

use crate::UnknownName;
use serde::{Deserialize, Serialize};

/// Where a case is (AG Đ10.1h; ST Đ11.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseState {
    /// Nobody has taken it yet.
    New,
    /// Somebody sees to it.
    InWork,
    /// Whoever asked has the last word from us.
    Answered,
    Closed,
}

impl CaseState {
    pub const ALL: [Self; 4] = [Self::New, Self::InWork, Self::Answered, Self::Closed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InWork => "in-work",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "mới tiếp nhận",
            Self::InWork => "đang xử lý",
            Self::Answered => "đã trả lời",
            Self::Closed => "đã kết thúc",
        }
    }

    /// When whoever asked writes again: what was answered or closed is open once more.
    #[must_use]
    pub const fn after_reply(self, is_assigned: bool) -> Self {
        match self {
            Self::Answered | Self::Closed if is_assigned => Self::InWork,
            Self::Answered | Self::Closed => Self::New,
            Self::New | Self::InWork => self,
        }
    }

    /// When somebody is told to see to it; what is closed stays so until somebody writes again.
    #[must_use]
    pub const fn after_assignment(self) -> Self {
        match self {
            Self::New => Self::InWork,
            Self::InWork | Self::Answered | Self::Closed => self,
        }
    }
}

impl std::str::FromStr for CaseState {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| UnknownName {
            what: "state of a case",
            name: name.to_owned(),
            expected: "new, in-work, answered, closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_opens_what_was_closed() {
        for state in CaseState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            for is_assigned in [false, true] {
                let after = state.after_reply(is_assigned);
                assert!(matches!(after, CaseState::New | CaseState::InWork), "{state:?}");
            }
        }
        assert_eq!(CaseState::Closed.after_reply(true), CaseState::InWork);
        assert_eq!(CaseState::Answered.after_reply(false), CaseState::New);
        assert_eq!(CaseState::New.after_assignment(), CaseState::InWork);
        assert_eq!(CaseState::Closed.after_assignment(), CaseState::Closed);
    }
}
