//! Folder views: what a folder holds at one modseq. Shared between all sessions of the node, never changed.
//!
//! Invariant: a view is one snapshot of the database; it is handed out only to its owner, after a look at the owner's
//! standing, and only while the folder's modseq is still the view's.

use crate::recent::Recent;
use crate::{Engine, Entries, Error, Folder, Principal};
use model::{AccountId, Flags, FolderId, ModSeq, Uid};
use std::sync::Arc;
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

/// Whoever holds its lock loads the view, others wait for them.
type Cell = Arc<AsyncMutex<Option<Arc<FolderView>>>>;

#[derive(Debug, Default)]
pub(crate) struct Views(Recent<FolderId, Cell, WEIGHT_MAX>);

impl Views {
    /// The place of a folder's view. It weighs from here on, loaded or not: whoever wanted it may go away before it is.
    fn cell(&self, folder: FolderId) -> Cell {
        self.0.find_or_default(folder, WEIGHT_EMPTY)
    }

    /// A view if it is there and nobody is renewing it, used or not.
    pub(crate) fn peek(&self, folder: FolderId) -> Option<Arc<FolderView>> {
        self.0.peek(folder)?.try_lock().ok()?.clone()
    }

    /// Forgets every view; who is loading one keeps it to themselves.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn forget(&self, folder: FolderId) {
        self.0.forget(folder);
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
        let Some(cell) = self.0.views.0.peek(folder) else { return };
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
        self.0.views.0.weigh(folder, view.weight());
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
