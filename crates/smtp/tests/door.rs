//! The front door with everything behind it: real engine, real Postgres, real TLS.
//!
//! `@role …`, `@tls implicit` and `@in-flight BYTES` come before the first connection. `@inbox an 2 TEXT` says that the
//! mailbox has two messages and the last has the text (without spaces) in it; `@password an TEXT` changes a password. `@examined`
//! has mail of strangers looked at, with a name server that knows no name but that 192.0.2.1 is on the list bl.test; `@exempt NETWORK` and
//! `@relay NETWORK` are options, `@policy FIELD VALUE` is the domain's.

use engine::{Actor, Engine, NewMailbox, Origin, PolicyEdit, Principal, Protocol, Settings, Wanted};
use guard::Resolver;
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use model::{Address, DomainName, FixedClock, FolderName, MailboxClass, Network, Rng, TraceId, Uid};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use smtp::{Door, Gate, Limits, Role, Scrutiny, Tls};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Endpoint, Store};
use testkit::TestDatabase;
use testkit::transcript::{Stream, World, check};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PASSWORD: &str = "mật khẩu 1";
const HOST: &str = "mail.demo.vn";

#[derive(Debug, Default)]
struct CountingRng(AtomicU64);

impl Rng for CountingRng {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            *byte = (count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
    }
}

/// Names and labels of what is counted on this thread.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<Mutex<BTreeSet<String>>>);

struct One(Counted, String);

impl CounterFn for One {
    fn increment(&self, _: u64) {
        self.0.0.lock().unwrap().insert(self.1.clone());
    }
    fn absolute(&self, _: u64) {}
}

impl Recorder for Counted {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        Counter::from_arc(Arc::new(One(self.clone(), name)))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

struct Province {
    engine: Engine,
    clock: Arc<FixedClock>,
    limits: Limits,
    role: Role,
    implicit: bool,
    /// Name servers, where mail of strangers is looked at, and whence it comes by a relay.
    examined: Option<Resolver>,
    relays: Vec<Network>,
    server: Arc<ServerConfig>,
    connector: TlsConnector,
    tasks: TaskTracker,
    _database: TestDatabase,
    _spool: tempfile::TempDir,
}

impl Province {
    async fn new() -> Self {
        let database = testkit::database().await;
        let endpoint = Endpoint::external(&database.server_url, None).unwrap();
        let store = Store::new(store::connect(&endpoint, 8).await.unwrap(), None);
        let spool = tempfile::tempdir().unwrap();
        let settings = Settings {
            hostname: HOST.into(),
            spool_dir: spool.path().to_owned(),
            message_bytes_max: 1 << 20,
            password_page: "https://mail.demo.gov.vn/mat-khau".into(),
            exempt_networks: Vec::new(),
        };
        let clock = Arc::new(FixedClock::new("2026-11-22T01:00:00Z".parse().unwrap()));
        let engine = Engine::new(store, settings, clock.clone(), Arc::new(CountingRng::default()));
        engine.open().await.unwrap();
        let domain = DomainName::new("demo.vn").unwrap();
        engine.add_domain(&actor(), &domain, "an-giang").await.unwrap();
        // The passwords that the programs were recorded with, and a quota that one message fills.
        let settings =
            [("password.upper", "false"), ("password.digit", "false"), ("quota.person_min", "off")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let edit = PolicyEdit { settings: &settings, based_on: None, reason: "transcripts", dry_run: false };
        engine.change_policy(&actor(), &domain, &edit).await.unwrap();
        for name in ["an", "binh", "postmaster"] {
            engine.add_mailbox(&actor(), &mailbox(name)).await.unwrap();
        }
        let day = NewMailbox { quota_bytes: Some(1_000), ..mailbox("day") };
        engine.add_mailbox(&actor(), &day).await.unwrap();
        let alias = "le.an@demo.vn".parse().unwrap();
        engine.add_alias(&actor(), &alias, &"an@demo.vn".parse().unwrap()).await.unwrap();
        let (server, connector) = tls();
        Self {
            engine,
            clock,
            limits: Limits::default(),
            role: Role::Smtp,
            implicit: false,
            examined: None,
            relays: Vec::new(),
            server,
            connector,
            tasks: TaskTracker::new(),
            _database: database,
            _spool: spool,
        }
    }

    fn door(&self) -> Door {
        let (_, server) = watch::channel(Arc::clone(&self.server));
        Door {
            role: self.role,
            tls: if self.implicit { Tls::Implicit(server) } else { Tls::StartTls(server) },
            engine: self.engine.clone(),
            gate: Gate::new(self.limits.clone()),
            scrutiny: self.examined.clone().map(|resolver| Scrutiny::new(resolver, &self.relays)),
        }
    }

    /// A name server that knows no name.
    async fn nameless(&self) -> Resolver {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = Resolver::new(&[socket.local_addr().unwrap()]).unwrap();
        self.tasks.spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let mut answer = Message::response(question.metadata.id, OpCode::Query);
                answer.add_query(question.queries[0].clone());
                if answer.queries[0].name().to_ascii() == "1.2.0.192.bl.test." {
                    let data = RData::A(A::new(127, 0, 0, 4));
                    answer.add_answer(Record::from_rdata(answer.queries[0].name().clone(), 60, data));
                } else {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
            }
        });
        resolver
    }

    async fn set_policy(&self, field: &str, value: &str) {
        let settings = [(field.to_owned(), value.to_owned())];
        let edit = PolicyEdit { settings: &settings, based_on: None, reason: "transcripts", dry_run: false };
        self.engine.change_policy(&actor(), &DomainName::new("demo.vn").unwrap(), &edit).await.unwrap();
    }

    async fn secured(&self, stream: Stream) -> io::Result<Stream> {
        let name = ServerName::try_from(HOST).unwrap();
        Ok(Box::new(self.connector.connect(name, stream).await?))
    }

    /// The messages of somebody's INBOX, as text.
    async fn inbox(&self, name: &str) -> Vec<String> {
        let who = self.principal(name).await;
        let folder = self.engine.folder(&who, &FolderName::new("INBOX").unwrap()).await.unwrap().unwrap();
        let view = self.engine.view(&who, folder.id).await.unwrap();
        let uids: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
        let wanted = Wanted { body: true, ..Wanted::default() };
        let mut texts = Vec::new();
        for message in self.engine.messages(&who, &view, &uids, wanted).await.unwrap() {
            let body = message.unwrap().body.unwrap();
            let bytes = body.read(0..body.size()).await.unwrap();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        texts
    }

    async fn principal(&self, name: &str) -> Principal {
        let origin =
            Origin { trace: TraceId(1), remote: IpAddr::from([192, 0, 2, 7]), protocol: Protocol::Imap };
        self.engine.log_in(&format!("{name}@demo.vn"), PASSWORD, &origin).await.unwrap()
    }
}

impl World for Province {
    async fn connect(&mut self, _connection: &str) -> io::Result<Stream> {
        let (ours, theirs) = tokio::io::duplex(4_096);
        let door = self.door();
        self.tasks.spawn(async move {
            smtp::serve(theirs, IpAddr::from([192, 0, 2, 1]), &door, &CancellationToken::new()).await;
        });
        let stream: Stream = Box::new(ours);
        if self.implicit { self.secured(stream).await } else { Ok(stream) }
    }

    async fn advance(&mut self, by: Duration) -> Result<(), String> {
        self.clock.advance(by.try_into().map_err(|error| format!("{error}"))?);
        Ok(())
    }

    async fn act(&mut self, words: &[String]) -> Result<(), String> {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["role", "submission"] => self.role = Role::Submission,
            ["role", "lmtp"] => self.role = Role::Lmtp,
            ["tls", "implicit"] => self.implicit = true,
            ["examined"] => self.examined = Some(self.nameless().await),
            ["exempt", network] => self.limits.exempt.push(network.parse().unwrap()),
            ["relay", network] => self.relays.push(network.parse().unwrap()),
            ["in-flight", bytes] => self.limits.bytes_in_flight = bytes.parse().unwrap(),
            ["policy", field, value] => self.set_policy(field, value).await,
            ["password", name, password] => {
                let address = Address::new(name, "demo.vn").unwrap();
                self.engine.set_password(&actor(), &address, password, false, "thử").await.unwrap();
            }
            ["inbox", name, count, ref text @ ..] => {
                let messages = self.inbox(name).await;
                if messages.len().to_string() != count {
                    return Err(format!("{} messages", messages.len()));
                }
                let last = messages.last().map(String::as_str).unwrap_or_default();
                // Line ends can be named, as \r\n.
                let escaped = last.escape_debug().to_string();
                let missing = text.iter().find(|text| !last.contains(**text) && !escaped.contains(**text));
                if let Some(missing) = missing {
                    return Err(format!("{missing} is not in {last}"));
                }
            }
            _ => return Err(format!("unknown: {words:?}")),
        }
        Ok(())
    }

    async fn convert(&mut self, stream: Stream, words: &[String]) -> Result<Stream, String> {
        if words != ["starttls"] {
            return Err(format!("unknown: {words:?}"));
        }
        self.secured(stream).await.map_err(|error| error.to_string())
    }
}

fn actor() -> Actor {
    Actor::console("test")
}

fn mailbox(name: &str) -> NewMailbox {
    NewMailbox {
        address: Address::new(name, "demo.vn").unwrap(),
        display_name: "Nguyễn Văn A".into(),
        class: MailboxClass::Person,
        unit: None,
        quota_bytes: None,
        password: Some(PASSWORD.into()),
        must_change_password: false,
    }
}

/// A server's side with a certificate of its own, and a client that trusts it.
fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

async fn transcript(name: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    check(path, Province::new).await;
}

#[tokio::test]
async fn mail_from_other_servers() {
    transcript("receive.txt").await;
}

/// And counted by what it was refused for.
#[tokio::test]
async fn mail_of_strangers_is_looked_at() {
    let counted = Counted::default();
    let _counting = metrics::set_default_local_recorder(&counted);
    transcript("examined.txt").await;
    let seen = counted.0.lock().unwrap().clone();
    for reason in ["own_domain", "header"] {
        let expected = format!("congthu_messages_refused_total door=smtp reason={reason}");
        assert!(seen.contains(&expected), "{expected}: {seen:?}");
    }
}

/// By its greeting and by lists, as policy says; and counted.
#[tokio::test]
async fn who_brings_mail_is_looked_at() {
    let counted = Counted::default();
    let _counting = metrics::set_default_local_recorder(&counted);
    transcript("connection.txt").await;
    let seen = counted.0.lock().unwrap().clone();
    for expected in [
        "congthu_messages_refused_total door=smtp reason=listed",
        "congthu_messages_refused_total door=smtp reason=helo",
        "congthu_dnsbl_total zone=bl.test result=listed",
        "congthu_dnsbl_total zone=empty.test result=not_listed",
    ] {
        assert!(seen.contains(expected), "{expected}: {seen:?}");
    }
}

/// Where policy wants it; counted, and not where nothing is looked at.
#[tokio::test]
async fn who_was_never_here_is_asked_to_come_again() {
    let counted = Counted::default();
    let _counting = metrics::set_default_local_recorder(&counted);
    transcript("greylist.txt").await;
    let seen = counted.0.lock().unwrap().clone();
    let results = ["first", "early", "came_back", "known"];
    let results = results.map(|result| format!("congthu_first_contacts_total result={result}"));
    let refused = "congthu_messages_refused_total door=smtp reason=greylisted".to_owned();
    for expected in results.into_iter().chain([refused]) {
        assert!(seen.contains(&expected), "{expected}: {seen:?}");
    }
}

#[tokio::test]
async fn a_mailbox_fills_up_while_mail_is_under_way() {
    transcript("full.txt").await;
    transcript("full-lmtp.txt").await;
}

#[tokio::test]
async fn mail_over_starttls() {
    transcript("starttls.txt").await;
}

#[tokio::test]
async fn submission() {
    transcript("submission.txt").await;
}

#[tokio::test]
async fn submission_under_implicit_tls() {
    transcript("implicit.txt").await;
}

/// What mail programs really say.
#[tokio::test]
async fn submission_by_programs() {
    transcript("programs.txt").await;
}

#[tokio::test]
async fn lmtp() {
    transcript("lmtp.txt").await;
}

#[tokio::test]
async fn too_much_at_once() {
    transcript("in-flight.txt").await;
}

/// Whoever speaks in the clear to port 465 gets a closed connection, not a banner.
#[tokio::test]
async fn plain_text_on_the_tls_port() {
    let mut province = Province::new().await;
    province.implicit = true;
    let (mut ours, theirs) = tokio::io::duplex(4_096);
    let door = province.door();
    let stop = CancellationToken::new();
    let client = async {
        ours.write_all(b"EHLO c\r\n").await.unwrap();
        let mut said = Vec::new();
        ours.read_to_end(&mut said).await.unwrap();
        assert!(!said.starts_with(b"220"), "{said:?}");
    };
    tokio::join!(smtp::serve(theirs, IpAddr::from([192, 0, 2, 1]), &door, &stop), client);
}

#[tokio::test]
async fn connections_are_counted_and_stopped() {
    let mut province = Province::new().await;
    province.limits.connections_per_address = 1;
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let door = Arc::new(province.door());
    let served = async {
        for _ in 0..2 {
            let (stream, peer) = socket.accept().await.unwrap();
            smtp::admit(stream, peer.ip(), &door, &tasks, &shutdown);
        }
    };
    let client = async {
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut greeting = [0; 4];
        first.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 ");
        let mut said = String::new();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "421 4.7.0 Too many connections from your address\r\n");
        shutdown.cancel();
        said.clear();
        first.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("421 4.3.2 The server is shutting down; try again soon\r\n"), "{said}");
    };
    tokio::join!(served, client);
    tasks.close();
    tasks.wait().await;
}
