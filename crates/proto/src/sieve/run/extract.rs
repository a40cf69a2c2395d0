//! `extracttext` (RFC 5703 7): the text of the part that a loop is at, into a variable.

use super::super::program::{Modifier, Variable};
use super::body::DECODED_FOR_ONE;
use super::values::{cut, modified};
use super::{Ran, Run};
use crate::mime::decode_text;

impl Run<'_> {
    /// Of a part that is no text: nothing.
    pub(super) fn extract_text(
        &mut self,
        variable: &Variable,
        modifiers: &[Modifier],
        first: Option<usize>,
    ) -> Ran<()> {
        let octets = self.part_here().map_or(0, |part| self.octets(part).len());
        self.meter.spend((1 + modifiers.len()) * (1 + octets / DECODED_FOR_ONE))?;
        let text = self.part_here().and_then(|part| decode_text(part, self.octets(part)));
        let mut text = text.unwrap_or_default();
        if let Some(first) = first {
            let end = text.char_indices().nth(first).map_or(text.len(), |(end, _)| end);
            cut(&mut text, end);
        }
        self.set(variable, modified(modifiers, &text))
    }
}
