//! Aggregate reports of DMARC (RFC 7489 7.2 and appendix C; RFC 9990, which has the same elements): their words, written and read.
//!
//! Invariants: what is read is bounded in octets, depth, rows and length of every text, whatever it was packed as; a document type
//! definition is refused and no entity but those of XML itself is known, so nothing can be expanded; unknown elements are passed over.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod archive;
mod read;
#[cfg(test)]
mod tests;
mod unpack;
mod write;

use std::net::IpAddr;

pub use read::read;
pub use unpack::{UNPACKED_BYTES_MAX, pack, unpack, unpacked_bytes_max};

/// Octets of a text that is kept; what is longer is cut.
pub const TEXT_BYTES_MAX: usize = 300;

/// What one system tells of a day's mail in a domain's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Who tells it.
    pub org: String,
    pub email: String,
    /// Its own number of it.
    pub id: String,
    /// Seconds since 1970, both within.
    pub begin: i64,
    pub end: i64,
    /// Where the record stands.
    pub domain: String,
    pub strict_dkim: bool,
    pub strict_spf: bool,
    /// `none`, `quarantine`, `reject`.
    pub policy: String,
    pub below: Option<String>,
    pub rows: Vec<Row>,
}

/// Messages that were alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub source: IpAddr,
    pub messages: u64,
    pub disposition: Disposition,
    /// A signature, or SPF, passed and is of the domain.
    pub dkim_aligned: bool,
    pub spf_aligned: bool,
    /// Why less or more was done than the domain asked for: `local_policy` and the like.
    pub reasons: Vec<String>,
    pub header_from: String,
    /// Empty: the null reverse-path, or not told.
    pub envelope_from: String,
    pub dkim: Vec<DkimResult>,
    pub spf: Option<SpfResult>,
}

/// What was done with messages by DMARC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    #[default]
    None,
    Quarantine,
    Reject,
}

/// What came of a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DkimResult {
    pub domain: String,
    pub selector: String,
    pub result: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfResult {
    pub domain: String,
    /// Of the greeting (`helo`), not of the reverse-path.
    pub of_helo: bool,
    pub result: String,
}

/// Why there is no report in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is neither XML nor gzip nor zip")]
    Kind,
    #[error("it is damaged")]
    Packing,
    #[error("it is larger than it may be when unpacked")]
    TooLarge,
    #[error("it is no XML that is read here: {0}")]
    Xml(&'static str),
    #[error("it has no {0}")]
    Missing(&'static str),
}

impl Disposition {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// What is no word of it is `none`, as RFC 9990's `pass` is.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "quarantine" => Self::Quarantine,
            "reject" => Self::Reject,
            _ => Self::None,
        }
    }
}

impl Report {
    /// `receiver!domain!begin!end.xml.gz` (RFC 7489 7.2.1.1).
    #[must_use]
    pub fn file_name(&self, receiver: &str) -> String {
        format!("{receiver}!{}!{}!{}.xml.gz", self.domain, self.begin, self.end)
    }

    /// RFC 7489 7.2.1.1.
    #[must_use]
    pub fn subject(&self, receiver: &str) -> String {
        format!("Report Domain: {} Submitter: {receiver} Report-ID: <{}>", self.domain, self.id)
    }
}
