//! IMAP4rev1 (RFC 3501) with the extensions in `capability`: one file per command, [`table`] lists them.
//!
//! Invariants: `proto::imap` knows the octets, `engine` knows what may be done, this module knows the order of things;
//! [`wire`] alone hears and says something and [`tracker`] alone knows sequence numbers; no password is taken without TLS.

mod acl;
mod append;
mod attributes;
mod authenticate;
mod binary;
mod capability;
mod close;
mod copy;
mod create;
mod deflate;
mod delete;
mod driver;
mod enable;
mod expunge;
mod fetch;
mod fields;
mod flags;
mod heads;
mod id;
mod idle;
mod limits;
mod list;
mod login;
mod lsub;
mod mask;
mod names;
mod namespace;
mod noop;
mod octets;
mod progress;
mod quota;
mod rename;
mod rendered;
mod reply;
mod resync;
mod search;
mod section;
mod select;
mod session;
mod starttls;
mod status;
mod store;
mod subscribe;
mod table;
mod tracker;
mod wire;

pub use driver::{REFUSED, serve};
