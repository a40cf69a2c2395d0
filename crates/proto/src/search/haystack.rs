//! What is searched in.

use super::{FactsLine, Needle, fold};
use std::cell::OnceCell;

/// A normalised text, folded once for all the needles that want it so.
#[derive(Debug)]
pub struct Haystack<'a> {
    text: &'a str,
    folded: OnceCell<String>,
}

impl<'a> Haystack<'a> {
    #[must_use]
    pub fn new(normalised: &'a str) -> Self {
        Self { text: normalised, folded: OnceCell::new() }
    }

    /// Is the needle in it?
    #[must_use]
    pub fn has(&self, needle: &Needle) -> bool {
        self.form(needle).contains(needle.text())
    }

    /// Of [`super::header_text`]: has a field of this name, in lower case, the needle in its value?
    #[must_use]
    pub fn field_has(&self, name: &str, needle: &Needle) -> bool {
        self.form(needle).split('\n').any(|line| {
            let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": "));
            value.is_some_and(|value| value.contains(needle.text()))
        })
    }

    /// Of [`super::facts_text`]: is the needle in one of the texts of this line? In an empty list is not even the empty
    /// needle.
    #[must_use]
    pub fn line_has(&self, line: FactsLine, needle: &Needle) -> bool {
        line.of(self.form(needle)).any(|text| text.contains(needle.text()))
    }

    fn form(&self, needle: &Needle) -> &str {
        if needle.is_plain() && !self.text.is_ascii() {
            self.folded.get_or_init(|| fold(self.text))
        } else {
            self.text
        }
    }
}
