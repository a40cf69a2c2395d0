//! Which certificate a client is shown, and changing it without a restart.
//!
//! Invariants: TLS 1.2 at least; what files hold is swapped as a whole, and only for what loaded without a fault, so a bad file never
//! takes the service down; nor does it keep out what was ordered.

mod listeners;
mod self_signed;
mod x509;

use crate::config::{Certificate, Config};
use anyhow::{Context as _, Result, bail};
use engine::{AcmeCertificateRow, WantedCertificate};
use jiff::Timestamp;
use model::Clock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use listeners::{Listeners, Settings, verifier};
pub(crate) use self_signed::PUBLIC_FILE;
pub(crate) use x509::Leaf;

/// The certificates in use; also rustls' resolver of them.
#[derive(Debug)]
pub(crate) struct Certificates {
    source: Source,
    clock: Arc<dyn Clock>,
    parts: RwLock<Parts>,
    set: RwLock<Arc<Set>>,
}

/// Of which the set is made.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// As they were when they were last read without a fault.
    files: Files,
    /// Where files name none for the name that is asked for.
    ordered: Ordered,
}

/// What the files of the configuration hold.
#[derive(Clone, Debug, Default)]
struct Files {
    main: Option<Arc<CertifiedKey>>,
    others: Vec<Arc<CertifiedKey>>,
}

/// Certificates that were ordered from an authority.
#[derive(Clone, Debug, Default)]
struct Ordered {
    /// Of the orders.
    numbers: Vec<i64>,
    main: Option<Arc<CertifiedKey>>,
    /// Those of the authority that is asked now first, and of each authority the newest.
    others: Vec<Arc<CertifiedKey>>,
}

/// Where the certificates come from.
#[derive(Debug)]
struct Source {
    hostname: String,
    data_dir: PathBuf,
    main: Certificate,
    others: Vec<Certificate>,
    /// What is ordered for the names of this node, and where.
    wanted: WantedCertificate,
    directory: String,
}

#[derive(Debug)]
struct Set {
    main: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Loads what the configuration names, or makes a self-signed certificate.
    ///
    /// # Errors
    /// When a file cannot be read, is not PEM, or key and certificate do not belong together.
    pub(crate) fn load(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let source = Source {
            hostname: config.hostname(),
            data_dir: config.data_dir.clone(),
            main: config.tls.clone(),
            others: config.certificates.clone(),
            wanted: config.main_certificate(),
            directory: config.acme.directory().unwrap_or_default().to_owned(),
        };
        Ok(Arc::new(Self::with(source, clock)?))
    }

    fn with(source: Source, clock: Arc<dyn Clock>) -> Result<Self> {
        let parts = Parts { files: source.files()?, ordered: Ordered::default() };
        let set = RwLock::new(Arc::new(source.set(clock.as_ref(), &parts)?));
        Ok(Self { source, clock, parts: RwLock::new(parts), set })
    }

    /// Uses these from now on, in place of all that were ordered before; those stay when anything is wrong with one of these. Files
    /// stay as they were last read.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(crate) fn take(&self, rows: &[AcmeCertificateRow]) -> Result<()> {
        let mut ordered =
            Ordered { numbers: rows.iter().map(|row| row.order).collect(), ..Ordered::default() };
        let Source { wanted, directory, .. } = &self.source;
        // Nodes with names of their own have certificates of their own; each knows which is its.
        let fitness = |row: &AcmeCertificateRow| wanted.fitness(directory, row);
        let main = rows.iter().filter(|row| fitness(row).is_some()).max_by_key(|row| fitness(row));
        let mut ranked: Vec<&AcmeCertificateRow> = rows.iter().collect();
        ranked.sort_by_key(|row| Reverse((row.directory == *directory, row.order)));
        for row in ranked {
            let pair = ordered_pair(row)
                .with_context(|| format!("the certificate {} of order {}", row.label, row.order))?;
            match main.is_some_and(|main| main.order == row.order) {
                true => ordered.main = Some(pair),
                false => ordered.others.push(pair),
            }
        }
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut parts, |parts| Parts { ordered, ..parts })
    }

    /// Numbers of the orders whose certificates are in use.
    pub(crate) fn ordered(&self) -> Vec<i64> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).ordered.numbers.clone()
    }

    /// Reads the files again; the old certificates stay when anything is wrong with the new ones.
    ///
    /// # Errors
    /// As [`Certificates::load`].
    pub(crate) fn reload(&self) -> Result<()> {
        let files = self.source.files()?;
        let mut parts = self.parts.write().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut parts, |parts| Parts { files, ..parts })
    }

    /// All stays as it is when there is no set of the changed parts.
    fn put(&self, parts: &mut Parts, change: impl FnOnce(Parts) -> Parts) -> Result<()> {
        let changed = change(parts.clone());
        let set = Arc::new(self.source.set(self.clock.as_ref(), &changed)?);
        *parts = changed;
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = set;
        Ok(())
    }

    /// Of each certificate in use: the name it is for, and when it ends.
    pub(crate) fn ends(&self) -> Vec<(String, Timestamp)> {
        let set = Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner));
        let leaves = std::iter::once(&set.main).chain(&set.others).filter_map(|key| key.cert.first());
        leaves.filter_map(|leaf| x509::read(leaf).ok()).map(|leaf| (leaf.name(), leaf.end)).collect()
    }

    pub(crate) fn is_self_signed(&self) -> bool {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.files.main.is_none() && parts.ordered.main.is_none()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let set = Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner));
        Some(set.choose(hello.server_name()))
    }
}

impl Set {
    /// The main certificate unless another one has the name and the main one does not: a client that asks for
    /// an unknown name, or none, still gets a handshake, as mail servers that verify nothing expect.
    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let Some(name) = name.filter(|_| !self.others.is_empty()) else { return Arc::clone(&self.main) };
        let found = std::iter::once(&self.main).chain(&self.others).find(|key| is_for(key, &name));
        Arc::clone(found.unwrap_or(&self.main))
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let Ok(end_entity) = key.end_entity_cert() else { return false };
    ParsedCertificate::try_from(end_entity)
        .is_ok_and(|cert| rustls::client::verify_server_name(&cert, name).is_ok())
}

impl Source {
    fn files(&self) -> Result<Files> {
        let read = |files: &Certificate| match (&files.certificate, &files.key) {
            (Some(certificate), Some(key)) => read_pair(certificate, key).map(Some),
            _ => Ok(None),
        };
        let others = self.others.iter().filter_map(|other| read(other).transpose());
        Ok(Files { main: read(&self.main)?, others: others.collect::<Result<_>>()? })
    }

    fn set(&self, clock: &dyn Clock, Parts { files, ordered }: &Parts) -> Result<Set> {
        let main = match files.main.as_ref().or(ordered.main.as_ref()) {
            Some(main) => Arc::clone(main),
            None => {
                let file = self_signed::ensure(&self.data_dir, &self.hostname, clock.now())?;
                read_pair(&file, &file)?
            }
        };
        // Where a file is the main one, what was ordered is for the names that the file does not have.
        let others = files.others.iter().chain(&ordered.main).chain(&ordered.others);
        Ok(Set { main, others: others.cloned().collect() })
    }
}

/// What a pair of files holds.
///
/// # Errors
/// When they cannot be used.
pub(crate) fn look(certificate: &Path, key: &Path) -> Result<Leaf> {
    let pair = read_pair(certificate, key)?;
    x509::read(pair.end_entity_cert().context("no certificate")?)
}

fn ordered_pair(row: &AcmeCertificateRow) -> Result<Arc<CertifiedKey>> {
    let chain = CertificateDer::pem_slice_iter(row.chain.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(row.secret.clone()));
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?))
}

fn read_pair(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>> {
    let shown = certificate.display();
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| {
        format!("cannot read the certificate {shown}; check path, permissions and PEM form")
    })?;
    if chain.is_empty() {
        bail!("{shown} has no certificate in PEM form: put the server's certificate and its chain in it");
    }
    let shown_key = key.display();
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the key {shown_key}; check path, permissions and PEM form"))?;
    let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).with_context(|| {
        format!("{shown_key} is not the key of {shown}, or of a kind that is not supported")
    })?;
    Ok(Arc::new(pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::MAIN_CERTIFICATE;
    use model::FixedClock;
    use rcgen::{CertificateParams, KeyPair};

    const HOST: &str = "mail.demo.gov.vn";

    fn write_pair(directory: &Path, name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        let files = [directory.join(format!("{name}.crt")), directory.join(format!("{name}.key"))];
        std::fs::write(&files[0], certificate.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        let [certificate, key] = files;
        Certificate { certificate: Some(certificate), key: Some(key) }
    }

    pub(super) fn source(
        directory: &tempfile::TempDir,
        main: Certificate,
        others: Vec<Certificate>,
    ) -> Source {
        Source {
            hostname: HOST.into(),
            data_dir: directory.path().into(),
            main,
            others,
            wanted: WantedCertificate::new(MAIN_CERTIFICATE, [HOST.to_owned()]),
            directory: "https://ca/".to_owned(),
        }
    }

    pub(super) fn certificates(source: Source) -> Result<Certificates> {
        Certificates::with(source, Arc::new(FixedClock::new("2026-03-01T00:00:00Z".parse().unwrap())))
    }

    fn shown(certificates: &Certificates, name: Option<&str>) -> Vec<u8> {
        certificates.set.read().unwrap().choose(name).cert[0].to_vec()
    }

    #[test]
    fn the_name_asked_for_chooses() {
        let directory = tempfile::tempdir().unwrap();
        let main = write_pair(directory.path(), "mail.demo.gov.vn");
        let others = vec![write_pair(directory.path(), "thu.demo.gov.vn")];
        let certificates = certificates(source(&directory, main, others)).unwrap();
        let plain = shown(&certificates, None);
        assert_eq!(shown(&certificates, Some("mail.demo.gov.vn")), plain);
        assert_eq!(shown(&certificates, Some("unknown.example")), plain);
        assert_ne!(shown(&certificates, Some("thu.demo.gov.vn")), plain);
    }

    fn row(order: i64, label: &str, name: &str) -> AcmeCertificateRow {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        AcmeCertificateRow {
            order,
            label: label.to_owned(),
            directory: "https://ca/".to_owned(),
            names: vec![name.to_owned()],
            chain: certificate.pem(),
            secret: key.serialize_der(),
        }
    }

    #[test]
    fn what_was_ordered_takes_the_place_of_the_self_signed_one_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let others = vec![write_pair(directory.path(), "thu.demo.gov.vn")];
        let certificates = certificates(source(&directory, Certificate::default(), others)).unwrap();
        let own = shown(&certificates, Some("mail.demo.gov.vn"));
        let file = shown(&certificates, Some("thu.demo.gov.vn"));
        assert!(certificates.is_self_signed());
        let rows =
            [row(7, MAIN_CERTIFICATE, "mail.demo.gov.vn"), row(9, "demo.gov.vn", "mta-sts.demo.gov.vn")];
        certificates.take(&rows).unwrap();
        assert_eq!((certificates.ordered(), certificates.is_self_signed()), (vec![7, 9], false));
        let ordered = shown(&certificates, None);
        assert_ne!(ordered, own);
        assert_ne!(shown(&certificates, Some("mta-sts.demo.gov.vn")), ordered);
        assert_eq!(shown(&certificates, Some("thu.demo.gov.vn")), file);
        certificates.reload().unwrap();
        assert_eq!(shown(&certificates, None), ordered, "SIGHUP reads files, and what was ordered stays");
        let broken = AcmeCertificateRow { secret: vec![1], ..row(11, MAIN_CERTIFICATE, "mail.demo.gov.vn") };
        let fault = format!("{:#}", certificates.take(&[broken]).unwrap_err());
        assert!(fault.contains("order 11") && certificates.ordered() == [7, 9], "{fault}");
        assert_eq!(shown(&certificates, None), ordered);
    }

    #[test]
    fn of_the_certificates_of_all_nodes_its_own_is_the_main_one() {
        let directory = tempfile::tempdir().unwrap();
        let certificates = certificates(source(&directory, Certificate::default(), vec![])).unwrap();
        let theirs = || row(9, MAIN_CERTIFICATE, "mail2.demo.gov.vn");
        certificates.take(&[theirs()]).unwrap();
        assert!(certificates.is_self_signed(), "another's is none for its own name");
        certificates
            .take(&[row(3, MAIN_CERTIFICATE, HOST), row(5, MAIN_CERTIFICATE, HOST), theirs()])
            .unwrap();
        assert!(!certificates.is_self_signed());
        let own = shown(&certificates, None);
        assert_eq!(shown(&certificates, Some(HOST)), own);
        assert_ne!(shown(&certificates, Some("mail2.demo.gov.vn")), own, "whoever comes to the wrong node");
        // Of another authority is what was tried before.
        let tried =
            AcmeCertificateRow { directory: "https://trial/".to_owned(), ..row(11, MAIN_CERTIFICATE, HOST) };
        let real = row(10, MAIN_CERTIFICATE, HOST);
        let real_der = CertificateDer::from_pem_slice(real.chain.as_bytes()).unwrap().to_vec();
        certificates.take(&[real, tried]).unwrap();
        assert_eq!(shown(&certificates, None), real_der);
    }

    #[test]
    fn a_broken_file_does_not_keep_out_what_was_ordered() {
        let directory = tempfile::tempdir().unwrap();
        let file = write_pair(directory.path(), "thu.demo.gov.vn");
        let broken = file.certificate.clone().unwrap();
        let certificates = certificates(source(&directory, Certificate::default(), vec![file])).unwrap();
        let of_file = shown(&certificates, Some("thu.demo.gov.vn"));
        let own = shown(&certificates, None);
        std::fs::write(broken, "not PEM").unwrap();
        certificates.take(&[row(7, MAIN_CERTIFICATE, HOST)]).unwrap();
        assert_ne!(shown(&certificates, None), own);
        assert_eq!(shown(&certificates, Some("thu.demo.gov.vn")), of_file, "as it was last read");
        let ordered = shown(&certificates, None);
        assert!(certificates.reload().is_err());
        assert_eq!(shown(&certificates, None), ordered);
    }

    #[test]
    fn a_reload_takes_good_files_and_keeps_the_old_for_bad_ones() {
        let directory = tempfile::tempdir().unwrap();
        let main = write_pair(directory.path(), "mail.demo.gov.vn");
        let (crt, key) = (main.certificate.clone().unwrap(), main.key.clone().unwrap());
        let certificates = certificates(source(&directory, main, vec![])).unwrap();
        let first = shown(&certificates, None);

        let other = write_pair(directory.path(), "other.demo.gov.vn");
        std::fs::copy(other.certificate.unwrap(), &crt).unwrap();
        let fault = format!("{:#}", certificates.reload().unwrap_err());
        assert!(fault.contains("is not the key of"), "{fault}");
        std::fs::write(&crt, "not PEM").unwrap();
        assert!(certificates.reload().is_err());
        assert_eq!(shown(&certificates, None), first);

        let renewed = write_pair(directory.path(), "mail.demo.gov.vn");
        assert_eq!((renewed.certificate, renewed.key), (Some(crt), Some(key)));
        certificates.reload().unwrap();
        assert_ne!(shown(&certificates, None), first);
    }
}
