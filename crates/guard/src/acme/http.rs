//! HTTPS to the authority that the operator named: a connection for each request, of which a certificate takes about a dozen.
//!
//! Unlike servers that strangers name (`https.rs`), it may be in our own networks, and is found as this machine finds hosts.

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For one request: authorities that are busy take seconds.
const EXCHANGE_MAX: Duration = Duration::from_secs(30);
/// Octets of an answer: chains of certificates have some ten thousand.
const ANSWER_OCTETS_MAX: usize = 256 * 1024;
const HTTPS_PORT: u16 = 443;

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Debug)]
pub(super) struct Http(Arc<ClientConfig>);

impl Http {
    pub(super) fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(tls)))
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let tls = TlsConnector::from(Arc::clone(&self.0));
        Box::pin(async move {
            let asked = tokio::time::timeout(EXCHANGE_MAX, ask(tls, request)).await;
            asked.unwrap_or_else(|_| Err("it does not answer in time".into())).map_err(Error::Other)
        })
    }
}

async fn ask(tls: TlsConnector, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Failed> {
    let (mut parts, body) = request.into_parts();
    if parts.uri.scheme_str() != Some("https") {
        return Err(format!("{} does not begin with https://", parts.uri).into());
    }
    let authority = parts.uri.authority().ok_or("a URL without a host")?.clone();
    // Literal IPv6 addresses stand in brackets (RFC 3986 3.2.2).
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let place = (host.as_str(), authority.port_u16().unwrap_or(HTTPS_PORT));
    let of_place = |error: io::Error| format!("{}: {error}", authority.as_str());
    let stream = TcpStream::connect(place).await.map_err(of_place)?;
    let stream = tls.connect(ServerName::try_from(host.clone())?, stream).await.map_err(of_place)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    parts.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse::<Uri>()?;
    let exchange = async move {
        let (parts, body) = sender.send_request(Request::from_parts(parts, body)).await?.into_parts();
        let body = Limited::new(body, ANSWER_OCTETS_MAX).collect().await?.to_bytes();
        Ok(BytesResponse { parts, body: Box::new(body) })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}
