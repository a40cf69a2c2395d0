//! APPEND (RFC 3501 6.3.11) of one message or several (MULTIAPPEND, RFC 3502), bytes as given: also 8-bit headers, in
//! `UTF8 (…)` (RFC 6855 4) or not (ADR 12).
//!
//! Invariants: messages go from the socket to the spool piece by piece; all of them are kept, durably before OK, or none;
//! several take no more memory and room than one may; none holds a NUL.
//!
//! A literal8 may hold NUL, and RFC 3516 4.4 lets a server refuse to store it. To keep it would mean to show, in
//! BODYSTRUCTURE, sizes and every BODY section, a message that was encoded (RFC 3516 6: no other literal may hold NUL),
//! which is not the one that was kept, nor the one that was signed. SMTP refuses NUL, too.

use super::flags;
use super::limits::{APPEND_MESSAGES_MAX, APPEND_PATIENCE, APPEND_WITHIN};
use super::names;
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, State};
use crate::socket::SILENT;
use engine::{AppendError, FlagEdit, FlagMode, NewMessage, Place, Principal, Spool};
use model::FolderName;
use proto::imap::{AppendMessage, AppendStart, Code, Event, Reject};
use tokio::time::Instant;

/// How an APPEND ends: by us, or by the decoder for the form of what followed a message.
#[derive(Debug)]
pub(crate) enum Appended {
    Outcome(Outcome),
    Rejected(Reject),
}

/// Whatever happens, the decoder has then been told what to do with the message.
pub(crate) async fn append(door: &mut Door, state: &State, start: &AppendStart) -> Appended {
    let mut ready = match prepare(door, state, start).await {
        Ok(ready) => ready,
        Err(failure) => {
            door.wire.decoder().refuse_append();
            return Appended::Outcome(Err(failure));
        }
    };
    let mut message = start.message.clone();
    loop {
        let edit = match ready.admit(door, &message) {
            Ok(edit) => edit,
            Err(reply) => {
                // RFC 3502 6.3.11: with one message none is appended.
                door.wire.decoder().refuse_append();
                return Appended::Outcome(Err(reply.into()));
            }
        };
        door.wire.decoder().accept_append();
        let (spool, then) = match receive(door, ready.spool()).await {
            Ok(received) => received,
            Err(failure) => return Appended::Outcome(Err(failure)),
        };
        ready.messages.push(NewMessage {
            flags: edit.flags,
            keywords: edit.keywords,
            internal_date: message.internal_date,
            message: spool,
        });
        match then {
            Then::Next(next) => message = next,
            Then::End => return Appended::Outcome(finish(door, ready).await),
            Then::Rejected(reject) => return Appended::Rejected(reject),
        }
    }
}

/// Where the messages go, and those that are there.
#[derive(Debug)]
struct Ready {
    who: Principal,
    name: FolderName,
    /// Octets that the mailbox has room for.
    room: u64,
    /// Announced so far.
    bytes: u64,
    first: Option<Spool>,
    messages: Vec<NewMessage>,
}

/// Everything that can fail without the messages fails before they are sent.
async fn prepare(door: &mut Door, state: &State, start: &AppendStart) -> Result<Ready, Failure> {
    let Some(who) = state.who().cloned() else { return Err(Reply::bad("Log in first").into()) };
    let Place { who, name } = names::reach_new(door, &who, &start.mailbox).await?;
    let room = door.engine.append_room(&who, &name).await.map_err(refused)?;
    let first = Some(door.engine.new_spool());
    Ok(Ready { who, name, room, bytes: 0, first, messages: Vec::new() })
}

impl Ready {
    /// What the next message is to be marked with, if it may come.
    fn admit(&mut self, door: &Door, message: &AppendMessage) -> Result<FlagEdit, Reply> {
        if message.bytes == 0 {
            // RFC 3502 6.3.11: so a client gives up in the middle.
            return Err(Reply::no("A message cannot be empty").code(Code::Cannot));
        }
        let edit = flags::edit(FlagMode::Replace, &message.flags)?;
        self.bytes = self.bytes.saturating_add(message.bytes);
        if self.bytes > self.room {
            return Err(names::over_quota());
        }
        if self.bytes > door.engine.message_bytes_max() {
            return Err(Reply::no("These messages are too large to be appended at once").code(Code::TooBig));
        }
        if self.messages.len() >= APPEND_MESSAGES_MAX {
            // RFC 5530 3
            return Err(Reply::no("These messages are too many to be appended at once").code(Code::Limit));
        }
        Ok(edit)
    }

    /// Where the next message goes.
    fn spool(&mut self) -> Option<Spool> {
        self.first.take().or_else(|| self.messages.last().map(|before| before.message.next()))
    }
}

/// What comes behind a message.
enum Then {
    Next(AppendMessage),
    End,
    Rejected(Reject),
}

/// Reads a message to its end, even when it cannot be kept: what follows is the next command.
async fn receive(door: &mut Door, spool: Option<Spool>) -> Result<(Spool, Then), Failure> {
    let mut spool = spool.unwrap_or_else(|| door.engine.new_spool());
    let mut kept = Ok(());
    let mut has_nul = false;
    let deadline = Instant::now() + APPEND_WITHIN;
    let then = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SILENT.into());
        }
        match door.wire.event(APPEND_PATIENCE.min(left)).await? {
            Event::Literal(bytes) => {
                has_nul |= bytes.contains(&0);
                if kept.is_ok() && !has_nul {
                    kept = spool.write(&bytes).await;
                }
            }
            Event::AppendEnd => break Then::End,
            Event::AppendNext(next) => break Then::Next(next),
            Event::Rejected(reject) => break Then::Rejected(reject),
            _ => return Err(Reply::bad("A message was expected").into()),
        }
    };
    let failure = match kept {
        // RFC 3516 4.4
        _ if has_nul => {
            Reply::no("A NUL octet cannot be kept: encode it, in base64").code(Code::UnknownCte).into()
        }
        Ok(()) => return Ok((spool, then)),
        Err(error) => {
            tracing::error!(%error, "spool");
            engine::Error::Unavailable.into()
        }
    };
    if matches!(then, Then::Next(_)) {
        door.wire.decoder().refuse_append();
    }
    Err(failure)
}

async fn finish(door: &mut Door, ready: Ready) -> Outcome {
    let engine = door.engine.clone();
    let appending = engine.append(&ready.who, &ready.name, ready.messages);
    match door.at_work(appending).await? {
        Ok(appended) => {
            // RFC 4315 3
            let uids: Vec<u32> = appended.uids.iter().map(|uid| uid.0).collect();
            let reply = Reply::ok("APPEND completed");
            if uids.is_empty() {
                return Ok(reply);
            }
            Ok(reply.code(Code::AppendUid(appended.uid_validity.0, uids)))
        }
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: AppendError) -> Failure {
    match error {
        AppendError::NoSuchFolder => names::try_create().into(),
        AppendError::OverQuota => names::over_quota().into(),
        AppendError::TooManyKeywords => flags::too_many_keywords().into(),
        AppendError::Engine(error) => error.into(),
    }
}
