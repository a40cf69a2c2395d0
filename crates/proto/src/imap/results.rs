//! How SEARCH, SORT and THREAD are to give their results (RFC 4731, RFC 5182, RFC 5256, RFC 9394).

use std::num::NonZeroU32;
use std::ops::Range;

/// `search-return-opts`: an empty list arrives as ALL (RFC 4731 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReturnOptions {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
    /// Keep the result for `$` (RFC 5182 2.1).
    pub save: bool,
    /// Never together with `all` (RFC 9394 3.1).
    pub partial: Option<PartialRange>,
}

/// `partial-range` (RFC 9394 4): places in the result, from 1, both ends included, the lower one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialRange {
    pub low: NonZeroU32,
    pub high: NonZeroU32,
    /// Counted from the end: `-1` is the last.
    pub from_end: bool,
    /// The ends were written the other way round.
    pub swapped: bool,
}

impl PartialRange {
    /// Its places among `count`, from 0 (RFC 9394 3.1): what is outside of the result is left out.
    #[must_use]
    pub fn among(&self, count: usize) -> Range<usize> {
        let (low, high) = (self.low.get() as usize, self.high.get() as usize);
        let (start, end) = if self.from_end {
            (count.saturating_sub(high), (count + 1).saturating_sub(low))
        } else {
            (low - 1, high.min(count))
        };
        start.min(end)..end
    }
}

/// `sort-criterion` (RFC 5256 3, RFC 5957 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortCriterion {
    pub key: SortKey,
    pub reverse: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
}

/// `thread-alg` (RFC 5256 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    OrderedSubject,
    References,
}

/// A message of a thread, as THREAD writes it: flat, so that no depth of mail is depth of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadToken {
    Open,
    Close,
    Number(u32),
}
