//! How each listener does TLS: what it shows, and whom it believes of those that show something; changed without a restart.
//!
//! Invariants: a file that vouches for nobody changes nothing while the server runs; whom it does not vouch for any more is not let
//! in by a ticket from before either, as each reading gives tickets of its own. Connections that are open go on.

use super::Certificates;
use crate::config::ClientCertificates;
use anyhow::{Context as _, Result, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::sync::watch;

/// What holds for the next connection of a listener.
pub(crate) type Settings = watch::Receiver<Arc<ServerConfig>>;

/// The listeners that ask their clients for certificates.
#[derive(Debug)]
pub(crate) struct Listeners {
    certificates: Arc<Certificates>,
    asking: Vec<(ClientCertificates, watch::Sender<Arc<ServerConfig>>)>,
}

impl Listeners {
    /// With the settings of each; those that ask for nothing share one.
    ///
    /// # Errors
    /// When who vouches for clients cannot be read, or the cryptographic library refuses its own defaults.
    pub(crate) fn new<'c>(
        certificates: &Arc<Certificates>,
        listeners: impl Iterator<Item = Option<&'c ClientCertificates>>,
    ) -> Result<(Self, Vec<Settings>)> {
        let (mut asking, mut settings) = (Vec::new(), Vec::new());
        let (_, shared) = watch::channel(server_config(certificates, None)?);
        for clients in listeners {
            let Some(clients) = clients else {
                settings.push(shared.clone());
                continue;
            };
            let (sender, receiver) = watch::channel(server_config(certificates, Some(clients))?);
            asking.push((clients.clone(), sender));
            settings.push(receiver);
        }
        Ok((Self { certificates: Arc::clone(certificates), asking }, settings))
    }

    /// Reads again who vouches for clients; how many listeners ask for that. All stays as it was when one file cannot be read.
    ///
    /// # Errors
    /// As [`Listeners::new`].
    pub(crate) fn reload(&self) -> Result<usize> {
        let anew = |(clients, _): &(ClientCertificates, _)| server_config(&self.certificates, Some(clients));
        let configs = self.asking.iter().map(anew).collect::<Result<Vec<_>>>()?;
        for ((_, sender), config) in self.asking.iter().zip(configs) {
            sender.send_replace(config);
        }
        Ok(self.asking.len())
    }
}

fn server_config(
    certificates: &Arc<Certificates>,
    clients: Option<&ClientCertificates>,
) -> Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(verifier(clients)?),
    };
    let mut config = builder.with_cert_resolver(Arc::<Certificates>::clone(certificates));
    // Clients that come back resume without our keeping a session per client; a ticket is good with the settings that gave it.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// Believes those certificates of clients that are vouched for.
///
/// # Errors
/// When who vouches for them cannot be read, or is nobody.
pub(crate) fn verifier(clients: &ClientCertificates) -> Result<Arc<dyn ClientCertVerifier>> {
    let file = clients.authorities.display();
    let mut roots = RootCertStore::empty();
    let read =
        CertificateDer::pem_file_iter(&clients.authorities).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for authority in read.with_context(|| format!("cannot read {file}; check ca in client_certificates"))? {
        roots.add(authority).with_context(|| format!("{file} has what is no certificate"))?;
    }
    if roots.is_empty() {
        bail!("{file} has no certificate in PEM form: put there who vouches for clients");
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if clients.require { builder } else { builder.allow_unauthenticated() };
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{certificates, source};
    use super::*;
    use crate::config::Certificate;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ClientConfig, ClientConnection, ServerConnection};

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// One that comes again with the tickets it was given.
    fn client(of: &Authority, server: &CertificateDer<'static>) -> Arc<ClientConfig> {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["an.a.vn".to_owned()]).unwrap().signed_by(&key, of).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(server.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(builder.with_client_auth_cert(vec![own.der().clone()], key).unwrap())
    }

    fn is_let_in(settings: &Settings, client: &Arc<ClientConfig>) -> bool {
        let mut client =
            ClientConnection::new(Arc::clone(client), "mail.demo.gov.vn".try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&settings.borrow())).unwrap();
        // More often than a handshake and its tickets need.
        for _ in 0..10 {
            let mut octets = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut octets).unwrap();
            }
            let mut octets = octets.as_slice();
            while !octets.is_empty() {
                server.read_tls(&mut octets).unwrap();
                if server.process_new_packets().is_err() {
                    return false;
                }
            }
            let mut octets = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut octets).unwrap();
            }
            let mut octets = octets.as_slice();
            while !octets.is_empty() {
                client.read_tls(&mut octets).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        !server.is_handshaking()
    }

    #[test]
    fn who_vouches_for_clients_is_read_again_and_a_bad_file_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let certificates =
            Arc::new(certificates(source(&directory, Certificate::default(), vec![])).unwrap());
        let shown = certificates.set.read().unwrap().main.cert[0].clone().into_owned();
        let (first, second) = (authority(), authority());
        let (leaves, comes) = (client(&first, &shown), client(&second, &shown));
        let file = directory.path().join("clients.pem");
        let clients = ClientCertificates { authorities: file.clone(), require: true };
        std::fs::write(&file, first.pem()).unwrap();
        let (listeners, settings) =
            Listeners::new(&certificates, [None, Some(&clients)].into_iter()).unwrap();
        let [everybody, asking] = &settings[..] else { panic!("two") };
        let let_in = |wanted: (bool, bool)| {
            assert_eq!((is_let_in(asking, &leaves), is_let_in(asking, &comes)), wanted);
            assert!(is_let_in(everybody, &leaves) && is_let_in(everybody, &comes));
        };
        let_in((true, false));
        std::fs::write(&file, second.pem()).unwrap();
        let_in((true, false));
        assert_eq!(listeners.reload().unwrap(), 1);
        let_in((false, true));
        std::fs::write(&file, "nobody").unwrap();
        assert!(format!("{:#}", listeners.reload().unwrap_err()).contains("put there who vouches"));
        let_in((false, true));
    }
}
