//! Looking at folders without opening them: what there is, and how much is in each.
//!
//! Invariants: the list is one statement; so are all the counts that are not known already; a count is known as long
//! as the folder's modseq (and what of it is `\Recent`) has not moved since.

use crate::{Engine, Error, Folder, FolderView, Principal, Shared};
use model::{FolderId, FolderName, ModSeq, Uid, UidValidity};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::{ListedRow, StatusRow};

/// Counts kept by a node, of about 100 bytes each: all folders of 5,000 busy mailboxes.
const KNOWN_MAX: usize = 100_000;

/// The folders of a mailbox, and the names it is subscribed to that are none.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// INBOX first, then by name.
    pub folders: Vec<Folder>,
    /// Others' mailboxes that may be read, by their addresses.
    pub shared: Vec<Shared>,
    /// In name order (RFC 3501 6.3.9: a name may outlive its folder).
    pub lost_subscriptions: Vec<FolderName>,
}

/// What STATUS tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderStatus {
    pub id: FolderId,
    pub messages: u32,
    pub unseen: u32,
    /// Messages no session has been told of.
    pub recent: u32,
    pub bytes: u64,
    /// Messages marked `\Deleted`, and their octets.
    pub deleted: u32,
    pub deleted_bytes: u64,
    pub uid_next: Uid,
    pub uid_validity: UidValidity,
    pub modseq: ModSeq,
}

impl FolderStatus {
    fn of_view(view: &FolderView) -> Self {
        let recent =
            view.entries().len() - view.entries().partition_point(|entry| entry.uid < view.recent_uid());
        let sums = view.entries().sums();
        Self {
            id: view.folder().id,
            messages: u32::try_from(view.entries().len()).unwrap_or(u32::MAX),
            unseen: sums.unseen,
            recent: u32::try_from(recent).unwrap_or(u32::MAX),
            bytes: sums.bytes,
            deleted: sums.deleted,
            deleted_bytes: sums.deleted_bytes,
            uid_next: view.folder().uid_next,
            uid_validity: view.folder().uid_validity,
            modseq: view.modseq(),
        }
    }

    fn of_row(row: &StatusRow) -> Self {
        Self {
            id: row.folder.folder_id,
            messages: row.messages,
            unseen: row.unseen,
            recent: row.recent,
            bytes: row.bytes,
            deleted: row.deleted,
            deleted_bytes: row.deleted_bytes,
            uid_next: row.folder.uid_next,
            uid_validity: row.folder.uid_validity,
            modseq: row.folder.modseq,
        }
    }
}

/// Counts of folders as they were at a modseq and a `\Recent` uid.
#[derive(Debug, Default)]
pub(crate) struct Statuses(Mutex<HashMap<FolderId, (Uid, FolderStatus)>>);

impl Statuses {
    fn find(&self, folder: &Folder) -> Option<FolderStatus> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (recent_uid, status) = known.get(&folder.id)?;
        (*recent_uid == folder.recent_uid && status.modseq == folder.modseq).then_some(*status)
    }

    fn keep(&self, folder: FolderId, recent_uid: Uid, status: FolderStatus) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // All of them anew costs no more than a start of the node does.
        if known.len() >= KNOWN_MAX && !known.contains_key(&folder) {
            known.clear();
        }
        known.insert(folder, (recent_uid, status));
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = HashMap::new();
    }
}

impl Engine {
    /// All folders and subscriptions at one look.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn listing(&self, who: &Principal) -> Result<Listing, Error> {
        let Some((standing, rows)) = self.0.store.listing(who.account()).await? else {
            return Err(Error::Revoked);
        };
        self.check_rights(who, standing).await?;
        let mut listing = Listing::default();
        for ListedRow { name, subscribed, folder } in rows {
            match folder {
                Some(row) => listing.folders.push(Folder::from_row(row, subscribed)),
                None => listing.lost_subscriptions.push(name),
            }
        }
        listing.folders.sort_by_key(|folder| !folder.name.is_inbox());
        listing.shared = self.shared(who).await?;
        Ok(listing)
    }

    /// All folders, INBOX first, then by name.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn folders(&self, who: &Principal) -> Result<Vec<Folder>, Error> {
        Ok(self.listing(who).await?.folders)
    }

    /// What lies in `folders`, which are to be from a [`Engine::listing`] that `who` just had; those that are gone
    /// meanwhile are left out. At most one question to the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn statuses(
        &self,
        who: &Principal,
        folders: &[&Folder],
    ) -> Result<HashMap<FolderId, FolderStatus>, Error> {
        let mut statuses = HashMap::with_capacity(folders.len());
        let mut unknown = Vec::new();
        for folder in folders {
            match self.known_status(who, folder) {
                Some(status) => drop(statuses.insert(folder.id, status)),
                None => unknown.push(folder.id),
            }
        }
        if unknown.is_empty() {
            return Ok(statuses);
        }
        for row in self.0.store.statuses(who.account(), &unknown).await? {
            let status = FolderStatus::of_row(&row);
            self.0.statuses.keep(row.folder.folder_id, row.folder.recent_uid, status);
            statuses.insert(row.folder.folder_id, status);
        }
        Ok(statuses)
    }

    /// What lies in the folder of that name; `None` when there is none.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn status(&self, who: &Principal, name: &FolderName) -> Result<Option<FolderStatus>, Error> {
        let Some(folder) = self.folder(who, name).await? else { return Ok(None) };
        if let Some(status) = self.known_status(who, &folder) {
            return Ok(Some(status));
        }
        // Whoever asks for one folder asks again, or opens it: a view is renewed by what changed, not counted anew.
        match self.folder_status(who, folder.id).await {
            Ok(status) => Ok(Some(status)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// `NotFound` when the folder is gone.
    pub async fn folder_status(&self, who: &Principal, folder: FolderId) -> Result<FolderStatus, Error> {
        let view = self.view(who, folder).await?;
        let status = FolderStatus::of_view(&view);
        self.0.statuses.keep(folder, view.recent_uid(), status);
        Ok(status)
    }

    /// From what the node has in memory, if that is of the folder as it is. Numbers of folders are never another's, but
    /// a view knows its owner, so it is asked.
    fn known_status(&self, who: &Principal, folder: &Folder) -> Option<FolderStatus> {
        if let Some(status) = self.0.statuses.find(folder) {
            return Some(status);
        }
        let view = self.0.views.peek(folder.id)?;
        let same = view.owner() == who.account()
            && view.modseq() == folder.modseq
            && view.recent_uid() == folder.recent_uid;
        let status = same.then(|| FolderStatus::of_view(&view))?;
        self.0.statuses.keep(folder.id, folder.recent_uid, status);
        Some(status)
    }
}
