//! SMTP front door: mail from other servers (port 25), from our users (587, 465) and by LMTP. And the road out: [`out`].
//!
//! `proto::smtp` knows the protocol, `engine` decides and keeps; this crate has the sockets, TLS, time limits and the
//! mapping between the two (`replies.rs`). Invariants: a message is acknowledged only after the engine's durable commit;
//! its octets go to a spool as they come and are never gathered here; no log line has content, addresses or passwords.

mod carriage;
mod conversation;
mod desk;
mod figures;
mod gate;
mod limits;
mod listener;
pub mod out;
mod patience;
mod refusals;
mod replies;
pub mod runner;
mod scrutiny;
mod serve;

pub use gate::Gate;
pub use limits::Limits;
pub use listener::admit;
pub use proto::smtp::Role;
pub use scrutiny::Scrutiny;
pub use serve::{Door, Tls, serve};
