//! How well a connection has to be protected: what the administrator wants, what the domain publishes.
//!
//! Invariants: DANE outweighs MTA-STS (RFC 8461 2), and either outweighs what the administrator demands but for where they demand
//! less: a key or a host that the domain itself proves is as good as a certificate for its name; a policy that cannot be found out although it may be there sends nothing (RFC 7672 2.1.2).

use super::route::{Origin, Stop, Way};
use super::seen::{Flaw, Rule};
use guard::{DnsError, Found, Mode, MtaSts, Resolver, Tlsa};
use model::queue::{Answer, Status};
use proto::tlsrpt::ResultType;
use std::sync::Arc;

/// What the administrator wants of mail to a domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// TLS where it is offered and works, whoever's certificate it is; else in the clear (RFC 7435). What the domain publishes
    /// (DANE, MTA-STS) is kept.
    #[default]
    Opportunistic,
    /// TLS, with any certificate.
    Required,
    /// TLS, with a certificate that is valid for the configured host or for the domain, or what the domain proves to be its
    /// server: by a key (DANE), or by a host that its MTA-STS policy names, with a certificate for that.
    Verified,
    /// Never TLS: for a relay on the same machine.
    None,
}

/// What one host has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Security {
    None,
    Opportunistic,
    Required,
    /// A valid certificate for one of these names.
    Names(Vec<String>),
    /// One of these keys (RFC 7672); the names are for those of authorities.
    Keys {
        keys: Arc<[Tlsa]>,
        names: Vec<String>,
    },
}

impl Security {
    /// Is nothing to be sent without TLS?
    pub(super) fn is_strict(&self) -> bool {
        !matches!(self, Self::None | Self::Opportunistic)
    }
}

/// What is known of a host before it is dialled.
#[derive(Debug)]
pub(super) struct Weighed {
    /// What it has to show; an error says why it cannot be used now.
    pub(super) security: Result<Security, Answer>,
    /// By what its sessions are judged; `None`: they are not told of.
    pub(super) rule: Option<Rule>,
}

/// What `host` has to show on the way to `domain`, by the administrator alone.
fn demanded(domain: &str, way: &Way, host: &Stop) -> Weighed {
    let security = match (way.demand, way.origin) {
        (Demand::None, _) => Security::None,
        (Demand::Verified, Origin::Configured) => Security::Names(vec![host.name.clone()]),
        (Demand::Verified, _) => Security::Names(names_within(domain, &host.name)),
        (Demand::Required, _) => Security::Required,
        (Demand::Opportunistic, _) => Security::Opportunistic,
    };
    Weighed { security: Ok(security), rule: None }
}

/// What `host` has to show whoever brings `domain` a report of its TLS, for which what is published does not hold (RFC 8460 3). Hosts
/// that only DANE or MTA-STS prove to be the domain's would never get one, so any certificate will do where they have to prove it.
pub(super) fn demanded_for_reports(domain: &str, way: &Way, host: &Stop) -> Weighed {
    match (way.demand, way.origin) {
        (Demand::Verified, Origin::Exchange) => Weighed { security: Ok(Security::Required), rule: None },
        _ => demanded(domain, way, host),
    }
}

/// What `host` has to show on the way to `domain`, by what is published, too. `is_watched`: somebody is told of the sessions.
pub(super) async fn weigh(
    domain: &str,
    way: &Way,
    host: &Stop,
    (resolver, sts): (&Resolver, &MtaSts),
    is_watched: bool,
) -> Weighed {
    let demanded = demanded(domain, way, host);
    let base = match &demanded.security {
        Ok(base) if way.origin == Origin::Exchange && *base != Security::None => base.clone(),
        _ => return demanded,
    };
    match keys(domain, host, resolver).await {
        Ok(None) => {
            let found = sts.policy(domain).await;
            let rule = is_watched.then(|| Rule::of_sts(domain, &found, &host.name));
            Weighed { security: by_sts(base, host, &found), rule }
        }
        Ok(Some(published)) => {
            let keys = is_watched.then(|| published.keys.clone());
            let security = dane(domain, host, published);
            let unusable = security == Security::Required;
            let broken = unusable.then_some(Flaw::of(ResultType::TlsaInvalid));
            let rule = keys.map(|keys| Rule::of_keys(domain, &keys, broken));
            Weighed { security: Ok(stronger(base, security)), rule }
        }
        // RFC 7672 2.1.2: somebody may be hiding them.
        Err(error) => {
            let text = format!("the keys of {} cannot be found out: {error}", host.name);
            // RFC 8460 4.3.4: silence says nothing.
            let is_told = is_watched && matches!(error, DnsError::Failure(_));
            let broken = Some(Flaw::of(ResultType::DnssecInvalid));
            let rule = is_told.then(|| Rule::of_keys(domain, &[], broken));
            Weighed { security: Err(Answer::ours(Status(4, 7, 5), text)), rule }
        }
    }
}

fn by_sts(base: Security, host: &Stop, found: &Found) -> Result<Security, Answer> {
    let Some(policy) = found.policy.as_ref().filter(|policy| policy.mode != Mode::None) else {
        return Ok(base);
    };
    match (policy.mode, policy.allows(&host.name)) {
        // RFC 8461 5
        (Mode::Enforce, true) => Ok(stronger(base, Security::Names(vec![host.name.clone()]))),
        (Mode::Enforce, false) => {
            let text = format!("{} is none of the hosts that the domain's MTA-STS policy names", host.name);
            Err(Answer::ours(Status(4, 7, 8), text))
        }
        (Mode::Testing | Mode::None, allowed) => {
            tracing::debug!(host = host.name, allowed, "MTA-STS is being tested by the domain");
            Ok(base)
        }
    }
}

/// What is proven of a host.
struct Published {
    keys: Vec<Tlsa>,
    /// Its name behind its aliases.
    canonical: String,
}

/// The proven keys of a host; `None` where there are none to be had. What was answered without proof is not used.
async fn keys(domain: &str, host: &Stop, resolver: &Resolver) -> Result<Option<Published>, DnsError> {
    // RFC 7672 2.2.1, 2.2.2: from the domain to the address all has to be proven.
    if !resolver.exchange_is_proven(domain, &host.name).await? {
        return Ok(None);
    }
    let Some(canonical) = resolver.proven_name(&host.name).await? else { return Ok(None) };
    let mut keys = resolver.keys(&canonical, host.port).await?;
    if keys.is_empty() && canonical != host.name {
        keys = resolver.keys(&host.name, host.port).await?;
    }
    Ok((!keys.is_empty()).then_some(Published { keys, canonical }))
}

fn dane(domain: &str, host: &Stop, published: Published) -> Security {
    let usable: Arc<[Tlsa]> = published.keys.into_iter().filter(|key| key.key_of().is_some()).collect();
    if usable.is_empty() {
        // RFC 7672 2.2: there are some, so there is TLS; but nothing to check it with.
        return Security::Required;
    }
    // RFC 7672 3.2.2
    let mut names = vec![host.name.clone(), published.canonical, domain.to_owned()];
    names.dedup();
    Security::Keys { keys: usable, names }
}

/// What is published never lessens what the administrator wants.
fn stronger(base: Security, published: Security) -> Security {
    match (&base, &published) {
        (Security::Names(_), Security::Required) => base,
        _ => published,
    }
}

/// Who reads the answers of the domain name system on the way can name any host: so it must be one of the domain's own.
fn names_within(domain: &str, host: &str) -> Vec<String> {
    let inside = host == domain || host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    let mut names = vec![domain.to_owned()];
    if inside && host != domain {
        names.push(host.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_outside_the_domain_proves_nothing() {
        assert_eq!(names_within("b.vn", "mx.b.vn"), ["b.vn", "mx.b.vn"]);
        assert_eq!(names_within("b.vn", "b.vn"), ["b.vn"]);
        assert_eq!(names_within("b.vn", "mx.evil-b.vn"), ["b.vn"]);
        assert_eq!(names_within("b.vn", "evilb.vn"), ["b.vn"]);
    }

    #[test]
    fn unusable_keys_still_ask_for_tls() {
        let host = Stop { name: "mx.b.vn".into(), port: 25, addresses: vec![] };
        let key = |usage| Tlsa { usage, selector: 1, matching: 1, data: vec![0; 32] };
        let published = |keys| Published { keys, canonical: "mx.b.vn".into() };
        assert_eq!(dane("b.vn", &host, published(vec![key(0), key(1), key(9)])), Security::Required);
        let Security::Keys { keys, names } = dane("b.vn", &host, published(vec![key(0), key(3)])) else {
            panic!("no keys")
        };
        assert_eq!((keys.len(), names), (1, vec!["mx.b.vn".to_owned(), "b.vn".to_owned()]));
        let names = || Security::Names(vec!["b.vn".into()]);
        assert_eq!(stronger(names(), Security::Required), names());
        assert_eq!(stronger(Security::Opportunistic, Security::Required), Security::Required);
    }
}
