//! Log-in back-off: a guesser waits, an office behind one address does not.
//!
//! Counted per source and login, with a low limit, and per source, with one that a whole office does not reach. An
//! attempt counts from its beginning and is taken back when the password was right, so that attempts made at once, or
//! hung up on, are no way round the limit. In memory only: a restart forgets, and the database is never written to by
//! strangers.

use jiff::{SignedDuration, Timestamp};
use model::Address;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures within [`WINDOW`] after which one login is refused unheard to one source: more than a person, or a client
/// with an old password, makes.
const FAILURES_PER_LOGIN_MAX: u32 = 30;
/// The same for all logins of one source: an office of a thousand may have a clumsy morning, a dictionary is longer.
const FAILURES_PER_SOURCE_MAX: u32 = 1_000;
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Keys remembered of each kind; beyond, the stale ones are forgotten, then all.
const KEYS_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_source: Window<IpAddr>,
    by_login: Window<LoginKey>,
}

/// A source, and a hash of the login, which may be long.
type LoginKey = (IpAddr, [u8; 32]);

#[derive(Debug)]
struct Window<K>(HashMap<K, Failures>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    count: u32,
}

/// A log-in that was let try, and counts as failed until it is taken back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt(LoginKey);

impl Throttle {
    /// `None`: refused unheard.
    pub(crate) fn begin(&self, remote: IpAddr, login: &str, now: Timestamp) -> Option<Attempt> {
        let source = source(remote);
        let login = login.parse::<Address>().map_or_else(|_| login.to_owned(), |address| address.to_string());
        let key = (source, *blake3::hash(login.as_bytes()).as_bytes());
        let mut counts = self.counts();
        let allowed = counts.by_source.count(&source, now) < FAILURES_PER_SOURCE_MAX
            && counts.by_login.count(&key, now) < FAILURES_PER_LOGIN_MAX;
        if !allowed {
            return None;
        }
        counts.by_source.add(source, now);
        counts.by_login.add(key, now);
        Some(Attempt(key))
    }

    /// It was no guess.
    pub(crate) fn take_back(&self, attempt: &Attempt) {
        let mut counts = self.counts();
        counts.by_source.subtract(&attempt.0.0);
        counts.by_login.subtract(&attempt.0);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Window<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Window<K> {
    fn count(&self, key: &K, now: Timestamp) -> u32 {
        self.0.get(key).filter(|failures| failures.is_fresh(now)).map_or(0, |failures| failures.count)
    }

    fn add(&mut self, key: K, now: Timestamp) {
        if self.0.len() >= KEYS_MAX {
            self.0.retain(|_, failures| failures.is_fresh(now));
        }
        if self.0.len() >= KEYS_MAX {
            self.0.clear();
        }
        let failures = self.0.entry(key).or_insert(Failures { since: now, count: 0 });
        if !failures.is_fresh(now) {
            *failures = Failures { since: now, count: 0 };
        }
        failures.count += 1;
    }

    fn subtract(&mut self, key: &K) {
        if let Some(failures) = self.0.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
            if failures.count == 0 {
                self.0.remove(key);
            }
        }
    }
}

impl Failures {
    /// Either way: a clock that was put back must not refuse for longer than it would have.
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.since).abs() <= WINDOW
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

    const LOGIN: &str = "an@demo.gov.vn";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn refuses_after_many_failures_and_forgives_after_the_window() {
        let throttle = Throttle::default();
        let guesser = ip("2001:db8::1");
        let start: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        for _ in 0..FAILURES_PER_LOGIN_MAX {
            assert!(throttle.begin(ip("2001:db8::2"), "AN@demo.gov.vn", start).is_some());
        }
        assert!(throttle.begin(guesser, LOGIN, start).is_none());
        assert!(throttle.begin(guesser, "binh@demo.gov.vn", start).is_some(), "an office has many logins");
        assert!(throttle.begin(ip("2001:db8:1::1"), LOGIN, start).is_some());
        assert!(throttle.begin(guesser, LOGIN, start - SignedDuration::from_hours(1)).is_some());
        let throttle = Throttle::default();
        for _ in 0..FAILURES_PER_LOGIN_MAX {
            assert!(throttle.begin(guesser, LOGIN, start).is_some());
        }
        assert!(throttle.begin(guesser, LOGIN, start + WINDOW).is_none());
        let after = start + WINDOW + SignedDuration::from_secs(1);
        assert!(throttle.begin(guesser, LOGIN, after).is_some());
    }

    #[test]
    fn a_source_that_tries_many_logins_is_refused_too() {
        let throttle = Throttle::default();
        let (guesser, start) = (ip("192.0.2.1"), Timestamp::UNIX_EPOCH);
        for n in 0..FAILURES_PER_SOURCE_MAX {
            assert!(throttle.begin(guesser, &format!("{n}@demo.gov.vn"), start).is_some());
        }
        assert!(throttle.begin(guesser, LOGIN, start).is_none());
    }

    #[test]
    fn what_is_under_way_counts_and_what_was_right_does_not() {
        let throttle = Throttle::default();
        let (user, now) = (ip("192.0.2.1"), Timestamp::UNIX_EPOCH);
        for _ in 0..FAILURES_PER_SOURCE_MAX {
            let attempt = throttle.begin(user, LOGIN, now).unwrap();
            throttle.take_back(&attempt);
        }
        let under_way: Vec<_> =
            (0..FAILURES_PER_LOGIN_MAX).map(|_| throttle.begin(user, LOGIN, now).unwrap()).collect();
        assert!(throttle.begin(user, LOGIN, now).is_none());
        under_way.iter().for_each(|attempt| throttle.take_back(attempt));
        assert!(throttle.begin(user, LOGIN, now).is_some());
        assert!(throttle.counts().by_login.0.len() == 1 && throttle.counts().by_source.0.len() == 1);
    }
}
