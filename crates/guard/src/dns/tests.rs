//! The resolver against a name server on loopback, which knows a handful of names.

use super::proven::SILENCE_REST;
use super::*;
use crate::zone::serve;
use futures_util::future::join_all;
use tokio::net::UdpSocket;

const ZONE: &str = "mail.demo.gov.vn A 192.0.2.1
    mail.demo.gov.vn AAAA 2001:db8::1
    demo.gov.vn MX 20 Mail2.demo.gov.vn
    demo.gov.vn MX 10 mail.demo.gov.vn
    null.vn MX 0 .
    1.2.0.192.in-addr.arpa PTR mail.demo.gov.vn
    broken.vn SERVFAIL
    silent.vn SILENT
";

/// Whoever can drop one answer does not decide that nothing is proven.
#[tokio::test(start_paused = true)]
async fn silence_does_not_say_that_nobody_signs() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    assert_eq!(resolver.keys("mail.demo.gov.vn", 25).await, Err(DnsError::Silence));
    assert_eq!(resolver.exchange_is_proven("demo.gov.vn", "mail.demo.gov.vn").await, Err(DnsError::Silence));
}

/// Name servers that say nothing hold up nobody for longer than one of those who ask.
#[tokio::test(start_paused = true)]
async fn many_wait_for_one_look_at_the_root() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
    let ask = || resolver.keys("mail.demo.gov.vn", 25);
    let began = tokio::time::Instant::now();
    let answers = join_all((0..20).map(|_| ask())).await;
    assert_eq!(answers, vec![Err(DnsError::Silence); 20]);
    assert!(began.elapsed() <= QUESTION_MAX, "{:?}", began.elapsed());
    // Whoever comes now need not wait, and some time later it is tried again.
    let again = tokio::time::Instant::now();
    assert_eq!(ask().await, Err(DnsError::Silence));
    assert_eq!(again.elapsed(), Duration::ZERO);
    tokio::time::advance(SILENCE_REST).await;
    let later = tokio::time::Instant::now();
    assert_eq!(ask().await, Err(DnsError::Silence));
    assert!(later.elapsed() >= TRY_MAX, "{:?}", later.elapsed());
}

#[tokio::test]
async fn what_there_is_is_told() {
    let (resolver, _running) = serve(ZONE).await;
    let addresses = resolver.addresses("mail.demo.gov.vn").await.unwrap();
    assert_eq!(addresses, ["192.0.2.1".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
    let hosts: Vec<_> = resolver.exchanges("demo.gov.vn").await.unwrap();
    let hosts: Vec<_> = hosts.iter().map(|e| (e.preference, e.host.as_str())).collect();
    assert_eq!(hosts, [(10, "mail.demo.gov.vn"), (20, "mail2.demo.gov.vn")]);
    assert_eq!(resolver.exchanges("null.vn").await.unwrap()[0].host, "");
    assert_eq!(resolver.names("192.0.2.1".parse().unwrap()).await.unwrap(), ["mail.demo.gov.vn"]);
}

#[tokio::test]
async fn none_and_not_known_are_different() {
    let (resolver, _running) = serve(ZONE).await;
    for none in ["nowhere.vn", "demo.gov.vn"] {
        assert_eq!(resolver.addresses(none).await, Ok(Vec::new()), "{none}");
    }
    assert_eq!(resolver.exchanges("nowhere.vn").await, Ok(Vec::new()));
    assert_eq!(resolver.names("192.0.2.9".parse().unwrap()).await, Ok(Vec::new()));
    assert!(matches!(resolver.addresses("broken.vn").await, Err(DnsError::Failure(_))));
    assert!(matches!(resolver.addresses("a..b").await, Err(DnsError::BadName(_))));
}

#[tokio::test(start_paused = true)]
async fn silence_ends() {
    let (resolver, _running) = serve(ZONE).await;
    let began = tokio::time::Instant::now();
    assert_eq!(resolver.addresses("silent.vn").await, Err(DnsError::Silence));
    assert!(began.elapsed() <= QUESTION_MAX, "{:?}", began.elapsed());
}
