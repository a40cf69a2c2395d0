//! Domains that the installation takes mail for, as the command line names them.

use clap::Subcommand;
use model::DomainName;

/// Sets of rules a domain can follow.
const PROFILES: [&str; 5] = ["an-giang", "lao-cai", "thai-nguyen", "soc-trang", "binh-dinh-sct"];

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Take mail for a domain
    Add {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Whose regulations the domain follows
        #[arg(long, value_parser = PROFILES)]
        profile: String,
    },
    /// List the domains
    List,
    /// Stop taking mail for a domain that has had no mailbox
    Delete {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
}
