//! SEARCH (RFC 3501 6.4.4): what the folder view knows decides first, then the search index; only messages these leave
//! open are read.
//!
//! Invariants: a batch of messages is open at a time, of each one part of its text; every text is decoded and folded
//! once, however much is searched for; other tasks run in between, and what takes long is done on a thread apart.

mod arrange;
mod index;
mod key;
mod results;
mod source;
mod text;
mod walk;

use super::enable;
use super::heads::weight;
use super::limits::{PREFETCH_BYTES, PREFETCH_EACH_BYTES};
use super::reply::{Failure, Outcome, Reply};
use super::session::{Door, Selected};
use engine::{Body, Message};
use jiff::tz::Offset;
use key::{Compiled, Verdicts};
use model::Uid;
use proto::imap::{Code, ReturnOptions, SearchKey};
use results::{Form, Found};
use std::ops::Range;
use text::Pace;
use walk::{Part, find};

pub(crate) use arrange::{sort, thread};

/// Days begin and end here for everybody: Việt Nam has one zone, without summer time. INTERNALDATE is shown in it, so
/// that a search by date finds what the client shows (RFC 3501 6.4.4 disregards the zone).
pub(crate) const ZONE: Offset = jiff::tz::offset(7);

/// A message by its position and uid.
type Place = (usize, Uid);

/// `SEARCH [RETURN (…)] [CHARSET …] keys`
pub(crate) async fn search(
    door: &mut Door,
    selected: &mut Selected,
    uid: bool,
    options: Option<&ReturnOptions>,
    key: &SearchKey,
) -> Outcome {
    let compiled = compile(door, selected, key);
    if options.is_some_and(|options| options.save) {
        // RFC 5182 2.1: a search that fails leaves nothing; its own `$` is already in `compiled`.
        selected.saved.clear();
    }
    let compiled = compiled?;
    let places = find(door, selected, &compiled, options.and_then(Part::of)).await?;
    let found = Found { form: Form::Search, uid, places: &places, by_modseq: compiled.by_modseq() };
    found.tell(door, selected, options).await?;
    if let Some(options) = options.filter(|options| options.save) {
        selected.saved = results::spans(&found.told(options));
    }
    Ok(Reply::ok("SEARCH completed"))
}

fn compile(door: &mut Door, selected: &Selected, key: &SearchKey) -> Result<Compiled, Reply> {
    if *key == SearchKey::UnknownCharset {
        return Err(Reply::no("Charset not supported").code(Code::BadCharset));
    }
    let compiled = Compiled::new(key, &selected.tracker, &selected.saved, door.engine.now());
    if compiled.as_ref().is_some_and(Compiled::by_modseq) {
        // RFC 7162 3.1
        enable::condstore(door, Some(selected));
    }
    compiled.ok_or_else(|| Reply::no("Too many texts in one search").code(Code::Limit))
}

/// The sequence number at a position.
fn number(position: usize) -> u32 {
    u32::try_from(position + 1).unwrap_or(u32::MAX)
}

/// Decides a batch of messages by their text.
async fn read(
    door: &Door,
    selected: &Selected,
    compiled: &Compiled,
    batch: &[(Place, Verdicts)],
    hits: &mut Vec<Place>,
) -> Result<(), Failure> {
    let mut unread = batch;
    while !unread.is_empty() {
        let count = read_some(door, selected, compiled, unread, hits).await?;
        unread = unread.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// As many of them, at least one, as can be read at once.
async fn read_some(
    door: &Door,
    selected: &Selected,
    compiled: &Compiled,
    batch: &[(Place, Verdicts)],
    hits: &mut Vec<Place>,
) -> Result<usize, Failure> {
    let view = selected.tracker.view();
    let uids: Vec<Uid> = batch.iter().map(|((_, uid), _)| *uid).collect();
    let messages = door.engine.messages(&selected.who, view, &uids, compiled.wanted()).await?;
    let count = messages.len();
    let mut open: Vec<(Place, Message, Verdicts)> = Vec::new();
    let mut pace = Pace::default();
    for (((position, uid), known), message) in batch.iter().zip(messages) {
        let (position, uid) = (*position, *uid);
        // Swept meanwhile: it has no text.
        let (Some(message), Some(listed)) = (message, selected.tracker.at(position)) else { continue };
        let mut verdicts = known.clone();
        text::by_envelope(compiled, &message, &mut verdicts, &mut pace).await;
        match compiled.decide(&selected.tracker, position, &listed, &verdicts) {
            Some(true) => hits.push((position, uid)),
            Some(false) => {}
            None => open.push(((position, uid), message, verdicts)),
        }
    }
    let mut rest = open.as_mut_slice();
    while !rest.is_empty() {
        let count = prefetch(door, compiled, rest).await?;
        let (now, later) = rest.split_at_mut(count.clamp(1, rest.len()));
        for (place, message, verdicts) in now {
            if by_text(selected, compiled, place.0, message, verdicts).await? {
                hits.push(*place);
            }
            tokio::task::yield_now().await;
        }
        rest = later;
    }
    Ok(count)
}

/// Reads the header, then, if that does not decide, the rest.
async fn by_text(
    selected: &Selected,
    compiled: &Compiled,
    position: usize,
    message: &Message,
    verdicts: &mut Verdicts,
) -> Result<bool, Failure> {
    let Some(listed) = selected.tracker.at(position) else { return Ok(false) };
    let (Some(structure), Some(body)) = (&message.structure, &message.body) else { return Ok(false) };
    text::by_header(compiled, structure, body, verdicts).await?;
    if let Some(decided) = compiled.decide(&selected.tracker, position, &listed, verdicts) {
        return Ok(decided);
    }
    text::by_body(compiled, structure, body, verdicts).await?;
    Ok(compiled.decide(&selected.tracker, position, &listed, verdicts).unwrap_or(false))
}

/// Brings what the first of the open messages need into memory, in one query; says how many they are.
async fn prefetch(
    door: &Door,
    compiled: &Compiled,
    open: &[(Place, Message, Verdicts)],
) -> Result<usize, Failure> {
    let mut wanted: Vec<(&Body, Range<u64>)> = Vec::new();
    let (mut bytes, mut count) = (0, 0);
    for (_, message, _) in open {
        if let (Some(structure), Some(body)) = (&message.structure, &message.body) {
            let end = if compiled.reads_bodies() { body.size() } else { structure.root().body_start };
            let range = 0..end.min(PREFETCH_EACH_BYTES);
            let weight = weight(body, &range);
            if bytes > 0 && bytes + weight > PREFETCH_BYTES {
                break;
            }
            bytes += weight;
            wanted.push((body, range));
        }
        count += 1;
    }
    door.engine.prefetch(&wanted).await?;
    Ok(count)
}
