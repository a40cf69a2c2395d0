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

#[cfg(test)]
mod tests {
    use super::fold_marks;

    #[test]
    fn folds_composed_and_decomposed_alike() {
        assert_eq!(fold_marks("Nguyễn Thị Đào"), "Nguyen Thi Dao");
        assert_eq!(fold_marks("Nguye\u{302}\u{303}n"), "Nguyen");
    }
}
