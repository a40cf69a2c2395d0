//! Mailbox classes and the states of a mailbox's life.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {name:?}; one of {expected}")]
pub struct UnknownName {
    pub what: &'static str,
    pub name: String,
    pub expected: &'static str,
}

/// What kind of mailbox it is; decides its quota (An Giang 63/2016 Điều 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxClass {
    /// Hộp thư cá nhân.
    Person,
    /// Hộp thư cá nhân of a cán bộ lãnh đạo.
    Leader,
    /// Hộp thư đơn vị, shared by those the head names.
    Organisation,
    /// hotro@, xulythurac@, postmaster@, abuse@.
    Service,
}

const MB: u64 = 1 << 20;

impl MailboxClass {
    pub const ALL: [Self; 4] = [Self::Person, Self::Leader, Self::Organisation, Self::Service];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Leader => "leader",
            Self::Organisation => "organisation",
            Self::Service => "service",
        }
    }

    /// Quota in bytes where no policy says otherwise: 300 MB, 1 GB, 2 GB, 2 GB; 1 MB = 2^20 bytes.
    #[must_use]
    pub const fn default_quota_bytes(self) -> u64 {
        match self {
            Self::Person => 300 * MB,
            Self::Leader => 1024 * MB,
            Self::Organisation | Self::Service => 2048 * MB,
        }
    }
}

impl std::str::FromStr for MailboxClass {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|class| class.as_str() == name).ok_or_else(|| UnknownName {
            what: "mailbox class",
            name: name.to_owned(),
            expected: "person, leader, organisation, service",
        })
    }
}

/// Where a mailbox is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Made, its owner has not logged in yet.
    New,
    Active,
    /// Tạm khóa: nobody may log in; mail still arrives.
    Locked,
    ToBeDeleted,
    /// Thu hồi: the mail is gone; the row stays so that the number is never used again.
    Deleted,
}

impl AccountState {
    pub const ALL: [Self; 5] = [Self::New, Self::Active, Self::Locked, Self::ToBeDeleted, Self::Deleted];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Locked => "locked",
            Self::ToBeDeleted => "to_be_deleted",
            Self::Deleted => "deleted",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::New => "chưa đăng nhập lần nào",
            Self::Active => "đang sử dụng",
            Self::Locked => "tạm khóa",
            Self::ToBeDeleted => "trong danh sách xóa",
            Self::Deleted => "đã xóa",
        }
    }

    #[must_use]
    pub const fn may_log_in(self) -> bool {
        matches!(self, Self::New | Self::Active)
    }

    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::New | Self::Active | Self::Locked)
    }
}

impl std::str::FromStr for AccountState {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|state| state.as_str() == name).ok_or_else(|| UnknownName {
            what: "mailbox state",
            name: name.to_owned(),
            expected: "new, active, locked, to_be_deleted, deleted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for class in MailboxClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        for state in AccountState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("boss".parse::<MailboxClass>().is_err());
    }

    #[test]
    fn a_locked_mailbox_receives_and_does_not_log_in() {
        assert!(AccountState::Locked.receives() && !AccountState::Locked.may_log_in());
    }
}
