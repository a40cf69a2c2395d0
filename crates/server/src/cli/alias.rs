//! `congthu alias …`

use super::OneDomain;
use clap::Subcommand;
use model::Address;

#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Let mail for ALIAS arrive in MAILBOX
    Add { alias: Address, mailbox: Address },
    /// List the further addresses
    List(OneDomain),
    /// Refuse mail for ALIAS from now on; the address is never given out again
    Delete { alias: Address },
}
