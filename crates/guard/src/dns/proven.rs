//! What DNSSEC proves (RFC 4035), for those who believe nothing else: DANE (RFC 7672).
//!
//! Invariants: "insecure" is only said where it is proven that nobody signed, or where the name servers on the way do not
//! know DNSSEC at all, as an answer of theirs shows that has nobody's signature; a failure or a wrong signature shows nothing. Once they have
//! been seen to know it, or where an administrator has named the keys that proofs begin with, what cannot be proven is an error, never
//! "insecure". Whoever asks waits for one look at the root at most.

use super::{
    Answer, DnsError, Exchange, QUESTION_MAX, RECORDS_MAX, Resolver, Settings, TRIES, address, exchange,
    failure, name, says_none, text,
};
use crate::tlsa::Tlsa;
use futures_util::future::try_join_all;
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::FirstAnswer as _;
use hickory_resolver::net::{DnsHandle as _, NetError, RetryDnsHandle};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::{DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, TokioResolver};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long name servers that do not know DNSSEC are not asked for it again.
const PROBE_REST: Duration = Duration::from_mins(10);
/// How long after a look at the root that showed nothing none is taken: mail that would wait for it waits in the queue.
pub(super) const SILENCE_REST: Duration = Duration::from_secs(30);

/// Asks and verifies, and hands over what is wrong, too.
type Verifier = DnssecDnsHandle<RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>>;

/// Asks with proofs.
pub(super) struct Prover {
    resolver: TokioResolver,
    verifier: Verifier,
    /// The root has been seen to be signed, or has to be.
    works: AtomicBool,
    /// What the last look at the root has shown, and when; held while somebody looks.
    looked: Mutex<Option<(Instant, Result<bool, DnsError>)>>,
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").field("works", &self.works).finish_non_exhaustive()
    }
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
        settings: &Settings,
        anchors: Arc<TrustAnchors>,
        must_work: bool,
    ) -> Result<Self, DnsError> {
        let broken = |error: NetError| failure(&error);
        let mut builder = settings.builder().with_trust_anchor(Arc::clone(&anchors));
        builder.options_mut().validate = true;
        let resolver = builder.build().map_err(broken)?;
        let context = PoolContext::new(settings.options.clone(), TlsConfig::new().map_err(broken)?);
        let servers = settings.config.name_servers.iter().cloned();
        let pool = NameServerPool::from_config(servers, Arc::new(context), TokioRuntimeProvider::default());
        let verifier = DnssecDnsHandle::with_trust_anchor(RetryDnsHandle::new(pool, TRIES), anchors);
        Ok(Self { resolver, verifier, works: AtomicBool::new(must_work), looked: Mutex::default() })
    }

    /// Do the name servers hand on what proves? Neither silence nor a failure says: an answer that was lost, or that somebody on the
    /// way has dropped or changed, is no reason to believe that nobody signs.
    async fn works(&self) -> Result<bool, DnsError> {
        if self.works.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let mut looked = timeout(QUESTION_MAX, self.looked.lock()).await.map_err(|_| DnsError::Silence)?;
        if let Some((at, shown)) = &*looked {
            let rest = if shown.is_ok() { PROBE_REST } else { SILENCE_REST };
            if at.elapsed() < rest {
                return shown.clone();
            }
        }
        let shown = self.look_at_root().await;
        if let Err(error) = &shown {
            tracing::warn!(%error, "nothing can be proven of other domains; mail that goes by MX waits: `congthu check` says more");
        }
        self.works.store(shown == Ok(true), Ordering::Relaxed);
        *looked = Some((Instant::now(), shown.clone()));
        shown
    }

    /// True where its answer is signed, and rightly; false where it has no signature at all.
    async fn look_at_root(&self) -> Result<bool, DnsError> {
        let question = Query::query(Name::root(), RecordType::NS);
        let asked = self.verifier.lookup(question, DnsRequestOptions::default()).first_answer();
        let answer: Message = match timeout(QUESTION_MAX, asked).await.map_err(|_| DnsError::Silence)? {
            Ok(answer) => answer.into_message(),
            Err(NetError::Dns(Answer::Nsec { response, .. })) => response.into_message(),
            Err(error) => {
                return Err(match failure(&error) {
                    DnsError::Failure(why) => DnsError::Unproven(why),
                    silence => silence,
                });
            }
        };
        match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {}
            code => return Err(DnsError::Unproven(code.to_string())),
        }
        let mut servers = answer.answers.iter().filter(|record| record.record_type() == RecordType::NS);
        if !answer.all_sections().any(|record| record.record_type() == RecordType::RRSIG) {
            Ok(false)
        } else if servers.next().is_some_and(|first| first.proof.is_secure()) {
            Ok(true)
        } else {
            Err(DnsError::Unproven(
                "the signatures of the root are wrong, or this machine's clock is".to_owned(),
            ))
        }
    }

    async fn ask(&self, name: Name, kind: RecordType) -> Result<Proven, DnsError> {
        if !self.works().await? {
            return Ok(Proven::Insecure);
        }
        self.prove(name, kind).await
    }

    async fn prove(&self, name: Name, kind: RecordType) -> Result<Proven, DnsError> {
        let asked = timeout(QUESTION_MAX, self.resolver.lookup(name, kind)).await;
        match asked.map_err(|_| DnsError::Silence)? {
            Ok(lookup) => {
                // One good signature is enough, and only that one is marked (RFC 4035 5.3.3): a zone that changes its key has two.
                let is_said = |record: &&Record| record.record_type() != RecordType::RRSIG;
                let said = lookup.answers().iter().filter(is_said);
                let records: Vec<Record> = said.take(RECORDS_MAX).cloned().collect();
                let proofs = || records.iter().map(|record| record.proof);
                if lookup.answers().is_empty() {
                    Ok(Proven::Nothing)
                } else if records.is_empty() {
                    Err(DnsError::Failure("there are signatures, and nothing that they sign".to_owned()))
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
            // Proofs that cost too much to follow (NSEC3 of many rounds) are not wrong; they prove nothing.
            Err(NetError::Dns(Answer::Nsec { proof, .. })) if proof.is_insecure() => Ok(Proven::Insecure),
            Err(error) => Err(failure(&error)),
        }
    }
}

impl Resolver {
    /// Do the name servers hand on what proves (DNSSEC)? Asks now just what mail that goes by MX waits for; always false where no proof is
    /// asked for.
    ///
    /// # Errors
    /// When it cannot be told, or a root that is known to be signed is not: then that mail waits.
    pub async fn hands_on_proofs(&self) -> Result<bool, DnsError> {
        let Some(prover) = &self.prover else { return Ok(false) };
        match prover.look_at_root().await? {
            false if prover.works.load(Ordering::Relaxed) => {
                Err(DnsError::Unproven("the root is known to be signed, and its answer is not".to_owned()))
            }
            shown => Ok(shown),
        }
    }

    async fn proven(&self, name: Name, kind: RecordType) -> Result<Proven, DnsError> {
        match &self.prover {
            Some(prover) => prover.ask(name, kind).await,
            None => Ok(Proven::Insecure),
        }
    }

    /// Verifies what was answered of where mail for `domain` goes, before mail is given up for it: `exchanges`, and the addresses of
    /// `hosts`. Nobody proves anything of a domain that is not signed.
    ///
    /// # Errors
    /// When it cannot be found out, the signatures are wrong or taken away, or something else is proven.
    pub async fn verify_way(
        &self,
        domain: &str,
        exchanges: &[Exchange],
        hosts: &[(&str, &[IpAddr])],
    ) -> Result<(), DnsError> {
        let proven: BTreeSet<Exchange> = match self.proven(name(domain)?, RecordType::MX).await? {
            Proven::Insecure => return Ok(()),
            Proven::Nothing => BTreeSet::new(),
            Proven::Secure(records) => records.iter().filter_map(|record| exchange(&record.data)).collect(),
        };
        if proven != exchanges.iter().cloned().collect() {
            return Err(DnsError::Failure(format!("it is proven that mail for {domain} goes to others")));
        }
        try_join_all(hosts.iter().map(|(host, answered)| self.verify_addresses(host, answered))).await?;
        Ok(())
    }

    async fn verify_addresses(&self, host: &str, answered: &[IpAddr]) -> Result<(), DnsError> {
        for kind in [RecordType::A, RecordType::AAAA] {
            let proven: BTreeSet<IpAddr> = match self.proven(name(host)?, kind).await? {
                Proven::Insecure => return Ok(()),
                Proven::Nothing => BTreeSet::new(),
                Proven::Secure(records) => {
                    records.iter().filter_map(|record| address(&record.data)).collect()
                }
            };
            let of_kind = |address: &&IpAddr| address.is_ipv4() == (kind == RecordType::A);
            if proven != answered.iter().filter(of_kind).copied().collect() {
                return Err(DnsError::Failure(format!("it is proven that {host} has other addresses")));
            }
        }
        Ok(())
    }

    /// Is it proven that mail for `domain` goes to `host`: by its MX, or as it has none and is the host itself?
    ///
    /// # Errors
    /// When it cannot be found out, the signatures are wrong, or what is proven is something else: then somebody on the way
    /// has given another answer before.
    pub async fn exchange_is_proven(&self, domain: &str, host: &str) -> Result<bool, DnsError> {
        let records = match self.proven(name(domain)?, RecordType::MX).await? {
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
            match self.proven(name(host)?, kind).await? {
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
        let Proven::Secure(records) = self.proven(asked, RecordType::TLSA).await? else {
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
