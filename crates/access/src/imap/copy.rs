//! COPY (RFC 3501 6.4.7) and MOVE (RFC 6851), both with the COPYUID of UIDPLUS (RFC 4315 3).

use super::expunge::read_only;
use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Selected};
use engine::{Copied, CopyError};
use model::Uid;
use proto::imap::{Code, Mailbox, SequenceSet, StatusLine};

pub(crate) async fn copy(
    door: &mut Door,
    selected: &Selected,
    uid: bool,
    set: &SequenceSet,
    to: &Mailbox,
) -> Outcome {
    let uids = chosen(selected, uid, set)?;
    let to = names::reach_new(door, &selected.who, to).await?;
    let engine = door.engine.clone();
    let copying = engine.copy_to(&selected.who, selected.folder, &uids, &to);
    let copied = door.at_work(copying).await?.map_err(refusal)?;
    let done = Reply::ok("COPY completed");
    Ok(match copy_uid(&copied) {
        Some(code) => done.code(code),
        None => done,
    })
}

pub(crate) async fn move_(
    door: &mut Door,
    selected: &Selected,
    uid: bool,
    set: &SequenceSet,
    to: &Mailbox,
) -> Outcome {
    if selected.read_only {
        return Err(read_only().into());
    }
    let uids = chosen(selected, uid, set)?;
    let to = names::reach_new(door, &selected.who, to).await?;
    let engine = door.engine.clone();
    let moving = engine.move_to(&selected.who, selected.folder, &uids, &to);
    let moved = door.at_work(moving).await?.map_err(refusal)?;
    if let Some(code) = copy_uid(&moved) {
        // RFC 6851 4.3: before the EXPUNGEs, which the sync behind the command sends.
        door.wire.out.untagged(&StatusLine::ok("Moved").with(code));
    }
    // RFC 6851 4.1: moving what is not there is no error.
    Ok(Reply::ok("MOVE completed"))
}

fn chosen(selected: &Selected, uid: bool, set: &SequenceSet) -> Result<Vec<Uid>, Failure> {
    let (uids, some_gone) = selected.living(&selected.resolve(set, uid)?);
    if some_gone && !uid {
        // RFC 2180 4.4.1, RFC 5530 3: all or nothing, and the sync tells which are gone.
        return Err(Reply::no("Some of the messages no longer exist").code(Code::ExpungeIssued).into());
    }
    Ok(uids)
}

/// RFC 4315 3: nothing copied, no code.
fn copy_uid(copied: &Copied) -> Option<Code> {
    if copied.pairs.is_empty() {
        return None;
    }
    let (from, to) = copied.pairs.iter().map(|(from, to)| (from.0, to.0)).unzip();
    Some(Code::CopyUid(copied.uid_validity.0, from, to))
}

fn refusal(error: CopyError) -> Failure {
    match error {
        CopyError::NoSuchFolder => names::try_create().into(),
        CopyError::OverQuota => names::over_quota().into(),
        // RFC 5530 3
        CopyError::TooMany => Reply::no("Too many messages at once").code(Code::Limit).into(),
        CopyError::Engine(error) => error.into(),
    }
}
