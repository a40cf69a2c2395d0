//! The table of transitions: what can happen to a mailbox, from where, to where, by whom, and what follows.
//!
//! Invariant: no event is said twice for one state; the dead stay dead.

use super::{DeletionCause, LockReason};
use crate::AccountState;
use serde::{Deserialize, Serialize};

/// Who causes an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A job of the system itself.
    System,
    /// Quản trị hệ thống.
    Administrator,
    /// Cán bộ vận hành of the centre.
    Operator,
    /// Cán bộ đầu mối of the mailbox's organisation.
    Officer,
    /// The mailbox's owner.
    Owner,
}

impl Actor {
    pub const ALL: [Self; 5] =
        [Self::System, Self::Administrator, Self::Operator, Self::Officer, Self::Owner];
}

/// What can happen to a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The owner logs in for the first time.
    FirstUse,
    Lock(LockReason),
    /// The organisation asks for restoration (đề nghị khôi phục).
    AskRestore,
    RefuseRestore,
    Restore,
    /// Onto the deletion list (đưa vào danh sách xóa).
    List(DeletionCause),
    ConfirmDeletion,
    Delete,
}

/// What has to be done when a transition takes place, in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Sessions, tokens and connections end at once (B5).
    EndSessions,
    /// A one-time password, to be changed at the first log-in (An Giang 63/2016 Điều 8.2b-c).
    OneTimePassword,
    /// The owner, where reachable, and the organisation are told (An Giang 63/2016 Điều 8.2b).
    Notify,
    /// Messages, index and keys go; the audit trail stays (B7).
    EraseContent,
    /// The addresses are kept from others for as long as the policy says.
    RetireAddresses,
}

/// One row of the life cycle.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    pub event: Event,
    pub from: &'static [AccountState],
    pub to: AccountState,
    pub by: &'static [Actor],
    pub effects: &'static [Effect],
    /// The article, or the requirement where no article says it.
    pub source: &'static str,
}

const IN_USE: &[AccountState] = &[AccountState::New, AccountState::Active];
const LOCKED: &[AccountState] = &[AccountState::Locked];
const LISTED: &[AccountState] = &[AccountState::ToBeDeleted];
const ALIVE: &[AccountState] = &[AccountState::New, AccountState::Active, AccountState::Locked];
const JOB: &[Actor] = &[Actor::System];
const CENTRE: &[Actor] = &[Actor::Operator, Actor::Administrator];
const JOB_OR_CENTRE: &[Actor] = &[Actor::System, Actor::Operator, Actor::Administrator];
/// The centre enters what came on paper (An Giang 63/2016 Điều 8.2a).
const OFFICER_OR_CENTRE: &[Actor] = &[Actor::Officer, Actor::Operator, Actor::Administrator];
const CUT_OFF: &[Effect] = &[Effect::EndSessions, Effect::Notify];
const LET_IN: &[Effect] = &[Effect::OneTimePassword, Effect::Notify];
const TELL: &[Effect] = &[Effect::Notify];

const fn lock(reason: LockReason, by: &'static [Actor], source: &'static str) -> Transition {
    let event = Event::Lock(reason);
    Transition { event, from: IN_USE, to: AccountState::Locked, by, effects: CUT_OFF, source }
}

const fn list(
    cause: DeletionCause,
    from: &'static [AccountState],
    by: &'static [Actor],
    source: &'static str,
) -> Transition {
    let event = Event::List(cause);
    Transition { event, from, to: AccountState::ToBeDeleted, by, effects: CUT_OFF, source }
}

const fn note(event: Event, state: &'static [AccountState; 1], by: &'static [Actor]) -> Transition {
    let [to] = *state;
    Transition { event, from: state, to, by, effects: TELL, source: "An Giang 63/2016 Điều 8.2a, 8.3" }
}

const fn restore(from: &'static [AccountState], source: &'static str) -> Transition {
    let event = Event::Restore;
    Transition { event, from, to: AccountState::Active, by: CENTRE, effects: LET_IN, source }
}

/// Every transition there is.
pub static TRANSITIONS: &[Transition] = &[
    Transition {
        event: Event::FirstUse,
        from: &[AccountState::New],
        to: AccountState::Active,
        by: &[Actor::Owner],
        effects: &[],
        source: "An Giang 63/2016 Điều 7.3; Sóc Trăng 59/2024 Điều 8.1a",
    },
    lock(LockReason::Inactive, JOB, "An Giang 63/2016 Điều 8.1a"),
    lock(LockReason::Violation, JOB_OR_CENTRE, "An Giang 63/2016 Điều 8.1b"),
    lock(LockReason::TakenOver, JOB_OR_CENTRE, "An Giang 63/2016 Điều 8.1c"),
    lock(LockReason::Spam, JOB_OR_CENTRE, "An Giang 63/2016 Điều 8.1d"),
    lock(LockReason::Malware, JOB_OR_CENTRE, "An Giang 63/2016 Điều 8.1d"),
    lock(LockReason::Requested, CENTRE, "B5"),
    note(Event::AskRestore, &[AccountState::Locked], OFFICER_OR_CENTRE),
    note(Event::AskRestore, &[AccountState::ToBeDeleted], OFFICER_OR_CENTRE),
    note(Event::RefuseRestore, &[AccountState::Locked], CENTRE),
    note(Event::RefuseRestore, &[AccountState::ToBeDeleted], CENTRE),
    restore(LOCKED, "An Giang 63/2016 Điều 8.2b"),
    restore(LISTED, "An Giang 63/2016 Điều 8.3"),
    list(DeletionCause::LockExpired, LOCKED, JOB, "An Giang 63/2016 Điều 8.3"),
    list(DeletionCause::NeverUsed, IN_USE, JOB, "Sở Công Thương Bình Định 148/2014 Điều 5.2"),
    list(DeletionCause::Violation, ALIVE, CENTRE, "Sở Công Thương Bình Định 148/2014 Điều 5.2"),
    list(DeletionCause::Revoked, ALIVE, CENTRE, "An Giang 63/2016 Điều 7.3c"),
    Transition {
        event: Event::ConfirmDeletion,
        from: LISTED,
        to: AccountState::ToBeDeleted,
        by: &[Actor::Administrator],
        effects: &[],
        source: "B7",
    },
    Transition {
        event: Event::Delete,
        from: LISTED,
        to: AccountState::Deleted,
        by: &[Actor::System, Actor::Administrator],
        effects: &[Effect::EndSessions, Effect::EraseContent, Effect::RetireAddresses, Effect::Notify],
        source: "An Giang 63/2016 Điều 8.3",
    },
];
