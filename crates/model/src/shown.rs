//! What strangers write, as it may be shown: their servers' replies, addresses, subjects.
//!
//! Invariant: whatever is shown of it, in a letter, in a list or at a terminal, goes through here; what is kept for machines does not.

/// A letter that has what follows read in another direction (Unicode 9, UAX #9 2) or begin a line, or that is not there for the eye
/// (`Default_Ignorable_Code_Point`, UAX #44; interlinear annotations): two texts that differ in it look the same.
#[must_use]
pub const fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// With a space for each letter that is not seen as itself, and for what a terminal, a line or a header field would take for its own.
#[must_use]
pub fn seen(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() || is_unseen(letter) { ' ' } else { letter };
    text.chars().map(shown).collect()
}

/// As [`seen`], and such that no mail program makes a link of any of it: `tin[.]vn`, `https[:]//`, `a[@]b`. Numbers keep their dots.
#[must_use]
pub fn unlinked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + text.len() / 8);
    let mut letters = seen(text).chars().collect::<Vec<_>>().into_iter().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        let within = !before.is_whitespace() && !after.is_whitespace();
        let in_number = before.is_ascii_digit() && after.is_ascii_digit();
        match letter {
            letter if is_dot(letter) && within && !in_number => shown.push_str("[.]"),
            '@' if within => shown.push_str("[@]"),
            ':' if after == '/' => shown.push_str("[:]"),
            // \\host\share
            '\\' if after == '\\' => shown.push_str("[\\]"),
            letter => shown.push(letter),
        }
        before = letter;
    }
    shown
}

/// Also what is taken for one in names (UTS #46).
#[must_use]
pub const fn is_dot(letter: char) -> bool {
    matches!(letter, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_not_shown_and_what_is_seen_stays() {
        for hidden in [
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{200d}",
            "\u{ad}",
            "\u{2028}",
            "\u{2029}",
            "\u{e0041}",
            "\u{feff}",
            "\u{3164}",
            "\u{1b}",
            "\n",
            "\u{85}",
        ] {
            assert_eq!(seen(&format!("a{hidden}b")), "a b", "{hidden:?}");
        }
        let words = "Kính gửi Ủy ban: 12/QĐ-UBND, “gấp” e\u{301} ☎";
        assert_eq!(seen(words), words);
    }

    #[test]
    fn nothing_is_left_that_could_be_followed() {
        for (text, shown) in [
            ("see https://x.vn/a?b=1", "see https[:]//x[.]vn/a?b=1"),
            ("http://10.0.0.1/a", "http[:]//10.0.0.1/a"),
            ("www.x.vn", "www[.]x[.]vn"),
            ("x\u{ff0e}vn x\u{3002}vn", "x[.]vn x[.]vn"),
            ("<ai@x.vn>: no", "<ai[@]x[.]vn>: no"),
            (r"\\x\y", r"[\]\x\y"),
            ("550 5.1.1 No. 12.3 of 22/11, v.", "550 5.1.1 No. 12.3 of 22/11, v."),
            ("x.\u{200b}vn", "x. vn"),
            ("", ""),
        ] {
            assert_eq!(unlinked(text), shown);
        }
    }
}
