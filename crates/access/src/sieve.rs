//! ManageSieve (RFC 5804): how people's programs bring, look at and choose the scripts that sort their mail.
//!
//! Invariants: `proto::managesieve` knows the octets, `engine` knows what may be done and what a good script is, this module knows the
//! order of things; [`wire`] alone hears and says something; no password is taken without TLS, by the same rules as at the IMAP door.

mod authenticate;
mod capability;
mod driver;
mod reply;
mod scripts;
mod session;
mod starttls;
mod wire;

pub use driver::{REFUSED, serve};
