//! Certificates that are ordered by themselves: this node's part of the work, and taking into use what any node got.
//!
//! Invariants: nothing that goes wrong here ends the server or takes a certificate out of use; a private key goes from the database
//! to the TLS library and nowhere else.

mod names;

pub(crate) use names::Names;

use crate::config::{Acme, Config};
use crate::outbound;
use crate::tls::Certificates;
use anyhow::Result;
use engine::{Actor, CertificateOrders, Engine, WantedCertificate};
use guard::{AcmeAuthority, AcmeChallenge};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether something is to be ordered.
const TEND_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether names of domains lead here, each of which is a question.
const NAMES_EVERY: Duration = Duration::from_mins(10);
/// How late a node takes what another one got.
const TAKE_EVERY: Duration = Duration::from_secs(5);

/// Where certificates are ordered; none where they are not.
///
/// # Errors
/// When the cryptographic library refuses its own defaults.
pub(crate) fn orders(config: &Config) -> Result<Option<CertificateOrders>> {
    let Some(directory) = config.acme.directory() else { return Ok(None) };
    let roots = outbound::authorities(config.acme.authorities().unwrap_or(&config.outbound.authorities));
    Ok(Some(CertificateOrders {
        authority: AcmeAuthority::new(directory, roots)?,
        challenge: config.acme.challenge(),
        contact: config.acme.contact(),
        binding: config.acme.binding(),
    }))
}

/// What an authority is shown under TLS; none where it does not look there.
pub(crate) fn challenges(acme: &Acme, engine: &Engine) -> Option<web::Challenges> {
    if acme.directory().is_none() || acme.challenge() != AcmeChallenge::TlsAlpn01 {
        return None;
    }
    let engine = engine.clone();
    Some(Arc::new(move |host| {
        let engine = engine.clone();
        Box::pin(async move {
            let shown = engine.acme_shown(&host).await?;
            let made = guard::acme_challenge_config(&host, &shown);
            let config =
                made.inspect_err(|error| tracing::warn!(host, error, "an authority is shown nothing"));
            config.ok().map(Arc::new)
        })
    }))
}

/// Orders and takes into use until `stop`.
pub(crate) async fn run(
    orders: CertificateOrders,
    (config, engine, certificates): (Config, Engine, Arc<Certificates>),
    stop: CancellationToken,
) {
    let tend = async {
        let (mut names, mut wanted, mut looked) = (Names::default(), Vec::new(), None::<Instant>);
        loop {
            if looked.is_none_or(|at| at.elapsed() >= NAMES_EVERY) {
                wanted = look(&config, &engine, &mut names).await;
                looked = Some(Instant::now());
            }
            if let Err(error) = engine.tend_certificates(&orders, &wanted).await {
                tracing::warn!(%error, "certificates could not be looked after");
            }
            tokio::time::sleep(TEND_EVERY).await;
        }
    };
    let take = async {
        loop {
            take(&engine, &certificates).await;
            tokio::time::sleep(TAKE_EVERY).await;
        }
    };
    tokio::select! {
        () = tend => {}
        () = take => {}
        () = stop.cancelled() => {}
    }
}

/// Which certificates there are to be, as far as that can be found out now.
pub(crate) async fn look(config: &Config, engine: &Engine, names: &mut Names) -> Vec<WantedCertificate> {
    let domains = engine.domains(&Actor::system("acme")).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "of which domains certificates are wanted could not be read");
        Vec::new()
    });
    let domains: Vec<_> = domains.into_iter().map(|domain| domain.name).collect();
    names.wanted(config, &domains, outbound::resolver(config).ok().as_ref()).await
}

/// Takes into use what is in the database and not yet in use here.
pub(crate) async fn take(engine: &Engine, certificates: &Certificates) {
    let taken = async {
        if engine.certificates_in_use().await? == certificates.ordered() {
            return Ok(false);
        }
        certificates.take(&engine.certificates_with_keys().await?)?;
        anyhow::Ok(true)
    };
    match taken.await {
        Ok(true) => tracing::info!("certificates that were ordered are in use"),
        Ok(false) => {}
        Err(error) => tracing::warn!("the certificates in use stay: {error:#}"),
    }
}
