//! What others find of our domains when mail comes in their names: does SPF let this server send, is there a DMARC policy, and does
//! it have us told who sends (RFC 7208, RFC 7489 6.1).
//!
//! Invariant: of what could not be found out nothing is said but that.

use super::Findings;
use super::database::{Found, ReportsTo};
use crate::config::Config;
use guard::{Resolver, Sender};
use model::DomainName;
use model::admission::Outcome;
use std::net::IpAddr;

/// What is found of a record, and how to mend it; nothing to mend is right.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    what: String,
    mend: Option<String>,
}

pub(super) async fn look(
    resolver: &Resolver,
    (config, found): (&Config, &Found),
    addresses: &[IpAddr],
    findings: &mut Findings,
) {
    let sources = match (&config.smart_host, config.outbound.sources.as_slice()) {
        // Others see the addresses of the one that passes mail on.
        (Some(_), _) => &[],
        (None, []) => addresses,
        (None, sources) => sources,
    };
    let hostname = config.hostname();
    let look = async |reports: &ReportsTo, findings: &mut Findings| {
        let domain = &reports.domain;
        if let Some(relay) = &config.smart_host {
            match resolver.texts(domain.as_str()).await {
                Ok(texts) => say(spf_by_relay(domain, &relay.host, &texts), findings),
                Err(error) => findings.warn("dns", format!("SPF of {domain}: {error}"), "try again later"),
            }
        }
        for source in sources {
            let path = format!("postmaster@{domain}");
            let sender = Sender { ip: *source, helo: &hostname, path: Some(&path) };
            say(spf(domain, *source, resolver.spf(sender).await.outcome), findings);
        }
        match resolver.texts(&format!("_dmarc.{domain}")).await {
            Ok(texts) => say(dmarc(reports, &texts), findings),
            Err(error) => findings.warn("dns", format!("DMARC of {domain}: {error}"), "try again later"),
        }
    };
    findings.of_each(found.reports.iter(), look).await;
}

fn say(judged: Judged, findings: &mut Findings) {
    match judged.mend {
        None => findings.ok("dns", judged.what),
        Some(mend) => findings.warn("dns", judged.what, mend),
    }
}

fn spf(domain: &DomainName, source: IpAddr, outcome: Outcome) -> Judged {
    let kind = if source.is_ipv4() { "ip4" } else { "ip6" };
    let mend = match outcome {
        Outcome::Pass => None,
        Outcome::None => Some(format!("publish {domain}. TXT \"v=spf1 {kind}:{source} -all\"")),
        Outcome::TempError => Some("try again later".to_owned()),
        _ => Some(format!("add {kind}:{source} to the SPF record of {domain}")),
    };
    let what = match outcome {
        Outcome::Pass => format!("SPF of {domain} lets {source} send"),
        Outcome::None => format!("{domain} has no SPF record"),
        _ => format!("SPF of {domain} says {outcome} of {source}, from which this server sends"),
    };
    Judged { what, mend }
}

/// Where another server passes mail on: only its owner knows the addresses that it leaves from.
fn spf_by_relay(domain: &DomainName, relay: &str, texts: &[Vec<u8>]) -> Judged {
    let is_spf = |text: &&Vec<u8>| text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    match texts.iter().filter(is_spf).count() {
        0 => Judged {
            what: format!("{domain} has no SPF record"),
            mend: Some(format!(
                "publish the one that lets {relay} send, the smart_host by which mail leaves: whoever runs that says what is in it \
                 (not an address of this server, by which all mail would fail)"
            )),
        },
        1 => Judged {
            what: format!(
                "{domain} has an SPF record; mail leaves by {relay}, and its owner knows whether that lets it send"
            ),
            mend: None,
        },
        several => Judged {
            what: format!("{domain} has {several} SPF records: then none counts"),
            mend: Some("leave one".to_owned()),
        },
    }
}

fn dmarc(reports: &ReportsTo, texts: &[Vec<u8>]) -> Judged {
    let ReportsTo { domain, address, receives } = reports;
    let wanted = format!("mailto:{address}");
    // To an address of nobody's, others are told to send in vain.
    let make = format!(
        "congthu mailbox add {address} --name \"Báo cáo DMARC\" --class service (reports are read by themselves: nobody has to log in \
         there, and its one-time password may lapse)"
    );
    let first = if *receives { String::new() } else { format!("{make}, then ") };
    let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    let records: Vec<String> = texts.filter(|text| text.starts_with("v=DMARC1")).collect();
    let Some(record) = records.first() else {
        return Judged {
            what: format!("{domain} has no DMARC record: anybody may write in its name"),
            mend: Some(format!("{first}publish _dmarc.{domain}. TXT \"v=DMARC1; p=none; rua={wanted}\"")),
        };
    };
    if records.len() > 1 {
        return Judged {
            what: format!("{domain} has {} DMARC records: then none counts", records.len()),
            mend: Some("leave one".to_owned()),
        };
    }
    let tag = |name: &str| {
        let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
        tags.find(|(tag, _)| tag.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_lowercase())
    };
    let told = tag("rua").unwrap_or_default();
    let policy = tag("p").unwrap_or_default();
    if told.is_empty() {
        return Judged {
            what: format!("the DMARC record of {domain} has no rua: nobody is told who sends in its name"),
            mend: Some(format!("{first}add rua={wanted} to it")),
        };
    }
    let is_ours = told.split(',').any(|one| one.split('!').next().map(str::trim) == Some(wanted.as_str()));
    if is_ours && !receives {
        return Judged {
            what: format!(
                "DMARC of {domain}: p={policy}; its rua names {address}, and nobody has that mailbox"
            ),
            mend: Some(make),
        };
    }
    let told = if is_ours { "we are told who sends" } else { "others than us are told who sends" };
    let mend = (policy != "reject").then(|| {
        "p=reject once congthu dmarc report shows that all that do not pass are strangers".to_owned()
    });
    Judged { what: format!("DMARC of {domain}: p={policy}, {told}"), mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(receives: bool, texts: &[&str]) -> Judged {
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let domain = DomainName::new("a.vn").unwrap();
        dmarc(&ReportsTo { domain, address: "dmarc-reports@a.vn".parse().unwrap(), receives }, &texts)
    }

    #[test]
    fn a_mailbox_that_nobody_has_is_to_be_made_first() {
        let make = "congthu mailbox add dmarc-reports@a.vn --name \"Báo cáo DMARC\" --class service (reports are read by themselves: \
                    nobody has to log in there, and its one-time password may lapse)";
        for (texts, then) in [
            (&[][..], ", then publish _dmarc.a.vn. TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@a.vn\""),
            (&["v=DMARC1; p=reject"], ", then add rua=mailto:dmarc-reports@a.vn to it"),
            (&["v=DMARC1; p=reject; rua=mailto:dmarc-reports@a.vn"], ""),
        ] {
            assert_eq!(judged(false, texts).mend, Some(format!("{make}{then}")));
        }
        // Who is told elsewhere needs none here.
        assert_eq!(judged(false, &["v=DMARC1; p=reject; rua=mailto:x@b.vn"]).mend, None);
    }

    #[test]
    fn what_a_record_lacks_is_said() {
        let judged = |texts: &[&str]| judged(true, texts);
        let right = judged(&["v=DMARC1; p=reject; rua=mailto:x@b.vn, mailto:dmarc-reports@a.vn!10m"]);
        assert_eq!(
            right,
            Judged { what: "DMARC of a.vn: p=reject, we are told who sends".into(), mend: None }
        );
        for (texts, what, mend) in [
            (
                vec!["v=spf1 -all"],
                "no DMARC record",
                "publish _dmarc.a.vn. TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@a.vn\"",
            ),
            (vec!["v=DMARC1; p=none", "v=DMARC1; p=reject"], "2 DMARC records", "leave one"),
            (vec!["v=DMARC1; P=none"], "no rua", "add rua=mailto:dmarc-reports@a.vn to it"),
            (vec!["v=DMARC1; p=none; rua=mailto:x@b.vn"], "others than us", "p=reject once"),
        ] {
            let found = judged(&texts);
            assert!(found.what.contains(what), "{found:?}");
            assert!(found.mend.as_deref().unwrap().starts_with(mend), "{found:?}");
        }
    }

    #[test]
    fn where_another_server_passes_mail_on_no_address_of_ours_is_to_be_published() {
        let domain = DomainName::new("a.vn").unwrap();
        let judged = |texts: &[&str]| {
            let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
            spf_by_relay(&domain, "relay.b.vn", &texts)
        };
        let none = judged(&["v=verify"]);
        assert!(
            none.what.contains("no SPF record") && none.mend.unwrap().contains("relay.b.vn"),
            "nothing of ours"
        );
        assert_eq!(judged(&["x", "v=spf1 include:b.vn -all"]).mend, None);
        assert_eq!(judged(&["v=spf1 -all", "V=SPF1 a -all"]).mend.as_deref(), Some("leave one"));
    }

    #[test]
    fn spf_is_to_let_this_server_send() {
        let domain = DomainName::new("a.vn").unwrap();
        let judged = |outcome| spf(&domain, "192.0.2.1".parse().unwrap(), outcome);
        assert_eq!(judged(Outcome::Pass).mend, None);
        assert_eq!(judged(Outcome::None).mend.unwrap(), "publish a.vn. TXT \"v=spf1 ip4:192.0.2.1 -all\"");
        assert_eq!(judged(Outcome::SoftFail).mend.unwrap(), "add ip4:192.0.2.1 to the SPF record of a.vn");
    }
}
