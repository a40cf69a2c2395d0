//! From a domain to the servers that take its mail, in the order they are tried (RFC 5321 5.1).
//!
//! Invariants: never to ourselves, nor to a host of a preference as bad as ours (loops); never to an address that is not
//! public, unless the administrator named it or allows such; "there is none" ends a delivery, where nobody signed that or it is
//! proven; "it could not be found out" only puts it off.

use super::demand::Demand;
use super::envelope::NoWay;
use super::limits::{HOSTS_MAX, Limits};
use futures_util::future::join_all;
use guard::{DnsError, Exchange, Host, Resolver, is_public};
use model::Rng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What the administrator has set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name: said in EHLO, and never delivered to.
    pub hostname: String,
    /// Where servers listen: 25.
    pub port: u16,
    /// Where we do, at all of the machine's addresses (unspecified) or one: whatever leads there comes back to us.
    pub listens: Vec<SocketAddr>,
    /// Addresses of ours that connections come from, one per family; none: as the machine likes.
    pub sources: Vec<IpAddr>,
    /// Private and loopback addresses that strangers publish are delivered to.
    pub allow_private: bool,
    /// Takes all mail that no route is for.
    pub smart_host: Option<Relay>,
    pub routes: Vec<Route>,
    pub limits: Limits,
}

impl Settings {
    /// Domains and hosts as everybody writes them (A-labels), however the administrator did.
    pub(super) fn spell_domains(&mut self) {
        for route in &mut self.routes {
            let below = route.domain.strip_prefix('.').map(|domain| format!(".{}", spelt(domain)));
            route.domain = below.unwrap_or_else(|| spelt(&route.domain));
        }
        let relays = self.routes.iter_mut().filter_map(|route| route.relay.as_mut());
        for relay in relays.chain(self.smart_host.as_mut()) {
            if relay.host.parse::<IpAddr>().is_err() {
                relay.host = spelt(&relay.host);
            }
        }
    }
}

/// A domain in small letters of ASCII, where it is one; address literals and what is no domain stay as they are.
pub(super) fn spelt(domain: &str) -> String {
    let domain = domain.trim_end_matches('.').to_lowercase();
    if domain.is_ascii() { domain } else { guard::ascii_domain(&domain).unwrap_or(domain) }
}

/// A server that the administrator names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
}

/// How mail for a domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// A domain, or `.` and a domain for all below it; in small letters.
    pub domain: String,
    /// `None`: to its own servers.
    pub relay: Option<Relay>,
    pub demand: Demand,
}

/// Who named the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Configured,
    /// The domain, by MX or by its own address.
    Exchange,
    /// The sender, as an address literal.
    Literal,
}

/// Where mail for a domain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// In the order they are tried; each has an address.
    pub(super) hosts: Vec<Stop>,
    pub(super) origin: Origin,
    pub(super) demand: Demand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) addresses: Vec<IpAddr>,
}

/// Finds where mail for `domain` goes.
pub(super) async fn find(
    domain: &str,
    settings: &Settings,
    resolver: &Resolver,
    rng: &dyn Rng,
) -> Result<Way, NoWay> {
    let domain = spelt(domain);
    let route = configured(&domain, &settings.routes);
    let demand = route.map_or(Demand::default(), |route| route.demand);
    let relay = match route {
        Some(route) => route.relay.as_ref(),
        None => settings.smart_host.as_ref(),
    };
    if let Some(relay) = relay {
        let host = relayed(relay, resolver).await?;
        return Ok(Way { hosts: vec![host], origin: Origin::Configured, demand });
    }
    if let Some(literal) = domain.strip_prefix('[') {
        let host = literal_host(literal, settings)?;
        return Ok(Way { hosts: vec![host], origin: Origin::Literal, demand });
    }
    let hosts = exchanges(&domain, settings, resolver, rng).await?;
    Ok(Way { hosts, origin: Origin::Exchange, demand })
}

/// The route of the domain itself, else that of the nearest one above it.
fn configured<'a>(domain: &str, routes: &'a [Route]) -> Option<&'a Route> {
    let is_for = |route: &&Route| match route.domain.starts_with('.') {
        true => domain.ends_with(&route.domain),
        false => domain == route.domain,
    };
    let key = |route: &&Route| (!route.domain.starts_with('.'), route.domain.len());
    routes.iter().filter(is_for).max_by_key(key)
}

/// The administrator's mistake is no reason to give mail up.
async fn relayed(relay: &Relay, resolver: &Resolver) -> Result<Stop, NoWay> {
    let stop = |addresses| Stop { name: relay.host.clone(), port: relay.port, addresses };
    if let Ok(address) = relay.host.parse() {
        return Ok(stop(vec![address]));
    }
    match resolver.host(&relay.host).await {
        Ok(found) if found.addresses.is_empty() => {
            Err(NoWay::later((4, 4), format!("{}, to which our mail goes, has no address", relay.host)))
        }
        Ok(found) => Ok(stop(found.addresses)),
        Err(error) => Err(NoWay::later((4, 3), format!("{}: {error}", relay.host))),
    }
}

/// RFC 5321 4.1.3
fn literal_host(literal: &str, settings: &Settings) -> Result<Stop, NoWay> {
    let inside = literal.strip_suffix(']').unwrap_or_default();
    let parsed = match inside.strip_prefix("ipv6:") {
        Some(six) => six.parse().map(IpAddr::V6).ok(),
        None => inside.parse().map(IpAddr::V4).ok(),
    };
    let name = format!("[{literal}");
    match parsed {
        None => Err(NoWay::never((1, 3), format!("{name} is no address"))),
        Some(address) if !settings.allow_private && !is_public(address) => {
            Err(NoWay::never((4, 4), format!("{name} is not an address of the public network")))
        }
        Some(address) if is_our_address(address, settings) => Err(loops(&name)),
        Some(address) => Ok(Stop { name, port: settings.port, addresses: vec![address] }),
    }
}

async fn exchanges(
    domain: &str,
    settings: &Settings,
    resolver: &Resolver,
    rng: &dyn Rng,
) -> Result<Vec<Stop>, NoWay> {
    let found = resolver.exchanges(domain).await.map_err(|error| unknown(domain, &error))?;
    let mut asked = Vec::new();
    match chosen(domain, &found, &mut asked, (settings, resolver, rng)).await {
        Err(NoWay::Never(answer)) => {
            let hosts: Vec<_> = asked.iter().map(|(host, of)| (host.as_str(), of.as_slice())).collect();
            // RFC 7672 2.1.2: nobody on the way may have mail given up by an answer that is not the domain's.
            let verified = resolver.verify_way(domain, &found, &hosts).await;
            Err(verified.map_or_else(|error| unknown(domain, &error), |()| NoWay::Never(answer)))
        }
        found => found,
    }
}

/// Of those that the domain has named; `asked`: hosts, and the addresses that they are said to have.
async fn chosen(
    domain: &str,
    found: &[Exchange],
    asked: &mut Vec<(String, Vec<IpAddr>)>,
    (settings, resolver, rng): (&Settings, &Resolver, &dyn Rng),
) -> Result<Vec<Stop>, NoWay> {
    let mut named = named(domain, found)?;
    cut_at_ourselves(&mut named, |exchange| is_ours(&exchange.host, settings));
    if named.is_empty() {
        return Err(loops(domain));
    }
    shuffle(&mut named, rng);
    let are_more = named.len() > HOSTS_MAX;
    named.truncate(HOSTS_MAX);
    let answers = join_all(named.iter().map(|exchange| resolver.host(&exchange.host))).await;
    let mut hosts: Vec<(Exchange, Result<Host, DnsError>)> = named.into_iter().zip(answers).collect();
    let known = hosts.iter().filter_map(|(exchange, answer)| Some((exchange, answer.as_ref().ok()?)));
    asked.extend(known.map(|(exchange, host)| (exchange.host.clone(), host.addresses.clone())));
    // An alias of ours, or another name of our address (RFC 5321 5.1).
    let is_us = |host: &Host| {
        is_ours(&host.name, settings)
            || host.addresses.iter().any(|address| is_our_address(*address, settings))
    };
    let ours = |answer: &Result<Host, DnsError>| answer.as_ref().is_ok_and(is_us);
    let worst =
        hosts.iter().filter(|(_, answer)| ours(answer)).map(|(exchange, _)| exchange.preference).min();
    hosts.retain(|(exchange, _)| worst.is_none_or(|worst| exchange.preference < worst));
    if hosts.is_empty() {
        return Err(loops(domain));
    }
    match reachable(domain, found.is_empty(), hosts, settings) {
        // There are others, which another time may be among those that are tried.
        Err(NoWay::Never(answer)) if are_more => Err(NoWay::later((4, 4), answer.text)),
        reached => reached,
    }
}

/// The hosts that take a domain's mail: itself, where it names none.
fn named(domain: &str, found: &[Exchange]) -> Result<Vec<Exchange>, NoWay> {
    if found.is_empty() {
        return Ok(vec![Exchange { preference: 0, host: domain.to_owned() }]);
    }
    // RFC 7505 3: a name without a host is no host; nothing else says that mail is not wanted.
    let hosts: Vec<_> = found.iter().filter(|exchange| !exchange.host.is_empty()).cloned().collect();
    match hosts.is_empty() {
        true => Err(NoWay::never((1, 10), format!("{domain} takes no mail (null MX)"))),
        false => Ok(hosts),
    }
}

/// Those that have an address one may go to.
fn reachable(
    domain: &str,
    implicit: bool,
    hosts: Vec<(Exchange, Result<Host, DnsError>)>,
    settings: &Settings,
) -> Result<Vec<Stop>, NoWay> {
    let (mut stops, mut trouble, mut private) = (Vec::new(), None, false);
    for (exchange, answer) in hosts {
        let mut found = match answer {
            Ok(found) => found,
            // A host whose name is none has no address, and will have none.
            Err(DnsError::BadName(_)) => continue,
            Err(error) => {
                trouble = Some(unknown(&exchange.host, &error));
                continue;
            }
        };
        let before = found.addresses.len();
        found.addresses.retain(|address| settings.allow_private || is_public(*address));
        private |= found.addresses.len() < before;
        if !found.addresses.is_empty() {
            stops.push(Stop { name: exchange.host, port: settings.port, addresses: found.addresses });
        }
    }
    match (stops.is_empty(), trouble) {
        (false, _) => Ok(stops),
        (true, Some(trouble)) => Err(trouble),
        (true, None) if private => Err(NoWay::never(
            (4, 4),
            format!("{domain} names only addresses that are not of the public network"),
        )),
        (true, None) if implicit => {
            Err(NoWay::never((1, 2), format!("there is no mail server for {domain}")))
        }
        (true, None) => Err(NoWay::never((4, 4), format!("the mail servers of {domain} have no address"))),
    }
}

/// RFC 5321 5.1: hosts of our own preference and of worse ones would only send it back.
fn cut_at_ourselves(named: &mut Vec<Exchange>, is_ours: impl Fn(&Exchange) -> bool) {
    let worst = named.iter().filter(|exchange| is_ours(exchange)).map(|exchange| exchange.preference).min();
    named.retain(|exchange| worst.is_none_or(|worst| exchange.preference < worst));
}

fn is_ours(host: &str, settings: &Settings) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case(&settings.hostname)
}

/// Do we take mail there? An address that is not gone to is nobody's.
fn is_our_address(address: IpAddr, settings: &Settings) -> bool {
    let is_that = |ours: &SocketAddr| {
        let any = ours.ip().is_unspecified() && ours.is_ipv4() == address.is_ipv4();
        ours.port() == settings.port && (ours.ip() == address || any && is_here(address))
    };
    (settings.allow_private || is_public(address)) && settings.listens.iter().any(is_that)
}

/// Whoever calls an address of his own machine calls from it. Nothing is sent.
fn is_here(address: IpAddr) -> bool {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

fn loops(domain: &str) -> NoWay {
    NoWay::never((4, 6), format!("mail for {domain} would come back to us: it names us as its server"))
}

fn unknown(name: &str, error: &DnsError) -> NoWay {
    match error {
        DnsError::BadName(_) => NoWay::never((1, 2), format!("{name} is not a domain")),
        error => NoWay::later((4, 3), format!("{name}: {error}")),
    }
}

/// By preference; within one, in any order (RFC 5321 5.1).
fn shuffle(named: &mut [Exchange], rng: &dyn Rng) {
    let mut dealt: Vec<(u16, u64, Exchange)> = Vec::new();
    for exchange in named.iter() {
        let mut dice = [0; 8];
        rng.fill(&mut dice);
        dealt.push((exchange.preference, u64::from_le_bytes(dice), exchange.clone()));
    }
    dealt.sort();
    for (place, (_, _, exchange)) in named.iter_mut().zip(dealt) {
        *place = exchange;
    }
}
