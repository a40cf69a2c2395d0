//! Peers that do not behave, on real sockets; time is moved, not waited for.

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Less than the patience of any caller, more than anything here needs.
const LIFE: Duration = Duration::from_secs(10);

async fn start() -> (SocketAddr, CancellationToken, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let pages = Router::new().route("/healthz", get(|| async { "ok\n" }));
    #[expect(clippy::disallowed_methods, reason = "the test itself waits for it")]
    let served = tokio::spawn(serve_pages(Connections::new(listener), pages, shutdown.clone()));
    (address, shutdown, served)
}

async fn half_a_request(address: SocketAddr) -> TcpStream {
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    peer
}

/// What comes until the connection ends, by a close or a reset.
async fn rest(peer: &mut TcpStream) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = peer.read(&mut piece).await {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_request_is_answered() {
    let (address, _shutdown, _served) = start().await;
    let mut peer = half_a_request(address).await;
    peer.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    let answer = rest(&mut peer).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_not_waited_for() {
    let (address, _shutdown, _served) = start().await;
    let mut peer = half_a_request(address).await;
    let began = tokio::time::Instant::now();
    assert_eq!(rest(&mut peer).await, "");
    assert!(began.elapsed() <= LIFE, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silent_peers_do_not_keep_others_out() {
    let (address, _shutdown, _served) = start().await;
    let mut silent = Vec::new();
    for _ in 0..150 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut peer = half_a_request(address).await;
    peer.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut peer).await.ends_with("ok\n"));
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = Connections::new(listener).with_limits(Arc::new(|peer| peer.to_string() == "10.0.0.1"));
    let enter = |peer: &str| places.enter(peer.parse().unwrap());
    let taken: Vec<_> = (0..200).map(|_| enter("2001:db8::1").unwrap()).collect();
    assert!(enter("2001:db8::2").is_none(), "the /64 counts as one");
    assert!(enter("2001:db8:0:1::1").is_some() && enter("192.0.2.1").is_some());
    let webmail: Vec<_> = (0..300).map(|_| enter("::ffff:10.0.0.1").unwrap()).collect();
    drop((taken, webmail));
    assert!(enter("2001:db8::2").is_some());
}

#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_hold_up_the_end() {
    let (address, shutdown, served) = start().await;
    let _peer = half_a_request(address).await;
    let mut other = half_a_request(address).await;
    other.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    // By now the first one has been accepted.
    rest(&mut other).await;
    let began = tokio::time::Instant::now();
    shutdown.cancel();
    served.await.unwrap().unwrap();
    assert!(began.elapsed() <= 2 * DRAIN_MAX, "{:?}", began.elapsed());
}
