//! The runner with a real queue and a scripted other side.

#![expect(clippy::disallowed_methods, reason = "each test waits for the runner that it spawns")]

use engine::{
    Actor, Arrival, Engine, LeasedDelivery, NewMailbox, Origin, OutgoingOctets, PolicyEdit, Principal,
    Protocol, Sender, Settings, Unreachable, Wishes,
};
use model::queue::{Answer, Outcome, Status};
use model::{Address, DomainName, FixedClock, MailboxClass, Rng, TraceId};
use smtp::runner::{Attempt, Carrier, Connection, REPORT_CONNECTIONS_MAX, UNPROVEN_MAX, run};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Endpoint, Store};
use testkit::TestDatabase;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const PASSWORD: &str = "Mật khẩu 1 của tôi";

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

/// How a destination behaves, by its name.
#[derive(Clone)]
struct Script(Arc<Played>);

struct Played {
    sent: Mutex<Vec<String>>,
    open: AtomicUsize,
    most: AtomicUsize,
    opened: AtomicUsize,
    /// One for each message that is handed over, or connection that is refused.
    done: Semaphore,
    /// Messages to `slow.example` and `shared*`, and connections to `tarpit*`, wait for one of these.
    go_on: Semaphore,
    /// One is there for each message, or connection, that waits.
    waiting: Semaphore,
}

impl Script {
    fn new() -> Self {
        Self(Arc::new(Played {
            sent: Mutex::default(),
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            done: Semaphore::new(0),
            go_on: Semaphore::new(0),
            waiting: Semaphore::new(0),
        }))
    }

    async fn wait_for(&self, count: u32) {
        self.0.done.acquire_many(count).await.unwrap().forget();
    }
}

struct Line {
    script: Script,
    carried: usize,
    /// The address of all of `shared*`.
    shared: Option<IpAddr>,
}

impl Carrier for Script {
    type Connection = Line;

    async fn open(&self, domain: &str) -> Result<Line, Unreachable> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        if domain.starts_with("dead") {
            self.0.done.add_permits(1);
            return Err(Unreachable::Later(Answer::ours(Status(4, 4, 1), "refused")));
        }
        if domain.starts_with("tarpit") {
            self.0.waiting.add_permits(1);
            self.0.go_on.acquire().await.unwrap().forget();
            return Err(Unreachable::Later(Answer::ours(Status(4, 4, 2), "does not greet")));
        }
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(open, Ordering::SeqCst);
        let shared = domain.starts_with("shared").then_some(IpAddr::from([192, 0, 2, 1]));
        Ok(Line { script: self.clone(), carried: 0, shared })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.script.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connection for Line {
    async fn send(&mut self, delivery: &LeasedDelivery, octets: OutgoingOctets) -> Attempt {
        let played = &self.script.0;
        let text = String::from_utf8(octets.read().await.unwrap()).unwrap();
        assert!(text.starts_with("Received: ") && text.ends_with("Kính gửi\r\n"), "{text}");
        if delivery.destination == "slow.example" || self.shared.is_some() {
            played.waiting.add_permits(1);
            played.go_on.acquire().await.unwrap().forget();
        }
        let count = delivery.recipients.len();
        let is_lost = delivery.destination == "lost.example";
        let outcome = if is_lost {
            Outcome::Deferred(Answer::ours(Status(4, 4, 2), "lost"))
        } else {
            played.sent.lock().unwrap().push(delivery.recipients[0].address.clone());
            Outcome::Delivered(Answer::theirs("mx", 250, None, "OK"))
        };
        self.carried += 1;
        played.done.add_permits(1);
        let broken = is_lost.then(|| Answer::ours(Status(4, 4, 2), "lost"));
        Attempt { outcomes: vec![outcome; count], passed_on: false, reusable: !is_lost, broken }
    }

    async fn quit(self) {}

    fn address(&self) -> Option<IpAddr> {
        self.shared
    }
}

struct World {
    engine: Engine,
    an: Principal,
    database: TestDatabase,
    _spool: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let database = testkit::database().await;
        let endpoint = Endpoint::external(&database.server_url, None).unwrap();
        let store = Store::new(store::connect(&endpoint, 8).await.unwrap(), None);
        let spool = tempfile::tempdir().unwrap();
        let settings = Settings {
            hostname: "mail.demo.vn".into(),
            spool_dir: spool.path().to_owned(),
            message_bytes_max: 1 << 20,
            password_page: "https://mail.demo.vn/mat-khau".into(),
            exempt_networks: Vec::new(),
        };
        let clock = FixedClock::new("2026-11-22T01:00:00Z".parse().unwrap());
        let engine = Engine::new(store, settings, Arc::new(clock), Arc::new(CountingRng::default()));
        engine.open().await.unwrap();
        let actor = Actor::console("test");
        let domain = DomainName::new("demo.vn").unwrap();
        engine.add_domain(&actor, &domain, "an-giang").await.unwrap();
        let settings = [("limit.person", "100000,100000,100000,100000"), ("limit.strangers", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let edit = PolicyEdit { settings: &settings, based_on: None, reason: "QĐ", dry_run: false };
        engine.change_policy(&actor, &domain, &edit).await.unwrap();
        let an = user(&engine, "an@demo.vn").await;
        Self { engine, an, database, _spool: spool }
    }

    async fn user(&self, name: &str) -> Principal {
        user(&self.engine, name).await
    }

    async fn send(&self, to: &str) {
        self.send_to(&[to.to_owned()]).await;
    }

    async fn send_to(&self, addresses: &[String]) {
        self.send_as(&self.an, addresses).await;
    }

    async fn send_as(&self, who: &Principal, addresses: &[String]) {
        let mut to = Vec::new();
        for text in addresses {
            to.push(self.engine.recipient_of(&address(text), Some(who)).await.unwrap());
        }
        let mut spool = self.engine.new_spool();
        spool.write(format!("From: {}\r\n\r\nKính gửi\r\n", who.address()).as_bytes()).await.unwrap();
        let arrival = Arrival {
            origin: origin(),
            helo: "a".into(),
            with: "ESMTPSA",
            tls: None,
            sender: Some(Sender::from(who.address())),
            principal: Some(who.clone()),
            wishes: Wishes::default(),
            examined: None,
        };
        self.engine.deliver(&arrival, &to, spool).await.unwrap();
    }

    async fn leases(&self) -> i64 {
        self.database.number("select count(*) from queue_leases").await
    }
}

async fn user(engine: &Engine, name: &str) -> Principal {
    let mailbox = NewMailbox {
        address: address(name),
        display_name: name.into(),
        class: MailboxClass::Person,
        unit: None,
        quota_bytes: None,
        password: Some(PASSWORD.into()),
        must_change_password: false,
    };
    engine.add_mailbox(&Actor::console("test"), &mailbox).await.unwrap();
    engine.log_in(name, PASSWORD, &origin()).await.unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn origin() -> Origin {
    Origin { trace: TraceId(1), remote: "192.0.2.1".parse().unwrap(), protocol: Protocol::Submission }
}

#[tokio::test]
async fn what_waits_and_what_comes_is_carried_by_few_connections() {
    let world = World::new().await;
    for n in 0..30 {
        world.send(&format!("a{n}@example.org")).await;
    }
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.wait_for(30).await;
    // What comes now is heard of at once, not with the next round.
    world.send("b@example.org").await;
    world.send("b@example.net").await;
    script.wait_for(2).await;
    stop.cancel();
    runner.await.unwrap();
    let mut sent = script.0.sent.lock().unwrap().clone();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 32);
    assert!(
        script.0.most.load(Ordering::SeqCst) <= 3,
        "two to one destination at first, and one to the other"
    );
    assert!(script.0.opened.load(Ordering::SeqCst) <= 4, "a connection carries many");
    assert_eq!(world.database.number("select count(*) from queue_messages").await, 0);
    assert_eq!((world.leases().await, script.0.open.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_gives_back_the_rest() {
    let world = World::new().await;
    for n in 0..5 {
        world.send(&format!("a{n}@slow.example")).await;
    }
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.0.waiting.acquire().await.unwrap().forget();
    stop.cancel();
    script.0.go_on.add_permits(1);
    runner.await.unwrap();
    assert_eq!(script.0.sent.lock().unwrap().len(), 1);
    let left = "select count(*) from queue_deliveries where lease_id is null and attempts = 0";
    assert_eq!((world.database.number(left).await, world.leases().await), (4, 0));
}

/// Its sender's mailbox is locked while a connection has the first of its messages under way and the others before it.
#[tokio::test]
async fn what_is_kept_back_behind_a_claim_is_not_begun() {
    let world = World::new().await;
    let binh = world.user("binh@demo.vn").await;
    for n in 0..5 {
        world.send(&format!("a{n}@slow.example")).await;
    }
    world.send_as(&binh, &["b@slow.example".to_owned()]).await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.0.waiting.acquire().await.unwrap().forget();
    let (actor, reason) = (Actor::console("test"), model::lifecycle::LockReason::Spam);
    world.engine.lock(&actor, &address("an@demo.vn"), reason, "thư rác").await.unwrap();
    script.0.go_on.add_permits(6);
    // The other's lies behind them in the same claim.
    script.wait_for(2).await;
    stop.cancel();
    runner.await.unwrap();
    assert_eq!(*script.0.sent.lock().unwrap(), ["a0@slow.example", "b@slow.example"]);
    let left = "select count(*) from queue_deliveries where lease_id is null and held";
    assert_eq!((world.database.number(left).await, world.leases().await), (4, 0));
}

#[tokio::test]
async fn a_server_that_drops_everything_rests_like_one_that_is_away() {
    let world = World::new().await;
    for name in ["lost.example", "dead.example"] {
        for n in 0..4 {
            world.send(&format!("a{n}@{name}")).await;
        }
    }
    world.send("a@example.org").await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.wait_for(3).await;
    stop.cancel();
    runner.await.unwrap();
    assert_eq!(*script.0.sent.lock().unwrap(), ["a@example.org"]);
    assert!(script.0.opened.load(Ordering::SeqCst) <= 5);
    let resting =
        "select count(*) from queue_destinations where failures > 0 and next_at > '2026-11-22T01:00:30Z'";
    assert_eq!((world.database.number(resting).await, world.leases().await), (2, 0));
    assert_eq!(world.database.number("select count(*) from queue_deliveries where attempts = 0").await, 7);
}

fn tarpits(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("a@tarpit{n}.example")).collect()
}

#[tokio::test]
async fn servers_that_keep_us_waiting_stop_no_mail_to_those_that_take_it() {
    let world = World::new().await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    world.send("a@example.org").await;
    script.wait_for(1).await;
    world.send_to(&tarpits(smtp::runner::CONNECTIONS_MAX + 10)).await;
    let waiting = u32::try_from(UNPROVEN_MAX).unwrap();
    script.0.waiting.acquire_many(waiting).await.unwrap().forget();
    world.send("b@example.org").await;
    tokio::time::timeout(Duration::from_secs(60), script.wait_for(1)).await.expect("it waits behind them");
    assert_eq!(*script.0.sent.lock().unwrap(), ["a@example.org", "b@example.org"]);
    assert_eq!(script.0.waiting.available_permits(), 0);
    stop.cancel();
    runner.await.unwrap();
}

/// Whoever has many domains and one server gets what one server gets, and nothing is lost by waiting for it.
#[tokio::test]
async fn many_domains_at_one_address_are_one() {
    const DOMAINS: usize = 25;
    let world = World::new().await;
    let to: Vec<String> = (0..DOMAINS).map(|n| format!("a@shared{n}.example")).collect();
    world.send_to(&to).await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.0.waiting.acquire_many(20).await.unwrap().forget();
    world.send("b@example.org").await;
    tokio::time::timeout(Duration::from_secs(60), script.wait_for(1)).await.expect("it waits behind them");
    // Others have been opened to once, have come to nothing, and are not tried again before one of those ends.
    assert_eq!(script.0.waiting.available_permits(), 0);
    script.0.go_on.add_permits(DOMAINS);
    tokio::time::timeout(Duration::from_secs(60), script.wait_for(25)).await.expect("some are lost");
    let opened = script.0.opened.load(Ordering::SeqCst);
    assert!((DOMAINS + 1..=2 * DOMAINS + 1).contains(&opened), "{opened}");
    let failed = "select count(*) from queue_destinations where failures > 0";
    assert_eq!(world.database.number(failed).await, 0);
    stop.cancel();
    runner.await.unwrap();
}

/// Strangers choose where reports go.
#[tokio::test]
async fn reports_have_a_few_connections_and_no_more() {
    let world = World::new().await;
    world.send_to(&tarpits(UNPROVEN_MAX)).await;
    world.database.run("update queue_deliveries set priority = 2").await;
    world.database.run("update queue_messages set sender = ''").await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    let waiting = u32::try_from(REPORT_CONNECTIONS_MAX).unwrap();
    script.0.waiting.acquire_many(waiting).await.unwrap().forget();
    world.send("b@example.org").await;
    tokio::time::timeout(Duration::from_secs(60), script.wait_for(1)).await.expect("it waits behind them");
    assert_eq!(script.0.waiting.available_permits(), 0);
    stop.cancel();
    runner.await.unwrap();
}

/// Lets the clock pass, and nothing else; databases do not know of it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn leases_are_kept_while_the_database_is_slow_to_say_what_else_is_due() {
    let world = World::new().await;
    world.send("a@slow.example").await;
    let (script, stop) = (Script::new(), CancellationToken::new());
    let runner = tokio::spawn(run(world.engine.clone(), script.clone(), stop.clone()));
    script.0.waiting.acquire().await.unwrap().forget();
    let until = world.database.text("select until::text from queue_leases").await;
    let mut held = world.database.hold("lock table queue_destinations in access exclusive mode").await;
    pass(Duration::from_secs(10)).await;
    held.until_somebody_waits().await;
    pass(Duration::from_secs(60)).await;
    let kept = async { while world.database.text("select until::text from queue_leases").await == until {} };
    let kept = tokio::time::timeout(Duration::from_secs(10), kept).await;
    held.release().await;
    script.0.go_on.add_permits(1);
    stop.cancel();
    runner.await.unwrap();
    kept.expect("the lease of what is being sent is not put off");
}
