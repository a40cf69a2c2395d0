//! Reports of TLS (TLSRPT, RFC 8460): what this system has seen of TLS when it brought mail to others is counted and told to those of
//! them who ask for it.
//!
//! Invariants: counting costs whoever sends mail nothing but a moment's lock in memory; what is counted is statistics, and a node that
//! dies loses that of its last half minute; a stranger decides neither how much memory it takes nor how many rows; what brings a report
//! is not counted, so that no report is about another.

mod gathered;
mod sending;

pub(crate) use gathered::Gathered;
