//! The limits of a connection that hold at every door of this crate, each with its reason.

use std::time::Duration;

/// Silence of a client that has not logged in. Programs log in at once; people do not type protocols.
pub(crate) const GREETED_PATIENCE: Duration = Duration::from_secs(60);

/// All of a connection's life before it has logged in, so that a trickle of commands does not hold a place.
pub(crate) const LOGIN_WITHIN: Duration = Duration::from_secs(180);

/// TLS handshake: two round trips, on the worst of mobile networks.
pub(crate) const HANDSHAKE_WITHIN: Duration = Duration::from_secs(30);

/// RFC 3501 5.4, RFC 5804 1.2: an autologout timer is at least 30 minutes. IMAP clients renew IDLE every 29 (RFC 2177).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// One write buffer: a client asleep with a full window is dropped, a slow one is not. All of the buffer has to go in
/// this time and that of [`WRITE_RATE_MIN`], for a client that takes an octet now and then holds it as well.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Octets per second that a client takes at least of what is waiting, once the patience is used up: a modem of 1990.
pub(crate) const WRITE_RATE_MIN: u64 = 1 << 10;

/// From the server's stop to the end of writing answers: well inside the 20 seconds a stop takes, the farewell after it.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Writing the goodbye to somebody who is being dropped.
pub(crate) const BYE_WITHIN: Duration = Duration::from_secs(5);

/// Refused commands (bad syntax, wrong state) in a row before we hang up: a client that does not speak the protocol.
pub(crate) const BAD_COMMANDS_MAX: u32 = 20;

/// Failed logins of one connection: people mistype three times, programs repeat for ever.
pub(crate) const FAILED_LOGINS_MAX: u32 = 5;

/// Commands before login: CAPABILITY, ID, STARTTLS, AUTHENTICATE and some repetition.
pub(crate) const COMMANDS_BEFORE_LOGIN_MAX: u32 = 50;

/// The write buffer is sent when it holds this much.
pub(crate) const OUTPUT_BYTES: usize = 32 << 10;

/// One read from the socket: a TLS record.
pub(crate) const INPUT_BYTES: usize = 16 << 10;
