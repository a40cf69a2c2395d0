//! The orders of SORT and the trees of THREAD (RFC 5256), from what was read of the messages.
//!
//! Invariants: any input, in time near linear in it; nothing recurses.

mod subject;
mod thread;

pub use subject::{BaseSubject, base_subject};
pub use thread::{Threadable, message_ids, ordered_subject, references};

use unicode_normalization::UnicodeNormalization as _;

/// A text as i;unicode-casemap compares it (RFC 5051 2): capitals, decomposed. By octets, then, it is in order.
///
/// Where a letter's title case is not its upper case (ǆ, ǲ and the like), the latter is taken, which orders the same.
#[must_use]
pub fn casemap(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    text.chars().map(capital).nfkd().collect()
}

/// Simple mapping: a letter that would become two stays.
fn capital(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_compare_without_case_and_however_composed() {
        assert_eq!(casemap("Tiếng Việt"), casemap("TIE\u{302}\u{301}NG VIE\u{323}\u{302}T"));
        assert_eq!(casemap("abc"), "ABC");
        assert_ne!(casemap("straße"), casemap("strasse"));
        assert!(casemap("b") < casemap("C"));
    }
}
