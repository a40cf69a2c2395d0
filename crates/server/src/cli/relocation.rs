//! `congthu move …` as it is written.

use clap::Subcommand;
use model::{Address, DomainName};

#[derive(Debug, Subcommand)]
pub(crate) enum MoveCommand {
    /// Plan the move of every mailbox of a domain to another domain; nothing is changed yet
    Plan {
        #[arg(value_parser = DomainName::new)]
        from: DomainName,
        #[arg(value_parser = DomainName::new)]
        to: DomainName,
        /// A resolution's number, or a sentence; kept for inspectors
        #[arg(long)]
        reason: String,
    },
    /// List the moves
    List,
    /// Show what each mailbox was called and will be
    Show {
        id: i64,
        /// Only those whose new address is somebody's, or was: decide them first
        #[arg(long)]
        undecided: bool,
    },
    /// Decide the new address of one mailbox
    Decide { id: i64, old: Address, new: Address },
    /// Carry out a planned move, or go on with one that was cut off
    Run { id: i64 },
    /// Give every mailbox its old address back, while the time for that lasts
    Undo { id: i64 },
    /// Give up a plan that was not started
    Cancel { id: i64 },
}
