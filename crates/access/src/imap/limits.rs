//! The limits of an IMAP session, each with its reason.

use std::time::Duration;

/// Silence of a client that has not logged in. Programs log in at once; people do not type IMAP.
pub(crate) const GREETED_PATIENCE: Duration = Duration::from_secs(60);

/// All of a connection's life before it has logged in, so that a trickle of commands does not hold a place.
pub(crate) const LOGIN_WITHIN: Duration = Duration::from_secs(180);

/// TLS handshake: two round trips, on the worst of mobile networks.
pub(crate) const HANDSHAKE_WITHIN: Duration = Duration::from_secs(30);

/// RFC 3501 5.4: an autologout timer is at least 30 minutes. Clients renew IDLE every 29 (RFC 2177).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Without any progress in writing: a client asleep with a full window is dropped, a slow one is not.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Writing `* BYE` to somebody who is being dropped.
pub(crate) const BYE_WITHIN: Duration = Duration::from_secs(5);

/// Refused commands (bad syntax, wrong state) in a row before we hang up: a client that does not speak IMAP.
pub(crate) const BAD_COMMANDS_MAX: u32 = 20;

/// Failed logins of one connection: people mistype three times, programs repeat for ever.
pub(crate) const FAILED_LOGINS_MAX: u32 = 5;

/// Commands before login: CAPABILITY, ID, STARTTLS, AUTHENTICATE and some repetition.
pub(crate) const COMMANDS_BEFORE_LOGIN_MAX: u32 = 50;

/// The write buffer is sent when it holds this much, so it is also about the most it holds.
pub(crate) const OUTPUT_BYTES: usize = 32 << 10;

/// One read from the socket: a TLS record.
pub(crate) const INPUT_BYTES: usize = 16 << 10;

/// Messages whose facts FETCH holds at once: few enough to stay small, many enough to make queries rare.
pub(crate) const FETCH_BATCH: usize = 200;

/// Messages whose text SEARCH holds facts of at once.
pub(crate) const SEARCH_BATCH: usize = 100;

/// Octets of one part's or one header's bytes that SEARCH reads. Attachments are no text; a text part beyond this is
/// searched up to here.
pub(crate) const SEARCH_TEXT_BYTES_MAX: u64 = 4 << 20;

/// Octets of a header that FETCH and SEARCH hold in memory. `deliver` refuses larger ones; APPEND keeps any bytes.
pub(crate) const HEADER_BYTES_MAX: u64 = 4 << 20;

/// Octets of bodies that FETCH asks the database for at once.
pub(crate) const PREFETCH_BYTES: u64 = 4 << 20;

/// Of one item: small mail comes whole, of large mail the beginning, the rest as it is written.
pub(crate) const PREFETCH_EACH_BYTES: u64 = 512 << 10;

/// Silence in the middle of an APPEND message: a mobile client that lost its network does not come back to it.
pub(crate) const APPEND_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Messages that SEARCH compares by the view alone before other tasks have their turn.
pub(crate) const SEARCH_SCAN: usize = 5_000;

/// Different texts of one SEARCH: clients that search in all fields send six.
pub(crate) const SEARCH_TEXTS_MAX: usize = 100;
