//! FETCH (RFC 3501 6.4.5): messages in batches, bodies piece by piece.
//!
//! Invariants: memory does not grow with the size of a message or the number asked for; what the database cannot give
//! is found out before the response that needs it is begun, as far as one can; nothing is told here but what was asked
//! for and the \Seen it caused.

use super::attributes::{attribute, number};
use super::fields::Fields;
use super::heads::{Heads, head};
use super::limits::FETCH_BATCH;
use super::rendered::Written;
use super::reply::{Failure, Outcome, Reply};
use super::section::{self, Place};
use super::session::{Door, Selected};
use super::tracker::Listed;
use super::wire::Ended;
use super::{flags, resync};
use engine::{Body, FlagEdit, FlagMode, FolderView, Message, StoreError, Wanted};
use jiff::Timestamp;
use model::{Flags, ModSeq, Uid};
use proto::imap::{Code, FetchItem, FetchModifiers, Partial, SequenceSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) uid: bool,
    pub(crate) set: SequenceSet,
    pub(crate) items: Vec<FetchItem>,
    pub(crate) modifiers: FetchModifiers,
}

/// What the items need, found out once per command.
#[derive(Debug)]
struct Plan {
    items: Vec<FetchItem>,
    /// Beside what `rendered` may have kept.
    beside: Wanted,
    save_dates: bool,
    marks_seen: bool,
}

/// One message of a batch.
#[derive(Debug)]
pub(crate) struct Target {
    position: usize,
    uid: Uid,
    /// Reading it has just marked it as seen, under this number.
    pub(crate) newly_seen: Option<ModSeq>,
    pub(crate) written: Written,
    /// `None` if nothing of it had to be read, or it was swept.
    pub(crate) message: Option<Message>,
    /// `None` if it was not wanted, or the message is gone.
    pub(crate) saved: Option<Timestamp>,
}

pub(crate) async fn fetch(door: &mut Door, selected: &mut Selected, asked: &Fetch) -> Outcome {
    let spans = selected.resolve(&asked.set, asked.uid)?;
    let plan = Plan::new(asked);
    let positions = resync::narrowed(door, selected, asked, spans).await?;
    let mut lost = false;
    for (at, batch) in positions.chunks(FETCH_BATCH).enumerate() {
        door.progress((at * FETCH_BATCH) as u64, Some(positions.len() as u64)).await?;
        let mut unread = batch;
        while !unread.is_empty() {
            let targets;
            (targets, unread) = load(door, selected, unread, &plan).await?;
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
    if !plan.beside.body {
        for target in &targets {
            there &= answer(door, selected, plan, target).await?;
        }
        return Ok(there);
    }
    let mut rest = targets.as_slice();
    while !rest.is_empty() {
        let heads = Heads::of(&plan.items, rest);
        let (now, later) = rest.split_at_checked(heads.count).unwrap_or((rest, &[]));
        heads.bring(&door.engine).await?;
        for target in now {
            there &= answer(door, selected, plan, target).await?;
        }
        rest = later;
    }
    Ok(there)
}

impl Plan {
    fn new(asked: &Fetch) -> Self {
        // Said twice it is answered once: 256 times the same large header is nobody's need.
        let mut once: Vec<FetchItem> = Vec::with_capacity(asked.items.len());
        for item in &asked.items {
            if !once.contains(item) {
                once.push(item.clone());
            }
        }
        let mut items = once;
        if asked.uid && !items.contains(&FetchItem::Uid) {
            // RFC 3501 6.4.8
            items.insert(0, FetchItem::Uid);
        }
        if asked.modifiers.changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
            // RFC 7162 3.1.4.1
            items.push(FetchItem::ModSeq);
        }
        let any = |test: fn(&FetchItem) -> bool| items.iter().any(test);
        let beside = Wanted {
            envelope: false,
            structure: any(section::needs_structure),
            preview: any(|item| matches!(item, FetchItem::Preview { .. })),
            body: any(is_octets),
        };
        let marks_seen = any(section::marks_seen);
        let save_dates = any(|item| matches!(item, FetchItem::SaveDate));
        Self { items, beside, save_dates, marks_seen }
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
    plan: &Plan,
) -> Result<(Vec<Target>, &'a [usize]), Failure> {
    let mut wanted = plan.beside;
    // Those of which something must be read, by their places in `targets`.
    let mut unread = Vec::new();
    let mut targets = Vec::with_capacity(positions.len());
    let mut view: Option<Arc<FolderView>> = None;
    let mut taken = 0;
    for position in positions {
        if let Some(Listed { entry, home, .. }) = selected.tracker.at(*position) {
            if !Arc::ptr_eq(view.get_or_insert_with(|| Arc::clone(home)), home) {
                break;
            }
            let (written, lacking) = Written::find(door, &plan.items, entry.content);
            if lacking.envelope || lacking.structure || wanted.preview || wanted.body {
                unread.push(targets.len());
                wanted.envelope |= lacking.envelope;
                wanted.structure |= lacking.structure;
            }
            targets.push(Target {
                position: *position,
                uid: entry.uid,
                newly_seen: None,
                written,
                message: None,
                saved: None,
            });
        }
        taken += 1;
    }
    if let Some(view) = view.as_ref().filter(|_| plan.save_dates) {
        let uids: Vec<Uid> = targets.iter().map(|target| target.uid).collect();
        let dates = door.engine.save_dates(&selected.who, view, &uids).await?;
        for target in &mut targets {
            target.saved = dates.get(&target.uid).copied();
        }
    }
    if let Some(view) = view.filter(|_| !unread.is_empty()) {
        let uids: Vec<Uid> =
            unread.iter().filter_map(|at| targets.get(*at)).map(|target| target.uid).collect();
        let messages = door.engine.messages(&selected.who, &view, &uids, wanted).await?;
        if let Some(first_left) = unread.get(messages.len()).copied() {
            let next = targets.get(first_left).map(|target| target.position);
            taken = positions.iter().position(|position| Some(*position) == next).unwrap_or(taken);
            targets.truncate(first_left);
        }
        for (at, message) in unread.into_iter().zip(messages) {
            if let Some(target) = targets.get_mut(at) {
                target.message = message;
            }
        }
    }
    Ok((targets, positions.get(taken..).unwrap_or_default()))
}

/// RFC 3501 6.4.5: reading a body sets \Seen.
async fn mark_seen(door: &Door, selected: &mut Selected, targets: &mut [Target]) -> Result<(), Failure> {
    let is_unseen = |target: &&Target| {
        let listed = selected.tracker.at(target.position);
        target.message.is_some()
            && listed.is_some_and(|listed| !listed.gone && !listed.entry.flags.contains(Flags::SEEN))
    };
    let unseen: Vec<Uid> = targets.iter().filter(is_unseen).map(|target| target.uid).collect();
    if unseen.is_empty() {
        return Ok(());
    }
    let edit = FlagEdit { mode: FlagMode::Add, flags: Flags::SEEN, keywords: Vec::new() };
    // Flags and MODSEQ told with the body are true of one moment only where nobody came between.
    let since = Some(selected.tracker.view().modseq());
    let (who, folder) = (&selected.who, selected.folder);
    let stored = door.engine.store_flags_unchanged(who, folder, &unseen, &edit, since).await;
    let stored = stored.map_err(refusal)?;
    if !stored.modified.is_empty() {
        // The sync behind the command tells what has become of these.
        door.engine.store_flags(who, folder, &stored.modified, &edit).await.map_err(refusal)?;
    }
    for target in targets.iter_mut().filter(|target| stored.changed.contains(&target.uid)) {
        target.newly_seen = Some(stored.modseq);
        selected.tracker.believe(target.uid, &edit);
        if door.enabled.condstore {
            selected.tracker.believe_modseq(target.uid, stored.modseq);
        }
    }
    Ok(())
}

fn refusal(error: StoreError) -> Failure {
    match error {
        StoreError::TooManyKeywords => flags::too_many_keywords().into(),
        StoreError::Engine(error) => error.into(),
    }
}

pub(crate) fn with_body(target: &Target) -> Option<(&Message, &Body)> {
    let message = target.message.as_ref()?;
    Some((message, message.body.as_ref()?))
}

/// One FETCH response; false if something of it was lost with an expunged message.
async fn answer(door: &mut Door, selected: &Selected, plan: &Plan, target: &Target) -> Result<bool, Failure> {
    let Some(listed) = selected.tracker.at(target.position) else { return Ok(false) };
    let mut complete = true;
    door.wire.out.fetch_start(number(target.position));
    for item in &plan.items {
        if is_octets(item) {
            complete &= octets(door, item, target).await?;
        } else {
            complete &= attribute(door, selected, item, &listed, target);
        }
        door.wire.relieve().await?;
    }
    if target.newly_seen.is_some() {
        // RFC 3501 6.4.5: the flags changed, and are told with it; RFC 7162 3.2.4: with uid and MODSEQ.
        let also = [FetchItem::Flags, FetchItem::Uid, FetchItem::ModSeq];
        let aware = door.enabled.condstore;
        let wanted = also.iter().filter(|item| aware || **item == FetchItem::Flags);
        for item in wanted.filter(|item| !plan.items.contains(*item)) {
            attribute(door, selected, item, &listed, target);
        }
    }
    door.wire.out.fetch_end();
    door.wire.relieve().await?;
    Ok(complete)
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
    // The head is there, see `answer_all`.
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
