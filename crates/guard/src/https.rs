//! One request over HTTPS to whom a stranger has named: no redirects, no caches, nothing that is not verified.
//!
//! Invariants: what strangers publish never leads into our own networks; nothing is said before it is shown who is at the other end; of
//! an answer no more is read than the caller wants who has seen how it begins, and no longer waited for than [`EXCHANGE_MAX`].

use crate::dns::{DnsError, Resolver};
use crate::network::is_public;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For all of it: RFC 8461 3.3 suggests one minute for a policy.
const EXCHANGE_MAX: Duration = Duration::from_mins(1);
/// For one address.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 4;

/// Characters of what went wrong that are logged: certificates of strangers stand in it.
const LOGGED_CHARS_MAX: usize = 200;

/// Asks web servers.
#[derive(Clone, Debug)]
pub(crate) struct Https {
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    allow_private: bool,
}

/// How what a web server says begins.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Its media type without parameters, as it was written.
    pub(crate) kind: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    #[error("where it is cannot be found out: {0}")]
    Name(#[from] DnsError),
    #[error("it has no address")]
    NoAddress,
    #[error("it is at private addresses, as far as is seen from here")]
    Private,
    #[error("{0} cannot be connected to: {1}")]
    Connect(SocketAddr, io::Error),
    /// A certificate that is no good, too.
    #[error("it shows no TLS that can be verified: {0}")]
    Tls(io::Error),
    #[error("it does not answer in HTTP, or breaks off")]
    Broken,
    #[error("its answer has more than {} KB", .0 / 1024)]
    TooLong(usize),
    #[error("it does not answer in time")]
    Late,
}

impl HttpsError {
    /// Whoever answers does not show that he is the one.
    pub(crate) fn is_unverified(&self) -> bool {
        let Self::Tls(error) = self else { return false };
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        matches!(cause, Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
    }
}

impl From<hyper::Error> for HttpsError {
    fn from(_: hyper::Error) -> Self {
        Self::Broken
    }
}

impl Https {
    /// `roots` verify the servers; `allow_private`: as in [`is_public`].
    pub(crate) fn new(
        resolver: Resolver,
        roots: Arc<RootCertStore>,
        allow_private: bool,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { resolver, tls: Arc::new(tls), allow_private })
    }

    /// Sends a request, which names its host itself. Of what follows the head of the answer so many octets are read at most as
    /// `wanted` says of that; `None`: nothing is, however long it is or takes.
    pub(crate) async fn ask<B>(
        &self,
        (host, port): (&str, u16),
        request: Request<B>,
        wanted: fn(&Head) -> Option<usize>,
    ) -> Result<(Head, Bytes), HttpsError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let asked = self.ask_once((host, port), request, wanted);
        tokio::time::timeout(EXCHANGE_MAX, asked).await.unwrap_or(Err(HttpsError::Late))
    }

    async fn ask_once<B>(
        &self,
        (host, port): (&str, u16),
        request: Request<B>,
        wanted: fn(&Head) -> Option<usize>,
    ) -> Result<(Head, Bytes), HttpsError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let no_name = |_| DnsError::BadName(host.to_owned());
        let name = ServerName::try_from(host.to_owned()).map_err(no_name)?;
        let stream = self.connect(host, port).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(HttpsError::Tls)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async move { read(sender.send_request(request).await?, wanted).await };
        tokio::pin!(exchange, connection);
        tokio::select! {
            answer = &mut exchange => answer,
            _ = &mut connection => exchange.await,
        }
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, HttpsError> {
        let found = self.resolver.host(host).await?;
        if found.addresses.is_empty() {
            return Err(HttpsError::NoAddress);
        }
        let reachable = |address: &IpAddr| self.allow_private || is_public(*address);
        let mut failed = HttpsError::Private;
        for address in found.addresses.into_iter().filter(reachable).take(ADDRESSES_MAX) {
            let connecting = TcpStream::connect((address, port));
            let connected = tokio::time::timeout(CONNECT_MAX, connecting).await;
            match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = HttpsError::Connect(SocketAddr::new(address, port), error),
            }
        }
        Err(failed)
    }
}

/// An error with a stranger's words in it, as it is logged.
pub(crate) fn logged(error: &impl Display) -> String {
    error.to_string().chars().take(LOGGED_CHARS_MAX).collect()
}

async fn read(
    response: Response<Incoming>,
    wanted: fn(&Head) -> Option<usize>,
) -> Result<(Head, Bytes), HttpsError> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_owned();
    let head = Head { status: response.status(), kind };
    let Some(octets_max) = wanted(&head) else { return Ok((head, Bytes::new())) };
    let body = Limited::new(response.into_body(), octets_max).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => HttpsError::TooLong(octets_max),
        false => HttpsError::Broken,
    })?;
    Ok((head, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_fills_the_log() {
        let names = (0..10_000).map(|n| format!("{n}.a.vn")).collect::<Vec<_>>().join(", ");
        let long = HttpsError::Tls(io::Error::other(format!("not valid for b.vn; only for {names}")));
        assert_eq!(logged(&long).chars().count(), LOGGED_CHARS_MAX);
        assert!(logged(&long).starts_with("it shows no TLS that can be verified: not valid for b.vn"));
        assert_eq!(logged(&HttpsError::Late), "it does not answer in time");
    }
}
