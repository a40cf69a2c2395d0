//! ENVELOPE, BODY and BODYSTRUCTURE as they are written, kept by the node for whoever asks next.
//!
//! Invariant: what is kept under a form was written by a writer of the same kind (RFC 6855 changes quoted strings), from
//! facts that never change.

use super::fetch::Target;
use super::session::Door;
use model::ContentId;
use proto::imap::FetchItem;
use std::sync::Arc;

/// ENVELOPE, BODY, BODYSTRUCTURE.
const FORMS: usize = 3;

/// What was kept of a message.
#[derive(Debug, Default)]
pub(crate) struct Written([Option<Arc<[u8]>>; FORMS]);

/// What must be read of a message because it was not kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lacking {
    pub(crate) envelope: bool,
    pub(crate) structure: bool,
}

fn form(item: &FetchItem) -> Option<usize> {
    match item {
        FetchItem::Envelope => Some(0),
        FetchItem::Body => Some(1),
        FetchItem::BodyStructure => Some(2),
        _ => None,
    }
}

fn key(door: &Door, form: usize) -> u8 {
    let utf8 = if door.wire.out.is_utf8() { FORMS } else { 0 };
    u8::try_from(form + utf8).unwrap_or(u8::MAX)
}

impl Written {
    /// What is kept for `items`, and what is not.
    pub(crate) fn find(door: &Door, items: &[FetchItem], content: ContentId) -> (Self, Lacking) {
        let (mut written, mut lacking) = (Self::default(), Lacking::default());
        for item in items {
            let Some(form) = form(item) else { continue };
            let kept = door.engine.renderings().find(content, key(door, form));
            if kept.is_none() {
                match item {
                    FetchItem::Envelope => lacking.envelope = true,
                    _ => lacking.structure = true,
                }
            }
            if let Some(place) = written.0.get_mut(form) {
                *place = kept;
            }
        }
        (written, lacking)
    }
}

/// Writes one of the three; false if the message is gone.
pub(crate) fn tell(door: &mut Door, item: &FetchItem, content: ContentId, target: &Target) -> bool {
    let Some(form) = form(item) else { return true };
    let key = key(door, form);
    let out = &mut door.wire.out;
    if let Some(Some(octets)) = target.written.0.get(form) {
        out.fetch_written(octets);
        return true;
    }
    let Some(message) = &target.message else { return false };
    let start = out.next_item();
    match (item, &message.envelope, &message.structure) {
        (FetchItem::Envelope, Some(envelope), _) => out.fetch_envelope(envelope),
        (FetchItem::Body, _, Some(structure)) => out.fetch_body(structure),
        (FetchItem::BodyStructure, _, Some(structure)) => out.fetch_body_structure(structure),
        _ => return false,
    }
    door.engine.renderings().keep(content, key, out.written_since(start));
    true
}
