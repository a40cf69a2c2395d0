//! From a listener of the configuration to the front door that speaks its protocol.

use crate::config::{Limits, Protocol, TlsMode};
use crate::sockets::Bound;
use access::imap;
use access::{Exempt, ListenLimits, Places};
use engine::Engine;
use smtp::{Door, Gate, Role};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every listener is given. Tasks of all connections are in `tasks`; they end soon after `shutdown`.
#[derive(Debug)]
pub(crate) struct Doors {
    pub(crate) engine: Engine,
    pub(crate) tls: Arc<rustls::ServerConfig>,
    pub(crate) gate: Arc<Gate>,
    /// Of mail of strangers.
    pub(crate) scrutiny: Option<smtp::Scrutiny>,
    pub(crate) imap_places: Places,
    pub(crate) metrics: web::Metrics,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when a listener ends without being asked.
    pub(crate) fallen: CancellationToken,
}

/// Cancels `fallen` when its task ends, by a panic too, although nobody asked for it.
#[derive(Debug)]
pub(crate) struct Watched {
    shutdown: CancellationToken,
    fallen: CancellationToken,
}

impl Watched {
    pub(crate) fn new(shutdown: CancellationToken, fallen: CancellationToken) -> Self {
        Self { shutdown, fallen }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.shutdown.is_cancelled() {
            self.fallen.cancel();
        }
    }
}

/// What all SMTP listeners share.
pub(crate) fn gate(limits: &Limits) -> Arc<Gate> {
    Gate::new(smtp::Limits {
        connections: limits.smtp_connections,
        connections_per_address: limits.smtp_connections_per_address,
        exempt: limits.exempt_networks.clone(),
        ..smtp::Limits::default()
    })
}

/// What all IMAP listeners share.
pub(crate) fn imap_places(limits: &Limits) -> Places {
    let networks = limits.exempt_networks.clone();
    let exempt: Exempt = Arc::new(move |peer: IpAddr| networks.iter().any(|network| network.contains(peer)));
    Places::new(ListenLimits {
        per_address_max: limits.imap_connections_per_address,
        total_max: limits.imap_connections,
        exempt,
    })
}

impl Doors {
    /// Begins to take connections.
    pub(crate) fn open(&self, bound: Bound) {
        for socket in bound.sockets {
            match bound.spec.protocol {
                Protocol::Smtp => self.open_smtp(socket, Role::Smtp, bound.spec.tls),
                Protocol::Submission => self.open_smtp(socket, Role::Submission, bound.spec.tls),
                Protocol::Lmtp => self.open_smtp(socket, Role::Lmtp, bound.spec.tls),
                Protocol::Imap => self.open_imap(socket, bound.spec.tls),
                Protocol::Http => self.open_http(socket, bound.spec.tls),
            }
        }
    }

    fn spawn(&self, listener: impl Future<Output = ()> + Send + 'static) {
        let watched = Watched::new(self.shutdown.clone(), self.fallen.clone());
        self.tasks.spawn(async move {
            listener.await;
            drop(watched);
        });
    }

    fn open_smtp(&self, socket: TcpListener, role: Role, mode: TlsMode) {
        let tls = match mode {
            TlsMode::None => smtp::Tls::None,
            TlsMode::StartTls => smtp::Tls::StartTls(Arc::clone(&self.tls)),
            TlsMode::Implicit => smtp::Tls::Implicit(Arc::clone(&self.tls)),
        };
        let door = Door {
            role,
            tls,
            engine: self.engine.clone(),
            gate: Arc::clone(&self.gate),
            scrutiny: self.scrutiny.clone(),
        };
        self.spawn(smtp::listen(socket, door, self.tasks.clone(), self.shutdown.clone()));
    }

    fn open_imap(&self, socket: TcpListener, mode: TlsMode) {
        let security = match mode {
            TlsMode::None => imap::Security::Plain,
            TlsMode::StartTls => imap::Security::StartTls(Arc::clone(&self.tls)),
            TlsMode::Implicit => imap::Security::Implicit(Arc::clone(&self.tls)),
        };
        let service =
            imap::Service { engine: self.engine.clone(), security, shutdown: self.shutdown.clone() };
        let serve = move |stream, peer: std::net::SocketAddr| imap::serve(stream, peer.ip(), service.clone());
        let (places, tasks) = (self.imap_places.clone(), self.tasks.clone());
        self.spawn(access::listen(socket, places, imap::REFUSED, tasks, self.shutdown.clone(), serve));
    }

    fn open_http(&self, socket: TcpListener, mode: TlsMode) {
        let (engine, shutdown) = (self.engine.clone(), self.shutdown.clone());
        let (metrics, tls) = (self.metrics.clone(), Arc::clone(&self.tls));
        self.spawn(async move {
            let served = match mode {
                TlsMode::Implicit => web::serve_people(socket, tls, engine, shutdown).await,
                TlsMode::None | TlsMode::StartTls => web::serve(socket, engine, metrics, shutdown).await,
            };
            if let Err(error) = served {
                tracing::error!(%error, "http has stopped");
            }
        });
    }
}
