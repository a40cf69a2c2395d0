//! `congthu queue …` as it is written.

use clap::Subcommand;
use model::Address;

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List what waits, those that were accepted first first
    List {
        /// For this destination only
        #[arg(long)]
        domain: Option<String>,
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Count what waits for each destination, with what was last said of reaching it
    Destinations,
    /// Show a message: who has not got it yet, and why
    Show { id: String },
    /// Try a message at once, also where the destination rests
    Retry { id: String },
    /// Keep a message back; it is neither sent nor given up
    Hold { id: String },
    /// Let a message go that was kept back, or all that is kept back of a mailbox
    Release {
        #[arg(required_unless_present = "of")]
        id: Option<String>,
        /// All that this mailbox sent, also what a lock for spam, malware or a stolen password keeps back
        #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
        of: Option<Address>,
    },
    /// Give a message up
    #[command(visible_alias = "cancel")]
    Expire {
        id: String,
        /// Its sender is not told
        #[arg(long)]
        quiet: bool,
    },
    /// Send what has not gone yet of a message to another address instead, once a second administrator has said the same; its
    /// sender is told
    Redirect { id: String, to: Address },
}
