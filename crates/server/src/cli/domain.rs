//! Domains that the installation takes mail for, as the command line names them.

use clap::{Args, Subcommand};
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

/// What a list of all domains is narrowed to: as the lists of one domain take it, or as an option.
#[derive(Debug, Args)]
pub(crate) struct OneDomain {
    /// Of this domain only
    #[arg(value_name = "DOMAIN", value_parser = DomainName::new, conflicts_with = "domain")]
    of: Option<DomainName>,
    /// The same, by an option
    #[arg(long, value_parser = DomainName::new)]
    domain: Option<DomainName>,
}

impl OneDomain {
    pub(crate) fn name(&self) -> Option<&DomainName> {
        self.of.as_ref().or(self.domain.as_ref())
    }
}
