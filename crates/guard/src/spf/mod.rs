//! May this server send for that domain: SPF (RFC 7208).
//!
//! Our own, as what libraries have keeps neither the limit of empty answers nor the one of a single record, and is not to be
//! told whose name servers to ask. Invariants: no more than [`TERMS_MAX`] terms are followed, [`VOIDS_MAX`] empty answers taken
//! and [`HOSTS_MAX`] hosts of one term asked for; all of it ends within [`TIME_MAX`]; name servers that do not answer are never
//! "no".

mod macros;
mod record;

use crate::Resolver;
use crate::dns::DnsError;
use macros::{Spec, Values};
use model::admission::{Outcome, Spf};
use record::{Masks, Mechanism, Record, is_record};
use std::net::IpAddr;
use std::time::Duration;

/// Terms that ask name servers (RFC 7208 4.6.4).
const TERMS_MAX: u32 = 10;
/// Answers that name nothing (RFC 7208 4.6.4).
const VOIDS_MAX: u32 = 2;
/// Hosts of one `mx`, and names of one address (RFC 7208 4.6.4).
const HOSTS_MAX: usize = 10;
/// RFC 7208 4.6.4: at least 20 seconds.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Characters and labels of a domain that can have a record at all (RFC 7208 4.3).
const DOMAIN_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Whose right to send is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// Of the server that brings the mail.
    pub ip: IpAddr,
    /// What it calls itself.
    pub helo: &'a str,
    /// The reverse-path; `None` for the null one.
    pub path: Option<&'a str>,
}

/// Nothing more is to be looked at.
enum Stop {
    Temp,
    Perm,
}

type Found<T> = Result<T, Stop>;

struct Check<'a> {
    resolver: &'a Resolver,
    ip: IpAddr,
    helo: &'a str,
    local: String,
    origin: String,
    terms: u32,
    voids: u32,
    /// `%{p}`, once it was asked for.
    validated: Option<String>,
}

impl Resolver {
    /// Looks at the reverse-path, of a null one at the name of the greeting (RFC 7208 2.4).
    pub async fn spf(&self, sender: Sender<'_>) -> Spf {
        let path = sender.path.filter(|path| !path.is_empty());
        let (local, domain) = match path {
            Some(path) => path.rsplit_once('@').unwrap_or(("", path)),
            None => ("", sender.helo),
        };
        let of_helo = path.is_none();
        let domain = domain.trim_end_matches('.');
        let Some(domain) = crate::ascii_domain(domain).filter(|domain| is_full_name(domain)) else {
            return Spf { outcome: Outcome::None, domain: String::new(), of_helo };
        };
        let mut check = Check {
            resolver: self,
            ip: sender.ip.to_canonical(),
            helo: sender.helo,
            // RFC 7208 4.3
            local: if local.is_empty() { "postmaster".to_owned() } else { local.to_owned() },
            origin: domain.clone(),
            terms: 0,
            voids: 0,
            validated: None,
        };
        let outcome = match tokio::time::timeout(TIME_MAX, check.host(domain.clone())).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Stop::Perm)) => Outcome::PermError,
            Ok(Err(Stop::Temp)) | Err(_) => Outcome::TempError,
        };
        Spf { outcome, domain, of_helo }
    }
}

/// RFC 7208 4.3: of several labels, none too long.
fn is_full_name(domain: &str) -> bool {
    let fits = |label: &str| !label.is_empty() && label.len() <= LABEL_MAX;
    domain.contains('.') && domain.len() <= DOMAIN_MAX && domain.split('.').all(fits)
}

impl Check<'_> {
    /// RFC 7208 4: `check_host()`. Its depth is bounded by the terms that may be followed.
    async fn host(&mut self, domain: String) -> Found<Outcome> {
        let Some(record) = self.record(&domain).await? else { return Ok(Outcome::None) };
        for (outcome, mechanism) in &record.directives {
            if self.matches(mechanism, &domain).await? {
                return Ok(*outcome);
            }
        }
        let Some(redirect) = &record.redirect else { return Ok(Outcome::Neutral) };
        self.term()?;
        let target = self.name(Some(redirect), &domain).await;
        match Box::pin(self.host(target)).await? {
            // RFC 7208 6.1
            Outcome::None => Err(Stop::Perm),
            outcome => Ok(outcome),
        }
    }

    /// RFC 7208 4.4, 4.5.
    async fn record(&mut self, domain: &str) -> Found<Option<Record>> {
        let texts = match self.resolver.texts(domain).await {
            Ok(texts) => texts,
            Err(DnsError::BadName(_)) => return Ok(None),
            Err(_) => return Err(Stop::Temp),
        };
        let mut records = texts.iter().filter(|text| is_record(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(record), None) => Record::read(record).map(Some).ok_or(Stop::Perm),
            (Some(_), Some(_)) => Err(Stop::Perm),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Found<bool> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, bits) => Ok(within(self.ip, IpAddr::V4(*network), *bits)),
            Mechanism::Ip6(network, bits) => Ok(within(self.ip, IpAddr::V6(*network), *bits)),
            Mechanism::Include(spec) => self.includes(spec, domain).await,
            Mechanism::A(spec, masks) => {
                self.term()?;
                let host = self.name(spec.as_ref(), domain).await;
                let found = self.addresses(&host).await?;
                self.count_void(found.is_empty())?;
                Ok(self.is_among(&found, *masks))
            }
            Mechanism::Mx(spec, masks) => self.is_exchange(spec.as_ref(), *masks, domain).await,
            Mechanism::Ptr(spec) => {
                self.term()?;
                let target = self.name(spec.as_ref(), domain).await;
                let names = self.validated_names(&target).await?;
                Ok(names.iter().any(|name| is_below(name, &target)))
            }
            Mechanism::Exists(spec) => {
                self.term()?;
                let host = self.name(Some(spec), domain).await;
                // RFC 7208 5.7: by IPv4, whatever the client has.
                let found = self.answered(self.resolver.addresses_four(&host).await)?;
                self.count_void(found.is_empty())?;
                Ok(!found.is_empty())
            }
        }
    }

    /// RFC 7208 5.2.
    async fn includes(&mut self, spec: &Spec, domain: &str) -> Found<bool> {
        self.term()?;
        let target = self.name(Some(spec), domain).await;
        match Box::pin(self.host(target)).await? {
            Outcome::Pass => Ok(true),
            Outcome::None => Err(Stop::Perm),
            _ => Ok(false),
        }
    }

    /// RFC 7208 5.4.
    async fn is_exchange(&mut self, spec: Option<&Spec>, masks: Masks, domain: &str) -> Found<bool> {
        self.term()?;
        let target = self.name(spec, domain).await;
        let exchanges = self.answered(self.resolver.exchanges(&target).await)?;
        self.count_void(exchanges.is_empty())?;
        if exchanges.len() > HOSTS_MAX {
            return Err(Stop::Perm);
        }
        for exchange in exchanges.iter().filter(|exchange| !exchange.host.is_empty()) {
            let found = self.addresses(&exchange.host).await?;
            if self.is_among(&found, masks) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names of the address that lead back to it (RFC 7208 5.5), those below `target` first asked.
    async fn validated_names(&mut self, target: &str) -> Found<Vec<String>> {
        // RFC 7208 5.5: name servers that cannot say are no match.
        let Ok(mut names) = self.resolver.names(self.ip).await else { return Ok(Vec::new()) };
        self.count_void(names.is_empty())?;
        names.truncate(HOSTS_MAX);
        names.sort_by_key(|name| !is_below(name, target));
        let mut validated = Vec::new();
        for name in names {
            let addresses = match self.ip {
                IpAddr::V4(_) => self.resolver.addresses_four(&name).await,
                IpAddr::V6(_) => self.resolver.addresses_six(&name).await,
            };
            if addresses.is_ok_and(|addresses| addresses.contains(&self.ip)) {
                validated.push(name);
            }
        }
        Ok(validated)
    }

    /// One more term that asks name servers.
    fn term(&mut self) -> Found<()> {
        self.terms += 1;
        if self.terms > TERMS_MAX { Err(Stop::Perm) } else { Ok(()) }
    }

    fn count_void(&mut self, is_void: bool) -> Found<()> {
        self.voids += u32::from(is_void);
        if self.voids > VOIDS_MAX { Err(Stop::Perm) } else { Ok(()) }
    }

    /// The name that a term is about.
    async fn name(&mut self, spec: Option<&Spec>, domain: &str) -> String {
        let Some(spec) = spec else { return domain.to_owned() };
        if spec.needs_validated() && self.validated.is_none() {
            let names = self.validated_names(domain).await.unwrap_or_default();
            let same = names.iter().find(|name| name.eq_ignore_ascii_case(domain));
            // RFC 7208 7.3: the domain itself, one below it, any, or "unknown".
            let best = same.or(names.first()).cloned();
            self.validated = Some(best.unwrap_or_else(|| "unknown".to_owned()));
        }
        spec.name(&Values {
            local: &self.local,
            origin: &self.origin,
            domain,
            ip: self.ip,
            helo: self.helo,
            validated: self.validated.as_deref().unwrap_or("unknown"),
        })
    }

    async fn addresses(&self, host: &str) -> Found<Vec<IpAddr>> {
        self.answered(match self.ip {
            IpAddr::V4(_) => self.resolver.addresses_four(host).await,
            IpAddr::V6(_) => self.resolver.addresses_six(host).await,
        })
    }

    /// What no name server could be asked for is not there (RFC 7208 4.8).
    fn answered<T>(&self, answer: Result<Vec<T>, DnsError>) -> Found<Vec<T>> {
        match answer {
            Ok(found) => Ok(found),
            Err(DnsError::BadName(_)) => Ok(Vec::new()),
            Err(_) => Err(Stop::Temp),
        }
    }

    fn is_among(&self, addresses: &[IpAddr], masks: Masks) -> bool {
        let bits = if self.ip.is_ipv4() { masks.four } else { masks.six };
        addresses.iter().any(|address| within(self.ip, *address, bits))
    }
}

/// Does the address lie in this network?
fn within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let dropped = width.saturating_sub(bits);
        // A shift by the whole width is none.
        (a ^ b).checked_shr(dropped).unwrap_or(0) == 0
    };
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

/// Is it this name, or one below it?
fn is_below(name: &str, target: &str) -> bool {
    let (name, target) =
        (name.trim_end_matches('.').to_lowercase(), target.trim_end_matches('.').to_lowercase());
    name.strip_suffix(&target).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
