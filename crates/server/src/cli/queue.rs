//! `congthu queue …` as it is written.

use clap::Subcommand;
use engine::QueueState;
use model::Address;

#[derive(Debug, Subcommand)]
pub(crate) enum QueueCommand {
    /// List what waits, those that were accepted first first
    List {
        /// For this destination only
        #[arg(long)]
        domain: Option<String>,
        /// Of this envelope sender only; '' for reports
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
        /// For this recipient only, who has not got it yet
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        #[arg(long, value_parser = state, help = states())]
        state: Option<QueueState>,
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Count what waits for each destination, with what was last said of reaching it
    Destinations,
    /// Show a message: who has not got it yet, and why
    Show { id: String },
    /// Try a message at once, also where the destination rests
    Retry { id: String },
    /// Keep a message back, or all that a mailbox sent; it is neither sent nor given up
    Hold {
        #[arg(required_unless_present = "of")]
        id: Option<String>,
        /// All that this mailbox has in the queue now
        #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
        of: Option<Address>,
    },
    /// Let a message go that was kept back, or all that is kept back of a mailbox
    Release {
        #[arg(required_unless_present = "of")]
        id: Option<String>,
        /// All that this mailbox sent, also what a lock for spam, malware or a stolen password keeps back
        #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
        of: Option<Address>,
    },
    /// Give a message up, or all that a mailbox sent
    #[command(visible_alias = "cancel")]
    Expire {
        #[arg(required_unless_present = "of")]
        id: Option<String>,
        /// All that this mailbox has in the queue now, but for what is being sent at this moment
        #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
        of: Option<Address>,
        /// Its sender is not told
        #[arg(long)]
        quiet: bool,
    },
    /// Send what has not gone yet of a message to another address instead, once a second administrator has said the same; its
    /// sender is told
    Redirect { id: String, to: Address },
}

fn states() -> String {
    let states = QueueState::ALL.map(QueueState::as_str);
    format!("Only what is {}", states.join(", "))
}

fn state(text: &str) -> Result<QueueState, String> {
    QueueState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(states)
}
