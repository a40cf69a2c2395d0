//! Our half of a certificate: its key, what asks for it, what shows that a name is ours, and whether what came is what was asked for.

use aws_lc_rs::digest;
use jiff::Timestamp;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// RFC 8737 6.2.
const ACME_TLS: &[u8] = b"acme-tls/1";

/// A certificate that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcmeIssued {
    pub begins: Timestamp,
    pub ends: Timestamp,
}

/// A key for a certificate (ECDSA P-256), in PKCS #8.
///
/// # Errors
/// When the cryptographic library fails.
pub fn new_certificate_key() -> Result<Vec<u8>, String> {
    Ok(KeyPair::generate().map_err(|error| error.to_string())?.serialize_der())
}

/// What asks for a certificate (PKCS #10), in DER.
///
/// # Errors
/// When the key is none of [`new_certificate_key`]'s, or a name is no host name.
pub fn acme_csr(key: &[u8], names: &[String]) -> Result<Vec<u8>, String> {
    let key = key_pair(key)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(|error| error.to_string())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(|error| error.to_string())?;
    Ok(request.der().to_vec())
}

/// What an authority is shown that asks by TLS whether `name` is ours (RFC 8737 3).
///
/// # Errors
/// When the cryptographic library fails, or the name is no host name.
pub fn acme_challenge_config(name: &str, key_authorization: &str) -> Result<ServerConfig, String> {
    let shown = digest::digest(&digest::SHA256, key_authorization.as_bytes());
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(|error| error.to_string())?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(shown.as_ref())];
    let certificate = params.self_signed(&key).map_err(|error| error.to_string())?;
    let signs = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signs = provider::default_provider()
        .key_provider
        .load_private_key(signs)
        .map_err(|error| error.to_string())?;
    // Not looked at as other certificates are: what it shows stands in an extension that nobody else may accept.
    let pair = CertifiedKey::new(vec![certificate.der().clone()], signs);
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    Ok(config)
}

/// Looks whether a chain in PEM is for this key and all these names.
///
/// # Errors
/// What is wrong with it.
pub fn acme_issued(chain: &str, key: &[u8], names: &[String]) -> Result<AcmeIssued, String> {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the certificate is not in PEM form: {error}"))?;
    let leaf = chain.first().cloned().ok_or("there is no certificate in it")?;
    certified(chain, key)?;
    let (_, leaf) =
        parse_x509_certificate(&leaf).map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let extension = leaf.subject_alternative_name().ok().flatten();
    let general = extension.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    let is_in = |name: &str| {
        general
            .iter()
            .any(|found| matches!(found, GeneralName::DNSName(found) if found.eq_ignore_ascii_case(name)))
    };
    if let Some(missing) = names.iter().find(|name| !is_in(name)) {
        return Err(format!("the certificate is not for {missing}"));
    }
    let time = |second| Timestamp::from_second(second).map_err(|error| error.to_string());
    let validity = leaf.validity();
    Ok(AcmeIssued {
        begins: time(validity.not_before.timestamp())?,
        ends: time(validity.not_after.timestamp())?,
    })
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &[u8]) -> Result<CertifiedKey, String> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    CertifiedKey::from_der(chain, key, &provider::default_provider())
        .map_err(|error| format!("the certificate is not for our key: {error}"))
}

fn key_pair(key: &[u8]) -> Result<KeyPair, String> {
    KeyPair::try_from(key).map_err(|error| format!("the key cannot be read: {error}"))
}
