//! How many recipients each address was refused lately, over all its connections: whoever tries out names and connects
//! anew for every twenty of them is to be as slow as one who stays.
//!
//! Invariant: bounded. The table keeps at most [`ADDRESSES_MAX`] addresses; beyond, unknown ones are not kept, and each
//! of their connections still has its own limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Addresses kept: at some 50 bytes, half a megabyte.
const ADDRESSES_MAX: usize = 10_000;
/// One refusal is forgotten in this time: 360 an hour stay unnoticed, more than any list that is kept clean.
const FORGOTTEN_IN: Duration = Duration::from_secs(10);
/// Refusals not yet forgotten from which on an address is slowed down: five connections' worth of those that are free.
const MANY: u32 = 100;

/// When everything refused to an address will be forgotten.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<IpAddr, Instant>>);

impl Refusals {
    /// A recipient was refused to this address; true when there were many.
    pub(crate) fn note(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= ADDRESSES_MAX && !until.contains_key(&address) {
            until.retain(|_, until| *until > now);
            if until.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        let forgotten = until.entry(address).or_insert(now);
        // Never more than just over the limit: who stops is as before a while later.
        let most = now + FORGOTTEN_IN * (MANY + 1);
        *forgotten = ((*forgotten).max(now) + FORGOTTEN_IN).min(most);
        *forgotten > now + FORGOTTEN_IN * MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_are_noticed_and_forgotten() {
        let refusals = Refusals::default();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let noticed = (0..150).filter(|_| refusals.note(one)).count();
        assert_eq!(noticed, 50);
        assert!(!refusals.note(other));
        tokio::time::advance(FORGOTTEN_IN * 2).await;
        assert!(!refusals.note(one), "two were forgotten");
        assert!(refusals.note(one) && refusals.note(one));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded() {
        let refusals = Refusals::default();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..30_000 {
            refusals.note(address(n));
        }
        assert_eq!(refusals.0.lock().unwrap().len(), ADDRESSES_MAX);
        tokio::time::advance(FORGOTTEN_IN * 2).await;
        refusals.note(address(40_000));
        assert_eq!(refusals.0.lock().unwrap().len(), 1);
    }
}
