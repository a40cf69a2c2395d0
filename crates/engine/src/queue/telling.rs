//! Ending deliveries and telling their senders: what has failed, what is late, what was handed over, each in the transaction
//! that says so of the queue.
//!
//! Invariants: one transaction for all that became of a message at once, with its events and its letters; nothing of it
//! when the lease is another node's.

use super::passed_on::{by_whose, failing, whose_of, written_of};
use super::{LEASE, event, said};
use crate::report::{Told, What};
use crate::{Engine, Error, figures};
use jiff::Timestamp;
use model::AccountId;
use model::queue::{Answer, Notify, Outcome, Schedule, Status};
use std::collections::BTreeMap;
use store::{
    AuditEntry, DeliveryReport, LeasedDelivery, LeasedRecipient, NewOutgoingEvent, QueueReport,
    RecipientAnswer, SentDelivery,
};
use tokio_util::sync::CancellationToken;

/// Deliveries that are given up, or told of, at a time.
pub(super) const OVERDUE_MAX: i64 = 50;
/// Deliveries that could not be told of, from which on a round ends: then the fault is not in them.
pub(super) const PASSED_OVER_MAX: usize = 1_000;

/// Is its sender told?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As he asked to be.
    Usual,
    /// The other system took his wishes on: it tells of success itself.
    PassedOn,
    Nobody,
}

/// What became of the recipients of one delivery, in their order.
pub(crate) type Ended<'a> = (&'a LeasedDelivery, Vec<Outcome>);

/// What became of a recipient, said by which host and how, and whose event tells of it.
type Becoming<'a> = (&'static str, Option<&'a str>, String, Option<AccountId>);

impl Engine {
    /// Tells of what is late and gives up what is over, until nothing is left. What cannot be told of keeps nothing else from
    /// it, and is tried with the next round.
    pub(crate) async fn tell_overdue(&self, stop: &CancellationToken) -> Result<(), Error> {
        let (mut passed_over, mut told) = (Vec::new(), Ok(()));
        while !stop.is_cancelled() && passed_over.len() < PASSED_OVER_MAX {
            let now = self.now();
            let claimed =
                self.0.store.claim_overdue(&self.0.node, &passed_over, OVERDUE_MAX, (now, LEASE)).await?;
            let Some(claimed) = claimed else { break };
            let mut by_message: BTreeMap<i64, Vec<&LeasedDelivery>> = BTreeMap::new();
            for delivery in &claimed.deliveries {
                by_message.entry(delivery.message).or_default().push(delivery);
            }
            for deliveries in by_message.into_values() {
                if let Err(error) = self.tell_overdue_of(claimed.lease.lease, &deliveries).await {
                    passed_over.extend(deliveries.iter().map(|delivery| delivery.delivery));
                    told = Err(error);
                }
            }
            self.give_back_mail(&claimed.lease).await?;
        }
        told
    }

    async fn tell_overdue_of(&self, lease: i64, deliveries: &[&LeasedDelivery]) -> Result<(), Error> {
        let now = self.now();
        let (over, late): (Vec<_>, Vec<_>) =
            deliveries.iter().copied().partition(|delivery| delivery.give_up_at <= now);
        if !over.is_empty() {
            let last = |delivery: &'_ LeasedDelivery| {
                let outcome = |to| Outcome::Deferred(last_said(delivery, to));
                delivery.recipients.iter().map(outcome).collect()
            };
            let ended: Vec<Ended<'_>> = over.iter().map(|delivery| (*delivery, last(delivery))).collect();
            self.conclude(lease, &ended, (Telling::Usual, None)).await?;
        }
        if !late.is_empty() {
            self.tell_late(lease, &late).await?;
        }
        Ok(())
    }

    /// Tells a sender that some of a message is late (RFC 5321 4.5.4.1).
    async fn tell_late(&self, lease: i64, late: &[&LeasedDelivery]) -> Result<(), Error> {
        let now = self.now();
        let Some(first) = late.first() else { return Ok(()) };
        let mut told = Vec::new();
        for delivery in late {
            for to in delivery.recipients.iter().filter(hears_of_delay) {
                let answer = last_said(delivery, to);
                let (address, original) = (to.address.as_str(), to.orcpt.as_deref());
                let (written, what) = (written_of(to), What::Delayed);
                told.push(Told { address, original, written, what, answer, at: None });
            }
        }
        let report = |delivery: &&LeasedDelivery| DeliveryReport {
            delivery: delivery.delivery,
            message: delivery.message,
            warned: true,
            ..DeliveryReport::default()
        };
        let reports: Vec<DeliveryReport<'_>> = late.iter().map(report).collect();
        let mut whose = by_whose(late.iter().copied(), |to| hears_of_delay(&to));
        if whose.is_empty() {
            whose.insert(first.account, Vec::new());
        }
        let traced: Vec<_> = whose.into_iter().map(|whose| (self.queue_id(), whose)).collect();
        let status = "its sender is told that it is late";
        let events: Vec<NewOutgoingEvent<'_>> = traced
            .iter()
            .map(|(trace, (account, recipients))| NewOutgoingEvent {
                event: event((first, *account), (trace, now), "delayed", (None, status)),
                recipients: recipients.clone(),
            })
            .collect();
        let report = QueueReport { deliveries: &reports, events: &events, untold: &[], audit: None };
        self.commit_report(lease, first, &report, vec![told]).await?;
        Ok(())
    }

    /// Ends what has ended of deliveries of one message, puts off the rest, and tells its sender: in one transaction. False
    /// when the lease is not this node's any more.
    pub(crate) async fn conclude(
        &self,
        lease: i64,
        deliveries: &[Ended<'_>],
        (telling, audit): (Telling, Option<AuditEntry<'_>>),
    ) -> Result<bool, Error> {
        let now = self.now();
        let Some((first, _)) = deliveries.first() else { return Ok(true) };
        let judged: Vec<Ended<'_>> = deliveries
            .iter()
            .map(|(delivery, outcomes)| (*delivery, judge(delivery, outcomes, now)))
            .collect();
        let reports: Vec<DeliveryReport<'_>> =
            judged.iter().map(|(delivery, outcomes)| self.delivery_report(delivery, outcomes)).collect();
        let (mut failed, mut relayed) = (Vec::new(), Vec::new());
        let mut said_of: BTreeMap<Becoming<'_>, Vec<String>> = BTreeMap::new();
        for (delivery, outcomes) in &judged {
            for (to, outcome) in delivery.recipients.iter().zip(outcomes) {
                let (kind, answer) = kind_of(outcome);
                let kind = if telling == Telling::Nobody { "cancelled" } else { kind };
                let key = (kind, answer.host.as_deref(), said(answer), whose_of(delivery, to));
                said_of.entry(key).or_default().push(to.address.to_lowercase());
                match told(to, outcome, telling) {
                    Some(told) if told.what == What::Failed => failed.push(told),
                    Some(told) => relayed.push(told),
                    None => {}
                }
            }
        }
        let traced: Vec<_> = said_of.into_iter().map(|said| (self.queue_id(), said)).collect();
        let events: Vec<NewOutgoingEvent<'_>> = traced
            .iter()
            .map(|(trace, ((kind, host, status, account), recipients))| NewOutgoingEvent {
                event: event((first, *account), (trace, now), kind, (*host, status)),
                recipients: recipients.clone(),
            })
            .collect();
        let report = QueueReport { deliveries: &reports, events: &events, untold: &[], audit };
        let told = vec![failed, relayed];
        let ours = self.report_sent(lease, first, &report, &told).await
            || self.commit_ended(lease, &judged, &report, told).await?;
        if ours {
            for (_, ((kind, ..), recipients)) in &traced {
                figures::outgoing(kind, recipients.len());
            }
            if telling != Telling::Nobody {
                self.tell_who_forwards(first, &failing(&judged)).await;
            }
        }
        Ok(ours)
    }

    /// The short way for what is said most: one delivery, everybody has it, nobody hears of it. False when it has to go the
    /// long one.
    async fn report_sent(
        &self,
        lease: i64,
        delivery: &LeasedDelivery,
        report: &QueueReport<'_>,
        told: &[Vec<Told<'_>>],
    ) -> bool {
        let ([ended], [event], None) = (report.deliveries, report.events, &report.audit) else {
            return false;
        };
        let all_have_it = event.event.kind == "sent" && ended.ended.len() == delivery.recipients.len();
        if !all_have_it || !told.iter().all(Vec::is_empty) {
            return false;
        }
        let sent = SentDelivery { lease, delivery: delivery.delivery, message: delivery.message };
        self.0.store.report_sent(sent, event).await
    }

    fn delivery_report<'a>(&self, delivery: &LeasedDelivery, outcomes: &'a [Outcome]) -> DeliveryReport<'a> {
        let mut report = DeliveryReport {
            delivery: delivery.delivery,
            message: delivery.message,
            ..DeliveryReport::default()
        };
        for (to, outcome) in delivery.recipients.iter().zip(outcomes) {
            match outcome {
                Outcome::Deferred(answer) => report.deferred.push(RecipientAnswer { nth: to.nth, answer }),
                Outcome::Delivered(_) | Outcome::Failed(_) => report.ended.push(to.nth),
            }
        }
        if !report.deferred.is_empty() {
            let attempts = delivery.attempts.saturating_add(1);
            report.due_at = Some(Schedule::default().next(self.now(), attempts, &*self.0.rng));
        }
        report
    }
}

/// One for each recipient; what was put off and is over has failed (RFC 5321 4.5.4.1).
fn judge(delivery: &LeasedDelivery, outcomes: &[Outcome], now: Timestamp) -> Vec<Outcome> {
    let unsaid = || Outcome::Deferred(Answer::ours(Status(4, 4, 2), "nothing was said of this recipient"));
    let all = delivery.recipients.iter().enumerate();
    let outcomes = all.map(|(at, _)| outcomes.get(at).cloned().unwrap_or_else(unsaid));
    let judged = outcomes.map(|outcome| match outcome {
        Outcome::Deferred(last) if delivery.give_up_at <= now => {
            let text = format!("delivery time expired; at last: {}", last.text);
            Outcome::Failed(Answer { status: Status(4, 4, 7), text, ..last })
        }
        outcome => outcome,
    });
    judged.collect()
}

fn hears_of_delay(to: &&LeasedRecipient) -> bool {
    to.notify.asks_for(Notify::DELAY)
}

/// What is known of why he has not got it yet.
fn last_said(delivery: &LeasedDelivery, to: &LeasedRecipient) -> Answer {
    let of_destination = || {
        let text = delivery.destination_answer.as_deref().unwrap_or("the other system was not reached");
        Answer::ours(Status(4, 4, 1), text)
    };
    to.last.clone().unwrap_or_else(of_destination)
}

fn kind_of(outcome: &Outcome) -> (&'static str, &Answer) {
    match outcome {
        Outcome::Delivered(answer) => ("sent", answer),
        Outcome::Deferred(answer) => ("deferred", answer),
        Outcome::Failed(answer) => ("bounced", answer),
    }
}

/// What its sender hears of a recipient, if anything.
fn told<'a>(to: &'a LeasedRecipient, outcome: &Outcome, telling: Telling) -> Option<Told<'a>> {
    let (what, asked, answer) = match outcome {
        Outcome::Failed(answer) => (What::Failed, Notify::FAILURE, answer),
        Outcome::Delivered(answer) if telling == Telling::Usual => (What::Relayed, Notify::SUCCESS, answer),
        Outcome::Delivered(_) | Outcome::Deferred(_) => return None,
    };
    let is_told = telling != Telling::Nobody && to.notify.asks_for(asked);
    let (address, original) = (to.address.as_str(), to.orcpt.as_deref());
    let written = written_of(to);
    is_told.then(|| Told { address, original, written, what, answer: answer.clone(), at: None })
}
