//! An authority that signs for whoever asks, and before whose requests, or before whose answers, a node can be made to die.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

type Signer = CertifiedIssuer<'static, KeyPair>;

/// What it has seen, and what it does next.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: usize,
    pub(super) accounts: usize,
    /// By number: is it shown that the name is ours, and is it finalized?
    pub(super) orders: Vec<(bool, bool)>,
    /// The request at which whoever asks dies; after it was done if `.1`, else before.
    pub(super) dies_at: Option<(usize, bool)>,
    /// Says no to each order, as RFC 8555 6.7 calls it.
    pub(super) refuses: Option<&'static str>,
    /// What finalized orders are given, in PEM; waited for.
    pub(super) chain: String,
    /// Connections that are never answered.
    pub(super) held: Vec<TlsStream<TcpStream>>,
}

pub(super) struct Authority {
    pub(super) directory: String,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) died: Arc<Notify>,
    signer: Arc<Signer>,
    serving: JoinHandle<()>,
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Authority {
    pub(super) async fn start() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signer = Arc::new(Signer::self_signed(params, KeyPair::generate().unwrap()).unwrap());
        let key = KeyPair::generate().unwrap();
        let own =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &*signer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let tls = tls.with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let (seen, died) = (Arc::new(Mutex::new(Seen::default())), Arc::new(Notify::new()));
        let (of_seen, of_died, of_base) = (Arc::clone(&seen), Arc::clone(&died), base.clone());
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        #[expect(clippy::disallowed_methods, reason = "ends with the test")]
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                answer(stream, &of_seen, &of_died, &of_base).await;
            }
        });
        Self { directory: format!("{base}/dir"), seen, died, signer, serving }
    }

    pub(super) fn roots(&self) -> rustls::RootCertStore {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.signer.der().clone()).unwrap();
        roots
    }

    /// A certificate for the key, as whoever finalizes is given it.
    pub(super) fn sign(&self, key: &[u8], names: &[String]) -> String {
        let key = KeyPair::try_from(key).unwrap();
        CertificateParams::new(names.to_vec()).unwrap().signed_by(&key, &*self.signer).unwrap().pem()
    }
}

async fn answer(mut stream: TlsStream<TcpStream>, seen: &Mutex<Seen>, died: &Notify, base: &str) {
    let Some(path) = request(&mut stream).await else { return };
    let dies = {
        let mut seen = seen.lock().unwrap();
        seen.requests += 1;
        let requests = seen.requests;
        seen.dies_at.take_if(|(at, _)| *at == requests)
    };
    if dies.is_some_and(|(_, after)| !after) {
        seen.lock().unwrap().held.push(stream);
        return died.notify_one();
    }
    while path.starts_with("/cert/") && seen.lock().unwrap().chain.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (status, location, body) = done(&path, &mut seen.lock().unwrap(), base);
    if dies.is_some() {
        seen.lock().unwrap().held.push(stream);
        return died.notify_one();
    }
    let location = if location.is_empty() { location } else { format!("Location: {base}{location}\r\n") };
    let text = format!(
        "HTTP/1.1 {status} X\r\nReplay-Nonce: nonce\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The path of a request that is read to its end.
async fn request(stream: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut octets = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&octets).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return head.split(' ').nth(1).map(str::to_owned);
        }
    }
}

/// Status, Location and body.
fn done(path: &str, seen: &mut Seen, base: &str) -> (u16, String, String) {
    let (kind, number) = path.trim_start_matches('/').split_once('/').unwrap_or((&path[1..], "0"));
    let number: usize = number.parse().unwrap();
    let order = |seen: &Seen, number: usize| {
        let status = match seen.orders[number] {
            (_, true) => "valid",
            (true, _) => "ready",
            _ => "pending",
        };
        format!(
            r#"{{"status":"{status}","authorizations":["{base}/authz/{number}"],"finalize":"{base}/finalize/{number}","certificate":"{base}/cert/{number}"}}"#
        )
    };
    match kind {
        "dir" => {
            let directory = format!(
                r#"{{"newNonce":"{base}/nonce","newAccount":"{base}/new-account","newOrder":"{base}/new-order"}}"#
            );
            (200, String::new(), directory)
        }
        "nonce" => (200, String::new(), String::new()),
        "new-account" => {
            seen.accounts += 1;
            (201, "/account/1".to_owned(), r#"{"status":"valid"}"#.to_owned())
        }
        "new-order" if seen.refuses.is_some() => {
            let kind = seen.refuses.unwrap_or_default();
            (
                403,
                String::new(),
                format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no","status":403}}"#),
            )
        }
        "new-order" => {
            seen.chain.clear();
            seen.orders.push((false, false));
            let number = seen.orders.len() - 1;
            (201, format!("/order/{number}"), order(seen, number))
        }
        "order" => (200, String::new(), order(seen, number)),
        "authz" => {
            let status = if seen.orders[number].0 { "valid" } else { "pending" };
            let body = format!(
                r#"{{"status":"{status}","identifier":{{"type":"dns","value":"mail.a.vn"}},"challenges":[{}]}}"#,
                challenge(base, number, status)
            );
            (200, String::new(), body)
        }
        "challenge" => {
            seen.orders[number].0 = true;
            (200, String::new(), challenge(base, number, "valid"))
        }
        "finalize" => {
            seen.orders[number].1 = true;
            (200, String::new(), order(seen, number))
        }
        "cert" => (200, String::new(), seen.chain.clone()),
        _ => (404, String::new(), "{}".to_owned()),
    }
}

fn challenge(base: &str, number: usize, status: &str) -> String {
    format!(
        r#"{{"type":"http-01","url":"{base}/challenge/{number}","token":"token-{number}","status":"{status}"}}"#
    )
}
