//! Where a scanner listens: a host and port, or a socket file.

use std::fmt;
use std::io::Result;
use std::path::PathBuf;
use std::str::FromStr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// `host:port`, or the path of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanAddress {
    Tcp(String),
    Unix(PathBuf),
}

/// Not an address of a scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("either host:port or the path of a socket, such as 127.0.0.1:3310 or /run/clamav/clamd.ctl")]
pub struct NoScanAddress;

impl FromStr for ScanAddress {
    type Err = NoScanAddress;
    fn from_str(text: &str) -> std::result::Result<Self, NoScanAddress> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoScanAddress)?;
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        if host.is_empty() || !is_port { Err(NoScanAddress) } else { Ok(Self::Tcp(text.to_owned())) }
    }
}

impl fmt::Display for ScanAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(text) => f.write_str(text),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Either kind of connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl ScanAddress {
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}
