//! The IMAP wire (RFC 3501 and the extensions we announce): octets to commands, answers to octets.
//!
//! Invariants: no IO and no clock; nothing here panics, recurses on input depth or grows past the limits it is
//! given, whatever the octets; what a command means is decided elsewhere.

mod sequence;
mod types;

pub use sequence::{NoSuchMessage, SeqNumber, SeqRange, SequenceSet};
pub use types::{
    AppendMessage, AppendStart, BodySection, Code, Command, DateTest, FetchItem, Flag, List, ListPattern,
    Mailbox, Partial, Request, SearchKey, Secret, Section, SectionText, Status, StatusItem, StoreMode, Tag,
};
