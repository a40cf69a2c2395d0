//! What a session and its driver say to each other.

use super::limits::Limits;
use super::params::{FutureRelease, Mail, Rcpt};
use super::reply::Reply;
use crate::sasl::Credentials;

/// What the listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Port 25: mail from other servers. No logins.
    Smtp,
    /// Ports 587 and 465: mail from our users (RFC 6409). Needs TLS and a login.
    Submission,
    /// RFC 2033, from trusted neighbours.
    Lmtp,
}

/// What a session must know about its listener.
#[derive(Clone, Debug)]
pub struct Settings {
    pub role: Role,
    /// Our name in the greeting.
    pub hostname: String,
    /// Octets of the largest message, advertised as SIZE.
    pub message_bytes_max: u64,
    /// STARTTLS can be offered.
    pub starttls: bool,
    /// How far ahead mail may be sent; for submission.
    pub future_release: Option<FutureRelease>,
    pub limits: Limits,
}

/// What the driver has to do next.
#[derive(Debug)]
pub enum Step<'a> {
    /// Write the output, read more input.
    Read,
    /// Write the output before going on: the client waits for it, or it has grown long.
    Flush,
    /// Decide, then call [`super::Session::answer`].
    Ask(Request),
    /// Octets of the message that [`Request::Open`] was answered for.
    Content(&'a [u8]),
    /// The transaction is over: forget sender, recipients and content.
    Reset,
    /// Write the output, do the TLS handshake, then call [`super::Session::tls_started`].
    StartTls,
    /// Write the output and close.
    Close,
}

/// A decision that is not the protocol's.
#[derive(Debug)]
pub enum Request {
    /// Answer `Accept` when the password is right.
    LogIn(Credentials),
    /// A transaction begins.
    Mail(Mail),
    /// Remember it when it is accepted.
    Recipient(Rcpt),
    /// Content is about to come.
    Open,
    /// The content is complete. Answer [`Answer::Delivered`].
    Deliver(Manner),
}

/// How a message came, for the Received field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// RFC 3848 and RFC 6531 4.3 keyword.
    pub with: &'static str,
    /// The name the client gave itself.
    pub helo: String,
}

/// The driver's decision.
#[derive(Debug)]
pub enum Answer {
    Accept,
    /// A reply with code 421 closes the connection behind it.
    Refuse(Reply),
    /// To `Deliver`: one reply; for LMTP one per accepted recipient, in their order (RFC 2033 4.2).
    Delivered(Vec<Reply>),
}

/// What the session waits for; each has its own time limit (RFC 5321 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Command,
    Content,
}

/// Why the server ends a session of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    Idle,
    TooLong,
    ShuttingDown,
    /// The user's rights have ended.
    Revoked,
}
