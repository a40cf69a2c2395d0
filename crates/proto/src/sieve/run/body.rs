//! The `body` test (RFC 5173): the message's body as it came, part by part, or as it is read.

use super::super::compare::How;
use super::super::program::{BodyTest, Transform};
use super::{Ran, Run};
use crate::mime::{Part, decode_body, decode_text, html_text};
use std::rc::Rc;

/// Octets of bodies that one test reads: what is behind them is not looked at.
const BODY_OCTETS_MAX: usize = 1024 * 1024;
/// Octets that are decoded for one unit of cost.
pub(super) const DECODED_FOR_ONE: usize = 32;

impl Run<'_> {
    pub(super) fn body(&mut self, test: &BodyTest) -> Ran<bool> {
        let keys = self.texts(&test.keys)?;
        let texts = match &test.transform {
            Transform::Raw => {
                let root = self.mail.structure.root();
                let octets = self.octets(root);
                self.meter.spend(1 + octets.len() / 64)?;
                vec![String::from_utf8_lossy(self.octets(root)).into()]
            }
            Transform::Content(types) => {
                let types = self.texts(types)?;
                self.meter.spend(types.len() * self.mail.structure.parts().count() / 4)?;
                self.parts_of(|part| types.iter().any(|wanted| is_of(part, wanted)), false)?
            }
            Transform::Text => self.parts_of(Part::is_text, true)?,
        };
        // RFC 5173 6: what wildcards stand for is not kept.
        let captured = std::mem::take(&mut self.scope.captured);
        let cost = texts.iter().map(|text| text.len()).sum::<usize>() / 256;
        self.meter.spend(1 + cost * keys.len().max(1))?;
        let met = match test.compare.how {
            How::Count(_) => {
                let filled: Vec<&Rc<str>> = texts.iter().filter(|text| !text.is_empty()).collect();
                self.meets_any(test.compare, &filled, &keys)
            }
            _ => self.meets_any(test.compare, &texts, &keys),
        };
        self.scope.captured = captured;
        met
    }

    /// A part's body as it lies in the message, as far as it is read.
    pub(super) fn octets(&self, part: &Part) -> &[u8] {
        let start = usize::try_from(part.body_start).unwrap_or(usize::MAX);
        let end = usize::try_from(part.body_end).unwrap_or(usize::MAX);
        let octets = self.mail.raw.get(start..end.min(self.mail.raw.len())).unwrap_or_default();
        octets.get(..BODY_OCTETS_MAX).unwrap_or(octets)
    }

    fn parts_of(&mut self, wanted: impl Fn(&Part) -> bool, as_read: bool) -> Ran<Vec<Rc<str>>> {
        let mut left = BODY_OCTETS_MAX;
        let mut texts = Vec::new();
        let structure = self.mail.structure;
        self.meter.spend(structure.parts().count() / 16)?;
        for (place, part) in structure.parts().enumerate().filter(|(_, part)| wanted(part)) {
            let octets = self.octets(part).len();
            let Some(rest) = left.checked_sub(octets) else { break };
            left = rest;
            texts.push(self.read(place, part, as_read)?);
        }
        Ok(texts)
    }

    /// What one test read is at hand for the next: rules look at the same body again and again.
    fn read(&mut self, place: usize, part: &Part, as_read: bool) -> Ran<Rc<str>> {
        let key = (place, as_read && part.subtype == "html");
        if let Some(text) = self.bodies.get(&key) {
            return Ok(Rc::clone(text));
        }
        self.meter.spend(1 + self.octets(part).len() / 8)?;
        let text: Rc<str> = text_of(part, self.octets(part), as_read).into();
        if self.bodies.values().map(|known| known.len()).sum::<usize>() > BODY_OCTETS_MAX {
            self.bodies.clear();
        }
        self.bodies.insert(key, Rc::clone(&text));
        Ok(text)
    }
}

/// RFC 5173 5.2: `""` is all, `type` and `type/subtype` those.
fn is_of(part: &Part, wanted: &str) -> bool {
    match wanted.split_once('/') {
        None if wanted.is_empty() => true,
        None => part.media_type.eq_ignore_ascii_case(wanted),
        Some((kind, subtype)) => {
            !kind.is_empty()
                && part.media_type.eq_ignore_ascii_case(kind)
                && part.subtype.eq_ignore_ascii_case(subtype)
        }
    }
}

/// RFC 5173 5.2, 5.3: decoded; of what has parts of its own, what stands around them.
fn text_of(part: &Part, octets: &[u8], as_read: bool) -> String {
    match decode_text(part, octets) {
        Some(text) if as_read && part.subtype == "html" => html_text(&text),
        Some(text) => text,
        None => String::from_utf8_lossy(&decode_body(&part.encoding, octets)).into_owned(),
    }
}
