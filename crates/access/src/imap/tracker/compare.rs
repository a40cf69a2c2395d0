//! What two moments of a folder differ in, for a client that was told of the first.
//!
//! Invariant: only blocks that the two do not share are looked at, and what the client believes or is owed: news of one
//! message take no longer in a large folder than in a small one.

use super::{Listing, Owed, Renumbered, Tracker, lower_names};
use engine::{Apart, ViewEntry};
use model::Uid;

impl<V: Listing> Tracker<V> {
    /// (positions and uids the client counts which the new view lacks, whether that has more at the end)
    pub(super) fn compare(&self, apart: &Apart<'_>) -> Result<(Vec<(usize, Uid)>, bool), Renumbered> {
        let mut gone = Vec::new();
        let mut rest = entries_of(&apart.after).map(|(_, entry)| entry.uid).peekable();
        for (position, uid) in self.places(&apart.before) {
            match rest.peek() {
                Some(next) if *next == uid => _ = rest.next(),
                Some(next) if *next < uid => return Err(Renumbered),
                _ => gone.push((position, uid)),
            }
        }
        // What is left must be behind what both have, too.
        let last = self.last_uid();
        match rest.peek() {
            Some(next) if last.is_some_and(|last| *next < last) => Err(Renumbered),
            next => Ok((gone, next.is_some())),
        }
    }

    /// Uids of `new`, already known to the client, whose flags are not what it believes, those whose MODSEQ alone is
    /// not, and those of `owed`.
    pub(super) fn changed_uids(&self, new: &V, apart: &Apart<'_>, owed: &Owed) -> (Vec<Uid>, Vec<Uid>) {
        let (mut changed, mut touched) = (Vec::new(), Vec::new());
        let mut judge = |before: &ViewEntry, entry: &ViewEntry| {
            let belief = self.beliefs.get(&entry.uid);
            let differs = match belief {
                Some(belief) => belief.flags != entry.flags || belief.keywords != lower_names(new, entry),
                None => before.flags != entry.flags || before.keywords != entry.keywords,
            };
            if differs || owed.flags.binary_search(&entry.uid).is_ok() {
                changed.push(entry.uid);
                return;
            }
            let told = belief.and_then(|belief| belief.modseq).unwrap_or(before.modseq);
            if told != entry.modseq || owed.modseqs.binary_search(&entry.uid).is_ok() {
                touched.push(entry.uid);
            }
        };
        let mut old = entries_of(&apart.before).map(|(_, entry)| entry).peekable();
        for (_, entry) in entries_of(&apart.after) {
            while old.next_if(|before| before.uid < entry.uid).is_some() {}
            if let Some(before) = old.next_if(|before| before.uid == entry.uid) {
                judge(before, entry);
            }
        }
        // What is the same in both: only where the client believes otherwise, or is owed something.
        let named = self.beliefs.keys().chain(&owed.flags).chain(&owed.modseqs).copied();
        let mut named: Vec<Uid> = named.filter(|uid| !is_among(&apart.after, *uid)).collect();
        named.sort_unstable();
        named.dedup();
        named.iter().filter_map(|uid| new.entries().find(*uid)).for_each(|entry| judge(entry, entry));
        changed.sort_unstable();
        touched.sort_unstable();
        (changed, touched)
    }

    /// Positions and uids of what the client counts and the tracked view does not have, or has in `blocks`; ascending.
    fn places<'a>(&'a self, blocks: &'a [(usize, &'a [ViewEntry])]) -> impl Iterator<Item = (usize, Uid)> {
        let mut ghosts = self.ghosts.iter().map(|ghost| (ghost.position, ghost.uid)).peekable();
        let mut living = entries_of(blocks).map(|(position, entry)| (position, entry.uid)).peekable();
        let mut passed = 0;
        std::iter::from_fn(move || {
            let ghost = match (ghosts.peek(), living.peek()) {
                (Some((_, ghost)), Some((_, alive))) => ghost < alive,
                (ghost, _) => ghost.is_some(),
            };
            if ghost {
                passed += 1;
                return ghosts.next();
            }
            living.next().map(|(position, uid)| (position + passed, uid))
        })
    }
}

/// The entries of some blocks, with their positions in the view.
fn entries_of<'a>(blocks: &'a [(usize, &'a [ViewEntry])]) -> impl Iterator<Item = (usize, &'a ViewEntry)> {
    blocks.iter().flat_map(|(start, block)| (*start..).zip(block.iter()))
}

/// Is the uid between the first and the last of one of the blocks, which are ascending?
fn is_among(blocks: &[(usize, &[ViewEntry])], uid: Uid) -> bool {
    let behind = |(_, block): &(usize, &[ViewEntry])| block.last().is_some_and(|last| last.uid < uid);
    let found = blocks.get(blocks.partition_point(behind));
    found.and_then(|(_, block)| block.first()).is_some_and(|first| first.uid <= uid)
}
