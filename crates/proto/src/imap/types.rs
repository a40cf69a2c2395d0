//! The words of IMAP: what a client can ask and the small types that answers are made of.
//!
//! Everything here is already decoded: mailbox names and patterns out of modified UTF-7, search strings out of
//! their charset, SASL initial responses out of base64. A value that the grammar forbids is not constructed by
//! the parser. `Debug` never shows a password.

use super::acl::{AclMode, AclRights};
use super::list::{List, ListPattern};
use super::query::{FetchItem, SearchKey};
use super::results::{ReturnOptions, SortCriterion, ThreadAlgorithm};
use super::sequence::SequenceSet;
use super::sync::{FetchModifiers, SelectParams};
use jiff::Timestamp;

/// `tag = 1*<any ASTRING-CHAR except "+">` (RFC 3501 9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(pub(super) String);

impl Tag {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A complete command, APPEND excepted (see [`AppendStart`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub tag: Tag,
    pub command: Command,
}

/// What a client asks for. `uid: true` is the command's UID form (RFC 3501 6.4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    // Any state
    Capability,
    Noop,
    Logout,
    /// RFC 2971; empty for `NIL`.
    Id(Vec<(String, Option<String>)>),
    // Not authenticated
    Starttls,
    /// `initial`: the SASL-IR response, decoded; `Some` and empty for `=` (RFC 4959 3).
    Authenticate {
        mechanism: String,
        initial: Option<Secret>,
    },
    Login {
        user: String,
        password: Secret,
    },
    // Authenticated
    /// Capability names in upper case (RFC 5161).
    Enable(Vec<String>),
    /// SELECT, and EXAMINE when `read_only`.
    Select {
        mailbox: Mailbox,
        read_only: bool,
        params: SelectParams,
    },
    /// `special_use`: attributes of CREATE-SPECIAL-USE as written, `\Archive` (RFC 6154 3).
    Create {
        mailbox: Mailbox,
        special_use: Vec<String>,
    },
    Delete(Mailbox),
    Rename {
        from: Mailbox,
        to: Mailbox,
    },
    Subscribe(Mailbox),
    Unsubscribe(Mailbox),
    List(List),
    Lsub {
        reference: Mailbox,
        pattern: ListPattern,
    },
    /// What LIST with SPECIAL-USE was before it was a standard, from Gmail.
    Xlist {
        reference: Mailbox,
        pattern: ListPattern,
    },
    Namespace,
    Status {
        mailbox: Mailbox,
        items: Vec<StatusItem>,
    },
    Idle,
    /// RFC 4978: the mechanism in upper case.
    Compress(String),
    GetQuota(String),
    GetQuotaRoot(Mailbox),
    /// Resource names in upper case with their limits (RFC 9208 4.1.3).
    SetQuota {
        root: String,
        limits: Vec<(String, u64)>,
    },
    GetAcl(Mailbox),
    /// The identifier is not prepared (RFC 4314 3).
    SetAcl {
        mailbox: Mailbox,
        identifier: String,
        mode: AclMode,
        rights: AclRights,
    },
    DeleteAcl {
        mailbox: Mailbox,
        identifier: String,
    },
    ListRights {
        mailbox: Mailbox,
        identifier: String,
    },
    MyRights(Mailbox),
    // Selected
    Check,
    Close,
    Unselect,
    /// `uids` is there for UID EXPUNGE (RFC 4315 2.1).
    Expunge {
        uids: Option<SequenceSet>,
    },
    /// With `options` the result comes as ESEARCH (RFC 4731).
    Search {
        uid: bool,
        options: Option<ReturnOptions>,
        key: SearchKey,
    },
    /// RFC 5256 3; with `options` the result comes as ESEARCH (RFC 5267 3).
    Sort {
        uid: bool,
        options: Option<ReturnOptions>,
        criteria: Vec<SortCriterion>,
        key: SearchKey,
    },
    /// RFC 5256 3
    Thread {
        uid: bool,
        algorithm: ThreadAlgorithm,
        key: SearchKey,
    },
    Fetch {
        uid: bool,
        set: SequenceSet,
        items: Vec<FetchItem>,
        modifiers: FetchModifiers,
    },
    Store {
        uid: bool,
        set: SequenceSet,
        mode: StoreMode,
        silent: bool,
        flags: Vec<Flag>,
        /// Leave messages alone that changed later (RFC 7162 3.1.3).
        unchanged_since: Option<u64>,
    },
    Copy {
        uid: bool,
        set: SequenceSet,
        mailbox: Mailbox,
    },
    Move {
        uid: bool,
        set: SequenceSet,
        mailbox: Mailbox,
    },
}

impl Command {
    /// The verb, for logs and for the text of the tagged reply; the UID forms begin with `UID `.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::Starttls => "STARTTLS",
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Login { .. } => "LOGIN",
            Self::Enable(_) => "ENABLE",
            Self::Select { read_only: false, .. } => "SELECT",
            Self::Select { read_only: true, .. } => "EXAMINE",
            Self::Create { .. } => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename { .. } => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub { .. } => "LSUB",
            Self::Xlist { .. } => "XLIST",
            Self::Namespace => "NAMESPACE",
            Self::Status { .. } => "STATUS",
            Self::Idle => "IDLE",
            Self::Compress(_) => "COMPRESS",
            Self::GetQuota(_) => "GETQUOTA",
            Self::GetQuotaRoot(_) => "GETQUOTAROOT",
            Self::SetQuota { .. } => "SETQUOTA",
            Self::GetAcl(_) => "GETACL",
            Self::SetAcl { .. } => "SETACL",
            Self::DeleteAcl { .. } => "DELETEACL",
            Self::ListRights { .. } => "LISTRIGHTS",
            Self::MyRights(_) => "MYRIGHTS",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge { uids: None } => "EXPUNGE",
            Self::Expunge { uids: Some(_) } => "UID EXPUNGE",
            Self::Search { uid: false, .. } => "SEARCH",
            Self::Search { uid: true, .. } => "UID SEARCH",
            Self::Sort { uid: false, .. } => "SORT",
            Self::Sort { uid: true, .. } => "UID SORT",
            Self::Thread { uid: false, .. } => "THREAD",
            Self::Thread { uid: true, .. } => "UID THREAD",
            Self::Fetch { uid: false, .. } => "FETCH",
            Self::Fetch { uid: true, .. } => "UID FETCH",
            Self::Store { uid: false, .. } => "STORE",
            Self::Store { uid: true, .. } => "UID STORE",
            Self::Copy { uid: false, .. } => "COPY",
            Self::Copy { uid: true, .. } => "UID COPY",
            Self::Move { uid: false, .. } => "MOVE",
            Self::Move { uid: true, .. } => "UID MOVE",
        }
    }
}

/// APPEND up to its message literal, whose bytes follow as events of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendStart {
    pub tag: Tag,
    pub mailbox: Mailbox,
    pub message: AppendMessage,
}

/// One message of an APPEND: its attributes and its announced size. Whether it came as a literal8 (RFC 3516 4.4) or in
/// `UTF8 (…)` (RFC 6855 4) makes no difference: the octets are what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendMessage {
    pub flags: Vec<Flag>,
    pub internal_date: Option<Timestamp>,
    /// Octets of the message.
    pub bytes: u64,
    /// The client waits for a continuation before it sends the message.
    pub synchronising: bool,
}

/// Bytes that must not reach a log: a password, a SASL response.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl Secret {
    /// `None` when it is not UTF-8, so that it can be nobody's password.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A mailbox name as the client means it, decoded; not yet checked for what we allow as a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox(pub String);

impl Mailbox {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 3501 5.1: INBOX in any case.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.eq_ignore_ascii_case("INBOX")
    }
}

/// `status-att` (RFC 3501 9), with those of RFC 9208 4.1.4 and the extensions named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    /// Messages marked `\Deleted`.
    Deleted,
    /// Octets that expunging the messages marked `\Deleted` would free.
    DeletedStorage,
    /// Octets of all messages (RFC 8438).
    Size,
    /// Octets of the largest message APPEND takes (RFC 7889 3.1).
    AppendLimit,
    HighestModSeq,
    /// Its value is the number of an identifier.
    MailboxId,
}

impl StatusItem {
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::DeletedStorage,
        Self::Size,
        Self::AppendLimit,
        Self::HighestModSeq,
        Self::MailboxId,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
            Self::Size => "SIZE",
            Self::AppendLimit => "APPENDLIMIT",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::MailboxId => "MAILBOXID",
        }
    }
}

/// A flag as a client writes it. `\Recent` can be written but not stored (RFC 3501 2.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    Answered,
    Flagged,
    Deleted,
    Seen,
    Draft,
    Recent,
    /// An atom, as written.
    Keyword(String),
    /// `\` and an atom, as written; none is defined for storing.
    Extension(String),
}

impl Flag {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
            Self::Recent => "\\Recent",
            Self::Keyword(name) | Self::Extension(name) => name,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}
