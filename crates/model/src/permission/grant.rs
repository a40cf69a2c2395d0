//! Roles over scopes, and a delegate's rights: what somebody has been given.
//!
//! Invariant: a grant's role may be given over its scope, and only a delegate's has rights.

use super::{Action, Cell, Reason, Role, Scope, Target};
use crate::{AccountId, UnitId};
use serde::{Deserialize, Serialize};

/// A delegate's right to a mailbox (B10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    Read,
    /// Flags, moves, deletions, new entries.
    Write,
    /// The mailbox's address alone stands in From.
    SendAs,
    /// The delegate's own address stands in Sender.
    SendOnBehalf,
    /// Delegations, folders, rules, handover.
    Manage,
}

impl Right {
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::SendAs, Self::SendOnBehalf, Self::Manage];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::SendAs => "send-as",
            Self::SendOnBehalf => "send-on-behalf",
            Self::Manage => "manage",
        }
    }

    /// For people to read.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Read => "đọc",
            Self::Write => "ghi",
            Self::SendAs => "gửi với tư cách đơn vị",
            Self::SendOnBehalf => "gửi thay mặt",
            Self::Manage => "quản lý",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::SendAs => 4,
            Self::SendOnBehalf => 8,
            Self::Manage => 16,
        }
    }
}

/// A set of rights; each stands alone, none implies another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    #[must_use]
    pub const fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !right.bit())
    }

    /// Those in it, in the order of [`Right::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.contains(*right))
    }

    /// One bit for each, as they are stored.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// What [`Rights::bits`] gave; bits of rights that there are not are passed over.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Right::ALL.into_iter().filter(|right| bits & right.bit() != 0).collect()
    }
}

impl std::str::FromStr for Right {
    type Err = crate::UnknownName;
    fn from_str(name: &str) -> Result<Self, crate::UnknownName> {
        Self::ALL.into_iter().find(|right| right.as_str() == name).ok_or_else(|| crate::UnknownName {
            what: "right",
            name: name.to_owned(),
            expected: "read, write, send-as, send-on-behalf or manage",
        })
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, Self::with)
    }
}

/// A role over a scope. Only [`Grant::new`] and [`Grant::delegate`] make one, so no role reaches further than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    role: Role,
    scope: Scope,
    rights: Rights,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    #[error("this role cannot be given over this scope")]
    Scope,
    #[error("a delegate has at least one right, and nobody else has any")]
    Rights,
}

impl Grant {
    /// Any role but a delegate's.
    ///
    /// # Errors
    /// When the role cannot be given over this scope.
    pub fn new(role: Role, scope: Scope) -> Result<Self, GrantError> {
        if role == Role::Delegate {
            return Err(GrantError::Rights);
        }
        if role.fits(scope) { Ok(Self { role, scope, rights: Rights::NONE }) } else { Err(GrantError::Scope) }
    }

    /// Rights to somebody else's mailbox (ủy quyền).
    ///
    /// # Errors
    /// When there are no rights in it.
    pub fn delegate(mailbox: AccountId, rights: Rights) -> Result<Self, GrantError> {
        if rights.is_empty() {
            return Err(GrantError::Rights);
        }
        Ok(Self { role: Role::Delegate, scope: Scope::Mailbox(mailbox), rights })
    }

    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    #[must_use]
    pub const fn rights(&self) -> Rights {
        self.rights
    }

    /// Is the target within the scope?
    pub(super) fn covers(&self, target: &Target<'_>) -> bool {
        let (domain, path, account): (_, &[UnitId], _) = match *target {
            Target::Missing => return false,
            Target::System => (None, &[], None),
            Target::Domain(domain) => (Some(domain), &[], None),
            Target::Unit { domain, path } => (Some(domain), path, None),
            Target::Mailbox { account, domain, path, .. } => (Some(domain), path, Some(account)),
        };
        match self.scope {
            Scope::System => true,
            Scope::Domain(mine) => domain == Some(mine),
            Scope::Subtree { domain: mine, unit } => domain == Some(mine) && path.contains(&unit),
            Scope::Mailbox(mine) => account == Some(mine),
        }
    }

    /// Does the table let this grant do it to that?
    pub(super) fn permits(&self, action: Action, target: &Target<'_>) -> Result<(), Reason> {
        self.has(action)?;
        match target {
            Target::Mailbox { holder: Some(holder), .. }
                if action.takes_over()
                    && self.role.is_administrative()
                    && !self.role.may_take_over(*holder) =>
            {
                Err(Reason::HigherRole)
            }
            Target::Mailbox { state, .. }
                if action.decides_on_incoming() && !self.role.is_administrative() && !state.may_log_in() =>
            {
                Err(Reason::Mailbox(*state))
            }
            _ => Ok(()),
        }
    }

    /// Does the table let this grant do it at all?
    pub(super) fn has(&self, action: Action) -> Result<(), Reason> {
        match action.cell(self.role) {
            Cell::No => Err(Reason::Role),
            Cell::Yes => Ok(()),
            Cell::With(right) if self.rights.contains(right) => Ok(()),
            Cell::With(right) => Err(Reason::Right(right)),
        }
    }
}
