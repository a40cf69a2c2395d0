//! Tells sessions of this node that something in a mailbox may have changed, and that their rights have ended.
//!
//! Invariants: of a change nothing is said but "look again"; of rights, that the security epoch is a later one than the
//! session logged in under, which never comes back.

use crate::{Engine, Error, Principal};
use model::AccountId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::{Heard, Pulse};
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<HashMap<AccountId, Watched>>);

#[derive(Debug)]
struct Watched {
    sender: watch::Sender<()>,
    /// The highest security epoch this node knows of.
    epoch: watch::Sender<i64>,
    /// The mailbox's modseq as the poll last saw it.
    polled: Option<i64>,
}

/// Tells its holder that the session's rights have ended: locked, deleted, another password.
#[derive(Clone, Debug)]
pub struct RightsWatch {
    known: watch::Receiver<i64>,
    ours: i64,
}

impl RightsWatch {
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.known.borrow() > self.ours
    }

    /// Returns once the rights have ended. Dropping the future loses nothing.
    pub async fn ended(&mut self) {
        let ours = self.ours;
        if self.known.wait_for(|known| *known > ours).await.is_err() {
            // The hub keeps the other end for as long as somebody watches.
            std::future::pending::<()>().await;
        }
    }
}

/// Wakes its holder after each change.
#[derive(Debug)]
pub struct Watch {
    mailbox: watch::Receiver<()>,
    /// Of the one who acts, where the mailbox is another's: his rights may end as well.
    own: Option<watch::Receiver<()>>,
}

impl Watch {
    /// Returns at once if something happened since the last time; otherwise when it does. May wake for nothing.
    pub async fn changed(&mut self) {
        let own = async {
            match &mut self.own {
                Some(own) => own.changed().await,
                None => std::future::pending().await,
            }
        };
        let changed = tokio::select! {
            changed = self.mailbox.changed() => changed,
            changed = own => changed,
        };
        if changed.is_err() {
            // The hub keeps the other end for as long as it lives; without it nothing will ever change.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl Watch {
    pub(crate) fn has_changed(&self) -> bool {
        self.mailbox.has_changed().unwrap_or(false)
    }
}

impl Engine {
    /// Wakes when anything in the principal's mailbox may have changed; call [`Engine::view`] then.
    #[must_use]
    pub fn watch(&self, who: &Principal) -> Watch {
        let own = who.delegated().map(|_| self.0.hub.watch(who.own().account()));
        Watch { mailbox: self.0.hub.watch(who.account()), own }
    }

    /// For a door to end a session by itself, whatever it is doing. Nothing is missed from the log-in on, but that of other
    /// nodes may be heard seconds later when their word was lost.
    #[must_use]
    pub fn watch_rights(&self, who: &Principal) -> RightsWatch {
        self.0.hub.watch_rights(who)
    }

    /// Ends the sessions of mailboxes whose security epoch was raised, here and on all other nodes. To be called behind the
    /// commit; a node that does not hear of it finds out by itself within seconds.
    pub(crate) async fn rights_changed(&self, accounts: &[AccountId]) {
        if accounts.is_empty() {
            return;
        }
        if let Err(error) = self.look_at_rights(accounts).await {
            tracing::warn!(%error, "sessions could not be ended at once; they end at the next look");
        }
        if let Err(error) = self.0.store.tell_rights(accounts).await {
            tracing::warn!(%error, "the other nodes were not told that rights have changed");
        }
    }

    /// What another node said; of automatic forwarding and of rules, too, which lie in memory. Sessions end first, and whichever of it fails
    /// keeps nothing else from being done.
    pub(crate) async fn heard_of_rights(&self, heard: Heard) -> Result<(), Error> {
        let looked = match heard {
            Heard::Accounts(accounts) => {
                let looked = self.look_at_rights(&accounts).await;
                // Of a delegation no epoch tells.
                accounts.iter().for_each(|account| self.0.hub.tell(*account));
                looked
            }
            Heard::Gap => self.look_at_rights(&self.0.hub.accounts()).await,
        };
        let renewed = self.renew_forwards().await;
        let sifting = self.renew_sieves().await;
        looked.and(renewed.map(drop)).and(sifting.map(drop))
    }

    async fn look_at_rights(&self, accounts: &[AccountId]) -> Result<(), Error> {
        let watched = self.0.hub.of_those_watched(accounts);
        if !watched.is_empty() {
            let pulses = self.0.store.pulses(&watched).await?;
            self.0.hub.epochs(&pulses);
        }
        Ok(())
    }
}

impl Hub {
    fn watch(&self, account: AccountId) -> watch::Receiver<()> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(account).or_default().sender.subscribe()
    }

    fn watch_rights(&self, who: &Principal) -> RightsWatch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = watched.entry(who.account()).or_default().epoch.subscribe();
        RightsWatch { known, ours: who.security_epoch() }
    }

    fn of_those_watched(&self, accounts: &[AccountId]) -> Vec<AccountId> {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.iter().copied().filter(|account| watched.contains_key(account)).collect()
    }

    /// Ends the sessions that logged in under earlier epochs, and wakes them.
    fn epochs(&self, pulses: &[Pulse]) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for pulse in pulses {
            let Some(entry) = watched.get(&pulse.account) else { continue };
            if entry.learn(pulse.security_epoch) {
                entry.sender.send_replace(());
            }
        }
    }

    /// Mailboxes that somebody watches, and a few that somebody did until lately.
    pub(crate) fn watched(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn tell(&self, account: AccountId) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = watched.get(&account) {
            entry.sender.send_replace(());
        }
    }

    /// The mailboxes somebody watches; those nobody does are forgotten.
    pub(crate) fn accounts(&self) -> Vec<AccountId> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, entry| entry.sender.receiver_count() + entry.epoch.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    /// Tells of mailboxes whose modseq is not the one polled before: another process changed them. The first poll tells
    /// too, since nobody knows what its watchers have seen; so does a mailbox that is gone, so that its sessions end.
    pub(crate) fn polled(&self, asked: &[AccountId], pulses: &[Pulse]) {
        let now: HashMap<AccountId, Pulse> = pulses.iter().map(|pulse| (pulse.account, *pulse)).collect();
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for account in asked {
            let Some(entry) = watched.get_mut(account) else { continue };
            let pulse = now.get(account);
            let modseq = pulse.and_then(|pulse| pulse.modseq).unwrap_or(-1);
            let ended = pulse.is_some_and(|pulse| entry.learn(pulse.security_epoch));
            if entry.polled.replace(modseq) != Some(modseq) || modseq == -1 || ended {
                entry.sender.send_replace(());
            }
        }
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self { sender: watch::Sender::new(()), epoch: watch::Sender::new(i64::MIN), polled: None }
    }
}

impl Watched {
    /// True when it is a later one than was known.
    fn learn(&self, epoch: i64) -> bool {
        self.epoch.send_if_modified(|known| {
            let is_later = epoch > *known;
            *known = epoch.max(*known);
            is_later
        })
    }
}
