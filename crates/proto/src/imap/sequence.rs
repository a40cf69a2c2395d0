//! Sets of message numbers as clients write them, and their meaning in a mailbox.
//!
//! A set keeps the ranges as written, at most [`SequenceSet::RANGES_MAX`]; resolving costs
//! O(ranges · log messages + results) and never walks the numbers of a range, so `1:4294967295` is harmless.

use std::num::NonZeroU32;

/// `seq-number = nz-number / "*"` (RFC 3501 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqNumber {
    Number(NonZeroU32),
    /// `*`, the largest number in use.
    Last,
}

/// A range in the order written; a single number is a range of itself (RFC 3501 9: `4:2` is `2:4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqRange {
    pub from: SeqNumber,
    pub to: SeqNumber,
}

/// `sequence-set`, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSet(Vec<SeqRange>);

/// A sequence number names no message of the mailbox (RFC 3501 9: BAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such message")]
pub struct NoSuchMessage;

impl SequenceSet {
    /// Ranges of one set: a client that marks every second message of a large folder sends some thousands,
    /// and the command's own byte limit leaves no room for more.
    pub const RANGES_MAX: usize = 200_000;

    /// `None` for no or too many ranges.
    #[must_use]
    pub fn new(ranges: Vec<SeqRange>) -> Option<Self> {
        (1..=Self::RANGES_MAX).contains(&ranges.len()).then_some(Self(ranges))
    }

    #[must_use]
    pub fn ranges(&self) -> &[SeqRange] {
        &self.0
    }

    /// The uids of `uids` (ascending) that the set names, ascending and each once. Uids that are not there are
    /// passed over (RFC 3501 6.4.8); `*` is the last, so `9:*` names it even where it is below 9.
    #[must_use]
    pub fn uids(&self, uids: &[u32]) -> Vec<u32> {
        let Some(&last) = uids.last() else { return Vec::new() };
        let spans = self.spans(last).into_iter().map(|(low, high)| {
            (uids.partition_point(|&uid| uid < low), uids.partition_point(|&uid| uid <= high))
        });
        spans.flat_map(|(from, to)| uids.get(from..to).unwrap_or_default()).copied().collect()
    }

    /// The sequence numbers the set names among 1 to `count`, ascending and each once.
    ///
    /// # Errors
    /// When a number is above `count`, or the mailbox is empty (RFC 3501 9, seq-number).
    pub fn numbers(&self, count: u32) -> Result<Vec<u32>, NoSuchMessage> {
        let spans = self.spans(count);
        if count == 0 || spans.last().is_some_and(|&(_, high)| high > count) {
            return Err(NoSuchMessage);
        }
        Ok(spans.into_iter().flat_map(|(low, high)| low..=high).collect())
    }

    /// Does the set name `number`, when the largest in use is `last`?
    #[must_use]
    pub fn contains(&self, number: u32, last: u32) -> bool {
        self.0.iter().any(|range| {
            let (low, high) = range.bounds(last);
            (low..=high).contains(&number)
        })
    }

    /// The set as disjoint ascending spans (both ends included) with `*` standing for `last`.
    #[must_use]
    pub fn spans(&self, last: u32) -> Vec<(u32, u32)> {
        let mut sorted: Vec<(u32, u32)> = self.0.iter().map(|range| range.bounds(last)).collect();
        sorted.sort_unstable();
        let mut spans: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (low, high) in sorted {
            match spans.last_mut() {
                Some(span) if low <= span.1.saturating_add(1) => span.1 = span.1.max(high),
                _ => spans.push((low, high)),
            }
        }
        spans
    }
}

impl SeqRange {
    fn bounds(self, last: u32) -> (u32, u32) {
        let value = |number| match number {
            SeqNumber::Number(n) => NonZeroU32::get(n),
            SeqNumber::Last => last,
        };
        let (from, to) = (value(self.from), value(self.to));
        (from.min(to), from.max(to))
    }
}
