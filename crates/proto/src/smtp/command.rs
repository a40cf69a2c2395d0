//! The command table: which verb exists where, in which state it may come, and what it does to the session.
//!
//! The table is the only place where that is decided; handlers may rely on it.

use super::exchange::Role;
use super::reply::Reply;
use super::session::{Session, Stage};
use super::{login, message, simple, transaction};

/// One row of the table.
pub(super) struct Command {
    verb: &'static str,
    roles: u8,
    stages: u8,
    flags: u8,
    pub(super) handler: Handler,
}

/// Does the command. An error is answered, and counted.
pub(super) type Handler = fn(&mut Session, &str) -> Result<(), Reply>;

// Roles
const SMTP: u8 = 1;
const SUBMISSION: u8 = 1 << 1;
const LMTP: u8 = 1 << 2;
const EVERYWHERE: u8 = SMTP | SUBMISSION | LMTP;

// Stages
const NEW: u8 = 1;
const READY: u8 = 1 << 1;
const MAIL: u8 = 1 << 2;
const RCPT: u8 = 1 << 3;
const CHUNKS: u8 = 1 << 4;
const ALWAYS: u8 = NEW | READY | MAIL | RCPT | CHUNKS;

// Flags
/// Submission: allowed before TLS is on (RFC 3207 4) and before a login (RFC 4954 6).
pub(super) const OPEN: u8 = 1;
/// The reply goes out at once (RFC 2920 3.2).
pub(super) const ENDS_PIPELINE: u8 = 1 << 1;
/// Brings no mail nearer; counted against [`super::Limits::junk_commands`].
pub(super) const JUNK: u8 = 1 << 2;
/// Takes no argument: anything behind it is 501 (RFC 5321 4.3.2).
pub(super) const BARE: u8 = 1 << 3;
/// Octets follow the command line, whatever it is answered (RFC 3030 2).
pub(super) const OCTETS: u8 = 1 << 4;
/// A login is not needed, TLS is.
pub(super) const ANONYMOUS: u8 = 1 << 5;
/// Another protocol's verb: somebody else speaks here (a browser made to). The connection ends.
pub(super) const FOREIGN: u8 = 1 << 6;

#[rustfmt::skip]
static TABLE: [Command; 19] = [
    row("EHLO", SMTP | SUBMISSION, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::ehlo),
    row("HELO", SMTP | SUBMISSION, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::helo),
    row("LHLO", LMTP, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::ehlo),
    row("MAIL", EVERYWHERE, READY, 0, transaction::mail),
    row("RCPT", EVERYWHERE, MAIL | RCPT, 0, transaction::rcpt),
    row("DATA", EVERYWHERE, RCPT, ENDS_PIPELINE | BARE, message::data),
    row("BDAT", EVERYWHERE, RCPT | CHUNKS, OCTETS, message::bdat),
    row("RSET", EVERYWHERE, ALWAYS, OPEN | JUNK | BARE, transaction::rset),
    row("NOOP", EVERYWHERE, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::noop),
    row("QUIT", EVERYWHERE, ALWAYS, OPEN | ENDS_PIPELINE | BARE, simple::quit),
    row("VRFY", EVERYWHERE, ALWAYS, ENDS_PIPELINE | JUNK, simple::vrfy),
    row("EXPN", EVERYWHERE, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::expn),
    row("HELP", EVERYWHERE, ALWAYS, OPEN | ENDS_PIPELINE | JUNK, simple::help),
    row("STARTTLS", EVERYWHERE, READY, OPEN | ENDS_PIPELINE | JUNK | BARE, login::starttls),
    row("AUTH", SUBMISSION, READY, ENDS_PIPELINE | ANONYMOUS | JUNK, login::auth),
    row("GET", EVERYWHERE, ALWAYS, OPEN | FOREIGN, simple::expn),
    row("POST", EVERYWHERE, ALWAYS, OPEN | FOREIGN, simple::expn),
    row("PUT", EVERYWHERE, ALWAYS, OPEN | FOREIGN, simple::expn),
    row("CONNECT", EVERYWHERE, ALWAYS, OPEN | FOREIGN, simple::expn),
];

const fn row(verb: &'static str, roles: u8, stages: u8, flags: u8, handler: Handler) -> Command {
    Command { verb, roles, stages, flags, handler }
}

/// The row of the verb that begins `line`, and its arguments. Verbs know no case (RFC 5321 2.4).
pub(super) fn find(line: &str, role: Role) -> Option<(&'static Command, &str)> {
    // RFC 5321 4.1.1: trailing white space should be tolerated.
    let line = line.trim_end_matches([' ', '\t']);
    let (verb, args) = line.split_once(' ').unwrap_or((line, ""));
    let role = match role {
        Role::Smtp => SMTP,
        Role::Submission => SUBMISSION,
        Role::Lmtp => LMTP,
    };
    let row = TABLE.iter().find(|row| row.verb.eq_ignore_ascii_case(verb) && row.roles & role != 0)?;
    Some((row, args))
}

impl Command {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// `Err` says what is missing when the command comes out of order (RFC 5321 4.1.4).
    pub(super) fn check_stage(&self, stage: Stage, role: Role) -> Result<(), Reply> {
        let bit = match stage {
            Stage::New => NEW,
            Stage::Ready => READY,
            Stage::Mail { .. } => MAIL,
            Stage::Rcpt => RCPT,
            Stage::Chunks => CHUNKS,
        };
        if self.stages & bit != 0 {
            return Ok(());
        }
        Err(match stage {
            Stage::New if role == Role::Lmtp => bad_sequence("Send LHLO first"),
            Stage::New => bad_sequence("Send EHLO first"),
            Stage::Ready => bad_sequence("Send MAIL first"),
            // RFC 5321 3.3, RFC 2920 3.2 (3)
            Stage::Mail { refused: true } if self.stages & RCPT != 0 => {
                Reply::new(554, (5, 1), "No valid recipients")
            }
            Stage::Mail { .. } if self.stages & RCPT != 0 => bad_sequence("Send RCPT first"),
            // RFC 3030 2: DATA behind BDAT.
            Stage::Chunks if self.stages & RCPT != 0 => bad_sequence("The message is being sent by BDAT"),
            Stage::Mail { .. } | Stage::Rcpt | Stage::Chunks => bad_sequence("A mail transaction is open"),
        })
    }
}

fn bad_sequence(text: &'static str) -> Reply {
    Reply::new(503, (5, 1), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_by_role() {
        let verb = |line, role| find(line, role).map(|(row, args)| (row.verb, args));
        assert_eq!(verb("mail FROM:<a@b> \t ", Role::Smtp), Some(("MAIL", "FROM:<a@b>")));
        assert_eq!(verb("AUTH PLAIN", Role::Smtp), None);
        assert_eq!(verb("AUTH PLAIN", Role::Submission), Some(("AUTH", "PLAIN")));
        assert_eq!(verb("EHLO x", Role::Lmtp), None);
        assert_eq!(verb("LHLO x", Role::Smtp), None);
        assert_eq!(verb("", Role::Smtp), None);
        assert_eq!(verb("NOOPS", Role::Smtp), None);
    }
}
