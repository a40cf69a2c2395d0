//! SMTP as a client, without any IO: the dialogue in which a message is handed to the next server.
//!
//! The driver loop is: call [`Client::step`] with what was read; do what the step says, writing [`Client::take_output`]
//! first. Invariants: a reply answers the oldest command that has none, however commands were sent together; every
//! recipient of a message gets exactly one [`Verdict`]; nothing that was said before TLS is believed behind it; what a server
//! says costs at most [`REPLY_LINE_OCTETS_MAX`] × [`REPLY_LINES_MAX`] octets.

mod dialogue;
mod encoder;
mod message;
mod offers;
mod replies;
mod transaction;

pub use dialogue::{Broken, Client, Step, Wait};
pub use message::{Message, Recipient, Return};
pub use offers::Offers;
pub use replies::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX, Said};
pub use transaction::{Unsuited, Verdict};

#[cfg(test)]
mod tests;
