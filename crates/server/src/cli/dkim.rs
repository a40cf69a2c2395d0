//! `congthu dkim …`, `congthu dmarc …`

use clap::Subcommand;
use model::DomainName;

#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Make new keys (RSA of 2048 bits, and Ed25519) and print their records; they sign after `rotate`
    Add {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
    /// Show the keys of a domain
    List {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
    /// Sign by the keys that wait; those that signed so far are retired
    Rotate {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        /// Although the domain name system does not show their records (yet)
        #[arg(long)]
        unpublished: bool,
    },
    /// Sign by this key no more; its secret is removed
    Retire {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
        selector: String,
    },
    /// Print all records that are to be published: the keys, and MX, SPF, DMARC, TLSRPT and MTA-STS
    Dns {
        #[arg(value_parser = DomainName::new)]
        domain: DomainName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DmarcCommand {
    /// Show who sends in our domains' names, by the reports of other systems: messages, source, domain in From, DKIM, SPF, what was
    /// done, how many systems tell of it
    Report {
        /// Of this domain only
        #[arg(long, value_parser = DomainName::new)]
        domain: Option<DomainName>,
        /// Reports about the last days, at most 400
        #[arg(long, default_value_t = 7)]
        days: u32,
    },
}
