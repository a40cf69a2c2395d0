//! The front doors of people's mail programs: IMAP, by which they read mail, one file per command; ManageSieve, by which they say
//! how it is sorted.
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
pub mod sieve;
mod socket;

pub use listener::{Exempt, ListenLimits, Places, admit};
pub use service::{Security, Service};
