//! SMTP and IMAP as plainly as a load generator needs them.

use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A plain SMTP connection after EHLO.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<TcpStream>,
    line: String,
}

impl Smtp {
    pub async fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut smtp = Self { stream: BufReader::new(stream), line: String::new() };
        smtp.expect("220").await?;
        smtp.send(b"EHLO bench.test\r\n").await?;
        smtp.expect("250").await?;
        Ok(smtp)
    }

    async fn send(&mut self, data: &[u8]) -> Outcome<()> {
        Ok(self.stream.get_mut().write_all(data).await?)
    }

    async fn expect(&mut self, code: &str) -> Outcome<()> {
        loop {
            self.line.clear();
            if self.stream.read_line(&mut self.line).await? == 0 {
                return Err("closed by the server".into());
            }
            if !self.line.starts_with(code) {
                return Err(format!("{code} expected: {}", self.line.trim_end()).into());
            }
            if self.line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }

    /// One transaction, envelope pipelined; `message` is dot-stuffed and ends with CRLF.
    pub async fn deliver(&mut self, recipients: &[String], message: &[u8]) -> Outcome<()> {
        self.begin(recipients).await?;
        self.finish(message).await
    }

    /// Up to the 354.
    pub async fn begin(&mut self, recipients: &[String]) -> Outcome<()> {
        let mut envelope = String::from("MAIL FROM:<bench@other.test>\r\n");
        for recipient in recipients {
            envelope += &format!("RCPT TO:<{recipient}>\r\n");
        }
        self.send((envelope + "DATA\r\n").as_bytes()).await?;
        for _ in 0..=recipients.len() {
            self.expect("250").await?;
        }
        self.expect("354").await
    }

    /// As [`Smtp::finish`], of a message in two pieces.
    pub async fn stream_and_finish(&mut self, first: &[u8], rest: &[u8]) -> Outcome<()> {
        self.send(first).await?;
        self.finish(rest).await
    }

    /// The message and its end; returns with the 250.
    pub async fn finish(&mut self, message: &[u8]) -> Outcome<()> {
        self.send(message).await?;
        self.send(b".\r\n").await?;
        self.expect("250").await
    }
}

/// An IMAP connection over implicit TLS.
#[derive(Debug)]
pub struct Imap {
    stream: BufReader<TlsStream<TcpStream>>,
    tag: u32,
}

impl Imap {
    pub async fn connect(address: &str) -> Outcome<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting))
            .with_no_client_auth();
        Self::connect_with(&TlsConnector::from(Arc::new(config)), address).await
    }

    async fn connect_with(connector: &TlsConnector, address: &str) -> Outcome<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        // A small buffer: thousands of these are open at once.
        let stream = BufReader::with_capacity(1024, connector.connect(name, tcp).await?);
        let mut imap = Self { stream, tag: 0 };
        imap.line().await?;
        Ok(imap)
    }

    pub async fn log_in(address: &str, user: &str, password: &str) -> Outcome<Self> {
        let mut imap = Self::connect(address).await?;
        imap.command(&format!("LOGIN \"{user}\" \"{password}\"")).await?;
        Ok(imap)
    }

    pub async fn line(&mut self) -> Outcome<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Err("closed by the server".into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// A line, and the octets of a literal that it announces are read and dropped.
    async fn line_and_literals(&mut self) -> Outcome<String> {
        let mut whole = String::new();
        loop {
            let line = self.line().await?;
            let literal = line
                .strip_suffix('}')
                .and_then(|l| l.rsplit_once('{'))
                .and_then(|(_, n)| n.parse::<usize>().ok());
            whole += &line;
            let Some(count) = literal else { return Ok(whole) };
            let mut octets = vec![0; count];
            self.stream.read_exact(&mut octets).await?;
        }
    }

    /// Untagged lines up to the tagged OK; anything else tagged is an error.
    pub async fn command(&mut self, command: &str) -> Outcome<Vec<String>> {
        self.tag += 1;
        let tag = format!("b{} ", self.tag);
        self.stream.get_mut().write_all(format!("{tag}{command}\r\n").as_bytes()).await?;
        let mut lines = Vec::new();
        loop {
            let line = self.line_and_literals().await?;
            match line.strip_prefix(&tag) {
                Some(status) if status.starts_with("OK") => return Ok(lines),
                Some(status) => {
                    return Err(format!("{}: {status}", command.split(' ').next().unwrap_or("")).into());
                }
                None => lines.push(line),
            }
        }
    }

    pub async fn idle(&mut self) -> Outcome<()> {
        self.stream.get_mut().write_all(b"i IDLE\r\n").await?;
        loop {
            if self.line().await?.starts_with('+') {
                return Ok(());
            }
        }
    }

    /// MESSAGES of the INBOX.
    pub async fn messages(&mut self) -> Outcome<usize> {
        let lines = self.command("STATUS INBOX (MESSAGES)").await?;
        let text =
            lines.iter().find_map(|line| line.split("MESSAGES ").nth(1)).ok_or("no MESSAGES in STATUS")?;
        Ok(text.trim_end_matches(')').parse()?)
    }
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

/// A message of about `size` bytes whose text nobody has sent before: a header and base64 of a number stream.
pub fn compose(seed: u64, size: usize) -> Vec<u8> {
    let mut message = format!(
        "From: <bench@other.test>\r\nTo: <ai@bench.test>\r\nSubject: Tai lieu {seed}\r\nMessage-ID: <{seed}@bench.test>\r\n\
         Date: Mon, 02 Jun 2025 08:00:00 +0700\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    let length = size.saturating_sub(message.len());
    message.extend(noise(seed, length));
    message
}

/// Lines of 76 characters of the base64 alphabet; the same seed gives the same lines.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut out = Vec::with_capacity(length + 2);
    while out.len() < length {
        for _ in 0..8 {
            // xorshift64: quick, and nothing compresses or repeats.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut bits = state;
            for _ in 0..10 {
                out.push(ALPHABET[(bits & 63) as usize]);
                bits >>= 6;
            }
        }
        out.truncate(out.len() - 4);
        out.extend_from_slice(b"\r\n");
    }
    out
}
