//! A connection from its greeting to its end: commands one after the other, TLS in between, limits around.
//!
//! Invariants: a command that was begun is answered, also while the server stops; whoever is nobody yet can do no more than become
//! somebody.

use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, State};
use super::{authenticate, capability, scripts, starttls};
use crate::figures;
use crate::limits::{
    BAD_COMMANDS_MAX, COMMANDS_BEFORE_LOGIN_MAX, FAILED_LOGINS_MAX, GREETED_PATIENCE, LOGIN_WITHIN, PATIENCE,
};
use crate::service::{self, Opened, Service, secured};
use crate::socket::{Ended, SHUTTING_DOWN, SILENT, Stream};
use engine::Protocol;
use proto::managesieve::{Code, Command, Event, Status};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// For connections over the limit.
pub const REFUSED: &[u8] = b"BYE (TRYLATER) \"Too many connections\"\r\n";

/// Serves one connection to its end.
pub async fn serve<S>(stream: S, remote: IpAddr, service: Service)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Sync + Unpin + 'static,
{
    let origin = service.origin(remote, Protocol::Sieve);
    let span = tracing::info_span!("sieve", trace = origin.trace_text(), %remote);
    let stream: Box<dyn Stream> = Box::new(stream);
    service::serve(stream, origin, service, connection).instrument(span).await;
}

async fn connection(opened: Opened) {
    let mut door = Door::new(opened);
    let mut session = Session::new();
    let ended = loop {
        match session.run(&mut door).await {
            Err(ended) => break ended,
            Ok(StartTls(config)) => {
                // RFC 5804 2.2: what was said before is forgotten, and what there is said again.
                let Door { wire, engine, origin, .. } = door;
                let socket = Box::pin(secured(wire.into_socket(), config, (&engine, &origin))).await;
                let Some(socket) = socket else { return };
                door = Door::new(Opened { socket, engine, origin, encrypted: true, starttls: None });
            }
        }
    };
    match ended {
        Ended::Gone(error) => tracing::debug!(%error, "connection lost"),
        Ended::Bye(text) => {
            tracing::debug!(text, "connection ended");
            Box::pin(door.wire.close(Some(text))).await;
        }
        Ended::LoggedOut => Box::pin(door.wire.close(None)).await,
    }
}

/// The client may begin its handshake.
struct StartTls(Arc<rustls::ServerConfig>);

struct Session {
    began: Instant,
    commands: u32,
    /// Refused commands since the last good one.
    bad: u32,
}

impl Session {
    fn new() -> Self {
        Self { began: Instant::now(), commands: 0, bad: 0 }
    }

    /// A greeting, and command after command, until the connection ends or changes to TLS.
    async fn run(&mut self, door: &mut Door) -> Result<StartTls, Ended> {
        // RFC 5804 1.7: as if it had been asked for.
        let greeting = match capability::tell(door).await {
            Ok(()) => Reply::ok("Cong Thu ManageSieve"),
            Err(Failure::Reply(reply)) => reply,
            Err(Failure::End(ended)) => return Err(ended),
        };
        greeting.write(&mut door.wire.out);
        loop {
            if door.wire.is_stopping() {
                return Err(SHUTTING_DOWN);
            }
            match door.wire.event(self.patience(door)?).await? {
                Event::Command(command) => {
                    let starttls = matches!(command, Command::Starttls);
                    let ok = self.command(door, command).await?;
                    if starttls
                        && ok
                        && let Some(config) = door.starttls.take()
                    {
                        door.wire.flush().await?;
                        return Ok(StartTls(config));
                    }
                }
                Event::Rejected(reject) => {
                    self.answer(door, &reject.into())?;
                }
                // Only an exchange brings the others, and reads them itself.
                _ => return Err(Ended::Bye("A command was expected")),
            }
        }
    }

    /// How long to wait for the next command.
    fn patience(&mut self, door: &Door) -> Result<Duration, Ended> {
        if door.who().is_some() {
            return Ok(PATIENCE);
        }
        self.commands += 1;
        let left = LOGIN_WITHIN.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(SILENT);
        }
        if self.commands > COMMANDS_BEFORE_LOGIN_MAX {
            return Err(Ended::Bye("Too many commands before login"));
        }
        Ok(left.min(GREETED_PATIENCE))
    }

    /// Runs a command and answers it; true for OK.
    async fn command(&mut self, door: &mut Door, command: Command) -> Result<bool, Ended> {
        let name = command.name();
        tracing::trace!(name, "command");
        let began = Instant::now();
        let done = match Box::pin(run(door, command)).await {
            Ok(reply) | Err(Failure::Reply(reply)) => self.answer(door, &reply),
            Err(Failure::End(ended)) => Err(ended),
        };
        figures::sieve_command(name, began.elapsed(), done.as_ref().ok().copied());
        done
    }

    /// Ends a command; true for OK.
    fn answer(&mut self, door: &mut Door, reply: &Reply) -> Result<bool, Ended> {
        reply.write(&mut door.wire.out);
        self.bad = if reply.is_bad { self.bad + 1 } else { 0 };
        if self.bad >= BAD_COMMANDS_MAX {
            return Err(Ended::Bye("Too many bad commands"));
        }
        if matches!(door.state, State::Fresh { failed_logins } if failed_logins >= FAILED_LOGINS_MAX) {
            tracing::info!("too many failed logins on one connection");
            return Err(Ended::Bye("Too many failed logins"));
        }
        Ok(reply.status == Status::Ok)
    }
}

/// RFC 5804 2: what is for anybody, what for somebody, and what for nobody yet.
async fn run(door: &mut Door, command: Command) -> Outcome {
    match (command, door.who().cloned()) {
        (Command::Capability, _) => capability::capability(door).await,
        (Command::Noop(None), _) => Ok(Reply::ok("NOOP completed")),
        // RFC 5804 2.13
        (Command::Noop(Some(tag)), _) => Ok(Reply::ok("Done").code(Code::Tag(tag))),
        (Command::Logout, _) => {
            Reply::ok("Goodbye").write(&mut door.wire.out);
            Err(Ended::LoggedOut.into())
        }
        (Command::Authenticate { mechanism, initial }, None) => {
            authenticate::authenticate(door, &mechanism, initial).await
        }
        (Command::Starttls, None) => starttls::starttls(door),
        // RFC 5804 2.1: nobody becomes somebody else.
        (Command::Authenticate { .. } | Command::Starttls, Some(_)) => {
            Err(Reply::bad("You are logged in already").into())
        }
        (command, Some(who)) => scripts::run(door, &who, command).await,
        (_, None) => Err(Reply::bad("Log in first").into()),
    }
}
