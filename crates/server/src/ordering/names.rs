//! Which certificates there are to be: of the server's own names, and of the names by which programs look for the settings of each
//! domain, as far as those lead here.
//!
//! Invariants: an authority is never asked to vouch for a name that leads elsewhere; what cannot be found out now is as it was found
//! last, so that name servers that are down change nothing.

use crate::config::Config;
use engine::WantedCertificate;
use guard::{DnsError, Resolver, ascii_domain};
use model::DomainName;
use std::collections::HashMap;
use std::net::IpAddr;

/// Domains whose names are looked for: each is a certificate of its own.
const DOMAINS_MAX: usize = 200;
/// Questions in a row that nobody answers: then it is our own name servers that are away.
const SILENCES_MAX: u32 = 3;

type Found = Result<Vec<IpAddr>, DnsError>;

/// Who says where hosts are.
trait Addresses {
    fn of(&self, host: &str) -> impl Future<Output = Found> + Send;
}

impl Addresses for Option<&Resolver> {
    async fn of(&self, host: &str) -> Found {
        match self {
            Some(resolver) => Ok(resolver.host(host).await?.addresses),
            None => Err(DnsError::Silence),
        }
    }
}

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Names {
    lead_here: HashMap<String, bool>,
}

impl Names {
    /// With what the name servers say now; none of the domains' names where `[acme]` says its names itself.
    pub(crate) async fn wanted(
        &mut self,
        config: &Config,
        domains: &[DomainName],
        resolver: Option<&Resolver>,
    ) -> Vec<WantedCertificate> {
        let main = config.main_certificate();
        if config.acme.has_names() {
            return vec![main];
        }
        let mta_sts = config.mta_sts().is_some();
        let of_domains = self.of_domains((&config.host(), &main), domains, mta_sts, &resolver).await;
        std::iter::once(main).chain(of_domains).collect()
    }

    async fn of_domains(
        &mut self,
        (host, main): (&str, &WantedCertificate),
        domains: &[DomainName],
        mta_sts: bool,
        addresses: &impl Addresses,
    ) -> Vec<WantedCertificate> {
        let own = addresses.of(host).await.unwrap_or_default();
        // Name servers that do not answer are not asked for every name; those of one domain may be away.
        let mut silences = if own.is_empty() { SILENCES_MAX } else { 0 };
        let mut wanted = Vec::new();
        for domain in domains.iter().take(DOMAINS_MAX) {
            let Some(ascii) = ascii_domain(domain.as_str()) else { continue };
            let mut names = Vec::new();
            for name in service_names(&ascii, mta_sts) {
                if silences < SILENCES_MAX {
                    match addresses.of(&name).await {
                        Ok(found) => {
                            let leads = found.iter().any(|address| own.contains(address));
                            self.lead_here.insert(name.clone(), leads);
                            silences = 0;
                        }
                        Err(DnsError::Silence) => silences += 1,
                        Err(_) => silences = 0,
                    }
                }
                if self.lead_here.get(&name).copied().unwrap_or(false) && !main.names.contains(&name) {
                    names.push(name);
                }
            }
            if !names.is_empty() {
                wanted.push(WantedCertificate::new(&ascii, names));
            }
        }
        wanted
    }
}

/// By which programs and other servers look for a domain's settings: docs/operations/set-up.md.
fn service_names(domain: &str, mta_sts: bool) -> Vec<String> {
    let kinds = ["autoconfig", "autodiscover"].into_iter().chain(mta_sts.then_some("mta-sts"));
    kinds.map(|kind| format!("{kind}.{domain}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const OURS: [u8; 4] = [192, 0, 2, 1];

    /// What name servers say, and how often they were asked.
    #[derive(Default)]
    struct Zone(Mutex<(HashMap<&'static str, Found>, usize)>);

    impl Zone {
        fn say(&self, host: &'static str, answer: Found) {
            self.0.lock().unwrap().0.insert(host, answer);
        }
    }

    impl Addresses for Zone {
        async fn of(&self, host: &str) -> Found {
            let mut zone = self.0.lock().unwrap();
            zone.1 += 1;
            zone.0.get(host).cloned().unwrap_or(Ok(Vec::new()))
        }
    }

    const HOST: &str = "mail.a.vn";

    fn main() -> WantedCertificate {
        WantedCertificate::new("main", [HOST.to_owned()])
    }

    fn shown(wanted: &[WantedCertificate]) -> Vec<String> {
        wanted.iter().map(|one| format!("{}: {}", one.label, one.names.join(" "))).collect()
    }

    #[tokio::test]
    async fn a_domains_names_are_in_one_certificate_as_far_as_they_lead_here() {
        let zone = Zone::default();
        let ours = || Ok(vec![IpAddr::from(OURS)]);
        for host in [HOST, "mta-sts.a.vn", "mta-sts.b.vn"] {
            zone.say(host, ours());
        }
        zone.say("autoconfig.a.vn", Ok(vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from(OURS)]));
        zone.say("autodiscover.a.vn", Ok(vec![IpAddr::from([192, 0, 2, 9])]));
        let domains = ["a.vn", "b.vn", "c.vn"].map(|domain| DomainName::new(domain).unwrap());
        let mut names = Names::default();
        let with = shown(&names.of_domains((HOST, &main()), &domains, true, &zone).await);
        assert_eq!(with, ["a.vn: autoconfig.a.vn mta-sts.a.vn", "b.vn: mta-sts.b.vn"]);
        let without = shown(&names.of_domains((HOST, &main()), &domains, false, &zone).await);
        assert_eq!(without, ["a.vn: autoconfig.a.vn"]);
        // What cannot be said now is as it was; what leads elsewhere by now is not wanted any more.
        zone.say("mta-sts.a.vn", Err(DnsError::Failure("SERVFAIL".to_owned())));
        zone.say("mta-sts.b.vn", Ok(Vec::new()));
        let then = shown(&names.of_domains((HOST, &main()), &domains, true, &zone).await);
        assert_eq!(then, ["a.vn: autoconfig.a.vn mta-sts.a.vn"]);
        // Name servers that are silent are asked once.
        zone.say(HOST, Err(DnsError::Silence));
        zone.0.lock().unwrap().1 = 0;
        assert_eq!(shown(&names.of_domains((HOST, &main()), &domains, true, &zone).await), then);
        assert_eq!(zone.0.lock().unwrap().1, 1);
        assert_eq!(names.of_domains((HOST, &main()), &[], true, &zone).await, []);
    }

    #[tokio::test]
    async fn names_that_are_said_are_all_there_are() {
        let config = |more: &str| {
            Config::parse(&format!("hostname = 'mail.a.vn'\n[acme]\ndirectory = 'https://ca/'\n{more}"), "x")
                .unwrap()
        };
        let domain = [DomainName::new("a.vn").unwrap()];
        let wanted = Names::default().wanted(&config("names = ['mta-sts.a.vn']"), &domain, None).await;
        assert_eq!(shown(&wanted), ["main: mail.a.vn mta-sts.a.vn"]);
        assert_eq!(shown(&Names::default().wanted(&config(""), &domain, None).await), ["main: mail.a.vn"]);
    }
}
