//! What of a message waits for somebody's word, as the store takes it.

use super::{Held, Meant};
use crate::deliver::Arrival;
use crate::intake::Prepared;
use crate::{Engine, Sender};
use model::Sorting;
use store::{NewHeld, NewQuarantined};

/// Characters of a subject that whoever approves is shown.
const SUBJECT_CHARS_MAX: usize = 200;

impl Engine {
    /// What waits for approval, as the store takes it.
    pub(crate) fn held<'a>(arrival: &'a Arrival, meant: &'a Meant, subject: &'a str) -> Vec<NewHeld<'a>> {
        let held = |held: &'a Held| NewHeld {
            domain: held.domain,
            unit: held.unit,
            group: &held.name,
            sender: arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default(),
            sender_account: arrival.principal.as_ref().map(|who| who.own().account()),
            subject,
            targets: &held.targets,
        };
        meant.held.iter().map(held).collect()
    }

    /// What is kept apart, as the store takes it.
    pub(crate) fn quarantined<'a>(
        arrival: &'a Arrival,
        meant: &'a Meant,
        (message, subject): (&'a Prepared, &'a str),
    ) -> Option<NewQuarantined<'a>> {
        let Sorting::Quarantine(cause) = message.sorting else { return None };
        (!meant.quarantined.is_empty()).then(|| NewQuarantined {
            targets: &meant.quarantined,
            sender: arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default(),
            author: message.writer.as_ref().and_then(|writer| writer.author.as_deref()),
            is_shown: message.writer.as_ref().is_some_and(|writer| writer.is_shown),
            subject,
            reason: cause.as_str(),
        })
    }
}

/// As whoever approves is shown it.
pub(crate) fn subject(message: &Prepared) -> String {
    let subject = message.facts.envelope.subject.as_deref().map(proto::mime::decode_header);
    subject.unwrap_or_default().chars().take(SUBJECT_CHARS_MAX).collect()
}
