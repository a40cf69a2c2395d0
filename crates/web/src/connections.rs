//! Accepted connections: few at once, fewer of one address, each for a short time.
//!
//! Invariant: a connection gives its place back when it is dropped, and reads and writes fail after its time, so that a
//! peer that sends half a request or reads nothing holds a place for seconds only.

use axum::serve::Listener;
use metrics::counter;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
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
/// Of one IPv4 address or one IPv6 /64: an office behind one address whose people come in the same minute, while one host
/// leaves most of the places to others.
const TLS_CONNECTIONS_PER_ADDRESS_MAX: u32 = 200;

/// Decides which addresses have no limit of their own.
pub(crate) type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;
type Counts = Arc<Mutex<HashMap<IpAddr, u32>>>;

pub(crate) struct Connections<L> {
    listener: L,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
    by_address: Counts,
    /// `None`: no address has a limit of its own.
    exempt: Option<Exempt>,
}

impl<L> Connections<L> {
    pub(crate) fn new(listener: L) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { listener, tls: None, places, by_address: Counts::default(), exempt: None }
    }

    pub(crate) fn under_tls(listener: L, config: Arc<ServerConfig>, exempt: Exempt) -> Self {
        let places = Arc::new(Semaphore::new(TLS_CONNECTIONS_MAX));
        let tls = Some(TlsAcceptor::from(config));
        Self { tls, places, ..Self::new(listener) }.with_limits(exempt)
    }

    pub(crate) fn with_limits(self, exempt: Exempt) -> Self {
        Self { exempt: Some(exempt), ..self }
    }

    /// A place among those of its address; `None`: it has as many as it may have.
    pub(crate) fn enter(&self, peer: IpAddr) -> Option<OfAddress> {
        let peer = peer.to_canonical();
        let has_limit = self.exempt.as_ref().is_some_and(|exempt| !exempt(peer));
        let address = counted_address(peer);
        let mut counts = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.entry(address).or_default();
        if has_limit && *own >= TLS_CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *own += 1;
        drop(counts);
        Some(OfAddress { counts: Arc::clone(&self.by_address), address })
    }
}

/// One connection among those of its address; counted until it is dropped.
pub(crate) struct OfAddress {
    counts: Counts,
    address: IpAddr,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = counts.get_mut(&self.address) else { return };
        *own = own.saturating_sub(1);
        if *own == 0 {
            counts.remove(&self.address);
        }
    }
}

/// A customer is given an IPv6 /64 at least, so all of it counts as one address.
fn counted_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
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

impl<L: Listener<Io = TcpStream, Addr = SocketAddr>> Listener for Connections<L> {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Never closed, so there is always a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, peer, own) = loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            if let Some(own) = self.enter(peer.ip()) {
                break (stream, peer, own);
            }
            counter!("congthu_connections_refused_total", "door" => "http", "reason" => "address_full")
                .increment(1);
        };
        let (transport, life) = match &self.tls {
            None => (Transport::Plain(stream), CONNECTION_LIFE),
            Some(tls) => (Transport::Handshake(Box::new(tls.accept(stream))), TLS_CONNECTION_LIFE),
        };
        (Connection { transport, end: Box::pin(sleep(life)), _places: (place, own) }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

pub(crate) struct Connection {
    transport: Transport,
    end: Pin<Box<Sleep>>,
    _places: (Option<OwnedSemaphorePermit>, OfAddress),
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
