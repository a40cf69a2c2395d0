//! FETCH (RFC 3501 6.4.5): messages in batches, bodies piece by piece.
//!
//! Invariants: memory does not grow with the size of a message or the number asked for; what the database cannot give
//! is found out before the response that needs it is begun, as far as one can; nothing is told here but what was asked
//! for and the \Seen it caused.

use super::fields::Fields;
use super::limits::{FETCH_BATCH, PREFETCH_BYTES, PREFETCH_EACH_BYTES};
use super::reply::{Failure, Outcome, Reply};
use super::section::{self, Place};
use super::session::{Door, Selected};
use super::tracker::Listed;
use super::wire::Ended;
use super::{flags, search};
use engine::{Body, FlagEdit, FlagMode, FolderView, Message, StoreError, Wanted};
use model::{Flags, Uid};
use proto::imap::{Code, FetchItem, Partial, SequenceSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What the items need, found out once per command.
#[derive(Debug)]
struct Plan {
    items: Vec<FetchItem>,
    wanted: Wanted,
    marks_seen: bool,
}

/// One message of a batch.
#[derive(Debug)]
struct Target {
    position: usize,
    uid: Uid,
    /// Reading it has just marked it as seen.
    newly_seen: bool,
    /// `None` if nothing of it was wanted, or it was swept.
    message: Option<Message>,
}

pub(crate) async fn fetch(
    door: &mut Door,
    selected: &mut Selected,
    uid: bool,
    set: &SequenceSet,
    items: &[FetchItem],
) -> Outcome {
    let spans = selected.resolve(set, uid)?;
    let plan = Plan::new(items, uid);
    let positions: Vec<usize> = spans.into_iter().flatten().collect();
    let mut lost = false;
    for (at, batch) in positions.chunks(FETCH_BATCH).enumerate() {
        door.progress((at * FETCH_BATCH) as u64, Some(positions.len() as u64)).await?;
        let mut unread = batch;
        while !unread.is_empty() {
            let targets;
            (targets, unread) = load(door, selected, unread, plan.wanted).await?;
            lost |= !answer_all(door, selected, &plan, targets).await?;
        }
    }
    if lost {
        // RFC 2180 4.1.2, RFC 5530 3: the rest was delivered.
        return Err(Reply::no("Some of the messages no longer exist").code(Code::ExpungeIssued).into());
    }
    Ok(Reply::ok("FETCH completed"))
}

/// False when one of the messages was gone.
async fn answer_all(
    door: &mut Door,
    selected: &mut Selected,
    plan: &Plan,
    mut targets: Vec<Target>,
) -> Result<bool, Failure> {
    if plan.marks_seen && !selected.read_only {
        mark_seen(door, selected, &mut targets).await?;
    }
    let mut there = true;
    let mut rest = targets.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at_checked(prefetch(door, plan, rest).await?).unwrap_or((rest, &[]));
        for target in now {
            there &= answer(door, selected, plan, target).await?;
        }
        rest = later;
    }
    Ok(there)
}

/// An untagged FETCH for flags that have changed, or that a STORE wants told.
pub(crate) fn tell_flags(door: &mut Door, selected: &Selected, position: usize) {
    let Some(listed) = selected.tracker.at(position) else { return };
    let out = &mut door.wire.out;
    out.fetch_start(number(position));
    // RFC 3501 6.4.8 wants the uid for UID STORE; it does no harm in the others and spares clients a question.
    out.fetch_uid(listed.entry.uid.0);
    let recent = selected.tracker.is_recent(listed.entry.uid);
    out.fetch_flags(flags::shown(listed.home, listed.entry, listed.entry.flags, recent));
    out.fetch_end();
}

impl Plan {
    fn new(items: &[FetchItem], uid: bool) -> Self {
        // Said twice it is answered once: 256 times the same large header is nobody's need.
        let mut once: Vec<FetchItem> = Vec::with_capacity(items.len());
        for item in items {
            if !once.contains(item) {
                once.push(item.clone());
            }
        }
        let mut items = once;
        if uid && !items.contains(&FetchItem::Uid) {
            // RFC 3501 6.4.8
            items.insert(0, FetchItem::Uid);
        }
        let any = |test: fn(&FetchItem) -> bool| items.iter().any(test);
        let wanted = Wanted {
            envelope: any(|item| matches!(item, FetchItem::Envelope)),
            structure: any(|item| {
                matches!(item, FetchItem::Body | FetchItem::BodyStructure) || section::needs_structure(item)
            }),
            preview: false,
            body: any(is_octets),
        };
        let marks_seen = any(section::marks_seen);
        Self { items, wanted, marks_seen }
    }
}

fn is_octets(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Rfc822 | FetchItem::Rfc822Header | FetchItem::Rfc822Text | FetchItem::Section(_)
    )
}

/// What is wanted of the first of the messages at `positions`, and the positions of the others: those whose facts are too
/// large to be had together, and ghosts, which are looked up in the views that had them.
async fn load<'a>(
    door: &Door,
    selected: &Selected,
    positions: &'a [usize],
    wanted: Wanted,
) -> Result<(Vec<Target>, &'a [usize]), Failure> {
    let mut targets = Vec::with_capacity(positions.len());
    let mut uids = Vec::with_capacity(positions.len());
    let mut view: Option<Arc<FolderView>> = None;
    let mut taken = 0;
    for position in positions {
        if let Some(Listed { entry, home, .. }) = selected.tracker.at(*position) {
            if !Arc::ptr_eq(view.get_or_insert_with(|| Arc::clone(home)), home) {
                break;
            }
            targets.push(Target { position: *position, uid: entry.uid, newly_seen: false, message: None });
            uids.push(entry.uid);
        }
        taken += 1;
    }
    if let Some(view) = view.filter(|_| wanted.envelope || wanted.structure || wanted.body) {
        let messages = door.engine.messages(&selected.who, &view, &uids, wanted).await?;
        if let Some(next) = targets.get(messages.len()).map(|target| target.position) {
            taken = positions.iter().position(|position| *position == next).unwrap_or(taken);
            targets.truncate(messages.len());
        }
        for (target, message) in targets.iter_mut().zip(messages) {
            target.message = message;
        }
    }
    Ok((targets, positions.get(taken..).unwrap_or_default()))
}

/// RFC 3501 6.4.5: reading a body sets \Seen.
async fn mark_seen(door: &Door, selected: &mut Selected, targets: &mut [Target]) -> Result<(), Failure> {
    let mut unseen = Vec::new();
    for target in targets.iter_mut().filter(|target| target.message.is_some()) {
        let listed = selected.tracker.at(target.position);
        if listed.is_some_and(|listed| !listed.gone && !listed.entry.flags.contains(Flags::SEEN)) {
            target.newly_seen = true;
            unseen.push(target.uid);
        }
    }
    if unseen.is_empty() {
        return Ok(());
    }
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::SEEN, keywords: Vec::new() };
    match door.engine.store_flags(&selected.who, selected.folder, &unseen, &edit).await {
        Ok(()) => {}
        Err(StoreError::TooManyKeywords) => return Err(flags::too_many_keywords().into()),
        Err(StoreError::Engine(error)) => return Err(error.into()),
    }
    for uid in unseen {
        selected.tracker.believe(uid, &edit);
    }
    Ok(())
}

/// Brings what the first of `targets` need into memory, in one query; says how many they are.
async fn prefetch(door: &Door, plan: &Plan, targets: &[Target]) -> Result<usize, Failure> {
    if !plan.wanted.body {
        return Ok(targets.len());
    }
    let mut wanted: Vec<(&Body, Range<u64>)> = Vec::new();
    let (mut bytes, mut count) = (0, 0);
    for target in targets {
        let before = bytes;
        let Some((message, body)) = with_body(target) else {
            count += 1;
            continue;
        };
        let ranges: Vec<Range<u64>> = plan
            .items
            .iter()
            .filter_map(|item| section::place(item, body.size(), message.structure.as_ref()))
            .filter_map(|place| match place {
                Place::Octets(range) | Place::Fields { header: range, .. } => Some(head(range)),
                Place::Nowhere => None,
            })
            // The places of many items may overlap; what is left out is read when its turn comes.
            .scan(0, |sum, range| {
                let fits = *sum <= PREFETCH_BYTES;
                *sum += range.end - range.start;
                fits.then_some(range)
            })
            .collect();
        bytes += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        if bytes > PREFETCH_BYTES && before > 0 {
            break;
        }
        wanted.extend(ranges.into_iter().map(|range| (body, range)));
        count += 1;
    }
    door.engine.prefetch(&wanted).await?;
    Ok(count)
}

/// The beginning of a range: enough to begin with, and not so much that it fills the memory.
fn head(range: Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(PREFETCH_EACH_BYTES))
}

fn with_body(target: &Target) -> Option<(&Message, &Body)> {
    let message = target.message.as_ref()?;
    Some((message, message.body.as_ref()?))
}

/// One FETCH response; false if something of it was lost with an expunged message.
async fn answer(door: &mut Door, selected: &Selected, plan: &Plan, target: &Target) -> Result<bool, Failure> {
    let Some(listed) = selected.tracker.at(target.position) else { return Ok(false) };
    let mut complete = true;
    let mut told_flags = false;
    door.wire.out.fetch_start(number(target.position));
    for item in &plan.items {
        if is_octets(item) {
            complete &= octets(door, item, target).await?;
        } else {
            complete &= simple(door, selected, item, &listed, target);
            told_flags |= matches!(item, FetchItem::Flags);
        }
        door.wire.relieve().await?;
    }
    if target.newly_seen && !told_flags {
        // RFC 3501 6.4.5: the flags changed, and are told with it.
        simple(door, selected, &FetchItem::Flags, &listed, target);
    }
    door.wire.out.fetch_end();
    door.wire.relieve().await?;
    Ok(complete)
}

/// An item that is in memory; false if it is lost.
fn simple(
    door: &mut Door,
    selected: &Selected,
    item: &FetchItem,
    listed: &Listed<'_, FolderView>,
    target: &Target,
) -> bool {
    let entry = listed.entry;
    let out = &mut door.wire.out;
    let message = target.message.as_ref();
    match item {
        FetchItem::Uid => out.fetch_uid(entry.uid.0),
        FetchItem::Flags => {
            let seen = if target.newly_seen { Flags::SEEN } else { Flags::NONE };
            let recent = selected.tracker.is_recent(entry.uid);
            out.fetch_flags(flags::shown(listed.home, entry, entry.flags | seen, recent));
        }
        FetchItem::InternalDate => out.fetch_internal_date(entry.internal_date, search::ZONE),
        FetchItem::Rfc822Size => out.fetch_size(u64::from(entry.size)),
        FetchItem::Envelope => match message.and_then(|message| message.envelope.as_ref()) {
            Some(envelope) => out.fetch_envelope(envelope),
            None => return false,
        },
        FetchItem::Body | FetchItem::BodyStructure => {
            match (item, message.and_then(|message| message.structure.as_ref())) {
                (FetchItem::Body, Some(structure)) => out.fetch_body(structure),
                (_, Some(structure)) => out.fetch_body_structure(structure),
                (_, None) => return false,
            }
        }
        FetchItem::Rfc822 | FetchItem::Rfc822Header | FetchItem::Rfc822Text | FetchItem::Section(_) => {}
    }
    true
}

/// An item that is octets of the message; false if it is lost.
async fn octets(door: &mut Door, item: &FetchItem, target: &Target) -> Result<bool, Failure> {
    let Some((message, body)) = with_body(target) else { return Ok(false) };
    match section::place(item, body.size(), message.structure.as_ref()) {
        None | Some(Place::Nowhere) => announce(door, item, None),
        Some(Place::Octets(range)) => stream(door, item, body, range).await?,
        Some(Place::Fields { header, names, without, partial }) => {
            let chosen = || Fields::new(body, header.clone(), &names, without);
            fields(door, item, chosen, partial).await?;
        }
    }
    Ok(true)
}

fn announce(door: &mut Door, item: &FetchItem, bytes: Option<u64>) {
    match item {
        FetchItem::Section(wanted) => door.wire.out.fetch_section(wanted, bytes),
        item => door.wire.out.fetch_rfc822(item, bytes),
    }
}

/// A literal, written as it is read: the socket's pace is the pace of reading.
async fn stream(door: &mut Door, item: &FetchItem, body: &Body, range: Range<u64>) -> Result<(), Ended> {
    announce(door, item, Some(range.end - range.start));
    let mut offset = range.start;
    // `prefetch` has brought the head.
    let mut ahead = head(range.clone()).end;
    while offset < range.end {
        if offset >= ahead {
            let next = head(offset..range.end);
            ahead = next.end;
            door.engine.prefetch(&[(body, next)]).await.map_err(broken)?;
        }
        let piece = body.piece(offset, range.end).await.map_err(broken)?;
        if piece.is_empty() {
            return Err(broken(engine::Error::NotFound));
        }
        offset += piece.len() as u64;
        door.wire.raw(&piece).await?;
    }
    Ok(())
}

/// Some fields of a header. A literal begins with its size, so they are counted before they are written.
async fn fields<'a>(
    door: &mut Door,
    item: &FetchItem,
    chosen: impl Fn() -> Fields<'a>,
    partial: Option<Partial>,
) -> Result<(), Ended> {
    let mut total = 0;
    let mut counted = chosen();
    while let Some(octets) = counted.next().await.map_err(broken)? {
        total += octets.len() as u64;
    }
    let wanted = section::clip(0..total, partial);
    announce(door, item, Some(wanted.end - wanted.start));
    let mut written = chosen();
    let mut passed = 0;
    while passed < wanted.end
        && let Some(octets) = written.next().await.map_err(broken)?
    {
        let cut =
            |at: u64| usize::try_from(at.saturating_sub(passed)).unwrap_or(usize::MAX).min(octets.len());
        door.wire.raw(octets.get(cut(wanted.start)..cut(wanted.end)).unwrap_or_default()).await?;
        passed += octets.len() as u64;
    }
    Ok(())
}

/// In the middle of a response there is no way to say that it failed: the client must see the connection break.
fn broken(error: engine::Error) -> Ended {
    tracing::error!(%error, "a message could not be read to its end");
    Ended::Gone(io::Error::other(error))
}

fn number(position: usize) -> u32 {
    u32::try_from(position + 1).unwrap_or(u32::MAX)
}
