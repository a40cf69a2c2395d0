//! Does the policy that has others send here under verified TLS (MTA-STS, RFC 8461) hold together: is it announced, does its host
//! lead anywhere, does it name the servers that mail is sent to?
//!
//! Invariant: of what could not be found out nothing is said but that.

use super::Findings;
use aws_lc_rs::digest::{SHA256, digest};
use guard::{Policy, Resolver};
use std::fmt::Write as _;

/// Octets of the digest that an id is made of; it has at most 32 letters and digits (RFC 8461 3.1).
const ID_BYTES: usize = 10;

pub(super) async fn look(resolver: &Resolver, policy: &web::MtaSts, domain: &str, findings: &mut Findings) {
    let document = policy.document();
    match resolver.texts(&format!("_mta-sts.{domain}")).await {
        Ok(texts) => match announced(domain, &id(&document), &texts) {
            Ok(right) => findings.ok("dns", right),
            Err((wrong, mend)) => findings.warn("dns", wrong, mend),
        },
        Err(error) => findings.warn("dns", format!("MTA-STS of {domain}: {error}"), "try again later"),
    }
    let host = format!("mta-sts.{domain}");
    match resolver.addresses(&host).await {
        Ok(none) if none.is_empty() => findings.warn(
            "dns",
            format!("{host} has no address: nobody finds the MTA-STS policy"),
            format!("let {host} lead to this server, which needs a [[certificate]] for that name"),
        ),
        Ok(_) => {}
        Err(error) => findings.warn("dns", format!("{host}: {error}"), "try again later"),
    }
    // That they cannot be found out is said where MX records are looked at.
    for exchange in resolver.exchanges(domain).await.unwrap_or_default() {
        match (policy.mode, left_out(domain, &exchange.host, &document)) {
            ("enforce", Some((wrong, mend))) => {
                findings.error("dns", wrong + ": others send nothing there", mend);
            }
            ("testing", Some((wrong, mend))) => findings.warn("dns", wrong, mend),
            _ => {}
        }
    }
}

/// Changes with the policy: others ask for it anew when the id is another (RFC 8461 3.1).
fn id(document: &str) -> String {
    let digest = digest(&SHA256, document.as_bytes());
    digest.as_ref().iter().take(ID_BYTES).fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// What is right, or what is wrong and how to mend it.
fn announced(domain: &str, id: &str, texts: &[Vec<u8>]) -> Result<String, (String, String)> {
    let publish = format!("publish _mta-sts.{domain}. TXT \"v=STSv1; id={id}\"");
    let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
    let records: Vec<String> = texts.filter(|text| text.starts_with("v=STSv1")).collect();
    let record = match records.as_slice() {
        [] => return Err((format!("the MTA-STS policy of {domain} is not announced"), publish)),
        [record] => record,
        _ => {
            let what = format!("{domain} has {} MTA-STS records: then none counts", records.len());
            return Err((what, publish + " alone"));
        }
    };
    let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let found = tags.find(|(name, _)| name.trim() == "id").map_or("", |(_, value)| value.trim());
    if found != id {
        let what = format!(
            "the MTA-STS record of {domain} has the id {found:?}, the policy as it is now {id}: who knows an \
             earlier one may keep it"
        );
        return Err((what, publish));
    }
    Ok(format!("the MTA-STS policy of {domain} is announced"))
}

/// A server that mail is sent to, though the policy forbids it.
fn left_out(domain: &str, host: &str, document: &str) -> Option<(String, String)> {
    let allows = Policy::parse(document).is_none_or(|policy| policy.allows(host));
    (!allows).then(|| {
        let what = format!("the MTA-STS policy of {domain} does not name {host}, its MX");
        (what, format!("add {host} to [mta_sts] hosts"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(hosts: &[&str]) -> String {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        web::MtaSts { mode: "enforce", hosts, max_age: 604_800 }.document()
    }

    #[test]
    fn the_record_is_that_of_the_policy_as_it_is() {
        let (now, before) = (id(&policy(&["mail.a.vn"])), id(&policy(&["old.a.vn"])));
        assert!(now != before && now.len() <= 32 && now.chars().all(|c| c.is_ascii_alphanumeric()));
        let told = |texts: &[&str]| {
            let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
            announced("a.vn", &now, &texts)
        };
        let right = format!("v=STSv1; id={now};");
        assert_eq!(told(&[&right, "v=spf1 -all"]).unwrap(), "the MTA-STS policy of a.vn is announced");
        let publish = format!("publish _mta-sts.a.vn. TXT \"v=STSv1; id={now}\"");
        for (texts, what) in [
            (vec![], "is not announced"),
            (vec![right.as_str(), right.as_str()], "2 MTA-STS records"),
            (vec!["v=STSv1; id=20260101"], "has the id \"20260101\""),
            (vec!["v=STSv1"], "has the id \"\""),
        ] {
            let (wrong, mend) = told(&texts).unwrap_err();
            assert!(wrong.contains(what), "{wrong}");
            assert!(mend.starts_with(&publish), "{mend}");
        }
    }

    #[test]
    fn every_server_is_in_the_policy() {
        assert_eq!(left_out("a.vn", "MAIL.a.vn.", &policy(&["mail.a.vn"])), None);
        assert_eq!(left_out("a.vn", "mx1.a.vn", &policy(&["*.a.vn"])), None);
        let (wrong, mend) = left_out("a.vn", "mx.b.vn", &policy(&["mail.a.vn"])).unwrap();
        assert!(
            wrong.contains("does not name mx.b.vn") && mend.starts_with("add mx.b.vn"),
            "{wrong}; {mend}"
        );
    }
}
