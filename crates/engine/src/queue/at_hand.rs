//! What a connection carries next, brought from the database in a few questions for many messages.
//!
//! Invariants: what is at hand is a claim's own and bounded in number and octets; what could not be brought is asked for by itself, so that
//! one message that cannot be read is no other's trouble.

use super::{HEADER_BYTES_MAX, OutgoingOctets};
use crate::dkim::KnownKeys;
use crate::message::FACTS_OCTETS_MAX;
use crate::{Engine, Error};
use std::collections::HashMap;
use store::{ContentColumns, LeasedDelivery};

/// Messages that are brought together.
const TOGETHER: usize = 16;

/// What was brought for one connection.
#[derive(Debug, Default)]
pub struct AtHand {
    /// By delivery.
    octets: HashMap<i64, OutgoingOctets>,
    /// Those that sign and seal; asked for anew with each lot of messages.
    keys: KnownKeys,
}

impl Engine {
    /// The octets of the first of these deliveries as they go out, signed where its author's domain has keys. The others are what
    /// will be asked for next.
    ///
    /// # Errors
    /// As [`Engine::outgoing_octets`].
    pub async fn next_octets(
        &self,
        deliveries: &[LeasedDelivery],
        at_hand: &mut AtHand,
    ) -> Result<OutgoingOctets, Error> {
        let Some(first) = deliveries.first() else { return Err(Error::NotFound) };
        if !at_hand.octets.contains_key(&first.delivery) {
            let lot = deliveries.get(..TOGETHER).unwrap_or(deliveries);
            *at_hand = self.bring(lot).await;
        }
        let octets = match at_hand.octets.remove(&first.delivery) {
            Some(octets) => octets,
            None => self.outgoing_octets(first).await?,
        };
        self.signed(first, octets, &mut at_hand.keys).await
    }

    /// As far as that goes without trouble.
    async fn bring(&self, lot: &[LeasedDelivery]) -> AtHand {
        let mut at_hand = AtHand::default();
        let ids: Vec<_> = lot.iter().map(|delivery| delivery.content).collect();
        let columns = ContentColumns { chunks: true, ..ContentColumns::default() };
        let Ok(found) = self.0.store.contents(&ids, columns, FACTS_OCTETS_MAX).await else { return at_hand };
        let body = |(ids, sizes): &(Vec<_>, Vec<i32>)| self.body(ids, sizes);
        let bodies: Vec<_> =
            found.iter().map(|content| content.as_ref()?.chunks.as_ref().map(body)).collect();
        let small = |body: &&_| crate::Body::size(body) <= HEADER_BYTES_MAX;
        let wanted: Vec<_> =
            bodies.iter().flatten().filter(small).map(|body| (body, 0..body.size())).collect();
        if self.prefetch(&wanted).await.is_err() {
            return at_hand;
        }
        for (delivery, body) in lot.iter().zip(bodies) {
            let Some(body) = body else { continue };
            if let Ok(octets) = OutgoingOctets::of(body).await {
                at_hand.octets.insert(delivery.delivery, octets);
            }
        }
        at_hand
    }
}
