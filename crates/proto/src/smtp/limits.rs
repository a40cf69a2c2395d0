//! Every number that bounds an SMTP session, with its reason.

/// Octets of a command line with its CRLF. RFC 5321 4.5.3.1.4 asks for 512 and each extension adds to it
/// (SIZE 26, SMTPUTF8 and BODY 28, AUTH 500); a 256 octet path with a source route fits as well.
pub const COMMAND_LINE_BYTES_MAX: usize = 2_048;

/// Octets of a line that carries SASL data (RFC 4954 4 asks for 12,288).
pub const AUTH_LINE_BYTES_MAX: usize = 12_288;

/// Octets of one line of a message. RFC 5321 4.5.3.1.6 says 1,000, but real mail (newsletters in HTML, reports by
/// scripts) has far longer ones; beyond this it is no text that a client could show.
pub const TEXT_LINE_BYTES_MAX: u64 = 1 << 20;

/// Octets of one line of a reply with its CRLF (RFC 5321 4.5.3.1.5).
pub const REPLY_LINE_BYTES_MAX: usize = 512;

/// Octets of a recipient's local part (RFC 5321 4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// Octets of a domain (RFC 5321 4.5.3.1.2).
pub const DOMAIN_BYTES_MAX: usize = 255;

/// Octets of a path with its brackets (RFC 5321 4.5.3.1.3).
pub const PATH_BYTES_MAX: usize = 256;

/// Octets of unsent replies after which the driver is told to write before more commands are read, so that a
/// client that never reads cannot make us buffer.
pub const OUTPUT_BYTES_HIGH: usize = 16 * 1_024;

/// What one session may do before it is sent away. Counts, so tests can lower them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Recipients of one message, advertised as RCPTMAX (RFC 9422). RFC 5321 4.5.3.1.8 asks for 100 at least; 1,000
    /// is what one delivery transaction is measured for.
    pub recipients: u32,
    /// Refused recipients since the last accepted message: a list gone stale must still reach the others, a dictionary
    /// must not be tried through, however it is spread over transactions.
    pub refused_recipients: u32,
    /// The same while not one recipient has been accepted: that is no list gone stale.
    pub refused_recipients_alone: u32,
    /// Commands that bring no mail nearer (NOOP, RSET, EHLO, VRFY …) between two messages. Clients that keep a
    /// connection open send a handful.
    pub junk_commands: u32,
    /// Commands refused since the last accepted message. A person at a keyboard errs less, a broken client loops.
    pub errors: u32,
    /// Failed logins on one connection; guessing further costs a new connection.
    pub login_failures: u32,
    /// Messages on one connection: bounds what hangs on a single session, and no sender minds reconnecting.
    pub messages: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            recipients: 1_000,
            refused_recipients: 1_000,
            refused_recipients_alone: 100,
            junk_commands: 100,
            errors: 20,
            login_failures: 3,
            messages: 10_000,
        }
    }
}
