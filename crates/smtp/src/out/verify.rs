//! Looks at a server's certificate and says what it is worth; decides by [`Security`] whether the handshake goes on.
//!
//! Invariants: that the server has the certificate's key is checked always (the handshake's signature), even where any
//! certificate will do; a certificate that is not good enough ends the handshake before anything is said over it.

use super::demand::Security;
use super::seen::Flaw;
use guard::{KeyOf, Tlsa};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};

/// What all connections share.
#[derive(Debug)]
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// `None`: nobody is trusted, as no roots were given.
    roots: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    pub(super) fn new(roots: &Arc<RootCertStore>) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = chain(Arc::clone(roots), &provider);
        Self { provider, roots }
    }

    /// Settings of one connection, and what will be known of the certificate.
    pub(super) fn config(&self, security: &Security) -> Result<(Arc<ClientConfig>, Arc<Verifier>), Error> {
        let verifier = Arc::new(Verifier {
            provider: Arc::clone(&self.provider),
            roots: self.roots.clone(),
            security: security.clone(),
            verdict: Mutex::new(None),
        });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Verifier>::clone(&verifier))
            .with_no_client_auth();
        // Each connection is looked at anew: a policy may have changed.
        config.resumption = rustls::client::Resumption::disabled();
        Ok((Arc::new(config), verifier))
    }
}

fn chain(roots: Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build().ok()
}

/// Looks at the certificate of one connection.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: Option<Arc<WebPkiServerVerifier>>,
    security: Security,
    /// Once it was looked at.
    verdict: Mutex<Option<Result<(), Flaw>>>,
}

impl Verifier {
    /// Has the server shown that it is who it says?
    pub(super) fn verified(&self) -> bool {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) == Some(Ok(()))
    }

    /// What is wrong with what it has shown.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).and_then(Result::err)
    }

    /// Is it valid for one of `names`, signed by somebody `trusted`?
    fn is_valid(
        shown: &Shown<'_>,
        names: &[ServerName<'_>],
        trusted: &WebPkiServerVerifier,
    ) -> Result<(), Error> {
        let mut outcome = Err(Error::InvalidCertificate(CertificateError::NotValidForName));
        for name in names {
            let Shown { leaf, chain, now } = shown;
            outcome = trusted.verify_server_cert(leaf, chain, name, &[], *now).map(|_| ());
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn by_roots(&self, shown: &Shown<'_>, names: &[ServerName<'_>]) -> Result<(), Error> {
        match &self.roots {
            Some(roots) => Self::is_valid(shown, names, roots),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    /// RFC 7672 3.1
    fn by_keys(&self, shown: &Shown<'_>, keys: &[Tlsa], names: &[ServerName<'_>]) -> Result<(), Error> {
        let of = |key: &&Tlsa, whose| key.key_of() == Some(whose);
        // 3.1.1: neither name nor date matters.
        if keys.iter().filter(|key| of(key, KeyOf::Server)).any(|key| key.matches(shown.leaf)) {
            return Ok(());
        }
        // 3.1.2
        let mut anchors = RootCertStore::empty();
        for key in keys.iter().filter(|key| of(key, KeyOf::Authority)) {
            let whole =
                (key.selector == 0 && key.matching == 0).then(|| CertificateDer::from(key.data.as_slice()));
            let matching = shown.chain.iter().filter(|certificate| key.matches(certificate)).cloned();
            for certificate in matching.chain(whole) {
                // One that cannot be read vouches for nobody.
                let added = anchors.add(certificate);
                tracing::trace!(?added, "authority of a published key");
            }
        }
        match chain(Arc::new(anchors), &self.provider) {
            Some(trusted) => Self::is_valid(shown, names, &trusted),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }
}

/// What the server has shown.
struct Shown<'a> {
    leaf: &'a CertificateDer<'a>,
    chain: &'a [CertificateDer<'a>],
    now: UnixTime,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown { leaf, chain, now };
        let known = |names: &[String]| -> Vec<ServerName<'static>> {
            names.iter().filter_map(|name| ServerName::try_from(name.clone()).ok()).collect()
        };
        let (checked, strict) = match &self.security {
            Security::Names(names) => (self.by_roots(&shown, &known(names)), true),
            Security::Keys { keys, names } => (self.by_keys(&shown, keys, &known(names)), true),
            Security::None | Security::Opportunistic | Security::Required => {
                (self.by_roots(&shown, std::slice::from_ref(name)), false)
            }
        };
        let verdict = checked.as_ref().copied().map_err(Flaw::of_tls);
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        match checked {
            Err(error) if strict => Err(error),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
