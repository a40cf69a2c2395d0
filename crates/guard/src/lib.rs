//! Asks the outside and reports evidence; decides nothing: the domain name system, with its proofs, the policies that
//! domains publish for mail to them, what shows where mail of strangers comes from, scanners of content, and authorities that give
//! certificates.

mod acme;
mod auth;
mod certificate_name;
mod dns;
mod https;
mod lists;
mod mta_sts;
mod network;
mod scan;
mod seal;
mod sign;
mod spf;
mod tls_reports;
mod tlsa;
#[cfg(test)]
mod zone;

pub use acme::{
    AcmeAccount, AcmeAuthority, AcmeChallenge, AcmeError, AcmeIssued, AcmeOrder, AcmeProof, AcmeStage,
    acme_challenge_config, acme_csr, acme_issued, new_certificate_key,
};
pub use auth::{Examiner, ReportAddress};
pub use certificate_name::certificate_name;
pub use dns::{DnsError, Exchange, Host, Resolver, ascii_domain};
pub use hickory_resolver::proto::dnssec::TrustAnchors;
pub use https::HttpsError;
pub use lists::{BlockLists, ListTrial};
pub use mta_sts::{Doing, FetchError, Found, Mode, MtaSts, Policy, Shelf, Shelved, Trouble};
pub use network::{is_near, is_public};
pub use scan::{
    Envelope, Learner, LearnerSettings, NoScanAddress, Octets, ScanAddress, ScannerSettings, Scanners, Taught,
};
pub use seal::Chain;
pub use sign::{KeyError, NewKey, Signer, SigningKey, new_ed25519_key, new_rsa_key};
pub use spf::Sender;
pub use tls_reports::{Poster, shown_address};
pub use tlsa::{KeyOf, Tlsa};
