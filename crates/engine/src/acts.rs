//! Who did what in another's mailbox (An Giang 63/2016 Điều 11.2đ: several people answer for one mailbox), for the log.
//!
//! Invariants: nothing is noted of what somebody does in his own mailbox; what removes mail is noted in its own transaction;
//! the rest is gathered and written every few seconds, so that a node that dies loses those of its last seconds; what is
//! gathered is bounded. Never what a message says: folders and uids.

use crate::{Engine, Principal, figures};
use jiff::Timestamp;
use model::{AccountId, Address, FolderName, Uid};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use store::{SharedAct, Tx};

/// Kinds of acts gathered before they are written at once: some 200 bytes each.
const GATHERED_MAX: usize = 2_000;
/// Uids of one row; the others are counted.
const UIDS_MAX: usize = 200;

/// Something done in a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Read,
    Flag,
    Append,
    Copy,
    Move,
    Expunge,
    CreateFolder,
    RenameFolder,
    DeleteFolder,
}

impl Act {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Flag => "flag",
            Self::Append => "append",
            Self::Copy => "copy",
            Self::Move => "move",
            Self::Expunge => "expunge",
            Self::CreateFolder => "create-folder",
            Self::RenameFolder => "rename-folder",
            Self::DeleteFolder => "delete-folder",
        }
    }

    const fn is_of_messages(self) -> bool {
        !matches!(self, Self::CreateFolder | Self::RenameFolder | Self::DeleteFolder)
    }
}

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Acts(Mutex<HashMap<Key, Noted>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    mailbox: AccountId,
    actor: AccountId,
    act: Act,
    folder: FolderName,
}

#[derive(Clone, Debug)]
struct Noted {
    since: Timestamp,
    mailbox: Address,
    actor: Address,
    uids: BTreeSet<Uid>,
    more: bool,
}

impl Acts {
    /// True when there are as many as may be.
    fn add(&self, key: Key, new: Noted) -> bool {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = gathered.entry(key).or_insert_with(|| Noted { uids: BTreeSet::new(), ..new.clone() });
        noted.more |= new.more;
        for uid in new.uids {
            if noted.uids.len() >= UIDS_MAX && !noted.uids.contains(&uid) {
                noted.more = true;
                break;
            }
            noted.uids.insert(uid);
        }
        gathered.len() >= GATHERED_MAX
    }

    fn take(&self) -> HashMap<Key, Noted> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Engine {
    /// Keeps in mind that `who` did this in another's mailbox; in his own, nothing.
    pub(crate) async fn acted(&self, who: &Principal, act: Act, folder: &FolderName, uids: &[Uid]) {
        let Some((key, noted)) = self.noted(who, act, folder, uids) else { return };
        if self.0.acts.add(key, noted) {
            self.write_acts().await;
        }
    }

    /// The same, in the transaction of the act itself.
    pub(crate) async fn note_act(
        &self,
        tx: &mut Tx,
        who: &Principal,
        act: Act,
        folder: &FolderName,
        uids: &[Uid],
    ) -> Result<(), store::Error> {
        let Some((key, noted)) = self.noted(who, act, folder, uids) else { return Ok(()) };
        tx.note_shared(&[row(&key, &noted)], &self.queue_id()).await
    }

    fn noted(&self, who: &Principal, act: Act, folder: &FolderName, uids: &[Uid]) -> Option<(Key, Noted)> {
        who.delegated()?;
        if act.is_of_messages() && uids.is_empty() {
            return None;
        }
        let own = who.own();
        let key = Key { mailbox: who.account(), actor: own.account(), act, folder: folder.clone() };
        let noted = Noted {
            since: self.now(),
            mailbox: who.address().clone(),
            actor: own.address().clone(),
            uids: uids.iter().take(UIDS_MAX).copied().collect(),
            more: uids.len() > UIDS_MAX,
        };
        Some((key, noted))
    }

    /// Writes what was gathered; kept for the next time when the database does not take it, unless it is too much.
    pub(crate) async fn write_acts(&self) {
        let gathered = self.0.acts.take();
        if gathered.is_empty() {
            return;
        }
        let rows: Vec<SharedAct> = gathered.iter().map(|(key, noted)| row(key, noted)).collect();
        if let Err(error) = self.0.store.note_shared(&rows, &self.queue_id()).await {
            figures::housekeeping_failed("acts");
            let is_kept = gathered.len() < GATHERED_MAX;
            tracing::warn!(%error, acts = rows.len(), is_kept, "what was done in shared mailboxes could not be noted");
            if is_kept {
                for (key, noted) in gathered {
                    self.0.acts.add(key, noted);
                }
            }
        }
    }
}

fn row(key: &Key, noted: &Noted) -> SharedAct {
    let mut what = format!("{} {}", key.act.as_str(), key.folder.as_str());
    if !noted.uids.is_empty() {
        let _ = write!(what, " {}", spans(&noted.uids));
    }
    if noted.more {
        what.push_str(",…");
    }
    SharedAct {
        at: noted.since,
        mailbox: key.mailbox,
        address: noted.mailbox.to_string(),
        actor: noted.actor.to_string(),
        what,
    }
}

/// `1:4,9`
fn spans(uids: &BTreeSet<Uid>) -> String {
    let mut text = String::new();
    let mut uids = uids.iter().map(|uid| uid.0).peekable();
    while let Some(first) = uids.next() {
        let mut last = first;
        while let Some(next) = uids.next_if(|next| *next == last.saturating_add(1)) {
            last = next;
        }
        if !text.is_empty() {
            text.push(',');
        }
        let _ = if first == last { write!(text, "{first}") } else { write!(text, "{first}:{last}") };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_span() {
        let text = |uids: &[u32]| spans(&uids.iter().map(|uid| Uid(*uid)).collect());
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[9, 1, 2, 3, 4]), "1:4,9");
        assert_eq!(text(&[u32::MAX, u32::MAX - 1]), "4294967294:4294967295");
    }
}
