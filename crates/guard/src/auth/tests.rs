//! Signatures, seals and policies against a name server on loopback.

pub(crate) mod vectors;

use super::signatures::{LINKS_MAX, NAMES_MAX, SIGNATURES_MAX};
use super::*;
use crate::dns::MESSAGE_QUESTIONS_MAX;
use crate::zone::{serve, serve_crowds};
use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;
use mail_auth::{AuthenticationResults, MessageAuthenticator, Parameters};
use model::admission::Asks;
use std::sync::atomic::Ordering::Relaxed;

/// RFC 8463 A.2: the private key of `brisbane._domainkey.football.example.com`, and its public half.
const SECRET: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn sender<'a>(path: &'a str, ip: &str) -> Sender<'a> {
    Sender { ip: ip.parse().unwrap(), helo: "mx.a.vn", path: Some(path).filter(|path| !path.is_empty()) }
}

async fn examine(zone: &str, message: &str, sender: Option<Sender<'_>>) -> Evidence {
    let (resolver, _running) = serve(zone).await;
    examine_by(&resolver, message, sender).await
}

/// Looked at in pieces of so many octets.
async fn examine_by(resolver: &Resolver, message: &str, sender: Option<Sender<'_>>) -> Evidence {
    let end = proto::mime::header_end(message.as_bytes());
    let (header, body) = message.as_bytes().split_at(end);
    let mut examiner = Examiner::new(header);
    body.chunks(7).for_each(|piece| examiner.body(piece));
    examiner.evidence(resolver, sender).await
}

fn key() -> Ed25519Key {
    use base64::Engine as _;
    let seed = base64::engine::general_purpose::STANDARD.decode(SECRET).unwrap();
    let public = base64::engine::general_purpose::STANDARD.decode(PUBLIC).unwrap();
    Ed25519Key::from_seed_and_public_key(&seed, &public).unwrap()
}

fn signed(domain: &str, message: &str) -> String {
    signed_over(&["From", "Subject"], domain, message)
}

fn signed_over(fields: &[&str], domain: &str, message: &str) -> String {
    let signer = DkimSigner::from_key(key()).domain(domain).selector("s").headers(fields.iter().copied());
    format!("{}{message}", signer.sign(message.as_bytes()).unwrap().to_header())
}

/// With a chain of so many links, which holds.
async fn sealed(domain: &str, message: &str, links: usize) -> String {
    let (resolver, _running) = serve(&zone(&[])).await;
    let keys = [format!("s._domainkey.{domain}.")];
    let mut message = message.to_owned();
    for _ in 0..links {
        let sealer = ArcSealer::from_key(key()).domain(domain).selector("s").headers(["From", "Subject"]);
        let known = Keys::ask(&resolver, &keys, ANSWER_MAX).await;
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let library = MessageAuthenticator(resolver.plain.clone());
        let chain = library.verify_arc(Parameters::new(&parsed).with_txt_cache(&known)).await;
        let results = AuthenticationResults::new("mx.b.vn");
        let set = sealer.seal(&parsed, &results, &chain).unwrap().to_header();
        message = format!("{set}{message}");
    }
    message
}

const MESSAGE: &str = "From: An <an@a.vn>\r\nSubject: x\r\n\r\nHello.\r\n";

fn zone(lines: &[&str]) -> String {
    let key = format!("v=DKIM1; k=ed25519; p={PUBLIC}");
    let mut zone =
        format!("s._domainkey.a.vn TXT {key}\ns._domainkey.b.vn TXT {key}\ns._domainkey.x.a.vn TXT {key}\n");
    lines.iter().for_each(|line| zone.push_str(&format!("{line}\n")));
    zone
}

#[tokio::test]
async fn what_passes_shows_whose_mail_it_is() {
    let zone = zone(&["a.vn TXT v=spf1 ip4:192.0.2.1 -all", "_dmarc.a.vn TXT v=DMARC1; p=reject"]);
    let found = examine(&zone, &signed("a.vn", MESSAGE), Some(sender("an@a.vn", "192.0.2.1"))).await;
    assert_eq!(found.line(), "spf=pass (a.vn) dkim=pass (a.vn) dmarc=pass (a.vn, p=reject)");
    let found = examine(&zone, MESSAGE, Some(sender("an@a.vn", "192.0.2.9"))).await;
    assert_eq!(found.line(), "spf=fail (a.vn) dmarc=fail (a.vn, p=reject)");
    let changed = signed("a.vn", MESSAGE).replace("Hello", "Hallo");
    let found = examine(&zone, &changed, Some(sender("", "192.0.2.9"))).await;
    assert_eq!(found.line(), "spf=none (mx.a.vn) dkim=fail (a.vn) dmarc=fail (a.vn, p=reject)");
    let changed = signed("a.vn", MESSAGE).replace("Subject: x", "Subject: y");
    let found = examine(&zone, &changed, Some(sender("", "192.0.2.9"))).await;
    assert_eq!(found.signatures[0].outcome, Outcome::Fail);
}

#[tokio::test]
async fn a_broken_name_server_is_never_a_pass_nor_a_no() {
    let dmarc = "_dmarc.a.vn TXT v=DMARC1; p=reject";
    let path = Some(sender("an@a.vn", "192.0.2.1"));
    for (lines, message, expected) in [
        (
            ["a.vn SERVFAIL", dmarc],
            MESSAGE.to_owned(),
            "spf=temperror (a.vn) dmarc=temperror (a.vn, p=reject)",
        ),
        (
            ["a.vn TXT v=spf1 -all", "_dmarc.a.vn SERVFAIL"],
            MESSAGE.to_owned(),
            "spf=fail (a.vn) dmarc=temperror (a.vn, p=unknown)",
        ),
        // What passes needs no policy.
        (
            ["a.vn TXT v=spf1 ip4:192.0.2.1", "_dmarc.a.vn SERVFAIL"],
            MESSAGE.to_owned(),
            "spf=pass (a.vn) dmarc=pass (a.vn, p=unknown)",
        ),
        (
            ["a.vn SERVFAIL", dmarc],
            signed("a.vn", MESSAGE),
            "spf=temperror (a.vn) dkim=pass (a.vn) dmarc=pass (a.vn, p=reject)",
        ),
    ] {
        assert_eq!(examine(&zone(&lines), &message, path).await.line(), expected);
    }
    let broken = "s._domainkey.a.vn SERVFAIL\na.vn TXT v=spf1 -all\n_dmarc.a.vn TXT v=DMARC1; p=reject";
    let found = examine(broken, &signed("a.vn", MESSAGE), path).await;
    assert_eq!(found.line(), "spf=fail (a.vn) dkim=temperror (a.vn) dmarc=temperror (a.vn, p=reject)");
    let none = "a.vn TXT v=spf1 -all\n_dmarc.a.vn TXT v=DMARC1; p=reject";
    let found = examine(none, &signed("a.vn", MESSAGE), path).await;
    assert_eq!(found.line(), "spf=fail (a.vn) dkim=permerror (a.vn) dmarc=fail (a.vn, p=reject)");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_and_is_a_temporary_error() {
    let found = examine(
        "a.vn SILENT\n_dmarc.a.vn SILENT\nmx.a.vn SILENT",
        MESSAGE,
        Some(sender("an@a.vn", "192.0.2.1")),
    )
    .await;
    assert_eq!(found.line(), "spf=temperror (a.vn) dmarc=temperror (a.vn, p=unknown)");
}

/// From, what passed for DKIM and SPF, records, and what comes of it.
#[tokio::test]
async fn alignment_is_as_the_author_says() {
    let table = [
        ("a.vn", "a.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject", "pass", Asks::Reject),
        ("a.vn", "b.vn", "a.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject", "pass", Asks::Reject),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject", "fail", Asks::Reject),
        ("a.vn", "x.a.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=quarantine", "pass", Asks::Quarantine),
        ("a.vn", "x.a.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject; adkim=s", "fail", Asks::Reject),
        ("a.vn", "b.vn", "x.a.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject", "pass", Asks::Reject),
        ("a.vn", "b.vn", "x.a.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject; aspf=s", "fail", Asks::Reject),
        ("x.a.vn", "a.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject", "pass", Asks::Reject),
        ("x.a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject; sp=none", "fail", Asks::Nothing),
        ("x.a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=none; sp=reject", "fail", Asks::Reject),
        ("y.a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=none; np=reject", "fail", Asks::Reject),
        ("x.a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=none; np=reject", "fail", Asks::Nothing),
        // A subdomain of its own policy is an organisation's all the same.
        (
            "x.a.vn",
            "a.vn",
            "b.vn",
            "_dmarc.a.vn TXT v=DMARC1; p=none\n_dmarc.x.a.vn TXT v=DMARC1; p=reject",
            "pass",
            Asks::Reject,
        ),
        (
            "x.a.vn",
            "a.vn",
            "b.vn",
            "_dmarc.a.vn TXT v=DMARC1; p=none\n_dmarc.x.a.vn TXT v=DMARC1; p=reject; psd=n",
            "fail",
            Asks::Reject,
        ),
        // Below a public suffix nobody is another's.
        ("a.vn", "b.vn", "b.vn", "_dmarc.vn TXT v=DMARC1; p=reject; psd=y", "fail", Asks::Reject),
        ("x.a.vn", "a.vn", "b.vn", "_dmarc.vn TXT v=DMARC1; p=reject; psd=y", "pass", Asks::Reject),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=reject; t=y", "fail", Asks::Quarantine),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=none", "fail", Asks::Nothing),
        ("a.vn", "a.vn", "a.vn", "other.vn TXT x", "none", Asks::Nothing),
        (
            "a.vn",
            "b.vn",
            "b.vn",
            "_dmarc.a.vn TXT v=DMARC1; p=reject\n_dmarc.a.vn TXT v=DMARC1; p=none",
            "none",
            Asks::Nothing,
        ),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC2; p=reject", "none", Asks::Nothing),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; p=nonsense", "none", Asks::Nothing),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; rua=mailto:r@a.vn", "fail", Asks::Nothing),
        ("a.vn", "b.vn", "b.vn", "_dmarc.a.vn TXT v=DMARC1; P=Reject", "fail", Asks::Reject),
        ("aa.vn", "a.vn", "a.vn", "_dmarc.aa.vn TXT v=DMARC1; p=reject", "fail", Asks::Reject),
    ];
    for (from, dkim, spf, records, expected, asks) in table {
        let spf_record = format!("{spf} TXT v=spf1 +all");
        let zone = zone(&[records, &spf_record, "x.a.vn A 192.0.2.3"]);
        let message = format!("From: an@{from}\r\nSubject: x\r\n\r\nHello.\r\n");
        let path = format!("c@{spf}");
        let found = examine(&zone, &signed(dkim, &message), Some(sender(&path, "192.0.2.1"))).await;
        assert_eq!(found.signatures[0].outcome, Outcome::Pass);
        let author = &found.authors[0];
        assert_eq!((author.dmarc.as_str(), author.asks), (expected, asks), "{from} {dkim} {spf} {records}");
    }
}

/// What a report says of each way in which a message is the domain's.
#[tokio::test]
async fn who_wants_to_be_told_is_told_by_what_it_passed() {
    let rua = "rua=mailto:d@a.vn";
    for (from, dkim, spf, tags, domain, passed) in [
        ("a.vn", "a.vn", "b.vn", "p=reject", "a.vn", (true, false)),
        ("a.vn", "b.vn", "a.vn", "p=reject", "a.vn", (false, true)),
        ("a.vn", "x.a.vn", "a.vn", "p=reject", "a.vn", (true, true)),
        ("a.vn", "x.a.vn", "a.vn", "p=reject; adkim=s", "a.vn", (false, true)),
        ("x.a.vn", "a.vn", "b.vn", "p=none; sp=quarantine; t=y", "a.vn", (true, false)),
    ] {
        let zone =
            zone(&[&format!("_dmarc.a.vn TXT v=DMARC1; {tags}; {rua}"), &format!("{spf} TXT v=spf1 +all")]);
        let message = format!("From: an@{from}\r\nSubject: x\r\n\r\nHello.\r\n");
        let path = format!("c@{spf}");
        let found = examine(&zone, &signed(dkim, &message), Some(sender(&path, "192.0.2.1"))).await;
        let published = found.authors[0].published.clone().unwrap();
        assert_eq!(published.domain, domain);
        assert_eq!((published.dkim_passed, published.spf_passed), passed, "{from} {dkim} {spf} {tags}");
        assert_eq!(published.below, tags.contains("sp=").then_some(Asks::Quarantine));
        assert_eq!(published.is_test, tags.contains("t=y"));
    }
    let silent = examine(&zone(&["_dmarc.a.vn TXT v=DMARC1; p=reject"]), MESSAGE, None).await;
    assert_eq!(silent.authors[0].published, None);
}

#[tokio::test]
async fn whoever_might_be_shown_as_the_author_is_asked() {
    let zone = zone(&["_dmarc.bank.vn TXT v=DMARC1; p=reject"]);
    for (header, domains, unclear) in [
        ("From: a@bank.vn\r\n", vec!["bank.vn"], false),
        ("From: a@b.vn, c@bank.vn\r\n", vec!["b.vn", "bank.vn"], false),
        ("From: a@b.vn\r\nFrom: c@bank.vn\r\n", vec!["b.vn", "bank.vn"], true),
        // For some a line that is no field ends the header.
        ("From: a@b.vn\r\nnonsense\r\nFrom: c@bank.vn\r\n", vec!["b.vn", "bank.vn"], true),
        ("X: y\r\nnonsense\r\nFrom: c@bank.vn\r\n", vec!["bank.vn"], false),
        ("X: y\r\nFrom : c@bank.vn\r\n", vec!["bank.vn"], false),
        ("FROM:\r\n c@BANK.vn\r\n", vec!["bank.vn"], false),
        ("From: \"a@b.vn\" <c@bank.vn>\r\n", vec!["bank.vn"], false),
        ("From: nobody\r\n", vec![], true),
        ("Subject: x\r\n", vec![], true),
        ("Sender: a@bank.vn\r\nReply-To: a@bank.vn\r\n", vec![], true),
    ] {
        let message = format!("{header}\r\nx\r\n");
        let found = examine(&zone, &message, Some(sender("x@b.vn", "192.0.2.1"))).await;
        let found_domains: Vec<_> = found.authors.iter().map(|author| author.domain.as_str()).collect();
        assert_eq!((found_domains, found.unclear_author), (domains.clone(), unclear), "{header}");
        let is_disowned = found.authors.iter().any(|author| author.dmarc == Outcome::Fail);
        assert_eq!(is_disowned, domains.contains(&"bank.vn"));
    }
}

/// However it is written: a program shows the name.
#[tokio::test]
async fn addresses_within_a_name_are_found() {
    for (from, named) in [
        ("\"giam-doc@demo.vn\" <x@b.vn>", vec!["demo.vn"]),
        // Two authors for some, of which the first is refused.
        ("Giam doc <giam-doc@demo.vn> <x@b.vn>", vec![]),
        ("\"giam-doc@demo.vn\": x@b.vn;", vec!["demo.vn"]),
        ("\"giam-doc@demo.vn\"@b.vn", vec!["demo.vn"]),
        ("<giam-doc@demo.vn@b.vn>", vec!["demo.vn"]),
        ("giam-doc@demo.vn <x@b.vn>", vec!["demo.vn"]),
        ("x@b.vn (giam-doc@demo.vn)", vec!["demo.vn"]),
        ("=?utf-8?q?Gi=C3=A1m_=C4=91=E1=BB=91c_giam-doc=40demo=2Evn?= <x@b.vn>", vec!["demo.vn"]),
        ("=?utf-8?b?Z2lhbS1kb2NA?= =?utf-8?b?ZGVtby52bg==?= <x@b.vn>", vec!["demo.vn"]),
        ("\"x@b.vn\" <x@b.vn>, \"y@c.vn\" <y@d.vn>", vec!["c.vn"]),
        ("Giam doc <giam-doc@demo.vn>", vec![]),
        ("Giam doc <x@b.vn>", vec![]),
    ] {
        let message = format!("From: {from}\r\nSubject: x\r\n\r\nx\r\n");
        let found = examine(&zone(&[]), &message, Some(sender("x@b.vn", "192.0.2.1"))).await;
        let domains: Vec<_> = found.named.iter().map(|named| named.domain.as_str()).collect();
        let authors: Vec<_> = found.authors.iter().map(|author| author.domain.as_str()).collect();
        assert_eq!(domains, named, "{from}: {authors:?} {}", found.unclear_author);
    }
}

#[tokio::test]
async fn a_stranger_does_not_decide_how_much_is_checked() {
    let one = signed("b.vn", MESSAGE);
    let header = one.strip_suffix(MESSAGE).unwrap();
    let message = format!("{}{}", header.repeat(50), signed("a.vn", MESSAGE));
    let found = examine(&zone(&[]), &message, Some(sender("", "192.0.2.1"))).await;
    assert_eq!(found.signatures.len(), SIGNATURES_MAX);
    assert_eq!(found.signatures[0].domain, "a.vn", "the author's first");
    let garbage = format!("{}{MESSAGE}", "DKIM-Signature: v=2; a=x\r\n".repeat(500));
    let found = examine(&zone(&[]), &garbage, Some(sender("", "192.0.2.1"))).await;
    assert!(found.signatures.len() <= SIGNATURES_MAX);
    for (links, outcome) in [(LINKS_MAX, Outcome::Pass), (LINKS_MAX + 1, Outcome::Fail)] {
        let message = sealed("b.vn", MESSAGE, links).await;
        let found = examine(&zone(&[]), &message, Some(sender("", "192.0.2.1"))).await;
        assert_eq!((found.arc.outcome, found.arc.links), (outcome, links));
    }
}

/// RFC 6376 6.1.1: else its author could be anybody.
#[tokio::test]
async fn what_does_not_sign_its_author_is_no_signature() {
    let zone = zone(&["_dmarc.a.vn TXT v=DMARC1; p=reject"]);
    let plain = signed_over(&["Subject"], "a.vn", MESSAGE);
    assert!(!plain.contains("h=From"), "{plain}");
    let forged = plain.replace("an@a.vn", "giam-doc@a.vn");
    for message in [plain, forged] {
        let found = examine(&zone, &message, Some(sender("", "192.0.2.9"))).await;
        assert_eq!(found.signatures[0].why.as_deref(), Some("From is not signed"));
        let expected = "spf=none (mx.a.vn) dkim=permerror (a.vn) dmarc=fail (a.vn, p=reject)";
        assert_eq!(found.line(), expected);
    }
    let both = signed("a.vn", &signed_over(&["Subject"], "a.vn", MESSAGE));
    let found = examine(&zone, &both, Some(sender("", "192.0.2.9"))).await;
    assert_eq!(
        found.line(),
        "spf=none (mx.a.vn) dkim=pass (a.vn) dkim=permerror (a.vn) dmarc=pass (a.vn, p=reject)"
    );
}

/// Each name is looked for among all before it, and among all fields.
#[tokio::test]
async fn a_stranger_does_not_decide_how_many_names_are_looked_for() {
    let names: Vec<String> = (0..NAMES_MAX).map(|number| format!("X-{number}")).collect();
    let mut fields: Vec<&str> = names.iter().map(String::as_str).collect();
    fields[0] = "From";
    for (more, expected) in [(None, Outcome::Pass), (Some("X-more"), Outcome::PermError)] {
        fields.extend(more);
        let message = signed_over(&fields, "a.vn", MESSAGE);
        let found = examine(&zone(&[]), &message, Some(sender("", "192.0.2.9"))).await;
        assert_eq!(found.signatures[0].outcome, expected);
    }
}

/// Of one message: its author's key and policy are known, and whoever else is named there says nothing.
#[tokio::test]
async fn what_does_not_answer_takes_nothing_from_what_is_known() {
    let silent: Vec<String> = (1..=4).map(|nth| format!("s._domainkey.x{nth}.silent.vn SILENT")).collect();
    let mut lines: Vec<&str> = silent.iter().map(String::as_str).collect();
    lines.extend(["_dmarc.a.vn TXT v=DMARC1; p=reject", "silent.vn SILENT"]);
    let mut message = signed("a.vn", &sealed("x4.silent.vn", MESSAGE, 1).await);
    for nth in 1..=3 {
        message = signed(&format!("x{nth}.silent.vn"), &message);
    }
    let (resolver, _running) = serve(&zone(&lines)).await;
    // The clock jumps only to what never comes.
    for known in ["s._domainkey.a.vn", "_dmarc.a.vn", "_dmarc.vn"] {
        resolver.texts(known).await.unwrap();
    }
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let found = examine_by(&resolver, &message, Some(sender("x@silent.vn", "192.0.2.1"))).await;
    let took = began.elapsed();
    let expected = "spf=temperror (silent.vn) dkim=pass (a.vn) dkim=temperror (x3.silent.vn) dkim=temperror (x2.silent.vn) \
                    dkim=temperror (x1.silent.vn) dmarc=pass (a.vn, p=reject) arc=temperror (x4.silent.vn)";
    assert_eq!(found.line(), expected);
    assert!(took <= Duration::from_secs(25), "{took:?}");
}

/// What a domain says itself holds whatever stands above it.
#[tokio::test]
async fn a_domains_own_policy_is_known_without_its_parents() {
    for (record, expected) in [("p=none", "p=none"), ("p=reject", "p=reject")] {
        let own = format!("_dmarc.a.vn TXT v=DMARC1; {record}");
        let lines = [own.as_str(), "_dmarc.vn SERVFAIL", "a.vn SERVFAIL"];
        let found = examine(&zone(&lines), MESSAGE, Some(sender("an@a.vn", "192.0.2.1"))).await;
        assert_eq!(found.line(), format!("spf=temperror (a.vn) dmarc=temperror (a.vn, {expected})"));
        let found = examine(&zone(&lines), MESSAGE, Some(sender("", "192.0.2.1"))).await;
        assert_eq!(found.line(), format!("spf=none (mx.a.vn) dmarc=fail (a.vn, {expected})"));
    }
}

/// Its address is in the SPF record of every domain whose backup it is.
#[tokio::test]
async fn a_relay_of_ours_shows_nothing_by_its_address() {
    let zone = zone(&["a.vn TXT v=spf1 +all", "_dmarc.a.vn TXT v=DMARC1; p=reject"]);
    let found = examine(&zone, MESSAGE, None).await;
    assert_eq!(found.line(), "relayed dmarc=none (a.vn, p=reject)");
    assert_eq!((found.authors[0].aligned, found.shows_sender()), (Outcome::Fail, false));
    let found = examine(&zone, &signed("a.vn", MESSAGE), None).await;
    assert_eq!(found.line(), "relayed dkim=pass (a.vn) dmarc=pass (a.vn, p=reject)");
}

/// Four authors, each with a long way up, and eight keys: sixty questions, which are asked some at a time.
#[tokio::test]
async fn one_message_asks_no_crowd_of_questions() {
    let mut message = (1..=4).fold(String::new(), |from, nth| {
        format!("{from}From: <an@a{nth}.b{nth}.c{nth}.d{nth}.e{nth}.f{nth}.g{nth}.vn>\r\n")
    });
    message.push_str("Subject: x\r\n\r\ny\r\n");
    for nth in 1..=SIGNATURES_MAX {
        message = signed(&format!("x{nth}.vn"), &message);
    }
    let (resolver, crowd, _running) = serve_crowds(&zone(&[])).await;
    let found = examine_by(&resolver, &message, Some(sender("an@y.vn", "192.0.2.1"))).await;
    assert_eq!((found.authors.len(), found.signatures.len()), (4, 8));
    let seen = (crowd.most.load(Relaxed), crowd.all.load(Relaxed) > 3 * MESSAGE_QUESTIONS_MAX / 2);
    assert_eq!(seen, (MESSAGE_QUESTIONS_MAX, true));
}

/// Whose signature it is is found out once, whoever of the authors might be meant by it; what failed is not asked for again.
#[tokio::test]
async fn each_way_up_is_walked_once_for_all_authors() {
    let lines = ["_dmarc.x.a.vn SERVFAIL", "_dmarc.a.vn TXT v=DMARC1; p=reject"];
    let (resolver, crowd, _running) = serve_crowds(&zone(&lines)).await;
    let walks = Walks::new(&resolver);
    let spf = Spf { outcome: Outcome::Pass, domain: "x.a.vn".into(), of_helo: false };
    let first = walks.author("a.vn", (&spf, &[])).await;
    let asked = crowd.all.load(Relaxed);
    assert_eq!((first.dmarc, asked > 0), (Outcome::TempError, true));
    let second = walks.author("a.vn", (&spf, &[])).await;
    assert_eq!((second.dmarc, crowd.all.load(Relaxed)), (Outcome::TempError, asked));
}
