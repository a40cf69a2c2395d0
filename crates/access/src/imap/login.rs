//! LOGIN (RFC 3501 6.2.3), and what it shares with AUTHENTICATE: the check, the limits, the log lines.

use super::capability::capabilities;
use super::reply::{Failure, Reply};
use super::session::{Door, Fresh, Known, State};
use engine::LoginError;
use proto::imap::{Code, Limits, Secret};
use proto::sasl::Credentials;

pub(crate) async fn login(
    door: &mut Door,
    fresh: &mut Fresh,
    user: &str,
    password: &Secret,
) -> Result<Known, Failure> {
    require_tls(door)?;
    let Some(password) = password.as_str() else {
        fresh.failed_logins += 1;
        return Err(denied().into());
    };
    check(door, fresh, &Credentials::new(user.to_owned(), password.to_owned())).await
}

/// RFC 3501 6.2.3, RFC 9051 11.1: a password never crosses the network in plain text.
pub(crate) fn require_tls(door: &Door) -> Result<(), Reply> {
    if door.encrypted { Ok(()) } else { Err(Reply::no("Use TLS first").code(Code::PrivacyRequired)) }
}

/// Asks the engine, which also delays and counts what is wrong.
pub(crate) async fn check(
    door: &mut Door,
    fresh: &mut Fresh,
    credentials: &Credentials,
) -> Result<Known, Failure> {
    let user = credentials.user();
    let by = (&door.origin, door.client.as_deref());
    match door.engine.log_in_by(user, credentials.password(), by).await {
        Ok(who) => {
            tracing::info!(user = %who.address(), "logged in");
            door.wire.revoke_with(door.engine.watch_rights(&who));
            let append_bytes = door.engine.message_bytes_max();
            door.wire.decoder().set_limits(Limits { append_bytes, ..Limits::AFTER_LOGIN });
            Ok(Known { who })
        }
        Err(error) => {
            tracing::info!(user = %user.escape_debug(), ?error, "login refused");
            fresh.failed_logins += 1;
            // RFC 5530 3
            let reply = match error {
                LoginError::Denied | LoginError::CountryNotAllowed | LoginError::CloudNotAllowed => denied(),
                LoginError::Locked => {
                    Reply::no("This mailbox is locked; your organisation can ask for its restoration")
                        .code(Code::ContactAdmin)
                }
                LoginError::PasswordChangeRequired => {
                    let text = format!("Change your password first: {}", door.engine.password_page());
                    Reply { text: text.into(), ..Reply::no("") }.code(Code::Expired)
                }
                LoginError::OneTimePasswordOver => {
                    Reply::no("Your one-time password is over; ask for a new one").code(Code::Expired)
                }
                LoginError::TooManyAttempts => Reply::no("Too many attempts, wait a while").code(Code::Limit),
                LoginError::Unavailable => return Err(engine::Error::Unavailable.into()),
            };
            Err(reply.into())
        }
    }
}

fn denied() -> Reply {
    // The same words whether the mailbox exists or not.
    Reply::no("Wrong address or password").code(Code::AuthenticationFailed)
}

/// OK with the capabilities that are now true (RFC 3501 6.2.2, 6.2.3).
pub(crate) fn welcome(door: &Door, state: &State) -> Reply {
    Reply::ok("Logged in").code(Code::Capability(capabilities(door, state)))
}
