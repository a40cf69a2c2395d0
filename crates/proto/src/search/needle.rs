//! What is searched for.

use super::{Haystack, fold, is_word, normalise};

/// A text to be found, made ready once for all the texts it is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Needle {
    text: String,
    /// Without diacritics: compared with texts without theirs.
    plain: bool,
}

/// A run of word characters in a needle. Where the needle goes on behind it, the text's word ends there too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    pub text: &'a str,
    /// A word of the text begins where this begins.
    pub begins_word: bool,
    /// A word of the text ends where this ends.
    pub ends_word: bool,
}

impl Needle {
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = normalise(text);
        let plain = text.is_ascii() || fold(&text) == text;
        Self { text, plain }
    }

    /// As it is compared.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is it compared with texts without diacritics?
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Is it in this normalised text?
    #[must_use]
    pub fn found_in(&self, text: &str) -> bool {
        Haystack::new(text).has(self)
    }

    /// Its runs of word characters.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        let length = self.text.len();
        let mut at = 0;
        self.text.split_inclusive(|c| !is_word(c)).filter_map(move |piece| {
            let run = piece.trim_end_matches(|c| !is_word(c));
            let (start, end) = (at, at + run.len());
            at += piece.len();
            (!run.is_empty()).then_some(Run { text: run, begins_word: start > 0, ends_word: end < length })
        })
    }

    /// Is it one run and nothing else? Then a word that contains it is all there is to know.
    #[must_use]
    pub fn is_within_word(&self) -> bool {
        !self.text.is_empty() && self.text.chars().all(is_word)
    }
}
