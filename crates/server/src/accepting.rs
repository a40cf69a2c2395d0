//! Taking connections off a listening socket: the one loop of all doors, who may come by it, and for whom a balancer speaks.
//!
//! Invariants: accepting never ends on an error of one connection or for want of file descriptors; nobody but the networks that the
//! listener names as its proxies is believed about an address, and of those nobody who does not say one; nobody but a balancer that
//! speaks for itself (LOCAL) has the balancer's address; a door is given the client's, in IPv4 form where it is one.

use crate::config::Callers;
use metrics::counter;
use proto::proxy::{PREFIX_LEN, Prefix};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after a failed accept: out of descriptors (EMFILE) the next try fails at once too, and would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A balancer says its header with the first packet.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);
/// Connections of balancers whose headers are waited for, of one socket.
const HEADERS_AT_ONCE: usize = 1_000;

/// One listening socket and its rules.
#[derive(Debug)]
pub(crate) struct Accepting {
    pub(crate) socket: TcpListener,
    pub(crate) callers: Callers,
    /// For the figures: the protocol.
    pub(crate) door: &'static str,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Accepting {
    /// Gives each connection with its client's address to `take`, until shutdown. The next is not accepted before `take` is done.
    pub(crate) async fn run<Taken>(
        self,
        take: impl Fn(TcpStream, SocketAddr) -> Taken + Clone + Send + 'static,
    ) where
        Taken: Future<Output = ()> + Send,
    {
        let headers = Arc::new(Semaphore::new(HEADERS_AT_ONCE));
        let callers = Arc::new(self.callers);
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::select! {
                        () = self.shutdown.cancelled() => return,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => continue,
                    }
                }
            };
            let door = self.door;
            if !callers.is_proxy(peer.ip()) {
                if is_welcome(&callers, peer.ip(), door) {
                    take(stream, peer).await;
                }
                continue;
            }
            let Ok(place) = Arc::clone(&headers).try_acquire_owned() else {
                turned_away(door, "proxy");
                continue;
            };
            let (callers, take, shutdown) = (Arc::clone(&callers), take.clone(), self.shutdown.clone());
            self.tasks.spawn(async move {
                let _place = place;
                let client = tokio::select! {
                    () = shutdown.cancelled() => return,
                    client = told_client(stream, peer) => client,
                };
                match client {
                    Ok((stream, client)) if is_welcome(&callers, client.ip(), door) => take(stream, client).await,
                    Ok(_) => {}
                    Err(error) => {
                        turned_away(door, "proxy");
                        tracing::warn!(proxy = %peer.ip(), door, %error, "a proxy's connection does not say for whom it is");
                    }
                }
            });
        }
    }
}

/// May it come by this listener? Who may not is told nothing.
fn is_welcome(callers: &Callers, client: IpAddr, door: &'static str) -> bool {
    let welcome = callers.is_welcome(client);
    if !welcome {
        turned_away(door, "network");
        tracing::info!(remote = %client, door, "connection refused: not one of the listener's networks");
    }
    welcome
}

fn turned_away(door: &'static str, reason: &'static str) {
    counter!("congthu_connections_refused_total", "door" => door, "reason" => reason).increment(1);
}

/// The connection behind its PROXY header, and the client that the header names.
async fn told_client(mut stream: TcpStream, proxy: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let header = async {
        let mut octets = [0; PREFIX_LEN];
        stream.read_exact(&mut octets).await?;
        let prefix = Prefix::read(&octets).map_err(io::Error::other)?;
        let mut body = vec![0; prefix.body_len()];
        stream.read_exact(&mut body).await?;
        prefix.client(&body).map_err(io::Error::other)
    };
    let client = tokio::time::timeout(HEADER_PATIENCE, header).await??;
    Ok((stream, client.unwrap_or(proxy)))
}

/// What the web door takes its connections from.
#[derive(Debug)]
pub(crate) struct Accepted {
    connections: mpsc::Receiver<(TcpStream, SocketAddr)>,
    local: SocketAddr,
}

impl Accepted {
    /// Runs the loop as a task of its own. Few connections wait here, the others in the kernel.
    ///
    /// # Errors
    /// When the socket is none.
    pub(crate) fn from(accepting: Accepting) -> io::Result<Self> {
        let local = accepting.socket.local_addr()?;
        let (sender, connections) = mpsc::channel(1);
        let tasks = accepting.tasks.clone();
        tasks.spawn(accepting.run(move |stream, client| {
            let sender = sender.clone();
            // Whoever would serve it has gone, as we all do then.
            async move { _ = sender.send((stream, client)).await }
        }));
        Ok(Self { connections, local })
    }
}

impl web::Listener for Accepted {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.connections.recv().await {
            Some(accepted) => accepted,
            // The loop has ended, at shutdown alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
}

#[cfg(test)]
mod tests;
