//! Changing what lies in a folder: flags, expunge, copy, move. Each is one transaction under the mailbox's lock.

use crate::recipients::hard_limit_bytes;
use crate::{Engine, Error, Principal};
use model::{Flags, FolderId, FolderName, Keyword, Uid, UidValidity};
use store::{FlagColumns, Place, Transferred};

/// Times a change is tried anew after losing against another transaction.
const ATTEMPTS: u32 = 5;

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

/// Runs the transaction again when it only lost against another one.
macro_rules! again {
    ($once:expr) => {{
        let mut attempts = 1;
        loop {
            match $once.await {
                Err(store::Error::Conflict) if attempts < ATTEMPTS => attempts += 1,
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
    ) -> Result<(), StoreError> {
        self.standing_folder(who, folder).await?;
        let changed = again!(self.store_flags_once(who, folder, uids, edit))?;
        if !changed.is_empty() {
            self.0.hub.tell(who.account());
        }
        Ok(())
    }

    async fn store_flags_once(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        edit: &FlagEdit,
    ) -> Result<Vec<Uid>, store::Error> {
        let account = who.account();
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(account).await?.ok_or(store::Error::MailboxGone)?;
        let keywords = tx.keyword_ids(account, &edit.keywords, edit.mode != FlagMode::Remove).await?;
        let columns = match edit.mode {
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
        };
        let changed = tx.edit_flags(Place { account, folder, uids, modseq }, &columns).await?;
        // Nothing changed: nothing is to stay, new keywords neither.
        if !changed.is_empty() {
            tx.commit().await?;
        }
        Ok(changed)
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
        self.standing_folder(who, folder).await?;
        let gone = again!(self.expunge_once(who, folder, uids))?;
        if !gone.is_empty() {
            self.0.hub.tell(who.account());
        }
        Ok(gone)
    }

    async fn expunge_once(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: Option<&[Uid]>,
    ) -> Result<Vec<Uid>, store::Error> {
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(who.account()).await?.ok_or(store::Error::MailboxGone)?;
        let place = (who.account(), folder);
        let gone = tx.remove_entries(place, uids, Flags::DELETED, (modseq, self.now())).await?;
        if !gone.is_empty() {
            tx.commit().await?;
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
        let moved = match transfer {
            Transfer::Move => tx.move_entries(place, target.folder_id, self.now()).await?,
            Transfer::Copy => {
                let arriving = tx.entries_bytes(account, from, uids).await?;
                let (used, quota) = tx.usage(account).await?;
                if used.saturating_add(arriving.unsigned_abs()) > hard_limit_bytes(quota) {
                    return Ok(Err(CopyError::OverQuota));
                }
                tx.copy_entries(place, target.folder_id, self.now()).await?
            }
        };
        tx.commit().await?;
        let pairs = moved.into_iter().map(|Transferred { from, to }| (from, to)).collect();
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
