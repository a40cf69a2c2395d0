//! The envelope sender, in the spelling it came in.
//!
//! Invariant: the text is a path's mailbox as RFC 5321 writes it, quoted where it must be, without control characters:
//! fit for a header field. It is never folded: a remote host may tell upper case from lower (RFC 5321 2.4), and the tags
//! of VERP, SRS and BATV do.

use model::Address;
use proto::smtp::{Mailbox, quoted};
use std::fmt;

/// Where a message's receipts and bounces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(String);

impl Sender {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Mailbox> for Sender {
    fn from(mailbox: &Mailbox) -> Self {
        Self(mailbox.to_string())
    }
}

impl From<&Address> for Sender {
    fn from(address: &Address) -> Self {
        Self(written(address))
    }
}

/// An address of ours as a path has it, without the brackets.
pub(crate) fn written(address: &Address) -> String {
    format!("{}@{}", quoted(address.local()), address.domain())
}
