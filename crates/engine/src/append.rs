//! Putting a message into a folder by its owner (APPEND): the octets stay exactly as given.

use crate::intake::Prepared;
use crate::recipients::hard_limit_bytes;
use crate::{Engine, Error, Principal, Spool};
use jiff::Timestamp;
use model::{Flags, FolderName, Keyword, Uid, UidValidity};
use store::{NewEntry, Target};

/// Times a message is tried anew after the sweeper or another transaction got in between.
const ATTEMPTS: u32 = 5;

/// A message a user wants to keep.
#[derive(Debug)]
pub struct NewMessage {
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
    /// `None`: now.
    pub internal_date: Option<Timestamp>,
    pub message: Spool,
}

/// Where the messages came to lie (RFC 4315 APPENDUID), in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub uid_validity: UidValidity,
    pub uids: Vec<Uid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("no such folder")]
    NoSuchFolder,
    #[error("the mailbox is full")]
    OverQuota,
    #[error("the mailbox has used too many keywords")]
    TooManyKeywords,
    #[error(transparent)]
    Engine(#[from] Error),
}

impl From<store::Error> for AppendError {
    fn from(error: store::Error) -> Self {
        if error.is_constraint("keywords_id_check") {
            Self::TooManyKeywords
        } else {
            Self::Engine(error.into())
        }
    }
}

struct Entry {
    flags: Flags,
    keywords: Vec<Keyword>,
    internal_date: Option<Timestamp>,
    prepared: Prepared,
}

impl Engine {
    /// All messages or none; durable after `Ok`.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(
        &self,
        who: &Principal,
        to: &FolderName,
        messages: Vec<NewMessage>,
    ) -> Result<Appended, AppendError> {
        self.check_standing(who).await?;
        let arriving: u64 = messages.iter().map(|new| new.message.len()).sum();
        self.check_room(who, arriving).await?;
        let mut entries = Vec::with_capacity(messages.len());
        for new in messages {
            let prepared = self.prepare(new.message, Vec::new()).await?;
            entries.push(Entry {
                flags: new.flags,
                keywords: new.keywords,
                internal_date: new.internal_date,
                prepared,
            });
        }
        for _ in 0..ATTEMPTS {
            match self.append_once(who, to, &entries).await {
                Err(store::Error::ChunkGone | store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(None) => return Err(AppendError::NoSuchFolder),
                Ok(Some(appended)) => {
                    self.0.hub.tell(who.account());
                    return Ok(appended);
                }
            }
        }
        Err(AppendError::Engine(Error::Unavailable))
    }

    async fn check_room(&self, who: &Principal, arriving: u64) -> Result<(), AppendError> {
        let (used, quota, _) = self.0.store.usage(who.account()).await?.ok_or(Error::Revoked)?;
        if used.saturating_add(arriving) > hard_limit_bytes(quota) {
            Err(AppendError::OverQuota)
        } else {
            Ok(())
        }
    }

    async fn append_once(
        &self,
        who: &Principal,
        to: &FolderName,
        entries: &[Entry],
    ) -> Result<Option<Appended>, store::Error> {
        let account = who.account();
        let mut contents = Vec::with_capacity(entries.len());
        for entry in entries {
            contents.push(self.write_content(&entry.prepared).await?);
        }
        let mut tx = self.0.store.begin().await?;
        // Contents come first: chunks are taken before mailboxes, in deliveries too.
        let mut ids = Vec::with_capacity(contents.len());
        for content in &contents {
            ids.push(tx.add_content(content, self.now()).await?);
        }
        if tx.lock_mailbox(account).await?.is_none() {
            return Ok(None);
        }
        let Some(folder) = tx.folder_named(account, to).await? else { return Ok(None) };
        let mut uids = Vec::with_capacity(entries.len());
        for (entry, content) in entries.iter().zip(ids) {
            let keywords = tx.keyword_ids(account, &entry.keywords, true).await?;
            let now = self.now();
            let new = NewEntry {
                now,
                internal_date: entry.internal_date.unwrap_or(now),
                flags: entry.flags,
                keywords: &keywords,
            };
            let target = Target { account, folder: folder.folder_id, recipient: None };
            let placed = tx.add_entries(content, &[target], new).await?;
            uids.extend(placed.into_iter().map(|place| place.uid));
        }
        tx.commit().await?;
        Ok(Some(Appended { uid_validity: folder.uid_validity, uids }))
    }
}
