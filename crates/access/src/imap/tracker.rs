//! Message sequence numbers: the one place of a session that knows them.
//!
//! A [`Tracker`] holds what the client was told the folder contains and turns a newer view into the responses
//! that bring the client up to date. Sequence numbers are never stored: a number is a position in the shared view
//! plus the messages that went but whose EXPUNGE could not be sent yet ([`Ghost`]s).
//!
//! Invariants: positions are in ascending uid order; a position moves only in [`Tracker::advance`], which reports
//! it; ghosts exist only between two chances to send EXPUNGE (RFC 3501 7.4.1); of the view only ghosts are copied; no
//! message is ever shown older than the client was told it is.

mod compare;

use engine::{Entries, FlagEdit, FlagMode, FolderView, ViewEntry};
use model::{Flags, ModSeq, Uid};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What a folder held at one moment: a [`FolderView`], or a table in a test.
pub(crate) trait Listing {
    /// Ascending by uid.
    fn entries(&self) -> &Entries;
    /// Names of the keywords set on `entry`.
    fn keyword_names<'a>(&'a self, entry: &'a ViewEntry) -> Vec<&'a str>;
    /// Of the last change in the folder.
    fn modseq(&self) -> ModSeq;
    /// Ids, ascending, of the keywords so named, in whatever case.
    fn keyword_ids(&self, names: &[String]) -> Vec<i16>;
    /// The same moment with these entries alone, their keywords named as in `later`.
    fn only(&self, entries: Vec<ViewEntry>, later: &Self) -> Self;
}

impl Listing for FolderView {
    fn entries(&self) -> &Entries {
        Self::entries(self)
    }

    fn keyword_names<'a>(&'a self, entry: &'a ViewEntry) -> Vec<&'a str> {
        Self::keyword_names(self, entry).collect()
    }

    fn modseq(&self) -> ModSeq {
        Self::modseq(self)
    }

    fn keyword_ids(&self, names: &[String]) -> Vec<i16> {
        Self::keyword_ids(self, names)
    }

    fn only(&self, entries: Vec<ViewEntry>, later: &Self) -> Self {
        Self::only(self, entries, later)
    }
}

/// A message that is gone while the client still counts it.
#[derive(Debug)]
struct Ghost<V> {
    uid: Uid,
    /// Sequence number minus one.
    position: usize,
    /// What the client was last told of it and of those that went with it: one that never lets itself be told of the end
    /// must not keep a view of the whole folder for each message that goes meanwhile.
    home: Arc<V>,
}

/// What the client believes of a message where it is not what the tracked view says.
#[derive(Debug, PartialEq, Eq)]
struct Belief {
    flags: Flags,
    /// In lower case, sorted.
    keywords: Vec<String>,
    /// At which all of this was true, where that is known.
    modseq: Option<ModSeq>,
}

/// One message as the client counts it.
#[derive(Debug)]
pub(crate) struct Listed<'a, V> {
    pub(crate) entry: &'a ViewEntry,
    /// The view that describes `entry`.
    pub(crate) home: &'a Arc<V>,
    /// Expunged by somebody else, and the client has not been told.
    pub(crate) gone: bool,
}

/// May EXPUNGE be sent now? (RFC 3501 7.4.1: not during FETCH, STORE and SEARCH by sequence number.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expunges {
    Tell,
    Hold,
}

/// What to send, in this order, so that every number is right at the moment it is read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Sequence numbers for EXPUNGE, descending, so that none moves another.
    pub(crate) expunged: Vec<u32>,
    /// The uids of the same messages, ascending, for VANISHED.
    pub(crate) vanished: Vec<Uid>,
    /// The new count, when messages were added.
    pub(crate) exists: Option<u32>,
    /// The new count of \Recent messages, when it changed or messages were added.
    pub(crate) recent: Option<u32>,
    /// Positions (after the expunges) whose flags the client must be told.
    pub(crate) changed: Vec<usize>,
    /// Positions of which only the MODSEQ must be told, to clients that want it.
    pub(crate) touched: Vec<usize>,
}

/// Uids, ascending, of which the client is to be told whether or not they changed.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// Their flags.
    pub(crate) flags: Vec<Uid>,
    /// At least their MODSEQ.
    pub(crate) modseqs: Vec<Uid>,
}

impl Owed {
    fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.modseqs.is_empty()
    }
}

/// The folder's uids did not only grow: its numbering cannot be mended within this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renumbered;

#[derive(Debug)]
pub(crate) struct Tracker<V = FolderView> {
    view: Arc<V>,
    ghosts: Vec<Ghost<V>>,
    /// Uids first shown to this session, ascending, apart from each other (RFC 3501 2.3.2 \Recent).
    recent: Vec<Range<u32>>,
    recent_told: u32,
    beliefs: BTreeMap<Uid, Belief>,
}

impl<V: Listing> Tracker<V> {
    /// Starts from what SELECT tells: `view` in full, its messages from `recent_from` on being \Recent.
    pub(crate) fn new(view: Arc<V>, recent_from: Uid) -> Self {
        let mut tracker =
            Self { view, ghosts: Vec::new(), recent: Vec::new(), recent_told: 0, beliefs: BTreeMap::new() };
        tracker.claim(recent_from, &Arc::clone(&tracker.view));
        tracker.recent_told = tracker.recent_count();
        tracker
    }

    pub(crate) fn view(&self) -> &Arc<V> {
        &self.view
    }

    /// Number of messages as the client counts them.
    pub(crate) fn exists(&self) -> u32 {
        number(self.count())
    }

    pub(crate) fn recent_count(&self) -> u32 {
        number(self.recent.iter().map(|uids| self.span_of_uids(uids.start, uids.end - 1).len()).sum())
    }

    pub(crate) fn is_recent(&self, uid: Uid) -> bool {
        let after = self.recent.partition_point(|uids| uids.start <= uid.0);
        after.checked_sub(1).and_then(|at| self.recent.get(at)).is_some_and(|uids| uids.contains(&uid.0))
    }

    /// The message at a position (sequence number minus one).
    pub(crate) fn at(&self, position: usize) -> Option<Listed<'_, V>> {
        let before = self.ghosts.partition_point(|ghost| ghost.position < position);
        if let Some(ghost) = self.ghosts.get(before).filter(|ghost| ghost.position == position) {
            let entry = ghost.home.entries().find(ghost.uid)?;
            return Some(Listed { entry, home: &ghost.home, gone: true });
        }
        let entry = self.view.entries().get(position.checked_sub(before)?)?;
        Some(Listed { entry, home: &self.view, gone: false })
    }

    /// Everything up to this modseq has been told: all of the view, but for expunges that could not be told yet, and
    /// those came after the last view that had the message (RFC 7162 3.2).
    pub(crate) fn told_modseq(&self) -> ModSeq {
        self.ghosts.iter().map(|ghost| ghost.home.modseq()).min().unwrap_or_else(|| self.view.modseq())
    }

    /// Are there expunges that the client has not been told of?
    pub(crate) fn is_haunted(&self) -> bool {
        !self.ghosts.is_empty()
    }

    /// Positions of the sequence numbers `first..=last`, as far as they exist.
    pub(crate) fn span_of_numbers(&self, first: u32, last: u32) -> Range<usize> {
        let count = self.count();
        let start = (first.max(1) as usize - 1).min(count);
        start..(last as usize).clamp(start, count)
    }

    /// Positions of the uids `first..=last`, as far as they exist.
    pub(crate) fn span_of_uids(&self, first: u32, last: u32) -> Range<usize> {
        let start = self.position_from(first);
        let end = last.checked_add(1).map_or(self.count(), |behind| self.position_from(behind));
        start..end.max(start)
    }

    /// The highest uid the client knows of, what `*` means in a uid set.
    pub(crate) fn last_uid(&self) -> Option<Uid> {
        self.at(self.count().checked_sub(1)?).map(|listed| listed.entry.uid)
    }

    /// Does `new` have messages the client was not told of?
    pub(crate) fn grows_with(&self, new: &V) -> bool {
        new.entries().last().map(|entry| entry.uid) > self.last_uid()
    }

    /// Messages of `view` from `from` on are \Recent in this session.
    pub(crate) fn claim(&mut self, from: Uid, view: &Arc<V>) {
        let Some(last) = view.entries().last().map(|entry| entry.uid.0).filter(|last| *last >= from.0) else {
            return;
        };
        let end = last.saturating_add(1);
        match self.recent.last_mut() {
            Some(uids) if uids.end >= from.0 => uids.end = uids.end.max(end),
            _ => self.recent.push(from.0..end),
        }
    }

    /// The client knows that `edit` was applied to `uid` (it asked for `.SILENT`, or it read the body).
    pub(crate) fn believe(&mut self, uid: Uid, edit: &FlagEdit) {
        let Some(entry) = self.view.entries().find(uid) else { return };
        let edited: Vec<String> = edit.keywords.iter().map(|k| k.as_str().to_ascii_lowercase()).collect();
        let mut belief = match self.beliefs.remove(&uid) {
            Some(belief) => belief,
            None => {
                Belief { flags: entry.flags, keywords: lower_names(self.view.as_ref(), entry), modseq: None }
            }
        };
        match edit.mode {
            FlagMode::Replace => (belief.flags, belief.keywords) = (edit.flags, edited),
            FlagMode::Add => {
                belief.flags |= edit.flags;
                belief.keywords.extend(edited);
            }
            FlagMode::Remove => {
                belief.flags = Flags(belief.flags.0 & !edit.flags.0);
                belief.keywords.retain(|name| !edited.contains(name));
            }
        }
        belief.keywords.sort();
        belief.keywords.dedup();
        belief.modseq = None;
        self.beliefs.insert(uid, belief);
    }

    /// What the client [believes](Self::believe) of a message was true at this MODSEQ; one that wants to know was told.
    pub(crate) fn believe_modseq(&mut self, uid: Uid, modseq: ModSeq) {
        if let Some(belief) = self.beliefs.get_mut(&uid) {
            belief.modseq = Some(modseq);
        }
    }

    /// Moves on to `new` and says what the client must be told for it, with what is `owed` to it.
    ///
    /// # Errors
    /// When `new` has a message below one already told: then nothing has changed in here.
    pub(crate) fn advance(
        &mut self,
        new: &Arc<V>,
        expunges: Expunges,
        owed: &Owed,
    ) -> Result<Delta, Renumbered> {
        if Arc::ptr_eq(new, &self.view) && owed.is_empty() && self.beliefs.is_empty() {
            let nothing_held = self.ghosts.is_empty() || expunges == Expunges::Hold;
            if nothing_held && self.recent_told == self.recent_count() {
                return Ok(Delta::default());
            }
        }
        let before = Arc::clone(&self.view);
        let apart = before.entries().apart(new.entries());
        let (gone, grown) = self.compare(&apart)?;
        let (changed, touched) = self.changed_uids(new, &apart, owed);
        let mut delta = Delta::default();
        let old = std::mem::replace(&mut self.view, Arc::clone(new));
        let ghosts = std::mem::take(&mut self.ghosts);
        match expunges {
            Expunges::Tell => {
                delta.expunged = gone.iter().rev().map(|(position, _)| number(position + 1)).collect();
                delta.vanished = gone.iter().map(|(_, uid)| *uid).collect();
            }
            Expunges::Hold => self.ghosts = self.haunt(&gone, &old, ghosts),
        }
        self.beliefs.clear();
        self.forget_empty_claims();
        delta.exists = grown.then(|| self.exists());
        let recent = self.recent_count();
        delta.recent = (grown || recent != self.recent_told).then_some(recent);
        self.recent_told = recent;
        delta.changed = changed.into_iter().map(|uid| self.position_from(uid.0)).collect();
        delta.touched = touched.into_iter().map(|uid| self.position_from(uid.0)).collect();
        Ok(delta)
    }

    /// The ghosts for `gone` (positions and uids): those that were ghosts before, and those that `old` was the last view to
    /// have, as the client believes them to be.
    fn haunt(&self, gone: &[(usize, Uid)], old: &V, before: Vec<Ghost<V>>) -> Vec<Ghost<V>> {
        let mut known = before.iter().map(|ghost| ghost.uid).peekable();
        let new = gone.iter().map(|(_, uid)| *uid).filter(|uid| known.next_if_eq(uid).is_none());
        let entries =
            new.filter_map(|uid| old.entries().find(uid)).map(|entry| self.believed(entry)).collect();
        let new_home = Arc::new(old.only(entries, &self.view));
        let mut before = before.into_iter().peekable();
        gone.iter()
            .map(|&(position, uid)| {
                let home = before
                    .next_if(|ghost| ghost.uid == uid)
                    .map_or_else(|| Arc::clone(&new_home), |ghost| ghost.home);
                Ghost { uid, position, home }
            })
            .collect()
    }

    /// `entry` with what the client was told of it since, where it is known of which moment that is true: flags of one and
    /// the MODSEQ of another would be neither's.
    fn believed(&self, entry: &ViewEntry) -> ViewEntry {
        let mut entry = entry.clone();
        if let Some(Belief { flags, keywords, modseq: Some(modseq) }) = self.beliefs.get(&entry.uid) {
            entry.flags = *flags;
            entry.keywords = self.view.keyword_ids(keywords).into();
            entry.modseq = *modseq;
        }
        entry
    }

    fn count(&self) -> usize {
        self.view.entries().len() + self.ghosts.len()
    }

    /// Position of the first message whose uid is at least `uid`.
    fn position_from(&self, uid: u32) -> usize {
        self.view.entries().partition_point(|entry| entry.uid.0 < uid)
            + self.ghosts.partition_point(|ghost| ghost.uid.0 < uid)
    }

    /// Keeps the list of claims as short as the messages it still speaks of.
    fn forget_empty_claims(&mut self) {
        let mut claims = std::mem::take(&mut self.recent);
        claims.retain(|uids| !self.span_of_uids(uids.start, uids.end - 1).is_empty());
        self.recent = claims;
    }
}

fn lower_names<V: Listing>(view: &V, entry: &ViewEntry) -> Vec<String> {
    let mut names: Vec<String> = view.keyword_names(entry).into_iter().map(str::to_ascii_lowercase).collect();
    names.sort();
    names
}

/// A count or number as IMAP writes it; a folder cannot have more than 2^32-1 messages, its uids being such.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
pub(crate) mod tests;
