//! What went and what changed since a client last looked (RFC 7162 3.2.5, 3.2.6), answered from the folder view and its
//! tombstones.
//!
//! Invariants: when nothing has moved since, nothing is asked or looked through; VANISHED (EARLIER) never names a
//! message the client counts; where tombstones are missing, every uid that is not there is told, and all of what is: the
//! client may know a later moment than the one the database has come back to (store::timeline).

use super::attributes::{self, News};
use super::enable;
use super::fetch::Fetch;
use super::limits::VANISHED_SPANS;
use super::reply::{Failure, Reply};
use super::session::{Door, Selected};
use super::tracker::{Listing, Tracker};
use crate::socket::Ended;
use engine::Gone;
use model::{ModSeq, Uid};
use proto::imap::{FetchItem, FetchModifiers, QResync, SeqMatch, SequenceSet};
use std::ops::Range;

/// Spans of numbers, both ends included, ascending and apart from each other.
type Spans = Vec<(u32, u32)>;

/// Behind the responses of SELECT and EXAMINE: brings the client up to date with the mailbox it knew.
pub(crate) async fn answer(door: &mut Door, selected: &Selected, known: &QResync) -> Result<(), Failure> {
    let view = selected.tracker.view();
    let since = ModSeq(known.modseq);
    // RFC 7162 3.2.5: under another UIDVALIDITY the client knows nothing.
    if known.uid_validity != view.folder().uid_validity.0 || since >= view.modseq() {
        return Ok(());
    }
    // RFC 7162 3.2.5.1: without uids, all there ever were.
    let uids = match &known.known_uids {
        Some(set) => clipped(set, selected),
        None => vec![(1, highest_uid(selected))],
    };
    let forgotten = vanished(door, selected, &uids, since, known.seq_match.as_ref()).await?;
    for (low, high) in uids {
        for position in selected.tracker.span_of_uids(low, high) {
            let listed = selected.tracker.at(position);
            if listed.is_some_and(|listed| forgotten || listed.entry.modseq > since) {
                attributes::tell(door, selected, position, News::Flags);
                door.wire.relieve().await?;
            }
        }
    }
    Ok(())
}

/// The positions of `spans` that FETCH's modifiers leave, with what goes before the first response.
pub(crate) async fn narrowed(
    door: &mut Door,
    selected: &Selected,
    asked: &Fetch,
    spans: Vec<Range<usize>>,
) -> Result<Vec<usize>, Failure> {
    let FetchModifiers { changed_since, vanished: with_vanished, partial } = asked.modifiers;
    if with_vanished && !door.enabled.qresync {
        // RFC 7162 3.2.6
        return Err(Reply::bad("ENABLE QRESYNC comes first").into());
    }
    if changed_since.is_some() || asked.items.contains(&FetchItem::ModSeq) {
        enable::condstore(door, Some(selected));
    }
    let mut positions: Vec<usize> = spans.into_iter().flatten().collect();
    if let Some(range) = partial {
        // RFC 9394 3.4: first these, then those of them that changed.
        let range = range.among(positions.len());
        positions.truncate(range.end);
        positions.drain(..range.start);
    }
    let Some(since) = changed_since.map(ModSeq) else { return Ok(positions) };
    if since >= selected.tracker.view().modseq() {
        return Ok(Vec::new());
    }
    if with_vanished {
        // RFC 7162 3.2.6: before any FETCH response.
        let uids = clipped(&asked.set, selected);
        if vanished(door, selected, &uids, since, None).await? {
            return Ok(positions);
        }
    }
    positions.retain(|at| selected.tracker.at(*at).is_some_and(|listed| listed.entry.modseq > since));
    Ok(positions)
}

/// The spans of uids that `set` names, among all that were ever given out; `*` is the last of them.
pub(crate) fn clipped(set: &SequenceSet, selected: &Selected) -> Spans {
    if set.is_saved() {
        // RFC 5182 2.1: what a search found; its uids are kept though the messages may have gone.
        return selected.saved.clone();
    }
    let last = highest_uid(selected);
    let spans = set.spans(last).into_iter();
    spans.filter(|(low, _)| *low <= last).map(|(low, high)| (low, high.min(last))).collect()
}

fn highest_uid(selected: &Selected) -> u32 {
    selected.tracker.view().folder().uid_next.0.saturating_sub(1)
}

/// VANISHED (EARLIER) for those of `uids` that went after `since`; true if it is not known any more which went.
pub(crate) async fn vanished(
    door: &mut Door,
    selected: &Selected,
    uids: &Spans,
    since: ModSeq,
    sample: Option<&SeqMatch>,
) -> Result<bool, Failure> {
    let tracker = &selected.tracker;
    let gone = door.engine.gone(&selected.who, tracker.view(), since).await?;
    let forgotten = gone == Gone::Forgotten;
    let spans = match gone {
        Gone::Known(gone) => {
            let asked = gone.into_iter().filter(|uid| {
                let before = uids.partition_point(|(low, _)| *low <= uid.0);
                before.checked_sub(1).and_then(|at| uids.get(at)).is_some_and(|(_, high)| uid.0 <= *high)
            });
            // Those the client still counts are told as VANISHED without EARLIER (RFC 7162 3.2.10).
            runs(asked.filter(|uid| tracker.span_of_uids(uid.0, uid.0).is_empty()))
        }
        // RFC 7162 3.2.6: all that are not there; 3.2.5.2: but those the client must have heard of.
        Gone::Forgotten => missing(tracker, uids, sample.map_or(0, |sample| known_up_to(tracker, sample))),
    };
    tell(door, true, &spans).await?;
    Ok(forgotten)
}

/// VANISHED, in lines of bounded length.
pub(crate) async fn tell(door: &mut Door, earlier: bool, spans: &[(u32, u32)]) -> Result<(), Ended> {
    for piece in spans.chunks(VANISHED_SPANS) {
        door.wire.out.vanished(earlier, piece);
        door.wire.relieve().await?;
    }
    Ok(())
}

/// Ascending uids as spans.
pub(crate) fn runs(uids: impl IntoIterator<Item = Uid>) -> Spans {
    let mut spans: Spans = Vec::new();
    for Uid(uid) in uids {
        match spans.last_mut() {
            Some((_, high)) if high.checked_add(1) == Some(uid) => *high = uid,
            _ => spans.push((uid, uid)),
        }
    }
    spans
}

/// What of `uids` is above `floor` and not counted by the client.
fn missing<V: Listing>(tracker: &Tracker<V>, uids: &Spans, floor: u32) -> Spans {
    let mut spans = Vec::new();
    for (low, high) in uids {
        let mut from = Some((*low).max(floor.saturating_add(1))).filter(|from| from <= high && floor < *high);
        let Some(start) = from else { continue };
        for listed in tracker.span_of_uids(start, *high).filter_map(|position| tracker.at(position)) {
            let uid = listed.entry.uid.0;
            spans.extend(from.filter(|from| *from < uid).map(|from| (from, uid - 1)));
            from = uid.checked_add(1);
        }
        spans.extend(from.filter(|from| from <= high).map(|from| (from, *high)));
    }
    spans
}

/// RFC 7162 3.2.5.2: the highest uid that has the number the client gave it, so that it knows of every expunge below.
fn known_up_to<V: Listing>(tracker: &Tracker<V>, sample: &SeqMatch) -> u32 {
    let count = tracker.exists();
    let numbers = |set: &SequenceSet| set.spans(0).into_iter().flat_map(|(low, high)| low..=high);
    // Ascending numbers: at most as many as there are messages.
    let pairs = numbers(&sample.numbers).take_while(|number| *number <= count).zip(numbers(&sample.uids));
    let matching = pairs.filter(|(number, uid)| {
        let listed = tracker.at(*number as usize - 1);
        listed.is_some_and(|listed| listed.entry.uid.0 == *uid)
    });
    matching.last().map_or(0, |(_, uid)| uid)
}

#[cfg(test)]
#[path = "resync_tests.rs"]
mod tests;
