//! One connection from its first byte to its last: greeting, TLS, conversation, goodbye.

use crate::conversation::{Conversation, Outcome, within};
use crate::desk::{EngineDesk, future_release};
use crate::figures;
use crate::gate::Gate;
use crate::limits::HANDSHAKE_MAX;
use crate::patience::Patience;
use crate::scrutiny::Scrutiny;
use engine::{Engine, Origin};
use proto::smtp::{Role, Session, Settings};
use rustls::ServerConfig;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// A listener's kind, and all its connections need.
#[derive(Clone, Debug)]
pub struct Door {
    pub role: Role,
    pub tls: Tls,
    pub engine: Engine,
    /// Shared by all SMTP doors of the node.
    pub gate: Arc<Gate>,
    /// Looks at mail that comes without a log-in to an SMTP door; without it all of it is taken.
    pub scrutiny: Option<Scrutiny>,
}

/// How a listener does TLS: with the settings that hold when a handshake begins.
#[derive(Clone, Debug)]
pub enum Tls {
    None,
    /// Offered by STARTTLS.
    StartTls(watch::Receiver<Arc<ServerConfig>>),
    /// From the first byte (port 465, RFC 8314 3.3).
    Implicit(watch::Receiver<Arc<ServerConfig>>),
}

/// Serves one connection. Ends when the client does, when a limit is reached, or soon after `shutdown`.
pub async fn serve<S>(stream: S, peer: IpAddr, door: &Door, shutdown: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let protocol = figures::protocol(door.role);
    let origin = Origin { trace: door.engine.new_trace(), remote: peer.to_canonical(), protocol };
    let open = figures::Open::new(door.role);
    let span =
        tracing::info_span!("smtp", trace = origin.trace_text(), peer = %origin.remote, role = ?door.role);
    let served = async {
        tracing::debug!("connected");
        let mut connection = Connection::new(door, origin, shutdown);
        let ended = connection.run(stream).await;
        connection.desk.log_refusals();
        match ended {
            Ok(()) => tracing::debug!("closed"),
            // Peers vanish, stall and fail handshakes all day long: worth a line only to whoever looks for it.
            Err(error) => tracing::debug!(%error, "connection lost"),
        }
    };
    served.instrument(span).await;
    drop(open);
}

struct Connection<'a> {
    door: &'a Door,
    shutdown: &'a CancellationToken,
    desk: EngineDesk,
    session: Session,
    patience: Patience,
    trusted: bool,
    /// Whoever speaks first is refused.
    patient: bool,
}

impl<'a> Connection<'a> {
    fn new(door: &'a Door, origin: Origin, shutdown: &'a CancellationToken) -> Self {
        let settings = Settings {
            role: door.role,
            hostname: door.engine.hostname().to_owned(),
            message_bytes_max: door.engine.arriving_bytes_max(door.role == Role::Submission),
            starttls: matches!(door.tls, Tls::StartTls(_)),
            future_release: (door.role == Role::Submission).then(|| future_release(&door.engine)),
            limits: door.gate.limits().session,
        };
        let implicit = matches!(door.tls, Tls::Implicit(_));
        let trusted = door.gate.is_trusted(origin.remote, door.role);
        // Whom no limit is for may still be anybody.
        let scrutiny = door.scrutiny.clone().filter(|_| door.role == Role::Smtp);
        Self {
            door,
            shutdown,
            desk: EngineDesk::new(door.engine.clone(), Arc::clone(&door.gate), origin, scrutiny),
            session: Session::new(settings, implicit),
            patience: Patience::new(),
            trusted,
            patient: door.role == Role::Smtp && !implicit && !trusted,
        }
    }

    async fn run<S>(&mut self, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if let Tls::Implicit(settings) = &self.door.tls {
            let mut stream = self.secure(stream, settings).await?;
            return self.talk(&mut stream, true).await.map(|_| ());
        }
        let outcome = self.talk(&mut stream, true).await?;
        if let (Outcome::StartTls, Tls::StartTls(settings)) = (outcome, &self.door.tls) {
            let mut stream = self.secure(stream, settings).await?;
            self.session.tls_started();
            self.talk(&mut stream, false).await?;
        }
        Ok(())
    }

    async fn secure<S>(
        &mut self,
        stream: S,
        settings: &watch::Receiver<Arc<ServerConfig>>,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&settings.borrow()));
        let handshake = within(HANDSHAKE_MAX, acceptor.accept(stream));
        let stream = tokio::select! {
            stream = handshake => stream.inspect_err(|_| figures::handshake_failed(self.door.role))?,
            () = self.shutdown.cancelled() => return Err(io::ErrorKind::Interrupted.into()),
        };
        let tls = stream.get_ref().1;
        self.desk.tls = Some(describe(tls));
        if let Some(certificate) = tls.peer_certificates().and_then(|chain| chain.first()) {
            self.desk.note_certificate(certificate).await;
        }
        Ok(stream)
    }

    async fn talk<S>(&mut self, stream: &mut S, first: bool) -> io::Result<Outcome>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let mut conversation = Conversation {
            stream,
            session: &mut self.session,
            desk: &mut self.desk,
            limits: self.door.gate.limits(),
            patience: &mut self.patience,
            trusted: self.trusted,
            shutdown: self.shutdown,
        };
        if first {
            conversation.greet(self.patient).await?;
        }
        conversation.run().await
    }
}

/// Version and cipher suite, as they stand in a Received field: `TLSv1.3 TLS_AES_256_GCM_SHA384`.
fn describe(tls: &rustls::ServerConnection) -> String {
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLS",
    };
    let suite = tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    // The registered names of TLS 1.3's suites have no version in them (RFC 8446 B.4).
    format!("{version} {}", suite.replacen("TLS13_", "TLS_", 1)).trim_end().to_owned()
}
