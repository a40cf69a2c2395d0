//! Changing flags (STORE; conditionally, RFC 7162 3.1.3), under the mailbox's lock. Done twice it comes to the same, so a commit whose answer was lost is done
//! again.

use crate::acts::Act;
use crate::write::{TRANSFER_MAX, again};
use crate::{Engine, Error, Principal};
use model::{Flags, FolderId, Keyword, ModSeq, Right, Uid};
use store::{FlagColumns, Place};

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
        who.require(Right::Write)?;
        let place = self.standing_folder(who, folder).await?;
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
        self.acted(who, Act::Flag, &place.name, &stored.changed).await;
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
        if unchanged_since.is_none() && edit.keywords.is_empty() {
            let columns = columns(edit, Vec::new());
            if columns.leaves_keywords() {
                return self.store_system_flags(who, folder, uids, (columns.keep, columns.set)).await;
            }
        }
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

    /// One statement, and no look at the folder afterwards: what it holds then is known.
    async fn store_system_flags(
        &self,
        who: &Principal,
        folder: FolderId,
        uids: &[Uid],
        flags: (Flags, Flags),
    ) -> Result<Stored, store::Error> {
        let mut uids = uids.to_vec();
        uids.sort_unstable();
        uids.dedup();
        let edited = match self.0.store.edit_system_flags((who.account(), folder), &uids, flags).await {
            Ok(edited) => edited,
            Err(error) => {
                self.heed_lost_answer(&error, who.account());
                return Err(error);
            }
        };
        let (modseq, mut changed) = (edited.modseq, edited.changed);
        changed.sort_unstable();
        if let Some(before) = edited.before {
            self.foresee(who, folder, before, |view| view.with_flags(modseq, &changed, flags)).await;
        }
        Ok(Stored { modseq, changed, modified: Vec::new() })
    }
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
