//! The IMAP wire (RFC 3501 and the extensions we announce): octets to commands, answers to octets.
//!
//! [`Decoder`] turns what a client sends into [`Event`]s, [`Writer`] turns answers into octets, `types` are the
//! words both use. Invariants: no IO and no clock; nothing here panics, recurses on input depth or grows past the
//! limits it is given, whatever the octets; what a command means is decided elsewhere.

mod acl;
mod arrange;
mod code;
mod date;
mod decoder;
mod limits;
mod line;
mod list;
mod parse;
mod pattern;
mod query;
mod results;
mod sequence;
mod sync;
#[cfg(test)]
mod tests;
mod types;
mod utf7;
mod write;

pub use acl::{AclMode, AclRights};
pub use arrange::{BaseSubject, Threadable, base_subject, casemap, message_ids, ordered_subject, references};
pub use code::{Code, Status};
pub use decoder::{Decoder, Event, Reject};
pub use limits::Limits;
pub use list::{List, ListPattern, ListReturn, ListSelect};
pub use parse::{SaslResponse, is_done};
pub use query::{BinarySection, BodySection, DateTest, FetchItem, Partial, SearchKey, Section, SectionText};
pub use results::{PartialRange, ReturnOptions, SortCriterion, SortKey, ThreadAlgorithm, ThreadToken};
pub use sequence::{NoSuchMessage, SeqNumber, SeqRange, SequenceSet};
pub use sync::{FetchModifiers, ObjectKind, QResync, SelectParams, SeqMatch};
pub use types::{
    AppendMessage, AppendStart, Command, Flag, Mailbox, Request, Secret, StatusItem, StoreMode, Tag,
};
pub use utf7::{decode as decode_utf7, encode as encode_utf7};
pub use write::{ListKind, StatusLine, Writer};
