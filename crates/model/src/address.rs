//! Mail addresses as we keep them: one canonical spelling per mailbox.
//!
//! SMTP's grammar (quoting, source routes, literals) belongs to `proto`; what arrives here is a local part
//! without its quotes and a domain.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// Octets of a local part (RFC 5321 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Octets of a domain (RFC 5321 4.5.3.1.2).
const DOMAIN_BYTES_MAX: usize = 255;
/// Octets of one domain label (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("an address is written local@domain")]
    Form,
    #[error("the part before @ has 1 to 64 bytes without control characters")]
    Local,
    #[error("the domain is not a valid name")]
    Domain,
}

/// A domain name: NFC, lower case, no trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DomainName(String);

impl DomainName {
    /// # Errors
    /// When a label is empty, too long, or has a character no host name may have (RFC 5321 4.1.2, RFC 6531 3.3).
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let name = folded(text.trim_end_matches('.'));
        let label_ok = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|c| c.is_alphanumeric() || c == '-' || (!c.is_ascii() && !c.is_control()))
        };
        if name.len() > DOMAIN_BYTES_MAX || !name.split('.').all(label_ok) {
            return Err(AddressError::Domain);
        }
        Ok(Self(name))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DomainName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical form of an address: local part in NFC and lower case (our mailboxes know no case,
/// though RFC 5321 2.4 lets a host have one), domain as [`DomainName`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    local: String,
    domain: DomainName,
}

impl Address {
    /// # Errors
    /// When either part is empty, too long or has a forbidden character.
    pub fn new(local: &str, domain: &str) -> Result<Self, AddressError> {
        let local = folded(local);
        if local.is_empty() || local.len() > LOCAL_BYTES_MAX || local.chars().any(char::is_control) {
            return Err(AddressError::Local);
        }
        Ok(Self { local, domain: DomainName::new(domain)? })
    }

    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    /// Is it an address that every mail program can write: a dot-atom of ASCII (RFC 5321 4.1.2 Dot-string), no quotes
    /// needed? Mail is taken for others too, but none is given to a mailbox of ours.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let local = self.local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
        local && self.domain.as_str().is_ascii()
    }

    /// `user+tag@domain` is `user@domain` where the whole has no mailbox of its own (RFC 5233).
    #[must_use]
    pub fn without_tag(&self) -> Option<Self> {
        let (user, _) = self.local.split_once('+')?;
        (!user.is_empty()).then(|| Self { local: user.to_owned(), domain: self.domain.clone() })
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Form)?;
        Self::new(local, domain)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// Lower case in NFC. Composed once more behind the lower-casing, which may take a letter apart (İ).
fn folded(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_mailbox() {
        let a: Address = "NTBinh@AnGiang.GOV.vn.".parse().unwrap();
        assert_eq!(a.to_string(), "ntbinh@angiang.gov.vn");
        let composed: Address = "đào@demo.gov.vn".parse().unwrap();
        let decomposed: Address = "đa\u{300}o@demo.gov.vn".parse().unwrap();
        assert_eq!(composed, decomposed);
    }

    #[test]
    fn plain_addresses_need_no_quotes() {
        for (address, plain) in [
            ("an@demo.gov.vn", true),
            ("n.t.binh+viec@demo.gov.vn", true),
            ("an@@demo.gov.vn", false),
            ("a b@demo.gov.vn", false),
            ("a..b@demo.gov.vn", false),
            (".b@demo.gov.vn", false),
            ("a,b@demo.gov.vn", false),
            ("\"q\"@demo.gov.vn", false),
            ("đào@demo.gov.vn", false),
        ] {
            assert_eq!(address.parse::<Address>().unwrap().is_plain(), plain, "{address}");
        }
    }

    #[test]
    fn tags_fall_away() {
        let a: Address = "an+bao.cao+2@demo.gov.vn".parse().unwrap();
        assert_eq!(a.without_tag().unwrap().to_string(), "an@demo.gov.vn");
        assert!("+x@demo.gov.vn".parse::<Address>().unwrap().without_tag().is_none());
        assert!("an@demo.gov.vn".parse::<Address>().unwrap().without_tag().is_none());
    }

    #[test]
    fn refuses_bad_forms() {
        for bad in [
            "an",
            "@demo.gov.vn",
            "an@",
            "an@a..b",
            "an@-a.vn",
            "an@a_b.vn",
            "a\0n@demo.vn",
            "an@[127.0.0.1]",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@demo.vn", "x".repeat(65)).parse::<Address>().is_err());
    }

    #[test]
    fn a_folded_address_stays_as_it_is() {
        let address: Address = "I\u{307}\u{320}n@\u{130}dne.vn".parse().unwrap();
        assert_eq!(address.to_string().parse::<Address>(), Ok(address));
    }
}
