//! Where policies are put so that neither a restart nor another node forgets them (RFC 8461 10.2: whoever could keep a sender
//! from fetching a policy that he once knew would have him send in the clear).
//!
//! Invariant: what comes back from there is read anew, like what comes from a web server.

use super::{Kept, MtaSts, Policy};
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Octets of a policy that is put there: real ones have some hundred.
const SHELVED_OCTETS_MAX: usize = 8 * 1024;

/// A policy as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// What the domain's hint called it.
    pub id: String,
    pub text: String,
    /// For how long it holds yet.
    pub left: Duration,
}

/// What is to be done, some time.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps policies by domain. What fails there is told there.
pub trait Shelf: Debug + Send + Sync {
    /// The policy of a domain that still holds.
    fn find<'a>(&'a self, domain: &'a str) -> Doing<'a, Option<Shelved>>;

    /// In place of the one before, if there is one.
    fn put<'a>(&'a self, domain: &'a str, policy: Shelved) -> Doing<'a, ()>;
}

impl MtaSts {
    pub(super) async fn shelved(&self, domain: &str) -> Option<Kept> {
        let Shelved { id, text, left } = self.shelf.as_ref()?.find(domain).await?;
        let (policy, now) = (Policy::parse(&text)?, Instant::now());
        let until = now + left.min(policy.max_age);
        let kept = Kept { id, policy: Some(Arc::new(policy)), trouble: None, until, rests: now };
        self.keep(domain, kept.clone());
        Some(kept)
    }

    pub(super) async fn shelve(&self, domain: &str, policy: Shelved) {
        if let Some(shelf) = self.shelf.as_ref().filter(|_| policy.text.len() <= SHELVED_OCTETS_MAX) {
            shelf.put(domain, policy).await;
        }
    }
}
