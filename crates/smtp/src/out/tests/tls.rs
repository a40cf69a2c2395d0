//! TLS of every kind: where it is wanted, where it fails, where somebody takes it away.

use super::super::demand::Security;
use super::super::dial::Dial;
use super::super::route::Stop;
use super::super::verify::Trust;
use super::world::{Authority, Certified, Manners, Server, Zone, serve};
use super::*;
use guard::Tlsa;

/// Sends one message to `b.vn`, whose server is `mx.b.vn`; how it went, and how the server was spoken to.
async fn sent(manners: Manners, demand: Demand, authority: &Authority) -> (String, Option<String>, Server) {
    let server = serve("127.0.0.2", 0, manners).await;
    let zone = Zone::default().mx("b.vn", 1, "mx.b.vn").at("mx.b.vn", "127.0.0.2");
    let (resolver, _dns) = zone.serve().await;
    let mut settings = settings(server.port);
    settings.routes = vec![Route { domain: "b.vn".into(), relay: None, demand }];
    let carrier = carrier_trusting(settings, resolver, &authority.roots());
    match carrier.open("b.vn").await {
        Ok(mut connection) => {
            let attempt = connection.send(&envelope(&["x@b.vn"]), hello()).await;
            connection.quit().await;
            (told(&attempt.outcomes), attempt.tls, server)
        }
        Err(NoWay::Later(answer)) => (format!("later {}", answer.status), None, server),
        Err(NoWay::Never(answer)) => (format!("never {}", answer.status), None, server),
    }
}

fn with(certified: &Certified) -> Manners {
    Manners { tls: Some(certified.acceptor()), ..Manners::default() }
}

#[tokio::test]
async fn what_is_demanded_of_what_is_there() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = || with(&ours.sign(&["mx.b.vn"], false));
    let stranger = || with(&theirs.sign(&["mx.b.vn"], false));
    let expired = || with(&ours.sign(&["mx.b.vn"], true));
    let elsewhere = || with(&ours.sign(&["mx.c.vn"], false));
    let none = Manners::default;
    let broken = || Manners { broken_tls: true, ..Manners::default() };
    let refusing = || Manners { answers: vec![("STARTTLS", "454 4.7.0 no")], ..good() };
    let closing = || Manners { answers: vec![("STARTTLS", "!")], ..good() };
    let rows: Vec<(&str, Manners, Demand, &str, Option<bool>)> = vec![
        ("good", good(), Demand::Opportunistic, "delivered", Some(true)),
        ("stranger", stranger(), Demand::Opportunistic, "delivered", Some(false)),
        ("expired", expired(), Demand::Opportunistic, "delivered", Some(false)),
        ("elsewhere", elsewhere(), Demand::Opportunistic, "delivered", Some(false)),
        ("none", none(), Demand::Opportunistic, "delivered", None),
        ("broken", broken(), Demand::Opportunistic, "later 4.4.2", None),
        ("refusing", refusing(), Demand::Opportunistic, "delivered", None),
        ("closing", closing(), Demand::Opportunistic, "delivered", None),
        ("closing", closing(), Demand::Required, "later 4.4.2", None),
        ("good", good(), Demand::Required, "delivered", Some(true)),
        ("stranger", stranger(), Demand::Required, "delivered", Some(false)),
        ("none", none(), Demand::Required, "later 4.7.10", None),
        ("broken", broken(), Demand::Required, "later 4.7.5", None),
        ("refusing", refusing(), Demand::Required, "later 4.7.4", None),
        ("good", good(), Demand::Verified, "delivered", Some(true)),
        ("stranger", stranger(), Demand::Verified, "later 4.7.5", None),
        ("expired", expired(), Demand::Verified, "later 4.7.5", None),
        ("elsewhere", elsewhere(), Demand::Verified, "later 4.7.5", None),
        ("none", none(), Demand::Verified, "later 4.7.10", None),
        ("good", good(), Demand::None, "delivered", None),
    ];
    for (name, manners, demand, expected, verified) in rows {
        let clear_works = name == "broken" && demand == Demand::Opportunistic;
        let (outcome, tls, server) = sent(manners, demand, &ours).await;
        if clear_works {
            // The second connection goes without TLS, and the server takes it.
            assert_eq!((outcome.split(' ').next(), tls, server.connections()), (Some("delivered"), None, 2));
            continue;
        }
        assert!(outcome.starts_with(expected), "{name} {demand:?}: {outcome}");
        let worth = tls.map(|tls| tls.ends_with(" verified"));
        assert_eq!(worth, verified, "{name} {demand:?}");
        assert_eq!(server.messages().len(), usize::from(expected == "delivered"), "{name} {demand:?}");
    }
}

#[tokio::test]
async fn what_comes_before_tls_is_not_believed() {
    let authority = Authority::new();
    let mut manners = with(&authority.sign(&["mx.b.vn"], false));
    manners.answers = vec![("STARTTLS", "220 go\r\n250 I am the server, believe me")];
    let (outcome, _, server) = sent(manners, Demand::Opportunistic, &authority).await;
    assert_eq!((outcome.as_str(), server.messages().len()), ("later 4.7.0", 0));
}

/// One dial with a `Security` of the test's choosing.
async fn dialled(certified: &Certified, security: Security) -> Result<bool, String> {
    let server = serve("127.0.0.2", 0, with(certified)).await;
    let address = "127.0.0.2".parse().unwrap();
    let host = Stop { name: "mx.b.vn".into(), port: server.port, addresses: vec![address] };
    let settings = settings(server.port);
    let trust = Trust::new(&Arc::new(rustls::RootCertStore::empty()));
    let until = tokio::time::Instant::now() + settings.limits.opening;
    let dial = Dial { settings: &settings, trust: &trust, host: &host, address, security: &security, until };
    match dial.reach().await.1 {
        Ok(connection) => Ok(connection.authenticated),
        Err(failure) => Err(failure.answer.status.to_string()),
    }
}

#[tokio::test]
async fn published_keys() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.sign(&["mx.b.vn"], false);
    let expired = authority.sign(&["mx.b.vn"], true);
    let elsewhere = authority.sign(&["mx.c.vn"], false);
    let of_domain = authority.sign(&["b.vn"], false);
    let key =
        |usage, certificate: &[u8]| Tlsa { usage, selector: 0, matching: 0, data: certificate.to_vec() };
    let keys =
        |keys: Vec<Tlsa>| Security::Keys { keys: keys.into(), names: vec!["mx.b.vn".into(), "b.vn".into()] };
    let leaf = |certified: &Certified| certified.chain[0].to_vec();
    let (ca, other_ca) = (authority.certificate(), other.certificate());
    let refused = || Err("4.7.5".to_owned());
    for (name, certified, security, expected) in [
        ("the server's", &good, keys(vec![key(3, &leaf(&good))]), Ok(true)),
        ("dates do not matter", &expired, keys(vec![key(3, &leaf(&expired))]), Ok(true)),
        ("names do not matter", &elsewhere, keys(vec![key(3, &leaf(&elsewhere))]), Ok(true)),
        ("another's", &good, keys(vec![key(3, &leaf(&expired))]), refused()),
        ("one of two", &good, keys(vec![key(3, &leaf(&expired)), key(3, &leaf(&good))]), Ok(true)),
        ("the authority's", &good, keys(vec![key(2, &ca)]), Ok(true)),
        ("the authority's, for the domain", &of_domain, keys(vec![key(2, &ca)]), Ok(true)),
        ("another authority's", &good, keys(vec![key(2, &other_ca)]), refused()),
        ("expired under an authority", &expired, keys(vec![key(2, &ca)]), refused()),
        ("another name under an authority", &elsewhere, keys(vec![key(2, &ca)]), refused()),
        ("an authority as a server", &good, keys(vec![key(3, &ca)]), refused()),
        ("a server as an authority", &good, keys(vec![key(2, &leaf(&good))]), refused()),
        ("any will do", &elsewhere, Security::Required, Ok(false)),
        ("nobody is trusted", &good, Security::Names(vec!["mx.b.vn".into()]), refused()),
    ] {
        assert_eq!(dialled(certified, security).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_server_taken_over_by_an_address_gets_no_sealed_mail() {
    // REQUIRETLS goes only where it is known whose server it is (RFC 8689 4.2.1).
    let authority = Authority::new();
    let mut manners = with(&authority.sign(&["mx.b.vn"], false));
    manners.offers = vec!["REQUIRETLS"];
    for (demand, expected) in
        [(Demand::Verified, "delivered 250 2.0.0"), (Demand::Opportunistic, "failed - 5.7.30")]
    {
        let server = serve("127.0.0.2", 0, manners.clone()).await;
        let zone = Zone::default().mx("b.vn", 1, "mx.b.vn").at("mx.b.vn", "127.0.0.2");
        let (resolver, _dns) = zone.serve().await;
        let mut settings = settings(server.port);
        settings.routes = vec![Route { domain: "b.vn".into(), relay: None, demand }];
        let mut connection =
            carrier_trusting(settings, resolver, &authority.roots()).open("b.vn").await.unwrap();
        let sealed = Envelope { requires_tls: true, ..envelope(&["x@b.vn"]) };
        assert_eq!(told(&connection.send(&sealed, hello()).await.outcomes), expected);
        let said = server.seen.lock().unwrap().lines.iter().any(|line| line.ends_with(" REQUIRETLS"));
        assert_eq!(said, demand == Demand::Verified);
    }
}

#[tokio::test]
async fn the_next_host_is_tried() {
    let authority = Authority::new();
    let bad = serve("127.0.0.2", 0, Manners::default()).await;
    let good = serve("127.0.0.3", bad.port, with(&authority.sign(&["mx2.b.vn"], false))).await;
    let zone = Zone::default().mx("b.vn", 1, "mx0.b.vn").mx("b.vn", 2, "mx1.b.vn").mx("b.vn", 3, "mx2.b.vn");
    // Nobody listens at the first; the second has no TLS.
    let zone = zone.at("mx0.b.vn", "127.0.0.9").at("mx1.b.vn", "127.0.0.2").at("mx2.b.vn", "127.0.0.3");
    let (resolver, _dns) = zone.serve().await;
    let mut settings = settings(bad.port);
    settings.routes = vec![Route { domain: "b.vn".into(), relay: None, demand: Demand::Required }];
    let mut connection = carrier_trusting(settings, resolver, &authority.roots()).open("b.vn").await.unwrap();
    assert_eq!(connection.host(), "mx2.b.vn");
    assert_eq!(told(&connection.send(&envelope(&["x@b.vn"]), hello()).await.outcomes), "delivered 250 2.0.0");
    assert_eq!((bad.connections(), good.connections()), (1, 1));
}

#[tokio::test]
async fn an_address_family_that_fails_is_not_tried_first_again() {
    let server = serve("127.0.0.2", 0, Manners::default()).await;
    // Nobody listens there.
    let zone =
        Zone::default().at("b.vn", "::1").at("b.vn", "127.0.0.2").at("c.vn", "::1").at("c.vn", "127.0.0.2");
    let (resolver, _dns) = zone.serve().await;
    let carrier = carrier(settings(server.port), resolver);
    for domain in ["b.vn", "c.vn"] {
        carrier.open(domain).await.unwrap().quit().await;
    }
    let six = "::1".parse().unwrap();
    let four = "127.0.0.2".parse().unwrap();
    assert_eq!(carrier.in_turn(&[six, four]), [four, six]);
    assert_eq!(carrier.in_turn(&[six, six, six, six, six, four]), [four, six, six, six]);
}
