//! Sending mail of the queue to another address than its sender wrote.
//!
//! Invariants: whoever it goes to reads it, so it takes two administrators who say the same within a day, each of whom may still ask
//! for it when it is done; its sender is told, in the transaction that does it; what is being sent at the moment is not touched; the
//! scanner for malware is asked again before somebody else gets it.

use crate::queue::{by_whose, event, written_of};
use crate::queue_admin::{QueueError, QueueMessage, audited_as};
use crate::report::{Told, What};
use crate::{Actor, AdminError, Engine};
use jiff::{SignedDuration, Timestamp};
use model::queue::{Answer, Notify, Priority, Schedule, Status};
use model::{Action, Address, DomainName};
use serde_json::json;
use store::{
    AuditEntry, Claimed, DeliveryReport, LeasedDelivery, LeasedRecipient, NewOutgoing, NewOutgoingEvent,
    NewOutgoingPart, NewOutgoingRecipient, QueueReport, RedirectAsker, Reroute, Target,
};

/// How long a request stands that nobody has agreed to.
const ASKED_KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Engine {
    /// Asks that what has not gone yet of a message be sent to another address instead, here or elsewhere; sends it there when
    /// somebody else has asked for the same. Its sender is told. `None`: it was asked for, and somebody else has to agree.
    ///
    /// # Errors
    /// `NoSuchMessage`, `BeingSent`, `NoSuchTarget`, `Denied`, `SecondPerson` when it was the same who asked; `Infected`, `NotScanned`
    /// when it was to go.
    pub async fn redirect_queued(
        &self,
        actor: &Actor,
        queue_id: &str,
        to: &Address,
    ) -> Result<Option<QueueMessage>, QueueError> {
        let messages = self.queued_for(actor, Action::QueueRedirect, queue_id).await?;
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
        if !self.agree_to_redirect(actor, queue_id, (&messages, to)).await? {
            return Ok(None);
        }
        for message in &messages {
            self.scan_redirected(*message, queue_id).await?;
        }
        let detail = json!({ "to": to.to_string(), "agreed": true });
        let target_name = audited_as(queue_id);
        let audit = self.entry(actor, Action::QueueRedirect, &target_name, &detail);
        let mut deliveries = 0;
        for message in messages {
            if let Some(claimed) = self.claim_whole(message, queue_id).await? {
                deliveries += self.redirect_all(&claimed, (to, target.as_ref()), audit).await?;
            }
        }
        self.nudge(&[to.domain().as_str()]).await;
        Ok(Some(QueueMessage { queue_id: queue_id.to_owned(), deliveries }))
    }

    /// Has somebody else asked for the same, who may still ask for it? If not, it is noted that this one does.
    async fn agree_to_redirect(
        &self,
        actor: &Actor,
        queue_id: &str,
        (messages, to): (&[i64], &Address),
    ) -> Result<bool, QueueError> {
        let now = self.now();
        let since = now.saturating_sub(ASKED_KEPT).unwrap_or(Timestamp::MIN);
        let (address, own) = (to.to_string(), asker(actor));
        let mut askers = Vec::new();
        for message in messages {
            askers.extend(self.0.store.redirect_asked(*message, (&address, since)).await?);
        }
        if askers.iter().any(|asker| is_same(asker, &own)) {
            return Err(AdminError::SecondPerson.into());
        }
        if askers.len() == messages.len() && self.may_all_redirect(&askers, queue_id).await? {
            return Ok(true);
        }
        let mut tx = self.0.store.begin().await?;
        for message in messages {
            tx.ask_redirect(*message, (&address, &own), now).await?;
        }
        let detail = json!({ "to": address, "agreed": false });
        self.audit(&mut tx, actor, Action::QueueRedirect.as_str(), &audited_as(queue_id), &detail).await?;
        tx.commit().await?;
        Ok(false)
    }

    /// What they might do when they asked for it may have been taken from them since.
    async fn may_all_redirect(&self, askers: &[RedirectAsker], queue_id: &str) -> Result<bool, QueueError> {
        for account in askers.iter().filter_map(|asker| asker.account) {
            let Some(asker) = self.actor_again(account).await? else { return Ok(false) };
            match self.queued_for(&asker, Action::QueueRedirect, queue_id).await {
                Ok(_) => {}
                Err(QueueError::NoSuchMessage(_) | QueueError::Admin(AdminError::Denied(_))) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
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
        let status = format!("sent to {to} instead, by an administrator");
        let whose = by_whose(&claimed.deliveries, |_| true);
        let traced: Vec<_> = whose.into_iter().map(|whose| (self.queue_id(), whose)).collect();
        let events: Vec<NewOutgoingEvent<'_>> = traced
            .iter()
            .map(|(trace, (account, was))| NewOutgoingEvent {
                event: event((first, *account), (trace, now), "redirected", (None, &status)),
                recipients: was.iter().cloned().chain([to.to_string()]).collect(),
            })
            .collect();
        let report = QueueReport { deliveries: &reports, events: &events, untold: &[], audit: Some(audit) };
        let told = redirected(&claimed.deliveries, to);
        let ours = self.commit_report(claimed.lease.lease, first, &report, vec![told]).await?;
        self.give_back_mail(&claimed.lease).await?;
        // Somebody has taken the lease over meanwhile, and nothing was changed.
        if ours {
            Ok(claimed.deliveries.len() as u64)
        } else {
            Err(QueueError::BeingSent(first.queue_id.clone()))
        }
    }
}

fn asker(actor: &Actor) -> RedirectAsker {
    RedirectAsker { name: actor.name().to_owned(), account: actor.account() }
}

/// A person by the number of his mailbox, as addresses change; whoever is at the console by the name that he has there.
fn is_same(one: &RedirectAsker, other: &RedirectAsker) -> bool {
    match (one.account, other.account) {
        (None, None) => one.name == other.name,
        (one, other) => one == other,
    }
}

/// What the sender hears: but who wants to hear of nothing.
fn redirected<'a>(deliveries: &'a [LeasedDelivery], to: &Address) -> Vec<Told<'a>> {
    let something = Notify::SUCCESS.and(Notify::FAILURE).and(Notify::DELAY);
    let of = deliveries.iter().flat_map(|delivery| &delivery.recipients);
    let told = |recipient: &'a LeasedRecipient| Told {
        address: &recipient.address,
        original: recipient.orcpt.as_deref(),
        written: written_of(recipient),
        what: What::Redirected,
        answer: Answer::ours(Status(2, 0, 0), to.to_string()),
        at: None,
    };
    of.filter(|recipient| recipient.notify.asks_for(something)).map(told).collect()
}

fn rerouted<'a>(
    delivery: &'a LeasedDelivery,
    domain: &DomainName,
    address: &str,
    now: Timestamp,
) -> NewOutgoing<'a> {
    let recipient = NewOutgoingRecipient {
        address: address.to_owned(),
        orcpt: None,
        notify: Notify::UNSAID,
        passed_on: None,
    };
    let schedule = Schedule::default();
    let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    NewOutgoing {
        queue_id: &delivery.queue_id,
        sender: &delivery.sender,
        sent_as: delivery.sent_as.as_deref(),
        account: delivery.account,
        ret: delivery.ret,
        envid: delivery.envid.as_deref(),
        needs: delivery.needs,
        about: &delivery.about,
        priority: Priority::Interactive,
        due_at: now,
        warn_at: (!delivery.sender.is_empty()).then(|| after(schedule.warn_after)),
        give_up_at: after(schedule.give_up_after),
        is_kept_back: false,
        parts: vec![NewOutgoingPart { destination: domain.to_string(), recipients: vec![recipient] }],
    }
}
