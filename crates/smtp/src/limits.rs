//! Every number of the SMTP front door that is not the protocol's own, with its reason.

use model::Network;
use std::time::Duration;

/// Octets read at once: a TLS record's worth.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// Pause after a failed accept: out of descriptors (EMFILE) the next try fails at once too, and would spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A TLS handshake takes a few round trips; whoever needs longer does not mean one.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(60);

/// After our last word the peer's remaining bytes are read and thrown away for this long, else TCP would answer them with
/// a reset that can overtake the reply.
pub(crate) const LINGER_MAX: Duration = Duration::from_secs(2);

/// What the listeners of one node allow together, and how long a session may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What a session may do: recipients, errors, commands.
    pub session: proto::smtp::Limits,
    /// Between commands. RFC 5321 4.5.3.2.7: at least five minutes.
    pub command_idle: Duration,
    /// Between two pieces of a message. RFC 5321 4.5.3.2.5 has clients wait three minutes for a block to be taken; a
    /// province's worst lines get twice the five of a command.
    pub content_idle: Duration,
    /// A write that the peer does not take.
    pub write: Duration,
    /// From MAIL to the end of its content: 70 MB at 20 KB/s. A peer that drips a byte a minute is not waited for.
    pub transaction: Duration,
    /// Waiting for early talkers before the greeting on port 25; zero still catches what has come already.
    pub greeting_pause: Duration,
    /// Connections of one IPv4 address or one IPv6 /64: a busy relay opens 20 to 50.
    pub connections_per_address: u32,
    /// Connections of everybody: at some 40 KB each, 200 MB.
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
            greeting_pause: Duration::ZERO,
            connections_per_address: 100,
            connections: 5_000,
            bytes_in_flight: 8 << 30,
            exempt: Vec::new(),
        }
    }
}
