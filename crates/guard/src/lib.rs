//! Asks the outside and reports evidence; decides nothing. So far: the domain name system.

mod dns;

pub use dns::{DnsError, Exchange, Resolver};
