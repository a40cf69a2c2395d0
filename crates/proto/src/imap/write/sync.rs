//! Responses of CONDSTORE, QRESYNC, OBJECTID, SAVEDATE and PREVIEW.

use super::Writer;
use crate::imap::ObjectKind;
use crate::imap::date::write_date_time;
use jiff::Timestamp;
use jiff::tz::Offset;

impl Writer {
    /// `fetch-mod-resp = "MODSEQ" SP "(" permsg-modsequence ")"` (RFC 7162 7)
    pub fn fetch_modseq(&mut self, modseq: u64) {
        self.item("MODSEQ (");
        self.number(modseq);
        self.byte(b')');
    }

    /// `fetch-emailid-resp = "EMAILID" SP "(" objectid ")"`, `fetch-threadid-resp` likewise (RFC 8474 7); the kind
    /// of a mailbox is not one of a message and is not written.
    pub fn fetch_object_id(&mut self, kind: ObjectKind, number: u64) {
        self.item(match kind {
            ObjectKind::Email => "EMAILID (",
            ObjectKind::Thread => "THREADID (",
            ObjectKind::Mailbox => return,
        });
        self.object_id(kind, number);
        self.byte(b')');
    }

    /// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 7): the kind's letter and the number.
    pub(super) fn object_id(&mut self, kind: ObjectKind, number: u64) {
        self.text(kind.prefix().encode_utf8(&mut [0; 4]));
        self.number(number);
    }

    /// `"SAVEDATE" SP (date-time / nil)` (RFC 8514 5), shown as the local time at `offset`.
    pub fn fetch_save_date(&mut self, at: Option<Timestamp>, offset: Offset) {
        self.item("SAVEDATE ");
        match at {
            Some(at) => self.text(&write_date_time(at, offset)),
            None => self.text("NIL"),
        }
    }

    /// `"PREVIEW" SP nstring` (RFC 8970 6)
    pub fn fetch_preview(&mut self, preview: Option<&str>) {
        self.item("PREVIEW ");
        self.nstring(preview.map(str::as_bytes));
    }

    /// `expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids` (RFC 7162 7) for spans with both ends included,
    /// ascending and apart from each other; nothing for none.
    pub fn vanished(&mut self, earlier: bool, spans: &[(u32, u32)]) {
        if spans.is_empty() {
            return;
        }
        self.text(if earlier { "* VANISHED (EARLIER) " } else { "* VANISHED " });
        for (index, (first, last)) in spans.iter().enumerate() {
            if index > 0 {
                self.byte(b',');
            }
            self.number((*first).into());
            if first != last {
                self.byte(b':');
                self.number((*last).into());
            }
        }
        self.crlf();
    }
}
