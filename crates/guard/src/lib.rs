//! Asks the outside and reports evidence; decides nothing: the domain name system, with its proofs, and the policies that
//! domains publish for mail to them.

mod dns;
mod mta_sts;
mod network;
mod tlsa;

pub use dns::{DnsError, Exchange, Host, Resolver, ascii_domain};
pub use hickory_resolver::proto::dnssec::TrustAnchors;
pub use mta_sts::{Mode, MtaSts, Policy};
pub use network::is_public;
pub use tlsa::{KeyOf, Tlsa};
