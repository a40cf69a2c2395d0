//! Accepting small messages in one statement that commits by itself: what the accepting transaction of `accept` does, and
//! the writing of the chunks, in one round trip in place of five, and for all that come at the same time together.
//!
//! Invariant: a lost answer is never guessed. There is no transaction number to ask for, and the statement may not even
//! have begun when its connection died; so whoever asks `was_accepted` either finds the event that the statement notes, or
//! leaves a row that keeps it from ever succeeding. What stands in the way of one message keeps no other from coming.

use crate::accept::{Target, bytes_max, messages_max};
use crate::acceptor::{Job, NotAccepted};
use crate::chunks::{NewChunk, compress_all, to_i32};
use crate::contents::NewContent;
use crate::forwarded::{Columns, Of, bind_forwarded, insert_forwarded};
use crate::{Error, Event, Forwarded, Store};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use model::{Flags, Uid};
use sqlx::Postgres;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// Octets of a message, or of several that come together, that are accepted in one statement: what costs less to send than
/// to ask about, and below what goes to a content directory.
pub const SMALL_BYTES_MAX: usize = 128 * 1024;
/// Recipients of such a message: their mailboxes are locked and filled in a few milliseconds.
pub const SMALL_TARGETS_MAX: usize = 100;
/// How long the fate of a message is asked for: as for a commit in `tx`.
const RESOLVE_FOR: Duration = Duration::from_secs(60);
const RESOLVE_PAUSE: Duration = Duration::from_millis(250);

/// A message that is to be accepted, and for whom.
#[derive(Clone, Debug)]
pub struct SmallMessage<'a> {
    /// Its `chunk_ids` are not looked at.
    pub content: NewContent,
    pub chunks: Vec<NewChunk<'a>>,
    /// Each account at most once, at most [`SMALL_TARGETS_MAX`].
    pub targets: &'a [Target],
    /// How it went on by itself to them.
    pub forwarded: &'a [Forwarded],
    pub flags: Flags,
    /// `None`: the moment of the event.
    pub internal_date: Option<Timestamp>,
}

impl Store {
    /// Adds the messages, all or none, with an entry for each target, and notes `event`, whose moment and trace no other
    /// has; its size is that of the messages. Durable after `Ok`, which gives the uid of each message that has one target.
    ///
    /// # Errors
    /// `ChunkGone` when the chunks must be written first, `MailboxGone` when a target vanished, `MailboxFull` when a
    /// target has no room, `Unavailable` when nothing was certainly accepted, `CommitUnknown` when nobody can tell.
    pub async fn accept_small(
        &self,
        messages: Vec<SmallMessage<'_>>,
        event: &Event<'_>,
    ) -> Result<Vec<Option<Uid>>, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job { act: Act::new(messages, event).await?, answer };
        self.acts.add(job, &(self.pools.clone(), self.held.clone())).await;
        let lost = match answered.await {
            Ok(Ok(uids)) => return Ok(uids.into_iter().map(uid).collect()),
            Ok(Err(NotAccepted::Certain(error))) => return Err(error),
            Ok(Err(NotAccepted::Lost(error))) => error,
            Err(_) => sqlx::Error::WorkerCrashed,
        };
        tracing::warn!(error = %lost, "the answer to an accepting statement was lost; asking for its fate");
        // Where the messages lie is not asked as well: it is known of none.
        if self.was_accepted(event).await? { Ok(Vec::new()) } else { Err(Error::Unavailable(lost)) }
    }

    /// The fate of what noted `event`; after `false` it will never be accepted.
    pub(crate) async fn was_accepted(&self, event: &Event<'_>) -> Result<bool, Error> {
        let asked = async {
            loop {
                let answer: Result<bool, _> = sqlx::query_scalar("select was_accepted($1, $2, $3)")
                    .bind(event.at.to_sqlx())
                    .bind(event.trace)
                    .bind(event.kind)
                    .fetch_one(&self.pools.main)
                    .await;
                match answer {
                    Ok(accepted) => return accepted,
                    Err(_) => tokio::time::sleep(RESOLVE_PAUSE).await,
                }
            }
        };
        // Around everything: waiting for a connection may by itself take half of it.
        tokio::time::timeout(RESOLVE_FOR, asked).await.map_err(|_| Error::CommitUnknown)
    }
}

fn uid(number: Option<i64>) -> Option<Uid> {
    number.and_then(|number| u32::try_from(number).ok()).map(Uid)
}

/// What one 250 or OK answers for, on its way to the database.
#[derive(Debug)]
pub(crate) struct Act {
    at: Timestamp,
    kind: String,
    trace: String,
    account: Option<i64>,
    remote: Option<String>,
    sender: Option<String>,
    status: Option<String>,
    about: Option<String>,
    forwarded: Vec<Forwarded>,
    messages: Vec<Message>,
    /// Compressed.
    chunks: BTreeMap<[u8; 32], (i32, Vec<u8>)>,
}

#[derive(Debug)]
pub(crate) struct Message {
    content: NewContent,
    pieces: Vec<[u8; 32]>,
    targets: Vec<Target>,
    flags: Flags,
    internal_date: Timestamp,
}

impl Act {
    /// Octets to be sent; an entry costs the database what 4 KB of content do.
    pub(crate) fn weight(&self) -> usize {
        let chunks: usize = self.chunks.values().map(|(_, data)| data.len()).sum();
        chunks + self.accounts().count() * 4096
    }

    /// Of its targets, as often as they are named.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = i64> {
        self.messages.iter().flat_map(|message| &message.targets).map(|target| target.account.0)
    }

    pub(crate) fn count(&self) -> usize {
        self.messages.len()
    }

    async fn new(messages: Vec<SmallMessage<'_>>, event: &Event<'_>) -> Result<Self, Error> {
        let mut new: Vec<NewChunk<'_>> =
            messages.iter().flat_map(|message| &message.chunks).copied().collect();
        new.sort_unstable_by_key(|chunk| chunk.hash);
        new.dedup_by_key(|chunk| chunk.hash);
        let data = compress_all(&new).await?;
        let sized = new.iter().zip(data).map(|(chunk, data)| (chunk.hash, (to_i32(chunk.bytes.len()), data)));
        Ok(Self {
            at: event.at,
            kind: event.kind.to_owned(),
            trace: event.trace.to_owned(),
            account: event.account.map(|account| account.0),
            remote: event.remote.map(str::to_owned),
            sender: event.sender.map(str::to_owned),
            status: event.status.map(str::to_owned),
            about: event.about.map(str::to_owned),
            forwarded: messages.iter().flat_map(|message| message.forwarded).cloned().collect(),
            messages: messages.into_iter().map(|message| Message::new(message, event.at)).collect(),
            chunks: sized.collect(),
        })
    }
}

impl Message {
    fn new(message: SmallMessage<'_>, at: Timestamp) -> Self {
        Self {
            content: message.content,
            pieces: message.chunks.iter().map(|chunk| chunk.hash).collect(),
            targets: message.targets.to_vec(),
            flags: message.flags,
            internal_date: message.internal_date.unwrap_or(at),
        }
    }
}

/// What every statement does; where mail went on by itself, it is noted with it.
macro_rules! accept_messages {
    () => {
        "select accept_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                                $21, $22, $23, $24, $25, $26, $27, $28)"
    };
}
const ACCEPT: &str = accept_messages!();
const ACCEPT_FORWARDED: &str = concat!(
    "with forwarded as (",
    insert_forwarded!("$29", "$30", "$31", "$32", "$33", "$34", "$35", "$36"),
    ") ",
    accept_messages!()
);

pub(crate) type Statement<'q> =
    sqlx::query::QueryScalar<'q, Postgres, Vec<Option<i64>>, sqlx::postgres::PgArguments>;

/// The accepting statement. It waits for mailboxes that others hold, or refuses.
pub(crate) fn statement<'q>(acts: &[&'q Act], waits: bool) -> Statement<'q> {
    let of_acts = |count: fn(&Act) -> i32| acts.iter().map(|act| count(act)).collect::<Vec<i32>>();
    let messages: Vec<(&Act, &Message)> =
        acts.iter().flat_map(|act| act.messages.iter().map(move |message| (*act, message))).collect();
    let contents = || messages.iter().map(|(_, message)| &message.content);
    let of_messages =
        |count: fn(&Message) -> i32| messages.iter().map(|(_, message)| count(message)).collect::<Vec<i32>>();
    let chunks: BTreeMap<&[u8; 32], &(i32, Vec<u8>)> = acts.iter().flat_map(|act| &act.chunks).collect();
    let hashes: Vec<&[u8; 32]> = chunks.keys().copied().collect();
    // Counted from 1, as Postgres does.
    let place = |hash: &[u8; 32]| to_i32(hashes.partition_point(|before| *before <= hash));
    let targets: Vec<&Target> = messages.iter().flat_map(|(_, message)| &message.targets).collect();
    let steps =
        Columns::of(acts.iter().flat_map(|act| act.forwarded.iter().map(move |step| (Of::from(*act), step))));
    let text = if steps.is_empty() { ACCEPT } else { ACCEPT_FORWARDED };
    let statement = sqlx::query_scalar(text)
        .bind(acts.iter().map(|act| act.at.to_sqlx()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.kind.as_str()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.trace.as_str()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.account).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.remote.as_deref()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.sender.as_deref()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.status.as_deref()).collect::<Vec<_>>())
        .bind(acts.iter().map(|act| act.about.as_deref()).collect::<Vec<_>>())
        .bind(of_acts(|act| to_i32(act.messages.len())))
        .bind(contents().map(NewContent::size_i64).collect::<Vec<_>>())
        .bind(contents().map(|content| content.envelope.as_slice()).collect::<Vec<_>>())
        .bind(contents().map(|content| content.structure.as_slice()).collect::<Vec<_>>())
        .bind(contents().map(|content| content.preview.as_str()).collect::<Vec<_>>())
        .bind(contents().map(|content| content.thread_id).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, message)| message.flags.0).collect::<Vec<_>>())
        .bind(messages.iter().map(|(_, message)| message.internal_date.to_sqlx()).collect::<Vec<_>>())
        .bind(of_messages(|message| to_i32(message.pieces.len())))
        .bind(of_messages(|message| to_i32(message.targets.len())))
        .bind(messages.iter().flat_map(|(_, message)| &message.pieces).map(place).collect::<Vec<_>>())
        .bind(hashes.iter().copied().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
        .bind(chunks.values().map(|(size, _)| *size).collect::<Vec<_>>())
        .bind(chunks.values().map(|(_, data)| data.as_slice()).collect::<Vec<_>>())
        .bind(targets.iter().map(|target| target.account.0).collect::<Vec<_>>())
        .bind(targets.iter().map(|target| target.folder.0).collect::<Vec<_>>())
        .bind(targets.iter().map(|target| target.recipient.as_deref()).collect::<Vec<_>>())
        .bind(bytes_max(targets.iter().copied()))
        .bind(messages_max(targets.iter().copied()))
        .bind(waits);
    if steps.is_empty() { statement } else { bind_forwarded!(statement, steps) }
}

impl<'a> From<&'a Act> for Of<'a> {
    fn from(act: &'a Act) -> Self {
        Self { at: act.at, trace: &act.trace, sender: act.sender.as_deref(), about: act.about.as_deref() }
    }
}
