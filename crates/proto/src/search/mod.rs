//! The analyser: what of a message is searched, as which text, and what of that text an index knows.
//!
//! One form for index and query: NFC, lower case, white space as one space ([`normalise`]). A needle without
//! diacritics is compared with the text without diacritics, đ being d ([`Needle`], RFC 9051 6.4.4 "flexible
//! matching"). Invariants: whatever [`Needle::found_in`] finds in a text, the [`tokens`] of that text and the
//! [`Needle::runs`] let an index find; no text holds a line end inside what one needle may match; any input, in time
//! linear in its length.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod haystack;
mod needle;
mod sources;
#[cfg(test)]
mod tests;
mod words;

pub use haystack::Haystack;
pub use needle::{Needle, Run};
pub use sources::{FactsLine, facts_text, header_text, human_field, names_text, part_text};
pub use words::{Gram, Token, grams, tokens};

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_canonical;

/// Raised when the same message would give another text or other tokens: the index is then made anew.
pub const ANALYSER: i16 = 2;

/// A text as it is compared: NFC, lower case, runs of white space as one space, no other controls.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if text.is_ascii() {
        text.bytes().for_each(|byte| push(&mut out, char::from(byte)));
    } else {
        text.nfc().for_each(|c| push(&mut out, c));
    }
    out
}

fn push(out: &mut String, c: char) {
    if c.is_whitespace() {
        if !out.ends_with(' ') {
            out.push(' ');
        }
    } else if c.is_ascii() {
        if !c.is_ascii_control() {
            out.push(c.to_ascii_lowercase());
        }
    } else if !c.is_control() {
        out.extend(c.to_lowercase());
    }
}

/// A normalised text without diacritics: tones and marks removed, đ as d.
pub fn fold(normalised: &str) -> String {
    let mut out = String::with_capacity(normalised.len());
    for c in normalised.chars() {
        fold_char(c, &mut |folded| out.push(folded));
    }
    out
}

fn fold_char(c: char, emit: &mut dyn FnMut(char)) {
    match c {
        '\0'..='\x7f' => emit(c),
        'đ' => emit('d'),
        _ => decompose_canonical(c, |part| {
            if !is_mark(part) {
                emit(part);
            }
        }),
    }
}

/// What is written above, below or through a letter.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Belongs to a word: the same for a letter and for what it folds to.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}
