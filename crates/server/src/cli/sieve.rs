//! `congthu sieve …` on the command line.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum SieveCommand {
    /// Say what is wrong with a script, and where
    Check { script: PathBuf },
    /// Say what a script would do to a message; nothing is done
    Run(RunSieve),
}

#[derive(Debug, Args)]
pub(crate) struct RunSieve {
    /// Scripts that it includes are looked for beside it, as NAME.sieve
    pub(crate) script: PathBuf,
    /// A whole message, as it would be stored
    pub(crate) message: PathBuf,
    /// Reverse path of the envelope; empty for reports
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ADDRESS")]
    pub(crate) from: String,
    /// Whom it is delivered to
    #[arg(long, default_value = "", hide_default_value = true, value_name = "ADDRESS")]
    pub(crate) to: String,
    /// Another address of the mailbox
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Vec<String>,
    /// A folder that is there, beside INBOX
    #[arg(long, value_name = "NAME")]
    pub(crate) folder: Vec<String>,
}
