//! Our half of a certificate, and what an authority says.

use super::*;
use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData as _};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// As an authority makes them.
fn issued(key: &[u8], of: &[&str]) -> String {
    let authority = KeyPair::generate().unwrap();
    let issuer = Issuer::new(CertificateParams::new(vec![]).unwrap(), authority);
    let key = KeyPair::try_from(key).unwrap();
    assert!(!key.der_bytes().is_empty());
    CertificateParams::new(names(of)).unwrap().signed_by(&key, &issuer).unwrap().pem()
}

#[test]
fn what_came_is_for_our_key_and_all_our_names() {
    let (key, other) = (new_certificate_key().unwrap(), new_certificate_key().unwrap());
    let chain = issued(&key, &["mail.a.vn", "MTA-STS.a.vn"]);
    let asked = names(&["mail.a.vn", "mta-sts.a.vn"]);
    let good = acme_issued(&chain, &key, &asked).unwrap();
    assert!(good.begins < good.ends);
    assert!(acme_issued(&chain, &other, &asked).unwrap_err().contains("not for our key"));
    let more = names(&["mail.a.vn", "autoconfig.a.vn"]);
    assert!(acme_issued(&chain, &key, &more).unwrap_err().contains("not for autoconfig.a.vn"));
    for bad in ["", "none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(acme_issued(bad, &key, &asked).is_err(), "{bad}");
    }
}

#[test]
fn what_asks_for_a_certificate_names_its_names_and_no_other() {
    let key = new_certificate_key().unwrap();
    let csr = acme_csr(&key, &names(&["mail.a.vn", "mta-sts.a.vn"])).unwrap();
    let text = String::from_utf8_lossy(&csr);
    assert!(text.contains("mail.a.vn") && text.contains("mta-sts.a.vn"));
    assert!(!text.contains("rcgen"), "{text}");
    assert!(acme_csr(b"no key", &names(&["a.vn"])).unwrap_err().contains("cannot be read"));
}

#[test]
fn what_an_authority_says_is_sorted_by_what_to_do_about_it() {
    let problem = |kind: &str, status: u16| {
        let json = format!(
            r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"too\nmany","status":{status}}}"#
        );
        said(Error::Api(serde_json::from_str(&json).unwrap()))
    };
    assert_eq!(problem("rateLimited", 429), AcmeError::Limited("too many (rateLimited)".to_owned()));
    assert!(matches!(problem("accountDoesNotExist", 400), AcmeError::NoAccount(_)));
    assert!(matches!(problem("serverInternal", 500), AcmeError::Unreachable(_)));
    assert!(matches!(problem("whatever", 503), AcmeError::Unreachable(_)));
    assert!(matches!(problem("caa", 403), AcmeError::Refused(_)));
    assert!(
        matches!(said(Error::Other("x".repeat(10_000).into())), AcmeError::Unreachable(text) if text.len() == SAID_CHARS_MAX)
    );
    let unreadable = serde_json::from_str::<u8>("<html>").unwrap_err();
    assert!(matches!(said(Error::Json(unreadable)), AcmeError::Unreachable(_)));
}

#[test]
fn what_is_shown_under_tls_is_made_for_any_name() {
    let config = acme_challenge_config("mail.a.vn", "token.thumb").unwrap();
    assert_eq!(config.alpn_protocols, [b"acme-tls/1".to_vec()]);
}
