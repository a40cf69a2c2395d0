//! Commands on requests of organisations.

use clap::{Args, Subcommand};
use model::{Address, DomainName, RequestKind, RequestState};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Record a request (đề nghị)
    Add(AddRequest),
    /// List the requests of a domain that are open
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Those that are settled, too
        #[arg(long)]
        all: bool,
        /// Those alone whose day has passed
        #[arg(long)]
        overdue: bool,
    },
    /// Show a request with all that was done about it
    Show { number: i64 },
    /// Attach a (signed) document
    Attach {
        number: i64,
        /// - is standard input, which needs --file-name
        file: PathBuf,
        /// Such as application/pdf
        #[arg(long, default_value = "application/octet-stream")]
        media_type: String,
        /// Read standard input, and call the document so
        #[arg(long, value_name = "NAME", required_if_eq("file", "-"))]
        file_name: Option<PathBuf>,
    },
    /// Say who is to see to it
    Assign { number: i64, assignee: String },
    /// Decide: accepted, done or refused
    Decide {
        number: i64,
        state: RequestState,
        /// Told to the mailbox that asked (`request add --by ADDRESS`) and to the watchers; a refusal needs it
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take it back, for whoever asked
    Withdraw {
        number: i64,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddRequest {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// create, change, revoke, restore, transfer, rename or dissolve
    #[arg(long)]
    pub(crate) kind: RequestKind,
    /// In one line
    #[arg(long)]
    pub(crate) subject: String,
    /// Code of the unit that asks
    #[arg(long, value_name = "CODE", required_unless_present = "mailbox")]
    pub(crate) unit: Option<String>,
    /// The mailbox it is about
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mailbox: Option<Address>,
    /// All of it
    #[arg(long, default_value = "")]
    pub(crate) detail: String,
    /// Number and date of the paper
    #[arg(long, default_value = "")]
    pub(crate) document: String,
    /// Who asks: an address of ours, which is told what becomes of it, or only a name [default: whoever runs the command]
    #[arg(long, value_name = "ADDRESS|NAME")]
    pub(crate) by: Option<String>,
    /// Who is told besides, with commas between
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS")]
    pub(crate) watchers: Vec<Address>,
}
