//! The entries of a folder view, in blocks that the views of other moments share.
//!
//! A session keeps the view that it last told its client of, and of a large folder there are as many moments as sessions:
//! were each a copy of its own, fifty clients of a mailbox with 200,000 messages would take a gigabyte.
//!
//! Invariants: ascending by uid; no block is empty; what has not changed between two moments is the same block in both.

use crate::ViewEntry;
use model::Uid;
use std::sync::Arc;

/// Entries of a block: a change costs a copy of one, 90 KB.
const BLOCK: usize = 1_024;

/// Entries, ascending by uid. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    blocks: Vec<Arc<[ViewEntry]>>,
    /// Of each block, how many entries are before it.
    starts: Vec<usize>,
    count: usize,
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

    /// The entry at a position, from 0.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&ViewEntry> {
        let block = self.starts.partition_point(|start| *start <= position).checked_sub(1)?;
        self.blocks.get(block)?.get(position - self.starts.get(block)?)
    }

    #[must_use]
    pub fn last(&self) -> Option<&ViewEntry> {
        self.blocks.last()?.last()
    }

    pub fn iter(&self) -> impl Iterator<Item = &ViewEntry> {
        self.blocks.iter().flat_map(|block| block.iter())
    }

    /// Some at a time, of about a thousand.
    pub fn blocks(&self) -> impl Iterator<Item = &[ViewEntry]> {
        self.blocks.iter().map(|block| &**block)
    }

    /// The position of the first entry for which `before` is false, where it is true for all before that.
    pub fn partition_point(&self, before: impl Fn(&ViewEntry) -> bool) -> usize {
        let at = self.blocks.partition_point(|block| block.last().is_some_and(&before));
        match (self.blocks.get(at), self.starts.get(at)) {
            (Some(block), Some(start)) => start + block.partition_point(before),
            _ => self.count,
        }
    }

    #[must_use]
    pub fn find(&self, uid: Uid) -> Option<&ViewEntry> {
        let at = self.partition_point(|entry| entry.uid < uid);
        self.get(at).filter(|entry| entry.uid == uid)
    }

    /// These with `changed` (ascending) put in or over them, without `gone`.
    pub(crate) fn merged(&self, changed: Vec<ViewEntry>, mut gone: Vec<Uid>) -> Self {
        gone.sort_unstable();
        let mut gone = gone.as_slice();
        let mut changed = changed.into_iter().peekable();
        let mut merged = Self::default();
        // Of blocks that changed, so that a folder which shrinks does not become many small ones.
        let mut rest: Vec<ViewEntry> = Vec::new();
        for (at, block) in self.blocks.iter().enumerate() {
            let next = self.blocks.get(at + 1).and_then(|next| next.first()).map(|entry| entry.uid);
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
                merged.push(Arc::clone(block));
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

    fn push(&mut self, block: Arc<[ViewEntry]>) {
        if !block.is_empty() {
            self.starts.push(self.count);
            self.count += block.len();
            self.blocks.push(block);
        }
    }

    fn push_all(&mut self, entries: Vec<ViewEntry>) {
        let mut entries = entries.into_iter();
        loop {
            let block: Arc<[ViewEntry]> = entries.by_ref().take(BLOCK).collect();
            if block.is_empty() {
                return;
            }
            self.push(block);
        }
    }
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
            content: ContentId(1),
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
            after.blocks.iter().filter(|block| before.blocks.iter().any(|old| Arc::ptr_eq(old, block)));
        // That of 20, that of 5,000, and the last, which was not full.
        assert_eq!((before.blocks.len(), kept.count()), (10, 7));
        assert_eq!(after.len(), 10_000);
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
            assert!(entries.blocks().all(|block| !block.is_empty() && block.len() <= 2 * BLOCK));
        }
    }
}
