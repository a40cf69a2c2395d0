//! The road out: from a domain to its servers, over TLS as its policy wants it, and a message handed over there.
//!
//! `proto::smtp::client` knows the dialogue, `guard` asks for names and policies, the queue decides what goes when; this
//! module has routes, sockets, TLS and time limits. Invariants: every recipient of an attempt gets exactly one outcome; what
//! a stranger publishes never leads into our own networks; where a policy wants TLS, not an octet of a message leaves
//! without it; no peer, however slow or talkative, holds a connection longer than [`Limits`] say.

mod agent;
mod carrier;
mod demand;
mod dial;
mod envelope;
mod limits;
mod route;
mod seen;
mod talk;
mod verify;

pub use agent::Connection;
pub use carrier::Carrier;
pub use demand::Demand;
pub use envelope::{Attempt, Envelope, NoWay, Octets, OctetsError, OutRecipient};
pub use limits::Limits;
pub use route::{Relay, Route, Settings};
pub use seen::Watcher;

#[cfg(test)]
mod tests;
