//! What FETCH tells of a message that is not its octets, and the FETCH responses that nobody asked for.
//!
//! Invariant: where the client wants MODSEQ, every response that tells of a change carries it and the uid
//! (RFC 7162 3.2.4).

use super::fetch::Target;
use super::session::{Door, Selected};
use super::tracker::Listed;
use super::{flags, rendered, search};
use engine::FolderView;
use model::Flags;
use proto::imap::{FetchItem, ObjectKind};

/// What an unsolicited FETCH tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Flags that have changed, or that a STORE wants told.
    Flags,
    /// A MODSEQ behind which the flags are those the client knows.
    ModSeq,
}

/// An untagged FETCH for the message at `position`.
pub(crate) fn tell(door: &mut Door, selected: &Selected, position: usize, news: News) {
    let Some(listed) = selected.tracker.at(position) else { return };
    let out = &mut door.wire.out;
    out.fetch_start(number(position));
    // RFC 3501 6.4.8 wants the uid for UID STORE; it does no harm in the others and spares clients a question.
    out.fetch_uid(listed.entry.uid.0);
    if news == News::Flags {
        let recent = selected.tracker.is_recent(listed.entry.uid);
        out.fetch_flags(flags::shown(listed.home, listed.entry, listed.entry.flags, recent));
    }
    if door.enabled.condstore {
        // RFC 7162 3.1
        out.fetch_modseq(listed.entry.modseq.0);
    }
    out.fetch_end();
}

/// An item that is in memory; false if it is lost.
pub(crate) fn attribute(
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
            let seen = if target.newly_seen.is_some() { Flags::SEEN } else { Flags::NONE };
            let recent = selected.tracker.is_recent(entry.uid);
            out.fetch_flags(flags::shown(listed.home, entry, entry.flags | seen, recent));
        }
        FetchItem::InternalDate => out.fetch_internal_date(entry.internal_date, search::ZONE),
        FetchItem::Rfc822Size => out.fetch_size(u64::from(entry.size)),
        FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => {
            return rendered::tell(door, item, entry.content, target);
        }
        FetchItem::ModSeq => out.fetch_modseq(target.newly_seen.unwrap_or(entry.modseq).0),
        // RFC 8474 5.1: the same after COPY and MOVE, so it names the content (docs/adr/0011).
        FetchItem::EmailId => out.fetch_object_id(ObjectKind::Email, entry.content.0.cast_unsigned()),
        FetchItem::ThreadId => out.fetch_object_id(ObjectKind::Thread, entry.thread.0.cast_unsigned()),
        FetchItem::SaveDate => {
            out.fetch_save_date(target.saved, search::ZONE);
            return target.saved.is_some();
        }
        // RFC 8970 4.1: previews are kept beside the messages, so LAZY gets them, too.
        FetchItem::Preview { .. } => match message.and_then(|message| message.preview.as_deref()) {
            Some(preview) => out.fetch_preview(Some(preview)),
            None => return false,
        },
        FetchItem::Rfc822
        | FetchItem::Rfc822Header
        | FetchItem::Rfc822Text
        | FetchItem::Section(_)
        | FetchItem::Binary(_)
        | FetchItem::BinarySize(_) => {}
    }
    true
}

/// The sequence number at a position.
pub(crate) fn number(position: usize) -> u32 {
    u32::try_from(position + 1).unwrap_or(u32::MAX)
}
