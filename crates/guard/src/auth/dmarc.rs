//! What the domain of an author says of mail that names it (DMARC: RFC 7489, with the tree walk of RFC 9989 in place of a list of
//! public suffixes).
//!
//! Invariants: a name server that does not answer makes the result a temporary error, unless what passed shows already that the
//! mail is the domain's, or its own record says what it asks for; records are read by `mail-auth`, all else is ours.

use super::ANSWER_MAX;
use crate::Resolver;
use crate::dns::DnsError;
use futures_util::future::join_all;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{Alignment, Dmarc, Policy, Psd};
use model::admission::{Asks, Author, Outcome, Published, Signature, Spf};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Labels of the name that is asked for behind the first (RFC 9989 4.10).
const WALK_LABELS_MAX: usize = 7;

/// What was found on the ways up that one message has us walk: each once, whoever's it is.
#[derive(Debug)]
pub(super) struct Walks<'a> {
    resolver: &'a Resolver,
    known: Mutex<HashMap<String, Arc<OnceCell<Arc<Walk>>>>>,
}

/// What was found on the way from a domain up.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The records, the longest name first.
    records: Vec<(String, Dmarc)>,
    /// Every name on it was answered for.
    pub(super) is_whole: bool,
}

impl<'a> Walks<'a> {
    pub(super) fn new(resolver: &'a Resolver) -> Self {
        Self { resolver, known: Mutex::default() }
    }

    pub(super) async fn of(&self, domain: &str) -> Arc<Walk> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(domain.to_owned()).or_default())
        };
        Arc::clone(cell.get_or_init(async || Arc::new(self.resolver.walk(domain).await)).await)
    }

    /// Of one domain that is named as the author's.
    pub(super) async fn author(&self, domain: &str, (spf, signatures): (&Spf, &[Signature])) -> Author {
        let walk = self.of(domain).await;
        let ids = identifiers(spf, signatures);
        let mut author = Author { domain: domain.to_owned(), ..Author::default() };
        let own = walk.records.iter().find(|(name, _)| name == domain).map(|(_, record)| record);
        let is_exact = ids.iter().any(|id| id.outcome == Outcome::Pass && id.domain == domain);
        if !walk.is_whole {
            // A domain's own record holds whatever stands above it, and where nothing passed, nothing fits.
            author.aligned = match (is_exact, ids.is_empty()) {
                (true, _) => Outcome::Pass,
                (false, true) => Outcome::Fail,
                (false, false) => Outcome::TempError,
            };
            author.asks = own.map_or(Asks::Unknown, |record| asks(record.p, record));
            let is_known = own.is_some() || is_exact;
            author.dmarc = if is_known { author.aligned } else { Outcome::TempError };
            author.published = own.and_then(|record| published((domain, record), domain, domain, &ids));
            return author;
        }
        let organisation = organisation(&walk, domain);
        let record = applicable(&walk, domain, &organisation);
        author.aligned = if is_exact {
            Outcome::Pass
        } else {
            self.aligned(domain, &organisation, record.map(|(_, record)| record), &ids).await
        };
        let Some((name, record)) = record else { return author };
        author.dmarc = author.aligned;
        author.published = published((name, record), domain, &organisation, &ids);
        author.asks = match self.resolver.policy(domain, name == domain, record).await {
            Ok(asks) => asks,
            Err(_) if author.aligned == Outcome::Pass => Asks::Unknown,
            Err(_) => {
                author.dmarc = Outcome::TempError;
                Asks::Unknown
            }
        };
        author
    }

    /// Is anything that passed of that domain, or below the same organisation's?
    async fn aligned(
        &self,
        domain: &str,
        organisation: &str,
        record: Option<&Dmarc>,
        ids: &[Identifier<'_>],
    ) -> Outcome {
        let is_relaxed = |id: &Identifier<'_>| {
            record.is_some_and(|record| {
                *(if id.is_spf { &record.aspf } else { &record.adkim }) == Alignment::Relaxed
            })
        };
        let near = ids
            .iter()
            .filter(|id| id.domain == domain || (is_relaxed(id) && is_below(id.domain, organisation)));
        let walked = join_all(near.map(async |id| {
            let is_same = match id.domain == domain {
                true => Some(true),
                false => {
                    let walk = self.of(id.domain).await;
                    walk.is_whole.then(|| self::organisation(&walk, id.domain) == organisation)
                }
            };
            (id.outcome, is_same)
        }));
        let walked = walked.await;
        let is = |wanted: (Outcome, Option<bool>)| walked.contains(&wanted);
        if is((Outcome::Pass, Some(true))) {
            return Outcome::Pass;
        }
        let is_open = is((Outcome::TempError, Some(true))) || walked.iter().any(|(_, same)| same.is_none());
        if is_open { Outcome::TempError } else { Outcome::Fail }
    }
}

impl Resolver {
    /// What a record asks for of mail of this domain.
    async fn policy(&self, domain: &str, is_own: bool, record: &Dmarc) -> Result<Asks, DnsError> {
        let or = |policy: Policy, other: Policy| if policy == Policy::Unspecified { other } else { policy };
        let sub = or(record.sp, record.p);
        let absent = or(record.np, sub);
        let policy = if is_own {
            record.p
        } else if absent != sub && !self.exists(domain).await? {
            absent
        } else {
            sub
        };
        Ok(asks(policy, record))
    }

    /// RFC 9091 2.6: does anything of it lead anywhere?
    async fn exists(&self, domain: &str) -> Result<bool, DnsError> {
        let asked = async { tokio::join!(self.exchanges(domain), self.addresses(domain)) };
        let (exchanges, addresses) = timeout(ANSWER_MAX, asked).await.map_err(|_| DnsError::Silence)?;
        Ok(!exchanges?.is_empty() || !addresses?.is_empty())
    }

    /// RFC 9989 4.10, all names asked for at once.
    pub(super) async fn walk(&self, domain: &str) -> Walk {
        let labels: Vec<&str> = domain.split('.').collect();
        let (mut names, mut left) = (Vec::new(), labels.len());
        while left > 0 {
            names.push(labels.get(labels.len() - left..).unwrap_or_default().join("."));
            left = (left - 1).min(WALK_LABELS_MAX);
        }
        let answers = join_all(names.iter().map(|name| timeout(ANSWER_MAX, self.dmarc_record(name)))).await;
        let mut walk = Walk { records: Vec::new(), is_whole: true };
        for (name, answer) in names.into_iter().zip(answers) {
            match answer {
                Ok(Ok(Some(record))) => {
                    let is_last = matches!(record.psd, Psd::Yes | Psd::No);
                    walk.records.push((name, record));
                    if is_last {
                        break;
                    }
                }
                Ok(Ok(None)) => {}
                Ok(Err(_)) | Err(_) => walk.is_whole = false,
            }
        }
        walk
    }

    /// The one record; of several none counts (RFC 7489 6.6.3).
    pub(super) async fn dmarc_record(&self, domain: &str) -> Result<Option<Dmarc>, DnsError> {
        let texts = match self.texts(&format!("_dmarc.{domain}")).await {
            Ok(texts) => texts,
            Err(DnsError::BadName(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut records = texts.iter().filter(|text| text.starts_with(b"v=DMARC1"));
        match (records.next(), records.next()) {
            (Some(record), None) => Ok(Dmarc::parse(record).ok().filter(is_in_force)),
            _ => Ok(None),
        }
    }
}

fn asks(policy: Policy, record: &Dmarc) -> Asks {
    // RFC 9989 4.7: in a test the next lower is asked for.
    match (policy, record.t) {
        (Policy::Reject, false) => Asks::Reject,
        (Policy::Reject, true) | (Policy::Quarantine, false) => Asks::Quarantine,
        _ => Asks::Nothing,
    }
}

/// RFC 7489 6.6.3: without a policy that can be read it only says where reports go.
fn is_in_force(record: &Dmarc) -> bool {
    record.p != Policy::Unspecified || !record.rua.is_empty()
}

/// What the domain is told of the message, if it wants to be. That a name below the organisation's is another's (`psd=n`) is not looked
/// up for it: whether the message passed is known without.
fn published(
    (name, record): (&str, &Dmarc),
    domain: &str,
    organisation: &str,
    ids: &[Identifier<'_>],
) -> Option<Published> {
    let (strict_dkim, strict_spf) = (record.adkim == Alignment::Strict, record.aspf == Alignment::Strict);
    let passed = |by_spf: bool, is_strict: bool| {
        let fits = |id: &str| id == domain || (!is_strict && is_below(id, organisation));
        ids.iter().any(|id| id.is_spf == by_spf && id.outcome == Outcome::Pass && fits(id.domain))
    };
    (!record.rua.is_empty()).then(|| Published {
        domain: name.to_owned(),
        strict_dkim,
        strict_spf,
        policy: plain(record.p),
        below: (plain(record.sp) != plain(record.p) && record.sp != Policy::Unspecified)
            .then(|| plain(record.sp)),
        is_test: record.t,
        dkim_passed: passed(false, strict_dkim),
        spf_passed: passed(true, strict_spf),
    })
}

/// As it is written.
fn plain(policy: Policy) -> Asks {
    match policy {
        Policy::None | Policy::Unspecified => Asks::Nothing,
        Policy::Quarantine => Asks::Quarantine,
        Policy::Reject => Asks::Reject,
    }
}

/// Something that stands for a domain.
struct Identifier<'a> {
    domain: &'a str,
    outcome: Outcome,
    is_spf: bool,
}

/// Those that passed, or may have.
fn identifiers<'a>(spf: &'a Spf, signatures: &'a [Signature]) -> Vec<Identifier<'a>> {
    let spf = Identifier { domain: &spf.domain, outcome: spf.outcome, is_spf: true };
    let signatures = signatures.iter().map(|signature| Identifier {
        domain: &signature.domain,
        outcome: signature.outcome,
        is_spf: false,
    });
    let counts = |id: &Identifier<'_>| {
        matches!(id.outcome, Outcome::Pass | Outcome::TempError) && !id.domain.is_empty()
    };
    std::iter::once(spf).chain(signatures).filter(counts).collect()
}

/// The highest name that speaks for this domain (RFC 9989 4.10.2).
pub(super) fn organisation(walk: &Walk, domain: &str) -> String {
    for (name, record) in &walk.records {
        match record.psd {
            Psd::No => return name.clone(),
            // One label below a public suffix.
            Psd::Yes if name != domain => {
                let below = domain.strip_suffix(name.as_str()).unwrap_or(domain).trim_end_matches('.');
                let label = below.rsplit('.').next().unwrap_or(below);
                return format!("{label}.{name}");
            }
            _ => {}
        }
    }
    walk.records.last().map_or(domain, |(name, _)| name).to_owned()
}

/// The record that applies (RFC 9989 4.10.1): the domain's own, that of its organisation, that of the public suffix.
fn applicable<'a>(walk: &'a Walk, domain: &str, organisation: &str) -> Option<(&'a str, &'a Dmarc)> {
    let of = |wanted: &str| walk.records.iter().find(|(name, _)| name == wanted);
    let found = of(domain).or_else(|| of(organisation)).or_else(|| walk.records.last());
    found.map(|(name, record)| (name.as_str(), record))
}

fn is_below(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
