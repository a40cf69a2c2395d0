//! Commands on the handling of mail in organisations' mailboxes.

use super::times::day;
use clap::{Args, Subcommand};
use jiff::civil::Date;
use model::{Address, FolderName, INBOX};

#[derive(Debug, Subcommand)]
pub(crate) enum HandlingCommand {
    /// List the mails of a mailbox with their states and due dates
    List {
        mailbox: Address,
        /// Those alone whose day has passed; needs no --by
        #[arg(long)]
        overdue: bool,
        /// Who looks: somebody with the right to read the mailbox, or the mailbox itself
        #[arg(long, value_name = "ADDRESS", required_unless_present = "overdue")]
        by: Option<Address>,
    },
    /// Say that the head was told of it (báo cáo lãnh đạo)
    Report(Handled),
    /// Give it to somebody (giao xử lý)
    Assign {
        #[command(flatten)]
        handled: Handled,
        /// To whom: somebody with the right to read the mailbox
        #[arg(long, value_name = "ADDRESS")]
        to: Address,
        /// Until when [default: handling.answer_days of the policy]
        #[arg(long, value_name = "DATE", value_parser = day)]
        due: Option<Date>,
    },
    /// Say that it was answered
    Answer(Handled),
    /// Say that there is nothing more to do
    Close(Handled),
}

#[derive(Debug, Args)]
pub(crate) struct Handled {
    pub(crate) mailbox: Address,
    /// Number of the mail in its folder, as `handling list` says it
    pub(crate) uid: u32,
    #[arg(long, default_value = INBOX, value_parser = FolderName::new)]
    pub(crate) folder: FolderName,
    /// Who does it: he needs the right to, and it is kept as his
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) by: Address,
}
