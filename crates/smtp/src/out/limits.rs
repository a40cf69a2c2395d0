//! Every number of the road out that is not the protocol's own, with its reason.

use proto::smtp::client::Wait;
use std::time::Duration;

/// Octets read at once: replies are short.
pub(super) const READ_BYTES: usize = 4 * 1024;
/// Octets of a message that are gathered before they are written.
pub(super) const WRITE_BYTES: usize = 64 * 1024;
/// Hosts of one domain that are tried (RFC 5321 5.1: at least two).
pub(super) const HOSTS_MAX: usize = 5;
/// Addresses of one host that are tried, both families in turn.
pub(super) const ADDRESSES_MAX: usize = 4;
/// IPv6 that does not work here is not tried first for so long.
pub(super) const SIX_REST: Duration = Duration::from_mins(10);
/// A server that has closed may have said why: so long its last words are listened for.
pub(super) const LAST_WORDS_MAX: Duration = Duration::from_secs(2);
/// Messages on one connection; some servers count, and a fresh one finds a server that came back.
pub(super) const MESSAGES_MAX: u32 = 100;
/// Octets a second that a message's transaction is given besides [`Limits::transaction`]: a province's worst line.
pub(super) const RATE_MIN: u64 = 8 * 1024;

/// Octets of a message that is made into one of 7 bits for servers that take no other: it is held in memory for that, and such
/// servers are few and old.
pub(super) const CONVERTED_BYTES_MAX: u64 = 4 << 20;
/// How many times its size such a message takes: itself, and up to three times that where each octet becomes three.
pub(super) const CONVERSION_TIMES: u64 = 4;
/// Octets that all such messages take at once: any server may say that it is an old one.
pub(super) const CONVERSION_BYTES_MAX: usize = 64 << 20;

/// How long a peer is waited for. The defaults are those of RFC 5321 4.5.3.2.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one address. Within the kernel's own patience of some two minutes.
    pub connect: Duration,
    /// For the greeting: RFC 5321 4.5.3.2.1 says five minutes.
    pub greeting: Duration,
    /// For a reply to a command: five minutes (4.5.3.2.2, 4.5.3.2.3).
    pub command: Duration,
    /// For the reply to DATA: two minutes (4.5.3.2.4).
    pub data: Duration,
    /// For a block that the peer does not take: three minutes (4.5.3.2.5).
    pub write: Duration,
    /// For the word on the content: ten minutes (4.5.3.2.6). Who gives up sooner may send twice.
    pub end: Duration,
    /// A TLS handshake takes a few round trips.
    pub handshake: Duration,
    /// For the answer to QUIT, which changes nothing.
    pub quit: Duration,
    /// From the first connection to the point where messages may be sent, whichever of the hosts takes them: who drips replies
    /// is not waited for.
    pub opening: Duration,
    /// From MAIL to the end, without what [`RATE_MIN`] adds.
    pub transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: Duration::from_mins(5),
            command: Duration::from_mins(5),
            data: Duration::from_mins(2),
            write: Duration::from_mins(3),
            end: Duration::from_mins(10),
            handshake: Duration::from_mins(1),
            quit: Duration::from_secs(10),
            opening: Duration::from_mins(10),
            transaction: Duration::from_mins(30),
        }
    }
}

impl Limits {
    pub(super) fn of(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Greeting => self.greeting,
            Wait::Command => self.command,
            Wait::Data => self.data,
            Wait::Final => self.end,
        }
    }
}
