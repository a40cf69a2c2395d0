//! A name taken apart into words of plain letters a–z and digits (requirement A13).
//!
//! Invariants: composed and decomposed input give the same words; a word is never empty and has nothing but `a-z0-9`
//! in its plain form; a letter without a Latin form is refused, never dropped, as "Hаi" with a Cyrillic а would
//! else become somebody else. Work is bounded by [`NAME_BYTES_MAX`], whatever comes in.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Bytes of a name in NFC. The longest names of organisations have some 300; whoever sends more is not naming anything.
pub const NAME_BYTES_MAX: usize = 1024;
/// A decomposed text has at most three times the bytes of the composed one (UAX 15, table 7), so nothing that could be
/// within the limit is refused unread.
const RAW_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// Why no address can be made of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name has at most {NAME_BYTES_MAX} bytes")]
    TooLong,
    #[error("the name has no word an address could be made of")]
    Empty,
    #[error("{0:?} has no Latin form: write the name in Latin letters")]
    NotLatin(char),
}

/// One word of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Lower case with its marks, NFC: what titles and kinds are known by.
    pub(super) spelling: String,
    /// `a-z0-9` only, not empty.
    pub(super) plain: String,
    /// Two or more letters and none of them small: an abbreviation, unless all of the name is written so.
    pub(super) upper: bool,
}

/// The text in NFC (compatibility forms resolved), without what cannot be seen and without what stands in
/// parentheses; the latter apart.
pub(super) struct Visible {
    pub(super) text: String,
    pub(super) parenthesised: String,
}

/// # Errors
/// When the text is longer than [`NAME_BYTES_MAX`].
pub(super) fn visible(text: &str) -> Result<Visible, NameError> {
    if text.len() > RAW_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let normal: String = text.chars().filter(|c| !joins(*c)).nfkc().collect();
    if normal.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let mut visible = Visible { text: String::with_capacity(normal.len()), parenthesised: String::new() };
    let mut depth = 0_usize;
    for c in normal.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            c if depth > 0 => visible.parenthesised.push(c),
            c => {
                visible.text.push(c);
                continue;
            }
        }
        visible.text.push(' ');
    }
    Ok(visible)
}

/// Characters that stand inside a word without ending it: apostrophes (H'Hen, K'Brêm) and what is not shown at all.
fn joins(c: char) -> bool {
    matches!(
        c,
        '\'' | '`'
            | '\u{b4}'
            | '\u{ad}'
            | '\u{2b9}'..='\u{2bf}'
            | '\u{2018}'..='\u{201b}'
            | '\u{2032}'
            | '\u{ff07}'
            | '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// The words of a text from [`visible`]: letters, digits and marks; all else stands between words.
///
/// # Errors
/// When a letter has no Latin form.
pub(super) fn words(text: &str) -> Result<Vec<Word>, NameError> {
    let between = |c: char| !c.is_alphanumeric() && !is_combining_mark(c);
    let mut words = Vec::new();
    for raw in text.split(between) {
        let spelling: String = raw.chars().flat_map(char::to_lowercase).nfc().collect();
        let plain = plain(&spelling)?;
        if !plain.is_empty() {
            let upper = plain.len() > 1
                && raw.chars().any(char::is_uppercase)
                && !raw.chars().any(char::is_lowercase);
            words.push(Word { spelling, plain, upper });
        }
    }
    Ok(words)
}

fn plain(spelling: &str) -> Result<String, NameError> {
    let mut plain = String::with_capacity(spelling.len());
    for c in spelling.nfkd().filter(|c| !is_combining_mark(*c)) {
        match LETTERS.iter().find(|(letter, _)| *letter == c) {
            Some((_, latin)) => plain.push_str(latin),
            None if c.is_ascii_alphanumeric() => plain.push(c.to_ascii_lowercase()),
            None => return Err(NameError::NotLatin(c)),
        }
    }
    Ok(plain)
}

/// Latin letters that no decomposition takes apart. ƀ is of Ê-đê, Gia Rai and Ba Na names; ð and ɖ look like đ and are
/// typed in its place.
const LETTERS: &[(char, &str)] = &[
    ('đ', "d"),
    ('ð', "d"),
    ('ɖ', "d"),
    ('ɗ', "d"),
    ('ƀ', "b"),
    ('ɓ', "b"),
    ('ħ', "h"),
    ('ı', "i"),
    ('ł', "l"),
    ('ŋ', "ng"),
    ('ø', "o"),
    ('ŧ', "t"),
    ('ß', "ss"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('þ', "th"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_words(text: &str) -> Vec<String> {
        words(&visible(text).unwrap().text).unwrap().into_iter().map(|word| word.plain).collect()
    }

    #[test]
    fn every_vietnamese_letter_folds_composed_and_decomposed() {
        let rows = [
            ("aàáảãạăằắẳẵặâầấẩẫậ", 'a'),
            ("eèéẻẽẹêềếểễệ", 'e'),
            ("iìíỉĩị", 'i'),
            ("oòóỏõọôồốổỗộơờớởỡợ", 'o'),
            ("uùúủũụưừứửữự", 'u'),
            ("yỳýỷỹỵ", 'y'),
            ("đ", 'd'),
        ];
        for (letters, latin) in rows {
            for letter in letters.chars() {
                for form in [letter.to_string(), letter.to_string().nfd().collect()] {
                    let upper = form.to_uppercase();
                    assert_eq!(plain_words(&form), [latin.to_string()], "{form:?}");
                    assert_eq!(plain_words(&upper), [latin.to_string()], "{upper:?}");
                }
            }
        }
    }

    #[test]
    fn what_ends_a_word_and_what_does_not() {
        for (text, expected) in [
            ("  Nguyễn \t Văn\u{a0}An\n", vec!["nguyen", "van", "an"]),
            ("Văn hóa-Thông tin", vec!["van", "hoa", "thong", "tin"]),
            ("TS.Nguyễn", vec!["ts", "nguyen"]),
            ("H'Hen K’Brêm Mʼnông", vec!["hhen", "kbrem", "mnong"]),
            ("Ng\u{ad}uy\u{200d}ễn\u{202e}", vec!["nguyen"]),
            ("Ａｎ ２", vec!["an", "2"]),
            ("Straße Øystein Łukasz Čapek ƀan", vec!["strasse", "oystein", "lukasz", "capek", "ban"]),
            ("Ðặng Ɖào", vec!["dang", "dao"]),
            ("An (Phó) Bình [x] <an@b.vn> (", vec!["an", "binh"]),
            ("\u{301} An \u{1f600}\u{fe0f}", vec!["an"]),
        ] {
            assert_eq!(plain_words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn letters_without_latin_form_are_refused() {
        for (text, letter) in [("H\u{430}i", '\u{430}'), ("李", '李'), ("Ωμέγα", 'ω'), ("٣", '٣')] {
            assert_eq!(words(&visible(text).unwrap().text), Err(NameError::NotLatin(letter)), "{text}");
        }
    }

    #[test]
    fn a_name_has_an_end() {
        assert!(visible(&"a".repeat(NAME_BYTES_MAX)).is_ok());
        assert_eq!(visible(&"a".repeat(NAME_BYTES_MAX + 1)).err(), Some(NameError::TooLong));
        let composed = "ữ".repeat(NAME_BYTES_MAX / 3);
        let decomposed: String = composed.nfd().collect();
        assert!(
            decomposed.len() > NAME_BYTES_MAX && visible(&composed).is_ok() && visible(&decomposed).is_ok()
        );
        assert_eq!(visible(&"\u{fdfa}".repeat(300)).err(), Some(NameError::TooLong));
    }
}
