//! Tables for what VANISHED (EARLIER) names where tombstones are missing, and the sample of numbers and uids.

use super::*;
use crate::imap::tracker::tests::{Table, entry, plain, start};
use crate::imap::tracker::{Delta, Expunges, Owed};
use engine::Entries;
use model::Flags;
use proto::imap::{SeqNumber, SeqRange};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let number = |n| SeqNumber::Number(NonZeroU32::new(n).unwrap());
    let ranges = ranges.iter().map(|&(from, to)| SeqRange { from: number(from), to: number(to) });
    SequenceSet::new(ranges.collect()).unwrap()
}

#[test]
fn uids_in_a_row_are_a_span() {
    let runs = |uids: &[u32]| runs(uids.iter().map(|uid| Uid(*uid)));
    assert_eq!(runs(&[]), []);
    assert_eq!(runs(&[405, 407, 410, 425]), [(405, 405), (407, 407), (410, 410), (425, 425)]);
    assert_eq!(runs(&[1, 2, 3, 5, u32::MAX - 1, u32::MAX]), [(1, 3), (5, 5), (u32::MAX - 1, u32::MAX)]);
}

#[test]
fn what_is_missing_is_the_rest() {
    type Row = (&'static [u32], &'static [(u32, u32)], u32, &'static [(u32, u32)]);
    let rows: [Row; 8] = [
        (&[], &[(1, 9)], 0, &[(1, 9)]),
        (&[1, 2, 3], &[(1, 3)], 0, &[]),
        (&[3, 6, 9], &[(1, 10)], 0, &[(1, 2), (4, 5), (7, 8), (10, 10)]),
        (&[3, 6, 9], &[(1, 10)], 6, &[(7, 8), (10, 10)]),
        (&[3, 6, 9], &[(1, 10)], 10, &[]),
        (&[3, 6, 9], &[(2, 2), (4, 4), (6, 6), (8, 12)], 0, &[(2, 2), (4, 4), (8, 8), (10, 12)]),
        (&[u32::MAX], &[(u32::MAX - 1, u32::MAX)], 0, &[(u32::MAX - 1, u32::MAX - 1)]),
        (&[], &[(u32::MAX, u32::MAX)], u32::MAX, &[]),
    ];
    for (there, asked, floor, expected) in rows {
        assert_eq!(missing(&start(there), &asked.to_vec(), floor), expected, "{there:?} {asked:?} {floor}");
    }
}

#[test]
fn a_message_the_client_still_counts_is_not_missing() {
    let mut tracker = start(&[3, 6, 9]);
    tracker.advance(&plain(&[3, 9]), Expunges::Hold, &Owed::default()).unwrap();
    assert_eq!(missing(&tracker, &vec![(1, 9)], 0), [(1, 2), (4, 5), (7, 8)]);
}

/// RFC 7162 3.2.5.2, where only uids divisible by three are there, and the rule's own example.
#[test]
fn the_highest_pair_that_matches_counts() {
    let threes: Vec<u32> = (1..=10_003).map(|number| number * 3).collect();
    let tracker = start(&threes);
    let known = |numbers: &[(u32, u32)], uids: &[(u32, u32)]| {
        known_up_to(&tracker, &SeqMatch { numbers: set(numbers), uids: set(uids) })
    };
    let single = |uids: &[u32]| uids.iter().map(|uid| (*uid, *uid)).collect::<Vec<_>>();
    let numbers = [(5000, 5000), (7500, 7500), (9000, 9000), (9990, 9999)];
    let uids = single(&[
        15_000, 22_500, 27_000, 29_970, 29_973, 29_976, 29_979, 29_982, 29_985, 29_988, 29_991, 29_994,
        29_997,
    ]);
    assert_eq!(known(&numbers, &uids), 29_997);
    assert_eq!(known(&single(&[4, 12]), &single(&[12, 25])), 12);
    assert_eq!(known(&single(&[4, 12]), &single(&[8, 36])), 36, "no pair below has to match");
    assert_eq!(known(&single(&[1]), &single(&[4])), 0);
    assert_eq!(known(&[(1, u32::MAX)], &[(1, u32::MAX)]), 0);
    assert_eq!(known(&[(3, 3), (10_004, u32::MAX)], &[(9, 9), (30_012, 30_012)]), 9);
    assert_eq!(known_up_to(&start(&[]), &SeqMatch { numbers: set(&[(1, 1)]), uids: set(&[(1, 1)]) }), 0);
}

/// A folder that counts its changes, and what went from it under which number.
#[derive(Debug)]
struct Folder {
    modseq: u64,
    next: u32,
    messages: Vec<(u32, Flags, u64)>,
    tombstones: Vec<(u32, u64)>,
}

impl Folder {
    fn view(&self) -> Arc<Table> {
        let entries = self.messages.iter().map(|(uid, flags, modseq)| {
            let mut entry = entry(*uid, *flags, &[]);
            entry.modseq = ModSeq(*modseq);
            entry
        });
        Arc::new(Table(Entries::new(entries.collect()), ModSeq(self.modseq)))
    }

    /// One change, as some session or a delivery makes it.
    fn change(&mut self, roll: &mut impl FnMut(u64) -> u64) {
        self.modseq += 1;
        match roll(4) {
            0 => {
                self.messages.push((self.next, Flags::NONE, self.modseq));
                self.next += 1;
            }
            1 if !self.messages.is_empty() => {
                let at = usize::try_from(roll(self.messages.len() as u64)).unwrap();
                let (uid, ..) = self.messages.remove(at);
                self.tombstones.push((uid, self.modseq));
            }
            _ => {
                for (_, flags, modseq) in &mut self.messages {
                    if roll(2) == 0 {
                        (*flags, *modseq) = (Flags(i32::try_from(roll(4)).unwrap()), self.modseq);
                    }
                }
            }
        }
    }

    fn now(&self) -> BTreeMap<u32, Flags> {
        self.messages.iter().map(|(uid, flags, _)| (*uid, *flags)).collect()
    }
}

/// A client that keeps what it hears, and RFC 7162 6's rule for the highest modification sequence.
#[derive(Clone, Debug)]
struct Client {
    messages: BTreeMap<u32, Flags>,
    highest: u64,
}

impl Client {
    /// One command's untagged responses and its end, with the code that the driver puts on it.
    fn hear(&mut self, delta: &Delta, tracker: &Tracker<Table>) {
        for uid in &delta.vanished {
            assert!(self.messages.remove(&uid.0).is_some(), "VANISHED {uid:?} was not counted");
        }
        let mut told = 0;
        for position in &delta.changed {
            let entry = tracker.at(*position).unwrap().entry;
            self.messages.insert(entry.uid.0, entry.flags);
            told = told.max(entry.modseq.0);
        }
        for position in &delta.touched {
            let entry = tracker.at(*position).unwrap().entry;
            assert_eq!(self.messages.get(&entry.uid.0), Some(&entry.flags), "only the MODSEQ was told");
            told = told.max(entry.modseq.0);
        }
        // It asks for what is new at once.
        for position in 0..tracker.exists() as usize {
            let entry = tracker.at(position).unwrap().entry;
            self.messages.entry(entry.uid.0).or_insert_with(|| {
                told = told.max(entry.modseq.0);
                entry.flags
            });
        }
        if !delta.vanished.is_empty() || tracker.is_haunted() {
            self.highest = tracker.told_modseq().0;
        } else {
            self.highest = self.highest.max(told);
        }
    }

    fn resync(&mut self, folder: &Folder) {
        for (uid, _) in folder.tombstones.iter().filter(|(_, modseq)| *modseq > self.highest) {
            self.messages.remove(uid);
        }
        for (uid, flags, _) in folder.messages.iter().filter(|(_, _, modseq)| *modseq > self.highest) {
            self.messages.insert(*uid, *flags);
        }
    }
}

/// RFC 7162 3.2: whenever the connection is cut, a resync from what the client takes for the highest loses nothing.
#[test]
fn a_client_cut_off_at_any_moment_loses_nothing() {
    for seed in 1..300_u64 {
        let mut dice = seed;
        let mut roll = |sides: u64| {
            // xorshift64: fixed dice, so that a failure repeats.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let mut folder = Folder { modseq: 1, next: 1, messages: Vec::new(), tombstones: Vec::new() };
        let mut tracker = Tracker::new(folder.view(), Uid(u32::MAX));
        let mut client = Client { messages: BTreeMap::new(), highest: 1 };
        for _ in 0..60 {
            for _ in 0..roll(4) {
                folder.change(&mut roll);
            }
            let expunges = if roll(2) == 0 { Expunges::Tell } else { Expunges::Hold };
            let delta = tracker.advance(&folder.view(), expunges, &Owed::default()).unwrap();
            client.hear(&delta, &tracker);
            let mut later = client.clone();
            for _ in 0..roll(3) {
                folder.change(&mut roll);
            }
            later.resync(&folder);
            assert_eq!(later.messages, folder.now(), "seed {seed}");
        }
    }
}
