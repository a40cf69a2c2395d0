//! What an index keeps of a text: its natural words by name, everything else by groups of three letters.
//!
//! Natural words are few in all the mail of an office, so their list can be looked through for those that contain a
//! needle. Codes (file numbers, message ids, Base64) are each their own and would make that list endless.

use super::{fold_char, is_word};

/// Letters of a natural word. Syllables of Vietnamese have up to seven, English words seldom twenty.
const LETTERS_MAX: usize = 24;
/// Digits of a number that counts as a word: days, years, most file numbers.
const DIGITS_MAX: usize = 4;

/// A run of word characters of a normalised text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// To be listed.
    Word(&'a str),
    /// To be described by its [`grams`].
    Code(&'a str),
}

/// Three letters in a row, folded, as a number from 0 to 2^30: different ones may share it.
pub type Gram = u32;

/// The tokens of a normalised text, repeated ones too.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    text.split(|c| !is_word(c)).filter(|run| !run.is_empty()).map(token)
}

fn token(run: &str) -> Token<'_> {
    let (mut chars, mut digits) = (0, 0);
    for c in run.chars().take(LETTERS_MAX + 1) {
        chars += 1;
        digits += usize::from(c.is_numeric());
    }
    let natural = if digits == 0 { chars <= LETTERS_MAX } else { digits == chars && chars <= DIGITS_MAX };
    if natural { Token::Word(run) } else { Token::Code(run) }
}

/// The groups of a run; none when it folds to fewer than three letters.
pub fn grams(run: &str) -> Vec<Gram> {
    let mut found = Vec::new();
    let mut last: [u32; 3] = [0; 3];
    let mut count = 0_usize;
    for c in run.chars() {
        fold_char(c, &mut |folded| {
            let [_, second, third] = last;
            last = [second, third, u32::from(folded)];
            count += 1;
            if count >= last.len() {
                found.push(gram(last));
            }
        });
    }
    found
}

fn gram(letters: [u32; 3]) -> Gram {
    // Multiplications of FNV-1a, then the upper bits, which depend on all letters.
    let hash = letters.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, letter| {
        (hash ^ u64::from(*letter)).wrapping_mul(0x0100_0000_01b3)
    });
    Gram::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 34).unwrap_or(0)
}
