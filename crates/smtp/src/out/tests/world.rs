//! A small Internet on loopback: a name server with a zone of the test's making, and mail servers that do as they are told.

use super::signed::Signer;
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, NS, TLSA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Runs until the test ends.
#[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
pub(super) fn run(task: impl Future<Output = ()> + Send + 'static) -> DropGuard {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { stopped.run_until_cancelled(task).await });
    stop.drop_guard()
}

/// Names and what they have; a name with a record of none of the kinds below fails (SERVFAIL).
#[derive(Clone, Default)]
pub(super) struct Zone {
    records: Vec<(String, Option<RData>)>,
    signer: Option<Arc<Signer>>,
    /// Who asks knows that the root is signed.
    is_known: bool,
    /// What is said to those who ask for no proof.
    lie: Option<Box<Zone>>,
}

pub(super) fn fqdn(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).unwrap()
}

pub(super) fn name_text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

impl Zone {
    pub(super) fn mx(mut self, domain: &str, preference: u16, host: &str) -> Self {
        let host = if host == "." { Name::root() } else { fqdn(host) };
        self.records.push((domain.to_owned(), Some(RData::MX(MX::new(preference, host)))));
        self
    }

    pub(super) fn at(mut self, host: &str, address: &str) -> Self {
        let data = match address.parse().unwrap() {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.records.push((host.to_owned(), Some(data)));
        self
    }

    pub(super) fn alias(mut self, name: &str, of: &str) -> Self {
        self.records.push((name.to_owned(), Some(RData::CNAME(CNAME(fqdn(of))))));
        self
    }

    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.records.push((name.to_owned(), Some(RData::TXT(TXT::new(vec![text.to_owned()])))));
        self
    }

    pub(super) fn broken(mut self, name: &str) -> Self {
        self.records.push((name.to_owned(), None));
        self
    }

    pub(super) fn key(mut self, host: &str, port: u16, key: &guard::Tlsa) -> Self {
        let (usage, selector, matching) = (key.usage.into(), key.selector.into(), key.matching.into());
        let data = RData::TLSA(TLSA::new(usage, selector, matching, key.data.clone()));
        self.records.push((format!("_{port}._tcp.{host}"), Some(data)));
        self
    }

    /// From now on everything is one zone, the root, and signed.
    pub(super) fn signed(mut self, signer: Signer) -> Self {
        self.records.push((String::new(), Some(RData::NS(NS(fqdn("ns"))))));
        self.signer = Some(Arc::new(signer));
        self
    }

    /// The same, and whoever asks has been told so beforehand.
    pub(super) fn known_as_signed(self, signer: Signer) -> Self {
        Self { is_known: true, ..self.signed(signer) }
    }

    /// Somebody on the way answers in its place whoever asks for no proof.
    pub(super) fn hidden_by(self, lie: Self) -> Self {
        Self { lie: Some(Box::new(lie)), ..self }
    }

    pub(super) async fn serve(self) -> (guard::Resolver, DropGuard) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [socket.local_addr().unwrap()];
        let resolver = match &self.signer {
            Some(signer) if self.is_known => {
                guard::Resolver::with_anchors(&servers, signer.anchors()).unwrap()
            }
            Some(signer) => guard::Resolver::trusting(&servers, signer.anchors()).unwrap(),
            None => guard::Resolver::new(&servers).unwrap(),
        };
        let serving = run(async move {
            let mut buffer = [0; 1500];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let wants_proof = question.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
                if let Some(lie) = self.lie.as_ref().filter(|_| !wants_proof) {
                    socket.send_to(&lie.answer(&question).to_vec().unwrap(), peer).await.unwrap();
                    continue;
                }
                let mut answer = self.answer(&question);
                let failed = answer.metadata.response_code == ResponseCode::ServFail;
                if let Some(signer) = self.signer.as_ref().filter(|_| !failed) {
                    signer.sign(&mut answer, &self.records);
                }
                socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
            }
        });
        (resolver, serving)
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        let query = question.queries[0].clone();
        answer.add_query(query.clone());
        let (mut name, mut known) = (query.name().clone(), false);
        // An alias is followed as a resolver does.
        for _ in 0..8 {
            let text = name_text(&name);
            let here: Vec<_> = self.records.iter().filter(|(owner, _)| *owner == text).collect();
            known |= !here.is_empty();
            if here.iter().any(|(_, data)| data.is_none()) {
                answer.metadata.response_code = ResponseCode::ServFail;
                return answer;
            }
            let mut next = None;
            for (_, data) in here {
                let data = data.clone().unwrap();
                let kind = data.record_type();
                if let RData::CNAME(of) = &data {
                    next = Some(of.0.clone());
                }
                if kind == query.query_type() || kind == RecordType::CNAME {
                    answer.add_answer(Record::from_rdata(name.clone(), 60, data));
                }
            }
            match next {
                Some(next) => name = next,
                None => break,
            }
        }
        if !known {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer
    }
}

/// A certificate authority and what it signed.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {}", next_number()));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(super) fn roots(&self) -> Arc<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        Arc::new(roots)
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// For these names; the authority's own certificate is shown with it.
    pub(super) fn sign(&self, names: &[&str], expired: bool) -> Certified {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Certified { chain: vec![leaf, self.certificate()], key: key.serialize_der() }
    }
}

/// Two authorities of one name would be taken for each other.
fn next_number() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// A certificate with its chain and key.
pub(super) struct Certified {
    pub(super) chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Certified {
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key.into())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// How a mail server behaves. A line that begins with one of `answers` gets that answer once per entry, in their order;
/// `!` closes the connection instead, `?` says nothing.
#[derive(Clone, Default)]
pub(super) struct Manners {
    pub(super) greeting: Option<&'static str>,
    pub(super) offers: Vec<&'static str>,
    pub(super) tls: Option<TlsAcceptor>,
    /// STARTTLS is offered, and the handshake fails.
    pub(super) broken_tls: bool,
    /// STARTTLS is offered, and in the handshake nothing is said.
    pub(super) silent_tls: bool,
    pub(super) answers: Vec<(&'static str, &'static str)>,
}

/// What a mail server has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) connections: usize,
    pub(super) lines: Vec<String>,
    pub(super) messages: Vec<Vec<u8>>,
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) seen: Arc<Mutex<Seen>>,
    _serving: DropGuard,
}

impl Server {
    pub(super) fn messages(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .messages
            .iter()
            .map(|octets| String::from_utf8_lossy(octets).into_owned())
            .collect()
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }
}

/// Serves at `address`, on `port` or any.
pub(super) async fn serve(address: &str, port: u16, manners: Manners) -> Server {
    let socket = TcpListener::bind(SocketAddr::new(address.parse().unwrap(), port)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    let serving = run(async move {
        loop {
            let (stream, _) = socket.accept().await.unwrap();
            shared.lock().unwrap().connections += 1;
            // One after the other: no test needs more.
            let _ended = speak(stream, manners.clone(), &shared).await;
        }
    });
    Server { port, seen, _serving: serving }
}

async fn speak(
    mut stream: tokio::net::TcpStream,
    mut manners: Manners,
    seen: &Mutex<Seen>,
) -> std::io::Result<()> {
    let greeting = manners.greeting.unwrap_or("220 mx.b.vn ready");
    if greeting == "!" {
        return Ok(());
    }
    stream.write_all(format!("{greeting}\r\n").as_bytes()).await?;
    let mut stream = BufReader::new(stream);
    if dialogue(&mut stream, &mut manners, seen, false).await? {
        let stream = stream.into_inner();
        if manners.broken_tls {
            return Ok(());
        }
        if manners.silent_tls {
            std::future::pending::<()>().await;
        }
        let secured = manners.tls.clone().unwrap().accept(stream).await?;
        dialogue(&mut BufReader::new(secured), &mut manners, seen, true).await?;
    }
    Ok(())
}

/// True: TLS is to begin.
async fn dialogue<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    manners: &mut Manners,
    seen: &Mutex<Seen>,
    tls: bool,
) -> std::io::Result<bool> {
    let mut message = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end().to_owned();
        seen.lock().unwrap().lines.push(line.clone());
        let told = manners.answers.iter().position(|(head, _)| line.starts_with(head));
        let told = told.map(|at| manners.answers.remove(at).1);
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        if let Some(size) =
            line.strip_prefix("BDAT ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok())
        {
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await?;
            message.extend(chunk);
        }
        let answer = match (told, verb.as_str()) {
            (Some("!"), _) => return Ok(false),
            (Some("?"), _) => std::future::pending().await,
            (Some(answer), _) => answer.to_owned(),
            (None, "EHLO") => {
                let mut lines = vec!["mx.b.vn".to_owned()];
                lines.extend(manners.offers.iter().map(|offer| (*offer).to_owned()));
                if !tls && (manners.tls.is_some() || manners.broken_tls || manners.silent_tls) {
                    lines.push("STARTTLS".into());
                }
                let last = lines.len() - 1;
                let line = |(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' });
                lines.into_iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
            }
            (None, "DATA") => "354 go ahead".to_owned(),
            (None, "STARTTLS") => "220 go ahead".to_owned(),
            (None, "QUIT") => "221 bye".to_owned(),
            (None, _) => "250 2.0.0 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        stream.flush().await?;
        match (verb.as_str(), answer.get(..3)) {
            ("STARTTLS", Some("220")) => return Ok(true),
            ("QUIT", _) => return Ok(false),
            ("BDAT", Some("250")) if line.ends_with("LAST") => {
                seen.lock().unwrap().messages.push(std::mem::take(&mut message));
            }
            ("DATA", Some("354")) => {
                let content = until_dot(stream).await?;
                let told = manners.answers.iter().position(|(head, _)| *head == ".");
                match told.map(|at| manners.answers.remove(at).1) {
                    Some("!") => return Ok(false),
                    Some("?") => std::future::pending().await,
                    Some(answer) => stream.write_all(format!("{answer}\r\n").as_bytes()).await?,
                    None => {
                        seen.lock().unwrap().messages.push(content);
                        stream.write_all(b"250 2.0.0 mine now\r\n").await?;
                    }
                }
                stream.flush().await?;
            }
            _ => {}
        }
    }
}

async fn until_dot<S: tokio::io::AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(content);
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
