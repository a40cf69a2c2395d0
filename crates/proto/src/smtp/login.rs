//! STARTTLS (RFC 3207) and AUTH (RFC 4954).

use super::exchange::{Answer, Request};
use super::reply::Reply;
use super::session::{Asked, Session, State};
use crate::sasl::{Error, Exchange, Mechanism, Progress, encode};

/// RFC 3207 4
pub(super) fn starttls(session: &mut Session, _args: &str) -> Result<(), Reply> {
    if session.tls {
        return Err(Reply::new(503, (5, 1), "TLS is on already"));
    }
    if !session.settings.starttls {
        return Err(Reply::new(502, (5, 1), "TLS is not offered here"));
    }
    session.state = State::TlsHandshake;
    Ok(())
}

/// The last check before the handshake. RFC 3207 4.2 and 5: what was pipelined behind STARTTLS came in the clear, perhaps
/// from somebody between us, and is no command of the session that follows.
pub(super) fn confirm_tls(session: &mut Session, pipelined: bool) {
    if pipelined {
        session.reply(&Reply::new(554, (5, 1), "Nothing may follow this command before its reply"));
        return session.close();
    }
    session.reply(&Reply::new(220, (0, 0), "Ready to start TLS"));
}

/// What a submission command needs: TLS, then a login. `anonymous`: TLS alone, for AUTH itself.
pub(super) fn check(session: &Session, anonymous: bool) -> Result<(), Reply> {
    match (session.tls, session.logged_in || anonymous) {
        (true, true) => Ok(()),
        // RFC 4954 4, 6
        (false, _) if anonymous => Err(Reply::new(538, (7, 11), "Logging in needs TLS: send STARTTLS first")),
        // RFC 3207 4
        (false, _) => Err(Reply::new(530, (7, 0), "Must issue a STARTTLS command first")),
        (true, false) => Err(Reply::new(530, (7, 0), "Authentication required")),
    }
}

/// `"AUTH" SP sasl-mech [SP (initial-response / "=")]` (RFC 4954 4)
pub(super) fn auth(session: &mut Session, args: &str) -> Result<(), Reply> {
    if session.logged_in {
        return Err(Reply::new(503, (5, 1), "Logged in already"));
    }
    let (name, initial) = match args.split_once(' ') {
        Some((name, initial)) => (name, Some(initial.as_bytes())),
        None => (args, None),
    };
    if name.is_empty() {
        return Err(Reply::new(501, (5, 4), "Syntax: AUTH mechanism"));
    }
    let Some(mechanism) = Mechanism::from_name(name) else {
        return Err(Reply::new(504, (5, 4), "Mechanism not offered"));
    };
    let progress = mechanism.start(initial).map_err(refusal)?;
    proceed(session, progress);
    Ok(())
}

/// A line that answers a 334.
pub(super) fn response(session: &mut Session, exchange: Exchange, line: &str) {
    match exchange.respond(line.as_bytes()) {
        Ok(progress) => proceed(session, progress),
        Err(error) => session.refuse(&refusal(error)),
    }
}

fn proceed(session: &mut Session, progress: Progress) {
    match progress {
        Progress::Challenge(exchange, challenge) => {
            session.reply(&Reply::plain(334, encode(challenge)));
            session.state = State::Sasl(exchange);
        }
        Progress::Done(credentials) => session.ask(Asked::LogIn, Request::LogIn(credentials)),
    }
}

fn refusal(error: Error) -> Reply {
    match error {
        Error::Cancelled => Reply::new(501, (7, 0), "Cancelled"),
        Error::Malformed => Reply::new(501, (5, 2), "Cannot decode the response"),
        Error::Proxy => Reply::new(535, (7, 8), "Logging in for somebody else is not possible"),
    }
}

pub(super) fn answered(session: &mut Session, answer: Answer) {
    match answer {
        Answer::Accept | Answer::Delivered(_) => {
            session.logged_in = true;
            session.reply(&Reply::new(235, (7, 0), "Authentication succeeded"));
        }
        Answer::Refuse(reply) => {
            session.refuse(&reply);
            session.login_failures += 1;
            let open = !matches!(session.state, State::Closed);
            if open && session.login_failures >= session.settings.limits.login_failures {
                session.reply(&Reply::new(421, (7, 0), "Too many failed logins; closing"));
            }
        }
    }
}
