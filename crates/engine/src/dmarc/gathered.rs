//! What each message that was judged adds to the report of its author's domain: in memory, then in the database.
//!
//! Invariants: see the parent. Of what came in every text is a domain's name, or bounded here; what is too much is dropped, and
//! counted as such.

use crate::{Engine, figures};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::admission::{Admission, Asks, Author, Evidence, Ground, Outcome, Published};
use model::registered;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use store::{DmarcCount, DmarcGathered, DmarcPublished};

/// Rows in memory before they are written: some 300 octets each, 3 KB when somebody makes them as large as can be.
const ROWS_MAX: usize = 5_000;
/// Domains of one day: a province's correspondents are some hundred.
const DOMAINS_A_DAY_MAX: u32 = 5_000;
/// Names of one owner in a day that are none of ours: whoever has every name below his exist (a wildcard) has a report made for each.
const NAMES_OF_ONE_MAX: u32 = 20;
/// Rows of one domain on one day: what a report of 1 MB has, compressed.
const ROWS_A_DOMAIN_MAX: u32 = 2_000;
/// Signatures that a row names, the author's first.
const SIGNATURES_MAX: usize = 4;
/// Octets of a selector: a label of a domain name, or a few.
const SELECTOR_BYTES_MAX: usize = 128;

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Gathered(Mutex<Days>);

#[derive(Debug, Default)]
struct Days {
    domains: HashMap<(Date, String), Domain>,
    /// Names of an owner, without ours.
    names: HashMap<(Date, String), u32>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Domain {
    /// It is one of this system's.
    is_ours: bool,
    published: DmarcPublished,
    counts: HashMap<DmarcCount, u64>,
}

impl Gathered {
    /// False when there is no room for it.
    fn add(
        &self,
        key: (Date, String),
        (is_ours, published): (bool, DmarcPublished),
        (count, messages): (DmarcCount, u64),
    ) -> bool {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Days { domains, names, rows } = &mut *days;
        let known = domains.get(&key).is_some_and(|domain| domain.counts.contains_key(&count));
        if !known && *rows >= ROWS_MAX {
            return false;
        }
        if !is_ours && !domains.contains_key(&key) {
            let names = names.entry((key.0, registered(&key.1).to_owned())).or_default();
            if *names >= NAMES_OF_ONE_MAX {
                return false;
            }
            *names += 1;
        }
        *rows += usize::from(!known);
        let domain = domains.entry(key).or_default();
        domain.is_ours = is_ours;
        domain.published = published;
        *domain.counts.entry(count).or_default() += messages;
        true
    }

    fn take(&self) -> HashMap<(Date, String), Domain> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).domains
    }
}

impl Engine {
    /// Keeps in mind what became of a message, for the domains that want to be told; what comes again later is counted then.
    pub fn count_judged(&self, source: IpAddr, evidence: &Evidence, admission: Admission) {
        // Who wrote in one name is told of; of several, none can be told that it was his.
        let [author] = evidence.authors.as_slice() else { return };
        let Some(published) = &author.published else { return };
        let is_judged = matches!(author.dmarc, Outcome::Pass | Outcome::Fail);
        let is_over = !matches!(admission, Admission::Later(_));
        if !is_judged || !is_over || !evidence.is_reported || evidence.is_relayed {
            return;
        }
        let day = self.now().to_zoned(TimeZone::UTC).date();
        let key = (day, published.domain.clone());
        let count = count(source, evidence, (author, published), admission);
        if !self.0.dmarc.add(key, (author.ours, row(published)), (count, 1)) {
            figures::dmarc_dropped(1);
        }
    }

    /// Writes what was gathered; kept for the next time when the database does not take it, unless it is too much.
    pub(crate) async fn write_dmarc(&self) {
        for (key, Domain { is_ours, published, counts }) in self.0.dmarc.take() {
            let gathered = DmarcGathered {
                day: key.0,
                domain: &key.1,
                published: &published,
                counts: counts.iter().map(|(count, messages)| (count, *messages)).collect(),
                domains_max: DOMAINS_A_DAY_MAX,
                owner: registered(&key.1),
                names_max: if is_ours { DOMAINS_A_DAY_MAX } else { NAMES_OF_ONE_MAX },
                rows_max: ROWS_A_DOMAIN_MAX,
            };
            match self.0.store.count_dmarc(&gathered).await {
                Ok(dropped) => figures::dmarc_dropped(dropped),
                Err(error) => {
                    figures::housekeeping_failed("dmarc");
                    tracing::warn!(%error, "what came in others' names could not be counted yet");
                    let add = |counted| self.0.dmarc.add(key.clone(), (is_ours, published.clone()), counted);
                    let dropped = counts.into_iter().map(add).filter(|kept| !kept).count();
                    figures::dmarc_dropped(dropped as u64);
                }
            }
        }
    }
}

fn row(published: &Published) -> DmarcPublished {
    DmarcPublished {
        strict_dkim: published.strict_dkim,
        strict_spf: published.strict_spf,
        policy: published.policy.as_str().to_owned(),
        below: published.below.map(|below| below.as_str().to_owned()),
        is_test: published.is_test,
    }
}

fn count(
    source: IpAddr,
    evidence: &Evidence,
    (author, published): (&Author, &Published),
    admission: Admission,
) -> DmarcCount {
    let (disposition, reason) = disposition(author, published, admission);
    let has_passed = author.dmarc == Outcome::Pass;
    let spf = &evidence.spf;
    let mut signatures: Vec<_> = evidence
        .signatures
        .iter()
        .filter(|found| !found.domain.is_empty() && found.selector.len() <= SELECTOR_BYTES_MAX)
        .filter(|found| !found.selector.chars().any(char::is_control))
        .collect();
    signatures.sort_by_key(|found| (found.outcome != Outcome::Pass, found.domain != author.domain));
    let dkim = signatures
        .iter()
        .take(SIGNATURES_MAX)
        .map(|found| (found.domain.clone(), found.selector.clone(), found.outcome.as_str().to_owned()));
    DmarcCount {
        source: source.to_canonical().to_string(),
        header_from: author.domain.clone(),
        envelope_from: if spf.of_helo { String::new() } else { spf.domain.clone() },
        spf: spf.outcome.as_str().to_owned(),
        spf_domain: spf.domain.clone(),
        spf_aligned: has_passed && published.spf_passed,
        dkim: dkim.collect(),
        dkim_aligned: has_passed && published.dkim_passed,
        disposition: disposition.to_owned(),
        reason: reason.map(str::to_owned),
    }
}

/// What was done by DMARC, and why it is not what the domain asked for (RFC 7489 7.2, appendix C). What other rules did of mail
/// that is the domain's is no matter of it.
fn disposition(
    author: &Author,
    published: &Published,
    admission: Admission,
) -> (&'static str, Option<&'static str>) {
    if author.dmarc == Outcome::Pass {
        return ("none", None);
    }
    let done = match admission {
        Admission::Accept | Admission::Later(_) => "none",
        Admission::Junk(_) | Admission::Quarantine(_) => "quarantine",
        Admission::Refuse(_) => "reject",
    };
    let by_others = matches!(admission,
        Admission::Junk(ground) | Admission::Quarantine(ground) | Admission::Refuse(ground) if ground != Ground::Dmarc);
    let asked = if author.asks == Asks::Unknown { "none" } else { author.asks.as_str() };
    let reason = match () {
        () if by_others || done != asked => Some("local_policy"),
        () if published.is_test => Some("other"),
        () => None,
    };
    (done, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_why_it_is_not_what_was_asked_for() {
        use Admission::{Accept, Junk, Refuse};
        let published = Published::default();
        for (dmarc, asks, admission, done, reason) in [
            (Outcome::Pass, Asks::Reject, Accept, "none", None),
            (Outcome::Pass, Asks::Reject, Junk(Ground::Spf), "none", None),
            (Outcome::Fail, Asks::Nothing, Accept, "none", None),
            (Outcome::Fail, Asks::Reject, Refuse(Ground::Dmarc), "reject", None),
            (Outcome::Fail, Asks::Reject, Junk(Ground::Dmarc), "quarantine", Some("local_policy")),
            (Outcome::Fail, Asks::Reject, Accept, "none", Some("local_policy")),
            (Outcome::Fail, Asks::Quarantine, Junk(Ground::Dmarc), "quarantine", None),
            (Outcome::Fail, Asks::Nothing, Refuse(Ground::OwnDomain), "reject", Some("local_policy")),
        ] {
            let author = Author { dmarc, asks, ..Author::default() };
            assert_eq!(
                disposition(&author, &published, admission),
                (done, reason),
                "{dmarc} {asks:?} {admission:?}"
            );
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_known_still_counts() {
        let gathered = Gathered::default();
        let key = || (Date::constant(2026, 11, 22), "a.vn".to_owned());
        let count = |n: usize| DmarcCount { source: n.to_string(), ..DmarcCount::default() };
        for n in 0..ROWS_MAX {
            assert!(gathered.add(key(), (false, DmarcPublished::default()), (count(n), 1)));
        }
        assert!(!gathered.add(key(), (false, DmarcPublished::default()), (count(ROWS_MAX), 1)));
        assert!(gathered.add(key(), (false, DmarcPublished::default()), (count(7), 1)));
        let taken = gathered.take();
        assert_eq!(taken[&key()].counts[&count(7)], 2);
        assert!(
            gathered.add(key(), (false, DmarcPublished::default()), (count(ROWS_MAX), 1)),
            "there is room again"
        );
    }
}
