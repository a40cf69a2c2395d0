//! A province in a test: the engine over a real Postgres, mailboxes an@ and binh@demo.gov.vn, and IMAP or ManageSieve on pipes.
//!
//! Connections whose names begin with `P` are plain with STARTTLS (port 143), others are TLS from the start (993).
//! `@A starttls` and `@A deflate` change what their bytes are.

mod deflate;

use access::{Security, Service, imap, sieve};
use engine::{Actor, Arrival, Engine, NewDelegation, NewMailbox, Origin, PolicyEdit, Protocol, Settings};
use jiff::SignedDuration;
use model::{Address, DomainName, FixedClock, MailboxClass, Rng, TraceId};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use testkit::transcript::{Stream, World};
use testkit::{Held, TestDatabase};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const PASSWORD: &str = "Mat-khau-1-cua-toi";
/// Octets in a pipe before its writer waits.
const PIPE_BYTES: usize = 64 << 10;

#[derive(Debug, Default)]
struct CountingRng(AtomicU8);

impl Rng for CountingRng {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(crate) struct Province {
    pub(crate) engine: Engine,
    /// Its connections speak ManageSieve.
    pub(crate) is_sieve: bool,
    store: store::Store,
    server_tls: Arc<rustls::ServerConfig>,
    client_tls: Arc<rustls::ClientConfig>,
    pub(crate) shutdown: CancellationToken,
    tasks: TaskTracker,
    pub(crate) database: TestDatabase,
    held: Option<Held>,
    _spool: tempfile::TempDir,
}

impl Province {
    pub(crate) async fn new() -> Self {
        Self::with_quota(64 << 10).await
    }

    /// Mailboxes of `quota_bytes`.
    pub(crate) async fn with_quota(quota_bytes: u64) -> Self {
        let database = testkit::database().await;
        let endpoint = store::Endpoint::external(&database.server_url, None).unwrap();
        let store = store::Store::new(store::connect(&endpoint, 8).await.unwrap(), None);
        let spool = tempfile::tempdir().unwrap();
        let settings = Settings {
            hostname: "mail.demo.gov.vn".into(),
            spool_dir: spool.path().to_owned(),
            message_bytes_max: 1 << 20,
            password_page: "https://mail.demo.gov.vn/mat-khau".into(),
            exempt_networks: Vec::new(),
        };
        let clock = Arc::new(FixedClock::new("2026-11-22T01:00:00Z".parse().unwrap()));
        let engine = Engine::new(store.clone(), settings, clock, Arc::new(CountingRng::default()));
        engine.open().await.unwrap();
        let domain = DomainName::new("demo.gov.vn").unwrap();
        engine.add_domain(&actor(), &domain, "an-giang").await.unwrap();
        // Quotas that are reached by a few messages.
        let settings = ["person", "organisation"].map(|of| (format!("quota.{of}_min"), "off".to_owned()));
        let edit = PolicyEdit { settings: &settings, based_on: None, reason: "transcripts", dry_run: false };
        engine.change_policy(&actor(), &domain, &edit).await.unwrap();
        for name in ["an", "binh"] {
            engine.add_mailbox(&actor(), &mailbox(name, quota_bytes)).await.unwrap();
        }
        let (server_tls, client_tls) = tls();
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self {
            engine,
            is_sieve: false,
            store,
            server_tls,
            client_tls,
            shutdown,
            tasks,
            database,
            held: None,
            _spool: spool,
        }
    }

    /// One end of a pipe whose other end is served.
    pub(crate) fn pipe(&self, security: Security) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let shutdown = self.shutdown.clone();
        let service = Service { engine: self.engine.clone(), security, shutdown };
        let remote = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if self.is_sieve {
            self.tasks.spawn(sieve::serve(theirs, remote, service));
        } else {
            self.tasks.spawn(imap::serve(theirs, remote, service));
        }
        ours
    }

    pub(crate) fn starttls(&self) -> Security {
        Security::StartTls(Arc::clone(&self.server_tls))
    }

    pub(crate) fn implicit(&self) -> Security {
        Security::Implicit(Arc::clone(&self.server_tls))
    }

    pub(crate) async fn encrypt(&self, stream: Stream) -> io::Result<Stream> {
        let name = ServerName::try_from("mail.demo.gov.vn").unwrap();
        Ok(Box::new(TlsConnector::from(Arc::clone(&self.client_tls)).connect(name, stream).await?))
    }

    /// Sweeps what nobody has, as if so much time had passed, until something was done: the sweeper waits for the
    /// transactions of other tests.
    pub(crate) async fn sweep(&self, later: SignedDuration) {
        while self.store.sweep(self.engine.now() + later).await.unwrap().is_idle() {
            tokio::task::yield_now().await;
        }
    }

    async fn pass(&mut self, seconds: &str) -> Result<(), String> {
        let seconds = seconds.parse().map_err(|_| "not a number of seconds")?;
        self.held.as_mut().ok_or("nothing is held")?.until_somebody_waits().await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        Ok(())
    }

    async fn deliver(&self, to: &str, subject: &str) {
        let recipient = self.engine.recipient(&address(to)).await.unwrap();
        let mut spool = self.engine.new_spool();
        let text = format!("From: <x@y.vn>\r\nSubject: {subject}\r\n\r\nhello\r\n");
        spool.write(text.as_bytes()).await.unwrap();
        let arrival = Arrival {
            origin: Origin {
                trace: TraceId(1),
                remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
                protocol: Protocol::Smtp,
            },
            helo: "y.vn".into(),
            with: "ESMTP",
            tls: None,
            sender: None,
            principal: None,
            wishes: engine::Wishes::default(),
            examined: None,
        };
        self.engine.deliver(&arrival, &[recipient], spool).await.unwrap();
    }
}

impl World for Province {
    async fn connect(&mut self, connection: &str) -> io::Result<Stream> {
        if connection.starts_with('P') {
            return Ok(Box::new(self.pipe(self.starttls())));
        }
        let pipe = Box::new(self.pipe(self.implicit()));
        self.encrypt(pipe).await
    }

    fn variables(&self) -> Vec<(String, String)> {
        [
            ("password", PASSWORD),
            // "\0an@demo.gov.vn\0" and the password; the two alone; her own authorization identity as mutt sends it;
            // somebody else's.
            ("plain", "AGFuQGRlbW8uZ292LnZuAE1hdC1raGF1LTEtY3VhLXRvaQ=="),
            ("user64", "YW5AZGVtby5nb3Yudm4="),
            ("password64", "TWF0LWtoYXUtMS1jdWEtdG9p"),
            ("plain_own", "YW5AZGVtby5nb3Yudm4AYW5AZGVtby5nb3Yudm4ATWF0LWtoYXUtMS1jdWEtdG9p"),
            ("proxy", "YmluaEBkZW1vLmdvdi52bgBhbkBkZW1vLmdvdi52bgBNYXQta2hhdS0xLWN1YS10b2k="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    async fn act(&mut self, words: &[String]) -> Result<(), String> {
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["deliver", to, subject] => self.deliver(to, subject).await,
            ["password", of, password] => {
                self.engine.set_password(&actor(), &address(of), password, false, "thử").await.unwrap();
            }
            ["lock", of] => {
                let reason = model::lifecycle::LockReason::Requested;
                self.engine.lock(&actor(), &address(of), reason, "thử").await.unwrap();
            }
            // A mailbox of an organisation, and who has which rights to it.
            ["office", name, quota @ ..] => {
                let quota = quota.first().map_or(64 << 10, |octets| octets.parse().unwrap());
                let office = NewMailbox { class: MailboxClass::Organisation, ..mailbox(name, quota) };
                self.engine.add_mailbox(&actor(), &office).await.unwrap();
            }
            ["delegate", office, to, rights] => {
                let new = NewDelegation {
                    mailbox: address(office),
                    delegate: address(to),
                    rights: rights.split(',').map(|right| right.parse().unwrap()).collect(),
                    document: "01/QĐ-STTTT".into(),
                    consent: None,
                    since: None,
                    until: None,
                };
                self.engine.grant_delegation(&actor(), &new).await.unwrap();
            }
            ["revoke", office, from] => {
                self.engine
                    .revoke_delegation(&actor(), &address(office), Some(&address(from)))
                    .await
                    .unwrap();
            }
            ["policy", setting] => {
                let domain = DomainName::new("demo.gov.vn").unwrap();
                let (key, value) = setting.split_once('=').ok_or("not key=value")?;
                let settings = [(key.to_owned(), value.to_owned())];
                let edit =
                    PolicyEdit { settings: &settings, based_on: None, reason: "thử", dry_run: false };
                self.engine.change_policy(&actor(), &domain, &edit).await.unwrap();
            }
            ["index"] => {
                let stop = CancellationToken::new();
                self.engine.finish_search_index(&stop, |_| {}).await.unwrap();
            }
            // Another transaction holds the mailboxes of this name; so many seconds of ours pass when a command waits
            // for it. Only on a runtime of one thread, whose clock can be moved.
            ["hold", name] => {
                let lock = format!("select from folders where name = '{name}' for update");
                self.held = Some(self.database.hold(&lock).await);
            }
            ["pass", seconds] => self.pass(seconds).await?,
            ["release"] => self.held.take().ok_or("nothing is held")?.release().await,
            // Tombstones are kept by number, ten thousand of them: here none is.
            ["forget"] => {
                self.database.run("update folders set tombstone_floor = modseq").await;
                self.database.run("delete from tombstones").await;
            }
            ["shutdown"] => self.shutdown.cancel(),
            _ => return Err(format!("unknown: {words:?}")),
        }
        Ok(())
    }

    async fn convert(&mut self, stream: Stream, words: &[String]) -> Result<Stream, String> {
        match words {
            [word] if word == "starttls" => self.encrypt(stream).await.map_err(|error| error.to_string()),
            [word] if word == "deflate" => Ok(deflate::deflated(stream, &self.tasks)),
            _ => Err(format!("unknown: {words:?}")),
        }
    }
}

fn actor() -> Actor {
    Actor::console("test")
}

fn address(name: &str) -> Address {
    format!("{name}@demo.gov.vn").parse().unwrap()
}

fn mailbox(name: &str, quota_bytes: u64) -> NewMailbox {
    NewMailbox {
        address: address(name),
        display_name: "Nguyễn Văn A".into(),
        class: MailboxClass::Person,
        unit: None,
        quota_bytes: Some(quota_bytes),
        password: Some(PASSWORD.into()),
        must_change_password: false,
    }
}

fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["mail.demo.gov.vn".to_owned()];
    let certificate: CertificateDer<'static> =
        rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().into();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
