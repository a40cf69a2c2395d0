//! The ManageSieve wire (RFC 5804): octets to commands, answers to octets.
//!
//! [`Decoder`] turns what a client sends into [`Event`]s, [`Writer`] turns answers into octets. Invariants: no IO and no clock;
//! nothing here panics or grows past the limits it is given, whatever the octets; what a command means is decided elsewhere.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decoder;
mod parse;
#[cfg(test)]
mod tests;
mod types;
mod writer;

pub use decoder::{Decoder, Event, Limits, Reject};
pub use types::{Code, Command, Response, Status};
pub use writer::Writer;
