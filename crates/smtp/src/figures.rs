//! What is counted at the SMTP doors, for `/metrics`. The names are explained in `docs/operations/metrics.md`.
//!
//! Invariant: a label has few values, all of them ours: never an address, a name or a text from the network.

use crate::gate::Full;
use engine::{DeliverError, Protocol, RecipientError};
use metrics::{counter, gauge, histogram};
use model::admission::Ground;
use proto::smtp::Role;
use std::time::Duration;

pub(crate) fn protocol(role: Role) -> Protocol {
    match role {
        Role::Smtp => Protocol::Smtp,
        Role::Submission => Protocol::Submission,
        Role::Lmtp => Protocol::Lmtp,
    }
}

/// A connection counts as open while this lives.
#[derive(Debug)]
pub(crate) struct Open(&'static str);

impl Open {
    pub(crate) fn new(role: Role) -> Self {
        let door = protocol(role).as_str();
        counter!("congthu_connections_total", "door" => door).increment(1);
        gauge!("congthu_connections_open", "door" => door).increment(1);
        Self(door)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!("congthu_connections_open", "door" => self.0).decrement(1);
    }
}

pub(crate) fn turned_away(role: Role, full: Full) {
    let reason = match full {
        Full::Address => "address_full",
        Full::Server => "server_full",
    };
    counter!("congthu_connections_refused_total", "door" => protocol(role).as_str(), "reason" => reason)
        .increment(1);
}

pub(crate) fn handshake_failed(role: Role) {
    counter!("congthu_tls_failures_total", "door" => protocol(role).as_str()).increment(1);
}

pub(crate) fn recipient_refused(door: Protocol, error: RecipientError) {
    let reason = match error {
        RecipientError::Unknown => "unknown",
        RecipientError::NotLocal | RecipientError::OutsideNotAllowed => "not_local",
        RecipientError::Inactive => "inactive",
        RecipientError::Rejected => "rejected",
        RecipientError::Restricted => "restricted",
        RecipientError::OverQuota | RecipientError::FullForLong => "over_quota",
        RecipientError::Unavailable => "unavailable",
    };
    counter!("congthu_recipients_refused_total", "door" => door.as_str(), "reason" => reason).increment(1);
}

/// There was no room for a message.
pub(crate) fn no_room(door: Protocol) {
    refused(door, "no_room");
}

/// A message's end was read and it was decided upon, in `took`.
pub(crate) fn decided(door: Protocol, bytes: u64, took: Duration, error: Option<&DeliverError>) {
    histogram!("congthu_deliver_seconds", "door" => door.as_str()).record(took);
    let Some(error) = error else {
        counter!("congthu_messages_accepted_total", "door" => door.as_str()).increment(1);
        counter!("congthu_messages_accepted_bytes_total", "door" => door.as_str()).increment(bytes);
        return;
    };
    refused(door, reason(error));
}

/// A stranger's message was refused for what was found out of it.
pub(crate) fn not_admitted(door: Protocol, ground: Ground) {
    refused(door, ground.as_str());
}

/// A stranger's message was refused before anything was found out of it.
pub(crate) fn unreadable(door: Protocol, error: &DeliverError) {
    refused(door, reason(error));
}

fn reason(error: &DeliverError) -> &'static str {
    match error {
        DeliverError::Loop => "loop",
        DeliverError::FromNotYours(_) | DeliverError::SenderMissing(_) | DeliverError::Authors(_) => "from",
        DeliverError::HeaderTooLarge => "header",
        DeliverError::TooLarge { .. } => "size",
        DeliverError::Attachments(_) => "attachments",
        DeliverError::OverQuota => "over_quota",
        DeliverError::Throttled { .. }
        | DeliverError::TooManyRecipients { .. }
        | DeliverError::TooManyReturns => "throttled",
        DeliverError::Infected(_) => "malware",
        DeliverError::Unwanted => "spam",
        DeliverError::NotScanned => "not_scanned",
        DeliverError::PutOff => "put_off",
        DeliverError::Rejected(_) => "rejected",
        DeliverError::RecipientFull => "recipient_full",
        DeliverError::Revoked => "revoked",
        DeliverError::Unavailable => "unavailable",
    }
}

fn refused(door: Protocol, reason: &'static str) {
    counter!("congthu_messages_refused_total", "door" => door.as_str(), "reason" => reason).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ground_of_a_refusal_is_documented() {
        let page = include_str!("../../../docs/operations/metrics.md");
        for ground in Ground::ALL {
            assert!(page.contains(&format!("`{}`", ground.as_str())), "{ground:?}");
        }
    }
}
