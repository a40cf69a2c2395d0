//! The front doors through which people read mail: IMAP, one file per command.
//!
//! Invariants: nothing is decided here that `engine` decides; nothing is parsed here that `proto` parses; no other
//! front door is imported.

pub mod imap;
mod listener;

pub use listener::{Exempt, ListenLimits, listen};
