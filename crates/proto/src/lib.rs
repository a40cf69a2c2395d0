//! proto
pub mod dmarc;
pub mod imap;
pub mod managesieve;

pub mod mime;
pub mod proxy;
pub mod sasl;
pub mod search;
pub mod sieve;
pub mod smtp;
pub mod tlsrpt;
pub mod vcard;
