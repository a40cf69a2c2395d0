//! The signatures of one message (DKIM) and its seals (ARC): which are looked at, whose keys are wanted for it, and what comes out.
//!
//! Invariants: a stranger decides neither how many are checked ([`SIGNATURES_MAX`], [`LINKS_MAX`]) nor what one costs: the library
//! looks for each name of `h=` among all that came before it and among all fields ([`NAMES_MAX`]). It is done where nobody waits
//! for the thread, and asks nobody: a key that is not there is a temporary error.

use super::keys::Keys;
use crate::{Resolver, ascii_domain};
use futures_util::FutureExt as _;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::verify::VerifySignature as _;
use mail_auth::dkim::{DkimError, Signature as Field};
use mail_auth::{AuthenticatedMessage, DkimResult, Error, MessageAuthenticator, Parameters};
use model::admission::{Arc, Outcome, Signature};

/// Signatures of one message that are checked, those of its author's domain first: real mail has one to three.
pub(super) const SIGNATURES_MAX: usize = 8;
/// Links of a chain (RFC 8617 4.2.1 allows 50; lists of lists have three).
pub(super) const LINKS_MAX: usize = 10;
/// Names in `h=`: real signatures have ten to forty.
pub(super) const NAMES_MAX: usize = 200;

/// Names of the keys that are to be asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) keys: Vec<String>,
    pub(super) chain_keys: Vec<String>,
}

/// What there is to be checked.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) header: Vec<u8>,
    /// Of its body, as each signature wants it, in the library's order.
    pub(super) hashes: Vec<Vec<u8>>,
    pub(super) authors: Vec<String>,
}

impl Wanted {
    pub(super) fn of(mut message: AuthenticatedMessage<'_>, authors: &[String]) -> Self {
        choose(&mut message, authors);
        let keys = message.dkim_headers.iter().map(|signature| signature.header.domain_key()).collect();
        let mut chain_keys = Vec::new();
        if broken(&message).is_none() {
            chain_keys.extend(message.as_headers.iter().map(|seal| seal.header.domain_key()));
            chain_keys.extend(message.ams_headers.last().map(|signature| signature.header.domain_key()));
        }
        Self { keys, chain_keys }
    }
}

impl Subject {
    /// RFC 6376 6.1, with the keys of RFC 8463.
    pub(super) async fn signatures(
        subject: &std::sync::Arc<Self>,
        resolver: &Resolver,
        keys: Keys,
    ) -> Vec<Signature> {
        let library = MessageAuthenticator(resolver.plain.clone());
        aside(subject, move |subject| {
            let Some(mut message) = subject.message() else { return Vec::new() };
            let mut found = Vec::new();
            let unusable = choose(&mut message, &subject.authors);
            let checked = library.verify_dkim(Parameters::new(&message).with_txt_cache(&keys)).now_or_never();
            for output in checked.unwrap_or_default() {
                found.push(result(output.result(), output.signature()));
            }
            found.extend(unusable);
            found
        })
        .await
    }

    /// RFC 8617 5.2.
    pub(super) async fn chain(subject: &std::sync::Arc<Self>, resolver: &Resolver, keys: Keys) -> Arc {
        let library = MessageAuthenticator(resolver.plain.clone());
        aside(subject, move |subject| {
            let Some(message) = subject.message() else { return Arc::default() };
            if let Some(broken) = broken(&message) {
                return broken;
            }
            let sealed = message.as_headers.last().map(|seal| seal.header.d.to_ascii_lowercase());
            let checked = library.verify_arc(Parameters::new(&message).with_txt_cache(&keys)).now_or_never();
            let outcome = checked.map_or(Outcome::TempError, |checked| outcome(checked.result()).0);
            Arc { outcome, domain: sealed.unwrap_or_default(), links: message.as_headers.len() }
        })
        .await
    }

    /// With the hashes that were made of its body as it came.
    fn message(&self) -> Option<AuthenticatedMessage<'_>> {
        let mut message = AuthenticatedMessage::parse(&self.header)?;
        for (slot, hash) in message.body_hashes.iter_mut().zip(&self.hashes) {
            slot.3.clone_from(hash);
        }
        Some(message)
    }
}

/// Does it where nobody waits for the thread. Nothing is known of what made the library panic.
async fn aside<T: Default + Send + 'static>(
    subject: &std::sync::Arc<Subject>,
    work: impl FnOnce(&Subject) -> T + Send + 'static,
) -> T {
    let subject = std::sync::Arc::clone(subject);
    let done = tokio::task::spawn_blocking(move || work(&subject)).await;
    done.inspect_err(|error| tracing::error!(%error, "signatures could not be checked")).unwrap_or_default()
}

/// Leaves the signatures that are worth a question; the results of those that are none.
fn choose(message: &mut AuthenticatedMessage<'_>, authors: &[String]) -> Vec<Signature> {
    let is_authors = |domain: &str| authors.iter().any(|author| author.eq_ignore_ascii_case(domain));
    let signatures = &mut message.dkim_headers;
    signatures.sort_by_key(|signature| (flaw(&signature.header).is_some(), !is_authors(&signature.header.d)));
    signatures.truncate(SIGNATURES_MAX);
    message.errors.truncate(SIGNATURES_MAX);
    let unusable = |signature: &Field| flaw(signature).map(|why| named(signature, (Outcome::PermError, why)));
    let found = signatures.iter().filter_map(|signature| unusable(&signature.header)).collect();
    signatures.retain(|signature| flaw(&signature.header).is_none());
    for signature in signatures {
        // Neither reports nor permits to sign for others are asked for.
        (signature.header.r, signature.header.atps) = (false, None);
    }
    found
}

/// Why it is no signature, whatever its key says.
fn flaw(signature: &Field) -> Option<&'static str> {
    if signature.a == Algorithm::RsaSha1 {
        // RFC 8301 3.1
        return Some("rsa-sha1 is no longer a signature");
    }
    if signature.h.len() > NAMES_MAX {
        return Some("too many fields are signed");
    }
    // RFC 6376 6.1.1: what does not sign the author leaves it to anybody to put one in.
    let signs_author = signature.h.iter().any(|name| name.trim().eq_ignore_ascii_case("From"));
    (!signs_author).then_some("From is not signed")
}

fn named(signature: &Field, (outcome, why): (Outcome, &str)) -> Signature {
    let domain = ascii_domain(&signature.d).unwrap_or_default();
    Signature { outcome, domain, selector: signature.s.clone(), why: Some(why.to_owned()) }
}

/// A chain that is not followed.
fn broken(message: &AuthenticatedMessage<'_>) -> Option<Arc> {
    let links = message.as_headers.len();
    let signs_too_many = message.ams_headers.last().is_some_and(|last| last.header.h.len() > NAMES_MAX);
    let failed = Arc { outcome: Outcome::Fail, domain: String::new(), links };
    (links > LINKS_MAX || signs_too_many).then_some(failed)
}

fn result(result: &DkimResult, signature: Option<&Field>) -> Signature {
    let (outcome, why) = outcome(result);
    let mut found = signature.map(|signature| named(signature, (outcome, ""))).unwrap_or_default();
    (found.outcome, found.why) = (outcome, why);
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
