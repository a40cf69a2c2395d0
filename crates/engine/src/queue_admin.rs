//! The queue in the hands of administrators, and of those whose mail is in it.
//!
//! Invariants: an administrator sees and touches mail of senders within his scope alone, and each act is one row of the audit
//! trail; what is being sent at the moment is not touched, as the other side may have it already; a sender calls back only what
//! has not begun to go.

use crate::queue::{Ended, Telling, event, lease_end};
use crate::{Actor, AdminError, AdminTarget, Engine, Error, Principal};
use jiff::Timestamp;
use model::queue::{Answer, Notify, Outcome, Priority, Schedule, Status};
use model::{Action, Address, DomainName};
use serde_json::json;
use store::{
    AuditEntry, Claimed, DeliveryReport, LeasedDelivery, NewOutgoing, NewOutgoingEvent, NewOutgoingPart,
    NewOutgoingRecipient, QueueDestinationRow, QueueFilter, QueueReport, QueueRow, Reroute, ScheduledRow,
    Target,
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
        Ok(self.0.store.queue(filter, &reach).await?)
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
        let messages = self.queued_for(actor, queue_id).await?;
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        let mut deliveries = 0;
        for message in &messages {
            deliveries += tx.retry_queued(*message, now).await?;
        }
        let detail = json!({ "act": "retry", "deliveries": deliveries });
        self.audit(&mut tx, actor, Action::QueueChange.as_str(), queue_id, &detail).await?;
        tx.commit().await?;
        for message in messages {
            self.0.store.look_at(message, now).await?;
        }
        self.0.outgoing.notify_one();
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    /// Keeps a message back until it is let go, or lets it go.
    ///
    /// # Errors
    /// `NoSuchMessage`, `Denied`.
    pub async fn hold_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        held: bool,
    ) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, queue_id).await?;
        let mut tx = self.0.store.begin().await?;
        let mut deliveries = 0;
        for message in messages {
            deliveries += tx.hold_queued(message, held).await?;
        }
        let detail = json!({ "act": if held { "hold" } else { "release" }, "deliveries": deliveries });
        self.audit(&mut tx, actor, Action::QueueChange.as_str(), queue_id, &detail).await?;
        tx.commit().await?;
        if !held {
            self.0.store.find_forgotten(self.now()).await?;
            self.0.outgoing.notify_one();
        }
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    /// Gives a message up; its sender is told, but for `quietly`.
    ///
    /// # Errors
    /// `NoSuchMessage`, `BeingSent`, `Denied`.
    pub async fn expire_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        quietly: bool,
    ) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, queue_id).await?;
        let detail = json!({ "act": "expire", "quietly": quietly });
        let audit = self.entry(actor, queue_id, &detail);
        let telling = if quietly { Telling::Nobody } else { Telling::Usual };
        let answer = Answer::ours(Status(5, 4, 7), "given up by an administrator");
        let mut deliveries = 0;
        for message in messages {
            if let Some(claimed) = self.claim_whole(message, queue_id).await? {
                deliveries += self.end_all(&claimed, &answer, (telling, Some(audit))).await?;
            }
        }
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    /// Sends what has not gone yet of a message to another address instead, here or elsewhere.
    ///
    /// # Errors
    /// `NoSuchMessage`, `BeingSent`, `NoSuchTarget`, `Denied`.
    pub async fn redirect_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        to: &Address,
    ) -> Result<QueueMessage, QueueError> {
        let messages = self.queued_for(actor, queue_id).await?;
        let target = if self.is_local_domain(to.domain()).await? {
            let no_target = || QueueError::NoSuchTarget(to.clone());
            let found = self.recipient(to).await.map_err(|_| no_target())?;
            let crate::recipients::Kind::Mailbox { account, inbox: folder, .. } = *found.kind() else {
                return Err(no_target());
            };
            Some(Target { account, folder, recipient: Some(to.to_string()), room: None })
        } else {
            self.0.store.know_destinations(&[to.domain().as_str()], self.now()).await?;
            None
        };
        let detail = json!({ "act": "redirect", "to": to.to_string() });
        let audit = self.entry(actor, queue_id, &detail);
        let mut deliveries = 0;
        for message in messages {
            if let Some(claimed) = self.claim_whole(message, queue_id).await? {
                deliveries += self.redirect_all(&claimed, (to, target.as_ref()), audit).await?;
            }
        }
        self.nudge(&[to.domain().as_str()]).await;
        Ok(QueueMessage { queue_id: queue_id.to_owned(), deliveries })
    }

    async fn redirect_all(
        &self,
        claimed: &Claimed,
        (to, target): (&Address, Option<&Target>),
        audit: AuditEntry<'_>,
    ) -> Result<u64, QueueError> {
        let now = self.now();
        let Some(first) = claimed.deliveries.first() else { return Ok(0) };
        let address = crate::sender::written(to);
        let new = rerouted(first, to.domain(), &address, now);
        let reroute =
            target.map_or_else(|| Reroute::There(Box::new(new)), |target| Reroute::Here(target.clone()));
        let mut reroute = Some(reroute);
        let report = |delivery: &LeasedDelivery| DeliveryReport {
            delivery: delivery.delivery,
            message: delivery.message,
            ended: delivery.recipients.iter().map(|recipient| recipient.nth).collect(),
            reroute: reroute.take(),
            ..DeliveryReport::default()
        };
        let reports: Vec<DeliveryReport<'_>> = claimed.deliveries.iter().map(report).collect();
        let trace = self.queue_id();
        let status = format!("sent to {to} instead, by an administrator");
        let was = claimed.deliveries.iter().flat_map(|delivery| &delivery.recipients);
        let mut recipients: Vec<String> = was.map(|recipient| recipient.address.to_lowercase()).collect();
        recipients.push(to.to_string());
        let events = [NewOutgoingEvent {
            event: event(first, (&trace, now), "redirected", (None, &status)),
            recipients,
        }];
        let report = QueueReport { deliveries: &reports, events: &events, audit: Some(audit) };
        self.commit_report(claimed.lease.lease, first, &report, Vec::new()).await?;
        self.give_back_mail(&claimed.lease).await?;
        Ok(claimed.deliveries.len() as u64)
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
            let (claimed, busy) = self.0.store.claim_message(message, (&self.0.node, lease_end(now))).await?;
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

    async fn end_all(
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
    async fn claim_whole(&self, message: i64, queue_id: &str) -> Result<Option<Claimed>, QueueError> {
        let until = lease_end(self.now());
        let (claimed, busy) = self.0.store.claim_message(message, (&self.0.node, until)).await?;
        if !busy {
            return Ok(claimed);
        }
        if let Some(claimed) = claimed {
            self.give_back_mail(&claimed.lease).await?;
        }
        Err(QueueError::BeingSent(queue_id.to_owned()))
    }

    /// Numbers of the messages with this id that he may touch.
    async fn queued_for(&self, actor: &Actor, queue_id: &str) -> Result<Vec<i64>, QueueError> {
        let missing = || QueueError::NoSuchMessage(queue_id.to_owned());
        let mut messages = Vec::new();
        for (message, account) in self.0.store.queued_as(queue_id).await? {
            let target = account.map_or(AdminTarget::System, AdminTarget::Mailbox);
            match self.authorize(actor, Action::QueueChange, &target).await {
                Ok(()) => messages.push(message),
                Err(AdminError::NoSuchMailbox(_) | AdminError::Denied(model::Reason::NotFound)) => {}
                // That there is a system is no secret, but that there is such a message is.
                Err(AdminError::Denied(_)) if account.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if messages.is_empty() { Err(missing()) } else { Ok(messages) }
    }

    fn entry<'a>(
        &self,
        actor: &'a Actor,
        queue_id: &'a str,
        detail: &'a serde_json::Value,
    ) -> AuditEntry<'a> {
        let action = Action::QueueChange.as_str();
        AuditEntry { at: self.now(), actor: actor.name(), action, target: queue_id, detail }
    }
}

fn rerouted<'a>(
    delivery: &'a LeasedDelivery,
    domain: &DomainName,
    address: &str,
    now: Timestamp,
) -> NewOutgoing<'a> {
    let recipient = NewOutgoingRecipient { address: address.to_owned(), orcpt: None, notify: Notify::UNSAID };
    let schedule = Schedule::default();
    let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    NewOutgoing {
        queue_id: &delivery.queue_id,
        sender: &delivery.sender,
        account: delivery.account,
        ret: delivery.ret,
        envid: delivery.envid.as_deref(),
        needs: delivery.needs,
        about: &delivery.about,
        priority: Priority::Interactive,
        due_at: now,
        warn_at: (!delivery.sender.is_empty()).then(|| after(schedule.warn_after)),
        give_up_at: after(schedule.give_up_after),
        parts: vec![NewOutgoingPart { destination: domain.to_string(), recipients: vec![recipient] }],
    }
}
