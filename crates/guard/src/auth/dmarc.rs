//! What the domain of an author says of mail that names it (DMARC: RFC 7489, with the tree walk of RFC 9989 in place of a list of
//! public suffixes).
//!
//! Invariants: a name server that does not answer makes the result a temporary error, unless what passed shows already that the
//! mail is the domain's; records are read by `mail-auth`, all else is ours.

use crate::Resolver;
use crate::dns::DnsError;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{Alignment, Dmarc, Policy, Psd};
use model::admission::{Asks, Author, Outcome, Signature, Spf};

/// Labels of the name that is asked for behind the first (RFC 9989 4.10).
const WALK_LABELS_MAX: usize = 7;

/// The records on the way from a domain up, the longest name first.
type Walk = Vec<(String, Dmarc)>;

impl Resolver {
    /// Of one domain that is named as the author's.
    pub(super) async fn author(&self, domain: &str, spf: &Spf, signatures: &[Signature]) -> Author {
        let ids = identifiers(spf, signatures);
        let exact = ids.iter().any(|id| id.outcome == Outcome::Pass && id.domain == domain);
        let mut author = Author { domain: domain.to_owned(), ..Author::default() };
        let Ok(walk) = self.walk(domain).await else {
            let outcome = if exact { Outcome::Pass } else { Outcome::TempError };
            (author.dmarc, author.aligned) = (outcome, outcome);
            author.asks = Asks::Unknown;
            return author;
        };
        let organisation = organisation(&walk, domain);
        let record = applicable(&walk, domain, &organisation);
        author.aligned = if exact {
            Outcome::Pass
        } else {
            self.aligned(domain, &organisation, record.map(|(_, record)| record), &ids).await
        };
        let Some((name, record)) = record else { return author };
        author.dmarc = author.aligned;
        author.asks = match self.policy(domain, name == domain, record).await {
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
        let mut found = Outcome::Fail;
        for id in ids {
            let relaxed = record.is_none_or(|record| {
                *(if id.is_spf { &record.aspf } else { &record.adkim }) == Alignment::Relaxed
            });
            let near =
                id.domain == domain || (relaxed && is_below(id.domain, organisation) && record.is_some());
            if !near {
                continue;
            }
            let same = match self.walk(id.domain).await {
                _ if id.domain == domain => true,
                Ok(walk) => self::organisation(&walk, id.domain) == organisation,
                Err(_) => {
                    found = Outcome::TempError;
                    continue;
                }
            };
            match id.outcome {
                Outcome::Pass if same => return Outcome::Pass,
                Outcome::TempError if same => found = Outcome::TempError,
                _ => {}
            }
        }
        found
    }

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
        // RFC 9989 4.7: in a test the next lower is asked for.
        Ok(match (policy, record.t) {
            (Policy::Reject, false) => Asks::Reject,
            (Policy::Reject, true) | (Policy::Quarantine, false) => Asks::Quarantine,
            _ => Asks::Nothing,
        })
    }

    /// RFC 9091 2.6: does anything of it lead anywhere?
    async fn exists(&self, domain: &str) -> Result<bool, DnsError> {
        Ok(!self.exchanges(domain).await?.is_empty() || !self.addresses(domain).await?.is_empty())
    }

    /// RFC 9989 4.10.
    async fn walk(&self, domain: &str) -> Result<Walk, DnsError> {
        let labels: Vec<&str> = domain.split('.').collect();
        let mut found = Walk::new();
        let mut left = labels.len();
        while left > 0 {
            let name = labels.get(labels.len() - left..).unwrap_or_default().join(".");
            if let Some(record) = self.dmarc_record(&name).await? {
                let stop = matches!(record.psd, Psd::Yes | Psd::No);
                found.push((name, record));
                if stop {
                    break;
                }
            }
            left = (left - 1).min(WALK_LABELS_MAX);
        }
        Ok(found)
    }

    /// The one record; of several none counts (RFC 7489 6.6.3).
    async fn dmarc_record(&self, domain: &str) -> Result<Option<Dmarc>, DnsError> {
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

/// RFC 7489 6.6.3: without a policy that can be read it only says where reports go.
fn is_in_force(record: &Dmarc) -> bool {
    record.p != Policy::Unspecified || !record.rua.is_empty()
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
fn organisation(walk: &Walk, domain: &str) -> String {
    for (name, record) in walk {
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
    walk.last().map_or(domain, |(name, _)| name).to_owned()
}

/// The record that applies (RFC 9989 4.10.1): the domain's own, that of its organisation, that of the public suffix.
fn applicable<'a>(walk: &'a Walk, domain: &str, organisation: &str) -> Option<(&'a str, &'a Dmarc)> {
    let of = |wanted: &str| walk.iter().find(|(name, _)| name == wanted);
    let found = of(domain).or_else(|| of(organisation)).or_else(|| walk.last());
    found.map(|(name, record)| (name.as_str(), record))
}

fn is_below(domain: &str, parent: &str) -> bool {
    domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
