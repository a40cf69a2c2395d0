//! Aggregate reports of DMARC (RFC 7489 7.2): what came in the names of others is counted and told to them, and what others tell of
//! mail in our names is read.
//!
//! Invariants: counting costs whoever brings mail nothing but a moment's lock in memory; what is counted is statistics, and a node
//! that dies loses that of its last half minute; a stranger decides neither how much memory it takes nor how many rows.

mod gathered;
mod reading;
mod sending;
mod shown;

pub(crate) use gathered::Gathered;
pub use shown::DmarcSummary;
