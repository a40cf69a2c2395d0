//! Carries the queue's mail: claims work, opens connections, says what became of it.
//!
//! Invariants: a claim is one connection's; nothing is begun under a lease that is no longer this node's, nor what is kept back; no more connections
//! are open than [`CONNECTIONS_MAX`], to one destination or address no more than its window lets, and to those that have not taken
//! anything lately no more than [`UNPROVEN_MAX`], so that servers that keep us waiting stop no mail to others; on a stop what is being sent is
//! finished within [`DRAIN_MAX`] and the rest is given back, so that another node need not wait for the lease to end.

mod window;

use engine::{AtHand, Claimed, Contact, Engine, Error, LeasedDelivery, OutgoingOctets, Unreachable};
use model::queue::{Answer, Outcome, Status};
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use window::{Seat, Windows};

/// Connections of one node to others at once.
pub const CONNECTIONS_MAX: usize = 200;
/// Of these, to destinations that have taken nothing lately: they may keep us waiting, however many there are.
pub const UNPROVEN_MAX: usize = 100;
/// Of these, for nothing but reports: strangers choose where those go.
pub const REPORT_CONNECTIONS_MAX: usize = 20;
/// How long what is being sent may take after a stop.
pub const DRAIN_MAX: Duration = Duration::from_secs(15);
/// What is due by the clock alone is found this late.
const ROUND_EVERY: Duration = Duration::from_secs(10);
/// Well within the length of a lease.
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// Times a report is tried while the database does not answer: then the lease has ended, and somebody sends it once more
/// (RFC 5321 4.5.4.1: better twice than never).
const REPORTS_MAX: u32 = 60;
const REPORT_PAUSE: Duration = Duration::from_secs(5);

/// Opens connections to destinations.
pub trait Carrier: Clone + Send + Sync + 'static {
    type Connection: Connection;

    /// To the best server of this destination.
    fn open(&self, destination: &str) -> impl Future<Output = Result<Self::Connection, Unreachable>> + Send;
}

/// A connection to a server that takes mail.
pub trait Connection: Send {
    /// Hands a message over, or tries to.
    fn send(
        &mut self,
        delivery: &LeasedDelivery,
        octets: OutgoingOctets,
    ) -> impl Future<Output = Attempt> + Send;

    fn quit(self) -> impl Future<Output = ()> + Send;

    /// Where it goes, if the domain has chosen that; `None`: the administrator has.
    fn address(&self) -> Option<IpAddr>;
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Of each recipient, in their order.
    pub outcomes: Vec<Outcome>,
    /// The other side tells the sender what he wished to hear (RFC 3461 5.2.1).
    pub passed_on: bool,
    /// Another message may follow.
    pub reusable: bool,
    /// Why the connection broke, if it did.
    pub broken: Option<Answer>,
}

impl Attempt {
    /// Who takes connections and breaks them has not been reached; who takes a message or refuses it has, and so has who is not
    /// offered it, as it could not take it.
    fn contact(&self) -> Contact {
        match (&self.broken, self.passed_on) {
            (Some(_), _) => Contact::Lost,
            (None, true) => Contact::PassedOn,
            (None, false) => Contact::Reached,
        }
    }
}

/// Runs until `stop`, then lets what is under way end.
pub async fn run<C: Carrier>(engine: Engine, carrier: C, stop: CancellationToken) {
    let (leases, windows, grown) = (Arc::default(), Arc::default(), Arc::default());
    let runner = Runner { engine, carrier, stop, leases, windows, grown };
    runner.run().await;
}

#[derive(Clone)]
struct Runner<C> {
    engine: Engine,
    carrier: C,
    stop: CancellationToken,
    /// Those that connections work on; cancelled when they are another node's.
    leases: Arc<Mutex<HashMap<i64, CancellationToken>>>,
    windows: Arc<Mutex<Windows>>,
    /// A destination that had as many connections as it may have may have one more.
    grown: Arc<Notify>,
}

impl<C: Carrier> Runner<C> {
    async fn run(self) {
        tokio::select! {
            () = self.work() => {}
            () = self.keep_leases() => {}
        }
    }

    async fn work(&self) {
        let mut connections = JoinSet::new();
        let mut rounds = tokio::time::interval(ROUND_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stop.is_cancelled() {
            self.begin_all(&mut connections).await;
            tokio::select! {
                () = self.engine.mail_is_waiting() => {}
                () = self.grown.notified() => {}
                Some(ended) = connections.join_next() => note_panic(ended),
                _ = rounds.tick() => {}
                () = self.stop.cancelled() => break,
            }
        }
        let drained = async {
            while let Some(ended) = connections.join_next().await {
                note_panic(ended);
            }
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!("some mail was being sent too slowly to wait for; it is sent again");
        }
    }

    /// Beside the work, however slowly that is claimed: a lease that ends has its mail sent twice. Never returns.
    async fn keep_leases(&self) {
        let mut renewals = tokio::time::interval(RENEW_EVERY);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            renewals.tick().await;
            self.renew().await;
        }
    }

    /// As many connections as there is work and room for.
    async fn begin_all(&self, connections: &mut JoinSet<()>) {
        while connections.len() < CONNECTIONS_MAX && !self.stop.is_cancelled() {
            let wanted = self.windows().wanted(Instant::now());
            match self.engine.claim_mail(&wanted).await {
                Ok(Some(claimed)) => {
                    let place = Place::take(self, &claimed);
                    let runner = self.clone();
                    connections.spawn(async move { runner.carry(claimed, place).await });
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "the queue does not answer");
                    return;
                }
            }
        }
    }

    async fn renew(&self) {
        let leases: Vec<i64> = self.leases().keys().copied().collect();
        if leases.is_empty() {
            return;
        }
        match self.engine.keep_mail(&leases).await {
            Ok(ours) => {
                let held = self.leases();
                let lost = held.iter().filter(|(lease, _)| leases.contains(lease) && !ours.contains(lease));
                lost.for_each(|(_, token)| token.cancel());
            }
            Err(error) => tracing::warn!(%error, "leases of mail could not be put off"),
        }
    }

    async fn carry(&self, claimed: Claimed, mut place: Place) {
        let Some(first) = claimed.deliveries.first() else { return };
        let opened = tokio::select! {
            opened = self.carrier.open(&first.destination) => opened,
            () = self.stop.cancelled() => return self.give_back(&claimed).await,
            () = place.lost.cancelled() => return,
        };
        match opened {
            Ok(connection) => {
                let fits = self.windows().reach(&mut place.seat, connection.address(), Instant::now());
                if fits {
                    return self.carry_over(connection, &claimed, &place).await;
                }
                // Others are sent to there; one of them ends, and it is this one's turn.
                self.give_back(&claimed).await;
                connection.quit().await;
            }
            Err(why) => {
                self.windows().halve(place.seat.destination, Instant::now());
                if let Err(error) = self.engine.report_unreachable(&claimed, first, &why).await {
                    tracing::warn!(%error, "that a destination cannot be reached could not be noted");
                }
            }
        }
    }

    async fn carry_over(&self, mut connection: C::Connection, claimed: &Claimed, place: &Place) {
        let (mut delivered, mut at_hand) = (false, AtHand::default());
        for (at, delivery) in claimed.deliveries.iter().enumerate() {
            if self.stop.is_cancelled() || place.lost.is_cancelled() {
                break;
            }
            match self.engine.may_go(&claimed.lease, delivery).await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a message of the queue waits for the database");
                    break;
                }
            }
            let attempt = tokio::select! {
                attempt = self.attempt(&mut connection, (claimed, at), &mut at_hand) => attempt,
                // Whoever has it now is sending it.
                () = place.lost.cancelled() => return,
            };
            let Some(attempt) = attempt else { break };
            let taken = attempt.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Delivered(_)));
            delivered |= taken;
            if !self.report(claimed, delivery, &attempt).await {
                break;
            }
            if taken && self.windows().grow(place.seat.destination, Instant::now()) {
                self.grown.notify_one();
            }
            if let Some(answer) = attempt.broken {
                self.windows().halve(place.seat.destination, Instant::now());
                return self.end_broken(claimed, delivery, delivered, answer).await;
            }
            if !attempt.reusable {
                return self.give_back(claimed).await;
            }
        }
        self.give_back(claimed).await;
        connection.quit().await;
    }

    /// `None`: the database does not answer.
    async fn attempt(
        &self,
        connection: &mut C::Connection,
        (claimed, at): (&Claimed, usize),
        at_hand: &mut AtHand,
    ) -> Option<Attempt> {
        let left = claimed.deliveries.get(at..).unwrap_or_default();
        let delivery = left.first()?;
        match self.engine.next_octets(left, at_hand).await {
            Ok(octets) => Some(connection.send(delivery, octets).await),
            Err(Error::NotFound) => {
                tracing::error!(queue_id = delivery.queue_id, "a message of the queue cannot be read");
                let answer = Answer::ours(Status(4, 3, 0), "the message cannot be read here");
                let outcomes = vec![Outcome::Deferred(answer); delivery.recipients.len()];
                Some(Attempt { outcomes, passed_on: false, reusable: true, broken: None })
            }
            Err(error) => {
                tracing::warn!(%error, "a message of the queue could not be read yet");
                None
            }
        }
    }

    /// What is known is said as long as anybody may hear it. False when it is not this node's to say any more.
    async fn report(&self, claimed: &Claimed, delivery: &LeasedDelivery, attempt: &Attempt) -> bool {
        for _ in 0..REPORTS_MAX {
            let outcomes = attempt.outcomes.clone();
            match self.engine.report_mail(&claimed.lease, delivery, outcomes, attempt.contact()).await {
                Ok(ours) => return ours,
                Err(error) => {
                    tracing::warn!(%error, queue_id = delivery.queue_id, "what became of mail could not be noted yet");
                    tokio::time::sleep(REPORT_PAUSE).await;
                }
            }
        }
        false
    }

    /// A server that takes connections and no mail is as good as none.
    async fn end_broken(&self, claimed: &Claimed, tried: &LeasedDelivery, delivered: bool, answer: Answer) {
        if delivered {
            return self.give_back(claimed).await;
        }
        let why = Unreachable::Later(answer);
        if let Err(error) = self.engine.report_unreachable(claimed, tried, &why).await {
            tracing::warn!(%error, "that a connection broke could not be noted");
        }
    }

    async fn give_back(&self, claimed: &Claimed) {
        if let Err(error) = self.engine.give_back_mail(&claimed.lease).await {
            tracing::warn!(%error, "a lease of mail ends by itself");
        }
    }

    fn windows(&self) -> std::sync::MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> std::sync::MutexGuard<'_, HashMap<i64, CancellationToken>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in its destination's window, and its lease among those that are put off.
struct Place {
    lease: i64,
    seat: Seat,
    /// The lease is another node's.
    lost: CancellationToken,
    leases: Arc<Mutex<HashMap<i64, CancellationToken>>>,
    windows: Arc<Mutex<Windows>>,
}

impl Place {
    fn take<C: Carrier>(runner: &Runner<C>, claimed: &Claimed) -> Self {
        let destination = claimed.lease.destination.as_ref().map_or(0, |(id, _)| *id);
        let lost = CancellationToken::new();
        let reports = claimed.deliveries.iter().all(|delivery| delivery.sender.is_empty());
        let seat = runner.windows().begin(destination, reports, Instant::now());
        runner.leases().insert(claimed.lease.lease, lost.clone());
        let (leases, windows) = (runner.leases.clone(), runner.windows.clone());
        Self { lease: claimed.lease.lease, seat, lost, leases, windows }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.lease);
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).end(self.seat, Instant::now());
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection that carried mail ended by a fault of ours");
    }
}
