//! What DNSSEC proves (RFC 4035), for those who believe nothing else: DANE (RFC 7672).
//!
//! Invariants: "insecure" is only said where it is proven that nobody signed, or where the name servers on the way do not
//! know DNSSEC at all, as their answer shows; once they have been seen to know it, or where an administrator has named the keys that proofs
//! begin with, what cannot be proven is an error, never "insecure".

use super::{DnsError, QUESTION_MAX, RECORDS_MAX, Resolver, failure, name, says_none, text};
use crate::tlsa::Tlsa;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long name servers that do not know DNSSEC are not asked for it again.
const PROBE_REST: Duration = Duration::from_mins(10);

/// Asks with proofs.
#[derive(Debug)]
pub(super) struct Prover {
    resolver: TokioResolver,
    /// The root has been seen to be signed, or has to be.
    works: AtomicBool,
    /// When that was last looked for in vain.
    failed: Mutex<Option<Instant>>,
}

/// What was proven of a question.
enum Proven {
    /// These are the records, at least one; all are signed.
    Secure(Vec<Record>),
    /// There are none; nothing contradicts it.
    Nothing,
    /// There are some, and nobody signed them; or there is nobody to ask for signatures.
    Insecure,
}

impl Prover {
    /// `must_work`: the root is signed, whatever its answers look like.
    pub(super) fn new(
        mut builder: ResolverBuilder<TokioRuntimeProvider>,
        must_work: bool,
    ) -> Result<Self, DnsError> {
        builder.options_mut().validate = true;
        let resolver = builder.build().map_err(|error| failure(&error))?;
        Ok(Self { resolver, works: AtomicBool::new(must_work), failed: Mutex::new(None) })
    }

    /// Do the name servers hand on what proves? Silence does not say: an answer that was lost, or that somebody on the way has
    /// dropped, is no reason to believe that nobody signs.
    async fn works(&self) -> Result<bool, DnsError> {
        if self.works.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let mut failed = self.failed.lock().await;
        if failed.is_some_and(|at| at.elapsed() < PROBE_REST) {
            return Ok(false);
        }
        let works = match self.prove(Name::root(), RecordType::NS).await {
            Ok(Proven::Secure(_)) => true,
            Err(DnsError::Silence) => return Err(DnsError::Silence),
            Ok(Proven::Nothing | Proven::Insecure) | Err(_) => false,
        };
        self.works.store(works, Ordering::Relaxed);
        *failed = (!works).then(Instant::now);
        Ok(works)
    }

    async fn ask(&self, name: Name, kind: RecordType) -> Result<Proven, DnsError> {
        if !self.works().await? {
            return Ok(Proven::Insecure);
        }
        self.prove(name, kind).await
    }

    async fn prove(&self, name: Name, kind: RecordType) -> Result<Proven, DnsError> {
        let asked = tokio::time::timeout(QUESTION_MAX, self.resolver.lookup(name, kind)).await;
        match asked.map_err(|_| DnsError::Silence)? {
            Ok(lookup) => {
                let records: Vec<Record> = lookup.answers().iter().take(RECORDS_MAX).cloned().collect();
                let proofs = || records.iter().map(|record| record.proof);
                if records.is_empty() {
                    Ok(Proven::Nothing)
                } else if proofs().all(|proof| proof.is_secure()) {
                    Ok(Proven::Secure(records))
                } else if proofs().all(|proof| proof.is_secure() || proof.is_insecure()) {
                    Ok(Proven::Insecure)
                } else {
                    Err(DnsError::Failure("the answer's signatures are wrong".to_owned()))
                }
            }
            // A "no" whose proof is wrong comes as another error.
            Err(error) if says_none(&error) => Ok(Proven::Nothing),
            Err(error) => Err(failure(&error)),
        }
    }
}

impl Resolver {
    /// Is it proven that mail for `domain` goes to `host`: by its MX, or as it has none and is the host itself?
    ///
    /// # Errors
    /// When it cannot be found out, the signatures are wrong, or what is proven is something else: then somebody on the way
    /// has given another answer before.
    pub async fn exchange_is_proven(&self, domain: &str, host: &str) -> Result<bool, DnsError> {
        let records = match self.prover.ask(name(domain)?, RecordType::MX).await? {
            Proven::Insecure => return Ok(false),
            Proven::Nothing => return Ok(host == domain),
            Proven::Secure(records) => records,
        };
        let names = |record: &Record| matches!(&record.data, RData::MX(mx) if text(&mx.exchange) == host);
        match records.iter().any(names) {
            true => Ok(true),
            false => Err(DnsError::Failure("it is proven that mail goes to another host".to_owned())),
        }
    }

    /// The name of a host behind its aliases, where all its addresses are proven (RFC 7672 2.2.2).
    ///
    /// # Errors
    /// When it cannot be found out, or the signatures are wrong.
    pub async fn proven_name(&self, host: &str) -> Result<Option<String>, DnsError> {
        let mut found = None;
        for kind in [RecordType::A, RecordType::AAAA] {
            match self.prover.ask(name(host)?, kind).await? {
                Proven::Insecure => return Ok(None),
                Proven::Nothing => {}
                Proven::Secure(records) => {
                    let of_kind = records.iter().find(|record| record.record_type() == kind);
                    found = of_kind.map(|record| text(&record.name)).or(found);
                }
            }
        }
        Ok(found)
    }

    /// The proven keys of a host's port (TLSA, RFC 7672 2.2.3); none where there are none or none are proven.
    ///
    /// # Errors
    /// When it cannot be found out, or the signatures are wrong: then nothing may be sent there.
    pub async fn keys(&self, host: &str, port: u16) -> Result<Vec<Tlsa>, DnsError> {
        let asked = name(&format!("_{port}._tcp.{host}"))?;
        let Proven::Secure(records) = self.prover.ask(asked, RecordType::TLSA).await? else {
            return Ok(Vec::new());
        };
        let key = |record: &Record| match &record.data {
            RData::TLSA(key) => Some(Tlsa {
                usage: key.cert_usage.into(),
                selector: key.selector.into(),
                matching: key.matching.into(),
                data: key.cert_data.clone(),
            }),
            _ => None,
        };
        Ok(records.iter().filter_map(key).collect())
    }
}
