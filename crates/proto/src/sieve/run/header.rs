//! The message's header as the script sees it, and as it leaves it (RFC 5293). What came is never changed: an action takes a
//! copy of the header as it is at that moment.

use super::super::compile::headers::is_field_name;
use super::super::setting::Reason;
use super::{Halt, Ran};
use crate::mime::{decode_header, header_end, header_fields};
use std::borrow::Cow;
use std::rc::Rc;

/// Octets that a script may add.
const ADDED_OCTETS_MAX: usize = 64 * 1024;
/// Octets of all changed headers of a run together.
pub(in crate::sieve) const EDITIONS_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Fields that scripts see. Those behind stay in the header.
const FIELDS_MAX: usize = 10_000;

pub(super) struct Header<'a> {
    raw: &'a [u8],
    fields: Rc<Vec<Field<'a>>>,
    /// Changed since the last edition was taken.
    changed: bool,
    editions: Vec<Vec<u8>>,
    added: usize,
}

/// How a header was at a moment.
pub(super) struct Mark<'a> {
    fields: Rc<Vec<Field<'a>>>,
    changed: bool,
    editions: usize,
    added: usize,
}

#[derive(Clone)]
pub(super) struct Field<'a> {
    /// As written.
    pub(super) name: Cow<'a, [u8]>,
    /// Behind the colon, folding kept.
    value: Cow<'a, [u8]>,
    /// With its name and line end.
    raw: Cow<'a, [u8]>,
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// For people, without white space around (RFC 5228 5.7).
    pub(super) fn text(&self) -> String {
        decode_header(&self.value).trim().to_owned()
    }

    /// As it is written, folding kept.
    pub(super) fn octets(&self) -> &[u8] {
        &self.value
    }
}

impl<'a> Header<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let header = raw.get(..header_end(raw)).unwrap_or(raw);
        let fields = header_fields(header).take(FIELDS_MAX).map(|field| Field {
            name: Cow::Borrowed(field.name),
            value: Cow::Borrowed(field.value),
            raw: Cow::Borrowed(field.raw),
        });
        Self {
            raw: header,
            fields: Rc::new(fields.collect()),
            changed: false,
            editions: Vec::new(),
            added: 0,
        }
    }

    pub(super) fn mark(&self) -> Mark<'a> {
        let fields = Rc::clone(&self.fields);
        Mark { fields, changed: self.changed, editions: self.editions.len(), added: self.added }
    }

    /// What was changed since is as if it had not been.
    pub(super) fn back_to(&mut self, mark: Mark<'a>) {
        (self.fields, self.changed, self.added) = (mark.fields, mark.changed, mark.added);
        self.editions.truncate(mark.editions);
    }

    pub(super) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// All of a name, in their order: none of what cannot be a name (RFC 5228 2.4.2.2).
    pub(super) fn named<'h, 'n>(
        &'h self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'h Field<'a>> + use<'h, 'n, 'a> {
        let fields = if is_field_name(name) { self.fields.as_slice() } else { &[] };
        fields.iter().filter(move |field| field.is(name))
    }

    /// RFC 5293 4: before all others, or behind them.
    pub(super) fn add(&mut self, name: &str, value: &str, last: bool) -> Ran<()> {
        let raw = written(name, value);
        self.added += raw.len();
        if self.added > ADDED_OCTETS_MAX {
            return Err(Halt::Failed(Reason::TooMuchHeader(ADDED_OCTETS_MAX)));
        }
        let colon = name.len() + 1;
        let field = Field {
            name: Cow::Owned(name.as_bytes().to_vec()),
            value: Cow::Owned(raw.get(colon..).unwrap_or_default().trim_ascii_end().to_vec()),
            raw: Cow::Owned(raw),
        };
        let fields = Rc::make_mut(&mut self.fields);
        fields.insert(if last { fields.len() } else { 0 }, field);
        self.changed = true;
        Ok(())
    }

    /// Takes out those fields, by their places.
    pub(super) fn remove(&mut self, places: &[usize]) {
        let mut place = 0;
        Rc::make_mut(&mut self.fields).retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        self.changed |= !places.is_empty();
    }

    /// What going through all fields costs.
    pub(super) fn cost(&self) -> usize {
        1 + self.fields.len() / 32
    }

    /// The number of the header as it is now; 0: as it came.
    ///
    /// # Errors
    /// Changed headers are too large, taken together.
    pub(super) fn edition(&mut self) -> Ran<usize> {
        if self.changed {
            let behind = header_fields(self.raw).skip(FIELDS_MAX).flat_map(|field| field.raw.iter().copied());
            let fields = self.fields.iter().flat_map(|field| field.raw.iter().copied());
            let mut header: Vec<u8> = fields.chain(behind).collect();
            if !header.is_empty() && !header.ends_with(b"\n") {
                header.extend_from_slice(b"\r\n");
            }
            header.extend_from_slice(b"\r\n");
            let taken: usize = self.editions.iter().map(Vec::len).sum();
            if taken + header.len() > EDITIONS_OCTETS_MAX {
                return Err(Halt::Failed(Reason::TooMuchHeader(EDITIONS_OCTETS_MAX)));
            }
            self.editions.push(header);
            self.changed = false;
        }
        Ok(self.editions.len())
    }

    pub(super) fn editions(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.editions)
    }
}

/// RFC 5293 4: no line end of the value's own makes a field of its own; UTF-8 stays as it is (RFC 6532).
fn written(name: &str, value: &str) -> Vec<u8> {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let value = value.trim();
    let mut line = format!("{name}:");
    let mut width = line.len();
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        const WIDTH_MAX: usize = 76; // RFC 5322 2.1.1
        if width + 1 + word.len() > WIDTH_MAX && width > name.len() + 1 {
            line.push_str("\r\n");
            width = 0;
        }
        line.push(' ');
        line.push_str(word);
        width += 1 + word.len();
    }
    if line.ends_with(':') {
        line.push(' ');
    }
    line.push_str("\r\n");
    line.into_bytes()
}
