//! COPY and MOVE between mailboxes: one transaction under the locks of both.
//!
//! Invariants: each side's right is asked for as where it was reached; locks are taken in the accounts' order; of a move,
//! either both sides happened or none.

use crate::acts::Act;
use crate::recipients::has_room;
use crate::write::{TRANSFER_MAX, Transfer, again};
use crate::{Copied, CopyError, Engine, Error, Place, Principal};
use model::{Flags, FolderId, Keyword, Right, Uid};
use store::{Destination, Evidence, FolderRow, Tx};

impl Engine {
    /// As [`Engine::copy`], to a folder that [`Engine::reach`] found.
    ///
    /// # Errors
    /// See [`CopyError`].
    pub async fn copy_to(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &Place,
    ) -> Result<Copied, CopyError> {
        if to.who.account() == who.account() {
            return self.copy(who, from, uids, &to.name).await;
        }
        self.across(who, from, uids, to, Transfer::Copy).await
    }

    /// As [`Engine::move_messages`], to a folder that [`Engine::reach`] found.
    ///
    /// # Errors
    /// See [`CopyError`]; a move to another mailbox needs room there.
    pub async fn move_to(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &Place,
    ) -> Result<Copied, CopyError> {
        if to.who.account() == who.account() {
            return self.move_messages(who, from, uids, &to.name).await;
        }
        self.across(who, from, uids, to, Transfer::Move).await
    }

    async fn across(
        &self,
        who: &Principal,
        from: FolderId,
        uids: &[Uid],
        to: &Place,
        transfer: Transfer,
    ) -> Result<Copied, CopyError> {
        if uids.len() > TRANSFER_MAX {
            return Err(CopyError::TooMany);
        }
        if transfer == Transfer::Move {
            who.require(Right::Write)?;
        }
        to.who.require(Right::Write)?;
        let source = self.standing_folder(who, from).await?;
        self.check_standing(&to.who).await?;
        let hard_limit = self.hard_limit_percent(&to.who).await?;
        let how = (transfer, hard_limit);
        let copied = again!(self.across_once(who, &source, uids, to, how))??;
        if copied.pairs.is_empty() {
            return Ok(copied);
        }
        self.0.hub.tell(to.who.account());
        let arrived: Vec<Uid> = copied.pairs.iter().map(|(_, to)| *to).collect();
        self.acted(&to.who, Act::Append, &to.name, &arrived).await;
        if transfer == Transfer::Move {
            self.0.hub.tell(who.account());
        } else {
            self.acted(who, Act::Copy, &source.name, uids).await;
        }
        Ok(copied)
    }

    async fn across_once(
        &self,
        who: &Principal,
        source: &FolderRow,
        uids: &[Uid],
        to: &Place,
        (transfer, hard_limit): (Transfer, u64),
    ) -> Result<Result<Copied, CopyError>, store::Error> {
        let (account, target, from) = (who.account(), to.who.account(), source.folder_id);
        let mut tx = self.0.store.begin().await?;
        let first = tx.lock_mailbox(account.min(target)).await?.ok_or(store::Error::MailboxGone)?;
        let second = tx.lock_mailbox(account.max(target)).await?.ok_or(store::Error::MailboxGone)?;
        let (modseq, target_modseq) = if account < target { (first, second) } else { (second, first) };
        let Some(folder) = tx.folder_named(target, &to.name).await? else {
            return Ok(Err(CopyError::NoSuchFolder));
        };
        let arriving = tx.entries_bytes(account, from, uids).await?.unsigned_abs();
        if !has_room(tx.usage(target).await?, (arriving, uids.len() as u64), hard_limit) {
            return Ok(Err(CopyError::OverQuota));
        }
        let place = store::Place { account, folder: from, uids, modseq };
        let keywords = match keywords(&mut tx, place, target).await {
            Err(error) if error.is_constraint("keywords_id_check") => return Ok(Err(CopyError::TooMany)),
            keywords => keywords?,
        };
        let now = self.now();
        let destination =
            Destination { account: target, folder: folder.folder_id, modseq: target_modseq, keywords };
        let copied = tx.copy_entries_across(place, &destination, now).await?;
        if copied.is_empty() {
            return Ok(Ok(Copied { uid_validity: folder.uid_validity, pairs: Vec::new() }));
        }
        if transfer == Transfer::Move {
            if tx.is_frozen(account).await? {
                return Ok(Err(Error::Frozen.into()));
            }
            let moved: Vec<Uid> = copied.iter().map(|entry| entry.from).collect();
            tx.remove_entries((account, from), Some(&moved), Flags::NONE, (modseq, now)).await?;
            self.note_act(&mut tx, who, Act::Move, &source.name, &moved).await?;
        }
        self.note_lessons(&mut tx, (who, target), (source, &folder), &copied).await?;
        let entries = copied.iter().map(|entry| (entry.to, entry.content)).collect();
        let evidence = Evidence {
            account: target,
            folder: folder.folder_id,
            saved: now,
            entries,
            modseq: target_modseq,
        };
        self.0.store.commit_entries(tx, &evidence).await?;
        let pairs = copied.into_iter().map(|entry| (entry.from, entry.to)).collect();
        Ok(Ok(Copied { uid_validity: folder.uid_validity, pairs }))
    }
}

/// The numbers that the target has for the keywords of these entries; those it did not know are added.
async fn keywords(
    tx: &mut Tx,
    from: store::Place<'_>,
    target: model::AccountId,
) -> Result<Vec<(i16, i16)>, store::Error> {
    let named = tx.keywords_of(from).await?;
    let named = named.into_iter().filter_map(|(id, name)| Some((id, Keyword::new(&name).ok()?)));
    let (ids, keywords): (Vec<i16>, Vec<Keyword>) = named.unzip();
    // All at once: a number that no entry has yet may be given to another keyword.
    tx.keyword_ids(target, &keywords, true).await?;
    let mut numbers = Vec::with_capacity(ids.len());
    for (id, keyword) in ids.into_iter().zip(keywords) {
        let there = tx.keyword_ids(target, &[keyword], false).await?;
        numbers.extend(there.first().map(|new| (id, *new)));
    }
    Ok(numbers)
}
