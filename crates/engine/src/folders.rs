//! Folders of a mailbox: list, make, rename, remove, subscribe.

use crate::acts::Act;
use crate::others::is_others;
use crate::{Engine, Error, FolderView, Principal};
use model::{AccountId, Flags, FolderId, FolderName, ModSeq, Right, SpecialUse, Uid, UidValidity};
use std::sync::Arc;
use store::{FolderRow, Place, Tx};

/// Folders one mailbox may have: more than people make, few enough to list.
const FOLDERS_MAX: i64 = 2000;

/// Names one mailbox may subscribe to, folders that are gone included: no list of them grows without end.
pub(crate) const SUBSCRIPTIONS_MAX: i64 = 2 * FOLDERS_MAX;

/// A folder as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub id: FolderId,
    pub name: FolderName,
    pub special_use: Option<SpecialUse>,
    pub subscribed: bool,
    pub uid_validity: UidValidity,
    pub uid_next: Uid,
    /// First uid no session was told of as `\Recent`.
    pub recent_uid: Uid,
    pub modseq: ModSeq,
}

impl Folder {
    pub(crate) fn from_row(row: FolderRow, subscribed: bool) -> Self {
        Self {
            id: row.folder_id,
            name: row.name,
            special_use: row.special_use,
            subscribed,
            uid_validity: row.uid_validity,
            uid_next: row.uid_next,
            recent_uid: row.recent_uid,
            modseq: row.modseq,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    #[error("the folder exists")]
    Exists,
    #[error("the mailbox has too many folders")]
    TooMany,
    #[error("another folder has this special use")]
    UseTaken,
    /// Under this name are others' mailboxes.
    #[error("the name is kept for others' mailboxes")]
    Reserved,
    #[error(transparent)]
    Engine(#[from] Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    #[error("INBOX cannot be deleted")]
    Inbox,
    #[error("no such folder")]
    NotFound,
    #[error(transparent)]
    Engine(#[from] Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenameError {
    #[error("the folder exists")]
    Exists,
    #[error("no such folder")]
    NotFound,
    #[error("a folder cannot be moved into itself")]
    IntoItself,
    #[error("the new name, or that of a folder below it, is not possible")]
    BadName,
    #[error("the mailbox has too many folders")]
    TooMany,
    #[error(transparent)]
    Engine(#[from] Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    #[error("the mailbox has too many subscriptions")]
    TooMany,
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<store::Error> for SubscribeError {
    fn from(error: store::Error) -> Self {
        Self::Engine(error.into())
    }
}

macro_rules! from_store {
    ($($error:ident),*) => {$(
        impl From<store::Error> for $error {
            fn from(error: store::Error) -> Self {
                if error.is_constraint("folders_name_key") { Self::Exists } else { Self::Engine(error.into()) }
            }
        }
    )*};
}
from_store!(CreateError, RenameError);

impl Engine {
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn folder(&self, who: &Principal, name: &FolderName) -> Result<Option<Folder>, Error> {
        let Some((standing, row)) = self.0.store.folder_named(who.account(), name).await? else {
            return Err(Error::Revoked);
        };
        self.check_rights(who, standing).await?;
        Ok(row.map(|row| Folder::from_row(row, true)))
    }

    /// The folder of that name as it is now, and the lowest uid that is `\Recent` for a session that opens it; with
    /// `claim`, later sessions do not get those again. `None`: no such folder. One question to the database where nothing
    /// is to be claimed and the view is in memory.
    ///
    /// # Errors
    /// `Revoked` when the principal's rights ended.
    pub async fn open_folder(
        &self,
        who: &Principal,
        name: &FolderName,
        claim: bool,
    ) -> Result<Option<(Arc<FolderView>, Uid)>, Error> {
        let Some((standing, row)) = self.0.store.folder_named(who.account(), name).await? else {
            return Err(Error::Revoked);
        };
        self.check_rights(who, standing).await?;
        let Some(row) = row else { return Ok(None) };
        if !claim {
            let view = self.view_since(who, row).await?;
            let unclaimed = view.recent_uid();
            return Ok(Some((view, unclaimed)));
        }
        if row.recent_uid == row.uid_next {
            let next = row.uid_next;
            return Ok(Some((self.view_since(who, row).await?, next)));
        }
        // The view comes second, so that every message of the claim is in it.
        let folder = row.folder_id;
        let from = self.0.store.claim_recent(who.account(), folder).await?.ok_or(Error::NotFound)?;
        Ok(Some((self.view(who, folder).await?, from)))
    }

    /// Lowest uid that is `\Recent` for a session that selects the folder now; later sessions do not get it again.
    ///
    /// # Errors
    /// `NotFound` when the folder is gone.
    pub async fn claim_recent(&self, who: &Principal, folder: FolderId) -> Result<Uid, Error> {
        self.standing_folder(who, folder).await?;
        self.0.store.claim_recent(who.account(), folder).await?.ok_or(Error::NotFound)
    }

    /// Makes the folder, and those above it that are missing; it is subscribed to, as far as there is room for that.
    ///
    /// # Errors
    /// `Exists` when it does, `TooMany` beyond the limit, `UseTaken` when a folder has the special use: with two of them
    /// each client would file into another one.
    pub async fn create_folder(
        &self,
        who: &Principal,
        name: &FolderName,
        special_use: Option<SpecialUse>,
    ) -> Result<Folder, CreateError> {
        who.require(Right::Manage)?;
        if is_others(name) {
            return Err(CreateError::Reserved);
        }
        self.check_standing(who).await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(who.account()).await?.ok_or(Error::Revoked)?;
        if tx.folder_named(who.account(), name).await?.is_some() {
            return Err(CreateError::Exists);
        }
        if let Some(special_use) = special_use
            && tx.has_use(who.account(), special_use).await?
        {
            return Err(CreateError::UseTaken);
        }
        if !self.create_ancestors(&mut tx, who.account(), name, 1).await? {
            return Err(CreateError::TooMany);
        }
        let row = tx.insert_folder(who.account(), name, special_use, self.now()).await?;
        let subscribed = tx.subscribe(who.account(), name, SUBSCRIPTIONS_MAX).await?;
        tx.commit().await?;
        self.0.hub.tell(who.account());
        self.acted(who, Act::CreateFolder, name, &[]).await;
        Ok(Folder::from_row(row, subscribed))
    }

    /// Makes the folder for a mailbox's rules, within what a client may make; for this use, where none is. `None`: there is no room
    /// for it, or no mailbox.
    pub(crate) async fn make_folder(
        &self,
        account: AccountId,
        name: &FolderName,
        special_use: Option<SpecialUse>,
    ) -> Result<Option<FolderId>, Error> {
        let mut tx = self.0.store.begin().await?;
        if tx.lock_mailbox(account).await?.is_none() {
            return Ok(None);
        }
        if let Some(folder) = tx.folder_named(account, name).await? {
            return Ok(Some(folder.folder_id));
        }
        if !self.create_ancestors(&mut tx, account, name, 1).await? {
            return Ok(None);
        }
        let special_use = match special_use {
            Some(special_use) if !tx.has_use(account, special_use).await? => Some(special_use),
            _ => None,
        };
        let made = tx.insert_folder(account, name, special_use, self.now()).await?;
        tx.subscribe(account, name, SUBSCRIPTIONS_MAX).await?;
        tx.commit().await?;
        self.0.hub.tell(account);
        Ok(Some(made.folder_id))
    }

    /// Makes the folders above `name` that are missing. False, with nothing made, when there is no room for them and
    /// `more`.
    async fn create_ancestors(
        &self,
        tx: &mut Tx,
        account: AccountId,
        name: &FolderName,
        more: i64,
    ) -> Result<bool, store::Error> {
        let mut missing = Vec::new();
        for above in name.ancestors() {
            if tx.folder_named(account, &above).await?.is_none() {
                missing.push(above);
            }
        }
        let new = i64::try_from(missing.len()).unwrap_or(FOLDERS_MAX).saturating_add(more);
        // A rename that makes none is possible in a full mailbox, too.
        if new > 0 && tx.count_folders(account).await?.saturating_add(new) > FOLDERS_MAX {
            return Ok(false);
        }
        for above in missing {
            tx.insert_folder(account, &above, None, self.now()).await?;
        }
        Ok(true)
    }

    /// Removes the folder with its messages; folders below it stay.
    ///
    /// # Errors
    /// `Inbox` for INBOX, `NotFound` when it is not there.
    pub async fn delete_folder(&self, who: &Principal, name: &FolderName) -> Result<(), DeleteError> {
        if name.is_inbox() {
            return Err(DeleteError::Inbox);
        }
        who.require(Right::Manage)?;
        self.check_standing(who).await?;
        let mut tx = self.0.store.begin().await.map_err(Error::from)?;
        let deleted = self.delete_in(&mut tx, who, name).await.map_err(Error::from)?;
        let Some(folder) = deleted else { return Err(DeleteError::NotFound) };
        if tx.is_frozen(who.account()).await.map_err(Error::from)? {
            return Err(Error::Frozen.into());
        }
        self.note_act(&mut tx, who, Act::DeleteFolder, name, &[]).await.map_err(Error::from)?;
        tx.commit().await.map_err(Error::from)?;
        self.0.views.forget(folder);
        self.0.hub.tell(who.account());
        Ok(())
    }

    async fn delete_in(
        &self,
        tx: &mut Tx,
        who: &Principal,
        name: &FolderName,
    ) -> Result<Option<FolderId>, store::Error> {
        let Some(modseq) = tx.lock_mailbox(who.account()).await? else { return Ok(None) };
        let Some(folder) = tx.folder_named(who.account(), name).await? else { return Ok(None) };
        let place = (who.account(), folder.folder_id);
        tx.take_time().await?;
        tx.remove_entries(place, None, Flags::NONE, (modseq, self.now())).await?;
        tx.delete_folder_row(who.account(), folder.folder_id).await?;
        Ok(Some(folder.folder_id))
    }

    /// Renames the folder and those below it. INBOX stays and is emptied into the new folder (RFC 3501 6.3.5).
    ///
    /// # Errors
    /// See [`RenameError`].
    pub async fn rename_folder(
        &self,
        who: &Principal,
        from: &FolderName,
        to: &FolderName,
    ) -> Result<(), RenameError> {
        who.require(Right::Manage)?;
        if to.is_below(from) && !from.is_inbox() {
            return Err(RenameError::IntoItself);
        }
        if is_others(to) {
            return Err(RenameError::BadName);
        }
        self.check_standing(who).await?;
        let mut tx = self.0.store.begin().await?;
        let modseq = tx.lock_mailbox(who.account()).await?.ok_or(Error::Revoked)?;
        let source = tx.folder_named(who.account(), from).await?;
        let below = tx.folder_names_below(who.account(), from).await?;
        // RFC 3501 6.3.5, its first example: a name whose folder has gone takes what is below it along.
        if source.is_none() && (from.is_inbox() || below.is_empty()) {
            return Err(RenameError::NotFound);
        }
        if tx.folder_named(who.account(), to).await?.is_some() {
            return Err(RenameError::Exists);
        }
        if !self.create_ancestors(&mut tx, who.account(), to, i64::from(from.is_inbox())).await? {
            return Err(RenameError::TooMany);
        }
        if let Some(inbox) = source.filter(|_| from.is_inbox()) {
            self.empty_inbox_into(&mut tx, who, &inbox, to, modseq).await?;
        } else {
            for below in below {
                let renamed = format!("{to}{}", below.get(from.as_str().len()..).unwrap_or_default());
                FolderName::new(&renamed).map_err(|_| RenameError::BadName)?;
            }
            tx.rename_folders(who.account(), from, to, modseq).await?;
        }
        tx.commit().await?;
        self.0.hub.tell(who.account());
        self.acted(who, Act::RenameFolder, from, &[]).await;
        Ok(())
    }

    async fn empty_inbox_into(
        &self,
        tx: &mut Tx,
        who: &Principal,
        inbox: &FolderRow,
        to: &FolderName,
        modseq: ModSeq,
    ) -> Result<(), store::Error> {
        let target = tx.insert_folder(who.account(), to, None, self.now()).await?;
        tx.take_time().await?;
        let uids = tx.all_uids(who.account(), inbox.folder_id).await?;
        let place = Place { account: who.account(), folder: inbox.folder_id, uids: &uids, modseq };
        tx.move_entries(place, target.folder_id, self.now()).await?;
        Ok(())
    }

    /// A name without a folder may be unsubscribed, not subscribed.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder to subscribe to, `TooMany` beyond the limit.
    pub async fn subscribe_folder(
        &self,
        who: &Principal,
        name: &FolderName,
        subscribed: bool,
    ) -> Result<(), SubscribeError> {
        let who = who.own();
        if !subscribed {
            self.check_standing(who).await?;
            return Ok(self.0.store.unsubscribe(who.account(), name).await?);
        }
        let place = self.reach(who, name).await?.ok_or(Error::NotFound)?;
        if self.folder(&place.who, &place.name).await?.is_none() {
            return Err(Error::NotFound.into());
        }
        let done = self.0.store.subscribe(who.account(), name, SUBSCRIPTIONS_MAX).await?;
        if done { Ok(()) } else { Err(SubscribeError::TooMany) }
    }
}
