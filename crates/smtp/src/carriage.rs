//! The queue's deliveries over the road out: what `runner` asks for, done by `out`.

use crate::out::{self, Envelope, NoWay, Octets, OctetsError, OutRecipient};
use crate::runner::{self, Attempt};
use bytes::Bytes;
use engine::{Engine, LeasedDelivery, OutgoingOctets, Piece, Unreachable};
use model::queue::TLS_REPORTS_TO;
use proto::tlsrpt::{Failure, Policy};
use std::net::IpAddr;

impl runner::Carrier for out::Carrier {
    type Connection = out::Connection;

    async fn open(&self, destination: &str) -> Result<out::Connection, Unreachable> {
        let opened = match destination.strip_prefix(TLS_REPORTS_TO) {
            Some(domain) => self.open_despite_policies(domain).await,
            None => out::Carrier::open(self, destination).await,
        };
        opened.map_err(|no_way| match no_way {
            NoWay::Later(answer) => Unreachable::Later(answer),
            NoWay::Never(answer) => Unreachable::Never(answer),
        })
    }
}

impl out::Watcher for Engine {
    fn saw(&self, policy: &Policy, failure: Option<Failure>) {
        self.count_tls(policy, failure);
    }
}

impl runner::Connection for out::Connection {
    async fn send(&mut self, delivery: &LeasedDelivery, octets: OutgoingOctets) -> Attempt {
        let envelope = envelope(delivery, octets.size());
        let attempt = out::Connection::send(self, &envelope, Pieces { octets, at: 0 }).await;
        let out::Attempt { outcomes, passed_on, reusable, broken, .. } = attempt;
        Attempt { outcomes, passed_on, reusable, broken }
    }

    async fn quit(self) {
        out::Connection::quit(self).await;
    }

    fn address(&self) -> Option<IpAddr> {
        self.chosen
    }
}

fn envelope(delivery: &LeasedDelivery, size: u64) -> Envelope {
    let recipient = |recipient: &engine::LeasedRecipient| OutRecipient {
        address: recipient.address.clone(),
        orcpt: recipient.orcpt.clone(),
        notify: recipient.notify,
    };
    Envelope {
        queue_id: delivery.queue_id.clone(),
        sender: delivery.sent_as.as_ref().unwrap_or(&delivery.sender).clone(),
        env_id: delivery.envid.clone(),
        ret: delivery.ret,
        size,
        is_8bit: delivery.needs.eight_bit,
        needs_smtputf8: delivery.needs.smtputf8,
        requires_tls: delivery.needs.requiretls,
        recipients: delivery.recipients.iter().map(recipient).collect(),
    }
}

/// A message, chunk by chunk.
struct Pieces {
    octets: OutgoingOctets,
    at: u64,
}

/// A piece as [`Bytes`] wants it: the chunk in memory is not copied.
struct Shared(Piece);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Octets for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, OctetsError> {
        let piece = self.octets.piece(self.at).await.map_err(|error| {
            tracing::warn!(%error, "a message of the queue cannot be read");
            OctetsError
        })?;
        self.at = self.at.saturating_add(piece.len() as u64);
        Ok((!piece.is_empty()).then(|| Bytes::from_owner(Shared(piece))))
    }
}
