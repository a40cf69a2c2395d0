//! What is seen of TLS on the way to a domain's servers, for whoever tells the domain of it (RFC 8460 4).
//!
//! Invariants: a session is told once, whatever came of the mail; what is no matter of TLS (nobody answers, time is over, a server is busy,
//! we could not begin) is not told (4.3.4); what more is said of a failure are words of ours, never of the peer's certificate.

use super::route::Stop;
use guard::{Found, Mode, Tlsa, Trouble};
use proto::tlsrpt::{Failure, Policy, PolicyType, ResultType};
use rustls::{CertificateError, Error};
use std::io;
use std::net::IpAddr;

/// Octets of keys that are repeated to a domain: records of digests have some seventy each.
const KEYS_OCTETS_MAX: usize = 2 * 1024;

/// Hears of every session with a server of a domain.
pub trait Watcher: std::fmt::Debug + Send + Sync {
    /// `None`: it was as the policy has it.
    fn saw(&self, policy: &Policy, failure: Option<Failure>);
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) result: ResultType,
    pub(super) reason: Option<&'static str>,
}

/// By what sessions with a host are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) policy: Policy,
    /// It is not one that could be kept.
    pub(super) broken: Option<Flaw>,
    /// A certificate that is not valid for the host is a failure, although the mail goes.
    pub(super) is_tested: bool,
    /// The domain says that it has a policy, which is not to be had.
    pub(super) missing: Option<ResultType>,
}

/// What was seen of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// TLS was to begin, and it was seen whether it did.
    pub(super) is_tried: bool,
    /// Why there was no TLS.
    pub(super) failed: Option<Flaw>,
    /// What is wrong with the certificate.
    pub(super) certificate: Option<Flaw>,
    /// Our end.
    pub(super) from: Option<IpAddr>,
}

impl Seen {
    /// There was no TLS.
    pub(super) fn fail(&mut self, flaw: Flaw) {
        (self.is_tried, self.failed) = (true, Some(flaw));
    }
}

impl Flaw {
    pub(super) const fn of(result: ResultType) -> Self {
        Self { result, reason: None }
    }

    pub(super) const fn because(result: ResultType, reason: &'static str) -> Self {
        Self { result, reason: Some(reason) }
    }

    /// Of a handshake.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        match cause {
            Some(cause) => Self::of_tls(cause),
            None => Self::because(ResultType::ValidationFailure, "the connection ended in the handshake"),
        }
    }

    /// RFC 8460 4.3.1
    pub(super) fn of_tls(error: &Error) -> Self {
        use CertificateError as Bad;
        use ResultType::{
            CertificateExpired, CertificateHostMismatch, CertificateNotTrusted, ValidationFailure,
        };
        match error {
            Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                Self::of(CertificateHostMismatch)
            }
            Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
                Self::of(CertificateExpired)
            }
            Error::InvalidCertificate(bad) => {
                let reason = match bad {
                    Bad::UnknownIssuer => "unknown issuer",
                    Bad::NotValidYet | Bad::NotValidYetContext { .. } => "not valid yet",
                    Bad::BadSignature => "bad signature",
                    Bad::BadEncoding => "bad encoding",
                    Bad::Revoked => "revoked",
                    Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => "invalid purpose",
                    Bad::UnhandledCriticalExtension => "unhandled critical extension",
                    _ => "the certificate is not valid",
                };
                Self::because(CertificateNotTrusted, reason)
            }
            Error::NoCertificatesPresented => Self::because(CertificateNotTrusted, "no certificate"),
            Error::AlertReceived(_) => Self::because(ValidationFailure, "alert received"),
            Error::PeerIncompatible(_) => {
                Self::because(ValidationFailure, "no common version or cipher suite")
            }
            _ => Self::because(ValidationFailure, "the handshake failed"),
        }
    }

    pub(super) fn at(self, host: &Stop, (from, to): (Option<IpAddr>, Option<IpAddr>)) -> Failure {
        Failure {
            result_type: self.result,
            sending_mta_ip: from,
            receiving_mx_hostname: Some(host.name.clone()),
            receiving_ip: to.map(|to| to.to_canonical()),
            failure_reason_code: self.reason.map(str::to_owned),
        }
    }
}

impl Rule {
    /// Of a host whose domain has published nothing.
    pub(super) fn none(domain: &str) -> Self {
        Self { policy: Policy::none(domain), broken: None, is_tested: false, missing: None }
    }

    /// RFC 8460 4.5: records as RFC 6698 2.2 writes them.
    pub(super) fn of_keys(domain: &str, keys: &[Tlsa], broken: Option<Flaw>) -> Self {
        // Two digits an octet.
        let is_short = |key: &&Tlsa| key.data.len() <= KEYS_OCTETS_MAX / 2;
        let mut lines: Vec<String> = keys.iter().filter(is_short).map(Tlsa::to_string).collect();
        // Name servers give them in any order.
        lines.sort();
        let mut left = KEYS_OCTETS_MAX;
        let fits = |line: &String| {
            let rest = left.checked_sub(line.len());
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let policy = Policy {
            policy_type: PolicyType::Tlsa,
            policy_string: lines.into_iter().filter(fits).collect(),
            ..Policy::none(domain)
        };
        Self { policy, broken, ..Self::none(domain) }
    }

    /// Of a host, by what is known of the domain's policy.
    pub(super) fn of_sts(domain: &str, found: &Found, host: &str) -> Self {
        let missing = found.trouble.map(|trouble| match trouble {
            Trouble::Fetch => ResultType::StsPolicyFetchError,
            Trouble::Invalid => ResultType::StsPolicyInvalid,
            Trouble::Unverified => ResultType::StsWebpkiInvalid,
        });
        // RFC 8461 5: by one of mode `none` the domain is as if it had none.
        let Some(policy) = found.policy.as_ref().filter(|policy| policy.mode != Mode::None) else {
            return Self { missing, ..Self::none(domain) };
        };
        let stranger = Flaw::because(ResultType::ValidationFailure, "the policy does not name this host");
        Self {
            policy: Policy {
                policy_type: PolicyType::Sts,
                policy_string: policy.lines().to_vec(),
                policy_domain: domain.to_owned(),
                mx_host: policy.hosts().to_vec(),
            },
            broken: (!policy.allows(host)).then_some(stranger),
            is_tested: policy.mode == Mode::Testing,
            missing,
        }
    }

    /// What is told of a session; `None`: nothing.
    pub(super) fn judge(&self, seen: &Seen) -> Option<Result<(), Flaw>> {
        let certificate = seen.certificate.filter(|_| self.is_tested);
        let flaw = seen.failed.or(self.broken).or(certificate);
        seen.is_tried.then(|| flaw.map_or(Ok(()), Err))
    }

    /// What stands for the policy that is not to be had.
    pub(super) fn missing_policy(&self) -> Policy {
        Policy { policy_type: PolicyType::Sts, ..Policy::none(&self.policy.policy_domain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_has_its_name() {
        let of = |bad| Flaw::of_tls(&Error::InvalidCertificate(bad));
        assert_eq!(of(CertificateError::NotValidForName), Flaw::of(ResultType::CertificateHostMismatch));
        assert_eq!(of(CertificateError::Expired), Flaw::of(ResultType::CertificateExpired));
        let unknown = Flaw::because(ResultType::CertificateNotTrusted, "unknown issuer");
        assert_eq!(of(CertificateError::UnknownIssuer), unknown);
        let ended = Flaw::of_handshake(&io::Error::from(io::ErrorKind::UnexpectedEof));
        assert_eq!(ended.result, ResultType::ValidationFailure);
        let wrapped = io::Error::other(Error::InvalidCertificate(CertificateError::Expired));
        assert_eq!(Flaw::of_handshake(&wrapped).result, ResultType::CertificateExpired);
    }

    #[test]
    fn keys_are_repeated_in_one_order_and_not_without_end() {
        let key = |octet, length| Tlsa { usage: 3, selector: 1, matching: 1, data: vec![octet; length] };
        let lines = |keys: &[Tlsa]| Rule::of_keys("a.vn", keys, None).policy.policy_string;
        assert_eq!(lines(&[key(0xab, 2), key(1, 2)]), ["3 1 1 0101", "3 1 1 ABAB"]);
        assert_eq!(lines(&[key(1, 2), key(2, 4_000)]), ["3 1 1 0101"]);
        assert_eq!(lines(&[key(1, 4_000), key(2, 1_024), key(3, 2)]), ["3 1 1 0303"], "those that fit");
    }

    #[test]
    fn a_session_is_judged_once() {
        let mut rule = Rule::none("a.vn");
        let stripped = Flaw::of(ResultType::StarttlsNotSupported);
        let expired = Flaw::of(ResultType::CertificateExpired);
        let mut seen = Seen::default();
        assert_eq!(rule.judge(&seen), None);
        seen.is_tried = true;
        seen.certificate = Some(expired);
        assert_eq!(rule.judge(&seen), Some(Ok(())), "nobody asked for a valid one");
        rule.is_tested = true;
        assert_eq!(rule.judge(&seen), Some(Err(expired)));
        rule.broken = Some(Flaw::of(ResultType::TlsaInvalid));
        assert_eq!(rule.judge(&seen), Some(Err(Flaw::of(ResultType::TlsaInvalid))));
        seen.failed = Some(stripped);
        assert_eq!(rule.judge(&seen), Some(Err(stripped)), "what was seen on the wire comes first");
    }
}
