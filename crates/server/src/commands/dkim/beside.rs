//! What a domain publishes besides its keys: where its mail goes, who sends in its name, and whom others tell (MX, SPF, DMARC, TLSRPT,
//! MTA-STS), so that whoever keeps its zone has all of it in one place.
//!
//! Invariant: nothing is looked up. What is printed is what this server needs, whatever is published; `congthu check` compares.

use crate::check::policy_id;
use crate::config::Config;
use guard::is_public;
use model::DomainName;
use serde_json::{Value, json};
use std::net::IpAddr;

/// A record of the domain name system.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    name: String,
    kind: &'static str,
    /// What it says, without the quotes of a zone file.
    says: String,
}

impl Record {
    fn text(name: impl Into<String>, says: impl Into<String>) -> Self {
        Self { name: name.into(), kind: "TXT", says: says.into() }
    }

    /// As a zone file has it.
    pub(super) fn line(&self) -> String {
        let Self { name, kind, says } = self;
        if *kind == "TXT" { format!("{name}. TXT \"{says}\"") } else { format!("{name}. {kind} {says}") }
    }

    pub(super) fn shown(&self) -> Value {
        json!({ "name": self.name, "type": self.kind, "record": self.says })
    }
}

/// All of a domain whose reports of DMARC go to the mailbox `reports`, a local part. A `hostname` that is no full name leads nowhere:
/// then what names it is left out, as is SPF where another server passes mail on, whose addresses only its owner knows.
pub(super) fn records(config: &Config, domain: &DomainName, reports: &str) -> Vec<Record> {
    let mut records = Vec::new();
    let host = Some(config.hostname()).filter(|host| host.contains('.'));
    if let Some(host) = &host {
        records.push(Record { name: domain.to_string(), kind: "MX", says: format!("10 {host}.") });
    }
    if let (Some(host), None) = (&host, &config.smart_host) {
        let spf = spf(&config.outbound.sources, host);
        records.push(Record::text(domain.as_str(), &spf));
        // What has no sender, such as a report, is the host's own (RFC 7208 2.4).
        if host != domain.as_str() {
            records.push(Record::text(host, spf));
        }
    }
    let dmarc = format!("v=DMARC1; p=none; rua=mailto:{reports}@{domain}");
    records.push(Record::text(format!("_dmarc.{domain}"), dmarc));
    let tls = format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}");
    records.push(Record::text(format!("_smtp._tls.{domain}"), tls));
    if let (Some(host), Some(policy)) = (&host, config.mta_sts()) {
        records.push(Record { name: format!("mta-sts.{domain}"), kind: "CNAME", says: format!("{host}.") });
        let announced = format!("v=STSv1; id={}", policy_id(&policy.document()));
        records.push(Record::text(format!("_mta-sts.{domain}"), announced));
    }
    records
}

/// The addresses that mail leaves from, as far as others see them; else those that the host has.
fn spf(sources: &[IpAddr], host: &str) -> String {
    let seen: Vec<String> = sources
        .iter()
        .filter(|source| is_public(**source))
        .map(|source| if source.is_ipv4() { format!("ip4:{source}") } else { format!("ip6:{source}") })
        .collect();
    let senders = if seen.is_empty() { format!("a:{host}") } else { seen.join(" ") };
    format!("v=spf1 {senders} -all")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let config = Config::parse(text, "test").unwrap();
        let domain = DomainName::new("a.vn").unwrap();
        records(&config, &domain, "dmarc-reports").iter().map(Record::line).collect()
    }

    #[test]
    fn all_that_a_domain_needs_is_printed() {
        let told = [
            "_dmarc.a.vn. TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@a.vn\"",
            "_smtp._tls.a.vn. TXT \"v=TLSRPTv1; rua=mailto:postmaster@a.vn\"",
        ];
        let host = "hostname = \"mail.a.vn\"\n";
        let mut expected = vec![
            "a.vn. MX 10 mail.a.vn.",
            "a.vn. TXT \"v=spf1 a:mail.a.vn -all\"",
            "mail.a.vn. TXT \"v=spf1 a:mail.a.vn -all\"",
        ];
        expected.extend(told);
        assert_eq!(lines(host), expected);
        // Another's addresses are not ours to know; a name that leads nowhere is told to nobody.
        let relayed = lines(&format!("{host}[outbound]\nsmart_host = \"relay.b.vn:25\"\n"));
        assert_eq!(relayed, [&["a.vn. MX 10 mail.a.vn."], &told[..]].concat());
        assert_eq!(lines("hostname = \"congthu\"\n[mta_sts]\nmode = \"enforce\"\n"), told);
    }

    #[test]
    fn spf_names_the_addresses_that_others_see() {
        let sources = |list: &str| lines(&format!("hostname = \"a.vn\"\n[outbound]\nsource = [{list}]\n"));
        let both = sources("\"203.113.1.1\", \"2001:ee0::1\"");
        assert_eq!(both[1], "a.vn. TXT \"v=spf1 ip4:203.113.1.1 ip6:2001:ee0::1 -all\"");
        assert!(both[2].starts_with("_dmarc."), "the host is the domain: {both:?}");
        for inside in ["\"10.0.0.1\"", "\"100.64.0.1\""] {
            assert_eq!(sources(inside)[1], "a.vn. TXT \"v=spf1 a:a.vn -all\"");
        }
    }

    #[test]
    fn the_policy_is_announced_by_the_id_that_check_wants() {
        let text = "hostname = \"mail.a.vn\"\n[mta_sts]\nmode = \"testing\"\n";
        let document = Config::parse(text, "test").unwrap().mta_sts().unwrap().document();
        let lines = lines(text);
        assert_eq!(lines[5], "mta-sts.a.vn. CNAME mail.a.vn.");
        assert_eq!(lines[6], format!("_mta-sts.a.vn. TXT \"v=STSv1; id={}\"", policy_id(&document)));
    }
}
