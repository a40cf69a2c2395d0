//! Requests of organisations (đề nghị, B1): what is asked for, and what becomes of it.

use crate::{Policy, UnknownName};
use serde::{Deserialize, Serialize};

/// What is asked for (AG Đ7, Đ8; LC Đ6; TN Đ8; ST Đ4; BD Đ5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// Cấp mới.
    Create,
    /// Thay đổi thông tin.
    Change,
    /// Thu hồi.
    Revoke,
    /// Khôi phục.
    Restore,
    /// Chuyển công tác.
    Transfer,
    /// Đổi tên.
    Rename,
    /// Giải thể.
    Dissolve,
}

impl RequestKind {
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Change,
        Self::Revoke,
        Self::Restore,
        Self::Transfer,
        Self::Rename,
        Self::Dissolve,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Revoke => "revoke",
            Self::Restore => "restore",
            Self::Transfer => "transfer",
            Self::Rename => "rename",
            Self::Dissolve => "dissolve",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Create => "cấp mới",
            Self::Change => "thay đổi",
            Self::Revoke => "thu hồi",
            Self::Restore => "khôi phục",
            Self::Transfer => "chuyển công tác",
            Self::Rename => "đổi tên",
            Self::Dissolve => "giải thể",
        }
    }

    /// Working days from its receipt until it is to be settled.
    #[must_use]
    pub fn days(self, policy: &Policy) -> u32 {
        let terms = &policy.request;
        match self {
            Self::Create => terms.create_days,
            Self::Change | Self::Rename => terms.change_days,
            Self::Revoke | Self::Dissolve => terms.revoke_days,
            Self::Restore => terms.restore_days,
            Self::Transfer => terms.transfer_days,
        }
    }
}

impl std::str::FromStr for RequestKind {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| UnknownName {
            what: "kind of request",
            name: name.to_owned(),
            expected: "create, change, revoke, restore, transfer, rename, dissolve",
        })
    }
}

/// Where it is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    New,
    /// Somebody has said yes, and it is being done.
    Accepted,
    Done,
    Refused,
    /// By whoever asked.
    Withdrawn,
}

impl RequestState {
    pub const ALL: [Self; 5] = [Self::New, Self::Accepted, Self::Done, Self::Refused, Self::Withdrawn];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "mới tiếp nhận",
            Self::Accepted => "đã chấp thuận, đang thực hiện",
            Self::Done => "đã thực hiện",
            Self::Refused => "không chấp thuận",
            Self::Withdrawn => "đã rút",
        }
    }

    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Accepted)
    }

    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::New => matches!(next, Self::Accepted | Self::Done | Self::Refused | Self::Withdrawn),
            Self::Accepted => matches!(next, Self::Done | Self::Refused | Self::Withdrawn),
            Self::Done | Self::Refused | Self::Withdrawn => false,
        }
    }
}

impl std::str::FromStr for RequestState {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| UnknownName {
            what: "state of a request",
            name: name.to_owned(),
            expected: "new, accepted, done, refused, withdrawn",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_stays_so() {
        for from in RequestState::ALL {
            let next = RequestState::ALL.into_iter().filter(|next| from.may_become(*next)).count();
            assert_eq!(next > 0, from.is_open(), "{from:?}");
            assert!(!from.may_become(RequestState::New));
            assert_eq!(from.as_str().parse(), Ok(from));
        }
    }

    #[test]
    fn each_kind_has_its_term() {
        let policy = Policy::default();
        // AG Đ8.2b: one working day.
        assert_eq!(RequestKind::Restore.days(&policy), 1);
        assert!(
            RequestKind::ALL.iter().all(|kind| kind.days(&policy) > 0 && kind.as_str().parse() == Ok(*kind))
        );
    }
}
