//! From the configuration to what opens connections to other servers.

use crate::config::{Config, HostPort, RouteTls};
use anyhow::{Context as _, Result, anyhow, ensure};
use engine::Engine;
use guard::{Doing, MtaSts, Poster, Resolver, Shelf, Shelved, TrustAnchors};
use model::Rng;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use smtp::Scrutiny;
use smtp::out::{Carrier, Demand, Limits, Relay, Route, Settings};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Where mail servers listen (RFC 5321 4.5.4.2).
const SMTP_PORT: u16 = 25;
/// A name server that does not answer.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// Where policies of domains are (RFC 8461 3.3).
const HTTPS_PORT: u16 = 443;

/// Whom all names of others are asked of.
///
/// # Errors
/// When the machine's name servers are not known, or the keys of a root of one's own cannot be read.
pub(crate) fn resolver(config: &Config) -> Result<Resolver> {
    let servers: Vec<_> = config.dns_servers.iter().map(|server| server.0).collect();
    let resolver = match &config.dns_anchors {
        Some(file) => Resolver::with_anchors(&servers, anchors(file)?),
        None => Resolver::new(&servers),
    };
    let resolver = resolver.context("the name servers; see [dns]")?;
    Ok(if config.dnssec { resolver } else { resolver.without_proofs() })
}

/// Without a key nothing could be proven, and every domain would look as if it had signed nothing.
fn anchors(file: &Path) -> Result<TrustAnchors> {
    let read = TrustAnchors::from_file(file).map_err(|error| anyhow!("{error}"));
    let anchors = read.with_context(|| format!("{}; see anchors in [dns]", file.display()))?;
    ensure!(!anchors.is_empty(), "{} has no key of the root; see anchors in [dns]", file.display());
    Ok(anchors)
}

/// Lets jobs ask for what domains want to be told, and tell them.
pub(crate) fn let_ask(engine: &Engine, config: &Config) {
    let resolver = match resolver(config) {
        Ok(resolver) => resolver,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "no domain is told what was seen of it");
            return;
        }
    };
    engine.use_resolver(resolver.clone());
    let roots = Arc::new(authorities(&config.outbound.authorities));
    match Poster::new(resolver, roots, config.outbound.allow_private) {
        Ok(poster) => engine.use_poster(poster),
        Err(error) => tracing::error!(%error, "no report is taken to a web server"),
    }
}

/// What looks at mail of strangers; `None` where it is not to be looked at.
///
/// # Errors
/// When the cryptographic library refuses its own defaults.
pub(crate) fn scrutiny(config: &Config) -> Result<Option<Scrutiny>> {
    if !config.authentication.check {
        return Ok(None);
    }
    // Without name servers nothing can be found out, and mail that might be forged waits.
    let found = resolver(config).or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "mail of strangers cannot be verified");
        Resolver::new(&[NOBODY])
    });
    Ok(Some(Scrutiny::new(found?, &config.authentication.trusted_relays)))
}

/// What opens connections to the servers of other domains.
///
/// # Errors
/// When the machine's name servers are not known, or the cryptographic library refuses its own defaults.
pub(crate) fn carrier(config: &Config, engine: &Engine, rng: Arc<dyn Rng>) -> Result<Carrier> {
    let resolver = resolver(config)?;
    let (sts, roots) = policies(config, &resolver)?;
    let allow_private = config.outbound.allow_private;
    let sts = sts.with_shelf(Arc::new(PolicyShelf(engine.clone())));
    let route = |route: &crate::config::Route| Route {
        domain: route.domain.clone(),
        relay: route.host.as_ref().map(relay),
        demand: match route.tls {
            RouteTls::Opportunistic => Demand::Opportunistic,
            RouteTls::Required => Demand::Required,
            RouteTls::Verified => Demand::Verified,
            RouteTls::None => Demand::None,
        },
    };
    let settings = Settings {
        hostname: config.hostname(),
        port: SMTP_PORT,
        listens: config.mail_doors(),
        sources: config.outbound.sources.clone(),
        allow_private,
        smart_host: config.smart_host.as_ref().map(relay),
        routes: config.routes.iter().map(route).collect(),
        limits: Limits::default(),
    };
    let carrier = Carrier::new(settings, resolver, sts, &roots, rng);
    Ok(if config.outbound.tls_reports { carrier.with_watcher(Arc::new(engine.clone())) } else { carrier })
}

/// What asks domains for their policies (MTA-STS), and which authorities it believes.
///
/// # Errors
/// When the cryptographic library refuses its own defaults.
pub(crate) fn policies(config: &Config, resolver: &Resolver) -> Result<(MtaSts, Arc<RootCertStore>)> {
    let roots = Arc::new(authorities(&config.outbound.authorities));
    let allow_private = config.outbound.allow_private;
    let sts = MtaSts::new(resolver.clone(), Arc::clone(&roots), HTTPS_PORT, allow_private)?;
    Ok((sts, roots))
}

/// Policies of domains in the database, for all nodes.
struct PolicyShelf(Engine);

impl std::fmt::Debug for PolicyShelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicyShelf")
    }
}

impl Shelf for PolicyShelf {
    fn find<'a>(&'a self, domain: &'a str) -> Doing<'a, Option<Shelved>> {
        Box::pin(async move {
            let found = self.0.mta_sts(domain).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "whether a policy is known could not be looked up");
                None
            });
            found.map(|(id, text, left)| Shelved { id, text, left })
        })
    }

    fn put<'a>(&'a self, domain: &'a str, policy: Shelved) -> Doing<'a, ()> {
        Box::pin(async move {
            let row = (policy.id.as_str(), policy.text.as_str(), policy.left);
            if let Err(error) = self.0.put_mta_sts(domain, row).await {
                tracing::warn!(%error, "a policy is known to this process alone");
            }
        })
    }
}

fn relay(host: &HostPort) -> Relay {
    let name = host.host.trim_start_matches('[').trim_end_matches(']');
    Relay { host: name.to_owned(), port: host.port }
}

/// Without any, nothing can be verified, and what has to be waits; all other mail goes on.
pub(crate) fn authorities(file: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    match CertificateDer::pem_file_iter(file) {
        Ok(certificates) => {
            let (added, passed_over) = roots.add_parsable_certificates(certificates.flatten());
            tracing::debug!(added, passed_over, "authorities that vouch for other servers");
        }
        Err(error) => tracing::warn!(
            file = %file.display(), %error,
            "no authorities: certificates of other servers cannot be verified; see authorities in [outbound]"
        ),
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_root_of_ones_own() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("root.key");
        let of = |text: &str| {
            std::fs::write(&file, text).unwrap();
            anchors(&file).map(|anchors| anchors.len()).map_err(|error| format!("{error:#}"))
        };
        let key = "IN DNSKEY 257 3 13 1FzwqBHaFS+s5v3jirLNSI/2ZDbauVjtSXAj2sIlqan8eSdkS3uCkIvIcKmOKSm9GHPHux7qv6waiwpQRFvsXQ==";
        assert_eq!(of(&format!("; the root's\n. {key} ;{{id = 1}}\n")), Ok(1));
        for (text, says) in [
            ("", "has no key of the root"),
            (&format!("gov.vn. {key}\n"), "has no key of the root"),
            (". IN DNSKEY 257\n", "see anchors in [dns]"),
            (". IN A 192.0.2.1\n", "see anchors in [dns]"),
        ] {
            let why = of(text).unwrap_err();
            assert!(why.contains(says) && why.contains("root.key"), "{text}: {why}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(anchors(&file).is_err(), "nobody goes on with the Internet's root instead");
    }
}
