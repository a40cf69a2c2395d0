//! FETCH responses, item by item: `fetch_start`, any of the `fetch_…` items, `fetch_end`.

use super::Writer;
use crate::imap::date::write_date_time;
use crate::imap::{BinarySection, BodySection, FetchItem, Partial, Section, SectionText};
use crate::mime::{Envelope, MailAddress, Structure};
use jiff::Timestamp;
use jiff::tz::Offset;

impl Writer {
    /// `nz-number SP "FETCH" SP "("`, for a message sequence number.
    pub fn fetch_start(&mut self, number: u32) {
        self.text("* ");
        self.number(number.into());
        self.text(" FETCH (");
        (self.within, self.behind_item) = (true, false);
    }

    /// `")" CRLF`
    pub fn fetch_end(&mut self) {
        self.text(")\r\n");
        (self.within, self.behind_item) = (false, false);
    }

    /// Was a FETCH response begun and not ended? Then nothing else can be said: it would be taken for octets of a literal.
    #[must_use]
    pub const fn is_within(&self) -> bool {
        self.within
    }

    pub(super) fn item(&mut self, name: &str) {
        if std::mem::replace(&mut self.behind_item, true) {
            self.byte(b' ');
        }
        self.text(name);
    }

    /// Where the next item will begin, for [`Writer::written_since`].
    #[must_use]
    pub fn next_item(&self) -> usize {
        self.len() + usize::from(self.behind_item)
    }

    /// The octets of the item that was written since [`Writer::next_item`] said so, to be kept for
    /// [`Writer::fetch_written`]; nothing when they have been taken.
    #[must_use]
    pub fn written_since(&self, item: usize) -> &[u8] {
        self.out.get(item..).unwrap_or_default()
    }

    /// An item as it was written before, by a writer with the same [`Writer::is_utf8`].
    pub fn fetch_written(&mut self, octets: &[u8]) {
        self.item("");
        self.raw(octets);
    }

    /// `"UID" SP uniqueid`
    pub fn fetch_uid(&mut self, uid: u32) {
        self.item("UID ");
        self.number(uid.into());
    }

    /// `"FLAGS" SP "(" [flag-fetch *(SP flag-fetch)] ")"`
    pub fn fetch_flags<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.item("FLAGS ");
        self.list(names, Self::text);
    }

    /// `"INTERNALDATE" SP date-time`, shown as the local time at `offset`.
    pub fn fetch_internal_date(&mut self, at: Timestamp, offset: Offset) {
        self.item("INTERNALDATE ");
        self.text(&write_date_time(at, offset));
    }

    /// `"RFC822.SIZE" SP number`
    pub fn fetch_size(&mut self, bytes: u64) {
        self.item("RFC822.SIZE ");
        self.number(bytes);
    }

    /// `"ENVELOPE" SP envelope`
    pub fn fetch_envelope(&mut self, envelope: &Envelope) {
        self.item("ENVELOPE ");
        self.envelope(envelope);
    }

    /// `"BODY" SP body`
    pub fn fetch_body(&mut self, structure: &Structure) {
        self.item("BODY ");
        self.structure(structure, false);
    }

    /// `"BODYSTRUCTURE" SP body`
    pub fn fetch_body_structure(&mut self, structure: &Structure) {
        self.item("BODYSTRUCTURE ");
        self.structure(structure, true);
    }

    /// `"BODY" section ["<" number ">"] SP nstring`, up to the announcement of `bytes` octets, which the caller
    /// writes next; `None` is NIL: there is no such part.
    pub fn fetch_section(&mut self, wanted: &BodySection, bytes: Option<u64>) {
        self.item("BODY");
        self.section(&wanted.section);
        self.origin(wanted.partial);
        self.announce(bytes);
    }

    /// `"BINARY" section-binary ["<" number ">"] SP (nstring / literal8)` (RFC 3516 7), in the same way; a literal8 where
    /// the octets hold a NUL.
    pub fn fetch_binary(&mut self, wanted: &BinarySection, bytes: Option<u64>, has_nul: bool) {
        self.item("BINARY");
        self.section_binary(&wanted.part);
        self.origin(wanted.partial);
        match bytes {
            Some(bytes) if has_nul => {
                self.text(" ~{");
                self.number(bytes);
                self.text("}\r\n");
            }
            bytes => self.announce(bytes),
        }
    }

    /// `"BINARY.SIZE" section-binary SP number`
    pub fn fetch_binary_size(&mut self, part: &[u32], bytes: u64) {
        self.item("BINARY.SIZE");
        self.section_binary(part);
        self.byte(b' ');
        self.number(bytes);
    }

    /// `["<" number ">"]`
    fn origin(&mut self, partial: Option<Partial>) {
        if let Some(partial) = partial {
            self.byte(b'<');
            self.number(partial.offset.into());
            self.byte(b'>');
        }
    }

    /// `section-binary = "[" [section-part] "]"`
    fn section_binary(&mut self, part: &[u32]) {
        self.byte(b'[');
        self.section_part(part);
        self.byte(b']');
    }

    /// `section-part = nz-number *("." nz-number)`
    fn section_part(&mut self, part: &[u32]) {
        for (index, number) in part.iter().enumerate() {
            if index > 0 {
                self.byte(b'.');
            }
            self.number((*number).into());
        }
    }

    /// The same for `"RFC822" [".HEADER" / ".TEXT"] SP nstring`; other items are not written.
    pub fn fetch_rfc822(&mut self, wanted: &FetchItem, bytes: Option<u64>) {
        self.item(match wanted {
            FetchItem::Rfc822 => "RFC822",
            FetchItem::Rfc822Header => "RFC822.HEADER",
            FetchItem::Rfc822Text => "RFC822.TEXT",
            _ => return,
        });
        self.announce(bytes);
    }

    /// RFC 7888 5: a server's literals are always of the plain form.
    fn announce(&mut self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => {
                self.text(" {");
                self.number(bytes);
                self.text("}\r\n");
            }
            None => self.text(" NIL"),
        }
    }

    /// `section = "[" [section-spec] "]"`
    fn section(&mut self, section: &Section) {
        self.byte(b'[');
        self.section_part(&section.part);
        if section.text.is_some() && !section.part.is_empty() {
            self.byte(b'.');
        }
        match &section.text {
            None => {}
            Some(SectionText::Header) => self.text("HEADER"),
            Some(SectionText::Text) => self.text("TEXT"),
            Some(SectionText::Mime) => self.text("MIME"),
            Some(SectionText::HeaderFields(names)) => {
                self.text("HEADER.FIELDS ");
                self.list(names, |w, name| w.astring(name.as_bytes()));
            }
            Some(SectionText::HeaderFieldsNot(names)) => {
                self.text("HEADER.FIELDS.NOT ");
                self.list(names, |w, name| w.astring(name.as_bytes()));
            }
        }
        self.byte(b']');
    }

    /// `envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP`
    /// `env-bcc SP env-in-reply-to SP env-message-id ")"`
    pub(super) fn envelope(&mut self, envelope: &Envelope) {
        self.byte(b'(');
        self.nstring(envelope.date.as_deref());
        self.byte(b' ');
        self.nstring(envelope.subject.as_deref());
        let e = envelope;
        for addresses in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
            self.byte(b' ');
            self.addresses(addresses);
        }
        self.byte(b' ');
        self.nstring(envelope.in_reply_to.as_deref());
        self.byte(b' ');
        self.nstring(envelope.message_id.as_deref());
        self.byte(b')');
    }

    /// `env-from = "(" 1*address ")" / nil`
    /// `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`
    fn addresses(&mut self, addresses: &[MailAddress]) {
        if addresses.is_empty() {
            return self.text("NIL");
        }
        self.byte(b'(');
        for address in addresses {
            let fields = [&address.name, &address.route, &address.mailbox, &address.host];
            self.list(fields, |w, field| w.nstring(field.as_deref()));
        }
        self.byte(b')');
    }
}
