//! A connection from its greeting to its end: commands one after the other, TLS in between, limits around.
//!
//! Invariants: a command that was begun is answered, also while the server stops; what a command holds is boxed and
//! freed with it, so that an idle connection is small.

use super::append::{self, Appended};
use super::capability::capabilities;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Fresh, State};
use super::table::{self, After};
use crate::figures;
use crate::limits::{
    BAD_COMMANDS_MAX, COMMANDS_BEFORE_LOGIN_MAX, FAILED_LOGINS_MAX, GREETED_PATIENCE, LOGIN_WITHIN, PATIENCE,
};
use crate::service::{self, Opened, Service, secured};
use crate::socket::{Ended, SHUTTING_DOWN, SILENT};
use engine::Protocol;
use proto::imap::{AppendStart, Code, Command, Event, Reject, Request, Status, StatusLine, Tag};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// For connections over the limit.
pub const REFUSED: &[u8] = b"* BYE [UNAVAILABLE] Too many connections\r\n";

/// Serves one connection to its end.
pub async fn serve<S>(stream: S, remote: IpAddr, service: Service)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Sync + Unpin + 'static,
{
    let origin = service.origin(remote, Protocol::Imap);
    let span = tracing::info_span!("imap", trace = origin.trace_text(), %remote);
    service::serve(Box::new(stream), origin, service, connection).instrument(span).await;
}

async fn connection(opened: Opened) {
    let mut door = Door::new(opened);
    let mut session = Session::new();
    greet(&mut door, &session.state);
    let ended = loop {
        match session.run(&mut door).await {
            Err(ended) => break ended,
            Ok(StartTls(config)) => {
                // RFC 3501 6.2.1: the session begins anew, without a greeting.
                session.state = State::Fresh(Fresh::default());
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

/// RFC 3501 7.1: the first line, with what a client would ask for next.
fn greet(door: &mut Door, state: &State) {
    let line = StatusLine {
        status: Status::Ok,
        code: Some(Code::Capability(capabilities(door, state))),
        text: &format!("{} ready", door.engine.hostname()),
    };
    door.wire.out.untagged(&line);
}

/// The client may begin its handshake.
struct StartTls(Arc<rustls::ServerConfig>);

struct Session {
    state: State,
    began: Instant,
    commands: u32,
    /// Refused commands since the last good one.
    bad: u32,
}

impl Session {
    fn new() -> Self {
        Self { state: State::Fresh(Fresh::default()), began: Instant::now(), commands: 0, bad: 0 }
    }

    /// Command after command, until the connection ends or changes to TLS.
    async fn run(&mut self, door: &mut Door) -> Result<StartTls, Ended> {
        loop {
            if door.wire.shutdown().is_cancelled() {
                return Err(SHUTTING_DOWN);
            }
            let event = door.wire.event(self.patience()?).await?;
            match event {
                Event::Command(Request { tag, command }) => {
                    let starttls = matches!(command, Command::Starttls);
                    let compress = matches!(command, Command::Compress(_));
                    let ok = self.command(door, &tag, command).await?;
                    if compress && ok {
                        // RFC 4978 3: from behind the CRLF of the OK on.
                        door.wire.flush().await?;
                        door.wire.compress();
                    }
                    // Taken by STARTTLS alone: another command before it must not use it up.
                    if starttls
                        && ok
                        && let Some(config) = door.starttls.take()
                    {
                        door.wire.flush().await?;
                        return Ok(StartTls(config));
                    }
                }
                Event::Append(start) => {
                    let began = Instant::now();
                    let done = self.append(door, &start).await;
                    figures::command("APPEND", began.elapsed(), done.as_ref().ok().copied());
                    done?;
                }
                Event::Rejected(reject) => self.rejected(door, &reject)?,
                // Only asked-for lines and accepted messages bring the others, and their commands read those.
                _ => return Err(Ended::Bye("A command was expected")),
            }
        }
    }

    /// How long to wait for the next command.
    fn patience(&mut self) -> Result<Duration, Ended> {
        if !matches!(self.state, State::Fresh(_)) {
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
    async fn command(&mut self, door: &mut Door, tag: &Tag, command: Command) -> Result<bool, Ended> {
        let name = command.name();
        tracing::trace!(name, "command");
        let began = Instant::now();
        let (outcome, after) = match table::admit(name, &self.state) {
            Ok(after) => {
                door.progress.begin(tag);
                let outcome = table::run(door, &mut self.state, command).await;
                door.progress.end();
                (outcome, after)
            }
            Err(reply) => (Err(reply.into()), After::Nothing),
        };
        let done = self.finish(door, tag, outcome, after).await;
        figures::command(name, began.elapsed(), done.as_ref().ok().copied());
        done
    }

    /// Takes a message; true for OK.
    async fn append(&mut self, door: &mut Door, start: &AppendStart) -> Result<bool, Ended> {
        door.progress.begin(&start.tag);
        let appended = Box::pin(append::append(door, &self.state, start)).await;
        door.progress.end();
        match appended {
            Appended::Outcome(outcome) => {
                let after = table::admit("APPEND", &self.state);
                self.finish(door, &start.tag, outcome, after.unwrap_or(After::Nothing)).await
            }
            Appended::Rejected(reject) => self.rejected(door, &reject).map(|()| false),
        }
    }

    /// The news, then the tagged reply (RFC 3501 7: untagged data of a command come before its end).
    async fn finish(
        &mut self,
        door: &mut Door,
        tag: &Tag,
        outcome: Outcome,
        after: After,
    ) -> Result<bool, Ended> {
        let mut reply = match outcome {
            Ok(reply) | Err(Failure::Reply(reply)) => reply,
            Err(Failure::End(Ended::LoggedOut)) => {
                // RFC 3501 6.1.3
                door.wire.out.untagged(&StatusLine::bye("Goodbye"));
                Reply::ok("LOGOUT completed").write(&mut door.wire.out, tag);
                return Err(Ended::LoggedOut);
            }
            Err(Failure::End(ended)) => return Err(ended),
        };
        if let (After::Sync(expunges), State::Selected(selected)) = (after, &mut self.state)
            && let Err(Failure::End(ended)) = Box::pin(selected.sync(door, expunges)).await
        {
            return Err(ended);
        }
        // Where the news could not be had, the command's own result stands; they come with the next.
        if door.enabled.condstore
            && let State::Selected(selected) = &mut self.state
            && let Some(highest) = selected.highest_due()
        {
            let code = Code::HighestModSeq(highest);
            if reply.status == Status::Ok && reply.code.is_none() {
                reply = reply.code(code);
            } else {
                door.wire.out.untagged(&StatusLine::ok("Highest").with(code));
            }
        }
        reply.write(&mut door.wire.out, tag);
        self.count(reply.status)?;
        match &self.state {
            State::Fresh(fresh) if fresh.failed_logins >= FAILED_LOGINS_MAX => {
                tracing::info!("too many failed logins on one connection");
                Err(Ended::Bye("Too many failed logins"))
            }
            _ => Ok(reply.status == Status::Ok),
        }
    }

    fn rejected(&mut self, door: &mut Door, reject: &Reject) -> Result<(), Ended> {
        door.wire.out.rejected(reject);
        self.count(reject.status)
    }

    fn count(&mut self, status: Status) -> Result<(), Ended> {
        if status != Status::Bad {
            self.bad = 0;
            return Ok(());
        }
        self.bad += 1;
        if self.bad < BAD_COMMANDS_MAX { Ok(()) } else { Err(Ended::Bye("Too many bad commands")) }
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
