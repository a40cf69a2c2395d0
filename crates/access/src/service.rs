//! What a listener gives each of its connections, whatever they speak, and the way of both to TLS.

use crate::figures;
use crate::socket::{Ended, Socket, Stream};
use engine::{Engine, Origin, Protocol};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How a listener protects what is said.
#[derive(Clone, Debug)]
pub enum Security {
    /// No TLS at all: nobody can log in (RFC 9051 11.1).
    Plain,
    /// TLS by STARTTLS.
    StartTls(Arc<rustls::ServerConfig>),
    /// TLS from the first octet (RFC 8314 3.2).
    Implicit(Arc<rustls::ServerConfig>),
}

/// What every connection of a listener needs.
#[derive(Clone, Debug)]
pub struct Service {
    pub engine: Engine,
    pub security: Security,
    /// Cancelled when the server stops: connections finish their command, say BYE and close.
    pub shutdown: CancellationToken,
}

/// A connection that may be spoken on.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) socket: Socket,
    pub(crate) engine: Engine,
    pub(crate) origin: Origin,
    pub(crate) encrypted: bool,
    /// Set where STARTTLS is possible: the connection is plain and there is a certificate.
    pub(crate) starttls: Option<Arc<rustls::ServerConfig>>,
}

impl Service {
    /// Where a connection comes from, with a trace of its own.
    pub(crate) fn origin(&self, remote: IpAddr, protocol: Protocol) -> Origin {
        Origin { trace: self.engine.new_trace(), remote, protocol }
    }
}

/// Serves one connection to its end, counted: `speak` is what is said on it.
pub(crate) async fn serve<Spoken>(
    stream: Box<dyn Stream>,
    origin: Origin,
    service: Service,
    speak: impl FnOnce(Opened) -> Spoken,
) where
    Spoken: Future<Output = ()>,
{
    tracing::debug!("connected");
    let open = figures::Open::new(origin.protocol.as_str());
    let Service { engine, security, shutdown } = service;
    let socket = Socket::new(stream, shutdown);
    let (socket, encrypted, starttls) = match security {
        Security::Plain => (Some(socket), false, None),
        Security::StartTls(config) => (Some(socket), false, Some(config)),
        // Boxed: a handshake is over long before most of the connection's life.
        Security::Implicit(config) => {
            (Box::pin(secured(socket, config, (&engine, &origin))).await, true, None)
        }
    };
    if let Some(socket) = socket {
        speak(Opened { socket, engine, origin, encrypted, starttls }).await;
    }
    drop(open);
}

/// Under TLS; what the client has shown for itself is noted. None: there was no handshake.
pub(crate) async fn secured(
    socket: Socket,
    config: Arc<rustls::ServerConfig>,
    (engine, origin): (&Engine, &Origin),
) -> Option<Socket> {
    match socket.into_tls(config).await {
        Ok((socket, shown)) => {
            if let Some(certificate) = shown {
                engine.note_certificate(origin, &certificate).await;
            }
            Some(socket)
        }
        Err(ended) => {
            no_tls(origin, &ended);
            None
        }
    }
}

fn no_tls(origin: &Origin, ended: &Ended) {
    figures::handshake_failed(origin.protocol.as_str());
    tracing::debug!(?ended, "no TLS");
}
