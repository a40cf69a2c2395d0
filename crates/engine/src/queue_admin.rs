//! The queue in the hands of administrators, and of those whose mail is in it.
//!
//! Invariants: an administrator sees and touches mail of senders within his scope alone, and each act is one row of the audit
//! trail; what is being sent at the moment is not touched, as the other side may have it already; a sender calls back only what
//! has not begun to go.

use crate::audit::AuditKind;
use crate::queue::{Ended, LEASE, Telling};
use crate::report_words::GIVEN_UP;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Principal};
use model::lifecycle::Life;
use model::queue::{Answer, Outcome, Status};
use model::{Action, Address};
use serde_json::json;
use store::{
    AuditEntry, Claimed, LeasedDelivery, LifeRow, QueueDestinationRow, QueueFilter, QueueRow, ScheduledRow,
};

/// Deliveries of one message that are shown at once.
const SHOWN_MAX: u32 = 1_000;
/// Destinations, and messages of one's own, shown at once.
const LISTED_MAX: u32 = 1_000;

/// Why an act on the queue did not take place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error("there is no message {0} in the queue; it may have gone meanwhile")]
    NoSuchMessage(String),
    #[error("the message {0} is being sent at this moment; try again")]
    BeingSent(String),
    #[error("{0} cannot get it: there is no such mailbox here, or it receives nothing")]
    NoSuchTarget(Address),
    #[error(
        "{0} is locked for what it sends: give it back first (mailbox unlock), or release single messages by their ID"
    )]
    SenderLocked(Address),
    #[error(
        "{0}: the mailbox that sent it is under legal hold, so what the filter keeps back of it is not given up (congthu hold list)"
    )]
    Held(String),
    #[error("{0} holds malware ({1}), and is not let go: give it up (congthu queue expire)")]
    Infected(String, String),
    #[error(
        "{0} could not be scanned for malware now, and policy lets nothing out without (filter.not_scanned_out): try again when clamd answers"
    )]
    NotScanned(String),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<Error> for QueueError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<store::Error> for QueueError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

/// A message of the queue: its numbers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    pub queue_id: String,
    /// Deliveries that were touched.
    pub deliveries: u64,
}

impl Engine {
    /// Deliveries of senders within his scope, those accepted first first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue(&self, actor: &Actor, filter: &QueueFilter) -> Result<Vec<QueueRow>, QueueError> {
        let reach = actor.reach(Action::QueueShow);
        if reach.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.0.store.queue(filter, &reach, self.now()).await?)
    }

    /// Everything of one message that has not gone yet.
    ///
    /// # Errors
    /// `NoSuchMessage`.
    pub async fn queued_message(&self, actor: &Actor, queue_id: &str) -> Result<Vec<QueueRow>, QueueError> {
        let filter =
            QueueFilter { queue_id: Some(queue_id.to_owned()), limit: SHOWN_MAX, ..QueueFilter::default() };
        let rows = self.queue(actor, &filter).await?;
        if rows.is_empty() { Err(QueueError::NoSuchMessage(queue_id.to_owned())) } else { Ok(rows) }
    }

    /// Where mail of senders within his scope waits, the longest queue first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queue_destinations(&self, actor: &Actor) -> Result<Vec<QueueDestinationRow>, QueueError> {
        let reach = actor.reach(Action::QueueShow);
        if reach.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.0.store.queue_destinations(&reach, LISTED_MAX).await?)
    }

    /// Has a message tried at once, also where the destination rests.
    ///
    /// # Errors
    /// `NoSuchMessage`, `Denied`.
    pub async fn retry_queued(&self, actor: &Actor, queue_id: &str) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, Action::QueueChange, queue_id).await?;
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        let mut deliveries = 0;
        for message in &messages {
            deliveries += tx.retry_queued(*message, now).await?;
        }
        let detail = json!({ "act": "retry", "deliveries": deliveries });
        self.audit(&mut tx, actor, Action::QueueChange.as_str(), &audited_as(queue_id), &detail).await?;
        tx.commit().await?;
        for message in messages {
            self.0.store.look_at(message, now).await?;
        }
        self.0.outgoing.notify_one();
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    /// Keeps a message back until it is let go, or lets it go; of what the filter kept back not what malware is found in by now.
    ///
    /// # Errors
    /// `NoSuchMessage`, `Infected`, `NotScanned`, `Denied`.
    pub async fn hold_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        held: bool,
    ) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, Action::QueueChange, queue_id).await?;
        for message in messages.iter().filter(|_| !held) {
            self.scan_filtered(*message, queue_id).await?;
        }
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        let mut deliveries = 0;
        for message in messages {
            deliveries += tx.hold_queued(message, held, now).await?;
        }
        let detail = json!({ "act": if held { "hold" } else { "release" }, "deliveries": deliveries });
        self.audit(&mut tx, actor, Action::QueueChange.as_str(), &audited_as(queue_id), &detail).await?;
        tx.commit().await?;
        if !held {
            self.look_at_released().await?;
        }
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    /// Keeps everything back that a mailbox has in the queue, or lets everything go: what administrators held, and what its lock
    /// did. Says how many deliveries.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `SenderLocked` where it is to go while the mailbox is locked for what it sends, `Denied`.
    pub async fn hold_mail_of(
        &self,
        actor: &Actor,
        address: &Address,
        held: bool,
    ) -> Result<u64, QueueError> {
        let row = self.sender_of(actor, address).await?;
        if !held && matches!(row.life, Life::Locked { reason, .. } if reason.stops_mail()) {
            return Err(QueueError::SenderLocked(row.address));
        }
        let mut tx = self.0.store.begin().await?;
        let deliveries = tx.hold_all_of(row.account, held, self.now()).await?;
        let detail = json!({ "act": if held { "hold" } else { "release" }, "deliveries": deliveries });
        self.audit(&mut tx, actor, Action::QueueChange.as_str(), &row.address.to_string(), &detail).await?;
        tx.commit().await?;
        if !held {
            self.look_at_released().await?;
        }
        Ok(deliveries)
    }

    /// Gives up everything that a mailbox has in the queue, each message as [`Engine::expire_queued`] does. Says how many deliveries, and
    /// which messages were being sent at that moment and stay.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`, `Held` when something had to stay; or when the database fails: what was given up until then stays so.
    pub async fn expire_mail_of(
        &self,
        actor: &Actor,
        address: &Address,
        quietly: bool,
    ) -> Result<(u64, Vec<String>), QueueError> {
        let row = self.sender_of(actor, address).await?;
        let (mut deliveries, mut being_sent, mut held) = (0, Vec::new(), None);
        for (message, queue_id) in self.0.store.queued_of(row.account).await? {
            match self.expire_message(actor, (message, &queue_id), quietly).await {
                Ok(ended) => deliveries += ended,
                Err(QueueError::BeingSent(id)) => being_sent.push(id),
                Err(error @ QueueError::Held(_)) => held = Some(error),
                Err(error) => return Err(error),
            }
        }
        held.map_or(Ok((deliveries, being_sent)), Err)
    }

    /// Whose mail it is that he may touch.
    async fn sender_of(&self, actor: &Actor, address: &Address) -> Result<LifeRow, QueueError> {
        self.authorize(actor, Action::QueueChange, &AdminTarget::Address(address)).await?;
        let row = self.0.store.life(address).await?;
        Ok(row.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?)
    }

    async fn look_at_released(&self) -> Result<(), Error> {
        self.0.store.find_forgotten(self.now()).await?;
        self.0.outgoing.notify_one();
        self.0.pending.notify_one();
        Ok(())
    }

    /// Gives a message up, also what of it waits for its moment here; its sender is told of mail to others, but for `quietly`.
    ///
    /// # Errors
    /// `NoSuchMessage`, `BeingSent`, `Held`, `Denied`.
    pub async fn expire_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        quietly: bool,
    ) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, Action::QueueChange, queue_id).await?;
        let mut deliveries = 0;
        for message in messages {
            deliveries += self.expire_message(actor, (message, queue_id), quietly).await?;
        }
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    async fn expire_message(
        &self,
        actor: &Actor,
        (message, queue_id): (i64, &str),
        quietly: bool,
    ) -> Result<u64, QueueError> {
        if self.0.store.is_filtered_of_held(message).await? {
            return Err(QueueError::Held(queue_id.to_owned()));
        }
        let detail = json!({ "act": "expire", "quietly": quietly });
        let target = audited_as(queue_id);
        let audit = self.entry(actor, Action::QueueChange, &target, &detail);
        let telling = if quietly { Telling::Nobody } else { Telling::Usual };
        let answer = Answer::ours(Status(5, 4, 7), GIVEN_UP);
        let claimed = self.claim_whole(message, queue_id).await?;
        let mut tx = self.0.store.begin().await?;
        let mut deliveries = tx.cancel_pending(message, self.now()).await?;
        if deliveries > 0 {
            self.audit(&mut tx, actor, Action::QueueChange.as_str(), &target, &detail).await?;
        }
        tx.commit().await?;
        if let Some(claimed) = claimed {
            deliveries += self.end_all(&claimed, &answer, (telling, Some(audit))).await?;
        }
        Ok(deliveries)
    }

    /// What this user submitted for later, by its moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scheduled(&self, who: &Principal) -> Result<Vec<ScheduledRow>, Error> {
        Ok(self.0.store.scheduled(who.own().account(), self.now(), LISTED_MAX).await?)
    }

    /// Calls back what this user submitted for later. False when there is no such message of his, or it has begun to go.
    ///
    /// # Errors
    /// When the database fails; what was called back until then stays so, and the rest may be called back again.
    pub async fn cancel_scheduled(&self, who: &Principal, queue_id: &str) -> Result<bool, Error> {
        let own = who.own().account();
        let now = self.now();
        let mut cancelled = 0;
        for (message, account) in self.0.store.queued_as(queue_id).await? {
            if account != Some(own) {
                continue;
            }
            let (claimed, busy) = self.0.store.claim_message(message, (&self.0.node, LEASE)).await?;
            let waits = |delivery: &LeasedDelivery| delivery.due_at > now && delivery.attempts == 0;
            let begun = busy || claimed.iter().any(|claimed| !claimed.deliveries.iter().all(waits));
            if begun {
                if let Some(claimed) = claimed {
                    self.give_back_mail(&claimed.lease).await?;
                }
                continue;
            }
            let mut tx = self.0.store.begin().await?;
            cancelled += tx.cancel_pending(message, now).await?;
            tx.commit().await?;
            if let Some(claimed) = claimed {
                let answer = Answer::ours(Status(5, 4, 7), "called back by its sender");
                cancelled += self.end_all(&claimed, &answer, (Telling::Nobody, None)).await?;
            }
        }
        Ok(cancelled > 0)
    }

    pub(crate) async fn end_all(
        &self,
        claimed: &Claimed,
        answer: &Answer,
        how: (Telling, Option<AuditEntry<'_>>),
    ) -> Result<u64, Error> {
        let failed =
            |delivery: &LeasedDelivery| vec![Outcome::Failed(answer.clone()); delivery.recipients.len()];
        let ended: Vec<Ended<'_>> =
            claimed.deliveries.iter().map(|delivery| (delivery, failed(delivery))).collect();
        let ours = self.conclude(claimed.lease.lease, &ended, how).await?;
        self.give_back_mail(&claimed.lease).await?;
        Ok(if ours { ended.len() as u64 } else { 0 })
    }

    /// Its deliveries under a lease, so that nobody sends them meanwhile.
    pub(crate) async fn claim_whole(
        &self,
        message: i64,
        queue_id: &str,
    ) -> Result<Option<Claimed>, QueueError> {
        let (claimed, busy) = self.0.store.claim_message(message, (&self.0.node, LEASE)).await?;
        if !busy {
            return Ok(claimed);
        }
        if let Some(claimed) = claimed {
            self.give_back_mail(&claimed.lease).await?;
        }
        Err(QueueError::BeingSent(queue_id.to_owned()))
    }

    /// Numbers of the messages with this id that he may touch.
    pub(crate) async fn queued_for(
        &self,
        actor: &Actor,
        action: Action,
        queue_id: &str,
    ) -> Result<Vec<i64>, QueueError> {
        let missing = || QueueError::NoSuchMessage(queue_id.to_owned());
        let mut messages = Vec::new();
        for (message, account) in self.0.store.queued_as(queue_id).await? {
            // Of one that is deleted nobody else could end it.
            let account = match account {
                Some(account) => self.0.store.mailbox_place(Err(account), self.now()).await?,
                None => None,
            };
            let account = account.map(|place| place.account);
            let target = account.map_or(AdminTarget::System, AdminTarget::Mailbox);
            match self.authorize(actor, action, &target).await {
                Ok(()) => messages.push(message),
                Err(AdminError::NoSuchMailbox(_) | AdminError::Denied(model::Reason::NotFound)) => {}
                // That there is a system is no secret, but that there is such a message is.
                Err(AdminError::Denied(_)) if account.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if messages.is_empty() { Err(missing()) } else { Ok(messages) }
    }

    pub(crate) fn entry<'a>(
        &self,
        actor: &'a Actor,
        action: Action,
        target: &'a str,
        detail: &'a serde_json::Value,
    ) -> AuditEntry<'a> {
        let action = action.as_str();
        AuditEntry { at: self.now(), actor: actor.name(), action, target, detail }
    }
}

/// By our number for it: several messages may have come with it, of several domains.
pub(crate) fn audited_as(queue_id: &str) -> String {
    AuditKind::Queue.of_system(queue_id)
}
