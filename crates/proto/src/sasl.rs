//! SASL on the server's side: PLAIN (RFC 4616) and LOGIN, the two mechanisms that hand us the password itself.
//!
//! SMTP and IMAP share this file; both offer it only under TLS. Invariants: what a client sends never reaches
//! a log ([`Credentials`] hides itself from `Debug`), and an exchange never needs more than two responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The mechanisms, in the order they are advertised.
pub const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Octets of a user name or of a password: far more than any has, and enough for a pass phrase in Vietnamese.
const FIELD_BYTES_MAX: usize = 1_024;

/// A way of proving who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: everything in one message.
    Plain,
    /// draft-murchison-sasl-login: user name and password asked for one by one. Outlook needs it.
    Login,
}

/// Why an exchange ended without credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client sent `*`.
    #[error("cancelled by the client")]
    Cancelled,
    /// Not base64, or not the mechanism's form.
    #[error("malformed response")]
    Malformed,
    /// The client asked to act as somebody else, which no right of ours allows.
    #[error("acting for another user is not supported")]
    Proxy,
}

/// A user name and a password as they were sent, not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

/// A running exchange that waits for the client's next response.
#[derive(Debug)]
pub struct Exchange(Waiting);

enum Waiting {
    PlainMessage,
    LoginUser,
    LoginPassword { user: String },
}

/// What follows a client's response.
#[derive(Debug)]
pub enum Progress {
    /// Send the challenge (not yet base64), then give the answer to [`Exchange::respond`].
    Challenge(Exchange, &'static [u8]),
    /// The client has said everything.
    Done(Credentials),
}

impl Mechanism {
    /// The mechanism of that name, whatever its case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        MECHANISMS.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Begins an exchange. `initial` is the initial response, still in base64, where the client sent one.
    ///
    /// # Errors
    /// When the initial response is not what the mechanism wants.
    pub fn start(self, initial: Option<&[u8]>) -> Result<Progress, Error> {
        let (waiting, challenge): (_, &[u8]) = match self {
            Self::Plain => (Waiting::PlainMessage, b""),
            Self::Login => (Waiting::LoginUser, b"Username:"),
        };
        let exchange = Exchange(waiting);
        match initial {
            // RFC 4954 4, RFC 4959 3: "=" is an initial response of no octets.
            Some(b"=") => exchange.decoded(&[]),
            Some(response) => exchange.respond(response),
            None => Ok(Progress::Challenge(exchange, challenge)),
        }
    }
}

impl Exchange {
    /// Takes the client's next line (base64, without its CRLF).
    ///
    /// # Errors
    /// When the client cancels or sends something that is not a response of this mechanism.
    pub fn respond(self, line: &[u8]) -> Result<Progress, Error> {
        if line == b"*" {
            return Err(Error::Cancelled);
        }
        let response = STANDARD.decode(line).map_err(|_| Error::Malformed)?;
        self.decoded(&response)
    }

    fn decoded(self, response: &[u8]) -> Result<Progress, Error> {
        match self.0 {
            Waiting::PlainMessage => plain(response).map(Progress::Done),
            Waiting::LoginUser => {
                let next = Waiting::LoginPassword { user: field(response)? };
                Ok(Progress::Challenge(Self(next), b"Password:"))
            }
            Waiting::LoginPassword { user } => {
                Ok(Progress::Done(Credentials { user, password: field(response)? }))
            }
        }
    }
}

/// RFC 4616 2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`
fn plain(message: &[u8]) -> Result<Credentials, Error> {
    let mut parts = message.split(|byte| *byte == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Error::Malformed);
    };
    let credentials = Credentials { user: field(authcid)?, password: field(password)? };
    if !authzid.is_empty() && authzid != authcid {
        return Err(Error::Proxy);
    }
    Ok(credentials)
}

fn field(bytes: &[u8]) -> Result<String, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Malformed)?;
    if text.is_empty() || text.len() > FIELD_BYTES_MAX || text.contains('\0') {
        return Err(Error::Malformed);
    }
    Ok(text.to_owned())
}

impl Credentials {
    /// For protocols with a login command of their own (IMAP LOGIN).
    #[must_use]
    pub fn new(user: String, password: String) -> Self {
        Self { user, password }
    }

    /// The name to log in with; for us always a full address.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PlainMessage => "PlainMessage",
            Self::LoginUser => "LoginUser",
            Self::LoginPassword { .. } => "LoginPassword",
        })
    }
}

/// A challenge as it goes over the wire.
#[must_use]
pub fn encode(challenge: &[u8]) -> String {
    STANDARD.encode(challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(progress: Result<Progress, Error>) -> (String, String) {
        match progress {
            Ok(Progress::Done(credentials)) => (credentials.user, credentials.password),
            other => panic!("{other:?}"),
        }
    }

    fn initial(bytes: &[u8]) -> Result<Progress, Error> {
        Mechanism::Plain.start(Some(encode(bytes).as_bytes()))
    }

    #[test]
    fn plain_with_and_without_initial_response() {
        // RFC 4616 4
        assert_eq!(done(initial(b"\0tim\0tanstaaftanstaaf")), ("tim".into(), "tanstaaftanstaaf".into()));
        assert_eq!(done(initial(b"tim\0tim\0secret")), ("tim".into(), "secret".into()));
        let Ok(Progress::Challenge(exchange, b"")) = Mechanism::Plain.start(None) else { panic!() };
        assert_eq!(done(exchange.respond(b"AHRpbQBzZWNyZXQ=")), ("tim".into(), "secret".into()));
    }

    #[test]
    fn plain_refuses_what_is_not_its_form() {
        for bad in [&b""[..], b"tim", b"\0tim", b"\0tim\0", b"\0\0pw", b"\0tim\0pw\0", b"\0t\xffm\0pw"] {
            assert_eq!(initial(bad).unwrap_err(), Error::Malformed, "{bad:?}");
        }
        assert_eq!(initial(b"kurt\0tim\0secret").unwrap_err(), Error::Proxy);
        assert_eq!(Mechanism::Plain.start(Some(b"=")).unwrap_err(), Error::Malformed);
        assert_eq!(Mechanism::Plain.start(Some(b"not base64")).unwrap_err(), Error::Malformed);
        let long = format!("\0{}\0pw", "x".repeat(FIELD_BYTES_MAX + 1));
        assert_eq!(initial(long.as_bytes()).unwrap_err(), Error::Malformed);
    }

    #[test]
    fn login_asks_twice_and_can_be_cancelled() {
        let Ok(Progress::Challenge(exchange, b"Username:")) = Mechanism::Login.start(None) else { panic!() };
        let Ok(Progress::Challenge(exchange, b"Password:")) = exchange.respond(b"dGlt") else { panic!() };
        assert_eq!(done(exchange.respond(b"c2VjcmV0")), ("tim".into(), "secret".into()));
        let Ok(Progress::Challenge(exchange, b"Password:")) = Mechanism::Login.start(Some(b"dGlt")) else {
            panic!()
        };
        assert_eq!(exchange.respond(b"*").unwrap_err(), Error::Cancelled);
    }

    #[test]
    fn nothing_prints_a_secret() {
        let credentials = Credentials::new("tim".into(), "secret".into());
        let waiting = Exchange(Waiting::LoginPassword { user: "tim".into() });
        let text = format!("{credentials:?} {waiting:?}");
        assert!(!text.contains("tim") && !text.contains("secret"), "{text}");
    }
}
