//! What goes to others: what its sender asked for, what its octets need, and the rows that it becomes.
//!
//! Invariants: only [`Engine::recipient_of`] for somebody who logged in, a forwarding that policy allowed, and what comes back of
//! that ([`Engine::came_back`]) make a recipient elsewhere, so nobody relays by us; what nobody could be told of is never told.

use crate::deliver::Arrival;
use crate::expansion::Meant;
use crate::intake::Prepared;
use crate::{Engine, Sender};
use jiff::{SignedDuration, Timestamp};
use model::Sorting;
use model::queue::{Needs, Notify, Priority, Return, Schedule};
use proto::mime::header_fields;
use store::{NewOutgoing, NewOutgoingPart};

/// Recipients, here and elsewhere, from which on nobody waits for one message in particular.
const BULK_RECIPIENTS: usize = 50;
/// How far ahead mail may be sent.
const RELEASE_AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What a sender asked for, of a message (RFC 3461, RFC 8689, RFC 4865).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub ret: Option<Return>,
    /// xtext, as it came.
    pub envid: Option<String>,
    /// The client said that message or envelope may have characters beyond ASCII (RFC 6531 3.4).
    pub smtputf8: bool,
    /// Over verified TLS or not at all.
    pub requiretls: bool,
    /// Not before then; at most [`Engine::release_ahead_max`] from now.
    pub release_at: Option<Timestamp>,
}

impl Engine {
    /// How far ahead mail may be sent (RFC 4865).
    #[must_use]
    pub fn release_ahead_max(&self) -> SignedDuration {
        RELEASE_AHEAD_MAX
    }

    /// The rows of a message in the queue; `None` when it stays within the system and goes at once.
    pub(crate) fn outgoing<'a>(
        &self,
        arrival: &'a Arrival,
        meant: &Meant,
        (message, queue_id, about): (&Prepared, &'a str, &'a str),
        sent_as: Option<&'a str>,
    ) -> Option<NewOutgoing<'a>> {
        let now = self.now();
        let release_at = arrival.wishes.release_at.filter(|at| *at > now);
        if meant.outside.is_empty() && release_at.is_none() {
            return None;
        }
        let sender = arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default();
        let due_at = release_at.unwrap_or(now);
        let schedule = Schedule::default();
        let after = |wait| due_at.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let hears = |notify: Notify| !sender.is_empty() && notify.asks_for(Notify::DELAY);
        let mut outside = meant.outside.clone();
        for (_, to) in &mut outside {
            to.notify = match (arrival.hears_of_success(), arrival.hears_of_failure()) {
                (true, _) => to.notify,
                (false, true) => to.notify.without(Notify::SUCCESS),
                (false, false) => Notify::NEVER,
            };
        }
        let is_told = outside.iter().any(|(_, recipient)| hears(recipient.notify));
        let many = meant.outside.len() + meant.targets.len() >= BULK_RECIPIENTS;
        let bulk = many || is_of_list(message.header_alone(0));
        let international = !sender.is_ascii() || meant.outside.iter().any(|(_, to)| !to.address.is_ascii());
        let wishes = &arrival.wishes;
        Some(NewOutgoing {
            queue_id,
            sender,
            sent_as,
            account: arrival.principal.as_ref().map(|who| who.own().account()),
            ret: wishes.ret,
            envid: wishes.envid.as_deref(),
            needs: Needs {
                eight_bit: message.is_eight_bit(),
                smtputf8: international || (wishes.smtputf8 && !message.header_alone(0).is_ascii()),
                requiretls: wishes.requiretls,
            },
            about,
            priority: match (sender.is_empty(), bulk) {
                (true, _) => Priority::Report,
                (false, true) => Priority::Bulk,
                (false, false) => Priority::Interactive,
            },
            due_at,
            warn_at: is_told.then(|| after(schedule.warn_after)),
            give_up_at: after(schedule.give_up_after),
            is_kept_back: matches!(message.sorting, Sorting::Quarantine(_)),
            parts: NewOutgoingPart::of(outside),
        })
    }

    /// Has this node look at the destinations of mail that was just accepted. What is lost here a round finds.
    pub(crate) async fn nudge(&self, destinations: &[&str]) {
        self.nudge_for(destinations, false).await;
    }

    /// The same of reports.
    pub(crate) async fn nudge_for_reports(&self, destinations: &[&str]) {
        self.nudge_for(destinations, true).await;
    }

    async fn nudge_for(&self, destinations: &[&str], only_reports: bool) {
        if destinations.is_empty() {
            return;
        }
        let nudged = self.0.store.nudge_destinations(destinations, only_reports, self.now());
        if let Err(error) = nudged.await {
            tracing::warn!(%error, "mail for others waits for the next round");
        }
        self.0.outgoing.notify_one();
    }
}

/// Where it goes, each once.
pub(crate) fn destinations<'a>(outgoing: &'a NewOutgoing<'_>) -> Vec<&'a str> {
    let mut names: Vec<&str> = outgoing.parts.iter().map(|part| part.destination.as_str()).collect();
    names.dedup();
    names
}

/// Of a mailing list (RFC 2919), or said to be bulk.
fn is_of_list(header: &[u8]) -> bool {
    header_fields(header).any(|field| field.is("List-Id") || field.is("List-Unsubscribe"))
}
