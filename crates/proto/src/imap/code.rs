//! Conditions and codes of status responses.

/// The condition of a status response (RFC 3501 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    No,
    Bad,
    Preauth,
    Bye,
}

impl Status {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
            Self::Preauth => "PREAUTH",
            Self::Bye => "BYE",
        }
    }
}

/// `resp-text-code` (RFC 3501 7.1, RFC 5530, and the extensions named).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    Alert,
    BadCharset,
    Capability(Vec<String>),
    Parse,
    /// Flag names; `any` adds `\*`.
    PermanentFlags {
        flags: Vec<String>,
        any: bool,
    },
    ReadOnly,
    ReadWrite,
    TryCreate,
    UidNext(u32),
    UidValidity(u32),
    /// Sequence number of the first unseen message.
    Unseen(u32),
    /// RFC 4315 3: uidvalidity, uids.
    AppendUid(u32, Vec<u32>),
    /// RFC 4315 3: uidvalidity, sources and destinations in matching order.
    CopyUid(u32, Vec<u32>, Vec<u32>),
    /// RFC 4315 3.
    UidNotSticky,
    /// RFC 7889 / RFC 4469.
    TooBig,
    /// RFC 9208 4.3.
    OverQuota,
    /// RFC 6154 3.
    UseAttr,
    /// RFC 5530 3, as those that follow.
    Unavailable,
    AuthenticationFailed,
    AuthorizationFailed,
    Expired,
    PrivacyRequired,
    ContactAdmin,
    NoPerm,
    InUse,
    ExpungeIssued,
    Corruption,
    ServerBug,
    ClientBug,
    Cannot,
    Limit,
    AlreadyExists,
    NonExistent,
    /// RFC 7162 3.1.2.2.
    NoModSeq,
    /// RFC 7162 3.1.2.1.
    HighestModSeq(u64),
    /// RFC 5182 2.5.
    NotSaved,
    /// RFC 7162 3.1.3: message numbers, or uids of a UID STORE, ascending.
    Modified(Vec<u32>),
    /// RFC 8474 4.1, the number of the identifier.
    MailboxId(u64),
    /// RFC 7162 3.2.11: the mailbox was closed by a SELECT.
    Closed,
    /// RFC 4978 3.
    CompressionActive,
    /// RFC 3516 4.3.
    UnknownCte,
    /// RFC 9585 5: the command of this tag is `done` of `goal` steps far, as far as either is known.
    InProgress {
        tag: String,
        done: Option<u64>,
        goal: Option<u64>,
    },
}

impl Code {
    /// The code's atom.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::BadCharset => "BADCHARSET",
            Self::Capability(_) => "CAPABILITY",
            Self::Parse => "PARSE",
            Self::PermanentFlags { .. } => "PERMANENTFLAGS",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unseen(_) => "UNSEEN",
            Self::AppendUid(..) => "APPENDUID",
            Self::CopyUid(..) => "COPYUID",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::TooBig => "TOOBIG",
            Self::OverQuota => "OVERQUOTA",
            Self::UseAttr => "USEATTR",
            Self::Unavailable => "UNAVAILABLE",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Expired => "EXPIRED",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::NoPerm => "NOPERM",
            Self::InUse => "INUSE",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::Corruption => "CORRUPTION",
            Self::ServerBug => "SERVERBUG",
            Self::ClientBug => "CLIENTBUG",
            Self::Cannot => "CANNOT",
            Self::Limit => "LIMIT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::NonExistent => "NONEXISTENT",
            Self::NoModSeq => "NOMODSEQ",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::NotSaved => "NOTSAVED",
            Self::Modified(_) => "MODIFIED",
            Self::MailboxId(_) => "MAILBOXID",
            Self::Closed => "CLOSED",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::InProgress { .. } => "INPROGRESS",
        }
    }
}
