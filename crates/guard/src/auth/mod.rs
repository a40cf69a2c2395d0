//! Where a message comes from: SPF, the signatures on it (DKIM, ARC), and what its author's domain says of that (DMARC).
//!
//! Signatures are checked by `mail-auth`, which is handed all it needs and asks no name server itself: what our [`Resolver`] could
//! not find out is a temporary error in its result, never "there is none". Invariants: of a message no more is held than its
//! header; a stranger decides neither how many signatures are checked nor how long it takes: each kind of question has its own
//! end ([`ANSWER_MAX`], SPF's, [`CHAIN_MAX`]), what asks nothing of another is asked beside it, some of it at a time
//! ([`Resolver::for_message`]), and what does not answer takes nothing from what is known; the chain comes last, as no rule believes it; nothing is decided here.

mod dmarc;
mod keys;
mod names;
mod reporting;
mod signatures;

pub use reporting::ReportAddress;
pub(crate) use reporting::plain_address;

use crate::spf::Sender;
use crate::{Resolver, ascii_domain};
use dmarc::Walks;
use futures_util::future::join_all;
use keys::Keys;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::{HashAlgorithm, HashContext, HashImpl, Sha1, Sha256};
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;
use model::admission::{Evidence, Named, Outcome, Spf};
use proto::mime::{decode_header, facts, header_fields};
use signatures::{Subject, Wanted};
use std::sync::Arc;
use std::time::Duration;

/// Domains of authors that are asked: real mail has one.
const AUTHORS_MAX: usize = 4;
/// Keys, and policies, are asked for at once, and wait so long: [`crate::dns`]'s two tries at a server and a little more.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// Keys of the chain: known or not, they change nothing for the message.
const CHAIN_MAX: Duration = Duration::from_secs(4);

type Context = <Sha256 as HashImpl>::Context;

/// A message that is looked at: its header at once, its body as it comes.
#[derive(Debug)]
pub struct Examiner {
    header: Vec<u8>,
    bodies: Vec<Body>,
    from: From,
    wanted: Wanted,
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
    /// Of addresses within the authors' names.
    named: Vec<String>,
    unclear: bool,
}

impl Examiner {
    /// `header` is all of it, within limits that its caller has held it to; what is behind its blank line is not looked at.
    #[must_use]
    pub fn new(header: &[u8]) -> Self {
        let header = well_formed(header);
        let from = from(&header);
        let (mut bodies, mut wanted) = (Vec::new(), Wanted::default());
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
            wanted = Wanted::of(message, &from.domains);
        }
        Self { header, bodies, from, wanted }
    }

    /// The next octets behind the blank line.
    pub fn body(&mut self, piece: &[u8]) {
        for body in &mut self.bodies {
            body.hasher.write(piece);
        }
    }

    /// Asks for what domains say of it. What cannot be found out in time is a temporary error. Without a sender it was brought
    /// by a relay of ours, of whose address nobody else says anything: then SPF is not asked for, and of DMARC only a pass is
    /// known.
    pub async fn evidence(self, resolver: &Resolver, sender: Option<Sender<'_>>) -> Evidence {
        let Self { header, bodies, from, wanted } = self;
        let resolver = &resolver.for_message();
        let hashes = bodies.into_iter().map(Body::finish).collect();
        let subject = Arc::new(Subject { header, hashes, authors: from.domains.clone() });
        let of_sender = async {
            match sender {
                Some(sender) => resolver.spf(sender).await,
                None => Spf::default(),
            }
        };
        let walks = Walks::new(resolver);
        let (spf, keys, _) = tokio::join!(
            of_sender,
            Keys::ask(resolver, &wanted.keys, ANSWER_MAX),
            join_all(from.domains.iter().map(|domain| walks.of(domain)))
        );
        let signatures = Subject::signatures(&subject, resolver, keys).await;
        let judged = from.domains.iter().map(|domain| walks.author(domain, (&spf, &signatures)));
        let mut authors = join_all(judged).await;
        let is_relayed = sender.is_none();
        if is_relayed {
            // What SPF might have shown is not known.
            let unknown = authors.iter_mut().filter(|author| author.dmarc != Outcome::Pass);
            unknown.for_each(|author| author.dmarc = Outcome::None);
        }
        let keys = Keys::ask(resolver, &wanted.chain_keys, CHAIN_MAX).await;
        let arc = Subject::chain(&subject, resolver, keys).await;
        Evidence {
            spf,
            signatures,
            arc,
            authors,
            unclear_author: from.unclear,
            named: from.named.into_iter().map(|domain| Named { domain, ours: false }).collect(),
            is_relayed,
            connection: None,
            is_reported: false,
        }
    }
}

impl Body {
    fn finish(self) -> Vec<u8> {
        let (hasher, _) = self.hasher.finish();
        hasher.complete().as_ref().to_vec()
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

/// All domains that any reader might show as the author's. None at all is as unclear as several (RFC 5322 3.6): then a Sender is
/// shown, or whatever else there is.
fn from(header: &[u8]) -> From {
    let mut found = From::default();
    let fields: Vec<_> = header_fields(header).filter(|field| field.is("From")).collect();
    for field in fields.iter().take(AUTHORS_MAX) {
        let mut raw = field.raw.to_vec();
        raw.extend_from_slice(b"\r\n");
        for address in facts(&raw).envelope.from {
            // The markers of a group have none.
            for shown in [&address.name, &address.mailbox].into_iter().flatten() {
                names::gather(&decode_header(shown), &mut found.named);
            }
            let Some(host) = address.host else { continue };
            let host = String::from_utf8_lossy(&host).into_owned();
            match ascii_domain(&host).filter(|host| host.contains('.')) {
                Some(domain) if found.domains.contains(&domain) => {}
                Some(domain) => found.domains.push(domain),
                None => found.unclear = true,
            }
        }
    }
    found.unclear |= fields.len() > 1 || found.domains.is_empty() || found.domains.len() > AUTHORS_MAX;
    found.named.retain(|named| !found.domains.contains(named));
    found.domains.truncate(AUTHORS_MAX);
    found
}

#[cfg(test)]
pub(crate) mod tests;
