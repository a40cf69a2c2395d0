//! One document over HTTPS (RFC 8461 3.3): no redirects, no caches, nothing that is not verified.

use super::POLICY_OCTETS_MAX;
use crate::dns::Resolver;
use crate::network::is_public;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// RFC 8461 3.3: one minute is suggested for all of it.
const FETCH_MAX: Duration = Duration::from_mins(1);
/// For one address.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Fetcher {
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    port: u16,
    allow_private: bool,
}

impl Fetcher {
    pub(super) fn new(
        resolver: Resolver,
        roots: Arc<RootCertStore>,
        port: u16,
        allow_private: bool,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { resolver, tls: Arc::new(tls), port, allow_private })
    }

    /// `None`: it could not be had.
    pub(super) async fn fetch(&self, domain: &str) -> Option<String> {
        tokio::time::timeout(FETCH_MAX, self.fetch_from(&format!("mta-sts.{domain}"))).await.ok()?
    }

    async fn fetch_from(&self, host: &str) -> Option<String> {
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let stream = self.connect(host).await?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request =
            Request::get("/.well-known/mta-sts.txt").header(HOST, host).body(Empty::<Bytes>::new()).ok()?;
        let exchange = async move { read(sender.send_request(request).await.ok()?).await };
        tokio::pin!(exchange, connection);
        tokio::select! {
            text = &mut exchange => text,
            _ = &mut connection => exchange.await,
        }
    }

    async fn connect(&self, host: &str) -> Option<TcpStream> {
        let found = self.resolver.host(host).await.ok()?;
        let reachable = |address: &IpAddr| self.allow_private || is_public(*address);
        for address in found.addresses.into_iter().filter(reachable).take(ADDRESSES_MAX) {
            let connecting = TcpStream::connect((address, self.port));
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_MAX, connecting).await {
                return Some(stream);
            }
        }
        None
    }
}

async fn read(response: Response<Incoming>) -> Option<String> {
    // RFC 8461 3.3: a redirect must not be followed.
    if response.status() != StatusCode::OK {
        return None;
    }
    let kind = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.split(';').next()?.trim().eq_ignore_ascii_case("text/plain") {
        return None;
    }
    let body = Limited::new(response.into_body(), POLICY_OCTETS_MAX).collect().await.ok()?;
    String::from_utf8(body.to_bytes().to_vec()).ok()
}
