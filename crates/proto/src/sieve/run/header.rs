//! The message's header as the script sees it, and as it leaves it (RFC 5293). What came is never changed: an action takes a
//! copy of the header as it is at that moment.

use super::super::compile::headers::is_field_name;
use super::super::meter::{Meter, Spent};
use super::super::program::Index;
use super::super::setting::Reason;
use super::{Halt, Ran};
use crate::mime::limits::FIELDS_MAX;
use crate::mime::{HeaderField, addresses, decode_header, header_end, header_fields};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

/// Octets that a script may add.
const ADDED_OCTETS_MAX: usize = 64 * 1024;
/// Octets of all changed headers of a run together.
const EDITIONS_OCTETS_MAX: usize = 4 * 1024 * 1024;

pub(super) struct Header<'a> {
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
    /// Once it was asked for: rules look at the same few fields again and again.
    text: OnceCell<Rc<str>>,
    addresses: OnceCell<Rc<[Rc<str>]>>,
}

impl<'a> Field<'a> {
    fn new(name: Cow<'a, [u8]>, value: Cow<'a, [u8]>, raw: Cow<'a, [u8]>) -> Self {
        Self { name, value, raw, text: OnceCell::new(), addresses: OnceCell::new() }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// For people, without white space around (RFC 5228 5.7).
    ///
    /// # Errors
    /// Nothing is left to read it.
    pub(super) fn text(&self, meter: &mut Meter) -> Result<Rc<str>, Spent> {
        if let Some(text) = self.text.get() {
            return Ok(Rc::clone(text));
        }
        meter.spend(1 + self.value.len() / 8)?;
        Ok(Rc::clone(self.text.get_or_init(|| decode_header(&self.value).trim().into())))
    }

    /// Of those that have a host (RFC 5228 2.7.4).
    ///
    /// # Errors
    /// Nothing is left to read them.
    pub(super) fn addresses(&self, meter: &mut Meter) -> Result<Rc<[Rc<str>]>, Spent> {
        if let Some(addresses) = self.addresses.get() {
            meter.spend(1 + addresses.len() / 8)?;
            return Ok(Rc::clone(addresses));
        }
        meter.spend(1 + self.value.len() / 8)?;
        let found = || {
            let listed = addresses(&self.value).filter(|entry| entry.host.is_some());
            listed.filter_map(|entry| entry.address()).map(Rc::from).collect()
        };
        Ok(Rc::clone(self.addresses.get_or_init(found)))
    }

    /// As it is written, folding kept.
    pub(super) fn octets(&self) -> &[u8] {
        &self.value
    }
}

impl<'a> Header<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Self {
        let header = raw.get(..header_end(raw)).unwrap_or(raw);
        let mut read = 0;
        let field = |field: HeaderField<'a>| {
            read += field.raw.len();
            Field::new(Cow::Borrowed(field.name), Cow::Borrowed(field.value), Cow::Borrowed(field.raw))
        };
        let mut fields: Vec<Field<'a>> = header_fields(header).take(FIELDS_MAX).map(field).collect();
        if fields.len() == FIELDS_MAX {
            // What is behind them stays as it is, and no test sees it.
            let rest = header.get(read..).unwrap_or_default();
            let rest = rest.strip_suffix(b"\r\n").or_else(|| rest.strip_suffix(b"\n")).unwrap_or(rest);
            fields.push(Field::new(Cow::Borrowed(b""), Cow::Borrowed(b""), Cow::Borrowed(rest)));
        }
        Self { fields: Rc::new(fields), changed: false, editions: Vec::new(), added: 0 }
    }

    /// The same fields, of which nothing was taken yet.
    pub(super) fn copy(&self) -> Self {
        Self { fields: Rc::clone(&self.fields), changed: false, editions: Vec::new(), added: 0 }
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

    /// Those of a name that a test looks at (RFC 5260 6.1), in their order.
    ///
    /// # Errors
    /// Nothing is left to look for them.
    pub(super) fn found(
        &self,
        name: &str,
        index: Option<Index>,
        meter: &mut Meter,
    ) -> Result<Vec<&Field<'a>>, Spent> {
        meter.spend(self.cost())?;
        let mut fields = self.named(name);
        Ok(match index {
            None => fields.collect(),
            Some(Index { number, from_the_end: false }) => fields.nth(number - 1).into_iter().collect(),
            Some(Index { number, from_the_end: true }) => fields.nth_back(number - 1).into_iter().collect(),
        })
    }

    /// RFC 5293 4: before all others, or behind them.
    pub(super) fn add(&mut self, name: &str, value: &str, last: bool) -> Ran<()> {
        let raw = written(name, value);
        self.added += raw.len();
        if self.added > ADDED_OCTETS_MAX {
            return Err(Halt::Failed(Reason::TooMuchHeader(ADDED_OCTETS_MAX)));
        }
        let colon = name.len() + 1;
        let value = raw.get(colon..).unwrap_or_default().trim_ascii_end().to_vec();
        let field = Field::new(Cow::Owned(name.as_bytes().to_vec()), Cow::Owned(value), Cow::Owned(raw));
        let fields = Rc::make_mut(&mut self.fields);
        fields.insert(if last { fields.len() } else { 0 }, field);
        self.changed = true;
        Ok(())
    }

    /// Takes out those fields, by their places in ascending order.
    pub(super) fn remove(&mut self, places: &[usize]) {
        let mut place = 0;
        Rc::make_mut(&mut self.fields).retain(|_| {
            place += 1;
            places.binary_search(&(place - 1)).is_err()
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
    /// All of them together are too much.
    pub(super) fn edition(&mut self) -> Ran<usize> {
        self.has_room()?;
        if std::mem::take(&mut self.changed) {
            let mut header = Vec::new();
            for field in self.fields.iter().filter(|field| !field.raw.is_empty()) {
                header.extend_from_slice(&field.raw);
                // The last one of a message without a body.
                if !field.raw.ends_with(b"\n") {
                    header.extend_from_slice(b"\r\n");
                }
            }
            header.extend_from_slice(b"\r\n");
            self.editions.push(header);
        }
        Ok(self.editions.len())
    }

    /// # Errors
    /// The header as it is now would be too much beside those that are kept.
    pub(super) fn has_room(&self) -> Ran<()> {
        if !self.changed {
            return Ok(());
        }
        let octets: usize = self.fields.iter().map(|field| field.raw.len()).sum();
        let kept: usize = self.editions.iter().map(Vec::len).sum();
        if kept + octets + b"\r\n\r\n".len() > EDITIONS_OCTETS_MAX {
            return Err(Halt::Failed(Reason::TooMuchHeader(EDITIONS_OCTETS_MAX)));
        }
        Ok(())
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
