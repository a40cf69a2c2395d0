//! What FETCH and SEARCH ask for.

use super::sequence::SequenceSet;
use super::types::Flag;
use jiff::civil::Date;
use std::num::NonZeroU32;

/// `fetch-att`; the macros ALL, FAST and FULL arrive expanded (RFC 3501 6.4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    Envelope,
    Flags,
    InternalDate,
    Rfc822,
    Rfc822Header,
    Rfc822Size,
    Rfc822Text,
    /// `BODY`: the structure without extension data.
    Body,
    BodyStructure,
    Uid,
    Section(BodySection),
    /// RFC 3516 4.2
    Binary(BinarySection),
    /// RFC 3516 4.2: the decoded size of a part; no number is the whole message.
    BinarySize(Vec<u32>),
    /// RFC 7162 3.1.4.2
    ModSeq,
    /// RFC 8474 5.3
    EmailId,
    /// RFC 8474 5.3
    ThreadId,
    /// RFC 8514 4.2
    SaveDate,
    /// RFC 8970 3.1; `lazy` where nothing is better than waiting.
    Preview {
        lazy: bool,
    },
}

/// `BODY[section]<offset.length>`, with `peek` for BODY.PEEK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodySection {
    pub section: Section,
    pub peek: bool,
    pub partial: Option<Partial>,
}

/// `BINARY[part]<offset.length>`, with `peek` for BINARY.PEEK: a part with its transfer encoding undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinarySection {
    /// `section-part`, each number from 1; none is the whole message.
    pub part: Vec<u32>,
    pub peek: bool,
    /// Of the decoded octets.
    pub partial: Option<Partial>,
}

/// What is inside the brackets; no part and no text is the whole message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// `section-part`, each number from 1.
    pub part: Vec<u32>,
    pub text: Option<SectionText>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    Header,
    /// Field names as written.
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    /// Only with a part.
    Mime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Octets from the section's start.
    pub offset: u32,
    /// Octets wanted.
    pub length: NonZeroU32,
}

/// `search-key` (RFC 3501 6.4.4). OR chains and lists are flat: nesting only where the operators alternate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchKey {
    All,
    /// ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, KEYWORD: the message has the flag.
    Has(Flag),
    /// The UN… forms.
    Lacks(Flag),
    New,
    Old,
    Recent,
    Bcc(String),
    Body(String),
    Cc(String),
    From(String),
    Subject(String),
    Text(String),
    To(String),
    /// Field name and text; an empty text asks that the field be there.
    Header(String, String),
    /// By internal date, its time and zone disregarded.
    Internal(DateTest, Date),
    /// By the Date: header, its time and zone disregarded.
    Sent(DateTest, Date),
    /// More octets than.
    Larger(u64),
    /// Fewer octets than.
    Smaller(u64),
    /// By message sequence number.
    Sequence(SequenceSet),
    Uid(SequenceSet),
    /// Changed under this modification sequence or a later one (RFC 7162 3.1.5).
    ModSeq(u64),
    /// Internal date at least so many seconds ago (RFC 5032 2).
    Older(u32),
    /// Internal date at most so many seconds ago.
    Younger(u32),
    /// By the date it was put into the mailbox (RFC 8514 4.3).
    Saved(DateTest, Date),
    /// As written (RFC 8474 6).
    EmailId(String),
    ThreadId(String),
    Not(Box<SearchKey>),
    /// At least two.
    Or(Vec<SearchKey>),
    /// At least two.
    And(Vec<SearchKey>),
    /// In a charset we do not know, so that nothing of it was read; never inside another. Answered with a tagged NO
    /// (RFC 3501 6.4.4), and not before it is run: a search that was to be saved leaves an empty result (RFC 5182 2.1).
    UnknownCharset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateTest {
    /// BEFORE: earlier than the date.
    Before,
    /// ON: within the date.
    On,
    /// SINCE: within the date or later.
    Since,
}
