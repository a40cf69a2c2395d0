//! AUTHENTICATE (RFC 3501 6.2.2) with PLAIN and LOGIN, and the initial response of SASL-IR (RFC 4959).

use super::login;
use super::reply::{Failure, Reply};
use super::session::{Door, Fresh, Known};
use crate::limits::GREETED_PATIENCE;
use crate::socket::Ended;
use proto::imap::{Code, Event, Secret};
use proto::sasl::{self, Credentials, Mechanism, Progress};

pub(crate) async fn authenticate(
    door: &mut Door,
    fresh: &mut Fresh,
    mechanism: &str,
    initial: Option<Secret>,
) -> Result<Known, Failure> {
    login::require_tls(door)?;
    let Some(mechanism) = Mechanism::from_name(mechanism) else {
        return Err(Reply::no("Unknown authentication mechanism").into());
    };
    // The decoder has undone the base64 that `start` expects.
    let initial = initial.map(|secret| match secret.0.as_slice() {
        b"" => "=".to_owned(),
        response => sasl::encode(response),
    });
    let mut progress = mechanism.start(initial.as_ref().map(String::as_bytes)).map_err(refusal)?;
    let credentials: Credentials = loop {
        match progress {
            Progress::Done(credentials) => break credentials,
            Progress::Challenge(exchange, challenge) => {
                let line = ask(door, challenge).await?;
                progress = exchange.respond(&line).map_err(refusal)?;
            }
        }
    };
    login::check(door, fresh, &credentials).await
}

/// RFC 3501 6.2.2: a continuation request with the challenge, then one line.
async fn ask(door: &mut Door, challenge: &[u8]) -> Result<Vec<u8>, Failure> {
    door.wire.out.challenge(challenge);
    door.wire.decoder().expect_line();
    match door.wire.event(GREETED_PATIENCE).await? {
        Event::Line(line) => Ok(line),
        _ => Err(Ended::Bye("A response was expected").into()),
    }
}

fn refusal(error: sasl::Error) -> Failure {
    let reply = match error {
        // RFC 3501 6.2.2: "*" cancels, the answer is BAD.
        sasl::Error::Cancelled => Reply::bad("Cancelled"),
        sasl::Error::Malformed => Reply::bad("Malformed response"),
        // RFC 5530 3
        sasl::Error::Proxy => Reply::no("You may not act for another user").code(Code::AuthorizationFailed),
    };
    reply.into()
}
