//! Does the policy that has others send here under verified TLS (MTA-STS, RFC 8461) hold together: is it announced, does its host
//! lead anywhere, do others get the policy there, does it name the servers that mail is sent to?
//!
//! Invariant: of what could not be found out nothing is said but that.

use super::Findings;
use aws_lc_rs::digest::{SHA256, digest};
use guard::{FetchError, HttpsError, MtaSts, Policy, Resolver};
use std::fmt::Write as _;
use std::time::Duration;

/// Octets of the digest that an id is made of; it has at most 32 letters and digits (RFC 8461 3.1).
const ID_BYTES: usize = 10;
/// For one domain: whoever waits for a check is not to wait as long as a sender would.
const FETCH_MAX: Duration = Duration::from_secs(10);

pub(super) async fn look(
    (resolver, sts): (&Resolver, &MtaSts),
    policy: &web::MtaSts,
    domain: &str,
    findings: &mut Findings,
) {
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
        Ok(_) => {
            let fetched = tokio::time::timeout(FETCH_MAX, sts.fetch(domain)).await;
            match got(&host, &document, fetched.unwrap_or(Err(HttpsError::Late.into()))) {
                Ok(right) => findings.ok("mta-sts", right),
                Err((wrong, mend)) => findings.warn("mta-sts", wrong, mend),
            }
        }
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
pub(crate) fn id(document: &str) -> String {
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

/// What others get over HTTPS (RFC 8461 3.3): what is right, or what is wrong and how to mend it.
fn got(host: &str, document: &str, fetched: Result<String, FetchError>) -> Result<String, (String, String)> {
    let place = format!("https://{host}/.well-known/mta-sts.txt");
    let error = match fetched {
        Ok(text) if text.lines().map(str::trim_end).eq(document.lines()) => {
            return Ok(format!("{place} has the policy, as others see it"));
        }
        Ok(text) => {
            let what = match Policy::parse(&text) {
                Some(_) => "has another policy than the configuration",
                None => "has no policy",
            };
            let mend =
                format!("restart the server if [mta_sts] was changed; else let {host} lead to this server");
            return Err((format!("{place} {what}"), mend));
        }
        Err(error) => error,
    };
    let mend = match &error {
        FetchError::Https(HttpsError::Private) => format!(
            "let {host} have a public address; if it has one elsewhere (names inside lead to other addresses), try from there"
        ),
        FetchError::Https(HttpsError::Connect(..) | HttpsError::Late) => {
            "let a [[listener]] with protocol \"http\" and TLS be reached at port 443 from elsewhere; behind address translation this \
             machine may not reach itself by its outer address: then try from elsewhere"
                .to_owned()
        }
        FetchError::Https(HttpsError::Tls(_)) => {
            format!("give a [[certificate]] for {host}, of an authority that others know, not expired")
        }
        FetchError::Status(300..400) => {
            "answer at this very place: no redirect is followed (RFC 8461 3.3)".to_owned()
        }
        FetchError::Https(HttpsError::Name(_)) => "try again later".to_owned(),
        _ => format!("let {host} lead to this server, or have the one there answer with this policy as text/plain"),
    };
    Err((
        format!(
            "the policy at {place} cannot be had: {error}; whoever cannot get it goes on as if there were none"
        ),
        mend,
    ))
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
    fn what_others_get_is_the_policy() {
        let document = policy(&["mail.a.vn"]);
        let got = |fetched| got("mta-sts.a.vn", &document, fetched);
        assert!(
            got(Ok(document.clone())).unwrap().starts_with("https://mta-sts.a.vn/.well-known/mta-sts.txt")
        );
        assert!(got(Ok(document.replace("\r\n", "\n"))).is_ok());
        let io = || std::io::Error::other("refused");
        let address = ([192, 0, 2, 1], 443).into();
        for (fetched, what, how) in [
            (Ok(policy(&["old.a.vn"])), "has another policy", "restart the server"),
            (Ok("<html>".to_owned()), "has no policy", "let mta-sts.a.vn lead to this server"),
            (Err(HttpsError::Connect(address, io()).into()), "192.0.2.1:443", "port 443"),
            (Err(HttpsError::Late.into()), "in time", "port 443"),
            (Err(HttpsError::Tls(io()).into()), "verified: refused", "[[certificate]] for mta-sts.a.vn"),
            (Err(FetchError::Status(301)), "status 301", "no redirect is followed"),
            (Err(FetchError::Status(404)), "status 404", "let mta-sts.a.vn lead to this server"),
            (Err(FetchError::Kind("text/html".to_owned())), "\"text/html\"", "as text/plain"),
            (Err(HttpsError::Private.into()), "private", "public address"),
        ] {
            let (wrong, mend) = got(fetched).unwrap_err();
            assert!(wrong.contains(what), "{wrong}");
            assert!(mend.contains(how), "{mend}");
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
