//! What stands in a certificate that rustls does not tell: its names, and when it begins and ends.

use anyhow::{Result, anyhow};
use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// A server's certificate as an operator sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// The host names it is for (RFC 5280 4.2.1.6).
    pub(crate) names: Vec<String>,
    pub(crate) begin: Timestamp,
    pub(crate) end: Timestamp,
    /// Signed by its own key's name: nobody vouches for it.
    pub(crate) is_self_signed: bool,
}

impl Leaf {
    /// Whether it is for `host` (RFC 6125 6.4.3: a star stands for one whole label).
    pub(crate) fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => name.eq_ignore_ascii_case(host),
        })
    }

    /// The first of its names.
    pub(crate) fn name(&self) -> String {
        self.names.first().cloned().unwrap_or_default()
    }
}

/// Reads a certificate in DER.
///
/// # Errors
/// When it is none.
pub(crate) fn read(der: &[u8]) -> Result<Leaf> {
    let (_, certificate) =
        parse_x509_certificate(der).map_err(|error| anyhow!("the certificate cannot be read: {error}"))?;
    let extension = certificate.subject_alternative_name().ok().flatten();
    let general = extension.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let names = general.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let validity = certificate.validity();
    Ok(Leaf {
        names: names.collect(),
        begin: Timestamp::from_second(validity.not_before.timestamp())?,
        end: Timestamp::from_second(validity.not_after.timestamp())?,
        is_self_signed: certificate.subject() == certificate.issuer(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn names_and_times() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["a.vn".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(2026, 3, 4);
        let leaf = read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!(leaf.names, ["a.vn"]);
        assert_eq!(leaf.begin.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(leaf.end.to_string(), "2026-03-04T00:00:00Z");
        assert!(leaf.is_self_signed);
        assert!(read(b"no certificate").is_err());
    }
}
