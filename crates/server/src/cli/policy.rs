//! `congthu policy …`, `congthu job …` and `congthu search …` as they are written.

use clap::{Args, Subcommand};
use model::DomainName;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show a domain's policy, each field with its article
    Show {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Only where it departs from the regulation
        #[arg(long)]
        departures: bool,
    },
    /// Change fields of a domain's policy: KEY=VALUE …
    Set(SetPolicy),
    /// List the versions of a domain's policy: who made them, when and why
    History {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
    /// Show what differs between two versions of a domain's policy
    Diff {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        from: u32,
        /// [default: the version that holds]
        to: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SetPolicy {
    #[arg(value_parser = DomainName::new)]
    pub(crate) domain: DomainName,
    /// Such as quota.person=500 or life.lock_after=off
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
    /// A decision's number, or a sentence; kept for inspectors
    #[arg(long)]
    pub(crate) reason: String,
    /// Refuse if this is not the version that holds
    #[arg(long, value_name = "VERSION")]
    pub(crate) based_on: Option<u32>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List what runs at its times: last run, result, next run
    List,
    /// Run a job now
    Run { name: String },
    /// Keep a job from running by itself
    Pause { name: String },
    /// Let a job that was paused run by itself again
    Resume { name: String },
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as quota.person=500")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum SearchCommand {
    /// Say how many messages are not indexed yet
    Status,
    /// Index what is not indexed yet
    CatchUp,
    /// Index every message anew; the server may run, and the old index serves meanwhile
    Rebuild,
}
