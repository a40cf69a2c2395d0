//! Keys that a domain publishes for its servers (TLSA, RFC 6698), as mail between servers uses them (RFC 7672).
//!
//! Invariant: a record of a kind that mail does not use (RFC 7672 3.1.3: usages 0 and 1), or that nobody knows, never matches.

use aws_lc_rs::digest;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;

/// One record, as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

/// Whose key a usable record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// DANE-TA(2): of whoever signed the server's certificate.
    Authority,
    /// DANE-EE(3): of the server; names and dates do not matter (RFC 7672 3.1.1).
    Server,
}

/// As master files have it (RFC 6698 2.2).
impl std::fmt::Display for Tlsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl Tlsa {
    /// `None`: it cannot be used here.
    #[must_use]
    pub fn key_of(&self) -> Option<KeyOf> {
        let known = self.selector <= 1
            && match self.matching {
                0 => !self.data.is_empty(),
                1 => self.data.len() == digest::SHA256_OUTPUT_LEN,
                2 => self.data.len() == digest::SHA512_OUTPUT_LEN,
                _ => false,
            };
        match self.usage {
            2 if known => Some(KeyOf::Authority),
            3 if known => Some(KeyOf::Server),
            _ => None,
        }
    }

    /// Is it this certificate's (RFC 6698 2.1)?
    #[must_use]
    pub fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        if self.key_of().is_none() {
            return false;
        }
        if self.selector == 0 {
            return self.is_of(certificate);
        }
        let parsed = ParsedCertificate::try_from(certificate);
        parsed.is_ok_and(|parsed| self.is_of(&parsed.subject_public_key_info()))
    }

    fn is_of(&self, octets: &[u8]) -> bool {
        match self.matching {
            0 => self.data == octets,
            1 => self.data == digest::digest(&digest::SHA256, octets).as_ref(),
            2 => self.data == digest::digest(&digest::SHA512, octets).as_ref(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The subject's key, taken out by another reader of certificates.
    fn key(certificate: &rcgen::Certificate) -> Vec<u8> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
        parsed.tbs_certificate.subject_pki.raw.to_vec()
    }

    #[test]
    fn the_table_of_kinds() {
        let pair = rcgen::generate_simple_self_signed(["mx.a.vn".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["mx.a.vn".to_owned()]).unwrap();
        let whole = pair.cert.der().to_vec();
        for (selector, octets) in [(0, whole), (1, key(&pair.cert))] {
            let sum = |how| digest::digest(how, &octets).as_ref().to_vec();
            for (matching, data) in
                [(0, octets.clone()), (1, sum(&digest::SHA256)), (2, sum(&digest::SHA512))]
            {
                for (usage, of) in [
                    (2, Some(KeyOf::Authority)),
                    (3, Some(KeyOf::Server)),
                    (0, None),
                    (1, None),
                    (4, None),
                    (255, None),
                ] {
                    let record = Tlsa { usage, selector, matching, data: data.clone() };
                    assert_eq!(record.key_of(), of, "{usage} {selector} {matching}");
                    assert_eq!(
                        record.matches(pair.cert.der()),
                        of.is_some(),
                        "{usage} {selector} {matching}"
                    );
                    assert!(!record.matches(other.cert.der()));
                }
            }
        }
        let sum = digest::digest(&digest::SHA256, pair.cert.der()).as_ref().to_vec();
        for (selector, matching, data) in [
            (2, 1, sum.clone()),
            (0, 3, sum.clone()),
            (0, 2, sum.clone()),
            (0, 1, sum[1..].to_vec()),
            (0, 0, vec![]),
        ] {
            let record = Tlsa { usage: 3, selector, matching, data };
            assert_eq!((record.key_of(), record.matches(pair.cert.der())), (None, false), "{record:?}");
        }
    }
}
