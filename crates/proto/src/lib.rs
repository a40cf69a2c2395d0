//! proto
pub mod imap;

pub mod mime;
