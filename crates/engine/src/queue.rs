//! Working through the queue: claiming mail for others, reading its octets, saying what became of it.
//!
//! Invariants: nothing is said to another system in a transaction; what this node was taken over with changes nothing; a
//! sender is told once, in the transaction that ends what he is told of; every delivery ends, delivered or told of.

mod at_hand;
mod letters;
mod passed_on;
mod telling;
mod together;

pub use at_hand::AtHand;
pub(crate) use passed_on::{by_whose, original_of, written_of, written_to};
pub(crate) use telling::{Ended, Telling};

use crate::message::FACTS_OCTETS_MAX;
use crate::report::without_return_path;
use crate::{Body, Engine, Error, Piece, figures};
use jiff::{SignedDuration, Timestamp};
use model::queue::{Answer, Outcome, destination_rest};
use model::{AccountId, ContentId};
use store::{Claimed, ContentColumns, Event, LeasedDelivery, NewOutgoingEvent, QueueLease, WantedWork};
use tokio_util::sync::CancellationToken;

/// A node that has said nothing for so long is dead; then others take over what it had.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// Deliveries of one claim: what one connection may carry.
const CLAIM_MAX: i64 = 50;
/// Octets of a header that come back with a report.
const HEADER_BYTES_MAX: u64 = 64 * 1024;
/// Octets of any header: no message with a larger one is taken (`header.rs`), and ours in front are a fraction of it.
const WHOLE_HEADER_BYTES_MAX: u64 = 512 * 1024;

/// Why a destination took nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// It rests, and is tried again.
    Later(Answer),
    /// It does not exist, or wants no mail: what is for it has failed.
    Never(Answer),
}

/// What a connection was good for when a delivery was tried over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It broke: the destination was not reached by it.
    Lost,
    /// The destination was reached, whatever it took.
    Reached,
    /// It was, and tells the sender itself what he wished to hear (RFC 3461 5.2.1).
    PassedOn,
}

/// The octets of a message as they go out.
#[derive(Clone, Debug)]
pub struct OutgoingOctets {
    /// Signatures.
    front: Piece,
    body: Body,
    /// Behind our Return-Path (RFC 5321 4.4).
    start: u64,
}

impl OutgoingOctets {
    async fn of(body: Body) -> Result<Self, Error> {
        let head = body.read(0..HEADER_BYTES_MAX).await?;
        let start = (head.len() - without_return_path(&head).len()) as u64;
        Ok(Self { front: Piece::default(), body, start })
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.front.len() as u64 + self.body.size().saturating_sub(self.start)
    }

    /// The same behind these octets.
    pub(crate) fn behind(self, front: Vec<u8>) -> Self {
        Self { front: Piece::new(front), ..self }
    }

    /// Octets from `offset` on, as many as lie in one chunk; none at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn piece(&self, offset: u64) -> Result<Piece, Error> {
        let front = self.front.len() as u64;
        match offset.checked_sub(front) {
            Some(offset) => self.body.piece(self.start.saturating_add(offset), self.body.size()).await,
            None => Ok(self.front.skipping(usize::try_from(offset).unwrap_or(usize::MAX))),
        }
    }

    /// Its header, of a long one the beginning.
    pub(crate) async fn header(&self) -> Result<Vec<u8>, Error> {
        Ok(self.header_within(HEADER_BYTES_MAX).await?.0)
    }

    /// All of its header. `None` for one that is larger than any that was taken.
    pub(crate) async fn whole_header(&self) -> Result<Option<Vec<u8>>, Error> {
        for bytes in [HEADER_BYTES_MAX, WHOLE_HEADER_BYTES_MAX] {
            if let (header, true) = self.header_within(bytes).await? {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// The header in so many octets, and whether that is all of it.
    async fn header_within(&self, bytes: u64) -> Result<(Vec<u8>, bool), Error> {
        let end = self.start.saturating_add(bytes).min(self.body.size());
        let mut header = self.body.read(self.start..end).await?;
        let length = proto::mime::header_end(&header);
        let is_whole = length < header.len() || end == self.body.size();
        header.truncate(length);
        Ok((header, is_whole))
    }

    /// All of them, of a message known to be small.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(&self) -> Result<Vec<u8>, Error> {
        self.body.read(self.start..self.body.size()).await
    }
}

impl Engine {
    /// Work for a destination that is wanted; `None` when nothing is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_mail(&self, wanted: &WantedWork) -> Result<Option<Claimed>, Error> {
        let now = self.now();
        Ok(self.0.store.claim_mail(&self.0.node, wanted, CLAIM_MAX, (now, LEASE)).await?)
    }

    /// Is a delivery of a claim still to go? To be asked right before it is begun: it may have been taken over, or be kept back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_go(&self, lease: &QueueLease, delivery: &LeasedDelivery) -> Result<bool, Error> {
        Ok(self.0.store.may_go(lease.lease, delivery.delivery).await?)
    }

    /// Puts off the end of leases; those that are still this node's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_mail(&self, leases: &[i64]) -> Result<Vec<i64>, Error> {
        Ok(self.0.store.renew_leases(leases, LEASE).await?)
    }

    /// Leaves what was not done of a claim to whoever comes next.
    ///
    /// # Errors
    /// When the database fails; the lease ends by itself, too.
    pub async fn give_back_mail(&self, lease: &QueueLease) -> Result<(), Error> {
        Ok(self.0.store.end_lease(lease).await?)
    }

    /// Returns when there may be mail to claim, told by this node's own acceptance.
    pub async fn mail_is_waiting(&self) {
        self.0.outgoing.notified().await;
    }

    /// # Errors
    /// `NotFound` when it is gone, which a lease keeps from happening, or damaged: of a database that answers, nothing else is
    /// the matter.
    pub async fn outgoing_octets(&self, delivery: &LeasedDelivery) -> Result<OutgoingOctets, Error> {
        self.octets_of(delivery.content).await
    }

    /// # Errors
    /// As [`Engine::outgoing_octets`].
    pub(crate) async fn octets_of(&self, content: ContentId) -> Result<OutgoingOctets, Error> {
        match self.find_octets(content).await {
            Err(Error::Unavailable) if self.is_ready().await => Err(Error::NotFound),
            found => found,
        }
    }

    async fn find_octets(&self, content: ContentId) -> Result<OutgoingOctets, Error> {
        let columns = ContentColumns { chunks: true, ..ContentColumns::default() };
        let mut found = self.0.store.contents(&[content], columns, FACTS_OCTETS_MAX).await?;
        let content = found.pop().flatten().ok_or(Error::NotFound)?;
        let (ids, sizes) = content.chunks.ok_or(Error::NotFound)?;
        OutgoingOctets::of(self.body(&ids, &sizes)).await
    }

    /// What became of a delivery, an outcome for each recipient in their order. False, and nothing is changed, when somebody
    /// else has taken it over.
    ///
    /// # Errors
    /// When the database fails: it is not known then, and may be reported again.
    pub async fn report_mail(
        &self,
        lease: &QueueLease,
        delivery: &LeasedDelivery,
        outcomes: Vec<Outcome>,
        contact: Contact,
    ) -> Result<bool, Error> {
        let telling = if contact == Contact::PassedOn { Telling::PassedOn } else { Telling::Usual };
        let ours = self.conclude(lease.lease, &[(delivery, outcomes)], (telling, None)).await?;
        let reached = ours && contact != Contact::Lost;
        if let (true, 1.., Some((destination, _))) = (reached, lease.failures, &lease.destination) {
            self.0.store.destination_reached(*destination, self.now()).await?;
            self.0.outgoing.notify_one();
        }
        Ok(ours)
    }

    /// A destination could not be reached, or never will be: then all of the claim has failed. `tried`: the delivery that it was
    /// tried for. The lease has ended afterwards.
    ///
    /// # Errors
    /// When the database fails; the lease ends by itself, too.
    pub async fn report_unreachable(
        &self,
        claimed: &Claimed,
        tried: &LeasedDelivery,
        why: &Unreachable,
    ) -> Result<(), Error> {
        let now = self.now();
        let Some((destination, _)) = &claimed.lease.destination else { return Ok(()) };
        let answer = match why {
            Unreachable::Never(answer) => {
                for delivery in &claimed.deliveries {
                    let outcomes = vec![Outcome::Failed(answer.clone()); delivery.recipients.len()];
                    // Nothing is to be waited for: the rest, if it rested, is looked at and fails, too.
                    if !self.report_mail(&claimed.lease, delivery, outcomes, Contact::Reached).await? {
                        break;
                    }
                }
                return self.give_back_mail(&claimed.lease).await;
            }
            Unreachable::Later(answer) => answer,
        };
        figures::outgoing("unreachable", 1);
        let failures = claimed.lease.failures.saturating_add(1);
        let rest = destination_rest(failures, &*self.0.rng);
        let next = now.saturating_add(rest).unwrap_or(Timestamp::MAX);
        let status = said(answer);
        let whose = by_whose([tried], |_| true);
        let traced: Vec<_> = whose.into_iter().map(|whose| (self.queue_id(), whose)).collect();
        let host = answer.host.as_deref();
        let events: Vec<NewOutgoingEvent<'_>> = traced
            .iter()
            .map(|(trace, (account, recipients))| NewOutgoingEvent {
                event: event((tried, *account), (trace, now), "deferred", (host, &status)),
                recipients: recipients.clone(),
            })
            .collect();
        let lease = (claimed.lease.lease, *destination);
        self.0.store.destination_failed(lease, (failures, next, &status), &events, now).await?;
        Ok(())
    }

    /// Takes over what dead nodes had, and finds what nobody looks at.
    pub(crate) async fn look_after_queue(&self) {
        let now = self.now();
        let done = async {
            let taken = self.0.store.take_over_leases(now).await?;
            if taken > 0 {
                tracing::warn!(taken, "mail of a node that no longer answers is sent by others");
            }
            if taken + self.0.store.find_forgotten(now).await? > 0 {
                self.0.outgoing.notify_one();
            }
            Ok(())
        };
        let done: Result<(), Error> = done.await;
        if let Err(error) = done {
            figures::housekeeping_failed("queue");
            tracing::warn!(%error, "the queue could not be looked after");
        }
    }

    /// Says how long the queue is, and how much is kept back or apart.
    pub(crate) async fn count_queue(&self) {
        let (now, store) = (self.now(), &self.0.store);
        let counted = async {
            figures::queue(&store.queue_counts(now).await?, now);
            figures::kept(&store.filtered_counts().await?, &store.quarantine_counts().await?, now);
            Ok(())
        };
        let counted: Result<(), store::Error> = counted.await;
        if let Err(error) = counted {
            tracing::warn!(%error, "the queue could not be counted");
        }
    }

    /// Tells of what is late and of what has failed, and gives up what is over. Beside the rest: of a large domain that is away, it
    /// takes long.
    pub(crate) async fn look_for_overdue(&self, stop: &CancellationToken) {
        let told = async {
            let overdue = self.tell_overdue(stop).await;
            self.tell_together(stop).await.and(overdue)
        };
        if let Err(error) = told.await {
            figures::housekeeping_failed("overdue");
            tracing::warn!(%error, "senders could not be told of what is late or over");
        }
    }

    /// Destinations that nothing has gone to for days.
    pub(crate) async fn forget_destinations(&self) -> Result<String, Error> {
        let forgotten = self.0.store.forget_destinations(self.now()).await?;
        self.0.store.forget_mta_sts(self.now()).await?;
        Ok(format!("{forgotten} destinations forgotten"))
    }
}

pub(crate) fn said(answer: &Answer) -> String {
    match answer.code {
        Some(code) => format!("{code} {} {}", answer.status, answer.text),
        None => format!("{} {}", answer.status, answer.text),
    }
}

/// `account`: as [`by_whose`] says.
pub(crate) fn event<'a>(
    (delivery, account): (&'a LeasedDelivery, Option<AccountId>),
    (trace, at): (&'a str, Timestamp),
    kind: &'a str,
    (host, status): (Option<&'a str>, &'a str),
) -> Event<'a> {
    Event {
        at,
        kind,
        trace,
        account,
        remote: host,
        sender: Some(&delivery.sender),
        size: None,
        status: Some(status),
        about: Some(&delivery.about),
    }
}
