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

/// `sequence-set`: never empty, or `$`, which has no ranges of its own.
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

    /// `$`: the messages that the last SEARCH saved (RFC 5182). As numbers it names none; who resolves sets looks first.
    #[must_use]
    pub fn saved() -> Self {
        Self(Vec::new())
    }

    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.0.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Zero stands for `*`.
    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let number = |n| NonZeroU32::new(n).map_or(SeqNumber::Last, SeqNumber::Number);
        let ranges = ranges.iter().map(|&(from, to)| SeqRange { from: number(from), to: number(to) });
        SequenceSet::new(ranges.collect()).unwrap()
    }

    /// RFC 3501 9, the examples of sequence-set and seq-range.
    #[test]
    fn examples() {
        assert_eq!(
            set(&[(2, 2), (4, 7), (9, 9), (12, 0)]).numbers(15),
            Ok(vec![2, 4, 5, 6, 7, 9, 12, 13, 14, 15])
        );
        assert_eq!(set(&[(0, 4), (5, 7)]).numbers(10), Ok(vec![4, 5, 6, 7, 8, 9, 10]));
        assert_eq!(set(&[(4, 2)]).numbers(4), Ok(vec![2, 3, 4]));
        assert_eq!(set(&[(3291, 0)]).uids(&[1, 7]), [7]);
    }

    #[test]
    fn beyond_the_end() {
        assert_eq!(set(&[(1, 5)]).numbers(4), Err(NoSuchMessage));
        assert_eq!(set(&[(5, 0)]).numbers(4), Err(NoSuchMessage));
        assert_eq!(set(&[(0, 0)]).numbers(0), Err(NoSuchMessage));
        assert_eq!(set(&[(1, 0)]).numbers(0), Err(NoSuchMessage));
        assert_eq!(set(&[(1, u32::MAX)]).numbers(4), Err(NoSuchMessage));
        assert_eq!(set(&[(5, 9)]).uids(&[4, 10]), [] as [u32; 0]);
        assert_eq!(set(&[(1, u32::MAX)]).uids(&[4, u32::MAX]), [4, u32::MAX]);
        assert_eq!(set(&[(0, 0)]).uids(&[]), [] as [u32; 0]);
        assert!(SequenceSet::new(vec![]).is_none());
    }

    proptest! {
        #[test]
        fn as_the_plain_meaning(
            ranges in prop::collection::vec((0_u32..60, 0_u32..60), 1..8),
            uids in prop::collection::btree_set(1_u32..50, 0..30),
        ) {
            let set = set(&ranges);
            let uids: Vec<u32> = uids.into_iter().collect();
            let last = uids.last().copied().unwrap_or(0);
            let value = |n: u32| if n == 0 { last } else { n };
            let named: BTreeSet<u32> = ranges
                .iter()
                .flat_map(|&(a, b)| value(a).min(value(b))..=value(a).max(value(b)))
                .collect();
            let expected: Vec<u32> = uids.iter().copied().filter(|uid| named.contains(uid)).collect();
            prop_assert_eq!(set.uids(&uids), expected);
            for uid in uids {
                prop_assert_eq!(set.contains(uid, last), named.contains(&uid));
            }
            if last > 0 && named.iter().all(|&n| n <= last) {
                prop_assert_eq!(set.numbers(last), Ok(named.into_iter().collect()));
            } else {
                prop_assert_eq!(set.numbers(last), Err(NoSuchMessage));
            }
        }
    }
}
