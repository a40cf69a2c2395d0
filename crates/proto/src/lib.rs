//! proto
pub mod imap;
