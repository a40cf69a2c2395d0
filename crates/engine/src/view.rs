//! Folder views: what a folder holds at one modseq. Shared between all sessions of the node, never changed.
//!
//! Invariant: a view is one snapshot of the database; it is handed out only to its owner, after a look at the owner's
//! standing, and only while the folder's modseq is still the view's.

use crate::{Engine, Entries, Error, Folder, Principal};
use model::{AccountId, Flags, FolderId, ModSeq, Uid};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use store::{EntryRow, FolderDelta, FolderRow, KeywordRow};
use tokio::sync::Mutex as AsyncMutex;

/// One message in a view.
pub type ViewEntry = EntryRow;

/// What all kept views weigh at most, in entries of about 100 bytes; beyond, the views longest unused are dropped.
const WEIGHT_MAX: usize = 4_000_000;
/// What a view weighs without entries and keywords.
const WEIGHT_EMPTY: usize = 16;

/// A folder at one moment.
#[derive(Debug)]
pub struct FolderView {
    owner: AccountId,
    folder: Folder,
    recent_uid: Uid,
    entries: Entries,
    keywords: Arc<[KeywordRow]>,
}

impl FolderView {
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Ascending by uid.
    #[must_use]
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    #[must_use]
    pub fn modseq(&self) -> ModSeq {
        self.folder.modseq
    }

    #[must_use]
    pub fn unseen(&self) -> u32 {
        self.entries.sums().unseen
    }

    /// Octets of all messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.sums().bytes
    }

    pub(crate) fn owner(&self) -> AccountId {
        self.owner
    }

    pub(crate) fn recent_uid(&self) -> Uid {
        self.recent_uid
    }

    #[must_use]
    pub fn find(&self, uid: Uid) -> Option<&ViewEntry> {
        self.entries.find(uid)
    }

    /// The same folder at the same moment, with these entries (ascending) alone, their keywords named as in `later`: to be
    /// kept for long.
    #[must_use]
    pub fn only(&self, entries: Vec<ViewEntry>, later: &Self) -> Self {
        Self {
            owner: self.owner,
            folder: self.folder.clone(),
            recent_uid: self.recent_uid,
            keywords: later.keywords.clone(),
            entries: Entries::new(entries),
        }
    }

    /// Ids, ascending, of the keywords so named, in whatever case; names that the mailbox has not used are left out.
    #[must_use]
    pub fn keyword_ids(&self, names: &[String]) -> Vec<i16> {
        let named = |keyword: &&KeywordRow| names.iter().any(|name| name.eq_ignore_ascii_case(&keyword.name));
        self.keywords.iter().filter(named).map(|keyword| keyword.keyword_id).collect()
    }

    /// Names of an entry's keywords.
    pub fn keyword_names<'a>(&'a self, entry: &'a ViewEntry) -> impl Iterator<Item = &'a str> {
        entry.keywords.iter().filter_map(|id| {
            let at = self.keywords.binary_search_by_key(id, |keyword| keyword.keyword_id).ok()?;
            Some(self.keywords.get(at)?.name.as_str())
        })
    }

    /// Every keyword the mailbox has used.
    pub fn all_keywords(&self) -> impl Iterator<Item = &str> {
        self.keywords.iter().map(|keyword| keyword.name.as_str())
    }
}

type Cell = Arc<AsyncMutex<Option<Arc<FolderView>>>>;

#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    by_folder: HashMap<FolderId, Slot>,
    /// Folder by time of last use, oldest first.
    by_use: BTreeMap<u64, FolderId>,
    weight: usize,
    tick: u64,
}

#[derive(Debug, Default)]
struct Slot {
    cell: Cell,
    weight: usize,
    used: u64,
}

impl Views {
    /// The place of a folder's view; whoever holds its lock loads it, others wait for them.
    fn cell(&self, folder: FolderId) -> Cell {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.tick += 1;
        let tick = slots.tick;
        // It weighs from here on, loaded or not: whoever wanted it may go away before it is.
        let mut added = 0;
        let slot = slots.by_folder.entry(folder).or_insert_with(|| {
            added = WEIGHT_EMPTY;
            Slot { weight: WEIGHT_EMPTY, ..Slot::default() }
        });
        let before = std::mem::replace(&mut slot.used, tick);
        let cell = slot.cell.clone();
        slots.weight += added;
        slots.by_use.remove(&before);
        slots.by_use.insert(tick, folder);
        cell
    }

    fn loaded(&self, folder: FolderId, weight: usize) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.by_folder.get_mut(&folder) {
            let before = std::mem::replace(&mut slot.weight, weight);
            slots.weight = slots.weight + weight - before;
        }
        // The one just loaded stays, however large: it is in use.
        while slots.weight > WEIGHT_MAX
            && let Some(oldest) = slots.by_use.values().copied().find(|oldest| *oldest != folder)
        {
            slots.forget(oldest);
        }
    }

    /// A view if it is there and nobody is renewing it, used or not.
    pub(crate) fn peek(&self, folder: FolderId) -> Option<Arc<FolderView>> {
        self.kept(folder)?.try_lock().ok()?.clone()
    }

    /// The place of a folder's view, if there is one.
    fn kept(&self, folder: FolderId) -> Option<Cell> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(slots.by_folder.get(&folder)?.cell.clone())
    }

    /// Forgets every view; who is loading one keeps it to themselves.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Slots::default();
    }

    pub(crate) fn forget(&self, folder: FolderId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forget(folder);
    }
}

impl Slots {
    fn forget(&mut self, folder: FolderId) {
        if let Some(slot) = self.by_folder.remove(&folder) {
            self.by_use.remove(&slot.used);
            self.weight -= slot.weight;
        }
    }
}

impl Engine {
    /// The folder as it is now: the node's cached view if nothing moved since, else a renewed one.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone or another's, `Revoked` when the principal's rights ended.
    pub async fn view(&self, who: &Principal, folder: FolderId) -> Result<Arc<FolderView>, Error> {
        let cell = self.0.views.cell(folder);
        let mut held = cell.lock().await;
        // Asked under the lock: what a writer committed before this call is in the answer.
        let now = match self.standing_folder(who, folder).await {
            Ok(now) => now,
            Err(error) => {
                self.0.views.forget(folder);
                return Err(error);
            }
        };
        self.renew_view(who, now, &mut held).await
    }

    /// The folder as it was at `now`, which was just read together with the standing of `who`, or later.
    pub(crate) async fn view_since(&self, who: &Principal, now: FolderRow) -> Result<Arc<FolderView>, Error> {
        let cell = self.0.views.cell(now.folder_id);
        let mut held = cell.lock().await;
        // Another session may have renewed it after `now` was read.
        if let Some(view) = held.as_ref().filter(|view| view.owner == who.account() && view.is_after(&now)) {
            return Ok(view.clone());
        }
        self.renew_view(who, now, &mut held).await
    }

    /// Puts what `change` makes of the kept view in its place, if that is the folder as it was at `before`: what a change
    /// just committed made of it need not be read.
    pub(crate) async fn foresee(
        &self,
        who: &Principal,
        folder: FolderId,
        before: ModSeq,
        change: impl FnOnce(&FolderView) -> FolderView,
    ) {
        let Some(cell) = self.0.views.kept(folder) else { return };
        let mut held = cell.lock().await;
        let was = held.as_ref().filter(|view| view.owner == who.account() && view.modseq() == before);
        if let Some(changed) = was.map(|view| Arc::new(change(view))) {
            *held = Some(changed);
        }
    }

    async fn renew_view(
        &self,
        who: &Principal,
        now: FolderRow,
        held: &mut Option<Arc<FolderView>>,
    ) -> Result<Arc<FolderView>, Error> {
        let folder = now.folder_id;
        let view = match held.take() {
            Some(view) if view.is_current(&now) => view,
            Some(view) if view.folder.modseq == now.modseq => Arc::new(view.with_row(now)),
            cached => Arc::new(self.load_view(who, folder, cached.as_deref()).await?),
        };
        self.0.views.loaded(folder, view.weight());
        *held = Some(view.clone());
        Ok(view)
    }

    async fn load_view(
        &self,
        who: &Principal,
        folder: FolderId,
        before: Option<&FolderView>,
    ) -> Result<FolderView, Error> {
        let account = who.account();
        let since = before.map(|view| (view.folder.modseq, view.folder.uid_next));
        let delta = self.0.store.folder_delta(account, folder, since).await?.ok_or(Error::NotFound)?;
        // A keyword's number may have been given to another name, but only after every entry lost it: an entry that has
        // it now was changed since.
        let keywords = match before {
            Some(view) if delta.changed.iter().all(|entry| entry.keywords.is_empty()) => {
                view.keywords.clone()
            }
            _ => {
                let now = self.0.store.keywords(account).await?;
                // The same are in memory once, however many views of the folder sessions hold.
                match before.filter(|view| *view.keywords == *now) {
                    Some(view) => view.keywords.clone(),
                    None => now.into(),
                }
            }
        };
        Ok(renew(account, before, delta, keywords))
    }
}

impl FolderView {
    /// In entries' worth of memory.
    fn weight(&self) -> usize {
        self.entries.len() + self.keywords.len() + WEIGHT_EMPTY
    }

    fn is_current(&self, now: &FolderRow) -> bool {
        self.folder.modseq == now.modseq && self.recent_uid == now.recent_uid
    }

    fn is_after(&self, row: &FolderRow) -> bool {
        (self.folder.modseq, self.recent_uid) >= (row.modseq, row.recent_uid)
    }

    /// The same messages after those of `changed` (ascending) were given flags `(flags & keep) | set`.
    pub(crate) fn with_flags(&self, modseq: ModSeq, changed: &[Uid], (keep, set): (Flags, Flags)) -> Self {
        let mut edited = Vec::with_capacity(changed.len());
        for entry in changed.iter().filter_map(|uid| self.find(*uid)) {
            let flags = Flags((entry.flags.0 & keep.0) | set.0);
            edited.push(ViewEntry { flags, modseq, ..entry.clone() });
        }
        Self {
            owner: self.owner,
            recent_uid: self.recent_uid,
            folder: Folder { modseq, ..self.folder.clone() },
            entries: self.entries.merged(edited, Vec::new()),
            keywords: self.keywords.clone(),
        }
    }

    /// The same messages beside a row that changed without a modseq: `\Recent` was claimed.
    fn with_row(&self, row: FolderRow) -> Self {
        Self {
            owner: self.owner,
            recent_uid: row.recent_uid,
            folder: Folder::from_row(row, true),
            entries: self.entries.clone(),
            keywords: self.keywords.clone(),
        }
    }
}

fn renew(
    owner: AccountId,
    before: Option<&FolderView>,
    delta: FolderDelta,
    keywords: Arc<[KeywordRow]>,
) -> FolderView {
    let entries = match before {
        Some(view) if !delta.whole => view.entries.merged(delta.changed, delta.gone),
        _ => Entries::new(delta.changed),
    };
    FolderView {
        owner,
        recent_uid: delta.folder.recent_uid,
        entries,
        keywords,
        folder: Folder::from_row(delta.folder, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_longest_unused_are_dropped() {
        let views = Views::default();
        let third = WEIGHT_MAX / 3;
        for id in 1..=3 {
            let _ = views.cell(FolderId(id));
            views.loaded(FolderId(id), third);
        }
        let _ = views.cell(FolderId(1));
        let _ = views.cell(FolderId(4));
        views.loaded(FolderId(4), third);
        let kept = |id| views.0.lock().unwrap().by_folder.contains_key(&FolderId(id));
        assert_eq!([1, 2, 3, 4].map(kept), [true, false, true, true]);
        views.loaded(FolderId(4), 2 * WEIGHT_MAX);
        assert_eq!([1, 2, 3, 4].map(kept), [false, false, false, true], "what is in use stays");
        views.forget(FolderId(4));
        let slots = views.0.lock().unwrap();
        assert_eq!((slots.weight, slots.by_use.len(), slots.by_folder.len()), (0, 0, 0));
    }

    #[test]
    fn empty_views_weigh_something() {
        let views = Views::default();
        for id in 0..i64::try_from(WEIGHT_MAX / WEIGHT_EMPTY).unwrap() + 10 {
            let _ = views.cell(FolderId(id));
            views.loaded(FolderId(id), WEIGHT_EMPTY);
        }
        let slots = views.0.lock().unwrap();
        assert_eq!(slots.by_folder.len(), WEIGHT_MAX / WEIGHT_EMPTY);
        assert_eq!(slots.by_use.len(), slots.by_folder.len());
    }
}
