//! Accepted connections: few at once, each for a short time.
//!
//! Invariant: a connection gives its place back when it is dropped, and reads and writes fail after its time, so that a
//! peer that sends half a request or reads nothing holds a place for seconds only.

use axum::serve::Listener;
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Supervisors and load balancers are a handful. Further peers wait in the kernel.
const CONNECTIONS_MAX: usize = 100;
/// From accepting to the end of the answer: three times what a database may take to answer.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);
/// The same for people behind a slow line, with a handshake before and passwords that are computed.
const TLS_CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// People read between two requests, and their browsers hold the connection meanwhile.
const TLS_CONNECTIONS_MAX: usize = 1_000;

pub(crate) struct Connections {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, tls: None, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }

    pub(crate) fn under_tls(listener: TcpListener, config: Arc<ServerConfig>) -> Self {
        let places = Arc::new(Semaphore::new(TLS_CONNECTIONS_MAX));
        Self { listener, tls: Some(TlsAcceptor::from(config)), places }
    }
}

/// The socket, or what is made of it; a handshake goes on as the connection is read, so that nobody waits for another's.
enum Transport {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Handshake(accept) = self {
            *self = Self::Tls(Box::new(ready!(Pin::new(accept).poll(cx))?));
        }
        Poll::Ready(Ok(()))
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Never closed, so there is always a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let (transport, life) = match &self.tls {
            None => (Transport::Plain(stream), CONNECTION_LIFE),
            Some(tls) => (Transport::Handshake(Box::new(tls.accept(stream))), TLS_CONNECTION_LIFE),
        };
        (Connection { transport, end: Box::pin(sleep(life)), _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

pub(crate) struct Connection {
    transport: Transport,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// An error once the time is up; wakes the task then.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        ready!(self.transport.poll_ready(cx))?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Handshake(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        ready!(self.transport.poll_ready(cx))?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Handshake(_) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
            // Nothing was written yet.
            Transport::Handshake(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Handshake(_) => Poll::Ready(Ok(())),
        }
    }
}
