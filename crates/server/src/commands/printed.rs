//! Answers as they are printed. Strangers choose what stands in some of them: addresses, subjects, what their servers said.
//!
//! Invariant: nothing that they chose begins a line, turns its direction, hides, or speaks to the terminal.

use model::is_unseen;
use serde_json::Value;
use std::fmt::Write as _;

/// For people: a space for each letter that is not seen as itself, but for what parts lines and columns.
pub(super) fn text(answer: &str) -> String {
    let shown = |letter: char| if is_hidden(letter) && !"\n\t".contains(letter) { ' ' } else { letter };
    answer.chars().map(shown).collect()
}

/// For programs: the same values, with those letters escaped as JSON has it.
pub(super) fn json(answer: &Value) -> String {
    let written = answer.to_string();
    let mut text = String::with_capacity(written.len());
    for letter in written.chars() {
        if is_hidden(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(letter);
        }
    }
    text
}

fn is_hidden(letter: char) -> bool {
    letter.is_control() || is_unseen(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As a line of `congthu queue list` has them.
    const LINE: &str = "0A from <\u{202e}nv.x@ia> to x.vn\u{2028}\u{1b}[2J \u{e0041}\u{9b}31m\tnext\n";

    #[test]
    fn nothing_printed_hides_turns_or_speaks_to_the_terminal() {
        assert_eq!(text(LINE), "0A from < nv.x@ia> to x.vn  [2J   31m\tnext\n");
        let words = "Nguyễn Thị Lan\t12/QĐ-UBND\nhộp thư";
        assert_eq!(text(words), words);
    }

    #[test]
    fn programs_read_what_was_written() {
        let value = json!({ "subject": LINE, "name": "Lan “Ủy ban”", "sizes": [1, 2] });
        let written = json(&value);
        assert!(!written.chars().any(is_hidden), "{written}");
        assert!(written.contains("\\u202e") && written.contains("\\udb40\\udc41"), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }
}
