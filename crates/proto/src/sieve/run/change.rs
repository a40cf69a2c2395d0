//! `addheader` and `deleteheader` (RFC 5293): of the copy that is delivered, never of what is stored as evidence.

use super::super::compile::headers::is_field_name;
use super::super::program::{DeleteHeader, Text};
use super::super::setting::Reason;
use super::{Halt, Ran, Run};

/// RFC 5293 6: who wrote where, and by which way it came, is not for scripts.
const UNTOUCHABLE: [&str; 16] = [
    "from",
    "sender",
    "date",
    "message-id",
    "resent-from",
    "resent-sender",
    "received",
    "return-path",
    "auto-submitted",
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "dkim-signature",
    "x-congthu-scan",
    "x-congthu-received",
];

impl Run<'_> {
    pub(super) fn add_header(&mut self, name: &Text, value: &Text, last: bool) -> Ran<()> {
        let (name, value) = (self.text(name)?, self.text(value)?);
        if !is_field_name(&name) {
            return Err(Halt::Failed(Reason::NotAField(name.into_owned())));
        }
        self.meter.spend(self.header.cost() + value.len() / 64)?;
        if is_untouchable(&name) {
            return Ok(());
        }
        self.header.add(&name, &value, last)
    }

    /// RFC 5293 5: the index counts fields of the name; of those that are counted, those go that meet a pattern.
    pub(super) fn delete_header(&mut self, delete: &DeleteHeader) -> Ran<()> {
        let name = self.text(&delete.name)?;
        if !is_field_name(&name) {
            return Err(Halt::Failed(Reason::NotAField(name.into_owned())));
        }
        if is_untouchable(&name) {
            return Ok(());
        }
        self.meter.spend(self.header.cost())?;
        let patterns = delete.patterns.as_deref().map(|patterns| self.texts(patterns)).transpose()?;
        let named = |(place, field): (usize, &super::header::Field<'_>)| field.is(&name).then_some(place);
        let mut found: Vec<usize> = self.header.fields().iter().enumerate().filter_map(named).collect();
        if let Some(index) = delete.index {
            if index.from_the_end {
                found.reverse();
            }
            found = found.into_iter().nth(index.number - 1).into_iter().collect();
        }
        let mut places = Vec::new();
        for place in found {
            let goes = match &patterns {
                None => true,
                Some(patterns) => {
                    let field = self.header.fields().get(place);
                    let text = field.map(|field| field.text(&mut self.meter)).transpose()?;
                    self.meets_any(delete.compare, text.as_slice(), patterns)?
                }
            };
            if goes {
                places.push(place);
            }
        }
        self.header.remove(&places);
        Ok(())
    }
}

fn is_untouchable(name: &str) -> bool {
    UNTOUCHABLE.iter().any(|known| known.eq_ignore_ascii_case(name))
}
