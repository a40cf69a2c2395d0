//! STORE (RFC 3501 6.4.6), and the conditional one (RFC 7162 3.1.3).

use super::attributes::number;
use super::expunge::read_only;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Selected};
use super::tracker::Owed;
use super::{enable, flags};
use engine::{FlagEdit, FlagMode, StoreError, Stored};
use model::{Flags, ModSeq, Uid};
use proto::imap::{Code, Flag, SequenceSet, StoreMode};

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) uid: bool,
    pub(crate) set: SequenceSet,
    pub(crate) mode: StoreMode,
    pub(crate) silent: bool,
    pub(crate) flags: Vec<Flag>,
    /// Messages that changed later are left alone.
    pub(crate) unchanged_since: Option<u64>,
}

pub(crate) async fn store(door: &mut Door, selected: &mut Selected, wanted: &Store) -> Outcome {
    if selected.read_only {
        return Err(read_only().into());
    }
    let named = selected.resolve(&wanted.set, wanted.uid)?;
    let (uids, some_gone) = selected.living(&named);
    let mode = match wanted.mode {
        StoreMode::Replace => FlagMode::Replace,
        StoreMode::Add => FlagMode::Add,
        StoreMode::Remove => FlagMode::Remove,
    };
    let edit = flags::edit(mode, &wanted.flags)?;
    let since = wanted.unchanged_since.map(ModSeq);
    if since.is_some() {
        enable::condstore(door, Some(selected));
    }
    let stored = door
        .engine
        .store_flags_unchanged(&selected.who, selected.folder, &uids, &edit, since)
        .await
        .map_err(refusal)?;
    if mode != FlagMode::Remove && edit.flags.contains(Flags::SEEN) {
        door.engine.note_retrieved(&selected.who, selected.tracker.view(), &stored.changed).await;
    }
    owe(selected, wanted, &edit, uids, &stored);
    let mut failed = stored.modified;
    if some_gone && wanted.silent && !wanted.uid && since.is_some() {
        // RFC 7162 6: what went fails the test, too, where no NO tells of it.
        let counted = named.iter().cloned().flatten().filter_map(|position| selected.tracker.at(position));
        failed.extend(counted.filter(|listed| listed.gone).map(|listed| listed.entry.uid));
        failed.sort_unstable();
    }
    let modified = modified(selected, wanted.uid, &failed);
    if some_gone && !wanted.silent && !wanted.uid {
        // RFC 2180 4.2.3; for .SILENT 4.2.1 wants OK. RFC 7162 Example 11: MODIFIED goes with NO, too.
        let code = modified.unwrap_or(Code::ExpungeIssued);
        return Err(Reply::no("Some of the messages no longer exist").code(code).into());
    }
    Ok(match modified {
        Some(code) => Reply::ok("Conditional STORE failed for some").code(code),
        None => Reply::ok("STORE completed"),
    })
}

/// What the sync behind the command tells of `uids`.
fn owe(selected: &mut Selected, wanted: &Store, edit: &FlagEdit, uids: Vec<Uid>, stored: &Stored) {
    if !wanted.silent {
        // RFC 3501 6.4.6: the new value is told.
        selected.owed = Owed { flags: uids, modseqs: Vec::new() };
        return;
    }
    let passed: Vec<Uid> =
        uids.into_iter().filter(|uid| stored.modified.binary_search(uid).is_err()).collect();
    for uid in &passed {
        selected.tracker.believe(*uid, edit);
    }
    if wanted.unchanged_since.is_some() {
        // RFC 7162 3.1.3: of those that passed the MODSEQ in spite of .SILENT, and of the others what they are now.
        selected.owed = Owed { flags: stored.modified.clone(), modseqs: passed };
    }
}

/// RFC 7162 3.1.3: the messages that failed the test, as the client named them.
fn modified(selected: &Selected, uid: bool, failed: &[Uid]) -> Option<Code> {
    let named = |one: &Uid| {
        if uid { one.0 } else { number(selected.tracker.span_of_uids(one.0, one.0).start) }
    };
    (!failed.is_empty()).then(|| Code::Modified(failed.iter().map(named).collect()))
}

fn refusal(error: StoreError) -> Failure {
    match error {
        StoreError::TooManyKeywords => flags::too_many_keywords().into(),
        StoreError::Engine(error) => error.into(),
    }
}
