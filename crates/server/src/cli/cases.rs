//! Commands on cases of the support address.

use clap::{Args, Subcommand};
use model::{Address, DomainName, RequestKind};

#[derive(Debug, Subcommand)]
pub(crate) enum CaseCommand {
    /// List the cases of a domain that are not closed
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Those that are closed, too
        #[arg(long)]
        all: bool,
    },
    /// Show a case with where its mails lie and all that was done about it
    Show { number: i64 },
    /// Say who is to see to it
    Assign { number: i64, assignee: String },
    /// Answer by mail from the support address
    Reply {
        number: i64,
        /// The answer, or - for standard input
        text: String,
    },
    /// Close it, until whoever asked writes again
    Close {
        number: i64,
        /// Kept with it; nobody is told
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Make a request (đề nghị) of it
    TurnIntoRequest(TurnIntoRequest),
}

#[derive(Debug, Args)]
pub(crate) struct TurnIntoRequest {
    pub(crate) number: i64,
    /// create, change, revoke, restore, transfer, rename or dissolve
    #[arg(long)]
    pub(crate) kind: RequestKind,
    /// Code of the unit that asks [default: the sender's]
    #[arg(long, value_name = "CODE")]
    pub(crate) unit: Option<String>,
    /// The mailbox it is about [default: the sender's]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mailbox: Option<Address>,
    /// Number and date of the paper
    #[arg(long, default_value = "")]
    pub(crate) document: String,
}
