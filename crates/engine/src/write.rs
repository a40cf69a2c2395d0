//! Changing what lies in a folder: flags, expunge, copy, move. Each is one transaction under the mailbox's lock.
//!
//! Invariant: a commit whose answer was lost is found out, never guessed. Flags and expunge come to the same when they are
//! done twice, so they are done again; a copy or move looks for the entries it made.

use crate::recipients::has_room;
use crate::{Engine, Error, Principal, ViewEntry};
use model::{AccountId, Flags, FolderId, FolderName, Keyword, ModSeq, Uid, UidValidity};
use store::{Evidence, FlagColumns, Place, Tx};

/// Times a change is tried anew after losing against another transaction, or after its commit's answer was lost.
const ATTEMPTS: u32 = 5;
/// Messages of one COPY or MOVE, and of one transaction of STORE and EXPUNGE. It holds the mailbox's lock for some ten seconds
/// then: half of what others wait for it.
const TRANSFER_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagMode {
    Replace,
    Add,
    Remove,
}

/// A change of flags, as STORE asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagEdit {
    pub mode: FlagMode,
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
}

/// What a change of flags did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What those that changed carry now; of very many, the last ones.
    pub modseq: ModSeq,
    /// Without those that were as wanted before.
    pub changed: Vec<Uid>,
    /// Left alone, because they had changed after what the caller knew; ascending (RFC 7162 3.1.3 MODIFIED).
    pub modified: Vec<Uid>,
}

/// What a copy or move did (RFC 4315 COPYUID).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: UidValidity,
    /// Source and destination, ascending.
    pub pairs: Vec<(Uid, Uid)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("the mailbox has used too many keywords")]
    TooManyKeywords,
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<store::Error> for StoreError {
    fn from(error: store::Error) -> Self {
        if error.is_constraint("keywords_id_check") {
            Self::TooManyKeywords
        } else {
            Self::Engine(error.into())
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    #[error("no such folder")]
    NoSuchFolder,
    #[error("the mailbox is full")]
    OverQuota,
    #[error("too many messages at once")]
    TooMany,
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<store::Error> for CopyError {
    fn from(error: store::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// Usage of a mailbox; 1 MB = 2^20 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub used_bytes: u64,
    pub limit_bytes: u64,
    pub messages: u64,
}

/// Runs the transaction again when it only lost against another one, or may be run twice and may not have happened.
macro_rules! again {
    ($once:expr) => {{
        let mut attempts = 1;
        loop {
            match $once.await {
                Err(store::Error::Conflict | store::Error::AnswerLost(_)) if attempts < ATTEMPTS => {
                    attempts += 1
                }
                result => break result,
            }
        }
    }};
}

impl Engine {
    /// Vanished uids are passed over. Durable after `Ok`; [`Engine::view`] shows it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn store_flags(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        edit: &FlagEdit,
    ) -> Result<Stored, StoreError> {
        self.store_flags_unchanged(who, folder, uids, edit, None).await
    }

    /// As [`Engine::store_flags`], but leaves alone what changed after `unchanged_since`. No other change of the mailbox
    /// comes between the look and the change.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn store_flags_unchanged(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, StoreError> {
        self.standing_folder(who, folder).await?;
        let mut stored = Stored { modseq: ModSeq(0), changed: Vec::new(), modified: Vec::new() };
        for some in uids.chunks(TRANSFER_MAX) {
            let part = again!(self.store_flags_once(who, folder, some, edit, unchanged_since))?;
            if !part.changed.is_empty() {
                self.0.hub.tell(who.account());
            }
            stored.modseq = part.modseq;
            stored.changed.extend(part.changed);
            stored.modified.extend(part.modified);
        }
        Ok(stored)
    }

    async fn store_flags_once(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        edit: &FlagEdit,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Stored, store::Error> {
        let account = who.account();
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(account).await?.ok_or(store::Error::MailboxGone)?;
        let modified = match unchanged_since {
            Some(since) => tx.changed_since(Place { account, folder, uids, modseq }, since).await?,
            None => Vec::new(),
        };
        let unchanged = |uid: &Uid| modified.binary_search(uid).is_err();
        let fresh: Vec<Uid> = uids.iter().copied().filter(unchanged).collect();
        let keywords = tx.keyword_ids(account, &edit.keywords, edit.mode != FlagMode::Remove).await?;
        let columns = columns(edit, keywords);
        let changed = tx.edit_flags(Place { account, folder, uids: &fresh, modseq }, &columns).await?;
        // Nothing changed: nothing is to stay, new keywords neither.
        if !changed.is_empty() {
            self.commit_repeatable(tx, account).await?;
        }
        Ok(Stored { modseq, changed, modified })
    }

    /// Should the answer be lost, the next attempt may find nothing to change any more, and tell nobody.
    async fn commit_repeatable(&self, tx: Tx, account: AccountId) -> Result<(), store::Error> {
        let committed = tx.commit().await;
        if matches!(committed, Err(store::Error::AnswerLost(_))) {
            tracing::warn!("the answer to a commit was lost; the change is made once more");
            self.0.hub.tell(account);
        }
        committed
    }

    /// Removes those of `uids` (`None`: all) that are `\Deleted`; returns what went, ascending.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone.
    pub async fn expunge(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: Option<&[Uid]>,
    ) -> Result<Vec<Uid>, Error> {
        let marked: Vec<Uid>;
        let uids = match uids {
            Some(uids) => {
                self.standing_folder(who, folder).await?;
                uids
            }
            None => {
                let view = self.view(who, folder).await?;
                let is_marked = |entry: &&ViewEntry| entry.flags.contains(Flags::DELETED);
                marked = view.entries().iter().filter(is_marked).map(|entry| entry.uid).collect();
                &marked
            }
        };
        let mut gone = Vec::new();
        for some in uids.chunks(TRANSFER_MAX) {
            let mut lost = Vec::new();
            let part = again!(self.expunge_once(who, folder, some, &mut lost))?;
            if !part.is_empty() {
                self.0.hub.tell(who.account());
            }
            gone.extend(part);
        }
        Ok(gone)
    }

    async fn expunge_once(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        lost: &mut Vec<Uid>,
    ) -> Result<Vec<Uid>, store::Error> {
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(who.account()).await?.ok_or(store::Error::MailboxGone)?;
        let place = (who.account(), folder);
        let mut gone = tx.remove_entries(place, Some(uids), Flags::DELETED, (modseq, self.now())).await?;
        if !lost.is_empty() {
            // What the attempt before had removed and is not there now went then: a uid never comes back.
            gone.extend(tx.absent(place, lost).await?);
            gone.sort_unstable();
            gone.dedup();
        }
        if !gone.is_empty() {
            lost.clone_from(&gone);
            self.commit_repeatable(tx, who.account()).await?;
        }
        Ok(gone)
    }

    /// # Errors
    /// See [`CopyError`].
    pub async fn copy(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &FolderName,
    ) -> Result<Copied, CopyError> {
        self.transfer(who, from, uids, to, Transfer::Copy).await
    }

    /// # Errors
    /// See [`CopyError`]; a move needs no room.
    pub async fn move_messages(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &FolderName,
    ) -> Result<Copied, CopyError> {
        self.transfer(who, from, uids, to, Transfer::Move).await
    }

    async fn transfer(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &FolderName,
        transfer: Transfer,
    ) -> Result<Copied, CopyError> {
        if uids.len() > TRANSFER_MAX {
            return Err(CopyError::TooMany);
        }
        self.standing_folder(who, from).await?;
        let copied = again!(self.transfer_once(who, from, uids, to, transfer))??;
        if !copied.pairs.is_empty() {
            self.0.hub.tell(who.account());
        }
        Ok(copied)
    }

    async fn transfer_once(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &FolderName,
        transfer: Transfer,
    ) -> Result<Result<Copied, CopyError>, store::Error> {
        let account = who.account();
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(account).await?.ok_or(store::Error::MailboxGone)?;
        let Some(target) = tx.folder_named(account, to).await? else {
            return Ok(Err(CopyError::NoSuchFolder));
        };
        let place = Place { account, folder: from, uids, modseq };
        let now = self.now();
        let moved = match transfer {
            Transfer::Move => tx.move_entries(place, target.folder_id, now).await?,
            Transfer::Copy => {
                let arriving = tx.entries_bytes(account, from, uids).await?;
                if !has_room(tx.usage(account).await?, arriving.unsigned_abs(), uids.len() as u64) {
                    return Ok(Err(CopyError::OverQuota));
                }
                tx.copy_entries(place, target.folder_id, now).await?
            }
        };
        if !moved.is_empty() {
            let entries = moved.iter().map(|entry| (entry.to, entry.content)).collect();
            let evidence = Evidence { account, folder: target.folder_id, saved: now, entries, modseq };
            self.0.store.commit_entries(tx, &evidence).await?;
        }
        let pairs = moved.into_iter().map(|entry| (entry.from, entry.to)).collect();
        Ok(Ok(Copied { uid_validity: target.uid_validity, pairs }))
    }

    /// # Errors
    /// `Revoked` when the mailbox is gone.
    pub async fn quota(&self, who: &Principal) -> Result<Quota, Error> {
        self.check_standing(who).await?;
        let (used_bytes, limit_bytes, messages) =
            self.0.store.usage(who.account()).await?.ok_or(Error::Revoked)?;
        Ok(Quota { used_bytes, limit_bytes, messages })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transfer {
    Copy,
    Move,
}

/// The edit as the store applies it; `keywords` are the numbers of the edit's keywords.
fn columns(edit: &FlagEdit, keywords: Vec<i16>) -> FlagColumns {
    match edit.mode {
        FlagMode::Replace => FlagColumns {
            keep: Flags::NONE,
            set: edit.flags,
            keep_keywords: false,
            set_keywords: keywords,
            clear_keywords: Vec::new(),
        },
        FlagMode::Add => FlagColumns {
            keep: Flags::ALL,
            set: edit.flags,
            keep_keywords: true,
            set_keywords: keywords,
            clear_keywords: Vec::new(),
        },
        FlagMode::Remove => FlagColumns {
            keep: Flags(Flags::ALL.0 & !edit.flags.0),
            set: Flags::NONE,
            keep_keywords: true,
            set_keywords: Vec::new(),
            clear_keywords: keywords,
        },
    }
}
