//! What LIST asks for, in its plain and its extended form (RFC 5258).

use super::types::{Mailbox, StatusItem};

/// A LIST or LSUB pattern, decoded; `*` matches anything, `%` anything within one level (RFC 3501 6.3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPattern(pub String);

/// `LIST [selection] reference patterns [RETURN (options)]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The extended form (RFC 5258 3): selection options, patterns in parentheses or return options, also empty ones.
    pub extended: bool,
    pub select: ListSelect,
    pub reference: Mailbox,
    /// At least one; more than one only in the extended form.
    pub patterns: Vec<ListPattern>,
    pub give: ListReturn,
}

/// Selection options: which names are meant, of those that match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListSelect {
    /// Subscribed names, whether there is such a mailbox or not (RFC 5258 3.1).
    pub subscribed: bool,
    /// Remote mailboxes too (RFC 5258 3.1).
    pub remote: bool,
    /// Names, too, below which there is what the other options mean (RFC 5258 3.1); never alone.
    pub recursive_match: bool,
    /// Only mailboxes that have a special use (RFC 6154 5.2).
    pub special_use: bool,
}

/// Return options: what is to be told of each name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReturn {
    /// RFC 5258 3.2.
    pub subscribed: bool,
    /// RFC 5258 4.
    pub children: bool,
    /// We may return the attributes without it (RFC 6154 5.1).
    pub special_use: bool,
    /// RFC 8440 3.
    pub my_rights: bool,
    /// RFC 5819; empty when it was not asked for.
    pub status: Vec<StatusItem>,
}
