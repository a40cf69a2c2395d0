//! Log-in back-off per address: a guesser waits, an office behind one address does not.
//!
//! In memory only: a restart forgets, and the database is never written to by strangers.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Failures within [`WINDOW`] after which further attempts are refused unheard.
const FAILURES_MAX: u32 = 30;
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Addresses remembered; beyond, the stale ones are forgotten, then all.
const ADDRESSES_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    count: u32,
}

impl Throttle {
    pub(crate) fn allows(&self, remote: IpAddr, now: Timestamp) -> bool {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(&source(remote))
            .is_none_or(|f| f.count < FAILURES_MAX || now.duration_since(f.since) > WINDOW)
    }

    pub(crate) fn failed(&self, remote: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES_MAX {
            failures.retain(|_, f| now.duration_since(f.since) <= WINDOW);
        }
        if failures.len() >= ADDRESSES_MAX {
            failures.clear();
        }
        let entry = failures.entry(source(remote)).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(entry.since) > WINDOW {
            *entry = Failures { since: now, count: 0 };
        }
        entry.count += 1;
    }
}

/// One household or office has a whole IPv6 /64.
fn source(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_after_many_failures_and_forgives_after_the_window() {
        let throttle = Throttle::default();
        let (guesser, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8:1::1".parse().unwrap());
        let start = Timestamp::UNIX_EPOCH;
        for _ in 0..FAILURES_MAX {
            assert!(throttle.allows(guesser, start));
            throttle.failed("2001:db8::2".parse().unwrap(), start);
        }
        assert!(!throttle.allows(guesser, start));
        assert!(throttle.allows(other, start));
        assert!(throttle.allows(guesser, start + WINDOW + SignedDuration::from_secs(1)));
    }
}
