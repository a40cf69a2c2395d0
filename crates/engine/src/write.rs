//! Changing what lies in a folder: expunge, copy, move. Each is one transaction under the mailbox's lock; flags are in `flags`.
//!
//! Invariant: a commit whose answer was lost is found out, never guessed. Flags and expunge come to the same when they are
//! done twice, so they are done again; a copy or move looks for the entries it made.

use crate::acts::Act;
use crate::recipients::has_room;
use crate::{Engine, Error, Principal};
use model::{AccountId, Flags, FolderId, FolderName, Right, Uid, UidValidity};
use store::{Evidence, FolderRow, Place, Tx};

/// Times a change is tried anew after losing against another transaction, or after its commit's answer was lost.
pub(crate) const ATTEMPTS: u32 = 5;
/// Messages of one COPY or MOVE, and of one transaction of STORE and EXPUNGE. It holds the mailbox's lock for some ten seconds
/// then: half of what others wait for it.
pub(crate) const TRANSFER_MAX: usize = 100_000;

/// What a copy or move did (RFC 4315 COPYUID).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub uid_validity: UidValidity,
    /// Source and destination, ascending.
    pub pairs: Vec<(Uid, Uid)>,
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
                Err(store::Error::Conflict | store::Error::AnswerLost(_))
                    if attempts < $crate::write::ATTEMPTS =>
                {
                    attempts += 1
                }
                result => break result,
            }
        }
    }};
}
pub(crate) use again;

impl Engine {
    /// Should the answer be lost, the next attempt may find nothing to change any more, and tell nobody.
    pub(crate) async fn commit_repeatable(&self, tx: Tx, account: AccountId) -> Result<(), store::Error> {
        let committed = tx.commit().await;
        if let Err(error) = &committed {
            self.heed_lost_answer(error, account);
        }
        committed
    }

    pub(crate) fn heed_lost_answer(&self, error: &store::Error, account: AccountId) {
        if matches!(error, store::Error::AnswerLost(_)) {
            tracing::warn!("the answer to a commit was lost; the change is made once more");
            self.0.hub.tell(account);
        }
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
        who.require(Right::Write)?;
        let marked: Vec<Uid>;
        let (name, uids) = match uids {
            Some(uids) => (self.standing_folder(who, folder).await?.name, uids),
            None => {
                let view = self.view(who, folder).await?;
                marked = view.entries().deleted().map(|entry| entry.uid).collect();
                (view.folder().name.clone(), &*marked)
            }
        };
        let mut gone = Vec::new();
        for some in uids.chunks(TRANSFER_MAX) {
            let mut lost = Vec::new();
            let part = again!(self.expunge_once(who, (folder, &name), some, &mut lost))??;
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
        (folder, name): (FolderId, &FolderName),
        uids: &[Uid],
        lost: &mut Vec<Uid>,
    ) -> Result<Result<Vec<Uid>, Error>, store::Error> {
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
            if tx.is_frozen(who.account()).await? {
                return Ok(Err(Error::Frozen));
            }
            self.note_act(&mut tx, who, Act::Expunge, name, &gone).await?;
            lost.clone_from(&gone);
            self.commit_repeatable(tx, who.account()).await?;
        }
        Ok(Ok(gone))
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
        who.require(Right::Write)?;
        let source = self.standing_folder(who, from).await?;
        let hard_limit = self.hard_limit_percent(who).await?;
        let copied = again!(self.transfer_once(who, &source, uids, to, (transfer, hard_limit)))??;
        if !copied.pairs.is_empty() {
            self.0.hub.tell(who.account());
        }
        let went: Vec<Uid> = copied.pairs.iter().map(|(from, _)| *from).collect();
        self.acted(who, transfer.act(), &source.name, &went).await;
        Ok(copied)
    }

    async fn transfer_once(
        &self,
        who: &Principal,
        source: &FolderRow,
        uids: &[Uid],
        to: &FolderName,
        (transfer, hard_limit): (Transfer, u64),
    ) -> Result<Result<Copied, CopyError>, store::Error> {
        let account = who.account();
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(account).await?.ok_or(store::Error::MailboxGone)?;
        let Some(target) = tx.folder_named(account, to).await? else {
            return Ok(Err(CopyError::NoSuchFolder));
        };
        let from = source.folder_id;
        let place = Place { account, folder: from, uids, modseq };
        let now = self.now();
        let moved = match transfer {
            Transfer::Move => tx.move_entries(place, target.folder_id, now).await?,
            Transfer::Copy => {
                let arriving = tx.entries_bytes(account, from, uids).await?;
                if !has_room(
                    tx.usage(account).await?,
                    (arriving.unsigned_abs(), uids.len() as u64),
                    hard_limit,
                ) {
                    return Ok(Err(CopyError::OverQuota));
                }
                tx.copy_entries(place, target.folder_id, now).await?
            }
        };
        if !moved.is_empty() {
            self.note_lessons(&mut tx, (who, account), (source, &target), &moved).await?;
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
pub(crate) enum Transfer {
    Copy,
    Move,
}

impl Transfer {
    pub(crate) const fn act(self) -> Act {
        match self {
            Self::Copy => Act::Copy,
            Self::Move => Act::Move,
        }
    }
}
