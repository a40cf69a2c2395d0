//! An administrator's word that a mailbox may go, or goes at once (An Giang 63/2016 Điều 8.3).
//!
//! Invariant: what keeps a mailbox from being deleted is asked under its lock; that one goes without an archive is said and audited.

use super::{Act, role_of};
use crate::admin::check_reason;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine};
use model::lifecycle::{DeletionCause, Event};
use model::{AccountState, Action, Address};
use serde_json::{Value, json};

impl Engine {
    /// The administrator's word that a listed mailbox may go (Điều 8.3); the nightly job deletes it. `without_export`: why no archive is
    /// wanted of it, where the policy asks for one.
    ///
    /// # Errors
    /// As [`Engine::lock`]; `NotExported`.
    pub async fn confirm_deletion(
        &self,
        actor: &Actor,
        address: &Address,
        without_export: Option<&str>,
    ) -> Result<(), AdminError> {
        without_export.map_or(Ok(()), check_reason)?;
        self.authorize(actor, Action::MailboxDelete, &AdminTarget::Address(address)).await?;
        let detail = without_export.map_or_else(|| json!({}), |reason| json!({ "without_export": reason }));
        let mut act = Act::new("mailbox.confirm-deletion", &[Event::ConfirmDeletion], detail);
        act.without_export = without_export.is_some();
        self.change_life(actor, role_of(actor), address, act).await.map(drop)
    }

    /// Thu hồi và xóa at once: the mail is gone, its sessions end, its addresses are never given to anybody else. False when
    /// there is no such mailbox.
    ///
    /// # Errors
    /// `Life` when it is held, being handed over, or the organisation has asked for it; `NotExported`; `BadReason`; nothing is done
    /// then.
    pub async fn delete_mailbox(
        &self,
        actor: &Actor,
        address: &Address,
        reason: &str,
    ) -> Result<bool, AdminError> {
        self.delete_now(actor, address, json!({ "reason": reason }), (reason, false)).await
    }

    /// The same for one of which no archive is wanted, whatever the policy asks for: the reason says why.
    ///
    /// # Errors
    /// As [`Engine::delete_mailbox`], but for the archive.
    pub async fn delete_without_export(
        &self,
        actor: &Actor,
        address: &Address,
        reason: &str,
    ) -> Result<bool, AdminError> {
        let detail = json!({ "reason": reason, "without_export": reason });
        self.delete_now(actor, address, detail, (reason, true)).await
    }

    async fn delete_now(
        &self,
        actor: &Actor,
        address: &Address,
        detail: Value,
        (reason, without_export): (&str, bool),
    ) -> Result<bool, AdminError> {
        check_reason(reason)?;
        let allowed = self.authorize(actor, Action::MailboxDelete, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(false) };
        let Some(row) = self.0.store.life(address).await? else { return Ok(false) };
        let listed = row.life.state() == AccountState::ToBeDeleted;
        let all = [Event::List(DeletionCause::Revoked), Event::ConfirmDeletion, Event::Delete];
        let events = if listed { all.get(1..).unwrap_or_default() } else { &all };
        let act = Act { without_export, ..Act::new("mailbox.delete", events, detail) };
        match self.change_life(actor, role_of(actor), address, act).await {
            Err(AdminError::NoSuchMailbox(_)) => Ok(false),
            done => done.map(|_| true),
        }
    }
}
