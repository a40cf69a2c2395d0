//! Which octets of bodies are brought into memory together, before they are written.
//!
//! Invariant: of one session there is at most one group of [`PREFETCH_BYTES`] and one piece of
//! [`PREFETCH_EACH_BYTES`] that were asked for and are not written yet; the chunks they lie in are [`PREFETCH_CHUNKS`]
//! times as much.

use super::fetch::{Target, with_body};
use super::limits::{PREFETCH_BYTES, PREFETCH_CHUNKS, PREFETCH_EACH_BYTES};
use super::section::{self, Place};
use engine::{Body, Engine, Error};
use proto::imap::FetchItem;
use std::ops::Range;

/// Octets that are needed soon.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// How many messages they are of.
    pub(crate) count: usize,
    wanted: Vec<(Body, Range<u64>)>,
}

impl Heads {
    /// What the first of `targets` need.
    pub(crate) fn of(items: &[FetchItem], targets: &[Target]) -> Self {
        let mut heads = Self::default();
        let mut bytes = 0;
        for target in targets {
            let before = bytes;
            if let Some((message, body)) = with_body(target) {
                let ranges: Vec<Range<u64>> = items
                    .iter()
                    .filter_map(|item| section::place(item, body.size(), message.structure.as_ref()))
                    .filter_map(|place| match place {
                        Place::Octets(range)
                        | Place::Encoded { octets: range, .. }
                        | Place::Fields { header: range, .. } => Some(head(range)),
                        Place::Nowhere | Place::Unknown => None,
                    })
                    // The places of many items may overlap; what is left out is read when its turn comes.
                    .scan(0, |sum, range| {
                        let fits = *sum <= PREFETCH_BYTES;
                        *sum += weight(body, &range);
                        fits.then_some(range)
                    })
                    .collect();
                bytes += ranges.iter().map(|range| weight(body, range)).sum::<u64>();
                if bytes > PREFETCH_BYTES && before > 0 {
                    break;
                }
                heads.wanted.extend(ranges.into_iter().map(|range| (body.clone(), range)));
            }
            heads.count += 1;
        }
        heads
    }

    /// Brings them in one query.
    pub(crate) async fn bring(self, engine: &Engine) -> Result<(), Error> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<(&Body, Range<u64>)> =
            self.wanted.iter().map(|(body, range)| (body, range.clone())).collect();
        engine.prefetch(&wanted).await
    }
}

/// The beginning of a range: enough to begin with, and not so much that it fills the memory.
pub(crate) fn head(range: Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(PREFETCH_EACH_BYTES))
}

/// What a range counts in its group: its octets, or what has to come for it where that is much more.
pub(crate) fn weight(body: &Body, range: &Range<u64>) -> u64 {
    (range.end - range.start).max(body.brought(range) / PREFETCH_CHUNKS)
}
