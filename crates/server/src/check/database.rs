//! The database: can it be reached, in which state is its schema, is it set so that nothing acknowledged is lost.

use super::{Findings, certificates, road_out, upkeep};
use crate::config::Config;
use crate::node::{self, Opened};
use crate::system::SystemClock;
use jiff::SignedDuration;
use model::connection::zones;
use model::{Address, Clock as _, DomainName};
use store::{DkimKeyRow, Inspection};

/// Two clocks further apart write events in the wrong order, and one of them is wrong for TLS and mail too.
const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(5);
/// With one of these off, what was acknowledged is lost when power or the kernel fails.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// What is to be looked for in the domain name system.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) domains: Vec<DomainName>,
    /// With their domains, those that sign or wait to.
    pub(super) keys: Vec<(String, DkimKeyRow)>,
    pub(super) reports: Vec<ReportsTo>,
    /// Lists of addresses that their policies name.
    pub(super) lists: Vec<DomainName>,
}

/// Who is told who sends in a domain's name.
#[derive(Debug)]
pub(super) struct ReportsTo {
    pub(super) domain: DomainName,
    pub(super) address: Address,
    /// Somebody's mailbox has the address.
    pub(super) receives: bool,
}

/// Domains whose sender records and contacts are looked at.
pub(super) const DOMAINS_MAX: usize = 50;

/// Also the domains and keys, where they could be read.
pub(super) async fn look(config: &Config, findings: &mut Findings) -> Found {
    let opened = match node::look(config).await {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            findings.warn("database", "there is none yet", "the first congthu serve makes it");
            return Found::default();
        }
        Err(error) => {
            findings.error("database", format!("{error:#}"), "");
            return Found::default();
        }
    };
    let found = look_at(config, &opened, findings).await;
    opened.close().await;
    found
}

async fn look_at(config: &Config, opened: &Opened, findings: &mut Findings) -> Found {
    let is_current = match store::inspect(opened.endpoint()).await {
        Ok(inspection) => {
            judge(&inspection, &opened.endpoint().to_string(), findings);
            inspection.pending.is_empty()
        }
        Err(error) => {
            findings.error("database", format!("{}: {error}", opened.endpoint()), "");
            return Found::default();
        }
    };
    match store::connect(opened.endpoint(), 0).await {
        Err(error) => {
            let what = format!("the server cannot act as {}: {error}", store::SERVER_ROLE);
            findings.error(
                "database",
                what,
                "run congthu migrate, which makes the roles or prints their SQL",
            );
            Found::default()
        }
        Ok(pools) => {
            let store = store::Store::new(pools.clone(), None);
            let domains = store.domains(&store::Reach { everything: true, ..Default::default() }).await;
            let keys = store.dkim_records().await;
            let (reports, lists) = policies(&store).await.unwrap_or_default();
            // Before the first migration there is no table; that was said above.
            let domains = domains.unwrap_or_default().into_iter().map(|domain| domain.name).collect();
            let found = Found { domains, keys: keys.unwrap_or_default(), reports, lists };
            let learns = config.scan.learner().is_some();
            if is_current && let Err(error) = upkeep::look(&store, (&found, learns), findings).await {
                findings.error("database", error.to_string(), "");
            }
            if is_current && let Err(error) = road_out::late(&store, findings).await {
                findings.error("database", error.to_string(), "");
            }
            if is_current
                && let Err(error) = certificates::look(config, &store, &found.domains, findings).await
            {
                findings.error("database", error.to_string(), "");
            }
            pools.close().await;
            found
        }
    }
}

/// What policies say of who is told and who is asked.
async fn policies(store: &store::Store) -> Result<(Vec<ReportsTo>, Vec<DomainName>), store::Error> {
    let (mut reports, mut lists) = (Vec::new(), Vec::new());
    for (id, domain) in store.domain_ids().await?.into_iter().take(DOMAINS_MAX) {
        let Some(version) = store.policy(id).await? else { continue };
        let address = format!("{}@{domain}", version.policy.contact.dmarc_reports);
        if let Ok(address) = address.parse() {
            let receives = store.party(&address).await?.is_some();
            reports.push(ReportsTo { domain, address, receives });
        }
        lists.extend(version.policy.inbound.lists);
    }
    Ok((reports, zones(&lists)))
}

fn judge(found: &Inspection, place: &str, findings: &mut Findings) {
    let Inspection { version, pending, .. } = found;
    if pending.is_empty() {
        findings.ok("database", format!("PostgreSQL {version} at {place}, its schema is this version's"));
    } else {
        let what = format!("PostgreSQL {version} at {place}, {} migrations are not applied", pending.len());
        findings.warn("database", what, "congthu migrate, or the next start of the server, applies them");
    }
    for name in DURABLE {
        let value = found.setting(name);
        if value == "off" {
            let mend = format!("alter system set {name} = on, then reload PostgreSQL");
            findings.error("database", format!("{name} is off: a power cut loses acknowledged mail"), mend);
        }
    }
    if DURABLE.iter().all(|name| found.setting(name) != "off") {
        findings.ok("database", format!("{} are on", DURABLE.join(", ")));
    }
    if found.setting("server_encoding") != "UTF8" {
        let what = format!("its encoding is {}", found.setting("server_encoding"));
        findings.error(
            "database",
            what,
            "make it anew: create database congthu encoding 'UTF8' template template0",
        );
    }
    if !matches!(found.collation.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8") {
        let what = format!("its collation is {}, which changes with the system's C library", found.collation);
        findings.warn(
            "database",
            what,
            "after such an upgrade: reindex database; new ones: template0 lc_collate 'C'",
        );
    }
    let connections = found.setting("max_connections").parse().unwrap_or(0);
    if connections < node::connections() {
        let what = format!("max_connections is {connections}, and one node needs {}", node::connections());
        findings.error("database", what, "alter system set max_connections = 100, then restart PostgreSQL");
    }
    let apart = found.now.duration_since(SystemClock.now()).abs();
    if apart > CLOCKS_APART_MAX {
        let what = format!("the database's clock says {}, this machine's {}", found.now, SystemClock.now());
        findings.error("clock", what, "let both be set by NTP");
    } else {
        findings.ok("clock", "agrees with the database's");
    }
}
