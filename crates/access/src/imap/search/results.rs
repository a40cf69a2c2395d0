//! The responses of SEARCH and SORT, and what `$` remembers of them.
//!
//! Invariant: a response is one, for clients take the last, and is written piece by piece, as it may be as long as the
//! mailbox.

use super::Place;
use crate::imap::limits::SEARCH_NUMBERS;
use crate::imap::session::{Door, Selected};
use crate::socket::Ended;
use model::Uid;
use proto::imap::{PartialRange, ReturnOptions};

/// Which response tells the result where none is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Search,
    Sort,
}

/// What was found, in the order in which it is told.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) form: Form,
    pub(super) uid: bool,
    pub(super) places: &'a [Place],
    /// MODSEQ was searched for, so it is told (RFC 7162 3.1.6).
    pub(super) by_modseq: bool,
}

impl Found<'_> {
    pub(super) async fn tell(
        &self,
        door: &mut Door,
        selected: &Selected,
        options: Option<&ReturnOptions>,
    ) -> Result<(), Ended> {
        match options {
            Some(options) => self.extended(door, selected, options).await,
            None => self.plain(door, selected).await,
        }
    }

    /// RFC 3501 7.2.5; RFC 5256 4.
    async fn plain(&self, door: &mut Door, selected: &Selected) -> Result<(), Ended> {
        match self.form {
            Form::Search => door.wire.out.search_start(),
            Form::Sort => door.wire.out.sort_start(),
        }
        for places in self.places.chunks(SEARCH_NUMBERS) {
            door.wire.out.search_numbers(self.numbers(places));
            door.wire.relieve().await?;
        }
        if let Some(modseq) = self.highest(selected, self.places).filter(|_| self.by_modseq) {
            door.wire.out.search_modseq(modseq);
        }
        door.wire.out.search_end();
        Ok(())
    }

    /// RFC 4731 3.1, RFC 5267 3 (in the order of SORT), RFC 9394 3.1.
    async fn extended(
        &self,
        door: &mut Door,
        selected: &Selected,
        options: &ReturnOptions,
    ) -> Result<(), Ended> {
        if *options == (ReturnOptions { save: true, ..ReturnOptions::default() }) {
            // RFC 5182 2.2, example 1: nothing but SAVE tells nothing.
            return Ok(());
        }
        let Some(tag) = door.progress.tag().cloned() else { return Ok(()) };
        door.wire.out.esearch_start(&tag, self.uid);
        for (wanted, name, place) in
            [(options.min, "MIN", self.places.first()), (options.max, "MAX", self.places.last())]
        {
            if let Some(place) = place.filter(|_| wanted) {
                door.wire.out.esearch_number(name, self.number(place).into());
            }
        }
        if options.all && !self.places.is_empty() {
            door.wire.out.esearch_all();
            self.set(door, self.places).await?;
        }
        if options.count {
            door.wire.out.esearch_number("COUNT", self.places.len() as u64);
        }
        if let Some(range) = options.partial {
            let part = within(self.places, &range);
            door.wire.out.esearch_partial(range);
            self.set(door, part).await?;
            door.wire.out.esearch_partial_end(part.is_empty());
        }
        if let Some(modseq) = self.highest(selected, &self.told(options)).filter(|_| self.by_modseq) {
            door.wire.out.esearch_number("MODSEQ", modseq);
        }
        door.wire.out.search_end();
        Ok(())
    }

    async fn set(&self, door: &mut Door, places: &[Place]) -> Result<(), Ended> {
        let mut first = true;
        for places in places.chunks(SEARCH_NUMBERS) {
            let numbers: Vec<u32> = self.numbers(places).collect();
            door.wire.out.esearch_set(&numbers, first);
            first = false;
            door.wire.relieve().await?;
        }
        Ok(())
    }

    /// The messages that `options` name: RFC 4731 3.2 for MODSEQ, RFC 5182 2.4 and RFC 9394 3.2 for `$`.
    pub(super) fn told(&self, options: &ReturnOptions) -> Vec<Place> {
        let some = options.min || options.max || options.partial.is_some();
        if options.all || options.count || !some {
            return self.places.to_vec();
        }
        let mut told = options.partial.map(|range| within(self.places, &range).to_vec()).unwrap_or_default();
        told.extend(self.places.first().filter(|_| options.min));
        told.extend(self.places.last().filter(|_| options.max));
        told
    }

    fn numbers<'p>(&self, places: &'p [Place]) -> impl Iterator<Item = u32> + use<'p, '_> {
        places.iter().map(|place| self.number(place))
    }

    fn number(&self, (position, Uid(uid)): &Place) -> u32 {
        if self.uid { *uid } else { super::number(*position) }
    }

    fn highest(&self, selected: &Selected, places: &[Place]) -> Option<u64> {
        let modseqs = places.iter().filter_map(|(position, _)| selected.tracker.at(*position));
        modseqs.map(|listed| listed.entry.modseq.0).max()
    }
}

/// RFC 9394 3.1
fn within<'a>(places: &'a [Place], range: &PartialRange) -> &'a [Place] {
    places.get(range.among(places.len())).unwrap_or_default()
}

/// Uids as ascending spans, for `$`.
pub(super) fn spans(places: &[Place]) -> Vec<(u32, u32)> {
    let mut uids: Vec<u32> = places.iter().map(|(_, Uid(uid))| *uid).collect();
    uids.sort_unstable();
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match spans.last_mut() {
            Some(span) if uid <= span.1.saturating_add(1) => span.1 = uid,
            _ => spans.push((uid, uid)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn parts_of_a_result() {
        let places: Vec<Place> = (0..5).map(|at| (at, Uid(10 + u32::try_from(at).unwrap()))).collect();
        let part = |low, high, from_end| {
            let number = |n| NonZeroU32::new(n).unwrap();
            let range = PartialRange { low: number(low), high: number(high), from_end, swapped: false };
            within(&places, &range).iter().map(|(at, _)| at + 1).collect::<Vec<_>>()
        };
        assert_eq!(part(1, 2, false), [1, 2]);
        assert_eq!(part(4, 9, false), [4, 5]);
        assert_eq!(part(6, 9, false), [0_usize; 0]);
        assert_eq!(part(1, 2, true), [4, 5]);
        assert_eq!(part(4, 9, true), [1, 2]);
        assert_eq!(part(6, 9, true), [0_usize; 0]);
        assert_eq!(part(1, u32::MAX, true), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn uids_become_spans() {
        let places = [(3, Uid(9)), (0, Uid(1)), (1, Uid(2)), (4, Uid(10))];
        assert_eq!(spans(&places), [(1, 2), (9, 10)]);
        assert_eq!(spans(&[]), []);
    }
}
