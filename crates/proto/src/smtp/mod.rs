//! SMTP as a server: port 25, submission (RFC 6409) and LMTP (RFC 2033), without any IO; as a client: [`client`].
//!
//! A [`Session`] is given bytes and answers, and gives back bytes and [`Step`]s; the driver in the `smtp` crate does
//! what the steps ask. One table (`command.rs`) says which command is allowed where; one file per group of
//! commands handles them. Invariants: a message ends at CRLF.CRLF or by BDAT's count only (`content.rs`); how the
//! input is cut into pieces never changes what is answered; nothing that a client sends grows a buffer without bound.

pub mod client;
mod command;
mod content;
mod exchange;
mod limits;
mod line;
mod login;
mod message;
mod params;
mod path;
mod reply;
mod session;
mod simple;
mod transaction;

pub use exchange::{Answer, Closing, Manner, Phase, Request, Role, Settings, Step};
pub use limits::{
    AUTH_LINE_BYTES_MAX, COMMAND_LINE_BYTES_MAX, DOMAIN_BYTES_MAX, LOCAL_PART_BYTES_MAX, Limits,
    OUTPUT_BYTES_HIGH, PATH_BYTES_MAX, REPLY_LINE_BYTES_MAX, TEXT_LINE_BYTES_MAX,
};
pub use params::{FutureRelease, Hold, Mail, Notify, Rcpt, Ret, xtext};
pub use path::{Domain, Mailbox, PathError, Recipient, forward_path, quoted, reverse_path};
pub use reply::Reply;
pub use session::Session;
