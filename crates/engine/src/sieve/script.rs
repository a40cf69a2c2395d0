//! Scripts as they are told of, what may be kept as one, and why not.

use crate::{AdminError, Error};
use jiff::Timestamp;
use model::{Address, DomainName};
use proto::sieve::limits::SCRIPT_OCTETS_MAX;
use proto::sieve::{Problem, Script, ScriptError, compile};
use store::SieveScriptRow;
use unicode_normalization::UnicodeNormalization as _;

/// Scripts of one owner.
const SCRIPTS_MAX: usize = 16;
/// Octets of a script's name (RFC 5804 1.6).
const NAME_OCTETS_MAX: usize = 512;
/// Whose scripts an administrator is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SieveOwner {
    Mailbox(Address),
    /// By its code.
    Unit(DomainName, String),
    Domain(DomainName),
}

/// A script as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SieveScript {
    pub name: String,
    /// It is followed, where policy lets it be.
    pub is_active: bool,
    /// From 1, with each change of what it says.
    pub version: u32,
    pub octets: u64,
    pub changed_at: Timestamp,
}

/// What a script was, or is.
pub type ScriptVersion = store::SieveVersionRow;

/// Why scripts cannot be had or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SieveError {
    #[error("there is no script of that name")]
    NoSuchScript,
    #[error("the script is active: activate another one first, or none")]
    IsActive,
    #[error("there is a script of that name already")]
    Exists,
    #[error("the name of a script has 1 to {NAME_OCTETS_MAX} octets and no control characters")]
    NameInvalid,
    #[error("a script has {most} octets at most")]
    TooLarge { most: usize },
    #[error("there are {most} scripts at most: delete one first")]
    TooMany { most: usize },
    #[error("policy lets users have no scripts of their own (rules.own)")]
    NotAllowed,
    #[error(transparent)]
    Invalid(ScriptError),
    #[error(transparent)]
    Admin(AdminError),
    #[error(transparent)]
    Error(#[from] Error),
}

impl SieveError {
    /// For people to read.
    #[must_use]
    pub fn vietnamese(&self) -> String {
        match self {
            Self::NoSuchScript => "không có bộ lọc nào tên như vậy".into(),
            Self::IsActive => {
                "bộ lọc đang được áp dụng: hãy áp dụng bộ lọc khác hoặc ngừng áp dụng trước".into()
            }
            Self::Exists => "đã có bộ lọc tên như vậy".into(),
            Self::NameInvalid => {
                format!("tên bộ lọc dài từ 1 đến {NAME_OCTETS_MAX} byte và không có ký tự điều khiển")
            }
            Self::TooLarge { most } => format!("bộ lọc dài quá {most} byte"),
            Self::TooMany { most } => format!("đã có đủ {most} bộ lọc: hãy xóa bớt một bộ lọc"),
            Self::NotAllowed => "chính sách không cho người dùng đặt bộ lọc thư riêng".into(),
            Self::Invalid(error) => error.vietnamese(),
            Self::Admin(AdminError::Denied(reason)) => reason.label(),
            Self::Admin(_) => "không thực hiện được".into(),
            Self::Error(Error::Revoked) => "phiên đăng nhập không còn hiệu lực".into(),
            Self::Error(_) => "hệ thống đang bận, xin thử lại sau".into(),
        }
    }
}

impl From<AdminError> for SieveError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Engine(error) => Self::Error(error),
            error => Self::Admin(error),
        }
    }
}

impl From<store::Error> for SieveError {
    fn from(error: store::Error) -> Self {
        Self::Error(error.into())
    }
}

/// In NFC.
pub(super) fn checked(name: &str) -> Result<String, SieveError> {
    let name: String = name.nfc().collect();
    // RFC 5804 1.6: neither control characters nor line and paragraph separators.
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if (1..=NAME_OCTETS_MAX).contains(&name.len()) && !name.chars().any(is_odd) {
        Ok(name)
    } else {
        Err(SieveError::NameInvalid)
    }
}

pub(super) fn compiled(source: &[u8]) -> Result<(&str, Script), SieveError> {
    const TOO_LARGE: SieveError = SieveError::TooLarge { most: SCRIPT_OCTETS_MAX };
    if source.len() > SCRIPT_OCTETS_MAX {
        return Err(TOO_LARGE);
    }
    let script = compile(source).map_err(SieveError::Invalid)?;
    let not_text = |_| SieveError::Invalid(ScriptError { line: 1, column: 1, problem: Problem::NotUtf8 });
    Ok((str::from_utf8(source).map_err(not_text)?, script))
}

pub(super) fn find<'r>(rows: &'r [SieveScriptRow], name: &str) -> Result<&'r SieveScriptRow, SieveError> {
    rows.iter().find(|row| row.name == name).ok_or(SieveError::NoSuchScript)
}

/// May there be one of this name and length?
pub(super) fn check_room(rows: &[SieveScriptRow], name: &str, octets: u64) -> Result<(), SieveError> {
    if octets > SCRIPT_OCTETS_MAX as u64 {
        return Err(SieveError::TooLarge { most: SCRIPT_OCTETS_MAX });
    }
    if find(rows, name).is_err() && rows.len() >= SCRIPTS_MAX {
        return Err(SieveError::TooMany { most: SCRIPTS_MAX });
    }
    Ok(())
}
