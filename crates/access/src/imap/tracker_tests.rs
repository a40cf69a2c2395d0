//! Tables for the tracker: what a client is told, step by step, and that it can always follow.

use super::*;
use model::{ContentId, EmailId, Keyword, ModSeq, ThreadId};

/// A folder in a test: uids with flags, keywords by number `k1`, `k2` …
#[derive(Debug)]
pub(crate) struct Table(pub(crate) Entries, pub(crate) ModSeq);

/// By id.
const KEYWORDS: [&str; 4] = ["K0", "k1", "k2", "k3"];

impl Listing for Table {
    fn entries(&self) -> &Entries {
        &self.0
    }

    fn keyword_names<'a>(&'a self, entry: &'a ViewEntry) -> Vec<&'a str> {
        entry.keywords.iter().map(|id| KEYWORDS[usize::try_from(*id).unwrap()]).collect()
    }

    fn keyword_ids(&self, names: &[String]) -> Vec<i16> {
        (0..)
            .zip(KEYWORDS)
            .filter(|(_, known)| names.contains(&known.to_lowercase()))
            .map(|(id, _)| id)
            .collect()
    }

    fn modseq(&self) -> ModSeq {
        self.1
    }

    fn only(&self, entries: Vec<ViewEntry>, _: &Self) -> Self {
        Self(Entries::new(entries), self.1)
    }
}

pub(crate) fn entry(uid: u32, flags: Flags, keywords: &[i16]) -> ViewEntry {
    ViewEntry {
        uid: Uid(uid),
        flags,
        keywords: keywords.into(),
        modseq: ModSeq(1),
        size: 100,
        internal_date: jiff::Timestamp::UNIX_EPOCH,
        content: ContentId(i64::from(uid)),
        email: EmailId(i64::from(uid)),
        thread: ThreadId(1),
    }
}

fn table(entries: Vec<ViewEntry>) -> Arc<Table> {
    Arc::new(Table(Entries::new(entries), ModSeq(1)))
}

fn flagged(messages: &[(u32, Flags)]) -> Arc<Table> {
    table(messages.iter().map(|(uid, flags)| entry(*uid, *flags, &[])).collect())
}

pub(crate) fn plain(uids: &[u32]) -> Arc<Table> {
    table(uids.iter().map(|uid| entry(*uid, Flags::NONE, &[])).collect())
}

const NOTHING_RECENT: Uid = Uid(u32::MAX);

pub(crate) fn start(uids: &[u32]) -> Tracker<Table> {
    Tracker::new(plain(uids), NOTHING_RECENT)
}

/// A client that believes what it is told.
#[derive(Debug, Default)]
struct Client {
    count: u32,
    uids: Vec<u32>,
}

impl Client {
    fn new(tracker: &Tracker<Table>) -> Self {
        Self { count: tracker.exists(), uids: numbering(tracker) }
    }

    fn hear(&mut self, delta: &Delta, tracker: &Tracker<Table>) {
        for number in &delta.expunged {
            assert!((1..=self.count).contains(number), "EXPUNGE {number} of {}", self.count);
            self.uids.remove(*number as usize - 1);
            self.count -= 1;
        }
        if let Some(count) = delta.exists {
            assert!(count > self.count, "EXISTS may not shrink (RFC 3501 7.3.1)");
            self.count = count;
        }
        assert_eq!(self.count, tracker.exists());
        let numbering = numbering(tracker);
        assert_eq!(self.uids, numbering[..self.uids.len()], "a number changed its message");
        self.uids = numbering;
    }
}

fn numbering(tracker: &Tracker<Table>) -> Vec<u32> {
    (0..tracker.count()).map(|position| tracker.at(position).unwrap().entry.uid.0).collect()
}

#[test]
fn what_each_change_tells() {
    use Expunges::{Hold, Tell};
    type Row = (&'static str, &'static [u32], &'static [u32], Expunges, &'static [u32], Option<u32>);
    let rows: [Row; 10] = [
        ("nothing", &[1, 2, 3], &[1, 2, 3], Tell, &[], None),
        ("new mail", &[1, 2], &[1, 2, 5, 6], Tell, &[], Some(4)),
        ("new mail while holding", &[1, 2], &[1, 2, 5], Hold, &[], Some(3)),
        ("first mail", &[], &[1], Tell, &[], Some(1)),
        ("one expunged", &[1, 2, 3], &[1, 3], Tell, &[2], None),
        ("several, highest first", &[1, 2, 3, 4, 5], &[2, 4], Tell, &[5, 3, 1], None),
        ("all", &[4, 5], &[], Tell, &[2, 1], None),
        ("expunged while holding", &[1, 2, 3], &[1, 3], Hold, &[], None),
        ("expunged and new", &[1, 2, 3], &[2, 3, 9], Tell, &[1], Some(3)),
        ("expunged and new while holding", &[1, 2, 3], &[2, 3, 9], Hold, &[], Some(4)),
    ];
    for (name, old, new, expunges, expunged, exists) in rows {
        let mut tracker = start(old);
        let mut client = Client::new(&tracker);
        let delta = tracker.advance(&plain(new), expunges, &Owed::default()).unwrap();
        assert_eq!((delta.expunged.as_slice(), delta.exists), (expunged, exists), "{name}");
        assert_eq!(delta.changed, [0_usize; 0], "{name}");
        client.hear(&delta, &tracker);
    }
}

#[test]
fn a_held_expunge_keeps_its_number_and_its_data_until_told() {
    let mut tracker = start(&[10, 20, 30, 40]);
    let mut client = Client::new(&tracker);
    let delta = tracker.advance(&plain(&[10, 30]), Expunges::Hold, &Owed::default()).unwrap();
    client.hear(&delta, &tracker);
    assert_eq!(delta, Delta::default());
    assert_eq!(numbering(&tracker), [10, 20, 30, 40]);
    let gone: Vec<bool> = (0..4).map(|position| tracker.at(position).unwrap().gone).collect();
    assert_eq!(gone, [false, true, false, true]);
    assert_eq!(tracker.span_of_uids(15, 35), 1..3);
    assert_eq!(tracker.last_uid(), Some(Uid(40)));

    // Another goes, one arrives; still holding.
    let delta = tracker.advance(&plain(&[30, 50]), Expunges::Hold, &Owed::default()).unwrap();
    client.hear(&delta, &tracker);
    assert_eq!(delta.exists, Some(5));
    assert_eq!(numbering(&tracker), [10, 20, 30, 40, 50]);

    // The new one goes too, before its EXPUNGE could be told.
    let delta = tracker.advance(&plain(&[30]), Expunges::Hold, &Owed::default()).unwrap();
    client.hear(&delta, &tracker);
    assert_eq!(numbering(&tracker), [10, 20, 30, 40, 50]);

    let view = Arc::clone(tracker.view());
    let delta = tracker.advance(&view, Expunges::Tell, &Owed::default()).unwrap();
    client.hear(&delta, &tracker);
    assert_eq!(delta.expunged, [5, 4, 2, 1]);
    assert_eq!(client.uids, [30]);
}

#[test]
fn a_ghost_is_described_by_the_last_view_that_had_it() {
    let mut tracker = Tracker::new(flagged(&[(1, Flags::SEEN), (2, Flags::FLAGGED)]), NOTHING_RECENT);
    tracker.advance(&flagged(&[(1, Flags::SEEN)]), Expunges::Hold, &Owed::default()).unwrap();
    tracker.advance(&plain(&[]), Expunges::Hold, &Owed::default()).unwrap();
    assert_eq!(tracker.at(0).unwrap().entry.flags, Flags::SEEN);
    assert_eq!(tracker.at(1).unwrap().entry.flags, Flags::FLAGGED);
    assert!(tracker.at(2).is_none());
}

#[test]
fn flag_changes_are_told_with_the_number_they_have_then() {
    let mut tracker = start(&[1, 2, 3]);
    let new = flagged(&[(2, Flags::NONE), (3, Flags::SEEN), (4, Flags::FLAGGED)]);
    let delta = tracker.advance(&new, Expunges::Tell, &Owed::default()).unwrap();
    // Message 3 is number 2 after the EXPUNGE; message 4 is new, its flags are the client's to ask for.
    assert_eq!((delta.expunged, delta.exists, delta.changed), (vec![1], Some(3), vec![1]));

    let mut tracker = start(&[1, 2, 3]);
    let delta = tracker
        .advance(&flagged(&[(2, Flags::NONE), (3, Flags::SEEN)]), Expunges::Hold, &Owed::default())
        .unwrap();
    assert_eq!((delta.expunged, delta.changed), (vec![], vec![2]));
}

#[test]
fn keywords_count_as_flags() {
    let mut tracker = start(&[1]);
    let new = table(vec![entry(1, Flags::NONE, &[2])]);
    assert_eq!(tracker.advance(&new, Expunges::Tell, &Owed::default()).unwrap().changed, [0]);
}

#[test]
fn a_silent_store_is_not_echoed_and_a_foreign_change_is() {
    let silent = |mode, flags, keywords: &[&str]| FlagEdit {
        mode,
        flags,
        keywords: keywords.iter().map(|name| Keyword::new(name).unwrap()).collect(),
    };
    let before = || Tracker::new(table(vec![entry(7, Flags::SEEN, &[1])]), NOTHING_RECENT);
    let rows = [
        (
            "added",
            silent(FlagMode::Add, Flags::FLAGGED, &["K2"]),
            Flags::SEEN | Flags::FLAGGED,
            &[1, 2][..],
            false,
        ),
        ("added again", silent(FlagMode::Add, Flags::SEEN, &["K1"]), Flags::SEEN, &[1], false),
        ("removed", silent(FlagMode::Remove, Flags::SEEN, &["k1"]), Flags::NONE, &[], false),
        ("replaced", silent(FlagMode::Replace, Flags::DRAFT, &["k3"]), Flags::DRAFT, &[3], false),
        ("and somebody else's flag", silent(FlagMode::Add, Flags::FLAGGED, &[]), Flags(7), &[1], true),
        ("undone by somebody else", silent(FlagMode::Add, Flags::FLAGGED, &[]), Flags::SEEN, &[1], true),
        (
            "and somebody else's keyword",
            silent(FlagMode::Add, Flags::NONE, &["k2"]),
            Flags::SEEN,
            &[1, 2, 3],
            true,
        ),
    ];
    for (name, edit, flags, keywords, told) in rows {
        let mut tracker = before();
        tracker.believe(Uid(7), &edit);
        let after = table(vec![entry(7, flags, keywords)]);
        let delta = tracker.advance(&after, Expunges::Hold, &Owed::default()).unwrap();
        assert_eq!(!delta.changed.is_empty(), told, "{name}");
        assert_eq!(
            tracker.advance(&after, Expunges::Hold, &Owed::default()),
            Ok(Delta::default()),
            "{name}: told twice"
        );
    }
}

#[test]
fn two_edits_of_one_command_add_up() {
    let mut tracker = start(&[1]);
    let add = |flags| FlagEdit { mode: FlagMode::Add, flags, keywords: vec![] };
    tracker.believe(Uid(1), &add(Flags::SEEN));
    tracker.believe(Uid(1), &add(Flags::FLAGGED));
    let delta = tracker
        .advance(&flagged(&[(1, Flags::SEEN | Flags::FLAGGED)]), Expunges::Hold, &Owed::default())
        .unwrap();
    assert_eq!(delta, Delta::default());
}

/// Somebody else takes the message away behind a FETCH of its body, which said that it is \\Seen now and at which MODSEQ.
#[test]
fn what_was_told_of_a_message_holds_when_it_is_gone() {
    let mut tracker = start(&[1, 2, 3]);
    let keywords = vec![Keyword::new("K0").unwrap()];
    let seen = FlagEdit { mode: FlagMode::Add, flags: Flags::SEEN, keywords };
    tracker.believe(Uid(2), &seen);
    tracker.believe_modseq(Uid(2), ModSeq(7));
    for _ in 0..2 {
        tracker.advance(&plain(&[1, 3]), Expunges::Hold, &Owed::default()).unwrap();
        let listed = tracker.at(1).unwrap();
        assert!(listed.gone);
        let shown = listed.entry;
        assert_eq!((shown.uid, shown.flags, shown.modseq), (Uid(2), Flags::SEEN, ModSeq(7)));
        assert_eq!(listed.home.keyword_names(shown), ["K0"]);
    }
    assert_eq!(tracker.told_modseq(), ModSeq(1));
}

/// STORE .SILENT does not say when it was, and others may have changed the message before: flags and MODSEQ stay of one moment.
#[test]
fn flags_of_one_moment_are_not_shown_with_the_modseq_of_another() {
    let mut tracker = start(&[1, 2, 3]);
    let edit = |flags| FlagEdit { mode: FlagMode::Add, flags, keywords: vec![] };
    tracker.believe(Uid(1), &edit(Flags::FLAGGED));
    tracker.believe(Uid(2), &edit(Flags::SEEN));
    tracker.believe_modseq(Uid(2), ModSeq(7));
    tracker.believe(Uid(2), &edit(Flags::FLAGGED));
    tracker.advance(&plain(&[3]), Expunges::Hold, &Owed::default()).unwrap();
    for position in [0, 1] {
        let shown = tracker.at(position).unwrap().entry;
        assert_eq!((shown.flags, shown.modseq), (Flags::NONE, ModSeq(1)));
    }
}

#[test]
fn a_store_without_silent_tells_what_it_did_not_change_too() {
    let mut tracker = start(&[1, 2, 3]);
    let view = Arc::clone(tracker.view());
    let delta = tracker
        .advance(&view, Expunges::Hold, &Owed { flags: vec![Uid(1), Uid(3), Uid(9)], modseqs: vec![] })
        .unwrap();
    assert_eq!(delta.changed, [0, 2]);
}

#[test]
fn recent_belongs_to_the_session_that_claimed_it() {
    let mut tracker = Tracker::new(plain(&[1, 2, 3, 4]), Uid(3));
    assert_eq!(tracker.recent_count(), 2);
    assert_eq!([1, 2, 3, 4, 5].map(|uid| tracker.is_recent(Uid(uid))), [false, false, true, true, false]);

    // 5 and 6 arrive; another session had 5 first.
    let new = plain(&[1, 2, 3, 4, 5, 6]);
    assert!(tracker.grows_with(&new));
    tracker.claim(Uid(6), &new);
    let delta = tracker.advance(&new, Expunges::Tell, &Owed::default()).unwrap();
    assert_eq!((delta.exists, delta.recent), (Some(6), Some(3)));
    assert_eq!([4, 5, 6, 7].map(|uid| tracker.is_recent(Uid(uid))), [true, false, true, false]);

    // A recent one goes: the count is told, the list of claims shrinks.
    let delta = tracker.advance(&plain(&[1, 5, 6]), Expunges::Tell, &Owed::default()).unwrap();
    assert_eq!((delta.expunged, delta.exists, delta.recent), (vec![4, 3, 2], None, Some(1)));
    assert_eq!((tracker.recent.len(), &tracker.recent[0]), (1, &(6..7)));
}

#[test]
fn a_recent_ghost_is_still_counted() {
    let mut tracker = Tracker::new(plain(&[1, 2]), Uid(2));
    assert_eq!(tracker.advance(&plain(&[1]), Expunges::Hold, &Owed::default()), Ok(Delta::default()));
    assert_eq!(tracker.recent_count(), 1);
    let delta = tracker.advance(&plain(&[1]), Expunges::Tell, &Owed::default()).unwrap();
    assert_eq!((delta.expunged, delta.recent), (vec![2], Some(0)));
}

#[test]
fn nobody_claims_in_an_empty_folder() {
    let mut tracker = Tracker::new(plain(&[]), Uid(1));
    assert_eq!((tracker.exists(), tracker.recent_count(), tracker.last_uid()), (0, 0, None));
    assert!(tracker.at(0).is_none());
    assert_eq!((tracker.span_of_numbers(1, 9), tracker.span_of_uids(1, u32::MAX)), (0..0, 0..0));
    let new = plain(&[1]);
    tracker.claim(Uid(1), &new);
    let delta = tracker.advance(&new, Expunges::Tell, &Owed::default()).unwrap();
    assert_eq!((delta.exists, delta.recent), (Some(1), Some(1)));
}

#[test]
fn a_message_below_one_already_told_cannot_be_numbered() {
    let mut tracker = start(&[1, 5]);
    assert_eq!(tracker.advance(&plain(&[1, 3, 5]), Expunges::Tell, &Owed::default()), Err(Renumbered));
    assert_eq!(numbering(&tracker), [1, 5]);
}

#[test]
fn spans_are_clipped_to_what_is_there() {
    let tracker = start(&[2, 4, 6]);
    assert_eq!(tracker.span_of_numbers(2, 3), 1..3);
    assert_eq!(tracker.span_of_numbers(3, u32::MAX), 2..3);
    assert_eq!(tracker.span_of_numbers(4, 9), 3..3);
    assert_eq!(tracker.span_of_uids(1, 2), 0..1);
    assert_eq!(tracker.span_of_uids(3, 3), 1..1);
    assert_eq!(tracker.span_of_uids(4, u32::MAX), 1..3);
}

/// Two sessions over one folder that others change at random: each client can follow, whenever it may hear EXPUNGE.
#[test]
fn clients_follow_a_folder_that_changes_at_random() {
    for seed in 1..200_u64 {
        let mut dice = seed;
        let mut roll = |sides: u64| {
            // xorshift64: fixed dice, so that a failure repeats.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides
        };
        let mut folder: Vec<(u32, Flags)> = (1..=5).map(|uid| (uid, Flags::NONE)).collect();
        let mut next = 6;
        let mut trackers = [(); 2].map(|()| Tracker::new(flagged(&folder), NOTHING_RECENT));
        let mut clients = [0, 1].map(|at| Client::new(&trackers[at]));
        for _ in 0..60 {
            match roll(4) {
                0 | 1 => {
                    folder.push((next, Flags::NONE));
                    next += 1;
                }
                2 if !folder.is_empty() => {
                    _ = folder.remove(usize::try_from(roll(folder.len() as u64)).unwrap());
                }
                _ => {
                    for message in &mut folder {
                        message.1 = Flags(i32::try_from(roll(32)).unwrap());
                    }
                }
            }
            let at = usize::try_from(roll(2)).unwrap();
            let expunges = if roll(2) == 0 { Expunges::Tell } else { Expunges::Hold };
            let delta = trackers[at].advance(&flagged(&folder), expunges, &Owed::default()).unwrap();
            clients[at].hear(&delta, &trackers[at]);
            for (uid, flags) in &folder {
                let position = trackers[at].span_of_uids(*uid, *uid).start;
                assert_eq!(trackers[at].at(position).unwrap().entry.flags, *flags, "seed {seed}");
            }
        }
        for (tracker, client) in trackers.iter_mut().zip(&mut clients) {
            let delta = tracker.advance(&flagged(&folder), Expunges::Tell, &Owed::default()).unwrap();
            client.hear(&delta, tracker);
            assert_eq!(client.uids, folder.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

/// What two moments share is not looked at: a client is told the same as when nothing is shared.
#[test]
fn blocks_that_are_shared_change_nothing() {
    for seed in 1..6_u64 {
        let mut dice = seed;
        let mut roll = |sides: usize| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            u32::try_from(dice % sides as u64).unwrap()
        };
        let mut next = 4_001;
        let mut entries = Entries::new((1..next).map(|uid| entry(uid, Flags::NONE, &[])).collect());
        let fresh = |entries: &Entries, at| {
            Arc::new(Table(Entries::new(entries.iter().cloned().collect()), ModSeq(at)))
        };
        let shared = |entries: &Entries, at| Arc::new(Table(entries.clone(), ModSeq(at)));
        let mut trackers =
            [fresh(&entries, 1), shared(&entries, 1)].map(|view| Tracker::new(view, Uid(3_990)));
        for step in 2..30 {
            let mut changed: BTreeMap<Uid, ViewEntry> = BTreeMap::new();
            for _ in 0..roll(4) {
                let uid = Uid(1 + roll(next as usize - 1));
                if let Some(old) = entries.find(uid) {
                    let flags = Flags(i32::try_from(roll(32)).unwrap());
                    changed.insert(uid, ViewEntry { flags, modseq: ModSeq(step), ..old.clone() });
                }
            }
            for _ in 0..roll(4) {
                changed.insert(Uid(next), entry(next, Flags::NONE, &[]));
                next += 1;
            }
            let from = 1 + roll(next as usize);
            let gone = (from..from + roll(5)).map(Uid).filter(|uid| !changed.contains_key(uid)).collect();
            entries = entries.merged(changed.into_values().collect(), gone);
            let mut uids = |count| {
                let mut uids: Vec<Uid> = (0..roll(count)).map(|_| Uid(1 + roll(next as usize))).collect();
                uids.sort_unstable();
                uids
            };
            let (silent, owed) = (uids(3), Owed { flags: uids(3), modseqs: uids(3) });
            let expunges = if roll(2) == 0 { Expunges::Tell } else { Expunges::Hold };
            let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::SEEN, keywords: Vec::new() };
            let [one, other] = &mut trackers;
            for uid in silent {
                one.believe(uid, &edit);
                other.believe(uid, &edit);
            }
            let told = one.advance(&fresh(&entries, step), expunges, &owed);
            assert_eq!(other.advance(&shared(&entries, step), expunges, &owed), told, "seed {seed}");
            assert_eq!((one.exists(), one.told_modseq()), (other.exists(), other.told_modseq()));
        }
        assert_eq!(numbering(&trackers[0]), numbering(&trackers[1]));
        // A message that comes in between, where the rest is shared behind it.
        let [one, other] = &mut trackers;
        let counted = numbering(one);
        let missing = (1..next).find(|uid| entries.find(Uid(*uid)).is_none() && !counted.contains(uid));
        let Some(uid) = missing.filter(|uid| *uid < 2_000) else { continue };
        let wrong = entries.merged(vec![entry(uid, Flags::NONE, &[])], Vec::new());
        for (tracker, view) in [(one, fresh(&wrong, 99)), (other, shared(&wrong, 99))] {
            assert_eq!(tracker.advance(&view, Expunges::Tell, &Owed::default()), Err(Renumbered));
        }
    }
}

#[test]
fn a_ghost_keeps_what_went_and_not_the_folder() {
    let mut tracker = start(&[1, 2, 3, 4, 5]);
    for left in [&[1, 3, 4, 5][..], &[1, 5], &[5]] {
        tracker.advance(&plain(left), Expunges::Hold, &Owed::default()).unwrap();
    }
    let kept: Vec<(u32, usize)> =
        tracker.ghosts.iter().map(|ghost| (ghost.uid.0, ghost.home.entries().len())).collect();
    assert_eq!(kept, [(1, 1), (2, 1), (3, 2), (4, 2)]);
    assert!(tracker.at(2).is_some_and(|listed| listed.gone && listed.entry.uid == Uid(3)));
}
