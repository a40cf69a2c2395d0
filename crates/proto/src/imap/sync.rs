//! What a client says of its earlier knowledge: the modifiers of CONDSTORE and QRESYNC (RFC 7162), and what else may
//! stand there.
//!
//! Modification sequences are unsigned 63-bit numbers. Clients are allowed a zero where the grammar wants a positive
//! one: "everything since the beginning" is what they mean, and all servers take it so.

use super::results::PartialRange;
use super::sequence::SequenceSet;

/// Parameters of SELECT and EXAMINE (RFC 7162 3.1.8, 3.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SelectParams {
    /// The client wants MODSEQ in every FETCH from now on.
    pub condstore: bool,
    pub qresync: Option<Box<QResync>>,
}

/// What a client knew of a mailbox when it last looked (RFC 7162 3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QResync {
    /// From 1.
    pub uid_validity: u32,
    pub modseq: u64,
    /// Without `*`; nothing means every uid.
    pub known_uids: Option<SequenceSet>,
    pub seq_match: Option<SeqMatch>,
}

/// Some message numbers and the uids they had, pair by pair, both ascending and without `*` (RFC 7162 3.2.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeqMatch {
    pub numbers: SequenceSet,
    pub uids: SequenceSet,
}

/// Modifiers of FETCH (RFC 4466 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchModifiers {
    /// CHANGEDSINCE: only messages with a higher modification sequence (RFC 7162 3.1.4.1).
    pub changed_since: Option<u64>,
    /// VANISHED: also the uids that are gone since; only of UID FETCH, with CHANGEDSINCE (RFC 7162 3.2.6).
    pub vanished: bool,
    /// PARTIAL: only so many of the messages named, before other modifiers; only of UID FETCH (RFC 9394 3.3).
    pub partial: Option<PartialRange>,
}

impl FetchModifiers {
    pub const NONE: Self = Self { changed_since: None, vanished: false, partial: None };
}

/// Which kind of object an identifier names: its first letter, so that none of one kind is ever one of another
/// (RFC 8474 5.2, 8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// MAILBOXID
    Mailbox,
    /// EMAILID
    Email,
    /// THREADID
    Thread,
}

impl ObjectKind {
    #[must_use]
    pub const fn prefix(self) -> char {
        match self {
            Self::Mailbox => 'F',
            Self::Email => 'M',
            Self::Thread => 'T',
        }
    }
}
