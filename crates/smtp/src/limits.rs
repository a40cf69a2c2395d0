//! Every number of the SMTP front door that is not the protocol's own, with its reason.

use model::Network;
use std::time::Duration;

/// Octets read at once: a TLS record's worth.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// A TLS handshake takes a few round trips; whoever needs longer does not mean one.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(60);

/// After our last word the peer's remaining bytes are read and thrown away for this long, else TCP would answer them with
/// a reset that can overtake the reply.
pub(crate) const LINGER_MAX: Duration = Duration::from_secs(2);

/// While the server shuts down: for the next piece of a transaction that is open. A peer that means to end it does so
/// at once, and a silent one must not use up the time that the shutdown has for all.
pub(crate) const DRAIN_IDLE_MAX: Duration = Duration::from_secs(3);

/// While the server shuts down: for a write that the peer does not take.
pub(crate) const DRAIN_WRITE_MAX: Duration = Duration::from_secs(2);

/// Octets of content a second, on the average since it began and after [`Limits::content_idle`]: a fifth of what a modem
/// brings. RFC 5321 4.5.3.2.5 and .6 speak of single blocks only, so that a few octets every nine minutes would hold a place
/// for as long as a transaction may take.
pub(crate) const CONTENT_RATE_MIN: u32 = 1024;

/// Of all connections, in percent, those that strangers may hold on port 25: who fills these leaves room for users.
pub(crate) const MAIL_SHARE_PERCENT: u32 = 60;

/// The same for the submission ports, where anybody can connect as well. The rest is for trusted peers.
pub(crate) const SUBMISSION_SHARE_PERCENT: u32 = 30;

/// What the listeners of one node allow together, and how long a session may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What a session may do: recipients, errors, commands.
    pub session: proto::smtp::Limits,
    /// For a whole command, from the reply before it. RFC 5321 4.5.3.2.7: at least five minutes.
    pub command_idle: Duration,
    /// Between two pieces of a message. RFC 5321 4.5.3.2.5 has clients wait three minutes for a block to be taken; a
    /// province's worst lines get twice the five of a command.
    pub content_idle: Duration,
    /// A write that the peer does not take.
    pub write: Duration,
    /// From MAIL to the end of its content: 70 MB at 20 KB/s. A peer that drips a byte a minute is not waited for.
    pub transaction: Duration,
    /// Without an accepted message, from the greeting or the last one; not while content comes. Twice the longest wait for
    /// a command: a sender that keeps connections open for its next message is not cut off, a peer that only holds one is.
    pub without_message: Duration,
    /// From the connection to the login on the submission ports: a mail program logs in within seconds, over a
    /// province's worst lines within one minute.
    pub login: Duration,
    /// Recipients that are refused as fast as they are asked for, since the last accepted message; a person's address book
    /// has fewer dead entries than that in one message.
    pub refusals_at_once: u32,
    /// Before each further refusal. With the 1,000 of a session that is under seven minutes, so that a long list gone stale
    /// still gets through before [`Limits::without_message`]; a dictionary does not get far.
    pub refusal_pause: Duration,
    /// Waiting for early talkers before the greeting on port 25; zero still catches what has come already.
    pub greeting_pause: Duration,
    /// Connections of one IPv4 address or one IPv6 /64: a busy relay opens 20 to 50.
    pub connections_per_address: u32,
    /// Connections of everybody: at some 40 KB each, 200 MB. Strangers on port 25 get three in five of them, on the submission
    /// ports three in ten.
    pub connections: u32,
    /// Octets of messages that are arriving and not yet in the database: they are on the spool's disk. 64 senders of
    /// 70 MB at once fit in half of it.
    pub bytes_in_flight: u64,
    /// Neither the limits per address nor the check for early talkers apply to these.
    pub exempt: Vec<Network>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session: proto::smtp::Limits::default(),
            command_idle: Duration::from_secs(5 * 60),
            content_idle: Duration::from_secs(10 * 60),
            write: Duration::from_secs(5 * 60),
            transaction: Duration::from_secs(60 * 60),
            without_message: Duration::from_secs(10 * 60),
            login: Duration::from_secs(3 * 60),
            refusals_at_once: 20,
            refusal_pause: Duration::from_millis(400),
            greeting_pause: Duration::ZERO,
            connections_per_address: 100,
            connections: 5_000,
            bytes_in_flight: 8 << 30,
            exempt: Vec::new(),
        }
    }
}
