//! MTA-STS: a policy over HTTPS, and what it changes.

use super::world::{Authority, Certified, Manners, Zone, run, serve};
use super::*;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A web server that answers everything with what is in the shared place; tells how often it was asked.
pub(super) async fn web(
    certified: &Certified,
    answer: Arc<Mutex<String>>,
) -> (u16, Arc<Mutex<u32>>, impl Sized) {
    let socket = TcpListener::bind(SocketAddr::from(([127, 0, 0, 4], 0))).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let (acceptor, asked) = (certified.acceptor(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&asked);
    let serving = run(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            *counted.lock().unwrap() += 1;
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let read = stream.read(&mut [0; 4096]).await;
            let answer = answer.lock().unwrap().clone();
            let written = stream.write_all(answer.as_bytes()).await;
            let _ended = (read, written, stream.shutdown().await);
        }
    });
    (port, asked, serving)
}

pub(super) fn document(policy: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{policy}", policy.len())
}

pub(super) fn policy(mode: &str, mx: &str) -> String {
    document(&format!("version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 86400\n"))
}

/// Opens to `b.vn` with this policy published and this certificate at its server.
async fn opened(answer: &str, web_names: &[&str], mx_names: &[&str]) -> String {
    let authority = Authority::new();
    let tls = Some(authority.sign(mx_names, false).acceptor());
    let server = serve("127.0.0.2", 0, Manners { tls, ..Manners::default() }).await;
    let answer = Arc::new(Mutex::new(answer.to_owned()));
    let certified = authority.sign(web_names, false);
    let (port, _, _web) = web(&certified, answer).await;
    let zone = Zone::default()
        .mx("b.vn", 1, "mx.b.vn")
        .at("mx.b.vn", "127.0.0.2")
        .text("_mta-sts.b.vn", "v=STSv1; id=1;")
        .at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let sts = MtaSts::new(resolver.clone(), authority.roots(), port, true).unwrap();
    let carrier = Carrier::new(settings(server.port), resolver, sts, &authority.roots(), Arc::new(Dice(1)));
    match carrier.open("b.vn").await {
        Ok(mut connection) => {
            let attempt = connection.send(&envelope(&["x@b.vn"]), hello()).await;
            attempt.tls.map_or("clear".to_owned(), |tls| tls.rsplit(' ').next().unwrap().to_owned())
        }
        Err(NoWay::Later(answer)) => format!("later {}", answer.status),
        Err(NoWay::Never(answer)) => format!("never {}", answer.status),
    }
}

#[tokio::test]
async fn policies_are_kept() {
    let web = ["mta-sts.b.vn"];
    for (answer, web_names, mx_names, expected) in [
        (policy("enforce", "mx.b.vn"), web, ["mx.b.vn"], "verified"),
        (policy("enforce", "*.b.vn"), web, ["mx.b.vn"], "verified"),
        (policy("enforce", "mx.b.vn"), web, ["mx.c.vn"], "later 4.7.5"),
        (policy("enforce", "mx9.b.vn"), web, ["mx.b.vn"], "later 4.7.8"),
        (policy("testing", "mx9.b.vn"), web, ["mx.c.vn"], "unverified"),
        (policy("none", "mx9.b.vn"), web, ["mx.c.vn"], "unverified"),
        // What is no policy: from the wrong server, moved, of another kind, too long, broken off.
        (policy("enforce", "mx9.b.vn"), ["b.vn"], ["mx.c.vn"], "unverified"),
        (policy("enforce", "mx9.b.vn").replace("200 OK", "301 Moved"), web, ["mx.c.vn"], "unverified"),
        (policy("enforce", "mx9.b.vn").replace("text/plain", "text/html"), web, ["mx.c.vn"], "unverified"),
        (document(&format!("{}\n", "x".repeat(70_000))), web, ["mx.c.vn"], "unverified"),
        (policy("enforce", "mx9.b.vn").replace("Length: ", "Length: 9"), web, ["mx.c.vn"], "unverified"),
    ] {
        assert_eq!(opened(&answer, &web_names, &mx_names).await, expected, "{answer:.200}");
    }
}

/// An administrator is told why others do not get his policy.
#[tokio::test]
async fn it_is_said_why_a_policy_cannot_be_had() {
    let good = policy("enforce", "mx.b.vn");
    let (long, endless) = (document(&"x".repeat(70_000)), good.replace("Length: ", "Length: 9"));
    for (answer, names, expected) in [
        (good.clone(), "mta-sts.b.vn", Ok("version: STSv1")),
        (good.clone(), "b.vn", Err("no TLS that can be verified")),
        (good.replace("200 OK", "301 Moved"), "mta-sts.b.vn", Err("the status 301")),
        (good.replace("text/plain", "text/html"), "mta-sts.b.vn", Err("content type \"text/html\"")),
        (long.clone(), "mta-sts.b.vn", Err("more than 64 KB")),
        (endless.clone(), "mta-sts.b.vn", Err("breaks off")),
        // Nobody waits for the rest of what is none.
        (long.replace("200 OK", "404 None"), "mta-sts.b.vn", Err("the status 404")),
        (long.replace("text/plain", "text/html"), "mta-sts.b.vn", Err("content type \"text/html\"")),
        (endless.replace("200 OK", "301 Moved"), "mta-sts.b.vn", Err("the status 301")),
    ] {
        let authority = Authority::new();
        let certified = authority.sign(&[names], false);
        let (port, _, _web) = web(&certified, Arc::new(Mutex::new(answer))).await;
        let (resolver, _dns) = Zone::default().at("mta-sts.b.vn", "127.0.0.4").serve().await;
        let sts = MtaSts::new(resolver.clone(), authority.roots(), port, true).unwrap();
        let fetched = sts.fetch("b.vn").await.map_err(|error| error.to_string());
        match (&fetched, expected) {
            (Ok(text), Ok(begins)) => assert!(text.starts_with(begins), "{text}"),
            (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
            _ => panic!("{fetched:?} instead of {expected:?}"),
        }
        let outside = MtaSts::new(resolver, authority.roots(), port, false).unwrap();
        let why = |fetched: Result<String, guard::FetchError>| match fetched {
            Err(guard::FetchError::Https(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(matches!(why(outside.fetch("b.vn").await), guard::HttpsError::Private));
        assert!(matches!(why(sts.fetch("c.vn").await), guard::HttpsError::NoAddress));
    }
}

#[tokio::test]
async fn a_policy_outlives_its_hint() {
    let authority = Authority::new();
    let answer = Arc::new(Mutex::new(policy("enforce", "mx.b.vn")));
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let (port, asked, _web) = web(&certified, Arc::clone(&answer)).await;
    let zone = Zone::default().text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let sts = MtaSts::new(resolver, authority.roots(), port, true).unwrap();
    let known = sts.policy("b.vn").await.policy.unwrap();
    assert!(known.allows("mx.b.vn"));
    *answer.lock().unwrap() = "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n".into();
    assert_eq!(sts.policy("b.vn").await.policy, Some(known));
    assert_eq!(*asked.lock().unwrap(), 1, "a known policy is not asked for again");

    // One that was never to be had is not asked for at every message.
    let zone = Zone::default().text("_mta-sts.c.vn", "v=STSv1; id=2;").at("mta-sts.c.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let sts = MtaSts::new(resolver, authority.roots(), port, true).unwrap();
    let none = || guard::Found { policy: None, trouble: Some(guard::Trouble::Unverified) };
    assert_eq!((sts.policy("c.vn").await, sts.policy("c.vn").await), (none(), none()));
    assert_eq!(*asked.lock().unwrap(), 2);
}

/// As a restart, or another node, finds it.
#[derive(Debug, Default)]
pub(super) struct Table(pub(super) Mutex<Option<(String, guard::Shelved)>>);

impl guard::Shelf for Table {
    fn find<'a>(&'a self, domain: &'a str) -> guard::Doing<'a, Option<guard::Shelved>> {
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move { found.filter(|(of, _)| of == domain).map(|(_, policy)| policy) })
    }

    fn put<'a>(&'a self, domain: &'a str, policy: guard::Shelved) -> guard::Doing<'a, ()> {
        *self.0.lock().unwrap() = Some((domain.to_owned(), policy));
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_policy_outlives_the_process() {
    let authority = Authority::new();
    let answer = Arc::new(Mutex::new(policy("enforce", "mx.b.vn")));
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let (port, asked, _web) = web(&certified, answer).await;
    let shelf = Arc::new(Table::default());
    let sts = async |zone: Zone| {
        let (resolver, dns) = zone.serve().await;
        let sts = MtaSts::new(resolver, authority.roots(), port, true).unwrap();
        (sts.with_shelf(Arc::<Table>::clone(&shelf)), dns)
    };
    let zone = || Zone::default().text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
    let (first, _dns) = sts(zone()).await;
    let known = first.policy("b.vn").await.policy.unwrap();
    // Somebody on the way takes the hint away, and the new process never had it.
    let (second, _dns) = sts(Zone::default().broken("_mta-sts.b.vn")).await;
    assert_eq!(second.policy("b.vn").await.policy, Some(known));
    assert_eq!(second.policy("c.vn").await, guard::Found::default());
    let (third, _dns) = sts(zone()).await;
    assert!(third.policy("b.vn").await.policy.is_some());
    assert_eq!(*asked.lock().unwrap(), 1, "what is known is not fetched");
}

#[tokio::test]
async fn policies_are_not_fetched_from_our_own_networks() {
    let authority = Authority::new();
    let answer = Arc::new(Mutex::new(policy("enforce", "mx.b.vn")));
    let certified = authority.sign(&["mta-sts.b.vn"], false);
    let (port, asked, _web) = web(&certified, answer).await;
    let zone = Zone::default().text("_mta-sts.b.vn", "v=STSv1; id=1;").at("mta-sts.b.vn", "127.0.0.4");
    let (resolver, _dns) = zone.serve().await;
    let sts = MtaSts::new(resolver, authority.roots(), port, false).unwrap();
    assert_eq!(sts.policy("b.vn").await.policy, None);
    assert_eq!(*asked.lock().unwrap(), 0);
}
