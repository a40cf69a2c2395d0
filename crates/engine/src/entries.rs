//! The entries of a folder view, in blocks that the views of other moments share.
//!
//! A session keeps the view that it last told its client of, and of a large folder there are as many moments as sessions:
//! were each a copy of its own, fifty clients of a mailbox with 200,000 messages would take a gigabyte.
//!
//! Invariants: ascending by uid; no block is empty; what has not changed between two moments is the same block in both.

use crate::ViewEntry;
use model::{Flags, Uid};
use std::ops::Range;
use std::sync::Arc;

/// Entries of a block: a change costs a copy of one, 90 KB.
const BLOCK: usize = 1_024;

/// Entries, ascending by uid. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    blocks: Vec<Block>,
    /// Of each block, how many entries are before it.
    starts: Vec<usize>,
    count: usize,
    sums: Sums,
}

/// Some entries, and what is asked of all of them so often that it is not to be counted each time.
#[derive(Clone, Debug)]
struct Block {
    entries: Arc<[ViewEntry]>,
    sums: Sums,
    /// The lowest and the highest content.
    contents: (i64, i64),
}

/// What the entries of a folder come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Octets of all messages.
    pub bytes: u64,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages marked `\Deleted`, and their octets.
    pub deleted: u32,
    pub deleted_bytes: u64,
}

/// What two moments of a folder do not share: all that is not in here is the same in both. Of each block, how many
/// entries are before it, and its entries.
#[derive(Debug, Default)]
pub struct Apart<'a> {
    pub before: Vec<(usize, &'a [ViewEntry])>,
    pub after: Vec<(usize, &'a [ViewEntry])>,
}

impl Entries {
    /// Of `entries`, which are ascending by uid.
    #[must_use]
    pub fn new(entries: Vec<ViewEntry>) -> Self {
        let mut made = Self::default();
        made.push_all(entries);
        made
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    #[must_use]
    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// The entry at a position, from 0.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&ViewEntry> {
        let block = self.starts.partition_point(|start| *start <= position).checked_sub(1)?;
        self.blocks.get(block)?.entries.get(position - self.starts.get(block)?)
    }

    #[must_use]
    pub fn last(&self) -> Option<&ViewEntry> {
        self.blocks.last()?.entries.last()
    }

    /// The position of the first message without `\Seen`.
    #[must_use]
    pub fn first_unseen(&self) -> Option<usize> {
        let (block, start) = self.blocks.iter().zip(&self.starts).find(|(block, _)| block.sums.unseen > 0)?;
        let within = block.entries.iter().position(|entry| !entry.flags.contains(Flags::SEEN))?;
        Some(start + within)
    }

    /// Those marked `\Deleted`, ascending.
    pub fn deleted(&self) -> impl Iterator<Item = &ViewEntry> {
        let blocks = self.blocks.iter().filter(|block| block.sums.deleted > 0);
        blocks.flat_map(|block| block.entries.iter()).filter(|entry| entry.flags.contains(Flags::DELETED))
    }

    /// The lowest and the highest content.
    #[must_use]
    pub fn contents(&self) -> Option<(i64, i64)> {
        self.blocks.iter().map(|block| block.contents).reduce(wider)
    }

    /// Those whose content is higher than `content`.
    pub(crate) fn with_contents_above(&self, content: i64) -> impl Iterator<Item = &ViewEntry> {
        let blocks = self.blocks.iter().filter(move |block| block.contents.1 > content);
        blocks.flat_map(|block| block.entries.iter()).filter(move |entry| entry.content.0 > content)
    }

    /// Positions within `range`, in ascending spans of at most a block's, among which are all entries whose content is
    /// one that `may` says may lie between the given two (both included).
    pub fn spans_with(&self, range: &Range<usize>, may: impl Fn(i64, i64) -> bool) -> Vec<Range<usize>> {
        let first = self.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        let blocks = self.blocks.iter().zip(&self.starts).skip(first);
        let inside = blocks.take_while(|(_, start)| **start < range.end);
        let found = inside.filter(|(block, _)| may(block.contents.0, block.contents.1));
        let spans = found.map(|(block, start)| Range {
            start: range.start.max(*start),
            end: range.end.min(start + block.entries.len()),
        });
        spans.filter(|span| !span.is_empty()).collect()
    }

    /// What these, of an earlier moment, and `after` do not share. Takes as long as there are blocks.
    #[must_use]
    pub fn apart<'a>(&'a self, after: &'a Self) -> Apart<'a> {
        let mut apart = Apart::default();
        let mut old = self.placed().peekable();
        let mut new = after.placed().peekable();
        loop {
            let of = |(_, block): &(usize, &'a Arc<[ViewEntry]>)| block.first().map(|entry| entry.uid);
            let (first_old, first_new) = (old.peek().and_then(of), new.peek().and_then(of));
            // A block that both share begins with the same uid in both, so it is met in both at once.
            let (take_old, take_new) = match (first_old, first_new) {
                (None, None) => return apart,
                (Some(old), Some(new)) => (old <= new, new <= old),
                (old, new) => (old.is_some(), new.is_some()),
            };
            match (old.next_if(|_| take_old), new.next_if(|_| take_new)) {
                (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => {}
                (old, new) => {
                    apart.before.extend(old.map(|(start, block)| (start, &**block)));
                    apart.after.extend(new.map(|(start, block)| (start, &**block)));
                }
            }
        }
    }

    fn placed(&self) -> impl Iterator<Item = (usize, &Arc<[ViewEntry]>)> {
        self.starts.iter().copied().zip(self.blocks.iter().map(|block| &block.entries))
    }

    pub fn iter(&self) -> impl Iterator<Item = &ViewEntry> {
        self.blocks.iter().flat_map(|block| block.entries.iter())
    }

    /// The position of the first entry for which `before` is false, where it is true for all before that.
    pub fn partition_point(&self, before: impl Fn(&ViewEntry) -> bool) -> usize {
        let at = self.blocks.partition_point(|block| block.entries.last().is_some_and(&before));
        match (self.blocks.get(at), self.starts.get(at)) {
            (Some(block), Some(start)) => start + block.entries.partition_point(before),
            _ => self.count,
        }
    }

    #[must_use]
    pub fn find(&self, uid: Uid) -> Option<&ViewEntry> {
        let at = self.partition_point(|entry| entry.uid < uid);
        self.get(at).filter(|entry| entry.uid == uid)
    }

    /// These with `changed` (ascending) put in or over them, without `gone`.
    #[must_use]
    pub fn merged(&self, changed: Vec<ViewEntry>, mut gone: Vec<Uid>) -> Self {
        gone.sort_unstable();
        let mut gone = gone.as_slice();
        let mut changed = changed.into_iter().peekable();
        let mut merged = Self::default();
        // Of blocks that changed, so that a folder which shrinks does not become many small ones.
        let mut rest: Vec<ViewEntry> = Vec::new();
        for (at, known) in self.blocks.iter().enumerate() {
            let block = &known.entries;
            let next = self.blocks.get(at + 1).and_then(|next| next.entries.first()).map(|entry| entry.uid);
            // What is behind a full last block is no matter of it.
            let full = block.last().filter(|_| block.len() >= BLOCK);
            let end = next.or_else(|| full?.uid.0.checked_add(1).map(Uid));
            let here = |uid: Uid| end.is_none_or(|end| uid < end);
            let new: Vec<ViewEntry> =
                std::iter::from_fn(|| changed.next_if(|entry| here(entry.uid))).collect();
            let (gone_here, later) = gone.split_at(gone.partition_point(|uid| here(*uid)));
            gone = later;
            let had = |uid: &Uid| block.binary_search_by_key(uid, |entry| entry.uid).is_ok();
            if new.is_empty() && !gone_here.iter().any(had) && rest.len() + block.len() > BLOCK / 2 {
                merged.push_all(std::mem::take(&mut rest));
                merged.push(known.clone());
            } else {
                rest.extend(merge(block, new, gone_here));
                if rest.len() >= BLOCK {
                    merged.push_all(std::mem::take(&mut rest));
                }
            }
        }
        rest.extend(changed);
        merged.push_all(rest);
        merged
    }

    fn push(&mut self, block: Block) {
        self.starts.push(self.count);
        self.count += block.entries.len();
        self.sums.add(block.sums);
        self.blocks.push(block);
    }

    fn push_all(&mut self, entries: Vec<ViewEntry>) {
        let mut entries = entries.into_iter();
        while let Some(block) = Block::new(entries.by_ref().take(BLOCK).collect()) {
            self.push(block);
        }
    }
}

impl Block {
    /// `None` of no entries.
    fn new(entries: Arc<[ViewEntry]>) -> Option<Self> {
        let mut sums = Sums::default();
        entries.iter().for_each(|entry| sums.add(Sums::of(entry)));
        let contents = entries.iter().map(|entry| (entry.content.0, entry.content.0)).reduce(wider)?;
        Some(Self { entries, sums, contents })
    }
}

impl Sums {
    fn of(entry: &ViewEntry) -> Self {
        let bytes = u64::from(entry.size);
        let deleted = entry.flags.contains(Flags::DELETED);
        Self {
            bytes,
            unseen: u32::from(!entry.flags.contains(Flags::SEEN)),
            deleted: u32::from(deleted),
            deleted_bytes: if deleted { bytes } else { 0 },
        }
    }

    fn add(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.unseen += more.unseen;
        self.deleted += more.deleted;
        self.deleted_bytes += more.deleted_bytes;
    }
}

fn wider(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.min(other.0), one.1.max(other.1))
}

/// `old` with `changed` put in or over it, without `gone` (all ascending).
fn merge(old: &[ViewEntry], changed: Vec<ViewEntry>, gone: &[Uid]) -> Vec<ViewEntry> {
    let mut merged = Vec::with_capacity(old.len() + changed.len());
    let mut changed = changed.into_iter().peekable();
    for entry in old {
        while let Some(new) = changed.next_if(|new| new.uid < entry.uid) {
            merged.push(new);
        }
        if let Some(new) = changed.next_if(|new| new.uid == entry.uid) {
            merged.push(new);
        } else if gone.binary_search(&entry.uid).is_err() {
            merged.push(entry.clone());
        }
    }
    merged.extend(changed);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ContentId, EmailId, Flags, ModSeq, ThreadId};
    use std::collections::BTreeMap;

    fn entry(uid: u32, flags: i32) -> ViewEntry {
        ViewEntry {
            uid: Uid(uid),
            flags: Flags(flags),
            keywords: Box::default(),
            modseq: ModSeq(1),
            size: 1,
            internal_date: jiff::Timestamp::UNIX_EPOCH,
            content: ContentId(i64::from(uid % 97)),
            email: EmailId(1),
            thread: ThreadId(1),
        }
    }

    fn rows(rows: &[(u32, i32)]) -> Vec<ViewEntry> {
        rows.iter().map(|(uid, flags)| entry(*uid, *flags)).collect()
    }

    fn check(old: &[(u32, i32)], changed: &[(u32, i32)], gone: &[u32], expected: &[(u32, i32)]) {
        let merged =
            Entries::new(rows(old)).merged(rows(changed), gone.iter().map(|uid| Uid(*uid)).collect());
        assert_eq!(merged.iter().cloned().collect::<Vec<_>>(), rows(expected));
    }

    #[test]
    fn a_delta_is_merged_in_order() {
        check(&[], &[(1, 0), (2, 0)], &[], &[(1, 0), (2, 0)]);
        check(&[(1, 0), (2, 0), (5, 0)], &[(2, 1), (6, 0)], &[1], &[(2, 1), (5, 0), (6, 0)]);
        check(&[(3, 0)], &[], &[3, 2], &[]);
        check(&[(3, 0)], &[(1, 0)], &[], &[(1, 0), (3, 0)]);
        let full: Vec<(u32, i32)> = (0..1_024).map(|back| (u32::MAX - 1_023 + back, 0)).collect();
        check(&full, &[], &[u32::MAX], &full[..1_023]);
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let before = Entries::new((1..=10_000).map(|uid| entry(uid, 0)).collect());
        let after = before.merged(rows(&[(5_000, 1), (10_001, 0)]), vec![Uid(20), Uid(30_000)]);
        let kept =
            after.placed().filter(|(_, block)| before.placed().any(|(_, old)| Arc::ptr_eq(old, block)));
        // That of 20, that of 5,000, and the last, which was not full.
        assert_eq!((before.blocks.len(), kept.count()), (10, 7));
        assert_eq!(after.len(), 10_000);
    }

    fn check_sums(entries: &Entries) {
        let mut sums = Sums::default();
        entries.iter().for_each(|entry| sums.add(Sums::of(entry)));
        assert_eq!(entries.sums(), sums);
        let unseen = entries.iter().position(|entry| !entry.flags.contains(Flags::SEEN));
        assert_eq!(entries.first_unseen(), unseen);
        let deleted = entries.iter().filter(|entry| entry.flags.contains(Flags::DELETED));
        assert!(entries.deleted().eq(deleted));
        let contents = || entries.iter().map(|entry| entry.content.0);
        assert_eq!(entries.contents(), contents().min().zip(contents().max()));
        let above = entries.iter().filter(|entry| entry.content.0 > 90);
        assert!(entries.with_contents_above(90).eq(above));
    }

    fn check_spans(entries: &Entries, range: &Range<usize>, wanted: &Range<i64>) {
        let spans = entries.spans_with(range, |low, high| low < wanted.end && high >= wanted.start);
        assert!(spans.is_sorted_by(|one, next| one.end <= next.start));
        let inside = |position: &usize| range.contains(position);
        assert!(
            spans.iter().cloned().flatten().all(|position| inside(&position) && position < entries.len())
        );
        let has = |position: &usize| {
            wanted.contains(&entries.get(*position).map_or(i64::MIN, |entry| entry.content.0))
        };
        let all: Vec<usize> = (0..entries.len()).filter(|at| inside(at) && has(at)).collect();
        assert!(spans.into_iter().flatten().filter(has).eq(all));
    }

    /// What is not apart is in both, and nothing is in neither.
    fn check_apart(before: &Entries, after: &Entries) {
        let apart = before.apart(after);
        let same = |entries: &Entries, apart: &[(usize, &[ViewEntry])]| {
            let positions = apart.iter().flat_map(|(start, block)| *start..start + block.len());
            let positions: std::collections::BTreeSet<usize> = positions.collect();
            for (start, block) in apart {
                assert!(block.iter().enumerate().all(|(at, entry)| entries.get(start + at) == Some(entry)));
            }
            let rest = (0..entries.len()).filter(|at| !positions.contains(at));
            rest.filter_map(|at| entries.get(at).cloned()).collect::<Vec<_>>()
        };
        assert_eq!(same(before, &apart.before), same(after, &apart.after));
    }

    #[test]
    fn what_is_apart_is_what_changed() {
        let before = Entries::new((1..=10_000).map(|uid| entry(uid, 0)).collect());
        assert!(before.apart(&before.clone()).after.is_empty());
        let after = before.merged(rows(&[(5_000, 1), (10_001, 0)]), Vec::new());
        let apart = before.apart(&after);
        assert_eq!((apart.before.len(), apart.after.len()), (2, 2));
        check_apart(&before, &after);
        check_apart(&after, &before);
        check_apart(&Entries::default(), &after);
        check_apart(&after, &Entries::default());
    }

    /// Any changes, as a map has them.
    #[test]
    fn blocks_say_what_a_map_says() {
        let mut state = 1_u32;
        let mut dice = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let (mut entries, mut map, mut next) = (Entries::default(), BTreeMap::new(), 1);
        let mut before = Entries::default();
        for round in 0..300 {
            let mut changed: BTreeMap<u32, ViewEntry> = BTreeMap::new();
            for _ in 0..dice(20) {
                let uid = 1 + dice(next);
                if map.contains_key(&uid) {
                    changed.insert(uid, entry(uid, round));
                }
            }
            for _ in 0..dice(400) {
                changed.insert(next, entry(next, 0));
                next += 1 + dice(2);
            }
            let from = dice(next);
            let gone: Vec<u32> = (from..from + dice(300)).filter(|uid| !changed.contains_key(uid)).collect();
            entries = entries
                .merged(changed.values().cloned().collect(), gone.iter().map(|uid| Uid(*uid)).collect());
            map.extend(changed);
            map.retain(|uid, _| !gone.contains(uid));
            assert!(entries.iter().eq(map.values()), "round {round}");
            assert_eq!((entries.len(), entries.last()), (map.len(), map.values().last()));
            let uid = Uid(dice(next));
            assert_eq!(entries.find(uid), map.get(&uid.0));
            assert_eq!(entries.partition_point(|entry| entry.uid < uid), map.range(..uid.0).count());
            let at = dice(1_000) as usize;
            assert_eq!(entries.get(at), map.values().nth(at));
            assert!(entries.placed().all(|(_, block)| !block.is_empty() && block.len() <= 2 * BLOCK));
            check_sums(&entries);
            if round % 10 == 0 {
                let low = dice(97);
                let wanted = i64::from(low)..i64::from(low + dice(3));
                check_spans(&entries, &(at..at + dice(3_000) as usize), &wanted);
                check_apart(&before, &entries);
            }
            if dice(10) == 0 {
                before = entries.clone();
            }
        }
    }
}
