//! FETCH (RFC 3501 6.4.5): messages in batches, bodies piece by piece.
//!
//! Invariants: memory does not grow with the size of a message or the number asked for; what the database cannot give
//! is found out before the response that needs it is begun, as far as one can; nothing is told here but what was asked
//! for and the \Seen it caused.

use super::attributes::{attribute, number};
use super::binary;
use super::heads::Heads;
use super::limits::FETCH_BATCH;
use super::rendered::Written;
use super::reply::{Failure, Outcome, Reply};
use super::section;
use super::session::{Door, Selected};
use super::tracker::Listed;
use super::{flags, octets, resync};
use engine::{Body, FlagEdit, FlagMode, FolderView, Message, StoreError, Wanted};
use jiff::Timestamp;
use model::{Flags, ModSeq, Uid};
use proto::imap::{Code, FetchItem, FetchModifiers, SequenceSet};
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
    reads_text: bool,
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
    let mut lacking = Lacking::default();
    for (at, batch) in positions.chunks(FETCH_BATCH).enumerate() {
        door.progress((at * FETCH_BATCH) as u64, Some(positions.len() as u64)).await?;
        if at > 0 {
            // Of what is kept nothing else is asked, and a client may take its time.
            door.engine.check_lent(&selected.who).await?;
        }
        let mut unread = batch;
        while !unread.is_empty() {
            let targets;
            (targets, unread) = load(door, selected, unread, &plan).await?;
            let read: Vec<Uid> =
                if plan.reads_text { targets.iter().map(|target| target.uid).collect() } else { Vec::new() };
            answer_all(door, selected, &plan, targets, &mut lacking).await?;
            if !read.is_empty() {
                door.engine.note_retrieved(&selected.who, selected.tracker.view(), &read).await;
            }
        }
    }
    if lacking.encoding {
        // RFC 3516 4.3: the rest was delivered, also of these messages.
        return Err(Reply::no("The transfer encoding of a part is not known").code(Code::UnknownCte).into());
    }
    if lacking.message {
        // RFC 2180 4.1.2, RFC 5530 3: the rest was delivered.
        return Err(Reply::no("Some of the messages no longer exist").code(Code::ExpungeIssued).into());
    }
    Ok(Reply::ok("FETCH completed"))
}

/// What could not be told of some message.
#[derive(Debug, Default)]
struct Lacking {
    /// It was gone.
    message: bool,
    /// A part's encoding is not known.
    encoding: bool,
}

async fn answer_all(
    door: &mut Door,
    selected: &mut Selected,
    plan: &Plan,
    mut targets: Vec<Target>,
    lacking: &mut Lacking,
) -> Result<(), Failure> {
    if plan.marks_seen && !selected.read_only {
        mark_seen(door, selected, plan, &mut targets).await?;
    }
    if !plan.beside.body {
        for target in &targets {
            answer(door, selected, plan, target, lacking).await?;
        }
        return Ok(());
    }
    let mut rest = targets.as_slice();
    while !rest.is_empty() {
        let heads = Heads::of(&plan.items, rest);
        let (now, later) = rest.split_at_checked(heads.count).unwrap_or((rest, &[]));
        heads.bring(&door.engine).await?;
        for target in now {
            answer(door, selected, plan, target, lacking).await?;
        }
        rest = later;
    }
    Ok(())
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
        let reads_text = any(section::reads_text);
        Self { items, beside, save_dates, marks_seen, reads_text }
    }
}

fn is_octets(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Rfc822
            | FetchItem::Rfc822Header
            | FetchItem::Rfc822Text
            | FetchItem::Section(_)
            | FetchItem::Binary(_)
            | FetchItem::BinarySize(_)
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
async fn mark_seen(
    door: &Door,
    selected: &mut Selected,
    plan: &Plan,
    targets: &mut [Target],
) -> Result<(), Failure> {
    let reads = |target: &Target| {
        let mut marking = plan.items.iter().filter(|item| section::marks_seen(item));
        target.message.is_some() && marking.any(|item| !binary::is_unknown(item, target))
    };
    let is_unseen = |target: &&Target| {
        let listed = selected.tracker.at(target.position);
        reads(target)
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
        selected.tracker.believe_modseq(target.uid, stored.modseq);
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

/// One FETCH response, of what can be told.
async fn answer(
    door: &mut Door,
    selected: &Selected,
    plan: &Plan,
    target: &Target,
    lacking: &mut Lacking,
) -> Result<(), Failure> {
    let Some(listed) = selected.tracker.at(target.position) else {
        lacking.message = true;
        return Ok(());
    };
    let unknown = plan.items.iter().filter(|item| binary::is_unknown(item, target)).count();
    lacking.encoding |= unknown > 0;
    if unknown == plan.items.len() {
        return Ok(());
    }
    door.wire.out.fetch_start(number(target.position));
    for item in &plan.items {
        if unknown > 0 && binary::is_unknown(item, target) {
            continue;
        }
        let complete = if is_octets(item) {
            octets::tell(door, item, target, listed.entry.content).await?
        } else {
            attribute(door, selected, item, &listed, target)
        };
        lacking.message |= !complete;
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
    Ok(())
}
