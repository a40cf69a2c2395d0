//! What each session adds to the report of its domain: in memory, then in the database.
//!
//! Invariants: see the parent. What is too much is dropped, and counted as such.

use crate::reporter::day_of;
use crate::{Engine, figures};
use jiff::civil::Date;
use model::registered;
use proto::tlsrpt::{Failure, Policy};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::{TlsCount, TlsFailure, TlsGathered, TlsPolicy, TlsPolicyText};

/// Rows in memory before they are written: some 300 octets each; 15 KB, so 75 MB in all, where many make their policies as long as is
/// repeated.
const ROWS_MAX: usize = 5_000;
/// Domains of one day: a province's correspondents are some hundred.
const DOMAINS_A_DAY_MAX: u32 = 5_000;
/// Names of one owner in a day: a province has a name for each of its departments, and whoever has every name below his exist would
/// have a report made for each that mail goes to.
const NAMES_OF_ONE_MAX: u32 = 100;
/// Rows of one domain on one day: kinds of failures times its hosts and their addresses.
const ROWS_A_DOMAIN_MAX: u32 = 100;

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Mutex<Days>);

type Counts = HashMap<TlsCount, u64>;

#[derive(Debug, Default)]
struct Days {
    domains: HashMap<(Date, String), Counts>,
    /// Names of an owner.
    names: HashMap<(Date, String), u32>,
    rows: usize,
}

impl Gathered {
    /// False when there is no room for it.
    fn add(&self, key: (Date, String), (count, sessions): (TlsCount, u64)) -> bool {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Days { domains, names, rows } = &mut *days;
        let counts = domains.get(&key);
        let known = counts.is_some_and(|counts| counts.contains_key(&count));
        let of_domain = counts.map_or(0, HashMap::len);
        if !known && (*rows >= ROWS_MAX || of_domain >= ROWS_A_DOMAIN_MAX as usize) {
            return false;
        }
        if counts.is_none() {
            let names = names.entry((key.0, registered(&key.1).to_owned())).or_default();
            if *names >= NAMES_OF_ONE_MAX {
                return false;
            }
            *names += 1;
        }
        *rows += usize::from(!known);
        *domains.entry(key).or_default().entry(count).or_default() += sessions;
        true
    }

    fn take(&self) -> HashMap<(Date, String), Counts> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).domains
    }
}

impl Engine {
    /// Keeps in mind what was seen of a session with a server of a domain, for that domain; `None`: all was as its policy has it.
    pub fn count_tls(&self, policy: &Policy, failure: Option<Failure>) {
        let key = (day_of(self.now()), policy.policy_domain.clone());
        let count = TlsCount { policy: policy_row(policy), failure: failure.map(failure_row) };
        if !self.0.tls.add(key, (count, 1)) {
            figures::tls_reports_dropped(1);
        }
    }

    /// Writes what was gathered; kept for the next time when the database does not take it, unless it is too much.
    pub(crate) async fn write_tls(&self) {
        let mut gathered = self.0.tls.take().into_iter();
        while let Some((key, counts)) = gathered.next() {
            match self.write_tls_day(&key, &counts).await {
                Ok(dropped) => figures::tls_reports_dropped(dropped),
                Err(error) => {
                    figures::housekeeping_failed("tls-reports");
                    tracing::warn!(%error, "what was seen of others' TLS could not be counted yet");
                    // The others would only wait for the same database.
                    for (key, counts) in std::iter::once((key, counts)).chain(gathered) {
                        let add = |counted| self.0.tls.add(key.clone(), counted);
                        let dropped = counts.into_iter().map(add).filter(|kept| !kept).count();
                        figures::tls_reports_dropped(dropped as u64);
                    }
                    return;
                }
            }
        }
    }

    async fn write_tls_day(
        &self,
        (day, domain): &(Date, String),
        counts: &Counts,
    ) -> Result<u64, store::Error> {
        let gathered = TlsGathered {
            day: *day,
            domain,
            counts: counts.iter().map(|(count, sessions)| (count, *sessions)).collect(),
            owner: registered(domain),
            domains_max: DOMAINS_A_DAY_MAX,
            names_max: NAMES_OF_ONE_MAX,
            rows_max: ROWS_A_DOMAIN_MAX,
        };
        self.0.store.count_tls(&gathered).await
    }
}

fn policy_row(policy: &Policy) -> TlsPolicy {
    let text = TlsPolicyText { lines: policy.policy_string.clone(), hosts: policy.mx_host.clone() };
    TlsPolicy { kind: policy.policy_type.as_str().to_owned(), text }
}

fn failure_row(failure: Failure) -> TlsFailure {
    TlsFailure {
        result: failure.result_type.as_str().to_owned(),
        mx: failure.receiving_mx_hostname,
        sending: failure.sending_mta_ip.map(|address| address.to_string()),
        receiving: failure.receiving_ip.map(|address| address.to_string()),
        reason: failure.failure_reason_code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: usize) -> TlsCount {
        let failure = TlsFailure { result: n.to_string(), ..TlsFailure::default() };
        TlsCount { policy: policy_row(&Policy::none("a.vn")), failure: Some(failure) }
    }

    #[test]
    fn memory_is_bounded_and_what_is_known_still_counts() {
        let gathered = Gathered::default();
        let key = |n: usize| (Date::constant(2026, 11, 22), format!("{n}.vn"));
        let each = ROWS_A_DOMAIN_MAX as usize;
        for n in 0..ROWS_MAX {
            assert!(gathered.add(key(n / each), (count(n), 1)));
        }
        assert!(!gathered.add(key(ROWS_MAX), (count(0), 1)), "so many rows");
        assert!(!gathered.add(key(0), (count(ROWS_MAX), 1)), "so many of a domain");
        assert!(gathered.add(key(0), (count(7), 1)));
        assert_eq!(gathered.take()[&key(0)][&count(7)], 2);
        assert!(gathered.add(key(ROWS_MAX), (count(0), 1)), "there is room again");
    }

    #[test]
    fn one_owner_has_no_thousand_names() {
        let gathered = Gathered::default();
        let kept = (0..1_000)
            .filter(|n| gathered.add((Date::constant(2026, 11, 22), format!("{n}.evil.vn")), (count(1), 1)));
        assert_eq!(kept.count(), NAMES_OF_ONE_MAX as usize);
        assert!(gathered.add((Date::constant(2026, 11, 22), "0.evil.vn".into()), (count(2), 1)));
    }
}
