//! Vietnamese text reduced to plain letters, for comparing and for proposing addresses.

use unicode_normalization::UnicodeNormalization as _;

/// `text` without tone and vowel marks and with đ as d; case is kept. Composed and decomposed input fold alike.
#[must_use]
pub fn fold_marks(text: &str) -> String {
    text.nfd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .map(|c| match c {
            'đ' => 'd',
            'Đ' => 'D',
            c => c,
        })
        .collect()
}

/// Words of one search in the address book.
const SEARCH_WORDS_MAX: usize = 10;
/// Characters of one search in the address book.
const SEARCH_CHARS_MAX: usize = 200;

/// The words of a search as small letters in NFC: those without diacritics, which are found with any, and those with. What is
/// too long is cut.
#[must_use]
pub fn search_words(query: &str) -> (Vec<String>, Vec<String>) {
    let query = query.nfc().take(SEARCH_CHARS_MAX).collect::<String>().to_lowercase();
    let words = query.split_whitespace().take(SEARCH_WORDS_MAX).map(str::to_owned);
    words.partition(|word| fold_marks(word) == *word)
}

#[cfg(test)]
mod tests {
    use super::{fold_marks, search_words};

    #[test]
    fn folds_composed_and_decomposed_alike() {
        assert_eq!(fold_marks("Nguyễn Thị Đào"), "Nguyen Thi Dao");
        assert_eq!(fold_marks("Nguye\u{302}\u{303}n"), "Nguyen");
    }

    #[test]
    fn words_of_a_search() {
        let (plain, marked) = search_words("  Nguyen VĂN  bi\u{300}nh so ");
        assert_eq!(plain, ["nguyen", "so"]);
        assert_eq!(marked, ["văn", "bình"]);
    }
}
