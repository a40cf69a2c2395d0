//! What a client's certificate says of whom it is for, as it is kept in the evidence.

use x509_parser::parse_x509_certificate;

/// Characters that are kept.
const NAME_CHARS_MAX: usize = 200;

/// Its subject, or what stands besides if that is empty, and its serial number: `CN=an, O=So Noi vu (a1b)`. One line of 250
/// characters at most.
#[must_use]
pub fn certificate_name(der: &[u8]) -> String {
    let Ok((_, certificate)) = parse_x509_certificate(der) else {
        return "a certificate that cannot be read".to_owned();
    };
    let subject = certificate.subject().to_string();
    let others = || {
        let extension = certificate.subject_alternative_name().ok().flatten();
        let names = extension.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let name = if subject.is_empty() { others() } else { subject };
    let name: String =
        name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_CHARS_MAX).collect();
    let serial: String =
        certificate.raw_serial().iter().map(|octet| format!("{octet:02x}")).take(20).collect();
    format!("{name} ({serial})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber};

    fn named(name: Option<&str>) -> String {
        let mut params = CertificateParams::new(vec!["an.a.vn".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.serial_number = Some(SerialNumber::from(0x0a1b));
        certificate_name(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn one_line_that_says_for_whom_it_is() {
        assert_eq!(named(Some("Nguyễn Văn An")), "CN=Nguyễn Văn An (0a1b)");
        assert!(named(None).contains("an.a.vn") && named(None).ends_with(" (0a1b)"), "{}", named(None));
        let long = named(Some(&format!("a\n{}", "x".repeat(1_000))));
        assert!(long.chars().count() < 250 && !long.contains('\n'), "{long}");
        assert!(certificate_name(b"none").contains("cannot be read"));
    }
}
