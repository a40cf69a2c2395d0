//! Accepted connections: few at once, fewer of one address, each for a short time.
//!
//! Invariant: a connection gives its place back when it is dropped, and reads and writes fail after its time, so that a
//! peer that sends half a request or reads nothing holds a place for seconds only.

use axum::serve::Listener;
use metrics::counter;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Supervisors and load balancers are a handful. Further peers wait in the kernel.
const CONNECTIONS_MAX: usize = 100;
/// From accepting to the end of the answer: three times what a database may take to answer.
const CONNECTION_LIFE: Duration = Duration::from_secs(10);
/// The same for people behind a slow line, with a handshake before and passwords that are computed.
const TLS_CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// People read between two requests, and their browsers hold the connection meanwhile.
const PUBLIC_CONNECTIONS_MAX: usize = 1_000;
/// Of one IPv4 address or one IPv6 /64: an office behind one address whose people come in the same minute, while one host
/// leaves most of the places to others.
const PUBLIC_CONNECTIONS_PER_ADDRESS_MAX: u32 = 200;

/// What an authority says that asks for a certificate of its own kind (RFC 8737 6.2), and for nothing else.
const ACME_TLS: &[u8] = b"acme-tls/1";

/// What such an authority is shown of a host, if it is to be shown anything now.
pub type Challenges = Arc<dyn Fn(String) -> Later<Option<Arc<ServerConfig>>> + Send + Sync>;
type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Decides which addresses have no limit of their own.
pub(crate) type Exempt = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;
type Counts = Arc<Mutex<HashMap<IpAddr, u32>>>;

pub(crate) struct Connections<L> {
    listener: L,
    /// The settings that hold when a handshake begins.
    tls: Option<(watch::Receiver<Arc<ServerConfig>>, Option<Challenges>)>,
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

    pub(crate) fn under_tls(
        listener: L,
        tls: (watch::Receiver<Arc<ServerConfig>>, Option<Challenges>),
        exempt: Exempt,
    ) -> Self {
        Self { tls: Some(tls), ..Self::for_everybody(listener, exempt) }
    }

    /// In the clear, on a port that the whole world may come to.
    pub(crate) fn for_everybody(listener: L, exempt: Exempt) -> Self {
        let places = Arc::new(Semaphore::new(PUBLIC_CONNECTIONS_MAX));
        Self { places, ..Self::new(listener) }.with_limits(exempt)
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
        if has_limit && *own >= PUBLIC_CONNECTIONS_PER_ADDRESS_MAX {
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
    Handshake(Later<io::Result<TlsStream<TcpStream>>>),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Handshake(accept) = self {
            *self = Self::Tls(Box::new(ready!(accept.as_mut().poll(cx))?));
        }
        Poll::Ready(Ok(()))
    }
}

async fn shake_hands(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    challenges: Option<Challenges>,
) -> io::Result<TlsStream<TcpStream>> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let hello = start.client_hello();
    let is_authority =
        hello.alpn().is_some_and(|mut names| names.next() == Some(ACME_TLS) && names.next().is_none());
    let host = hello.server_name().map(str::to_owned);
    let (Some(challenges), Some(host), true) = (challenges, host, is_authority) else {
        return start.into_stream(config).await;
    };
    // Without it nothing is said, as to somebody who asks for a protocol that is not spoken.
    let shown = challenges(host).await.ok_or(io::ErrorKind::ConnectionAborted)?;
    start.into_stream(shown).await?.shutdown().await?;
    // RFC 8737 4: nothing is said on such a connection.
    Err(io::ErrorKind::ConnectionAborted.into())
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
            Some((settings, challenges)) => {
                let config = Arc::clone(&settings.borrow());
                let shaken = shake_hands(stream, config, challenges.clone());
                (Transport::Handshake(Box::pin(shaken)), TLS_CONNECTION_LIFE)
            }
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
