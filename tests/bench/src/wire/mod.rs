//! SMTP and IMAP as plainly as a load generator needs them.

mod imap;
mod smtp;
mod tls;

pub use imap::{Imap, Reply};
pub use smtp::Smtp;

use crate::target::{Door, TlsMode};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What one read takes at least; a long answer gets as much again as it already has.
const READ_MIN: usize = 4096;
const READ_MAX: usize = 1 << 20;

/// A connection, plain or not, and what was read from it and not yet used.
#[derive(Debug)]
pub struct Wire {
    stream: Option<Stream>,
    held: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Connected, and encrypted already when the door is implicit.
    pub async fn connect(host: &str, door: Door) -> Outcome<Self> {
        let tcp = TcpStream::connect((host, door.port)).await?;
        tcp.set_nodelay(true)?;
        let mut wire = Self { stream: Some(Stream::Plain(tcp)), held: Vec::new() };
        if door.tls == TlsMode::Implicit {
            wire.encrypt().await?;
        }
        Ok(wire)
    }

    pub async fn encrypt(&mut self) -> Outcome<()> {
        if !self.held.is_empty() {
            return Err("the server sent octets before the handshake".into());
        }
        match self.stream.take() {
            Some(Stream::Plain(tcp)) => self.stream = Some(Stream::Tls(Box::new(tls::handshake(tcp).await?))),
            _ => return Err("encrypted twice".into()),
        }
        Ok(())
    }

    /// Such as `TLSv1_3 TLS13_AES_256_GCM_SHA384`.
    pub fn cipher(&self) -> String {
        match &self.stream {
            Some(Stream::Tls(tls)) => {
                let (_, connection) = tls.get_ref();
                let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
                let version = connection.protocol_version().map(|version| format!("{version:?}"));
                format!("{} {}", version.unwrap_or_default(), suite.unwrap_or_default())
            }
            _ => "none".to_owned(),
        }
    }

    pub async fn send(&mut self, data: &[u8]) -> Outcome<()> {
        let stream = self.stream.as_mut().ok_or("no connection")?;
        stream.write_all(data).await?;
        Ok(stream.flush().await?)
    }

    /// Reads what there is behind `held`.
    pub async fn more(&mut self) -> Outcome<()> {
        let stream = self.stream.as_mut().ok_or("no connection")?;
        self.held.reserve(self.held.len().clamp(READ_MIN, READ_MAX));
        if stream.read_buf(&mut self.held).await? == 0 {
            return Err("closed by the server".into());
        }
        Ok(())
    }

    /// One line without its CRLF.
    pub async fn line(&mut self) -> Outcome<String> {
        let mut looked = 0;
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.held[looked..]) {
                let line = String::from_utf8_lossy(&self.held[..looked + found]).trim_end().to_owned();
                self.held.drain(..=looked + found);
                return Ok(line);
            }
            looked = self.held.len();
            self.more().await?;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
