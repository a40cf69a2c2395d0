//! Use cases against a real Postgres, a clock that stands still and dice that count.

mod activity;
mod admission;
mod announcements;
mod answers;
mod audit;
mod authority;
mod cases;
mod certificates;
mod checking;
mod clouds;
mod delegation;
mod deliver;
mod directory;
mod dkim;
mod dmarc;
mod export;
mod failover;
mod first_contact;
mod folders;
mod forwarding;
mod groups;
mod guessing;
mod handling;
mod handover;
mod harm;
mod identity;
mod import;
mod learning;
mod left_forwards;
mod life;
mod linking;
mod logins;
mod lost_commit;
mod mailbox;
mod mailboxes;
mod merging;
mod moves;
mod named;
mod organisation;
mod passwords;
mod quarantine;
mod queue;
mod quota;
mod readdress;
mod regulation;
mod requests;
mod resync;
mod reviews;
mod scanning;
mod scripts;
mod search;
mod sending;
mod sieve;
mod tls_reports;
mod trace;
mod trace_many;
mod visits;
mod years;

use crate::{Actor, Arrival, Delivery, Engine, NewMailbox, Origin, Principal, Protocol, Sender, Settings};
use jiff::Timestamp;
use model::{Address, DomainName, FixedClock, FolderName, MailboxClass, Rng, TraceId, Uid};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::{Endpoint, Store};
use testkit::TestDatabase;

pub(crate) const PASSWORD: &str = "Mật khẩu 1 của tôi";

/// Different bytes at every call, the same in every run.
#[derive(Debug, Default)]
pub(crate) struct CountingRng(AtomicU64);

impl Rng for CountingRng {
    fn fill(&self, bytes: &mut [u8]) {
        let call = self.0.fetch_add(1, Ordering::Relaxed);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = blake3_byte(call, at);
        }
    }
}

fn blake3_byte(call: u64, at: usize) -> u8 {
    let hash = blake3::hash(&[call.to_be_bytes(), (at as u64 / 32).to_be_bytes()].concat());
    hash.as_bytes()[at % 32]
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Store,
    pub(crate) database: TestDatabase,
    spool: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = testkit::database().await;
        let endpoint = Endpoint::external(&database.server_url, None).unwrap();
        let store = Store::new(store::connect(&endpoint, 16).await.unwrap(), None);
        let spool = tempfile::tempdir().unwrap();
        let settings = settings(&spool);
        let start: Timestamp = "2026-11-22T01:00:00Z".parse().unwrap();
        let clock = Arc::new(FixedClock::new(start));
        let engine = Engine::new(store.clone(), settings, clock.clone(), Arc::new(CountingRng::default()));
        engine.open().await.unwrap();
        let world = Self { engine, clock, store, database, spool };
        let domain = DomainName::new("demo.gov.vn").unwrap();
        world.engine.add_domain(&actor(), &domain, "an-giang").await.unwrap();
        world
    }

    /// Another process on the same database.
    pub(crate) fn another_node(&self) -> Engine {
        let rng = Arc::new(CountingRng(AtomicU64::new(1 << 32)));
        Engine::new(self.store.clone(), settings(&self.spool), self.clock.clone(), rng)
    }

    /// A mailbox `name@demo.gov.vn`, logged in.
    pub(crate) async fn user(&self, name: &str) -> Principal {
        self.engine.add_mailbox(&actor(), &mailbox(name)).await.unwrap();
        self.engine.log_in(&format!("{name}@demo.gov.vn"), PASSWORD, &origin()).await.unwrap()
    }

    pub(crate) async fn deliver(&self, to: &[&str], message: &[u8]) -> Delivery {
        let mut recipients = Vec::new();
        for name in to {
            recipients.push(self.engine.recipient(&address(name)).await.unwrap());
        }
        let mut spool = self.engine.new_spool();
        spool.write(message).await.unwrap();
        let delivered = self.engine.deliver(&arrival(), &recipients, spool).await.unwrap();
        self.engine.tell_of_failed().await;
        delivered
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.database.number(query).await
    }

    /// Targets of the acts with this name, in their order.
    pub(crate) async fn audited(&self, action: &str) -> Vec<String> {
        let query = format!("select target from audit where action = '{action}' order by audit_id");
        self.database.texts(&query).await
    }

    /// What the last act with this name is kept with.
    pub(crate) async fn detail(&self, action: &str) -> serde_json::Value {
        let query = format!(
            "select detail::text from audit where action = '{action}' order by audit_id desc limit 1"
        );
        serde_json::from_str(&self.database.texts(&query).await[0]).unwrap()
    }

    /// The letters in somebody's INBOX as he sees them, the oldest first.
    pub(crate) async fn letters(&self, who: &Principal) -> Vec<String> {
        self.read(who, "INBOX").await.iter().map(|(_, raw)| words_of(raw)).collect()
    }

    /// The octets of every message in the folder, by uid.
    pub(crate) async fn read(&self, who: &Principal, folder: &str) -> Vec<(u32, Vec<u8>)> {
        let folder = self.engine.folder(who, &FolderName::new(folder).unwrap()).await.unwrap().unwrap();
        let view = self.engine.view(who, folder.id).await.unwrap();
        let uids: Vec<Uid> = view.entries().iter().map(|entry| entry.uid).collect();
        let wanted = crate::Wanted { body: true, ..Default::default() };
        let messages = self.engine.messages(who, &view, &uids, wanted).await.unwrap();
        let mut read = Vec::new();
        for (uid, message) in uids.iter().zip(messages) {
            let body = message.unwrap().body.unwrap();
            read.push((uid.0, body.read(0..body.size()).await.unwrap()));
        }
        read
    }
}

/// A letter as its reader sees it: its subject, then its words, with each run of blanks as one.
pub(crate) fn words_of(raw: &[u8]) -> String {
    let facts = proto::mime::facts(raw);
    let first = facts.structure.parts().find(|part| part.is_text()).unwrap();
    let body = &raw[usize::try_from(first.body_start).unwrap()..usize::try_from(first.body_end).unwrap()];
    let subject = proto::mime::decode_header(facts.envelope.subject.as_deref().unwrap());
    let words = format!("{subject} {}", proto::mime::decode_text(first, body).unwrap());
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn settings(spool: &tempfile::TempDir) -> Settings {
    Settings {
        hostname: "mail.demo.gov.vn".into(),
        spool_dir: spool.path().to_owned(),
        message_bytes_max: 70 << 20,
        password_page: "https://mail.demo.gov.vn/mat-khau".into(),
        exempt_networks: Vec::new(),
    }
}

pub(crate) fn actor() -> Actor {
    Actor::console("test")
}

pub(crate) fn address(name: &str) -> Address {
    if name.contains('@') { name.parse().unwrap() } else { format!("{name}@demo.gov.vn").parse().unwrap() }
}

pub(crate) fn mailbox(name: &str) -> NewMailbox {
    NewMailbox {
        address: address(name),
        display_name: "Nguyễn Văn A".into(),
        class: MailboxClass::Person,
        unit: None,
        quota_bytes: None,
        password: Some(PASSWORD.into()),
        must_change_password: false,
    }
}

pub(crate) fn origin() -> Origin {
    Origin { trace: TraceId(1), remote: "192.0.2.1".parse().unwrap(), protocol: Protocol::Smtp }
}

pub(crate) fn arrival() -> Arrival {
    Arrival {
        origin: origin(),
        helo: "client.example".into(),
        with: "ESMTP",
        tls: None,
        sender: Some(Sender::from(&address("sender@example.org"))),
        principal: None,
        wishes: crate::Wishes::default(),
        examined: None,
    }
}

/// Changes one field of the domain's policy.
pub(crate) async fn policy(world: &World, field: &str, value: &str) {
    let settings = [(field.to_owned(), value.to_owned())];
    let edit = crate::PolicyEdit { settings: &settings, based_on: None, reason: "QĐ", dry_run: false };
    let domain = DomainName::new("demo.gov.vn").unwrap();
    match world.engine.change_policy(&actor(), &domain, &edit).await {
        Ok(_) | Err(crate::AdminError::PolicyVersion(model::VersionError::Unchanged)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Without the trace headers, which end at the first line that is not theirs.
pub(crate) fn without_trace(message: &[u8]) -> &[u8] {
    let text = String::from_utf8_lossy(message);
    assert!(text.starts_with("Return-Path: <"), "{text}");
    let received = text.find("Received: ").unwrap();
    let mut at = received;
    loop {
        at += text[at..].find("\r\n").unwrap() + 2;
        if !text[at..].starts_with('\t') {
            return &message[at..];
        }
    }
}
