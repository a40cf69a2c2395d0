//! Log-in back-off: a guesser waits, an office behind one address does not, and nobody is locked out by another.
//!
//! Counted are failures per source and login, with a low limit; per source, with one that a whole office does not reach; and both once
//! more per IPv6 /48, as whoever rents one has 65,536 sources. An attempt counts from its beginning and is taken back when the
//! password was right, so that attempts made at once, or hung up on, are no way round a limit. The same wrong password again counts
//! for its source alone: a telephone that goes on with the old one guesses nothing, and must not keep its owner out at his desk.
//!
//! Invariants: never per login alone, so that who knows an address locks nobody out; who has come in from a source is not refused there
//! for what others do; in memory only and bounded: a restart forgets, the database is never written to by strangers, and what a crowd
//! makes us forget is what counts least.

use jiff::{SignedDuration, Timestamp};
use model::Address;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures within [`WINDOW`] after which one login is refused unheard to one source: more than a person, or a client
/// with an old password, makes.
const FAILURES_PER_LOGIN_MAX: u32 = 30;
/// The same for all logins of one source: an office of a thousand may have a clumsy morning, a dictionary is longer.
const FAILURES_PER_SOURCE_MAX: u32 = 1_000;
/// The same for one login, of all sources of an IPv6 /48.
const FAILURES_PER_LOGIN_AND_SITE_MAX: u32 = 300;
/// The same for all logins of all sources of an IPv6 /48.
const FAILURES_PER_SITE_MAX: u32 = 10_000;
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Counts kept; beyond, the stale ones are forgotten, then the lowest. Some 12 MB.
const COUNTS_MAX: usize = 200_000;
/// Who came in from where is known for so long since the last time.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Of those; beyond, the older half is forgotten. Some 6 MB.
const KNOWN_MAX: usize = 100_000;
/// Failures of his own from which on who is known is as anybody.
const KNOWN_FAILURES_MAX: u32 = 5;

#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    failures: HashMap<Key, Failures>,
    known: HashMap<Key, Timestamp>,
}

/// A hash of whatever is counted together: logins may be long.
type Key = [u8; 16];

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Timestamp,
    count: u32,
    /// That the limit is reached was told.
    told: bool,
    /// Of the last wrong password, where it is of one login.
    mark: Option<Mark>,
}

/// A keyed hash of a password, for no more than to find it again.
pub(crate) type Mark = [u8; 8];

/// What is counted of one attempt, and how often within the window.
#[derive(Clone, Copy, Debug)]
struct Limit {
    key: Key,
    max: u32,
    is_of_login: bool,
    /// Others' failures count, too.
    is_shared: bool,
}

/// A log-in that was let try, and counts as failed until it is taken back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt {
    limits: Vec<Limit>,
    at: Timestamp,
}

/// A log-in that is refused unheard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// It is the first one for that reason: whoever is told of it is told once in a window, after as many that were heard.
    pub(crate) is_first: bool,
}

impl Throttle {
    /// May it be tried?
    pub(crate) fn begin(&self, remote: IpAddr, login: &str, now: Timestamp) -> Result<Attempt, TooMany> {
        let limits = limits(remote, login);
        let mut memory = self.memory();
        let is_known = limits.first().is_some_and(|own| {
            memory.knows(&own.key, now) && memory.count(&own.key, now) < KNOWN_FAILURES_MAX
        });
        let mut counted = limits.iter().filter(|limit| !(limit.is_shared && is_known));
        let reached = counted.find(|limit| memory.count(&limit.key, now) >= limit.max);
        if let Some(reached) = reached {
            return Err(TooMany { is_first: memory.tell(&reached.key) });
        }
        for limit in &limits {
            memory.add(limit.key, now);
        }
        Ok(Attempt { limits, at: now })
    }

    /// It was no guess.
    pub(crate) fn take_back(&self, attempt: &Attempt) {
        let mut memory = self.memory();
        for limit in &attempt.limits {
            memory.subtract(&limit.key, attempt.at);
        }
    }

    /// It was a wrong password.
    pub(crate) fn denied(&self, attempt: &Attempt, mark: Mark) {
        let mut memory = self.memory();
        for limit in attempt.limits.iter().filter(|limit| limit.is_of_login) {
            if memory.was_last(&limit.key, mark) {
                memory.subtract(&limit.key, attempt.at);
            }
        }
    }

    /// It was let in.
    pub(crate) fn know(&self, attempt: &Attempt) {
        if let Some(own) = attempt.limits.first() {
            self.memory().know(own.key, attempt.at);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn count(&self, key: &Key, now: Timestamp) -> u32 {
        self.failures.get(key).filter(|failures| failures.is_fresh(now)).map_or(0, |failures| failures.count)
    }

    /// Marks it as told; true the first time.
    fn tell(&mut self, key: &Key) -> bool {
        self.failures.get_mut(key).is_some_and(|failures| !std::mem::replace(&mut failures.told, true))
    }

    /// Remembers a wrong password; true where it was the last one, too.
    fn was_last(&mut self, key: &Key, mark: Mark) -> bool {
        self.failures.get_mut(key).is_some_and(|failures| failures.mark.replace(mark) == Some(mark))
    }

    fn add(&mut self, key: Key, now: Timestamp) {
        if self.failures.len() >= COUNTS_MAX && !self.failures.contains_key(&key) {
            self.make_room(now);
        }
        let new = Failures { since: now, count: 0, told: false, mark: None };
        let failures = self.failures.entry(key).or_insert(new);
        if !failures.is_fresh(now) {
            *failures = new;
        }
        failures.count += 1;
    }

    /// A crowd that comes once each must not make us forget who guesses.
    fn make_room(&mut self, now: Timestamp) {
        self.failures.retain(|_, failures| failures.is_fresh(now));
        let mut least = 1;
        while self.failures.len() > COUNTS_MAX / 2 {
            self.failures.retain(|_, failures| failures.count > least);
            least *= 2;
        }
    }

    /// Of an attempt that began at `at`: not from a window that began behind it.
    fn subtract(&mut self, key: &Key, at: Timestamp) {
        let Some(failures) = self.failures.get_mut(key).filter(|failures| failures.since <= at) else {
            return;
        };
        failures.count = failures.count.saturating_sub(1);
        if failures.count == 0 {
            self.failures.remove(key);
        }
    }

    fn knows(&self, key: &Key, now: Timestamp) -> bool {
        self.known.get(key).is_some_and(|at| now.duration_since(*at).abs() <= KNOWN_FOR)
    }

    fn know(&mut self, key: Key, now: Timestamp) {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&key) {
            let mut times: Vec<Timestamp> = self.known.values().copied().collect();
            let (_, middle, _) = times.select_nth_unstable(KNOWN_MAX / 2);
            let middle = *middle;
            self.known.retain(|_, at| *at > middle);
        }
        self.known.insert(key, now);
    }
}

impl Failures {
    /// Either way: a clock that was put back must not refuse for longer than it would have.
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.duration_since(self.since).abs() <= WINDOW
    }
}

/// All that is counted of an attempt; the first is of its source and login alone.
fn limits(remote: IpAddr, login: &str) -> Vec<Limit> {
    let login = login.parse::<Address>().map_or_else(|_| login.to_owned(), |address| address.to_string());
    let limit = |network: IpAddr, bits: u8, login: Option<&str>, max, is_shared| {
        let text =
            login.map_or_else(|| format!("{network}/{bits}"), |login| format!("{network}/{bits} {login}"));
        let key = *blake3::hash(text.as_bytes()).as_bytes().first_chunk().unwrap_or(&[0; 16]);
        Limit { key, max, is_of_login: login.is_some(), is_shared }
    };
    let of = |network, bits, (one, all), is_shared| {
        [limit(network, bits, Some(&login), one, is_shared), limit(network, bits, None, all, true)]
    };
    match remote.to_canonical() {
        IpAddr::V4(four) => {
            of(four.into(), 32, (FAILURES_PER_LOGIN_MAX, FAILURES_PER_SOURCE_MAX), false).to_vec()
        }
        IpAddr::V6(six) => {
            let source = of(cut(six, 64), 64, (FAILURES_PER_LOGIN_MAX, FAILURES_PER_SOURCE_MAX), false);
            let site = of(cut(six, 48), 48, (FAILURES_PER_LOGIN_AND_SITE_MAX, FAILURES_PER_SITE_MAX), true);
            source.into_iter().chain(site).collect()
        }
    }
}

/// One household or office has a whole IPv6 /64, and may have a /48.
fn cut(address: Ipv6Addr, bits: u32) -> IpAddr {
    let rest = 128 - bits;
    IpAddr::V6((u128::from(address) >> rest << rest).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "an@demo.gov.vn";
    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The n-th /64 of a /48, or beyond it.
    fn six(n: u64) -> IpAddr {
        IpAddr::V6(((0x2001_0db8_u128 << 96) | (u128::from(n) << 64) | 1).into())
    }

    fn may(throttle: &Throttle, remote: IpAddr, login: &str, now: Timestamp) -> bool {
        throttle.begin(remote, login, now).is_ok()
    }

    fn fail(throttle: &Throttle, remote: IpAddr, login: &str, times: u32) {
        for n in 0..times {
            assert!(may(throttle, remote, login, START), "{n} of {times}");
        }
    }

    fn let_in(throttle: &Throttle, remote: IpAddr, login: &str, now: Timestamp) {
        let attempt = throttle.begin(remote, login, now).unwrap();
        throttle.take_back(&attempt);
        throttle.know(&attempt);
    }

    #[test]
    fn refuses_after_many_failures_and_forgives_after_the_window() {
        let throttle = Throttle::default();
        let guesser = ip("2001:db8::1");
        for _ in 0..FAILURES_PER_LOGIN_MAX {
            assert!(may(&throttle, ip("2001:db8::2"), "AN@demo.gov.vn", START));
        }
        assert!(!may(&throttle, guesser, LOGIN, START));
        assert!(may(&throttle, guesser, "binh@demo.gov.vn", START), "an office has many logins");
        assert!(may(&throttle, ip("2001:db8:1::1"), LOGIN, START), "and a login is nobody's to lock");
        assert!(may(&throttle, guesser, LOGIN, START - SignedDuration::from_hours(1)));
        let throttle = Throttle::default();
        fail(&throttle, guesser, LOGIN, FAILURES_PER_LOGIN_MAX);
        assert!(!may(&throttle, guesser, LOGIN, START + WINDOW));
        assert!(may(&throttle, guesser, LOGIN, START + WINDOW + SignedDuration::from_secs(1)));
    }

    #[test]
    fn a_source_that_tries_many_logins_is_refused_too() {
        let throttle = Throttle::default();
        let guesser = ip("192.0.2.1");
        for n in 0..FAILURES_PER_SOURCE_MAX {
            assert!(may(&throttle, guesser, &format!("{n}@demo.gov.vn"), START));
        }
        assert!(!may(&throttle, guesser, LOGIN, START) && !may(&throttle, guesser, "", START));
        assert!(!may(&throttle, ip("::ffff:192.0.2.1"), LOGIN, START), "the same source");
        assert!(may(&throttle, ip("192.0.2.2"), LOGIN, START));
    }

    /// Whoever rents an IPv6 /48 has 65,536 sources.
    #[test]
    fn a_site_of_many_sources_is_one_guesser() {
        let throttle = Throttle::default();
        for n in 0..u64::from(FAILURES_PER_LOGIN_AND_SITE_MAX) {
            assert!(may(&throttle, six(n), LOGIN, START), "{n}");
        }
        assert!(!may(&throttle, six(50_000), LOGIN, START));
        assert!(may(&throttle, six(50_000), "binh@demo.gov.vn", START));
        assert!(may(&throttle, six(1 << 16), LOGIN, START), "another site");
        let throttle = Throttle::default();
        for n in 0..u64::from(FAILURES_PER_SITE_MAX) {
            assert!(may(&throttle, six(n % 1_000), &n.to_string(), START), "{n}");
        }
        assert!(!may(&throttle, six(50_000), LOGIN, START));
        assert!(may(&throttle, six(1 << 16), LOGIN, START));
    }

    /// A machine in the office that guesses, or a stranger behind the same carrier's address, locks nobody out who works there.
    #[test]
    fn who_was_let_in_there_is_not_refused_for_others() {
        let throttle = Throttle::default();
        for (office, sources) in [(ip("192.0.2.1"), 1), (six(0), 1_000)] {
            let_in(&throttle, office, LOGIN, START);
            let others = if sources == 1 { FAILURES_PER_SOURCE_MAX } else { FAILURES_PER_SITE_MAX };
            for n in 0..others {
                let remote = if sources == 1 { office } else { six(u64::from(n) % sources) };
                assert!(may(&throttle, remote, &n.to_string(), START), "{n}");
            }
            assert!(!may(&throttle, office, "binh@demo.gov.vn", START));
            let_in(&throttle, office, LOGIN, START);
            let_in(&throttle, office, "An@DEMO.gov.vn", START);
            // But whoever guesses at his password there has few tries.
            fail(&throttle, office, LOGIN, KNOWN_FAILURES_MAX);
            assert!(!may(&throttle, office, LOGIN, START));
        }
        // Of a login that a whole site guesses at.
        let_in(&throttle, six(7 << 16), LOGIN, START);
        for n in 1..=u64::from(FAILURES_PER_LOGIN_AND_SITE_MAX) {
            assert!(may(&throttle, six((7 << 16) + n), LOGIN, START), "{n}");
        }
        assert!(!may(&throttle, six((7 << 16) + 1_000), LOGIN, START));
        let_in(&throttle, six(7 << 16), LOGIN, START);
        // In time it is forgotten that he was.
        let later = START + KNOWN_FOR + SignedDuration::from_secs(1);
        for n in 0..FAILURES_PER_SOURCE_MAX {
            assert!(may(&throttle, ip("192.0.2.1"), &n.to_string(), later));
        }
        assert!(!may(&throttle, ip("192.0.2.1"), LOGIN, later));
    }

    #[test]
    fn what_is_under_way_counts_and_what_was_right_does_not() {
        let throttle = Throttle::default();
        let user = ip("192.0.2.1");
        for _ in 0..FAILURES_PER_SOURCE_MAX {
            let attempt = throttle.begin(user, LOGIN, START).unwrap();
            throttle.take_back(&attempt);
        }
        let under_way: Vec<_> =
            (0..FAILURES_PER_LOGIN_MAX).map(|_| throttle.begin(user, LOGIN, START).unwrap()).collect();
        assert!(!may(&throttle, user, LOGIN, START));
        // What ends in the next window takes nothing from it.
        let next = START + WINDOW + SignedDuration::from_secs(1);
        assert!(may(&throttle, user, LOGIN, next));
        under_way.iter().for_each(|attempt| throttle.take_back(attempt));
        assert_eq!(
            throttle.memory().failures.values().map(|failures| failures.count).collect::<Vec<_>>(),
            [1, 1]
        );
    }

    /// A telephone with the old password, on the desk of whoever has changed it.
    #[test]
    fn the_same_wrong_password_again_is_no_guess() {
        for office in [ip("192.0.2.1"), six(0)] {
            let throttle = Throttle::default();
            let deny = |login: &str, mark: u8| {
                let attempt = throttle.begin(office, login, START)?;
                throttle.denied(&attempt, [mark; 8]);
                Ok::<(), TooMany>(())
            };
            for n in 0..FAILURES_PER_SOURCE_MAX - 100 {
                assert_eq!(deny(LOGIN, 1), Ok(()), "{n}");
            }
            let_in(&throttle, office, LOGIN, START);
            // Another one each time is a guess, two in turn are, too; and all of it is work that the source has made.
            for n in 1..FAILURES_PER_LOGIN_MAX {
                assert_eq!(deny(LOGIN, 2 + u8::from(n % 2 == 0)), Ok(()), "{n}");
            }
            assert!(deny(LOGIN, 1).is_err());
            for n in 1..=100 - FAILURES_PER_LOGIN_MAX + 1 {
                assert_eq!(deny("binh@demo.gov.vn", 1), Ok(()), "{n}");
            }
            assert!(deny("binh@demo.gov.vn", 1).is_err());
        }
    }

    #[test]
    fn that_a_limit_is_reached_is_told_once_in_a_window() {
        let throttle = Throttle::default();
        let guesser = ip("192.0.2.1");
        fail(&throttle, guesser, LOGIN, FAILURES_PER_LOGIN_MAX);
        let refused = |now| throttle.begin(guesser, LOGIN, now).map(drop);
        assert_eq!(refused(START), Err(TooMany { is_first: true }));
        assert_eq!(refused(START), Err(TooMany { is_first: false }));
        let next = START + WINDOW + SignedDuration::from_secs(1);
        for _ in 0..FAILURES_PER_LOGIN_MAX {
            assert_eq!(refused(next), Ok(()));
        }
        assert_eq!(refused(next), Err(TooMany { is_first: true }));
    }

    /// Addresses and names are a stranger's to make up.
    #[test]
    fn a_crowd_fills_nothing_and_makes_nobody_forgotten_who_guesses() {
        let throttle = Throttle::default();
        let (guesser, site) = (ip("192.0.2.1"), 1_u64 << 16);
        fail(&throttle, guesser, LOGIN, FAILURES_PER_LOGIN_MAX);
        let_in(&throttle, ip("192.0.2.2"), LOGIN, START);
        for n in 0..150_000_u64 {
            let made_up = n.to_string().repeat(1 + n as usize % 10);
            assert!(may(&throttle, six(site + n * 61), &made_up, START), "{n}");
            assert!(throttle.memory().failures.len() <= COUNTS_MAX);
        }
        assert!(!may(&throttle, guesser, LOGIN, START));
        // Nor does whoever logs in from everywhere.
        for n in 0..=u32::try_from(KNOWN_MAX).unwrap() {
            let_in(
                &throttle,
                IpAddr::V4((0x0a00_0000 + n).into()),
                LOGIN,
                START + SignedDuration::from_secs(1),
            );
        }
        assert!(throttle.memory().known.len() <= KNOWN_MAX);
        // When all is stale, all of it goes.
        let later = START + WINDOW * 3;
        while throttle.memory().failures.len() < COUNTS_MAX - 4 {
            let n = throttle.memory().failures.len() as u64;
            assert!(may(&throttle, six((1 << 30) + n * 61), &n.to_string(), START));
        }
        for n in 0..4 {
            assert!(may(&throttle, six((1 << 31) + n * 65_536), "x", later));
        }
        assert!(throttle.memory().failures.len() < 100);
    }
}
