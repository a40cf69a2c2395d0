//! `congthu sieve …` on the command line.

use clap::{Args, Subcommand};
use model::{Address, DomainName};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum SieveCommand {
    /// Say what is wrong with a script, and where
    Check { script: PathBuf },
    /// Say what a script would do to a message; nothing is done
    Run(RunSieve),
    #[command(flatten)]
    Kept(KeptCommand),
}

/// What is done to scripts that the installation keeps.
#[derive(Debug, Subcommand)]
pub(crate) enum KeptCommand {
    /// List the scripts of a mailbox, a unit or a domain
    List(Whose),
    /// Print a script
    Show {
        #[command(flatten)]
        whose: Whose,
        name: String,
        /// As it was then; see versions
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
    /// Keep a script, in place of that of the same name; an active one is followed at once
    Put {
        #[command(flatten)]
        whose: Whose,
        name: String,
        /// What it says, - for standard input; looked at before it is kept
        file: PathBuf,
        /// What errors call it
        #[arg(long, hide = true)]
        file_name: Option<PathBuf>,
    },
    /// Have a script followed from now on, in place of the one that was
    Activate {
        #[command(flatten)]
        whose: Whose,
        name: String,
    },
    /// Have no script followed any more; all stay
    Deactivate(Whose),
    /// Delete a script that is not active, with all its versions
    Delete {
        #[command(flatten)]
        whose: Whose,
        name: String,
    },
    /// List the versions of a script that are kept, the newest first
    Versions {
        #[command(flatten)]
        whose: Whose,
        name: String,
    },
}

/// Whose scripts.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// Of this mailbox
    #[arg(long, value_name = "ADDRESS", required_unless_present = "domain", conflicts_with_all = ["domain", "unit"])]
    pub(crate) mailbox: Option<Address>,
    /// Of this domain: followed for all its mailboxes, before all others
    #[arg(long, value_name = "DOMAIN", value_parser = DomainName::new)]
    pub(crate) domain: Option<DomainName>,
    /// Of this organisation of the domain: followed for all its mailboxes and those of organisations below it
    #[arg(long, value_name = "CODE", requires = "domain")]
    pub(crate) unit: Option<String>,
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
