//! A complete command's text to its meaning: one function per ABNF rule, named after it and quoting it.
//!
//! Every function moves a [`Cursor`] forward over the text once, so parsing is linear; nothing recurses.

mod acl;
mod cursor;
mod fetch;
mod list;
mod mailbox;
mod message;
mod results;
mod search;
mod session;
mod sync;

use super::decoder::Reject;
use super::{AppendMessage, AppendStart, Code, Command, Request, Status, Tag};
use cursor::Cursor;

pub(super) use cursor::is_astring_char;
pub use session::{SaslResponse, is_done};

/// Octets of a tag: clients use fewer than ten, and we send it back.
const TAG_BYTES_MAX: usize = 256;

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    status: Status,
    code: Option<Code>,
    text: &'static str,
}

impl Fault {
    fn bad(text: &'static str) -> Self {
        Self { status: Status::Bad, code: None, text }
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF`
///
/// `text` is the command without its last line end.
pub(super) fn request(text: &[u8], utf8: bool) -> std::result::Result<Request, Reject> {
    let reject =
        |fault: Fault| Reject { tag: tag_of(text), status: fault.status, code: fault.code, text: fault.text };
    let mut cursor = Cursor::new(text, utf8);
    let tag = tag(&mut cursor).map_err(reject)?;
    let command = command(&mut cursor).map_err(reject)?;
    Ok(Request { tag, command })
}

/// What a command that ends in a literal's announcement so far is.
pub(super) enum AppendHeader {
    /// An APPEND whose first message is this literal; `wrapped` in `UTF8 (`, a parenthesis is to follow it.
    Message {
        start: AppendStart,
        wrapped: bool,
    },
    Invalid(Reject),
    /// Another command, or an APPEND whose mailbox name is this literal.
    Not,
}

/// `append = "APPEND" SP mailbox 1*append-message` (RFC 3502 6.3.11), up to and with the first announcement.
pub(super) fn append_header(text: &[u8], utf8: bool, bytes: u64, synchronising: bool) -> AppendHeader {
    let mut cursor = Cursor::new(text, utf8);
    let Ok(tag) = tag(&mut cursor) else { return AppendHeader::Not };
    let verb = cursor.sp().and_then(|()| cursor.atom());
    if !verb.is_ok_and(|verb| verb.eq_ignore_ascii_case("APPEND")) {
        return AppendHeader::Not;
    }
    match message::append(cursor, bytes, synchronising) {
        Ok(Some((mailbox, message, wrapped))) => {
            AppendHeader::Message { start: AppendStart { tag, mailbox, message }, wrapped }
        }
        Ok(None) => AppendHeader::Not,
        Err(Fault { status, code, text }) => {
            AppendHeader::Invalid(Reject { tag: Some(tag), status, code, text })
        }
    }
}

/// A further message of the same APPEND: the line behind the one before it, with its announcement; and whether it is
/// wrapped.
pub(super) fn append_next(
    text: &[u8],
    tag: &Tag,
    bytes: u64,
    synchronising: bool,
) -> std::result::Result<(AppendMessage, bool), Reject> {
    message::append_message(&mut Cursor::new(text, false), bytes, synchronising).map_err(|fault| Reject {
        tag: Some(tag.clone()),
        status: fault.status,
        code: fault.code,
        text: fault.text,
    })
}

/// The tag of a command of which the rest may be anything.
pub(super) fn tag_of(text: &[u8]) -> Option<Tag> {
    let mut cursor = Cursor::new(text, false);
    let tag = tag(&mut cursor).ok()?;
    (cursor.is_at_end() || matches!(cursor.peek(), Some(b' ' | b'\r' | b'\n'))).then_some(tag)
}

fn tag(cursor: &mut Cursor<'_>) -> Result<Tag> {
    match cursor.tag()? {
        tag if tag.len() <= TAG_BYTES_MAX => Ok(Tag(tag.to_owned())),
        _ => Err(Fault::bad("Tag too long")),
    }
}

fn command(c: &mut Cursor<'_>) -> Result<Command> {
    c.expect(b' ', "Command expected")?;
    let verb = c.atom().map_err(|_| Fault::bad("Command expected"))?.to_ascii_uppercase();
    let command = match verb.as_str() {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "ID" => session::id(c)?,
        "STARTTLS" => Command::Starttls,
        "AUTHENTICATE" => session::authenticate(c)?,
        "LOGIN" => session::login(c)?,
        "ENABLE" => session::enable(c)?,
        "SELECT" => sync::select(c, false)?,
        "EXAMINE" => sync::select(c, true)?,
        "CREATE" => mailbox::create(c)?,
        "DELETE" => Command::Delete(mailbox::argument(c)?),
        "RENAME" => Command::Rename { from: mailbox::argument(c)?, to: mailbox::argument(c)? },
        "SUBSCRIBE" => Command::Subscribe(mailbox::argument(c)?),
        "UNSUBSCRIBE" => Command::Unsubscribe(mailbox::argument(c)?),
        "LIST" => list::list(c)?,
        "LSUB" => {
            let (reference, pattern) = list::reference_and_pattern(c)?;
            Command::Lsub { reference, pattern }
        }
        "XLIST" => {
            let (reference, pattern) = list::reference_and_pattern(c)?;
            Command::Xlist { reference, pattern }
        }
        "NAMESPACE" => Command::Namespace,
        "STATUS" => mailbox::status(c)?,
        "APPEND" => return Err(message::append_without_message(*c)),
        "IDLE" => Command::Idle,
        "COMPRESS" => {
            c.sp()?;
            Command::Compress(c.word()?)
        }
        "GETQUOTA" => mailbox::get_quota(c)?,
        "GETQUOTAROOT" => Command::GetQuotaRoot(mailbox::argument(c)?),
        "SETQUOTA" => mailbox::set_quota(c)?,
        "GETACL" => Command::GetAcl(mailbox::argument(c)?),
        "SETACL" => acl::set_acl(c)?,
        "DELETEACL" => {
            let (mailbox, identifier) = acl::mailbox_and_identifier(c)?;
            Command::DeleteAcl { mailbox, identifier }
        }
        "LISTRIGHTS" => {
            let (mailbox, identifier) = acl::mailbox_and_identifier(c)?;
            Command::ListRights { mailbox, identifier }
        }
        "MYRIGHTS" => Command::MyRights(mailbox::argument(c)?),
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "EXPUNGE" => Command::Expunge { uids: None },
        "UID" => uid(c)?,
        verb => command_on_messages(c, verb, false)?,
    };
    c.end()?;
    Ok(command)
}

/// `uid = "UID" SP (copy / fetch / search / store)`, with RFC 4315 4 `uid-expunge`, RFC 6851 4 `move`, RFC 5256 5
/// `sort` and `thread`.
fn uid(c: &mut Cursor<'_>) -> Result<Command> {
    c.sp()?;
    match c.word()?.as_str() {
        "EXPUNGE" => {
            c.sp()?;
            Ok(Command::Expunge { uids: Some(message::sequence_set(c)?) })
        }
        verb => command_on_messages(c, verb, true),
    }
}

fn command_on_messages(c: &mut Cursor<'_>, verb: &str, uid: bool) -> Result<Command> {
    match verb {
        "SEARCH" => results::search(c, uid),
        "SORT" => results::sort(c, uid),
        "THREAD" => results::thread(c, uid),
        "FETCH" => fetch::fetch(c, uid),
        "STORE" => message::store(c, uid),
        "COPY" => {
            let (set, mailbox) = message::copy(c)?;
            Ok(Command::Copy { uid, set, mailbox })
        }
        "MOVE" => {
            let (set, mailbox) = message::copy(c)?;
            Ok(Command::Move { uid, set, mailbox })
        }
        _ => Err(Fault::bad("Unknown command")),
    }
}
