//! Which lists of addresses that mail is unwanted from (DNSBL, RFC 5782) an address is on.
//!
//! Invariants: evidence only; only what a list says of that address is believed: silence, a broken name server, an answer that no list
//! gives (a resolver that leads elsewhere, 127.255.255.x of a list that does not want to be asked) and a list that has everybody on it
//! (RFC 5782 5) are no evidence, and never keep mail for longer than [`ANSWER_MAX`]; nobody is told of addresses that are not public;
//! a list that fails is left alone for a while. What was answered is kept by the [`Resolver`], as long as the list lets it.

#[cfg(test)]
mod tests;

use crate::scan::breaker::Breaker;
use crate::{DnsError, Resolver, is_near};
use futures_util::future::join_all;
use metrics::{counter, gauge};
use model::DomainName;
use model::connection::{ListAnswer, Listing, list_answer, list_question};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For all that one list is asked about a message; all lists are asked at once, beside everything else.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Messages that one list is asked about at once; as many wait for their turn.
const PLACES: usize = 64;
/// Lists asked about one message: two domains' policies.
const LISTS_MAX: usize = 32;
/// Lists whose failures are kept in mind: those that were ever in a policy.
const KEPT_MAX: usize = 1_000;
/// An address that no list has (RFC 5782 5).
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address that every list has (RFC 5782 5).
const EVERYBODYS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// How a list answers about the two addresses that are there to try it out (RFC 5782 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListTrial {
    /// As lists do.
    Sound,
    /// It has not the entry that every list has.
    Empty,
    /// As no list does, or it has everybody on it.
    Unbelievable,
}

/// Asks lists. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BlockLists {
    resolver: Resolver,
    breakers: Arc<Mutex<HashMap<String, Arc<Breaker>>>>,
}

impl BlockLists {
    #[must_use]
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, breakers: Arc::default() }
    }

    /// Those of `zones` that have this address, in their order; all that can be found out in time.
    pub async fn with(&self, address: IpAddr, zones: &[DomainName]) -> Vec<Listing> {
        if is_near(address) {
            return Vec::new();
        }
        let resolver = &self.resolver.for_message();
        let asked = zones.iter().take(LISTS_MAX).map(|zone| self.ask(resolver, zone.as_str(), address));
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// Does a list answer, and as lists do? For administrators; nothing of it is kept.
    ///
    /// # Errors
    /// When it cannot be found out.
    pub async fn try_out(&self, zone: &DomainName) -> Result<ListTrial, DnsError> {
        Ok(match look(&self.resolver, zone.as_str(), EVERYBODYS).await? {
            ListAnswer::Listed(_) => ListTrial::Sound,
            ListAnswer::NotListed => ListTrial::Empty,
            ListAnswer::Unbelievable => ListTrial::Unbelievable,
        })
    }

    async fn ask(&self, resolver: &Resolver, zone: &str, address: IpAddr) -> Option<Listing> {
        let (breaker, deadline) = (self.breaker(zone), Instant::now() + ANSWER_MAX);
        let Ok(Some(leave)) = tokio::time::timeout_at(deadline, breaker.enter()).await else {
            count(zone, "not_asked");
            return None;
        };
        let answer = tokio::time::timeout_at(deadline, look(resolver, zone, address)).await;
        let was_down = breaker.is_open();
        let (result, listing) = match answer {
            Ok(Ok(ListAnswer::Listed(codes))) => ("listed", Some(Listing { zone: zone.to_owned(), codes })),
            Ok(Ok(ListAnswer::NotListed)) => ("not_listed", None),
            Ok(Ok(ListAnswer::Unbelievable)) => ("not_believed", None),
            Ok(Err(_)) | Err(_) => ("failed", None),
        };
        count(zone, result);
        leave.end(!matches!(result, "not_believed" | "failed"));
        say_state(zone, (was_down, breaker.is_open()), result);
        listing
    }

    fn breaker(&self, zone: &str) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        if breakers.len() >= KEPT_MAX && !breakers.contains_key(zone) {
            breakers.clear();
        }
        Arc::clone(breakers.entry(zone.to_owned()).or_insert_with(|| Arc::new(Breaker::new(PLACES))))
    }
}

/// What a list says of an address. One that lists what none may is asked in vain.
async fn look(resolver: &Resolver, zone: &str, address: IpAddr) -> Result<ListAnswer, DnsError> {
    let found = list_answer(&answers(resolver, zone, address).await?);
    if matches!(found, ListAnswer::Listed(_)) && !answers(resolver, zone, NOBODY).await?.is_empty() {
        return Ok(ListAnswer::Unbelievable);
    }
    Ok(found)
}

async fn answers(resolver: &Resolver, zone: &str, address: IpAddr) -> Result<Vec<Ipv4Addr>, DnsError> {
    let found = resolver.addresses_four(&list_question(address, zone)).await?;
    let four = |address: IpAddr| match address {
        IpAddr::V4(four) => Some(four),
        IpAddr::V6(_) => None,
    };
    Ok(found.into_iter().filter_map(four).collect())
}

fn count(zone: &str, result: &'static str) {
    counter!("congthu_dnsbl_total", "zone" => zone.to_owned(), "result" => result).increment(1);
}

fn say_state(zone: &str, state: (bool, bool), result: &'static str) {
    match state {
        (false, true) => {
            gauge!("congthu_dnsbl_down", "zone" => zone.to_owned()).set(1);
            tracing::warn!(
                zone,
                result,
                "a list of addresses gives no answer that counts, and is not asked for a while"
            );
        }
        (true, false) => {
            gauge!("congthu_dnsbl_down", "zone" => zone.to_owned()).set(0);
            tracing::info!(zone, "a list of addresses answers again");
        }
        _ => {}
    }
}
