//! Policies by which a domain asks for verified TLS on mail to it (MTA-STS, RFC 8461).
//!
//! Invariants: a policy comes only over HTTPS from a verified server, at most [`POLICY_OCTETS_MAX`] of it; once known it holds for
//! as long as it said, whatever the domain name system says meanwhile (RFC 8461 10.2: who is on the way could take the hint
//! away, not the policy); a domain whose policy cannot be fetched is not asked again at once.

mod fetch;
mod shelf;

use crate::dns::{DnsError, Resolver};
use crate::https::{Https, logged};
pub use fetch::FetchError;
use fetch::Fetcher;
pub use shelf::{Doing, Shelf, Shelved};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// RFC 8461 3.3: senders may bound it so.
const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// RFC 8461 3.2: a year and some hours.
const MAX_AGE_MOST: u64 = 31_557_600;
/// After a policy could not be fetched (RFC 8461 3.3: five minutes or longer).
const FETCH_REST: Duration = Duration::from_mins(5);
/// Domains whose policy is remembered: of some hundred octets each, of whoever fills all that is read some 80 KB.
const DOMAINS_MAX: usize = 10_000;
/// Patterns of one policy that are believed; the largest providers have a dozen.
const PATTERNS_MAX: usize = 100;
/// Octets of a policy that are repeated to its domain in reports (RFC 8460 4.5), and lines, each of which costs memory of its own: real
/// ones have some hundred in a dozen, and all that is believed has three lines and [`PATTERNS_MAX`].
const REPEATED_OCTETS_MAX: usize = 2 * 1024;
const REPEATED_LINES_MAX: usize = 120;

/// What a domain asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    /// Names, or `*.` and a name, in small letters.
    mx: Vec<String>,
    max_age: Duration,
    /// As it was published; of a long one the beginning.
    lines: Vec<String>,
    /// So many of `mx` stand in `lines`.
    repeated_mx: usize,
}

/// What is known of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What holds.
    pub policy: Option<Arc<Policy>>,
    /// The domain says that there is a policy, or a newer one, and why it is not to be had.
    pub trouble: Option<Trouble>,
}

/// Why a policy is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody hands it out.
    Fetch,
    /// What is handed out is none.
    Invalid,
    /// Whoever hands it out does not show that he is the domain's.
    Unverified,
}

/// What follows when a host does not keep the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It gets no mail.
    Enforce,
    /// It gets mail, and the domain wants to hear of it.
    Testing,
    /// Nothing.
    None,
}

impl Policy {
    /// RFC 8461 3.2; `None` when it is not valid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut version, mut mode, mut max_age, mut mx) = (false, None, None, Vec::new());
        let (mut lines, mut octets, mut repeated_mx) = (Vec::new(), 0, 0);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once(':')?;
            let value = value.trim();
            octets += line.len();
            let is_repeated = octets <= REPEATED_OCTETS_MAX && lines.len() < REPEATED_LINES_MAX;
            if is_repeated {
                lines.push(line.chars().filter(|c| !c.is_control()).collect());
            }
            match key.trim() {
                "version" if value == "STSv1" => version = true,
                "version" => return None,
                // RFC 8461 3.2: of what may stand once only the first counts.
                "mode" if mode.is_none() => {
                    mode = Some(match value {
                        "enforce" => Mode::Enforce,
                        "testing" => Mode::Testing,
                        "none" => Mode::None,
                        _ => return None,
                    });
                }
                "max_age" if max_age.is_none() => {
                    max_age = Some(value.parse::<u64>().ok()?.min(MAX_AGE_MOST));
                }
                // What is no text is no name, and no database keeps it.
                "mx" if mx.len() < PATTERNS_MAX && !value.contains(char::is_control) => {
                    mx.push(value.trim_end_matches('.').to_ascii_lowercase());
                    repeated_mx += usize::from(is_repeated);
                }
                _ => {}
            }
        }
        let (mode, max_age) = (mode?, Duration::from_secs(max_age?));
        let is_whole = version && (mode == Mode::None || !mx.is_empty());
        is_whole.then_some(Self { mode, mx, max_age, lines, repeated_mx })
    }

    /// May mail go to this host (RFC 8461 4.1)? A star stands for one label, the first.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(rest) => host.split_once('.').is_some_and(|(first, tail)| !first.is_empty() && tail == rest),
            None => *pattern == host,
        })
    }

    /// Names, or `*.` and a name, of the hosts that mail may go to: those that stand in [`Policy::lines`].
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        self.mx.get(..self.repeated_mx).unwrap_or_default()
    }

    /// As it was published, 2 KB in 120 lines at most.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// Asks for policies, and remembers them.
#[derive(Debug)]
pub struct MtaSts {
    resolver: Resolver,
    fetcher: Fetcher,
    kept: Mutex<HashMap<String, Kept>>,
    /// Where policies outlive the process; `None`: nowhere.
    shelf: Option<Arc<dyn Shelf>>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// Of the policy, or where there is none of the one that could not be fetched.
    id: String,
    policy: Option<Arc<Policy>>,
    /// Why the last one could not be had.
    trouble: Option<Trouble>,
    /// The policy holds until then.
    until: Instant,
    /// Nothing is fetched before then.
    rests: Instant,
}

impl MtaSts {
    /// `roots` verify the servers that policies come from; `allow_private`: as in [`crate::is_public`]. `port` is 443.
    ///
    /// # Errors
    /// When the cryptographic library refuses its own defaults.
    pub fn new(
        resolver: Resolver,
        roots: Arc<rustls::RootCertStore>,
        port: u16,
        allow_private: bool,
    ) -> Result<Self, rustls::Error> {
        let https = Https::new(resolver.clone(), roots, allow_private)?;
        let fetcher = Fetcher { https, port };
        Ok(Self { resolver, fetcher, kept: Mutex::default(), shelf: None })
    }

    /// With somewhere to put policies where a restart does not lose them.
    #[must_use]
    pub fn with_shelf(self, shelf: Arc<dyn Shelf>) -> Self {
        Self { shelf: Some(shelf), ..self }
    }

    /// The policy that holds for mail to `domain`; none when there is none, or none was ever to be had.
    pub async fn policy(&self, domain: &str) -> Found {
        let kept = match self.known(domain) {
            Some(kept) => Some(kept),
            None => self.shelved(domain).await,
        };
        let id = match self.resolver.texts(&format!("_mta-sts.{domain}")).await {
            Ok(texts) => id(&texts),
            Err(DnsError::BadName(_)) => return Found::default(),
            Err(_) => None,
        };
        let now = Instant::now();
        let valid = kept.as_ref().filter(|kept| kept.until > now).and_then(|kept| kept.policy.clone());
        let Some(id) = id else { return Found { policy: valid, trouble: None } };
        if let Some(kept) = &kept
            && (kept.rests > now || (kept.id == id && valid.is_some()))
        {
            let trouble = kept.trouble.filter(|_| kept.rests > now);
            return Found { policy: valid, trouble };
        }
        let fetched = self.fetcher.fetch(domain).await;
        let read =
            |text: String| Policy::parse(&text).map(|policy| (policy, text)).ok_or(FetchError::NoPolicy);
        match fetched.and_then(read) {
            Ok((policy, text)) => {
                let policy = Arc::new(policy);
                self.shelve(domain, Shelved { id: id.clone(), text, left: policy.max_age }).await;
                let until = now + policy.max_age;
                let kept = Kept { id, policy: Some(Arc::clone(&policy)), trouble: None, until, rests: now };
                self.keep(domain, kept);
                Found { policy: Some(policy), trouble: None }
            }
            Err(why) => {
                tracing::info!(
                    domain,
                    why = logged(&why),
                    "the domain's MTA-STS policy could not be fetched"
                );
                let trouble = why.trouble();
                // What holds keeps its own id: the new one is fetched when the rest is over.
                let (id, until) = match kept {
                    Some(kept) if valid.is_some() => (kept.id, kept.until),
                    _ => (id, now),
                };
                let (policy, rests, trouble) = (valid.clone(), now + FETCH_REST, Some(trouble));
                self.keep(domain, Kept { id, policy, trouble, until, rests });
                Found { policy: valid, trouble }
            }
        }
    }

    /// What the domain's server says now (RFC 8461 3.3), whatever is announced or known.
    ///
    /// # Errors
    /// When it could not be had.
    pub async fn fetch(&self, domain: &str) -> Result<String, FetchError> {
        self.fetcher.fetch(domain).await
    }

    fn known(&self, domain: &str) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    fn keep(&self, domain: &str, policy: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= DOMAINS_MAX && !kept.contains_key(domain) {
            let soonest = kept.iter().min_by_key(|(_, kept)| kept.until.max(kept.rests));
            if let Some(soonest) = soonest.map(|(domain, _)| domain.clone()) {
                kept.remove(&soonest);
            }
        }
        kept.insert(domain.to_owned(), policy);
    }
}

/// RFC 8461 3.1: of the one record that begins with the version.
fn id(texts: &[Vec<u8>]) -> Option<String> {
    let mut found = texts.iter().filter_map(|text| std::str::from_utf8(text).ok()?.strip_prefix("v=STSv1"));
    let (Some(rest), None) = (found.next(), found.next()) else { return None };
    let mut fields = rest.strip_prefix([';', ' '])?.split(';');
    let id = fields.find_map(|field| field.trim().strip_prefix("id="))?.trim();
    let fits = (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| id.to_owned())
}

#[cfg(test)]
mod tests;
