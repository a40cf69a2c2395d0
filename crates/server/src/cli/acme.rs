//! `congthu acme …`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum AcmeCommand {
    /// Show the certificates that are ordered by themselves: names, until when they are good, what is next, what went wrong
    Status,
    /// Order a new certificate now, although the one in use is good
    Renew {
        /// As `status` calls it: main, or a domain [default: all]
        certificate: Option<String>,
    },
}
