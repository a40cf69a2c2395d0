//! The words of all mail, in memory: which of them contain what is searched for.
//!
//! One text with a line per word, as it is and folded, so that a look through a million words is one pass over some
//! megabytes. It only grows, as the table does.

use super::lines::Lines;
use proto::search::{Run, fold};

/// Words that are known by number at most; further ones are described by their groups of letters. A million are about
/// 25 MB here, and more than the mail of a province has apart from what nobody would search for.
pub(crate) const WORDS_MAX: usize = 1_000_000;

#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    ids: Vec<i32>,
    exact: Lines,
    folded: Lines,
}

impl Vocabulary {
    /// The highest number known.
    pub(crate) fn last(&self) -> i32 {
        self.ids.last().copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds words with higher numbers than any before; others are known already.
    pub(crate) fn extend(&mut self, words: Vec<(i32, String)>) {
        for (id, word) in words {
            if id > self.last() {
                self.ids.push(id);
                self.exact.push(&word);
                self.folded.push(&fold(&word));
            }
        }
    }

    /// Numbers of the words that have `run`, compared without diacritics where it is `plain`; `None` for more than
    /// `most`.
    pub(crate) fn matching(&self, run: &Run<'_>, plain: bool, most: usize) -> Option<Vec<i32>> {
        let lines = if plain { &self.folded } else { &self.exact };
        let mut pattern = String::with_capacity(run.text.len() + 2);
        if run.begins_word {
            pattern.push('\n');
        }
        pattern.push_str(run.text);
        if run.ends_word {
            pattern.push('\n');
        }
        let mut found = Vec::new();
        for id in lines.having(&pattern).filter_map(|number| self.ids.get(number)) {
            if found.len() >= most {
                return None;
            }
            found.push(*id);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::search::Needle;

    fn check(needle: &str, expected: &[&str]) {
        const WORDS: [&str; 8] = ["công", "cong", "cộng", "văn", "vănf", "an", "tan", "đan"];
        let mut vocabulary = Vocabulary::default();
        vocabulary.extend((1..).zip(WORDS.map(str::to_owned)).collect());
        vocabulary.extend(vec![(8, "again".to_owned())]);
        assert_eq!((vocabulary.last(), vocabulary.len()), (8, 8));
        let needle = Needle::new(needle);
        let run = needle.runs().next().unwrap();
        let found = vocabulary.matching(&run, needle.is_plain(), 10).unwrap();
        let words: Vec<&str> = found.iter().map(|id| WORDS[usize::try_from(*id - 1).unwrap()]).collect();
        assert_eq!(words, expected, "{needle:?}");
    }

    #[test]
    fn finds_words_by_what_they_contain() {
        check("công", &["công"]);
        check("ong", &["công", "cong", "cộng"]);
        check("cong", &["công", "cong", "cộng"]);
        check("văn", &["văn", "vănf"]);
        check("văn ", &["văn"]);
        check(" văn", &["văn", "vănf"]);
        check("an", &["văn", "vănf", "an", "tan", "đan"]);
        check(" an ", &["an"]);
        check("n ", &["văn", "an", "tan", "đan"]);
        check("n", &["công", "cong", "cộng", "văn", "vănf", "an", "tan", "đan"]);
        check("xyz", &[]);
        let none = Vocabulary::default();
        let needle = Needle::new("a");
        assert_eq!(none.matching(&needle.runs().next().unwrap(), true, 1), Some(vec![]));
    }

    #[test]
    fn more_words_than_wanted_are_none() {
        let mut vocabulary = Vocabulary::default();
        vocabulary.extend((1..=5).map(|id| (id, format!("a{id}"))).collect());
        let needle = Needle::new("a");
        assert_eq!(vocabulary.matching(&needle.runs().next().unwrap(), true, 4), None);
    }
}
