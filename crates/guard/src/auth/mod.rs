//! Where a message comes from: SPF, the signatures on it (DKIM, ARC), and what its author's domain says of that (DMARC).
//!
//! Signatures are checked by `mail-auth`, which is handed all it needs and asks no name server itself: what our [`Resolver`] could
//! not find out is a temporary error in every result, never "there is none". Invariants: of a message no more is held than its
//! header; a stranger decides neither how many signatures are checked ([`SIGNATURES_MAX`], [`LINKS_MAX`]) nor how long it takes
//! ([`TIME_MAX`]); nothing is decided here.

mod dmarc;
mod keys;

use crate::spf::Sender;
use crate::{Resolver, ascii_domain};
use keys::Keys;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm, HashContext, HashImpl, Sha1, Sha256};
use mail_auth::common::verify::VerifySignature as _;
use mail_auth::dkim::canonicalize::BodyHasher;
use mail_auth::dkim::{Canonicalization, DkimError};
use mail_auth::{AuthenticatedMessage, DkimResult, Error, MessageAuthenticator, Parameters};
use model::admission::{Arc, Author, Evidence, Outcome, Signature, Spf};
use proto::mime::{facts, header_fields};
use std::time::Duration;

/// Signatures of one message that are checked, those of its author's domain first: real mail has one to three.
const SIGNATURES_MAX: usize = 8;
/// Links of a chain (RFC 8617 4.2.1 allows 50; lists of lists have three).
const LINKS_MAX: usize = 10;
/// Domains of authors that are asked: real mail has one.
const AUTHORS_MAX: usize = 4;
/// All questions of one message. A server that waits for the end of data has ten minutes (RFC 5321 4.5.3.2.6).
const TIME_MAX: Duration = Duration::from_secs(40);

type Context = <Sha256 as HashImpl>::Context;

/// A message that is looked at: its header at once, its body as it comes.
#[derive(Debug)]
pub struct Examiner {
    header: Vec<u8>,
    bodies: Vec<Body>,
}

/// What its signatures want to have hashed.
struct Body {
    canonicalization: Canonicalization,
    algorithm: HashAlgorithm,
    hasher: BodyHasher<Context>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.canonicalization, self.algorithm)
    }
}

/// Whom the message says it is from.
#[derive(Debug, Default)]
struct From {
    domains: Vec<String>,
    unclear: bool,
}

impl Examiner {
    /// `header` is all of it; what is behind its blank line is not looked at.
    #[must_use]
    pub fn new(header: &[u8]) -> Self {
        let header = well_formed(header);
        let mut bodies = Vec::new();
        if let Some(message) = AuthenticatedMessage::parse(&header) {
            for (canonicalization, algorithm, limit, _) in &message.body_hashes {
                let hasher = match algorithm {
                    HashAlgorithm::Sha1 => Sha1::hasher(),
                    HashAlgorithm::Sha256 => Sha256::hasher(),
                };
                bodies.push(Body {
                    canonicalization: *canonicalization,
                    algorithm: *algorithm,
                    hasher: BodyHasher::new(hasher, *canonicalization, *limit),
                });
            }
        }
        Self { header, bodies }
    }

    /// The next octets behind the blank line.
    pub fn body(&mut self, piece: &[u8]) {
        for body in &mut self.bodies {
            body.hasher.write(piece);
        }
    }

    /// Asks for what domains say of it. What cannot be found out in time is a temporary error.
    pub async fn evidence(self, resolver: &Resolver, sender: Sender<'_>) -> Evidence {
        let from = from(&self.header);
        let asked = async {
            let spf = resolver.spf(sender).await;
            let (signatures, arc) = self.signatures(resolver, &from).await;
            let mut authors = Vec::new();
            for domain in &from.domains {
                authors.push(resolver.author(domain, &spf, &signatures).await);
            }
            Evidence { spf, signatures, arc, authors, unclear_author: from.unclear }
        };
        match tokio::time::timeout(TIME_MAX, asked).await {
            Ok(evidence) => evidence,
            Err(_) => unknown(from),
        }
    }

    async fn signatures(self, resolver: &Resolver, from: &From) -> (Vec<Signature>, Arc) {
        let hashed: Vec<_> = self.bodies.into_iter().map(Body::finish).collect();
        let Some(mut message) = AuthenticatedMessage::parse(&self.header) else { return Default::default() };
        for (slot, hash) in message.body_hashes.iter_mut().zip(hashed) {
            slot.3 = hash;
        }
        let is_authors = |domain: &str| from.domains.iter().any(|author| author.eq_ignore_ascii_case(domain));
        message.dkim_headers.sort_by_key(|signature| !is_authors(&signature.header.d));
        message.dkim_headers.truncate(SIGNATURES_MAX);
        message.errors.truncate(SIGNATURES_MAX);
        for signature in &mut message.dkim_headers {
            // Neither reports nor permits to sign for others are asked for.
            (signature.header.r, signature.header.atps) = (false, None);
        }
        let mut keys = Keys::default();
        for signature in &message.dkim_headers {
            keys.ask(resolver, &signature.header.domain_key()).await;
        }
        if message.as_headers.len() <= LINKS_MAX {
            for seal in &message.as_headers {
                keys.ask(resolver, &seal.header.domain_key()).await;
            }
            if let Some(signature) = message.ams_headers.last() {
                keys.ask(resolver, &signature.header.domain_key()).await;
            }
        }
        let library = MessageAuthenticator(resolver.plain.clone());
        let checked = library.verify_dkim(Parameters::new(&message).with_txt_cache(&keys)).await;
        let signatures = checked.iter().map(|output| signature(output.result(), output.signature()));
        let signatures = signatures.collect();
        if message.as_headers.len() > LINKS_MAX {
            let arc = Arc { outcome: Outcome::Fail, domain: String::new(), links: message.as_headers.len() };
            return (signatures, arc);
        }
        let checked = library.verify_arc(Parameters::new(&message).with_txt_cache(&keys)).await;
        let sealed = message.as_headers.last().map(|seal| seal.header.d.to_ascii_lowercase());
        let (outcome, _) = outcome(checked.result());
        (signatures, Arc { outcome, domain: sealed.unwrap_or_default(), links: message.as_headers.len() })
    }
}

impl Body {
    fn finish(self) -> Vec<u8> {
        let (hasher, _) = self.hasher.finish();
        hasher.complete().as_ref().to_vec()
    }
}

/// RFC 6376 6.1, with the keys of RFC 8463.
fn signature(result: &DkimResult, signature: Option<&mail_auth::dkim::Signature>) -> Signature {
    let (outcome, why) = outcome(result);
    let mut found = Signature { outcome, why, ..Signature::default() };
    if let Some(signature) = signature {
        found.domain = ascii_domain(&signature.d).unwrap_or_default();
        found.selector.clone_from(&signature.s);
        if signature.a == Algorithm::RsaSha1 && found.outcome == Outcome::Pass {
            // RFC 8301 3.1
            found.outcome = Outcome::PermError;
            found.why = Some("rsa-sha1 is no longer a signature".to_owned());
        }
    }
    found
}

fn outcome(result: &DkimResult) -> (Outcome, Option<String>) {
    let (outcome, error) = match result {
        DkimResult::Pass => return (Outcome::Pass, None),
        DkimResult::None => return (Outcome::None, None),
        DkimResult::Fail(error) => (Outcome::Fail, error),
        DkimResult::Neutral(error) => match error {
            Error::Dkim(DkimError::FailedBodyHashMatch | DkimError::SignatureExpired) | Error::Arc(_) => {
                (Outcome::Fail, error)
            }
            _ => (Outcome::PermError, error),
        },
        DkimResult::PermError(error) => (Outcome::PermError, error),
        DkimResult::TempError(error) => (Outcome::TempError, error),
    };
    (outcome, Some(error.to_string()))
}

/// Time ran out: nothing of it is known.
fn unknown(from: From) -> Evidence {
    let author = |domain| Author {
        domain,
        dmarc: Outcome::TempError,
        aligned: Outcome::TempError,
        ..Author::default()
    };
    Evidence {
        spf: Spf { outcome: Outcome::TempError, ..Spf::default() },
        authors: from.domains.into_iter().map(author).collect(),
        unclear_author: from.unclear,
        ..Evidence::default()
    }
}

/// The fields of a header as every reader divides it: a line that is none ends the header for some, and hides what follows.
fn well_formed(header: &[u8]) -> Vec<u8> {
    let is_field = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    let mut fields = Vec::with_capacity(header.len() + 2);
    for field in header_fields(header).filter(|field| is_field(field.name)) {
        fields.extend_from_slice(field.raw);
        if !field.raw.ends_with(b"\n") {
            fields.extend_from_slice(b"\r\n");
        }
    }
    fields.extend_from_slice(b"\r\n");
    fields
}

/// All domains that any reader might show as the author's.
fn from(header: &[u8]) -> From {
    let mut found = From::default();
    let fields: Vec<_> = header_fields(header).filter(|field| field.is("From")).collect();
    for field in fields.iter().take(AUTHORS_MAX) {
        let mut raw = field.raw.to_vec();
        raw.extend_from_slice(b"\r\n");
        for address in facts(&raw).envelope.from {
            // The markers of a group have none.
            let Some(host) = address.host else { continue };
            let host = String::from_utf8_lossy(&host).into_owned();
            match ascii_domain(&host).filter(|host| host.contains('.')) {
                Some(domain) if found.domains.contains(&domain) => {}
                Some(domain) => found.domains.push(domain),
                None => found.unclear = true,
            }
        }
    }
    let too_many = fields.len() > 1 || found.domains.len() > AUTHORS_MAX;
    found.unclear |= too_many || (!fields.is_empty() && found.domains.is_empty());
    found.domains.truncate(AUTHORS_MAX);
    found
}

#[cfg(test)]
mod tests;
