//! From a listener of the configuration to the front door that speaks its protocol.

use crate::accepting::{Accepted, Accepting};
use crate::config::{Limits, Protocol, TlsMode};
use crate::sockets::Bound;
use crate::tls::Settings;
use access::{Exempt, ListenLimits, Places, Security, Service};
use access::{imap, sieve};
use engine::Engine;
use smtp::{Door, Gate, Role};
use std::net::IpAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What every listener is given. Tasks of all connections are in `tasks`; they end soon after `shutdown`.
pub(crate) struct Doors {
    pub(crate) engine: Engine,
    pub(crate) gate: Arc<Gate>,
    /// Of mail of strangers.
    pub(crate) scrutiny: Option<smtp::Scrutiny>,
    pub(crate) imap_places: Places,
    pub(crate) metrics: web::Metrics,
    /// What programs that set themselves up are told.
    pub(crate) servers: web::Servers,
    /// What authorities are shown under TLS.
    pub(crate) challenges: Option<web::Challenges>,
    /// Where people go who come in the clear.
    pub(crate) home: String,
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

/// What all listeners of mail programs share, IMAP and ManageSieve.
pub(crate) fn imap_places(limits: &Limits) -> Places {
    let networks = limits.exempt_networks.clone();
    let exempt: Exempt = Arc::new(move |peer: IpAddr| networks.iter().any(|network| network.contains(peer)));
    Places::new(ListenLimits {
        per_address_max: limits.imap_connections_per_address,
        total_max: limits.imap_connections,
        exempt,
    })
}

/// How a listener of mail programs protects what is said, with the certificate of the moment.
fn security(mode: TlsMode, tls: &Settings) -> impl Fn() -> Security + Clone + Send + use<> {
    let tls = tls.clone();
    move || match mode {
        TlsMode::None => Security::Plain,
        TlsMode::StartTls => Security::StartTls(Arc::clone(&tls.borrow())),
        TlsMode::Implicit => Security::Implicit(Arc::clone(&tls.borrow())),
    }
}

impl Doors {
    /// Begins to take connections, with these settings where it is under TLS.
    pub(crate) fn open(&self, bound: Bound, tls: &Settings) {
        for socket in bound.sockets {
            let accepting = Accepting {
                socket,
                callers: bound.spec.callers.clone(),
                door: bound.spec.protocol.as_str(),
                tasks: self.tasks.clone(),
                shutdown: self.shutdown.clone(),
            };
            match bound.spec.protocol {
                Protocol::Smtp => self.open_smtp(accepting, Role::Smtp, (bound.spec.tls, tls)),
                Protocol::Submission => self.open_smtp(accepting, Role::Submission, (bound.spec.tls, tls)),
                Protocol::Lmtp => self.open_smtp(accepting, Role::Lmtp, (bound.spec.tls, tls)),
                Protocol::Imap => self.open_imap(accepting, security(bound.spec.tls, tls)),
                Protocol::Sieve => self.open_sieve(accepting, security(bound.spec.tls, tls)),
                Protocol::Http => self.open_http(accepting, (bound.spec.tls, tls)),
                Protocol::Acme => self.open_acme(accepting),
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

    fn open_smtp(&self, accepting: Accepting, role: Role, (mode, tls): (TlsMode, &Settings)) {
        let tls = match mode {
            TlsMode::None => smtp::Tls::None,
            TlsMode::StartTls => smtp::Tls::StartTls(tls.clone()),
            TlsMode::Implicit => smtp::Tls::Implicit(tls.clone()),
        };
        let door = Arc::new(Door {
            role,
            tls,
            engine: self.engine.clone(),
            gate: Arc::clone(&self.gate),
            scrutiny: self.scrutiny.clone(),
        });
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        self.spawn(accepting.run(move |stream, client| {
            smtp::admit(stream, client.ip(), &door, &tasks, &shutdown);
            std::future::ready(())
        }));
    }

    fn open_imap(&self, accepting: Accepting, security: impl Fn() -> Security + Clone + Send + 'static) {
        let service = self.service(security);
        let (places, tasks) = (self.imap_places.clone(), self.tasks.clone());
        self.spawn(accepting.run(move |stream, client| {
            let service = service();
            access::admit(stream, client.ip(), &places, ("imap", imap::REFUSED), &tasks, |stream| {
                imap::serve(stream, client.ip(), service)
            });
            std::future::ready(())
        }));
    }

    fn open_sieve(&self, accepting: Accepting, security: impl Fn() -> Security + Clone + Send + 'static) {
        let service = self.service(security);
        let (places, tasks) = (self.imap_places.clone(), self.tasks.clone());
        self.spawn(accepting.run(move |stream, client| {
            let service = service();
            access::admit(stream, client.ip(), &places, ("sieve", sieve::REFUSED), &tasks, |stream| {
                sieve::serve(stream, client.ip(), service)
            });
            std::future::ready(())
        }));
    }

    /// What each connection of a listener of mail programs is given, with the certificate of its moment.
    fn service(
        &self,
        security: impl Fn() -> Security + Clone + Send + 'static,
    ) -> impl Fn() -> Service + Clone + Send + 'static {
        let (engine, shutdown) = (self.engine.clone(), self.shutdown.clone());
        move || Service { engine: engine.clone(), security: security(), shutdown: shutdown.clone() }
    }

    fn open_http(&self, accepting: Accepting, (mode, tls): (TlsMode, &Settings)) {
        let (engine, shutdown) = (self.engine.clone(), self.shutdown.clone());
        let (metrics, servers) = (self.metrics.clone(), self.servers.clone());
        let tls = (tls.clone(), self.challenges.clone());
        self.spawn(async move {
            let served = match (Accepted::from(accepting), mode) {
                (Ok(accepted), TlsMode::Implicit) => {
                    web::serve_people(accepted, tls, (engine, servers), shutdown).await
                }
                (Ok(accepted), _) => web::serve(accepted, engine, (metrics, servers), shutdown).await,
                (Err(error), _) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "http has stopped");
            }
        });
    }

    fn open_acme(&self, accepting: Accepting) {
        let (engine, home, shutdown) = (self.engine.clone(), self.home.clone(), self.shutdown.clone());
        self.spawn(async move {
            let served = match Accepted::from(accepting) {
                Ok(accepted) => web::serve_challenges(accepted, engine, &home, shutdown).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "acme has stopped");
            }
        });
    }
}
