//! Putting a message into a folder by its owner (APPEND): the octets stay exactly as given.

use crate::acts::Act;
use crate::intake::Prepared;
use crate::recipients::{MESSAGES_MAX, hard_limit_bytes, has_room};
use crate::trace_query;
use crate::{Engine, Error, Principal, Spool};
use jiff::Timestamp;
use model::{Flags, FolderName, Keyword, Right, Uid, UidValidity};
use std::sync::atomic::Ordering;
use store::{AppendPlace, Event, Evidence, NewEntry, Room, SMALL_BYTES_MAX, SmallMessage, Target};

/// Times a message is tried anew after the sweeper or another transaction got in between.
const ATTEMPTS: u32 = 5;
/// Octets of the messages of one command that are kept in one statement: a few milliseconds of the mailbox's lock.
const SMALL_TOGETHER_MAX: u64 = 512 * 1024;

/// A message a user wants to keep.
#[derive(Debug)]
pub struct NewMessage {
    pub flags: Flags,
    pub keywords: Vec<Keyword>,
    /// `None`: now.
    pub internal_date: Option<Timestamp>,
    pub message: Spool,
}

/// Where the messages came to lie (RFC 4315 APPENDUID), in the order given. No uids: they are kept, but the database's answer
/// was lost on the way.
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
        let arriving: u64 = messages.iter().map(|new| new.message.len()).sum();
        // One permit for all: two clients that held one for each message and waited for the next would wait for ever.
        let permit = self.0.intake.permit(arriving).await?;
        let place = self.append_place(who, to).await?;
        // Before any work is done for them; it is looked at again under the lock.
        let hard_limit = self.hard_limit_percent(who).await?;
        if !has_room(place.usage, (arriving, messages.len() as u64), hard_limit) {
            return Err(AppendError::OverQuota);
        }
        self.0.arrivals.fetch_add(messages.len(), Ordering::Relaxed);
        let mut entries = Vec::with_capacity(messages.len());
        for new in messages {
            let prepared = self.prepare_under(permit.clone(), new.message, Vec::new()).await?;
            entries.push(Entry {
                flags: new.flags,
                keywords: new.keywords,
                internal_date: new.internal_date,
                prepared,
            });
        }
        let mut is_small = arriving <= SMALL_TOGETHER_MAX
            && entries.iter().all(|new| new.keywords.is_empty() && new.prepared.len() <= SMALL_BYTES_MAX);
        for _ in 0..ATTEMPTS {
            let appended = if is_small {
                self.append_small(who, &place, &entries, hard_limit).await
            } else {
                self.append_once(who, to, &entries, hard_limit).await
            };
            match appended {
                Err(store::Error::ChunkGone) => is_small = false,
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(Err(refused)) => return Err(refused),
                Ok(Ok(appended)) => {
                    self.0.hub.tell(who.account());
                    self.acted(who, Act::Append, to, &appended.uids).await;
                    return Ok(appended);
                }
            }
        }
        Err(AppendError::Engine(Error::Unavailable))
    }

    /// Octets that may still be appended to this folder.
    ///
    /// # Errors
    /// `NoSuchFolder`, or when the rights or the database are gone.
    pub async fn append_room(&self, who: &Principal, to: &FolderName) -> Result<u64, AppendError> {
        let (used, quota, _) = self.append_place(who, to).await?.usage;
        Ok(quota.saturating_sub(used))
    }

    async fn append_place(&self, who: &Principal, to: &FolderName) -> Result<AppendPlace, AppendError> {
        who.require(Right::Write)?;
        match self.0.store.append_place(who.account(), to).await? {
            Some((standing, place)) => {
                self.check_rights(who, standing).await?;
                place.ok_or(AppendError::NoSuchFolder)
            }
            None => Err(Error::Revoked.into()),
        }
    }

    /// As [`Engine::append_once`], in one statement, together with what others bring.
    async fn append_small(
        &self,
        who: &Principal,
        place: &AppendPlace,
        entries: &[Entry],
        hard_limit: u64,
    ) -> Result<Result<Appended, AppendError>, store::Error> {
        let room = Room { bytes: hard_limit_bytes(place.usage.1, hard_limit), messages: MESSAGES_MAX };
        let target =
            [Target { account: who.account(), folder: place.folder, recipient: None, room: Some(room) }];
        let mut messages = Vec::with_capacity(entries.len());
        for entry in entries {
            messages.push(SmallMessage {
                content: self.content(&entry.prepared),
                chunks: entry.prepared.pieces()?,
                targets: &target,
                forwarded: &[],
                flags: entry.flags,
                internal_date: entry.internal_date,
            });
        }
        let trace = self.queue_id();
        let about = about(&trace, entries);
        let event = self.appended(who, &trace, about.as_deref(), None);
        match self.0.store.accept_small(messages, &event).await {
            Ok(uids) => {
                let uids = uids.into_iter().flatten().collect();
                Ok(Ok(Appended { uid_validity: place.uid_validity, uids }))
            }
            Err(store::Error::MailboxFull(_)) => Ok(Err(AppendError::OverQuota)),
            Err(store::Error::MailboxGone) => Ok(Err(AppendError::NoSuchFolder)),
            Err(error) => Err(error),
        }
    }

    /// Who put something into a mailbox, as the log keeps it.
    fn appended<'a>(
        &self,
        who: &Principal,
        trace: &'a str,
        about: Option<&'a str>,
        size: Option<u64>,
    ) -> Event<'a> {
        Event {
            at: self.now(),
            kind: "appended",
            trace,
            account: Some(who.account()),
            remote: None,
            sender: None,
            size,
            status: None,
            about,
        }
    }

    async fn append_once(
        &self,
        who: &Principal,
        to: &FolderName,
        entries: &[Entry],
        hard_limit: u64,
    ) -> Result<Result<Appended, AppendError>, store::Error> {
        let account = who.account();
        let mut contents = Vec::with_capacity(entries.len());
        for entry in entries {
            contents.push(self.write_content(&entry.prepared).await?);
        }
        let arriving = contents.iter().map(|content| content.size).sum();
        let now = self.now();
        let mut tx = self.0.store.begin().await?;
        // Contents come first: chunks are taken before mailboxes, as in all transactions of their own.
        let mut ids = Vec::with_capacity(contents.len());
        for content in &contents {
            ids.push(tx.add_content(content, now).await?);
        }
        let Some(modseq) = tx.lock_mailbox(account).await? else {
            return Ok(Err(AppendError::NoSuchFolder));
        };
        if !has_room(tx.usage(account).await?, (arriving, entries.len() as u64), hard_limit) {
            return Ok(Err(AppendError::OverQuota));
        }
        let Some(folder) = tx.folder_named(account, to).await? else {
            return Ok(Err(AppendError::NoSuchFolder));
        };
        let mut placed = Vec::with_capacity(entries.len());
        for (entry, content) in entries.iter().zip(ids) {
            let keywords = tx.keyword_ids(account, &entry.keywords, true).await?;
            let new = NewEntry {
                now,
                internal_date: entry.internal_date.unwrap_or(now),
                flags: entry.flags,
                keywords: &keywords,
            };
            let target = Target { account, folder: folder.folder_id, recipient: None, room: None };
            placed.extend(tx.add_entries(content, &[target], new).await?.iter().map(|at| (at.uid, content)));
        }
        let trace = self.queue_id();
        let about = about(&trace, entries);
        tx.note(&self.appended(who, &trace, about.as_deref(), Some(arriving))).await?;
        let uids = placed.iter().map(|(uid, _)| *uid).collect();
        let evidence = Evidence { account, folder: folder.folder_id, saved: now, entries: placed, modseq };
        self.0.store.commit_entries(tx, &evidence).await?;
        Ok(Ok(Appended { uid_validity: folder.uid_validity, uids }))
    }
}

/// Of one message what it says of itself; several that come together are one event.
fn about(trace: &str, entries: &[Entry]) -> Option<String> {
    let [only] = entries else { return None };
    Some(trace_query::about(trace, &only.prepared.facts))
}
