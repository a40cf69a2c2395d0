//! A mailbox that spreads spam or malware, or that somebody else has (An Giang 63/2016 Điều 8.1c, 8.1d): locked by the system
//! where nobody can wait for an administrator.
//!
//! Invariants: as any lock it is one transaction with its audit row; in it, what the mailbox has in the queue and for later is kept
//! back until an administrator lets it go, whatever becomes of the lock, as whoever gets his mailbox back did not write it; its
//! counts begin anew when he gets it, so that he can send; the centre hears of it beside the owner and the officers.

use super::Act;
use crate::{Actor, AdminError, Arrival, Engine, Error};
use model::lifecycle::{self, Event, Life, LockReason};
use model::{AccountId, Address, DomainId, DomainName};
use serde_json::{Value, json};
use store::LifeRow;

/// Is it a lock of one whose mail is not to go on?
pub(super) fn is_of_spreading(event: &Event) -> bool {
    matches!(event, Event::Lock(reason) if reason.stops_mail())
}

impl Engine {
    /// `evidence`: what was seen, in numbers; `job` names in the audit trail what saw it.
    ///
    /// # Errors
    /// `NoSuchMailbox`, or `Life` when it is not in use (any more).
    pub(crate) async fn lock_as_system(
        &self,
        job: &str,
        address: &Address,
        reason: LockReason,
        evidence: Value,
    ) -> Result<(), AdminError> {
        let row = self.existing(address).await?;
        let detail = json!({ "reason": reason, "evidence": evidence });
        let events = [Event::Lock(reason)];
        let act = Act::new("mailbox.lock", &events, detail);
        self.change_life_of(&row, &Actor::system(job), lifecycle::Actor::System, act).await.map(drop)
    }

    /// Keeps back what the lock passed over, as somebody else had it in hand. The lock stands, whether or not this succeeds.
    pub(super) async fn hold_rest_of(&self, account: AccountId) {
        match self.0.store.hold_rest_of(account, self.now()).await {
            Ok(0) => {}
            Ok(kept) => tracing::info!(%account, kept, "more mail of a locked mailbox is kept back"),
            Err(error) => {
                tracing::error!(%error, %account, "some mail of a locked mailbox may still go");
            }
        }
    }

    /// Was its sender locked for what he sends while a message was on its way? Then this is kept back with the rest: either the lock
    /// finds what was committed before it, or whoever commits finds the lock.
    pub(crate) async fn keep_back_if_spreading(&self, arrival: &Arrival) {
        let Some(who) = &arrival.principal else { return };
        let account = who.own().account();
        match self.0.store.life(who.own().address()).await {
            Ok(Some(LifeRow { life: Life::Locked { reason, .. }, .. })) if reason.stops_mail() => {
                self.hold_rest_of(account).await;
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, %account, "whether a mailbox is locked could not be seen"),
        }
    }

    /// Everybody who hears of what this mailbox does: its owner, who looks after its unit, the centre.
    pub(crate) async fn told_of(&self, row: &LifeRow) -> Result<Vec<AccountId>, Error> {
        let mut telling = self.telling(std::iter::once(row)).await?;
        telling.add_centre(self.centre(row.domain, row.address.domain()).await?);
        Ok(std::iter::once(row.account).chain(telling.officers(row)).collect())
    }

    pub(crate) async fn centre(&self, domain: DomainId, name: &DomainName) -> Result<Vec<AccountId>, Error> {
        let policy = self.policy_of(domain).await?;
        let suspicious = Address::new(&policy.contact.spam, name.as_str()).ok();
        Ok(self.0.store.centre(domain, suspicious.as_ref(), self.now()).await?)
    }
}
