//! Names: does the hostname lead here, do its addresses say the hostname, does the mail of each domain come here.

use super::Findings;
use super::database::Found;
use crate::config::Config;
use guard::{Exchange, Resolver, is_public};
use model::DomainName;
use std::net::IpAddr;

/// Domains that are asked for: a check is to end while its reader waits.
const DOMAINS_MAX: usize = 50;

pub(super) async fn look(config: &Config, found: &Found, findings: &mut Findings) {
    let domains = &found.domains;
    let resolver = match crate::outbound::resolver(config) {
        Ok(resolver) => resolver,
        Err(error) => {
            return findings.error("dns", format!("{error:#}"), "set [dns], or /etc/resolv.conf");
        }
    };
    super::proofs::look(&resolver, config, findings).await;
    let hostname = config.hostname();
    let addresses = host(&resolver, &hostname, findings).await;
    for address in &addresses {
        pointer(&resolver, &hostname, *address, findings).await;
    }
    let policy = config.mta_sts();
    let asker = policy.as_ref().and_then(|_| crate::outbound::policies(config, &resolver).ok());
    let look = async |domain: &DomainName, findings: &mut Findings| {
        exchanges(&resolver, domain.as_str(), &hostname, &addresses, findings).await;
        if let (Some(policy), Some((sts, _))) = (&policy, &asker) {
            super::policy_records::look((&resolver, sts), policy, domain.as_str(), findings).await;
        }
    };
    findings.of_each(domains.iter().take(DOMAINS_MAX), look).await;
    super::sender_records::look(&resolver, (config, found), &addresses, findings).await;
    super::address_lists::look(&resolver, found, findings).await;
    let look = async |(domain, key): &(String, engine::DkimKeyRow), findings: &mut Findings| {
        signature(&resolver, domain, key, findings).await;
    };
    findings.of_each(found.keys.iter().take(2 * DOMAINS_MAX), look).await;
    if domains.len() > DOMAINS_MAX {
        findings
            .ok("dns", format!("only the first {DOMAINS_MAX} of {} domains were looked at", domains.len()));
    }
}

/// A key that signs and that nobody finds makes mail look forged.
async fn signature(resolver: &Resolver, domain: &str, key: &engine::DkimKeyRow, findings: &mut Findings) {
    let name = format!("{}._domainkey.{domain}", key.selector);
    let mend = format!("publish what congthu dkim dns {domain} prints");
    match (key_is_published(resolver, domain, key).await, key.state.as_str()) {
        (Ok(true), _) => findings.ok("dkim", format!("{name} is published")),
        (Ok(false), "signing") => {
            findings.error(
                "dkim",
                format!("{name} signs, and is not published, or its record says another key"),
                mend,
            );
        }
        (Ok(false), _) => findings.warn("dkim", format!("{name} waits, and is not published"), mend),
        (Err(error), _) => findings.warn("dkim", format!("{name}: {error}"), "try again later"),
    }
}

/// Does a record of the domain name system have this key?
///
/// # Errors
/// When it cannot be found out.
pub(crate) async fn key_is_published(
    resolver: &Resolver,
    domain: &str,
    key: &engine::DkimKeyRow,
) -> Result<bool, guard::DnsError> {
    let texts = resolver.texts(&format!("{}._domainkey.{domain}", key.selector)).await?;
    // Others may fold it and add tags; the key is what counts.
    let has = |text: &Vec<u8>| {
        let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_whitespace()).collect();
        text.split(';').any(|tag| tag == format!("p={}", key.public))
    };
    Ok(texts.iter().any(has))
}

async fn host(resolver: &Resolver, hostname: &str, findings: &mut Findings) -> Vec<IpAddr> {
    if !hostname.contains('.') {
        let what = format!("the hostname {hostname} is no full name");
        findings.error(
            "dns",
            what,
            "set hostname to the name that MX records name, such as mail.demo.gov.vn",
        );
        return Vec::new();
    }
    match resolver.addresses(hostname).await {
        Err(error) => {
            findings.error("dns", format!("{hostname}: {error}"), "check [dns] servers or /etc/resolv.conf");
            Vec::new()
        }
        Ok(none) if none.is_empty() => {
            let mend = "add A and AAAA records with this server's addresses";
            findings.error("dns", format!("{hostname} has no address"), mend);
            none
        }
        Ok(addresses) => {
            findings.ok("dns", format!("{hostname} is at {}", join(&addresses)));
            addresses
        }
    }
}

async fn pointer(resolver: &Resolver, hostname: &str, address: IpAddr, findings: &mut Findings) {
    if !is_public(address) {
        let what = format!("{hostname} is at {address}, which other networks cannot reach");
        return findings.warn("dns", what, "right behind address translation or for tests only");
    }
    let mend = format!(
        "let the provider of the address set its PTR record to {hostname}: others refuse mail without"
    );
    match resolver.names(address).await {
        Err(error) => findings.warn("dns", format!("PTR of {address}: {error}"), "try again later"),
        Ok(names) if names.iter().any(|name| name.eq_ignore_ascii_case(hostname)) => {
            findings.ok("dns", format!("the PTR record of {address} says {hostname}"));
        }
        Ok(names) if names.is_empty() => findings.warn("dns", format!("{address} has no PTR record"), mend),
        Ok(names) => {
            findings.warn("dns", format!("the PTR record of {address} says {}", names.join(", ")), mend);
        }
    }
}

async fn exchanges(
    resolver: &Resolver,
    domain: &str,
    hostname: &str,
    ours: &[IpAddr],
    findings: &mut Findings,
) {
    let mend = format!("set {domain} MX 10 {hostname}");
    match resolver.exchanges(domain).await {
        Err(error) => {
            findings.error("dns", format!("MX of {domain}: {error}"), "check the domain's name servers");
        }
        Ok(none) if none.is_empty() => {
            findings.error("dns", format!("{domain} has no MX record: its mail does not come here"), mend);
        }
        Ok(exchanges) => {
            for exchange in &exchanges {
                if leads_here(resolver, exchange, hostname, ours).await {
                    return findings
                        .ok("dns", format!("the mail of {domain} comes here, by {}", exchange.host));
                }
            }
            let hosts: Vec<_> = exchanges.iter().map(|exchange| exchange.host.as_str()).collect();
            let what = format!("the mail of {domain} goes to {}, not here", hosts.join(", "));
            findings.warn("dns", what, format!("{mend}, unless a relay there passes it on"));
        }
    }
}

/// By name, or by another name of the same addresses.
async fn leads_here(resolver: &Resolver, exchange: &Exchange, hostname: &str, ours: &[IpAddr]) -> bool {
    if exchange.host.eq_ignore_ascii_case(hostname) {
        return true;
    }
    if exchange.host.is_empty() {
        return false;
    }
    let addresses = resolver.addresses(&exchange.host).await.unwrap_or_default();
    addresses.iter().any(|address| ours.contains(address))
}

fn join(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
