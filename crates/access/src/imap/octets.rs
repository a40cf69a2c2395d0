//! Items of FETCH that are octets of a message: literals, written as they are read.
//!
//! Invariant: memory does not grow with the size of a message.

use super::binary::{self, Encoded};
use super::fetch::{Target, with_body};
use super::fields::Fields;
use super::heads::head;
use super::reply::Failure;
use super::section::{self, Place};
use super::session::Door;
use crate::socket::Ended;
use engine::Body;
use model::ContentId;
use proto::imap::{FetchItem, Partial};
use std::io;
use std::ops::Range;

/// An item that is octets of the message; false if it is lost.
pub(crate) async fn tell(
    door: &mut Door,
    item: &FetchItem,
    target: &Target,
    content: ContentId,
) -> Result<bool, Failure> {
    let Some((message, body)) = with_body(target) else { return Ok(false) };
    match section::place(item, body.size(), message.structure.as_ref()) {
        None | Some(Place::Nowhere | Place::Unknown) => announce(door, item, None),
        Some(Place::Octets(range)) => stream(door, item, body, range).await?,
        Some(Place::Encoded { octets, decoder, partial }) => {
            binary::tell(door, item, &Encoded { content, body, octets, decoder, partial }).await?;
        }
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
        FetchItem::Binary(_) | FetchItem::BinarySize(_) => binary::nowhere(door, item),
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
pub(crate) fn broken(error: engine::Error) -> Ended {
    if error != engine::Error::Revoked {
        tracing::error!(%error, "a message could not be read to its end");
    }
    Ended::Gone(io::Error::other(error))
}
