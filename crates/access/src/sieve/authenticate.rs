//! AUTHENTICATE (RFC 5804 2.1) with the mechanisms of the IMAP door, and by the same rules.

use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, State};
use crate::limits::GREETED_PATIENCE;
use crate::socket::Ended;
use engine::LoginError;
use proto::managesieve::{Code, Event, Response};
use proto::sasl::{self, Credentials, Mechanism, Progress};

pub(crate) async fn authenticate(door: &mut Door, mechanism: &str, initial: Option<Response>) -> Outcome {
    if !door.encrypted {
        // RFC 5804 5, RFC 9051 11.1: a password never crosses the network in plain text.
        let text = "Phải dùng TLS trước khi đăng nhập / Use TLS first";
        return Err(Reply::no(text).code(Code::EncryptNeeded).into());
    }
    let Some(mechanism) = Mechanism::from_name(mechanism) else {
        return Err(Reply::no("Unknown authentication mechanism").into());
    };
    if mechanism == Mechanism::Login && initial.is_some() {
        // RFC 5804 2.1: a mechanism in which the server speaks first.
        return Err(Reply::bad("LOGIN has no initial response").into());
    }
    let initial = initial.as_ref().map(|Response(response)| match response.as_slice() {
        b"" => b"=".as_slice(),
        response => response,
    });
    let mut progress = mechanism.start(initial).map_err(refusal)?;
    let credentials = loop {
        match progress {
            Progress::Done(credentials) => break credentials,
            Progress::Challenge(exchange, challenge) => {
                let Response(response) = ask(door, challenge).await?;
                progress = exchange.respond(&response).map_err(refusal)?;
            }
        }
    };
    check(door, &credentials).await
}

async fn ask(door: &mut Door, challenge: &[u8]) -> Result<Response, Failure> {
    door.wire.out.challenge(challenge);
    door.wire.decoder().expect_response();
    match door.wire.event(GREETED_PATIENCE).await? {
        Event::Response(response) => Ok(response),
        Event::Rejected(reject) => Err(Reply::from(reject).into()),
        _ => Err(Ended::Bye("A response was expected").into()),
    }
}

fn refusal(error: sasl::Error) -> Failure {
    Failure::Reply(match error {
        sasl::Error::Cancelled => Reply::no("Cancelled"),
        sasl::Error::Malformed => Reply::bad("Malformed response"),
        sasl::Error::Proxy => Reply::no("You may not act for another user"),
    })
}

/// Asks the engine, which also delays and counts what is wrong.
async fn check(door: &mut Door, credentials: &Credentials) -> Outcome {
    let user = credentials.user();
    match door.engine.log_in(user, credentials.password(), &door.origin).await {
        Ok(who) => {
            tracing::info!(user = %who.address(), "logged in");
            door.wire.logged_in(door.engine.watch_rights(&who));
            door.state = State::Known(who);
            Ok(Reply::ok("Logged in"))
        }
        Err(error) => {
            tracing::info!(user = %user.escape_debug(), ?error, "login refused");
            if let State::Fresh { failed_logins } = &mut door.state {
                *failed_logins += 1;
            }
            Err(told(door, error))
        }
    }
}

fn told(door: &Door, error: LoginError) -> Failure {
    // The same words whether the mailbox exists or not.
    let error = if error.is_hidden() { LoginError::Denied } else { error };
    let words = format!("{} / {error}", error.vietnamese());
    Failure::Reply(match error {
        LoginError::PasswordChangeRequired => Reply::no(format!("{words}: {}", door.engine.password_page())),
        LoginError::TooManyAttempts | LoginError::Unavailable => Reply::no(words).code(Code::TryLater),
        _ => Reply::no(words),
    })
}
