//! Examples that others made, verified with the keys that they published: those of RFC 6376 (with its errata 3192 and 4926) and
//! RFC 8463, and a chain of two links that dkimpy's `arc_sign` put in front of the latter, by the RFC's RSA key.

use super::examine;
use model::admission::Outcome;

/// RFC 6376 C, RFC 8463 A.2.
const ZONE: &str = "brisbane._domainkey.example.com TXT v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB
brisbane._domainkey.football.example.com TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
test._domainkey.football.example.com TXT RSA
test._domainkey.lists.example.org TXT RSA
test._domainkey.relay.example.net TXT RSA
_dmarc.football.example.com TXT v=DMARC1; p=reject
";
const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

pub(crate) fn zone() -> String {
    ZONE.replace("TXT RSA", &format!("TXT {RSA}"))
}

/// What is found of it, in one line.
async fn found(message: &str) -> String {
    let evidence = examine(&zone(), &message.replace('\n', "\r\n"), None).await;
    assert_eq!(evidence.arc.links, message.matches("ARC-Seal: i=").count());
    evidence.line()
}

#[tokio::test]
async fn the_example_of_rfc_6376_is_verified() {
    let message = include_str!("vectors/rfc6376.txt");
    // The key is the parent's, who publishes no policy; so the author's domain is an organisation of its own, and by a relay
    // only a pass is known of it.
    let expected = "relayed dkim=pass (example.com) dmarc=none (football.example.com, p=reject)";
    assert_eq!(found(message).await, expected);
    for (from, to) in
        [("hungry", "Hungry"), ("dinner", "lunch"), ("c=simple", "c=relaxed"), ("Joe Six", "Jo Six")]
    {
        assert!(found(&message.replacen(from, to, 1)).await.contains("dkim=fail (example.com)"), "{to}");
    }
}

#[tokio::test]
async fn both_signatures_of_the_example_of_rfc_8463_are_verified() {
    let message = include_str!("vectors/rfc8463.txt");
    let author = "football.example.com";
    let expected =
        format!("relayed dkim=pass ({author}) dkim=pass ({author}) dmarc=pass ({author}, p=reject)");
    assert_eq!(found(message).await, expected);
    let failed = found(&message.replace("hungry", "Hungry")).await;
    assert_eq!(failed.matches("dkim=fail").count(), 2, "{failed}");
}

#[tokio::test]
async fn a_chain_that_dkimpy_sealed_is_verified() {
    let message = include_str!("vectors/arc.txt");
    assert!(found(message).await.ends_with(" arc=pass (relay.example.net)"), "{}", found(message).await);
    for (from, to) in [
        ("hungry", "Hungry"),
        ("i=1; lists.example.org; dkim=pass", "i=1; lists.example.org; dkim=fail"),
        ("i=2; relay.example.net; dkim=pass", "i=2; relay.example.net; dkim=none"),
        ("ARC-Seal: i=1; cv=none", "ARC-Seal: i=1; cv=pass"),
        ("ARC-Seal: i=2; cv=pass", "ARC-Seal: i=2; cv=none"),
    ] {
        let changed = message.replacen(from, to, 1);
        assert_ne!(changed, message, "{from}");
        let found = found(&changed).await;
        assert!(found.contains(&format!(" arc={} ", Outcome::Fail)), "{to}: {found}");
    }
}
