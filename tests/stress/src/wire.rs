//! A connection: TLS, compression, whole responses, and a memory of what was said last.

use crate::mutate::Mutator;
use crate::parse::{self, Response};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// Lines of a conversation that are kept for the report of a fault.
const LOG_LINES: usize = 4000;
const LOG_LINE_CHARS: usize = 400;
/// A server that answers nothing for so long has failed, on however busy a machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Moments in one order for all connections: what has a smaller tick happened before.
static TICKS: AtomicU64 = AtomicU64::new(1);

pub fn tick() -> u64 {
    TICKS.fetch_add(1, Ordering::SeqCst)
}

/// Why a conversation ended.
#[derive(Debug)]
pub enum End {
    /// The server did what it must not.
    Fault(String),
    /// The connection is gone; the text of a BYE before it.
    Closed(Option<String>),
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self::Closed(None)
    }
}

pub fn fault<T>(text: impl Into<String>) -> Result<T, End> {
    Err(End::Fault(text.into()))
}

#[derive(Debug)]
pub struct Wire {
    tls: TlsStream<TcpStream>,
    packed: Option<(Box<Decompress>, Box<Compress>)>,
    input: Vec<u8>,
    /// Reads little at a time, with pauses.
    slow: bool,
    pub log: VecDeque<String>,
    pub mutator: Option<Mutator>,
}

impl Wire {
    pub async fn connect(address: &str, slow: bool) -> std::io::Result<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
        let tls = connector().connect(name, tcp).await?;
        Ok(Self { tls, packed: None, input: Vec::new(), slow, log: VecDeque::new(), mutator: None })
    }

    /// RFC 4978 3: from here on both sides deflate.
    pub fn pack(&mut self) {
        self.packed =
            Some((Box::new(Decompress::new(false)), Box::new(Compress::new(Compression::fast(), false))));
    }

    pub fn note(&mut self, line: String) {
        while self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        let cut: String = line.chars().take(LOG_LINE_CHARS).collect();
        self.log.push_back(format!("{:>8} {}", TICKS.load(Ordering::Relaxed), cut));
    }

    pub async fn send(&mut self, octets: &[u8]) -> Result<(), End> {
        for line in octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).take(8) {
            self.note(format!("C: {}", String::from_utf8_lossy(line).trim_end()));
        }
        let Some((_, compress)) = &mut self.packed else {
            self.tls.write_all(octets).await?;
            return Ok(self.tls.flush().await?);
        };
        let mut out = Vec::with_capacity(octets.len() + 64);
        let start = compress.total_in();
        loop {
            let used = usize::try_from(compress.total_in() - start).unwrap_or(0);
            out.reserve(256);
            compress
                .compress_vec(&octets[used..], &mut out, FlushCompress::Sync)
                .map_err(std::io::Error::other)?;
            if compress.total_in() - start == octets.len() as u64 && out.len() < out.capacity() {
                break;
            }
        }
        self.tls.write_all(&out).await?;
        Ok(self.tls.flush().await?)
    }

    /// The next response; nothing if none came within `patience`.
    pub async fn poll(&mut self, patience: Duration) -> Result<Option<Response>, End> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            while let Some(length) = parse::complete(&self.input) {
                let raw: Vec<u8> = self.input.drain(..length).collect();
                if let Some(response) = self.read(&raw)? {
                    return Ok(Some(response));
                }
            }
            match tokio::time::timeout_at(deadline, self.fill()).await {
                Ok(filled) => filled?,
                Err(_) => return Ok(None),
            }
        }
    }

    fn read(&mut self, raw: &[u8]) -> Result<Option<Response>, End> {
        self.note(format!("S: {}", String::from_utf8_lossy(raw).trim_end().replace("\r\n", "⏎")));
        let response = match parse::response(raw) {
            Ok(response) => response,
            Err(error) => return fault(format!("{error}: {}", String::from_utf8_lossy(raw))),
        };
        let Some(mutator) = &mut self.mutator else { return Ok(Some(response)) };
        match mutator.apply(response.clone()) {
            Some(same) if same == response => Ok(Some(same)),
            changed => {
                self.note(format!("S: changed into {changed:?}"));
                Ok(changed)
            }
        }
    }

    pub async fn next(&mut self) -> Result<Response, End> {
        match self.poll(ANSWER_WITHIN).await? {
            Some(response) => Ok(response),
            None => fault(format!("no answer within {ANSWER_WITHIN:?}")),
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        let mut piece = [0; 8 << 10];
        let size = if self.slow { 300 } else { piece.len() };
        if self.slow {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let count = self.tls.read(&mut piece[..size]).await?;
        if count == 0 {
            return Err(End::Closed(None));
        }
        let Some((decompress, _)) = &mut self.packed else {
            self.input.extend_from_slice(&piece[..count]);
            return Ok(());
        };
        let mut used = 0;
        loop {
            let mut out = Vec::with_capacity(32 << 10);
            let before = decompress.total_in();
            if let Err(error) =
                decompress.decompress_vec(&piece[used..count], &mut out, FlushDecompress::Sync)
            {
                return fault(format!("deflated data are broken: {error}"));
            }
            used += usize::try_from(decompress.total_in() - before).unwrap_or(0);
            self.input.extend_from_slice(&out);
            if used >= count && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}

fn connector() -> TlsConnector {
    static CONNECTOR: std::sync::OnceLock<TlsConnector> = std::sync::OnceLock::new();
    CONNECTOR
        .get_or_init(|| {
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider has TLS 1.2 and 1.3")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Trusting))
                .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        })
        .clone()
}

/// The server under test signs its own certificate.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
