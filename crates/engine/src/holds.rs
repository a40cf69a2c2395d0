//! Placing a legal hold (lưu giữ theo yêu cầu pháp luật) and letting it go.
//!
//! Invariants: what is held stays, whatever a policy, a job or an administrator says; letting go takes two people.

use crate::admin::{check_name, check_reason};
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::Timestamp;
use model::{Action, Address, Reason};
use serde_json::json;
use store::{HoldRow, NewHold};

/// What is to be held.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// The mailbox may not be deleted.
    Mailbox(&'a Address),
    /// Events of a mailbox, or of all, between two moments outlive their months.
    Events(Option<&'a Address>, Timestamp, Timestamp),
}

/// What became of letting go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It was asked for; somebody else has to agree.
    Asked,
    Released,
}

impl Engine {
    /// Holds something from now on; says the hold's number.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`, `BadName` (the reason), `BadPeriod`.
    pub async fn place_hold(&self, actor: &Actor, held: Held<'_>, reason: &str) -> Result<i64, AdminError> {
        check_name(reason)?;
        let (address, period) = match held {
            Held::Mailbox(address) => (Some(address), None),
            Held::Events(address, from, to) => (address, Some((from, to))),
        };
        if period.is_some_and(|(from, to)| to <= from) {
            return Err(AdminError::BadPeriod);
        }
        let account = match address {
            Some(address) => {
                self.authorize(actor, Action::HoldPlace, &AdminTarget::Address(address)).await?;
                Some(self.known_mailbox(address).await?)
            }
            // Of everybody: whoever may hold every mailbox.
            None if actor.reach(Action::HoldPlace).everything => None,
            None => return Err(AdminError::Denied(Reason::Role)),
        };
        let mut tx = self.0.store.begin().await?;
        if let (Some(account), Some(address)) = (account, address) {
            // Locked, so that it is not deleted meanwhile.
            let there = tx.lock_mailbox(account).await?;
            there.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        }
        let new = NewHold { account, period, reason, placed_by: actor.name() };
        let id = tx.insert_hold(&new, self.now()).await?;
        let target = address.map_or_else(|| "*".to_owned(), ToString::to_string);
        let detail = json!({ "hold": id, "reason": reason, "from": period.map(|(from, _)| from),
                             "to": period.map(|(_, to)| to) });
        self.audit(&mut tx, actor, Action::HoldPlace.as_str(), &target, &detail).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Asks for the end of a hold, or agrees when somebody else has asked; `reason` is for the audit trail.
    ///
    /// # Errors
    /// `NoSuchHold`, `Denied`, `BadReason`, `SecondPerson` when it was the same who asked.
    pub async fn release_hold(
        &self,
        actor: &Actor,
        id: i64,
        reason: Option<&str>,
    ) -> Result<Release, AdminError> {
        reason.map_or(Ok(()), check_reason)?;
        let reach = actor.reach(Action::HoldRelease);
        if !reach.everything {
            return Err(AdminError::Denied(Reason::Role));
        }
        let mut tx = self.0.store.begin().await?;
        let hold = tx.hold_in_force(id).await?.ok_or(AdminError::NoSuchHold(id))?;
        let agreed = hold.asked.is_some();
        if hold.asked.is_some_and(|(asker, _)| asker == actor.name()) {
            return Err(AdminError::SecondPerson);
        }
        tx.release_hold(id, actor.name(), agreed, self.now()).await?;
        let target = hold.address.unwrap_or_else(|| "*".to_owned());
        let detail = json!({ "hold": id, "agreed": agreed, "reason": reason });
        self.audit(&mut tx, actor, Action::HoldRelease.as_str(), &target, &detail).await?;
        tx.commit().await?;
        Ok(if agreed { Release::Released } else { Release::Asked })
    }

    /// Holds by number from behind `after` on; with `all` those that have ended too. Nothing for who may place none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(
        &self,
        actor: &Actor,
        all: bool,
        after: i64,
        limit: u32,
    ) -> Result<Vec<HoldRow>, AdminError> {
        if !actor.reach(Action::HoldPlace).everything {
            return Ok(Vec::new());
        }
        Ok(self.0.store.holds(all, after, limit).await?)
    }

    async fn known_mailbox(&self, address: &Address) -> Result<model::AccountId, AdminError> {
        let login = self.0.store.login(address).await?;
        Ok(login.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?.account)
    }
}
