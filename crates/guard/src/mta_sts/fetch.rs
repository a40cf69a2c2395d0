//! One document over HTTPS (RFC 8461 3.3): no redirects, no caches, nothing that is not verified.

use super::POLICY_OCTETS_MAX;
use crate::dns::{DnsError, Resolver};
use crate::network::is_public;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// RFC 8461 3.3: one minute is suggested for all of it.
const FETCH_MAX: Duration = Duration::from_mins(1);
/// For one address.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Of a content type that is told: strangers choose it.
const KIND_CHARS_MAX: usize = 100;
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why a policy could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("where it is cannot be found out: {0}")]
    Name(#[from] DnsError),
    #[error("it has no address")]
    NoAddress,
    #[error("it is at private addresses, as far as is seen from here")]
    Private,
    #[error("{0} cannot be connected to: {1}")]
    Connect(SocketAddr, std::io::Error),
    /// A certificate that is no good, too.
    #[error("it shows no TLS that can be verified: {0}")]
    Tls(std::io::Error),
    #[error("it does not answer in HTTP, or breaks off")]
    Broken,
    /// A redirect, too: it is not followed.
    #[error("it answers with the status {0}")]
    Status(u16),
    #[error("it answers with the content type {0:?} instead of text/plain")]
    Kind(String),
    #[error("its answer has more than 64 KB")]
    TooLong,
    #[error("its answer is not UTF-8")]
    Text,
    #[error("it does not answer in time")]
    Late,
}

impl From<hyper::Error> for FetchError {
    fn from(_: hyper::Error) -> Self {
        Self::Broken
    }
}

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

    /// # Errors
    /// When it could not be had.
    pub(super) async fn fetch(&self, domain: &str) -> Result<String, FetchError> {
        let fetching = self.fetch_from(format!("mta-sts.{domain}"));
        tokio::time::timeout(FETCH_MAX, fetching).await.unwrap_or(Err(FetchError::Late))
    }

    async fn fetch_from(&self, host: String) -> Result<String, FetchError> {
        let no_name = |_| FetchError::Name(DnsError::BadName(host.clone()));
        let name = ServerName::try_from(host.clone()).map_err(no_name)?;
        let stream = self.connect(&host).await?;
        let stream =
            TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(FetchError::Tls)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get("/.well-known/mta-sts.txt").header(HOST, host);
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| FetchError::Broken)?;
        let exchange = async move { read(sender.send_request(request).await?).await };
        tokio::pin!(exchange, connection);
        tokio::select! {
            text = &mut exchange => text,
            _ = &mut connection => exchange.await,
        }
    }

    async fn connect(&self, host: &str) -> Result<TcpStream, FetchError> {
        let found = self.resolver.host(host).await?;
        if found.addresses.is_empty() {
            return Err(FetchError::NoAddress);
        }
        let reachable = |address: &IpAddr| self.allow_private || is_public(*address);
        let mut failed = FetchError::Private;
        for address in found.addresses.into_iter().filter(reachable).take(ADDRESSES_MAX) {
            let connecting = TcpStream::connect((address, self.port));
            let connected = tokio::time::timeout(CONNECT_MAX, connecting).await;
            match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = FetchError::Connect(SocketAddr::new(address, self.port), error),
            }
        }
        Err(failed)
    }
}

async fn read(response: Response<Incoming>) -> Result<String, FetchError> {
    // RFC 8461 3.3: a redirect must not be followed.
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain")) {
        return Err(FetchError::Kind(kind.chars().take(KIND_CHARS_MAX).collect()));
    }
    let body = Limited::new(response.into_body(), POLICY_OCTETS_MAX).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => FetchError::TooLong,
        false => FetchError::Broken,
    })?;
    String::from_utf8(body.to_bytes().to_vec()).map_err(|_| FetchError::Text)
}
