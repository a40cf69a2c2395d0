//! APPEND (RFC 3501 6.3.11): the message goes from the socket to the spool piece by piece, bytes as given.

use super::flags;
use super::limits::{APPEND_PATIENCE, APPEND_WITHIN};
use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, State};
use super::wire::SILENT;
use engine::{AppendError, FlagMode, NewMessage, Principal, Spool};
use model::FolderName;
use proto::imap::{AppendMessage, AppendStart, Code, Event, Reject};
use tokio::time::Instant;

/// How an APPEND ends: by us, or by the decoder for the form of what followed the message.
#[derive(Debug)]
pub(crate) enum Appended {
    Outcome(Outcome),
    Rejected(Reject),
}

/// Whatever happens, the decoder has then been told what to do with the message.
pub(crate) async fn append(door: &mut Door, state: &State, start: &AppendStart) -> Appended {
    let message = match prepare(door, state, start).await {
        Ok(ready) => ready,
        Err(failure) => {
            door.wire.decoder().refuse_append();
            return Appended::Outcome(Err(failure));
        }
    };
    door.wire.decoder().accept_append();
    match receive(door).await {
        Ok(Received::Message(spool)) => Appended::Outcome(finish(door, message, spool).await),
        Ok(Received::Rejected(reject)) => Appended::Rejected(reject),
        Err(failure) => Appended::Outcome(Err(failure)),
    }
}

/// Where the message goes and with what, its bytes apart.
#[derive(Debug)]
struct Ready {
    who: Principal,
    name: FolderName,
    edit: engine::FlagEdit,
    internal_date: Option<jiff::Timestamp>,
}

/// Everything that can fail without the message fails before it is sent.
async fn prepare(door: &mut Door, state: &State, start: &AppendStart) -> Result<Ready, Failure> {
    let Some(who) = state.who().cloned() else { return Err(Reply::bad("Log in first").into()) };
    let AppendMessage { flags: wanted, internal_date, bytes, .. } = &start.message;
    let name = names::folder_name(&start.mailbox)?;
    if door.engine.folder(&who, &name).await?.is_none() {
        return Err(names::try_create().into());
    }
    if *bytes == 0 {
        return Err(Reply::no("A message cannot be empty").code(Code::Cannot).into());
    }
    let edit = flags::edit(FlagMode::Replace, wanted)?;
    let quota = door.engine.quota(&who).await?;
    if quota.used_bytes.saturating_add(*bytes) > quota.limit_bytes {
        return Err(names::over_quota().into());
    }
    Ok(Ready { who, name, edit, internal_date: *internal_date })
}

enum Received {
    Message(Spool),
    Rejected(Reject),
}

/// Reads the message to its end, even when it cannot be kept: what follows is the next command.
async fn receive(door: &mut Door) -> Result<Received, Failure> {
    let mut spool = door.engine.new_spool();
    let mut kept = Ok(());
    let deadline = Instant::now() + APPEND_WITHIN;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SILENT.into());
        }
        match door.wire.event(APPEND_PATIENCE.min(left)).await? {
            Event::Literal(bytes) => {
                if kept.is_ok() {
                    kept = spool.write(&bytes).await;
                }
            }
            Event::AppendEnd => break,
            Event::Rejected(reject) => return Ok(Received::Rejected(reject)),
            _ => return Err(Reply::bad("A message was expected").into()),
        }
    }
    if let Err(error) = kept {
        tracing::error!(%error, "spool");
        return Err(engine::Error::Unavailable.into());
    }
    Ok(Received::Message(spool))
}

async fn finish(door: &mut Door, ready: Ready, message: Spool) -> Outcome {
    let Ready { who, name, edit, internal_date } = ready;
    let new = NewMessage { flags: edit.flags, keywords: edit.keywords, internal_date, message };
    match door.engine.append(&who, &name, vec![new]).await {
        Ok(appended) => {
            // RFC 4315 3
            let uids = appended.uids.iter().map(|uid| uid.0).collect();
            Ok(Reply::ok("APPEND completed").code(Code::AppendUid(appended.uid_validity.0, uids)))
        }
        Err(AppendError::NoSuchFolder) => Err(names::try_create().into()),
        Err(AppendError::OverQuota) => Err(names::over_quota().into()),
        Err(AppendError::TooManyKeywords) => Err(flags::too_many_keywords().into()),
        Err(AppendError::Engine(error)) => Err(error.into()),
    }
}
