//! Giving roles (cấp vai trò) and taking them back (LC Đ9.5, TN Đ18.2, ST Đ13.3; cán bộ đầu mối: AG Đ10.2b).
//!
//! Invariants: only a system administrator gives any role but an officer's, so nobody makes himself more than he is; a role
//! holds from the next request on and ends by itself at its `until`.

use super::{Actor, AdminTarget, Found};
use crate::admin::check_name;
use crate::{AdminError, Engine, Error};
use jiff::Timestamp;
use model::{Action, Address, Grant, Reason, Role, Scope, UnitId};
use serde_json::json;
use store::{NewRole, RoleRow};

/// A role over a scope, for somebody.
#[derive(Clone, Copy, Debug)]
pub struct RoleOver<'a> {
    pub holder: &'a Address,
    pub role: Role,
    pub over: AdminTarget<'a>,
}

impl Engine {
    /// Gives a role from now on, until `until` at most. `reason`: the decision it rests on (số văn bản), 1 to 200 characters.
    ///
    /// # Errors
    /// `RoleHeld`, `NoSuchMailbox` and its like, `Denied`, `BadName` (the reason), `RoleScope`, `PastUntil`.
    pub async fn grant_role(
        &self,
        actor: &Actor,
        new: &RoleOver<'_>,
        until: Option<Timestamp>,
        reason: &str,
    ) -> Result<(), AdminError> {
        check_name(reason)?;
        if until.is_some_and(|until| until <= self.now()) {
            return Err(AdminError::PastUntil);
        }
        let action = if is_officer(new) { Action::OfficerAppoint } else { Action::RoleGrant };
        let (account, grant) = self.authorize_role(actor, action, new).await?;
        let mut tx = self.0.store.begin().await?;
        let row = NewRole { account, grant, reason, given_by: actor.name(), until };
        tx.insert_grant(&row, self.now()).await.map_err(|error| {
            if error.is_constraint("grants_once") {
                return AdminError::RoleHeld(new.holder.clone());
            }
            error.into()
        })?;
        let detail = json!({ "role": new.role, "over": new.over.to_string(), "reason": reason,
                             "until": until.map(|until| until.to_string()) });
        self.audit(&mut tx, actor, action.as_str(), &new.holder.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Takes a role away. False when he does not have it.
    ///
    /// # Errors
    /// As [`Engine::grant_role`].
    pub async fn revoke_role(&self, actor: &Actor, old: &RoleOver<'_>) -> Result<bool, AdminError> {
        let action = if is_officer(old) { Action::OfficerDismiss } else { Action::RoleRevoke };
        let (account, grant) = self.authorize_role(actor, action, old).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.revoke_grant(account, grant, actor.name(), self.now()).await? {
            return Ok(false);
        }
        let detail = json!({ "role": old.role, "over": old.over.to_string() });
        self.audit(&mut tx, actor, action.as_str(), &old.holder.to_string(), &detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Roles he may see, by number from behind `after` on; with `all` those that have ended too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roles(
        &self,
        actor: &Actor,
        all: bool,
        after: i64,
        limit: u32,
    ) -> Result<Vec<RoleRow>, Error> {
        let reach = actor.reach(Action::RoleShow);
        Ok(self.0.store.grants(&reach, all, self.now(), after, limit).await?)
    }

    async fn authorize_role(
        &self,
        actor: &Actor,
        action: Action,
        role: &RoleOver<'_>,
    ) -> Result<(model::AccountId, Grant), AdminError> {
        // Whoever may give every role may give it over anything there is.
        let asked = if is_officer(role) { role.over } else { AdminTarget::System };
        self.authorize(actor, action, &asked).await.map_err(|refused| match refused {
            AdminError::Denied(Reason::Target) => AdminError::RoleScope,
            refused => refused,
        })?;
        let holder = AdminTarget::Address(role.holder);
        self.authorize(actor, Action::MailboxShow, &holder).await?;
        let Found::Mailbox(place) = self.find_target(&holder).await? else { return Err(holder.missing()) };
        let scope = match self.find_target(&role.over).await? {
            Found::System => Scope::System,
            Found::Domain(domain) => Scope::Domain(domain),
            Found::Unit(domain, path) => Scope::Subtree { domain, unit: last(&path)? },
            Found::Mailbox(place) => Scope::Mailbox(place.account),
            Found::Missing => return Err(role.over.missing()),
        };
        let is_administrative = role.role.is_administrative();
        let grant = Grant::new(role.role, scope).ok().filter(|_| is_administrative);
        Ok((place.account, grant.ok_or(AdminError::RoleScope)?))
    }
}

fn is_officer(role: &RoleOver<'_>) -> bool {
    role.role == Role::OrganisationOfficer
}

fn last(path: &[UnitId]) -> Result<UnitId, AdminError> {
    path.last().copied().ok_or(AdminError::Denied(Reason::NotFound))
}
