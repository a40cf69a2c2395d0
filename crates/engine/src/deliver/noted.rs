//! What is kept of a message that comes: the event in its transaction, and that its mailboxes' sessions hear of it behind the commit.

use super::Arrival;
use crate::intake::Prepared;
use crate::{Engine, Sender};
use store::{Event, Target};

impl Engine {
    pub(crate) fn received<'a>(
        &self,
        arrival: &'a Arrival,
        (trace, remote): (&'a str, &'a str),
        (message, about): (&Prepared, &'a str),
    ) -> Event<'a> {
        Event {
            at: self.now(),
            kind: "received",
            trace,
            account: arrival.principal.as_ref().map(|who| who.own().account()),
            remote: Some(remote),
            sender: Some(arrival.sender.as_ref().map(Sender::as_str).unwrap_or_default()),
            size: Some(message.len() as u64),
            status: Some("delivered"),
            about: Some(about),
        }
    }

    pub(crate) fn tell<'a>(&self, targets: impl IntoIterator<Item = &'a Target>) {
        for target in targets {
            self.0.hub.tell(target.account);
        }
    }
}
