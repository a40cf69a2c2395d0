//! `congthu quarantine …` as it is written.

use clap::Subcommand;
use model::{Address, DomainName};

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List what is kept apart, the oldest first
    List {
        /// For mailboxes of this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// For this mailbox only
        #[arg(long, value_name = "ADDRESS")]
        mailbox: Option<Address>,
    },
    /// Show a message: who wrote it, what was found, and when it is dropped
    Show { id: i64 },
    /// Let a message go to whom it was for
    Release { id: i64 },
    /// Drop a message; its sender is not told
    Delete { id: i64 },
}
