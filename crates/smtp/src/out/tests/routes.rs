//! From domains to hosts, against a name server on loopback.

use super::super::route::{Way, find};
use super::signed::Signer;
use super::world::Zone;
use super::*;

async fn way(zone: Zone, settings: &Settings, domain: &str) -> Result<Way, NoWay> {
    let (resolver, _serving) = zone.serve().await;
    find(domain, settings, &resolver, &Dice(1)).await
}

fn names(way: &Way) -> Vec<&str> {
    way.hosts.iter().map(|host| host.name.as_str()).collect()
}

fn no_way(found: Result<Way, NoWay>) -> String {
    match found {
        Err(NoWay::Later(answer)) => format!("later {}", answer.status),
        Err(NoWay::Never(answer)) => format!("never {}", answer.status),
        Ok(way) => format!("{:?}", names(&way)),
    }
}

fn zone() -> Zone {
    Zone::default()
        .mx("b.vn", 20, "mx2.b.vn")
        .mx("b.vn", 10, "mx1.b.vn")
        .at("mx1.b.vn", "127.0.0.2")
        .at("mx1.b.vn", "::1")
        .at("mx2.b.vn", "127.0.0.3")
}

#[tokio::test]
async fn exchanges_come_by_preference() {
    let found = way(zone(), &settings(25), "B.VN.").await.unwrap();
    assert_eq!(names(&found), ["mx1.b.vn", "mx2.b.vn"]);
    let addresses: Vec<_> = found.hosts[0].addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["::1", "127.0.0.2"]);
}

#[tokio::test]
async fn equal_exchanges_are_shuffled() {
    use std::sync::atomic::{AtomicU8, Ordering};
    #[derive(Debug)]
    struct Falling(AtomicU8);
    impl Rng for Falling {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_sub(1, Ordering::Relaxed));
        }
    }
    let zone = Zone::default().mx("b.vn", 5, "x.b.vn").mx("b.vn", 5, "y.b.vn").mx("b.vn", 1, "z.b.vn");
    let zone = ["x.b.vn", "y.b.vn", "z.b.vn"].into_iter().fold(zone, |zone, host| zone.at(host, "127.0.0.2"));
    let (resolver, _serving) = zone.serve().await;
    let found = find("b.vn", &settings(25), &resolver, &Falling(AtomicU8::new(9))).await.unwrap();
    assert_eq!(names(&found), ["z.b.vn", "y.b.vn", "x.b.vn"]);
    let found = find("b.vn", &settings(25), &resolver, &Dice(1)).await.unwrap();
    assert_eq!(names(&found), ["z.b.vn", "x.b.vn", "y.b.vn"]);
}

#[tokio::test]
async fn what_domains_say_and_what_follows() {
    let mut public = settings(25);
    public.allow_private = false;
    let own = |preference| Zone::default().mx("b.vn", preference, "THU.a.vn").at("thu.a.vn", "192.0.2.1");
    for (zone, domain, expected) in [
        // RFC 5321 5.1: no MX, so its own address.
        (Zone::default().at("b.vn", "203.0.113.1"), "b.vn", r#"["b.vn"]"#),
        (Zone::default(), "b.vn", "never 5.1.2"),
        (Zone::default().text("b.vn", "x"), "b.vn", "never 5.1.2"),
        (Zone::default(), "a..b", "never 5.1.2"),
        (Zone::default().broken("b.vn"), "b.vn", "later 4.4.3"),
        // RFC 7505, and a wrong one.
        (Zone::default().mx("b.vn", 0, "."), "b.vn", "never 5.1.10"),
        (
            Zone::default().mx("b.vn", 0, ".").mx("b.vn", 5, "x.vn").at("x.vn", "203.0.113.1"),
            "b.vn",
            r#"["x.vn"]"#,
        ),
        // Hosts without address, or none that can be found out.
        (Zone::default().mx("b.vn", 5, "x.vn"), "b.vn", "never 5.4.4"),
        (Zone::default().mx("b.vn", 5, "x.vn").mx("b.vn", 9, "y.vn").broken("y.vn"), "b.vn", "later 4.4.3"),
        (
            Zone::default().mx("b.vn", 5, "x.vn").mx("b.vn", 9, "y.vn").at("y.vn", "203.0.113.1"),
            "b.vn",
            r#"["y.vn"]"#,
        ),
        // Aliases: of the domain, of a host, in a circle.
        (
            Zone::default().alias("b.vn", "c.vn").mx("c.vn", 5, "x.vn").at("x.vn", "203.0.113.1"),
            "b.vn",
            r#"["x.vn"]"#,
        ),
        (
            Zone::default().mx("b.vn", 5, "x.vn").alias("x.vn", "y.vn").at("y.vn", "203.0.113.1"),
            "b.vn",
            r#"["x.vn"]"#,
        ),
        // Ourselves, by name and by alias; those before us are tried.
        (own(5), "b.vn", "never 5.4.6"),
        (own(5).mx("b.vn", 5, "x.vn").at("x.vn", "203.0.113.1"), "b.vn", "never 5.4.6"),
        (own(5).mx("b.vn", 9, "x.vn").at("x.vn", "203.0.113.1"), "b.vn", "never 5.4.6"),
        (own(5).mx("b.vn", 4, "x.vn").at("x.vn", "203.0.113.1"), "b.vn", r#"["x.vn"]"#),
        (own(9).alias("x.vn", "thu.a.vn").mx("b.vn", 4, "x.vn"), "b.vn", "never 5.4.6"),
        (Zone::default().at("thu.a.vn", "203.0.113.1"), "thu.a.vn", "never 5.4.6"),
        // Traps.
        (Zone::default().mx("b.vn", 5, "x.vn").at("x.vn", "127.0.0.1"), "b.vn", "never 5.4.4"),
        (
            Zone::default().mx("b.vn", 5, "x.vn").at("x.vn", "10.0.0.1").at("x.vn", "::1"),
            "b.vn",
            "never 5.4.4",
        ),
        (Zone::default().at("b.vn", "169.254.169.254"), "b.vn", "never 5.4.4"),
        // Literals.
        (Zone::default(), "[203.0.113.1]", r#"["[203.0.113.1]"]"#),
        (Zone::default(), "[IPv6:2606:4700::1]", r#"["[ipv6:2606:4700::1]"]"#),
        (Zone::default(), "[127.0.0.1]", "never 5.4.4"),
        (Zone::default(), "[IPv6:::1]", "never 5.4.4"),
        (Zone::default(), "[x-tag:1]", "never 5.1.3"),
        (Zone::default(), "[1.2.3.4", "never 5.1.3"),
    ] {
        assert_eq!(no_way(way(zone, &public, domain).await), expected, "{domain}");
    }
}

/// RFC 5321 5.1: whatever name our address has, it is us.
#[tokio::test]
async fn mail_does_not_come_back_to_our_own_address() {
    let at = |address| Zone::default().mx("b.vn", 5, "x.vn").at("x.vn", address);
    let before = |zone: Zone| zone.mx("b.vn", 4, "y.vn").at("y.vn", "127.0.0.2");
    let behind = |zone: Zone| zone.mx("b.vn", 6, "y.vn").at("y.vn", "127.0.0.2");
    let (one, all) = ("203.0.113.1:25", "0.0.0.0:25");
    for (listens, port, zone, domain, expected) in [
        (one, 25, at("203.0.113.1"), "b.vn", "never 5.4.6"),
        (one, 25, behind(at("203.0.113.1")), "b.vn", "never 5.4.6"),
        (one, 25, before(at("203.0.113.1")), "b.vn", r#"["y.vn"]"#),
        (one, 25, at("203.0.113.1").at("x.vn", "203.0.113.2"), "b.vn", "never 5.4.6"),
        (one, 25, Zone::default().at("b.vn", "203.0.113.1"), "b.vn", "never 5.4.6"),
        (one, 25, at("203.0.113.2"), "b.vn", r#"["x.vn"]"#),
        (one, 25, Zone::default(), "[203.0.113.1]", "never 5.4.6"),
        // Another server is there.
        (one, 26, at("203.0.113.1"), "b.vn", r#"["x.vn"]"#),
        // Whichever addresses the machine has.
        (all, 25, at("127.0.0.1"), "b.vn", "never 5.4.6"),
        (all, 25, at("203.0.113.1"), "b.vn", r#"["x.vn"]"#),
        (all, 25, at("::1"), "b.vn", r#"["x.vn"]"#),
        (all, 25, Zone::default(), "[127.0.0.1]", "never 5.4.6"),
    ] {
        let settings = Settings { listens: vec![listens.parse().unwrap()], ..settings(port) };
        assert_eq!(no_way(way(zone, &settings, domain).await), expected, "{listens} {port} {domain}");
    }
    // What is not gone to anyway is passed over, and the rest of the host counts.
    let settings = Settings { allow_private: false, listens: vec![all.parse().unwrap()], ..settings(25) };
    let trap = at("127.0.0.1").at("x.vn", "203.0.113.1");
    assert_eq!(no_way(way(trap, &settings, "b.vn").await), r#"["x.vn"]"#);
}

/// Whoever answers in a signed domain's place has no mail to it given up.
#[tokio::test]
async fn mail_is_given_up_for_what_is_proven_or_signed_by_nobody() {
    let mut public = settings(25);
    public.allow_private = false;
    let all = || Signer::new(&[], &[]);
    let null = || Zone::default().mx("b.vn", 0, ".");
    let ours = || Zone::default().mx("b.vn", 5, "thu.a.vn").at("thu.a.vn", "203.0.113.1");
    let lost = || Zone::default().mx("b.vn", 5, "mx.b.vn");
    let private = || lost().at("mx.b.vn", "10.0.0.1");
    let truth = || lost().at("mx.b.vn", "203.0.113.1").signed(all());
    for (at, (zone, expected)) in [
        // Proven.
        (null().signed(all()), "never 5.1.10"),
        (Zone::default().signed(all()), "never 5.1.2"),
        (ours().signed(all()), "never 5.4.6"),
        (lost().signed(all()), "never 5.4.4"),
        (private().signed(all()), "never 5.4.4"),
        // Nobody signed.
        (null().signed(Signer::new(&[], &["b.vn"])), "never 5.1.10"),
        (Zone::default().signed(Signer::new(&[], &["b.vn"])), "never 5.1.2"),
        (null().signed(Signer::new(&[], &[""])), "never 5.1.10"),
        // Wrong signatures; nothing that could be known.
        (null().signed(Signer::new(&["b.vn"], &[])), "later 4.4.3"),
        (Zone::default().signed(Signer::new(&["b.vn"], &[])), "later 4.4.3"),
        (private().signed(Signer::new(&["mx.b.vn"], &[])), "later 4.4.3"),
        (null().broken("").signed(all()), "later 4.4.3"),
        // Something else is proven.
        (truth().hidden_by(null()), "later 4.4.3"),
        (truth().hidden_by(Zone::default()), "later 4.4.3"),
        (truth().hidden_by(ours()), "later 4.4.3"),
        (truth().hidden_by(lost()), "later 4.4.3"),
        (truth().hidden_by(private()), "later 4.4.3"),
        (truth(), r#"["mx.b.vn"]"#),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(no_way(way(zone, &public, "b.vn").await), expected, "the {at}th");
    }
}

#[tokio::test]
async fn no_more_hosts_than_one_tries() {
    let zone = (0..20).fold(Zone::default(), |zone, number| {
        let host = format!("x{number:02}.vn");
        zone.mx("b.vn", number, &host).at(&host, "127.0.0.2")
    });
    let found = way(zone, &settings(25), "b.vn").await.unwrap();
    assert_eq!(names(&found), ["x00.vn", "x01.vn", "x02.vn", "x03.vn", "x04.vn"]);
}

#[tokio::test]
async fn an_administrators_routes_come_first() {
    let relay = |host: &str, port| Relay { host: host.into(), port };
    let route = |domain: &str, relay, demand| Route { domain: domain.into(), relay, demand };
    let mut settings = settings(25);
    settings.allow_private = false;
    settings.smart_host = Some(relay("relay.a.vn", 2525));
    settings.routes = vec![
        route(".gov.vn", Some(relay("10.0.0.9", 25)), Demand::Required),
        route("x.gov.vn", Some(relay("gone.a.vn", 26)), Demand::Opportunistic),
        route(".y.gov.vn", Some(relay("127.0.0.1", 27)), Demand::None),
        route("b.vn", None, Demand::Verified),
    ];
    let zone =
        Zone::default().at("relay.a.vn", "10.0.0.1").mx("b.vn", 5, "mx.b.vn").at("mx.b.vn", "203.0.113.1");
    for (domain, expected) in [
        ("else.vn", "relay.a.vn:2525 Opportunistic"),
        ("z.gov.vn", "10.0.0.9:25 Required"),
        ("a.y.gov.vn", "127.0.0.1:27 None"),
        ("gov.vn", "relay.a.vn:2525 Opportunistic"),
        ("b.vn", "mx.b.vn:25 Verified"),
        ("x.gov.vn", "later 4.4.4"),
    ] {
        let found = match way(zone.clone(), &settings, domain).await {
            Ok(way) => format!("{}:{} {:?}", way.hosts[0].name, way.hosts[0].port, way.demand),
            error => no_way(error),
        };
        assert_eq!(found, expected, "{domain}");
    }
}

#[tokio::test]
async fn one_family_is_enough() {
    // AAAA of a host that has an address fails nothing; here both families of another host do.
    let zone =
        Zone::default().mx("b.vn", 1, "y.vn").broken("y.vn").mx("b.vn", 2, "x.vn").at("x.vn", "127.0.0.2");
    assert_eq!(names(&way(zone, &settings(25), "b.vn").await.unwrap()), ["x.vn"]);
}

/// What is demanded of a domain does not depend on how the sender, or the administrator, has spelt it.
#[tokio::test]
async fn a_domain_is_one_however_it_is_spelt() {
    let ascii = guard::ascii_domain("tỉnh.vn").unwrap();
    assert!(ascii.starts_with("xn--"));
    for written in ["tỉnh.vn", ascii.as_str()] {
        let mut settings = settings(25);
        let relay = Some(Relay { host: "127.0.0.9".into(), port: 27 });
        let route = |domain| Route { domain, relay: relay.clone(), demand: Demand::Required };
        settings.routes = vec![route(written.to_owned()), route(format!(".{written}"))];
        settings.spell_domains();
        for domain in ["tỉnh.vn", "TỈNH.vn.", ascii.as_str(), "sở.tỉnh.vn", &format!("a.{ascii}")] {
            let found = way(Zone::default(), &settings, domain).await.unwrap();
            assert_eq!((found.demand, names(&found)), (Demand::Required, vec!["127.0.0.9"]), "{domain}");
        }
    }
}

/// Only so many hosts are looked at: of those behind them nothing is known.
#[tokio::test]
async fn more_hosts_than_are_tried_may_have_an_address() {
    let zone = (1..=6).fold(Zone::default(), |zone, n| zone.mx("b.vn", n, &format!("mx{n}.b.vn")));
    assert_eq!(no_way(way(zone.at("mx6.b.vn", "127.0.0.2"), &settings(25), "b.vn").await), "later 4.4.4");
    let zone = (1..=5).fold(Zone::default(), |zone, n| zone.mx("b.vn", n, &format!("mx{n}.b.vn")));
    assert_eq!(no_way(way(zone, &settings(25), "b.vn").await), "never 5.4.4");
}
