//! Commands on mailboxes that several people use: who may, and who is next.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use model::{Address, DomainName, Right};

#[derive(Debug, Subcommand)]
pub(crate) enum DelegateCommand {
    /// Give somebody rights to a mailbox (ủy quyền), in place of those he has
    Grant(GrantDelegate),
    /// Take back the rights of DELEGATE, or with --all everybody's; sessions end at once
    Revoke {
        mailbox: Address,
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        delegate: Option<Address>,
        /// Everybody's
        #[arg(long)]
        all: bool,
    },
    /// List who has which rights
    List {
        /// To this mailbox
        #[arg(long)]
        mailbox: Option<Address>,
        /// Of this person
        #[arg(long)]
        delegate: Option<Address>,
        /// Of mailboxes of this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// Those that were revoked, too
        #[arg(long)]
        ended: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct GrantDelegate {
    pub(crate) mailbox: Address,
    pub(crate) delegate: Address,
    /// Which, with commas between: read, write, send-as, send-on-behalf, manage
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) rights: Vec<Right>,
    /// Number and date of the paper (văn bản ủy quyền)
    #[arg(long)]
    pub(crate) document: String,
    /// First day [default: now]
    #[arg(long, value_name = "DAY")]
    pub(crate) since: Option<Date>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<Date>,
    /// Of a personal mailbox, where policy allows it: how its owner consented
    #[arg(long)]
    pub(crate) consent: Option<String>,
}
