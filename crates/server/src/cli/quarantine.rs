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
    Release {
        id: i64,
        /// What its author writes to that mailbox is wanted from now on, where it is shown to be his
        #[arg(long)]
        allow: bool,
    },
    /// What the sender of a message writes to that mailbox is Junk from now on, where nothing shows that this one is his only what is not
    /// shown to be his, either; the message stays where it is
    Block { id: i64 },
    /// List whose mail a mailbox wants whatever the filter says of it, and whose it does not
    Senders { mailbox: Address },
    /// Take a sender off that list
    Forget { mailbox: Address, sender: Address },
    /// Drop a message; its sender is not told
    Delete { id: i64 },
}
