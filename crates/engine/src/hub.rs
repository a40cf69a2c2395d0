//! Tells sessions of this node that something in a mailbox may have changed. Nothing is said but "look again".

use crate::{Engine, Principal};
use model::AccountId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<HashMap<AccountId, Watched>>);

#[derive(Debug)]
struct Watched {
    sender: watch::Sender<()>,
    /// The mailbox's modseq as the poll last saw it.
    polled: Option<i64>,
}

/// Wakes its holder after each change.
#[derive(Debug)]
pub struct Watch(watch::Receiver<()>);

impl Watch {
    /// Returns at once if something happened since the last time; otherwise when it does. May wake for nothing.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The hub keeps the other end for as long as it lives; without it nothing will ever change.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
impl Watch {
    pub(crate) fn has_changed(&self) -> bool {
        self.0.has_changed().unwrap_or(false)
    }
}

impl Engine {
    /// Wakes when anything in the principal's mailbox may have changed; call [`Engine::view`] then.
    #[must_use]
    pub fn watch(&self, who: &Principal) -> Watch {
        self.0.hub.watch(who.account())
    }
}

impl Hub {
    fn watch(&self, account: AccountId) -> Watch {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = watched
            .entry(account)
            .or_insert_with(|| Watched { sender: watch::Sender::new(()), polled: None });
        Watch(entry.sender.subscribe())
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
        watched.retain(|_, entry| entry.sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    /// Tells of mailboxes whose modseq is not the one polled before: another process changed them. The first poll tells
    /// too, since nobody knows what its watchers have seen; so does a mailbox that is gone, so that its sessions end.
    pub(crate) fn polled(&self, asked: &[AccountId], modseqs: &[(AccountId, i64)]) {
        let now: HashMap<AccountId, i64> = modseqs.iter().copied().collect();
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for account in asked {
            let Some(entry) = watched.get_mut(account) else { continue };
            let modseq = now.get(account).copied().unwrap_or(-1);
            if entry.polled.replace(modseq) != Some(modseq) || modseq == -1 {
                entry.sender.send_replace(());
            }
        }
    }
}
