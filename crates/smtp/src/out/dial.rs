//! A connection to one address: TCP, greeting, EHLO, STARTTLS as the host's [`Security`] has it.
//!
//! Invariant: what is told of a failure names the host and never more than one line of its words.

use super::agent::Connection;
use super::demand::Security;
use super::envelope::{broken, theirs};
use super::route::{Settings, Stop};
use super::seen::{Flaw, Seen};
use super::talk::{Lost, Stream, Talk};
use super::verify::Trust;
use model::queue::{Answer, Status};
use proto::smtp::client::{Broken, Step, Wait};
use proto::tlsrpt::ResultType;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

/// Why an address was of no use.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) answer: Answer,
    pub(super) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// There was no connection.
    NoConnection,
    /// There is no network of this family here.
    NoNetwork,
    /// TLS did not come about; another try may do without.
    Handshake,
    /// The host takes no mail at all (RFC 7504).
    NeverMail,
    Other,
}

fn failure(kind: FailureKind, detail: (u16, u16), text: String) -> Failure {
    Failure { answer: Answer::ours(Status(4, detail.0, detail.1), text), kind }
}

/// Dials one address of a host.
#[derive(Debug)]
pub(super) struct Dial<'a> {
    pub(super) settings: &'a Settings,
    pub(super) trust: &'a Trust,
    pub(super) host: &'a Stop,
    pub(super) address: IpAddr,
    pub(super) security: &'a Security,
    /// By then messages may be sent, or never.
    pub(super) until: Instant,
}

impl Dial<'_> {
    /// To the point where messages may be sent, and what was seen of TLS on the way there.
    pub(super) async fn reach(&self) -> (Seen, Result<Connection, Failure>) {
        let mut seen = Seen::default();
        let reached = match self.open(true, &mut seen).await {
            // RFC 7435: better in the clear than not at all, where nobody wants more.
            Err(Failure { kind: FailureKind::Handshake, answer }) if !self.security.is_strict() => {
                tracing::info!(
                    host = self.host.name,
                    reason = answer.text,
                    "TLS failed; connecting again without"
                );
                // It has been seen to fail.
                self.open(false, &mut Seen::default()).await
            }
            outcome => outcome,
        };
        (seen, reached)
    }

    async fn open(&self, tls: bool, seen: &mut Seen) -> Result<Connection, Failure> {
        let mut stream = self.connect().await?;
        let from = stream.local_addr().ok().map(|from| from.ip());
        seen.from = from.and_then(|from| guard::shown_address(from, self.settings.allow_private));
        let mut talk = Talk::new(&self.settings.hostname, self.settings.limits, self.until);
        self.ready(&mut talk, &mut stream).await?;
        let host = self.host.name.as_str();
        // RFC 5321 6.3: two servers of one name are one.
        let ours = &self.settings.hostname;
        if ours.contains('.') && talk.client.greeting_name().eq_ignore_ascii_case(ours) {
            let text = format!("{} greets with our own name: mail would come back to us", self.called());
            return Err(failure(FailureKind::Other, (4, 6), text));
        }
        if tls && *self.security != Security::None {
            if talk.client.offers().starttls {
                return self.encrypt(talk, stream, seen).await;
            }
            seen.fail(Flaw::of(ResultType::StarttlsNotSupported));
        }
        if self.security.is_strict() {
            let text = format!("{} does not offer TLS, and mail there must not go without", self.called());
            return Err(failure(FailureKind::Other, (7, 10), text));
        }
        Ok(Connection::new(Box::new(stream), talk, host, None, self.settings.limits))
    }

    async fn connect(&self) -> Result<TcpStream, Failure> {
        let refused = |error: &io::Error| {
            use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable};
            let kind = match error.kind() {
                NetworkUnreachable | AddrNotAvailable => FailureKind::NoNetwork,
                _ => FailureKind::NoConnection,
            };
            failure(kind, (4, 1), format!("{}: {error}", self.called()))
        };
        let connecting = connect(self.address, self.host.port, &self.settings.sources);
        match timeout(self.settings.limits.connect, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => {
                Err(failure(FailureKind::NoConnection, (4, 1), format!("{} does not answer", self.called())))
            }
        }
    }

    /// RFC 3207
    async fn encrypt(
        &self,
        mut talk: Talk,
        mut stream: TcpStream,
        seen: &mut Seen,
    ) -> Result<Connection, Failure> {
        talk.client.start_tls();
        let unsupported =
            Flaw::because(ResultType::StarttlsNotSupported, "STARTTLS is offered and does not work");
        let step = match talk.advance(&mut stream).await {
            Ok(step) => step,
            Err(lost) => {
                if lost == Lost::Closed {
                    seen.fail(unsupported);
                }
                return Err(Failure { kind: FailureKind::Handshake, ..self.lost(lost, Wait::Command) });
            }
        };
        match step {
            Step::Handshake => {}
            // It is busy (421).
            Step::Broken(Broken::Refused(said)) => return Err(self.refused(&Broken::Refused(said))),
            Step::Broken(broken) => {
                // Somebody on the way, or a server that nobody should talk to without TLS either.
                seen.fail(Flaw::because(ResultType::ValidationFailure, "the reply to STARTTLS is none"));
                return Err(self.refused(&broken));
            }
            _ => {
                seen.fail(unsupported);
                let text = format!("{} offers TLS and refuses it", self.called());
                return Err(failure(FailureKind::Handshake, (7, 4), text));
            }
        }
        let unusable =
            |text: String| failure(FailureKind::Handshake, (7, 5), format!("{}: {text}", self.called()));
        let (config, verifier) =
            self.trust.config(self.security).map_err(|error| unusable(error.to_string()))?;
        let name = ServerName::try_from(self.host.name.clone()).unwrap_or_else(|_| self.address.into());
        let connecting = TlsConnector::from(config).connect(name, stream);
        let mut stream = match timeout(self.settings.limits.handshake, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                seen.fail(Flaw::of_handshake(&error));
                return Err(unusable(format!("TLS: {error}")));
            }
            Err(_) => return Err(unusable("the TLS handshake does not end".to_owned())),
        };
        (seen.is_tried, seen.certificate) = (true, verifier.flaw());
        talk.client.tls_started();
        self.ready(&mut talk, &mut stream).await?;
        let (_, session) = stream.get_ref();
        let version = session.protocol_version().map_or("TLS", |version| version.as_str().unwrap_or("TLS"));
        let suite =
            session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
        let worth = if verifier.verified() { "verified" } else { "unverified" };
        let tls = format!("{version} {suite} {worth}");
        let mut connection =
            Connection::new(Box::new(stream), talk, &self.host.name, Some(tls), self.settings.limits);
        // RFC 8689 4.2.1: the server has to be who the domain names, and it has to be known that it names it.
        connection.authenticated =
            verifier.verified() && self.security.is_strict() && *self.security != Security::Required;
        Ok(connection)
    }

    async fn ready<S: Stream>(&self, talk: &mut Talk, stream: &mut S) -> Result<(), Failure> {
        match talk.advance(stream).await {
            Ok(Step::Ready) => Ok(()),
            Ok(Step::Broken(broken)) => Err(self.refused(&broken)),
            Ok(_) => Err(self.refused(&Broken::Garbage)),
            Err(lost) => Err(self.lost(lost, talk.waits_for())),
        }
    }

    fn refused(&self, why: &Broken) -> Failure {
        match why {
            // RFC 7504: it never takes mail. Before TLS somebody on the way may say so.
            Broken::Refused(said) if said.code == 521 && !self.security.is_strict() => {
                let mut answer = theirs(&self.host.name, said);
                answer.status = Status(5, 3, 2);
                Failure { answer, kind: FailureKind::NeverMail }
            }
            why => Failure { answer: broken(why, &self.host.name), kind: FailureKind::Other },
        }
    }

    fn lost(&self, lost: Lost, wait: Wait) -> Failure {
        let greeting = wait == Wait::Greeting;
        let text = match lost {
            Lost::Closed if greeting => "closed the connection before it greeted",
            Lost::Closed => "closed the connection",
            Lost::Silent if greeting => "does not greet",
            Lost::Silent => "does not answer",
        };
        failure(FailureKind::Other, (4, 2), format!("{} {text}", self.called()))
    }

    /// As in `mx.b.vn [192.0.2.1]`.
    fn called(&self) -> String {
        format!("{} [{}]", self.host.name, self.address)
    }
}

async fn connect(address: IpAddr, port: u16, sources: &[IpAddr]) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = sources.iter().find(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(SocketAddr::new(*source, 0))?;
    }
    let stream = socket.connect(SocketAddr::new(address, port)).await?;
    // Commands are written whole; waiting for more to send would only delay them.
    stream.set_nodelay(true)?;
    Ok(stream)
}
