//! The front doors through which people read mail: IMAP, one file per command.
//!
//! Invariants: nothing is decided here that `engine` decides; nothing is parsed here that `proto` parses; no other
//! front door is imported.

// The tests inside and those beside the crate share a world, which names the crate.
#[cfg(test)]
extern crate self as access;

mod figures;
pub mod imap;
mod limits;
mod listener;
mod service;
mod socket;

pub use listener::{Exempt, ListenLimits, Places, admit};
pub use service::{Security, Service};
