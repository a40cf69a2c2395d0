//! Who may do what to whom: one function, [`allows`], and one table, [`Action::ALL`] with its cells.
//!
//! Invariants: whoever is not in good standing may do nothing; nobody learns of a unit or mailbox outside his scope, as what
//! he may not see and what does not exist are denied alike; no administrator reads mail; an inspector changes nothing.
//! What policy decides besides (second factor, two people, delegation of personal mailboxes) is the caller's to ask.

mod action;
mod grant;
#[cfg(test)]
mod tests;

pub use action::{Action, Cell, Level, Levels};
pub use grant::{Grant, GrantError, Right, Rights};

use crate::{AccountId, AccountState, DomainId, UnitId};
use serde::{Deserialize, Serialize};

/// What somebody is in the system (vai trò): LC Đ9.5, TN Đ18.2, ST Đ13.3; AG Đ10.2b (cán bộ chuyên trách).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Quản trị hệ thống: the installation, its domains, their policies.
    SystemAdministrator,
    /// Cán bộ vận hành of the centre: everything of one domain but its policy.
    CentreOperator,
    /// Cán bộ đầu mối: sees and asks for his own organisation and what is below it.
    OrganisationOfficer,
    /// Thanh tra: reads within a case, changes nothing (AG Đ10.1i).
    Inspector,
    /// Cán bộ hỗ trợ: answers users of one domain (AG Đ10.1h).
    Helpdesk,
    /// Chủ hộp thư: the person, or the head of the organisation (thủ trưởng; LC Đ11.1, TN Đ10.1, BD Đ13.1).
    MailboxOwner,
    /// Người được ủy quyền: has rights to an organisation mailbox, given in writing (LC Đ11.1, TN Đ10.1).
    Delegate,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::SystemAdministrator,
        Self::CentreOperator,
        Self::OrganisationOfficer,
        Self::Inspector,
        Self::Helpdesk,
        Self::MailboxOwner,
        Self::Delegate,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SystemAdministrator => "system-administrator",
            Self::CentreOperator => "centre-operator",
            Self::OrganisationOfficer => "organisation-officer",
            Self::Inspector => "inspector",
            Self::Helpdesk => "helpdesk",
            Self::MailboxOwner => "mailbox-owner",
            Self::Delegate => "delegate",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SystemAdministrator => "quản trị hệ thống",
            Self::CentreOperator => "cán bộ vận hành",
            Self::OrganisationOfficer => "cán bộ đầu mối",
            Self::Inspector => "thanh tra",
            Self::Helpdesk => "cán bộ hỗ trợ",
            Self::MailboxOwner => "chủ hộp thư",
            Self::Delegate => "người được ủy quyền",
        }
    }

    /// Is it one of those who run the system, higher ones first, as [`Role::ALL`] has them?
    #[must_use]
    pub const fn is_administrative(self) -> bool {
        !matches!(self, Self::MailboxOwner | Self::Delegate)
    }

    /// May it do what gets it into, or keeps the owner out of, the mailbox of somebody whose highest role is `holder`? Only
    /// where it has all that the other one has: an inspector reads what an operator does not, and one of the same role may
    /// have it over something else. Officers are appointed within a domain, by its operators.
    const fn may_take_over(self, holder: Self) -> bool {
        match self {
            Self::SystemAdministrator => true,
            Self::CentreOperator => matches!(holder, Self::OrganisationOfficer),
            _ => false,
        }
    }

    /// May it be given over this scope?
    const fn fits(self, scope: Scope) -> bool {
        match self {
            Self::SystemAdministrator => matches!(scope, Scope::System),
            Self::CentreOperator | Self::Helpdesk => matches!(scope, Scope::Domain(_)),
            Self::OrganisationOfficer => matches!(scope, Scope::Subtree { .. }),
            // A case has a scope of its own (AG Đ10.1i).
            Self::Inspector => !matches!(scope, Scope::System),
            Self::MailboxOwner | Self::Delegate => matches!(scope, Scope::Mailbox(_)),
        }
    }
}

/// How far a role reaches (phạm vi).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    System,
    Domain(DomainId),
    /// A unit and everything below it.
    Subtree {
        domain: DomainId,
        unit: UnitId,
    },
    Mailbox(AccountId),
}

/// Whether somebody may act at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Active,
    /// First login, or the first after reset or unlock (AG Đ7.3, Đ8.2c): a new password before anything else.
    MustChangePassword,
    /// Tạm khóa (AG Đ8.1).
    Locked,
    /// Left, retired or deleted (AG Đ7.3c).
    Retired,
}

/// Somebody who wants something.
#[derive(Clone, Debug)]
pub struct Actor {
    pub standing: Standing,
    /// Everything that he is; what any of them permits, he may.
    pub grants: Vec<Grant>,
}

/// What it is to be done to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    System,
    Domain(DomainId),
    Unit {
        domain: DomainId,
        /// From the top of the tree to the unit itself.
        path: &'a [UnitId],
    },
    Mailbox {
        account: AccountId,
        domain: DomainId,
        /// From the top of the tree to the mailbox's unit; empty: it belongs to none.
        path: &'a [UnitId],
        state: AccountState,
        /// The highest administrative role of whoever owns it.
        holder: Option<Role>,
    },
    /// The caller looked and found nothing: denied exactly like what is out of sight.
    Missing,
}

impl Target<'_> {
    const fn level(&self) -> Option<Level> {
        match self {
            Self::System => Some(Level::System),
            Self::Domain(_) => Some(Level::Domain),
            Self::Unit { .. } => Some(Level::Unit),
            Self::Mailbox { .. } => Some(Level::Mailbox),
            Self::Missing => None,
        }
    }
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("denied: {reason}")]
pub struct Denied {
    pub reason: Reason,
}

/// Why. All but `NotFound` are said only of what the actor may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It does not exist, or it is outside every scope of the actor.
    #[error("not found")]
    NotFound,
    #[error("the role does not include this action")]
    Role,
    /// Whoever could get into the mailbox of a higher role would have that role.
    #[error("the mailbox belongs to somebody of a higher role")]
    HigherRole,
    #[error("the right {} is needed", .0.as_str())]
    Right(Right),
    #[error("the actor's own mailbox does not let him act")]
    Standing(Standing),
    /// Nobody uses a mailbox that is locked or to be deleted (AG Đ2.7).
    #[error("the mailbox is not in use")]
    Mailbox(AccountState),
    /// The action is not one that is done to such a thing.
    #[error("the action is not for this kind of target")]
    Target,
}

impl Reason {
    /// For people to read.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::NotFound => "không tìm thấy".to_owned(),
            Self::Role => "vai trò không có quyền thực hiện".to_owned(),
            Self::HigherRole => "hộp thư thuộc người có vai trò cao hơn".to_owned(),
            Self::Right(right) => format!("chưa được ủy quyền “{}”", right.label()),
            Self::Standing(Standing::MustChangePassword) => "phải đổi mật khẩu trước".to_owned(),
            Self::Standing(_) => "tài khoản không còn được phép sử dụng".to_owned(),
            Self::Mailbox(_) => "hộp thư đang tạm khóa hoặc chờ xóa".to_owned(),
            Self::Target => "thao tác không áp dụng cho đối tượng này".to_owned(),
        }
    }
}

/// The one decision: may `actor` do `action` to `target`?
///
/// # Errors
/// [`Denied`] with the reason that may be shown to the actor.
pub fn allows(actor: &Actor, action: Action, target: &Target<'_>) -> Result<(), Denied> {
    decide(actor, action, target).map_err(|reason| Denied { reason })
}

fn decide(actor: &Actor, action: Action, target: &Target<'_>) -> Result<(), Reason> {
    match actor.standing {
        Standing::Active => {}
        Standing::MustChangePassword if action == Action::PasswordChange => {}
        standing @ (Standing::MustChangePassword | Standing::Locked | Standing::Retired) => {
            return Err(Reason::Standing(standing));
        }
    }
    // That there is a system is no secret; everything else must be in sight before anything is said of it.
    let mut in_sight = matches!(target, Target::System);
    let mut refusal = Reason::Role;
    let mut permitted = false;
    for grant in actor.grants.iter().filter(|grant| grant.covers(target)) {
        in_sight = true;
        match grant.permits(action, target) {
            Ok(()) => permitted = true,
            // What says more than that the role never had it.
            Err(reason @ (Reason::Right(_) | Reason::HigherRole | Reason::Mailbox(_))) => refusal = reason,
            Err(_) => {}
        }
    }
    if !in_sight {
        return Err(Reason::NotFound);
    }
    if !target.level().is_some_and(|level| action.levels().contains(level)) {
        return Err(Reason::Target);
    }
    if !permitted {
        return Err(refusal);
    }
    match target {
        Target::Mailbox { state, .. } if action.uses_mailbox() && !state.may_log_in() => {
            Err(Reason::Mailbox(*state))
        }
        _ => Ok(()),
    }
}

/// Over what may `actor` do `action`? Lists and counts are narrowed to this before they are made, so that nothing outside can
/// be inferred. Empty: over nothing. Each single one is still asked for with [`allows`] before it is changed.
#[must_use]
pub fn scopes(actor: &Actor, action: Action) -> Vec<Scope> {
    let password = actor.standing == Standing::MustChangePassword && action == Action::PasswordChange;
    if actor.standing != Standing::Active && !password {
        return Vec::new();
    }
    let grants = actor.grants.iter().filter(|grant| grant.has(action).is_ok());
    grants.map(Grant::scope).collect()
}
