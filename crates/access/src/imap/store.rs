//! STORE (RFC 3501 6.4.6).

use super::expunge::read_only;
use super::flags;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Selected};
use engine::{FlagMode, StoreError};
use proto::imap::{Code, Flag, SequenceSet, StoreMode};

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) uid: bool,
    pub(crate) set: SequenceSet,
    pub(crate) mode: StoreMode,
    pub(crate) silent: bool,
    pub(crate) flags: Vec<Flag>,
}

pub(crate) async fn store(door: &mut Door, selected: &mut Selected, wanted: &Store) -> Outcome {
    if selected.read_only {
        return Err(read_only().into());
    }
    let (uids, some_gone) = selected.living(&selected.resolve(&wanted.set, wanted.uid)?);
    let mode = match wanted.mode {
        StoreMode::Replace => FlagMode::Replace,
        StoreMode::Add => FlagMode::Add,
        StoreMode::Remove => FlagMode::Remove,
    };
    let edit = flags::edit(mode, &wanted.flags)?;
    door.engine.store_flags(&selected.who, selected.folder, &uids, &edit).await.map_err(refusal)?;
    if wanted.silent {
        for uid in uids {
            selected.tracker.believe(uid, &edit);
        }
    } else {
        // RFC 3501 6.4.6: the new value is told, by the sync behind the command.
        selected.owed_flags = uids;
    }
    if some_gone && !wanted.silent && !wanted.uid {
        // RFC 2180 4.2.3; for .SILENT 4.2.1 wants OK.
        return Err(Reply::no("Some of the messages no longer exist").code(Code::ExpungeIssued).into());
    }
    Ok(Reply::ok("STORE completed"))
}

fn refusal(error: StoreError) -> Failure {
    match error {
        StoreError::TooManyKeywords => flags::too_many_keywords().into(),
        StoreError::Engine(error) => error.into(),
    }
}
