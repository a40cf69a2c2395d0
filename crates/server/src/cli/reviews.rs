//! Commands on reviews of units' mailboxes.

use clap::{Args, Subcommand};
use model::{Address, DomainName};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List the reviews of a domain that are open
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Those that are finished, too
        #[arg(long, conflicts_with = "overdue")]
        all: bool,
        /// Those alone whose day has passed
        #[arg(long)]
        overdue: bool,
    },
    /// Show a review: the unit's mailboxes, or what was said of each
    Show { number: i64 },
    /// Answer a review, in one form: a list, or arguments
    Answer(AnswerReview),
    /// Open a review of a unit's mailboxes before its time
    Open {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Code of the unit
        unit: String,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("form").required(true).multiple(true).args(["file", "all_confirmed", "confirm", "change", "revoke"]))]
pub(crate) struct AnswerReview {
    pub(crate) number: i64,
    /// CSV or XLSX with the columns address, decision (confirm, change, revoke) and remark; - is standard input. It names every
    /// mailbox of the review
    #[arg(conflicts_with_all = ["all_confirmed", "confirm", "change", "revoke"])]
    pub(crate) file: Option<PathBuf>,
    /// Confirm all that were there when the review was opened, but for those that --change and --revoke name
    #[arg(long)]
    pub(crate) all_confirmed: bool,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) confirm: Vec<String>,
    /// A request to change it, with what is to be changed
    #[arg(long, value_name = "ADDRESS=REMARK")]
    pub(crate) change: Vec<String>,
    /// A request to revoke it
    #[arg(long, value_name = "ADDRESS[=REMARK]")]
    pub(crate) revoke: Vec<String>,
    /// The officer in whose name it is answered; he is told of what becomes of the requests
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) by: Option<Address>,
    /// Number and date of the paper
    #[arg(long, default_value = "")]
    pub(crate) document: String,
    /// A remark on the whole
    #[arg(long, default_value = "")]
    pub(crate) note: String,
    /// Say what would come of it, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Read standard input, and call it so in errors
    #[arg(long, hide = true, requires = "file")]
    pub(crate) file_name: Option<PathBuf>,
}
