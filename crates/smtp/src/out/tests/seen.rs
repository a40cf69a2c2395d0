//! What is told of sessions with the servers of a domain (RFC 8460 4).

use super::policies::{Table, document, policy, web};
use super::signed::Signer;
use super::world::{Authority, Certified, Manners, Server, Zone, serve};
use super::*;
use guard::Tlsa;
use proto::tlsrpt::{Failure, Policy, PolicyType};
use std::sync::Mutex;

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<(Policy, Option<Failure>)>>);

impl Watcher for Heard {
    fn saw(&self, policy: &Policy, failure: Option<Failure>) {
        self.0.lock().unwrap().push((policy.clone(), failure));
    }
}

impl Heard {
    /// As `sts ok` or `tlsa certificate-expired`, in the order in which it was heard.
    fn words(&self) -> Vec<String> {
        let word = |(policy, failure): &(Policy, Option<Failure>)| {
            let result = failure.as_ref().map_or("ok", |failure| failure.result_type.as_str());
            format!("{} {result}", policy.policy_type.as_str())
        };
        self.0.lock().unwrap().iter().map(word).collect()
    }
}

fn with(certified: &Certified) -> Manners {
    Manners { tls: Some(certified.acceptor()), ..Manners::default() }
}

fn carrier_heard(
    (server, sts_port): (&Server, u16),
    resolver: guard::Resolver,
    authority: &Authority,
) -> (Carrier, Arc<Heard>) {
    let sts = MtaSts::new(resolver.clone(), authority.roots(), sts_port, true).unwrap();
    let settings = settings(server.port);
    let carrier = Carrier::new(settings, resolver, sts, &authority.roots(), Arc::new(Dice(1)));
    let heard = Arc::new(Heard::default());
    (carrier.with_watcher(Arc::<Heard>::clone(&heard)), heard)
}

fn zone() -> Zone {
    Zone::default().mx("b.vn", 1, "mx.b.vn").at("mx.b.vn", "127.0.0.2")
}

/// What is heard of opening to `b.vn`, whose policy is what its web server answers; and whether mail may go.
async fn opened(
    manners: Manners,
    authority: &Authority,
    answer: Option<&str>,
    web_name: &str,
) -> (Vec<String>, bool) {
    let server = serve("127.0.0.2", 0, manners).await;
    let certified = authority.sign(&[web_name], false);
    let answer = answer.map(|answer| Arc::new(Mutex::new(answer.to_owned())));
    let (mut zone, mut port, mut serving) = (zone(), 1, None);
    if let Some(answer) = answer {
        zone = zone.text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
        let (at, _, guard) = web(&certified, answer).await;
        (port, serving) = (at, Some(guard));
    }
    let (resolver, _dns) = zone.serve().await;
    let (carrier, heard) = carrier_heard((&server, port), resolver, authority);
    let is_open = carrier.open("B.vn").await.is_ok();
    drop(serving);
    (heard.words(), is_open)
}

#[tokio::test]
async fn sessions_without_a_policy() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let refusing =
        Manners { answers: vec![("STARTTLS", "454 4.7.0 no")], ..with(&ours.sign(&["mx.b.vn"], false)) };
    for (name, manners, expected) in [
        ("good", with(&ours.sign(&["mx.b.vn"], false)), "no-policy-found ok"),
        ("nobody asked for a certificate", with(&theirs.sign(&["mx.c.vn"], true)), "no-policy-found ok"),
        ("none", Manners::default(), "no-policy-found starttls-not-supported"),
        ("refusing", refusing, "no-policy-found starttls-not-supported"),
        ("broken", Manners { broken_tls: true, ..Manners::default() }, "no-policy-found validation-failure"),
    ] {
        let (words, is_open) = opened(manners, &ours, None, "mta-sts.b.vn").await;
        assert_eq!((words, is_open), (vec![expected.to_owned()], true), "{name}");
    }
    let silent = Manners { greeting: Some("!"), ..Manners::default() };
    let (words, is_open) = opened(silent, &ours, None, "mta-sts.b.vn").await;
    assert_eq!((words.len(), is_open), (0, false), "what is no matter of TLS");
}

/// RFC 8460 4.3.4: whoever keeps us waiting, or is busy, has not shown anything of TLS.
#[tokio::test]
async fn time_that_is_over_is_no_matter_of_tls() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let says = |answer| Manners { answers: vec![("STARTTLS", answer)], ..with(&good) };
    let silent = Manners { silent_tls: true, ..Manners::default() };
    for (name, manners) in
        [("no reply", says("?")), ("busy", says("421 4.3.2 busy")), ("no handshake", silent)]
    {
        let server = serve("127.0.0.2", 0, manners).await;
        let (resolver, _dns) = zone().serve().await;
        let sts = MtaSts::new(resolver.clone(), authority.roots(), 1, true).unwrap();
        let settings = settings(server.port);
        let limits = Limits { greeting: SHORT, command: SHORT, handshake: SHORT, ..settings.limits };
        let settings = Settings { limits, ..settings };
        let heard = Arc::new(Heard::default());
        let carrier = Carrier::new(settings, resolver, sts, &authority.roots(), Arc::new(Dice(1)))
            .with_watcher(Arc::<Heard>::clone(&heard));
        assert!(carrier.open("b.vn").await.is_err(), "{name}");
        assert_eq!(heard.words(), [""; 0], "{name}");
        assert!(server.seen.lock().unwrap().lines.contains(&"STARTTLS".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn sessions_under_a_policy_of_the_domain() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = || with(&ours.sign(&["mx.b.vn"], false));
    let elsewhere = || with(&ours.sign(&["mx.c.vn"], false));
    let expired = || with(&ours.sign(&["mx.b.vn"], true));
    let stranger = || with(&theirs.sign(&["mx.b.vn"], false));
    for (manners, mode, mx, expected, goes) in [
        (good(), "enforce", "mx.b.vn", "sts ok", true),
        (elsewhere(), "enforce", "mx.b.vn", "sts certificate-host-mismatch", false),
        (expired(), "enforce", "mx.b.vn", "sts certificate-expired", false),
        (stranger(), "enforce", "mx.b.vn", "sts certificate-not-trusted", false),
        (Manners::default(), "enforce", "mx.b.vn", "sts starttls-not-supported", false),
        (good(), "enforce", "mx9.b.vn", "sts validation-failure", false),
        (good(), "testing", "*.b.vn", "sts ok", true),
        (elsewhere(), "testing", "mx.b.vn", "sts certificate-host-mismatch", true),
        (good(), "testing", "mx9.b.vn", "sts validation-failure", true),
        (Manners::default(), "testing", "mx.b.vn", "sts starttls-not-supported", true),
        (elsewhere(), "none", "mx9.b.vn", "no-policy-found ok", true),
    ] {
        let found = opened(manners, &ours, Some(&policy(mode, mx)), "mta-sts.b.vn").await;
        assert_eq!(found, (vec![expected.to_owned()], goes), "{mode} {mx}");
    }
}

#[tokio::test]
async fn a_policy_that_is_not_to_be_had_is_told_beside_the_session() {
    let ours = Authority::new();
    let good = || with(&ours.sign(&["mx.b.vn"], false));
    let right = policy("enforce", "mx.b.vn");
    let long = document(&format!("{}\n", "x".repeat(70_000)));
    for (answer, web_name, expected) in [
        (right.replace("200 OK", "404 None"), "mta-sts.b.vn", "sts sts-policy-fetch-error"),
        (long.replace("200 OK", "404 None"), "mta-sts.b.vn", "sts sts-policy-fetch-error"),
        (document("version: STSv2\n"), "mta-sts.b.vn", "sts sts-policy-invalid"),
        (right.replace("text/plain", "text/html"), "mta-sts.b.vn", "sts sts-policy-invalid"),
        (long.clone(), "mta-sts.b.vn", "sts sts-policy-invalid"),
        (right.clone(), "b.vn", "sts sts-webpki-invalid"),
    ] {
        let (words, is_open) = opened(good(), &ours, Some(&answer), web_name).await;
        assert_eq!(words, ["no-policy-found ok", expected], "{answer:.100}");
        assert!(is_open);
    }
}

/// The policy that is known keeps us from asking any host, and the newer one that is announced is not handed out.
#[tokio::test]
async fn a_newer_policy_that_is_not_to_be_had_is_told_where_there_is_no_session() {
    let authority = Authority::new();
    let server = serve("127.0.0.2", 0, with(&authority.sign(&["mx.b.vn"], false))).await;
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let answer = policy("enforce", "mx.b.vn").replace("200 OK", "404 None");
    let (port, _, _web) = web(&certified, Arc::new(Mutex::new(answer))).await;
    let zone = zone().text("_mta-sts.b.vn", "v=STSv1; id=2;").at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let text = "version: STSv1\nmode: enforce\nmx: mx9.b.vn\nmax_age: 86400\n".to_owned();
    let old = guard::Shelved { id: "1".into(), text, left: Duration::from_secs(86_400) };
    let shelf = Table(Mutex::new(Some(("b.vn".into(), old))));
    let sts =
        MtaSts::new(resolver.clone(), authority.roots(), port, true).unwrap().with_shelf(Arc::new(shelf));
    let heard = Arc::new(Heard::default());
    let carrier = Carrier::new(settings(server.port), resolver, sts, &authority.roots(), Arc::new(Dice(1)))
        .with_watcher(Arc::<Heard>::clone(&heard));
    assert!(carrier.open("b.vn").await.is_err());
    assert_eq!(heard.words(), ["sts validation-failure", "sts sts-policy-fetch-error"]);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn sessions_with_proven_keys() {
    let authority = Authority::new();
    let good = authority.sign(&["mx.b.vn"], false);
    let other = authority.sign(&["mx.b.vn"], false);
    let key = |usage, of: &Certified| Tlsa { usage, selector: 0, matching: 0, data: of.chain[0].to_vec() };
    for (key, forged, expected, goes) in [
        (key(3, &good), false, "tlsa ok", true),
        (key(3, &other), false, "tlsa certificate-not-trusted", false),
        (key(1, &good), false, "tlsa tlsa-invalid", true),
        (key(3, &good), true, "tlsa dnssec-invalid", false),
    ] {
        let server = serve("127.0.0.2", 0, with(&good)).await;
        let keys: &'static str = format!("_{}._tcp.mx.b.vn", server.port).leak();
        let wrong = if forged { vec![keys] } else { vec![] };
        let zone = zone().key("mx.b.vn", server.port, &key).signed(Signer::new(&wrong, &[]));
        let (resolver, _dns) = zone.serve().await;
        let (carrier, heard) = carrier_heard((&server, 1), resolver, &authority);
        assert_eq!(carrier.open("b.vn").await.is_ok(), goes, "{expected}");
        assert_eq!(heard.words(), [expected]);
    }
}

#[tokio::test]
async fn what_is_said_of_a_failure() {
    let authority = Authority::new();
    let server = serve("127.0.0.2", 0, with(&authority.sign(&["mx.c.vn"], false))).await;
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let answer = Arc::new(Mutex::new(policy("enforce", "MX.b.vn")));
    let (port, _, _web) = web(&certified, answer).await;
    let zone = zone().text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let (carrier, heard) = carrier_heard((&server, port), resolver, &authority);
    assert!(carrier.open("b.vn").await.is_err());
    let (policy, failure) = heard.0.lock().unwrap().pop().unwrap();
    let lines = ["version: STSv1", "mode: enforce", "mx: MX.b.vn", "max_age: 86400"];
    assert_eq!((policy.policy_type, policy.policy_domain.as_str()), (PolicyType::Sts, "b.vn"));
    assert_eq!(
        (policy.policy_string, policy.mx_host),
        (lines.map(str::to_owned).to_vec(), vec!["mx.b.vn".into()])
    );
    let failure = failure.unwrap();
    assert_eq!(failure.receiving_mx_hostname.as_deref(), Some("mx.b.vn"));
    assert_eq!(failure.receiving_ip, Some("127.0.0.2".parse().unwrap()));
    assert!(failure.sending_mta_ip.unwrap().is_loopback());
}

#[tokio::test]
async fn reports_go_whatever_the_policy_and_are_not_told_of() {
    let authority = Authority::new();
    let server = serve("127.0.0.2", 0, with(&authority.sign(&["mx.c.vn"], false))).await;
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let (port, asked, _web) = web(&certified, Arc::new(Mutex::new(policy("enforce", "mx9.b.vn")))).await;
    let zone = zone().text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let (carrier, heard) = carrier_heard((&server, port), resolver, &authority);
    assert!(carrier.open("b.vn").await.is_err());
    assert_eq!(heard.words(), ["sts validation-failure"]);
    let destination = format!("{}b.vn", model::queue::TLS_REPORTS_TO);
    let mut connection = crate::runner::Carrier::open(&carrier, &destination).await.unwrap();
    let attempt = connection.send(&envelope(&["x@b.vn"]), hello()).await;
    assert_eq!(told(&attempt.outcomes), "delivered 250 2.0.0");
    assert!(attempt.tls.unwrap().ends_with(" unverified"), "as well protected as can be");
    assert_eq!((heard.words().len(), *asked.lock().unwrap()), (1, 1));
}

/// Its hosts prove themselves by what does not hold for reports; those that an administrator names do as ever.
#[tokio::test]
async fn reports_go_where_a_route_wants_a_proof() {
    let authority = Authority::new();
    let server = serve("127.0.0.2", 0, with(&authority.sign(&["mx.c.vn"], false))).await;
    let clear = serve("127.0.0.3", server.port, Manners::default()).await;
    let route = |domain: &str, relay| Route { domain: domain.into(), relay, demand: Demand::Verified };
    let relay = Relay { host: "127.0.0.2".into(), port: server.port };
    let routes = vec![route("b.vn", None), route("c.vn", Some(relay)), route("d.vn", None)];
    let zone = zone().mx("d.vn", 1, "mx.d.vn").at("mx.d.vn", "127.0.0.3");
    let (resolver, _dns) = zone.serve().await;
    let settings = Settings { routes, ..settings(server.port) };
    let carrier = carrier_trusting(settings, resolver, &authority.roots());
    for (domain, gets_mail, gets_reports) in
        [("b.vn", false, true), ("c.vn", false, false), ("d.vn", false, false)]
    {
        assert_eq!(carrier.open(domain).await.is_ok(), gets_mail, "{domain}");
        assert_eq!(carrier.open_despite_policies(domain).await.is_ok(), gets_reports, "{domain}");
    }
    assert_eq!(clear.connections(), 2, "never without TLS");
}

#[tokio::test]
async fn only_what_a_domain_has_named_is_told_to_it() {
    let authority = Authority::new();
    let server = serve("127.0.0.2", 0, Manners::default()).await;
    let relay = Relay { host: "127.0.0.2".into(), port: server.port };
    let route = Route { domain: "b.vn".into(), relay: Some(relay), demand: Demand::Opportunistic };
    let none = Route { domain: "c.vn".into(), relay: None, demand: Demand::None };
    let (resolver, _dns) = Zone::default().mx("c.vn", 1, "mx.b.vn").at("mx.b.vn", "127.0.0.2").serve().await;
    let sts = MtaSts::new(resolver.clone(), authority.roots(), 1, true).unwrap();
    let settings = Settings { routes: vec![route, none], ..settings(server.port) };
    let heard = Arc::new(Heard::default());
    let carrier = Carrier::new(settings, resolver, sts, &authority.roots(), Arc::new(Dice(1)))
        .with_watcher(Arc::<Heard>::clone(&heard));
    for domain in ["b.vn", "[127.0.0.2]", "c.vn"] {
        carrier.open(domain).await.unwrap().quit().await;
    }
    assert_eq!(heard.words(), [""; 0]);
}

#[tokio::test]
async fn reports_are_posted_to_verified_servers_of_the_public_network() {
    let authority = Authority::new();
    let certified = authority.sign(&["r.b.vn"], false);
    let taken = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    let answer = Arc::new(Mutex::new(taken.to_owned()));
    let (port, asked, _web) = web(&certified, Arc::clone(&answer)).await;
    let (resolver, _dns) = Zone::default().at("r.b.vn", "127.0.0.4").at("s.b.vn", "127.0.0.4").serve().await;
    let poster = |all| guard::Poster::new(resolver.clone(), authority.roots(), all).unwrap();
    let post = async |host: &str, all| {
        let uri = format!("https://{host}:{port}/v1");
        poster(all).post(&uri, "application/tlsrpt+gzip", vec![0; 100]).await
    };
    assert!(post("r.b.vn", true).await);
    assert!(!post("s.b.vn", true).await, "another's certificate");
    assert_eq!(*asked.lock().unwrap(), 2);
    assert!(!post("r.b.vn", false).await, "into our own network");
    assert_eq!(*asked.lock().unwrap(), 2);
    // Whoever has it says so in the first line, however much he says behind it, and whether he ever comes to the end.
    for length in [70_000, 80_000] {
        *answer.lock().unwrap() =
            format!("HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(70_000));
        assert!(post("r.b.vn", true).await, "{length}");
    }
    for other in ["HTTP/1.1 302 Found\r\nLocation: https://r.b.vn/\r\nContent-Length: 0\r\n\r\n", "no HTTP"] {
        *answer.lock().unwrap() = other.to_owned();
        assert!(!post("r.b.vn", true).await, "{other}");
    }
}
