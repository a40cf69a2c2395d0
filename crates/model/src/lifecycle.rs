//! A mailbox's life: which states there are, what leads from one to another, and who may cause it.
//!
//! Data, not branches: `TRANSITIONS` is the whole truth, a row per event and target with its article; what has no row is
//! refused. Invariants: everything is a function of what is passed in; nothing leaves Đã xóa; nobody logs in to a
//! mailbox that is locked; nothing is deleted while it is held, asked back, or unconfirmed where confirmation is asked.

mod schedule;
mod table;

pub use schedule::{
    CountsAsUse, Decision, Facts, Leave, Rules, Uses, Warning, backups_until, due, inactivity_lock_on,
    next_by_itself_on, restore_due_on,
};
pub use table::{Actor, Effect, Event, TRANSITIONS, Transition};

use crate::AccountState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a mailbox is in its life, with what that stage has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Life {
    /// Mới: granted, its owner has not logged in yet.
    New,
    /// Đang dùng, since the first log-in or the last restoration.
    Active { since: Timestamp },
    /// Tạm khóa (An Giang 63/2016 Điều 2.7, 8.1).
    Locked { since: Timestamp, reason: LockReason, request: RestoreRequest },
    /// Chờ xóa: on the deletion list (danh sách xóa).
    ToBeDeleted {
        since: Timestamp,
        cause: DeletionCause,
        request: RestoreRequest,
        /// When an administrator confirmed it.
        confirmed: Option<Timestamp>,
    },
    /// Đã xóa; its data cannot be restored (An Giang 63/2016 Điều 8.3).
    Deleted { at: Timestamp },
}

impl Life {
    /// The state alone, as it is stored and compared.
    #[must_use]
    pub const fn state(&self) -> AccountState {
        match self {
            Self::New => AccountState::New,
            Self::Active { .. } => AccountState::Active,
            Self::Locked { .. } => AccountState::Locked,
            Self::ToBeDeleted { .. } => AccountState::ToBeDeleted,
            Self::Deleted { .. } => AccountState::Deleted,
        }
    }

    /// What the organisation has asked for since the lock.
    #[must_use]
    pub const fn request(&self) -> RestoreRequest {
        match self {
            Self::Locked { request, .. } | Self::ToBeDeleted { request, .. } => *request,
            Self::New | Self::Active { .. } | Self::Deleted { .. } => RestoreRequest::None,
        }
    }

    /// Whether mail still comes in: while locked that is the policy's to say (B5), else `AccountState::receives`.
    #[must_use]
    pub const fn receives(&self, rules: &Rules) -> bool {
        match self {
            Self::Locked { .. } => rules.locked_receives,
            _ => self.state().receives(),
        }
    }
}

/// Why a mailbox is locked (tạm khóa).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockReason {
    /// Không phát sinh giao dịch gửi, nhận (An Giang 63/2016 Điều 8.1a).
    Inactive,
    /// Vi phạm Điều 5 (An Giang 63/2016 Điều 8.1b).
    Violation,
    /// Bị chiếm dụng (Điều 8.1c).
    TakenOver,
    /// Phát tán thư rác (Điều 8.1d).
    Spam,
    /// Phát tán mã độc (Điều 8.1d).
    Malware,
    /// Theo đề nghị của đơn vị (ours).
    Requested,
}

impl LockReason {
    pub const ALL: [Self; 6] =
        [Self::Inactive, Self::Violation, Self::TakenOver, Self::Spam, Self::Malware, Self::Requested];

    /// Is it one for which the mailbox's mail is not to go on (An Giang 63/2016 Điều 8.1c, d)?
    #[must_use]
    pub const fn stops_mail(self) -> bool {
        matches!(self, Self::Spam | Self::Malware | Self::TakenOver)
    }

    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::Inactive => "không phát sinh giao dịch gửi, nhận thư",
            Self::Violation => "vi phạm quy chế",
            Self::TakenOver => "hộp thư bị chiếm dụng",
            Self::Spam => "phát tán thư rác",
            Self::Malware => "phát tán mã độc",
            Self::Requested => "theo đề nghị của đơn vị",
        }
    }
}

/// Why a mailbox is on the deletion list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// Quá hạn khôi phục: locked, and nobody asked for it (An Giang 63/2016 Điều 8.3).
    LockExpired,
    /// Không đưa vào sử dụng (Sở Công Thương Bình Định 148/2014 Điều 5.2).
    NeverUsed,
    /// Vi phạm (Sở Công Thương Bình Định 148/2014 Điều 5.2).
    Violation,
    /// Thu hồi: its holder left, or the organisation gave it up (An Giang 63/2016 Điều 7.3c; Lào Cai 33/2010 Điều 6;
    /// Thái Nguyên 957/2013 Điều 8; Sóc Trăng 59/2024 Điều 4).
    Revoked,
}

impl DeletionCause {
    pub const ALL: [Self; 4] = [Self::LockExpired, Self::NeverUsed, Self::Violation, Self::Revoked];

    #[must_use]
    pub const fn vietnamese(self) -> &'static str {
        match self {
            Self::LockExpired => "quá hạn khôi phục sau khi tạm khóa",
            Self::NeverUsed => "không đưa vào sử dụng kể từ ngày được cấp",
            Self::Violation => "vi phạm quy chế",
            Self::Revoked => "thu hồi theo đề nghị của đơn vị",
        }
    }
}

/// Đề nghị khôi phục (An Giang 63/2016 Điều 8.2a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreRequest {
    None,
    Asked { at: Timestamp },
    Refused { at: Timestamp },
}

/// What keeps a mailbox from being deleted, whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Kept for an inspection or a court (B7, E1).
    pub legal_hold: bool,
    /// Đang bàn giao (B10).
    pub handover: bool,
    /// It has mail of which no archive was written since it went out of use, nor did an administrator do without (B7).
    pub export_pending: bool,
}

impl Holds {
    /// Those that count: an archive is waited for only where the policy asks for one.
    #[must_use]
    pub const fn under(self, rules: &Rules) -> Self {
        Self { export_pending: self.export_pending && rules.export_first, ..self }
    }

    #[must_use]
    pub const fn any(&self) -> bool {
        self.legal_hold || self.handover || self.export_pending
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = [
            (self.legal_hold, "a legal hold (congthu hold list)"),
            (self.handover, "a handover (congthu handover finish)"),
            (
                self.export_pending,
                "mail that must be exported before it can be deleted (congthu mailbox export)",
            ),
        ];
        let kept: Vec<&str> = kept.into_iter().filter_map(|(holds, by)| holds.then_some(by)).collect();
        f.write_str(&kept.join(" and "))
    }
}

/// Why an event does not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this cannot be done with a mailbox that is {0}: congthu mailbox show says what comes next")]
    NotFromHere(StateName),
    #[error("{0:?} may not do this")]
    NotAllowed(Actor),
    #[error(
        "the organisation has not asked for it: note its request with congthu mailbox restore --request, or give it with \
         congthu mailbox unlock --request"
    )]
    NotAsked,
    #[error("the organisation has asked for the mailbox: that has to be decided first")]
    RestoreAsked,
    #[error("the deletion is not confirmed")]
    NotConfirmed,
    #[error("the mailbox is kept by {0}, which has to end first")]
    Held(Holds),
    #[error("the mailbox holds mail that was not exported since it went out of use")]
    NotExported,
}

/// An `AccountState` as it reads in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateName(pub AccountState);

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.as_str().replace('_', " "))
    }
}

/// What an event leads to.
#[derive(Clone, Copy, Debug)]
pub struct Applied {
    pub life: Life,
    pub transition: &'static Transition,
}

/// The life after `event`, caused by `by` at `at`.
///
/// # Errors
/// `Refusal`: nothing may change.
pub fn apply(
    life: &Life,
    event: Event,
    by: Actor,
    at: Timestamp,
    holds: &Holds,
    rules: &Rules,
) -> Result<Applied, Refusal> {
    let state = life.state();
    let transition = TRANSITIONS
        .iter()
        .find(|row| row.event == event && row.from.contains(&state))
        .ok_or(Refusal::NotFromHere(StateName(state)))?;
    if !transition.by.contains(&by) {
        return Err(Refusal::NotAllowed(by));
    }
    check(life, event, holds, rules)?;
    Ok(Applied { life: after(life, event, at), transition })
}

/// Conditions beyond the table's.
fn check(life: &Life, event: Event, holds: &Holds, rules: &Rules) -> Result<(), Refusal> {
    let asked = matches!(life.request(), RestoreRequest::Asked { .. });
    match event {
        Event::Restore if rules.restore_needs_request && !asked => Err(Refusal::NotAsked),
        Event::RefuseRestore if !asked => Err(Refusal::NotAsked),
        Event::ConfirmDeletion | Event::Delete | Event::List(DeletionCause::LockExpired) if asked => {
            Err(Refusal::RestoreAsked)
        }
        Event::Delete if holds.legal_hold || holds.handover => Err(Refusal::Held(*holds)),
        Event::Delete if !deletion_confirmed(life, rules) => Err(Refusal::NotConfirmed),
        Event::ConfirmDeletion | Event::Delete if holds.under(rules).export_pending => {
            Err(Refusal::NotExported)
        }
        _ => Ok(()),
    }
}

/// Whether an administrator confirmed the deletion, or the policy asks for nobody.
const fn deletion_confirmed(life: &Life, rules: &Rules) -> bool {
    rules.automatic_deletion || matches!(life, Life::ToBeDeleted { confirmed: Some(_), .. })
}

/// The stage an event that the table allows leads to.
fn after(life: &Life, event: Event, at: Timestamp) -> Life {
    match event {
        Event::FirstUse | Event::Restore => Life::Active { since: at },
        Event::Lock(reason) => Life::Locked { since: at, reason, request: RestoreRequest::None },
        // What a request was refused for stays said.
        Event::List(cause) => {
            Life::ToBeDeleted { since: at, cause, request: life.request(), confirmed: None }
        }
        Event::Delete => Life::Deleted { at },
        Event::AskRestore => with_request(*life, RestoreRequest::Asked { at }),
        Event::RefuseRestore => with_request(*life, RestoreRequest::Refused { at }),
        Event::ConfirmDeletion => match *life {
            Life::ToBeDeleted { since, cause, request, .. } => {
                Life::ToBeDeleted { since, cause, request, confirmed: Some(at) }
            }
            other => other,
        },
    }
}

/// A new request makes an earlier confirmation void: it was given without knowing of it.
const fn with_request(life: Life, request: RestoreRequest) -> Life {
    match life {
        Life::Locked { since, reason, .. } => Life::Locked { since, reason, request },
        Life::ToBeDeleted { since, cause, .. } => {
            Life::ToBeDeleted { since, cause, request, confirmed: None }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
