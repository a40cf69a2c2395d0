//! Reports of TLS on the way to a domain's servers (TLSRPT, RFC 8460): who wants them, and their words.
//!
//! Invariants: a record that is not as the RFC's grammar has it names nobody; of what strangers publish nothing is longer than it may
//! be; a report is written of what these types can say, and of nothing else.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod record;
#[cfg(test)]
mod tests;

use crate::dmarc::pack;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub use record::{Place, RECORD_BYTES_MAX, places};

/// What one system tells of a day's sessions with the servers of a domain (4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    pub organization_name: String,
    pub date_range: DateRange,
    /// An address of whoever tells it; its domain is the submitter's.
    pub contact_info: String,
    pub report_id: String,
    pub policies: Vec<Results>,
}

/// A day in UTC (4.1), both within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateRange {
    pub start_datetime: Timestamp,
    pub end_datetime: Timestamp,
}

/// What came of one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Results {
    pub policy: Policy,
    pub summary: Summary,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_details: Vec<FailureDetails>,
}

/// A policy as it was applied (4.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    pub policy_type: PolicyType,
    /// Lines of an MTA-STS policy, or records of keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_string: Vec<String>,
    /// In ASCII.
    pub policy_domain: String,
    /// Of MTA-STS alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mx_host: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyType {
    /// DANE.
    Tlsa,
    /// MTA-STS.
    Sts,
    NoPolicyFound,
}

/// Sessions (4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    pub total_successful_session_count: u64,
    pub total_failure_session_count: u64,
}

/// Sessions that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailureDetails {
    #[serde(flatten)]
    pub failure: Failure,
    pub failed_session_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_information: Option<String>,
}

/// How a session failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    pub result_type: ResultType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending_mta_ip: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_mx_hostname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<IpAddr>,
    /// What more there is to say: a few words of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason_code: Option<String>,
}

/// 4.3; `dane-required` is of systems that demand DANE, which this one has no way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultType {
    // 4.3.1
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    // 4.3.2.1
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    // 4.3.2.2
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
}

impl PolicyType {
    /// As reports, and the database, write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tlsa, Self::Sts, Self::NoPolicyFound].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl ResultType {
    pub const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
    ];

    /// As reports, and the database, write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == name)
    }
}

impl Policy {
    /// Of a domain that has none.
    #[must_use]
    pub fn none(domain: &str) -> Self {
        Self {
            policy_type: PolicyType::NoPolicyFound,
            policy_string: Vec::new(),
            policy_domain: domain.to_owned(),
            mx_host: Vec::new(),
        }
    }
}

impl Report {
    /// The JSON, as gzip (5.2).
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        // No map has a key that is no text, so it can be written.
        pack(&serde_json::to_string(self).unwrap_or_default())
    }

    /// RFC 8460 5.1: of a report about this domain.
    #[must_use]
    pub fn file_name(&self, domain: &str, submitter: &str) -> String {
        let DateRange { start_datetime, end_datetime } = self.date_range;
        let (begin, end) = (start_datetime.as_second(), end_datetime.as_second());
        format!("{submitter}!{domain}!{begin}!{end}.json.gz")
    }

    /// RFC 8460 5.3: of a report about this domain.
    #[must_use]
    pub fn subject(&self, domain: &str, submitter: &str) -> String {
        let id = &self.report_id;
        format!("Report Domain: {domain} Submitter: {submitter} Report-ID: <{id}@{submitter}>")
    }
}
