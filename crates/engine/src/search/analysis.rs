//! A message to what the index keeps of it.
//!
//! Pure but for reading the message piece by piece. Memory: the texts of one message, under a permit, and one part's
//! octets at a time.

use super::{NEEDLE_CHARS_MAX, SEARCH_HEADER_BYTES_MAX, SEARCH_TEXT_BYTES_MAX};
use crate::{Body, Error};
use proto::mime::{Envelope, Structure};
use proto::search::{self, Gram, Token, grams, human_field, tokens};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use store::{MARK_CODES, MARK_MANY, SearchPiece};

/// Octets of all the texts of one message that the index keeps; a message with more is read when it is searched.
pub(super) const TEXTS_BYTES_MAX: usize = 16 << 20;
/// Octets of one piece of a text: a row of it is read as a whole.
const PIECE_BYTES: usize = 128 << 10;
/// Groups of letters kept of one text; more would be Base64 or the like, which is looked into instead.
const GRAMS_MAX: usize = 1_000;

/// What is searched of a message.
#[derive(Debug)]
pub(super) struct Texts {
    facts: String,
    header: String,
    body: String,
}

/// Texts of a message; `None` if they are too long for the index.
pub(super) async fn texts(
    envelope: &Envelope,
    structure: &Structure,
    body: &Body,
) -> Result<Option<Texts>, Error> {
    let root = structure.root();
    let header = body.read(at_most(root.header_start..root.body_start, SEARCH_HEADER_BYTES_MAX)).await?;
    let mut texts = Texts {
        facts: search::facts_text(envelope),
        header: search::header_text(&header),
        body: search::names_text(structure),
    };
    for (index, part) in structure.parts().enumerate() {
        if index > 0 {
            let range = at_most(part.header_start..part.body_start, SEARCH_HEADER_BYTES_MAX);
            texts.add(&search::header_text(&body.read(range).await?));
        }
        if part.is_text() && part.children.is_empty() {
            let octets = body.read(at_most(part.body_start..part.body_end, SEARCH_TEXT_BYTES_MAX)).await?;
            let part = part.clone();
            // It may take a second, and others are to be served meanwhile.
            let text = tokio::task::spawn_blocking(move || search::part_text(&part, &octets))
                .await
                .map_err(|_| Error::NotFound)?;
            texts.add(&text.unwrap_or_default());
        }
        if texts.body.len() > TEXTS_BYTES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(texts))
}

fn at_most(range: Range<u64>, bytes: u64) -> Range<u64> {
    range.start..range.end.min(range.start.saturating_add(bytes))
}

/// The keys of a text before its words have numbers.
#[derive(Debug, Default)]
struct Words {
    words: BTreeSet<String>,
    grams: BTreeSet<Gram>,
    codes: bool,
}

/// A piece and what is to become its keys.
#[derive(Debug)]
pub(super) struct Piece {
    header: String,
    body: String,
    header_words: Words,
    body_words: Words,
}

impl Texts {
    fn add(&mut self, text: &str) {
        if !self.body.is_empty() {
            self.body.push('\n');
        }
        self.body.push_str(text);
    }

    /// The lines of [`search::FactsLine`]: those of the envelope, then the message ids as the header has them.
    pub(super) fn all_facts(&self) -> String {
        let ids = self.header.split('\n').filter_map(|line| line.strip_prefix("message-id: "));
        format!("{}\n{}", self.facts, ids.collect::<Vec<_>>().join("\t"))
    }

    /// At least one. The header is in the first.
    pub(super) fn pieces(self) -> Vec<Piece> {
        let mut header_words = Words::default();
        header_words.add(&self.facts);
        for line in self.header.split('\n') {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            header_words.add(name);
            if human_field(name) {
                header_words.add(value);
            } else {
                header_words.add_codes(value);
            }
        }
        let mut header = Some((self.header, header_words));
        let cuts = cuts(&self.body);
        let pieces = cuts.into_iter().map(|range| {
            let body = self.body.get(range).unwrap_or_default().to_owned();
            let mut body_words = Words::default();
            body_words.add(&body);
            let (header, header_words) = header.take().unwrap_or_default();
            Piece { header, body, header_words, body_words }
        });
        pieces.collect()
    }
}

/// Ranges of a text that overlap by more than any needle that the index answers for.
fn cuts(text: &str) -> Vec<Range<usize>> {
    const OVERLAP_BYTES: usize = NEEDLE_CHARS_MAX * 4;
    let mut cuts = Vec::new();
    let mut start = 0;
    loop {
        let end = text.floor_char_boundary(start + PIECE_BYTES);
        cuts.push(start..end);
        if end >= text.len() {
            return cuts;
        }
        start = text.floor_char_boundary(end - OVERLAP_BYTES);
    }
}

impl Words {
    fn add(&mut self, text: &str) {
        for token in tokens(text) {
            match token {
                Token::Word(word) => {
                    if !self.words.contains(word) {
                        self.words.insert(word.to_owned());
                    }
                }
                Token::Code(code) => self.add_code(code),
            }
        }
    }

    /// All of it as codes, natural words too.
    fn add_codes(&mut self, text: &str) {
        for token in tokens(text) {
            let (Token::Word(code) | Token::Code(code)) = token;
            self.add_code(code);
        }
    }

    fn add_code(&mut self, code: &str) {
        self.codes = true;
        if self.grams.len() <= GRAMS_MAX {
            self.grams.extend(grams(code));
        }
    }

    /// Words without a number are described as codes are.
    fn keys(mut self, numbers: &HashMap<String, i32>) -> Vec<i32> {
        let mut keys = Vec::with_capacity(self.words.len() + self.grams.len() + 2);
        for word in std::mem::take(&mut self.words) {
            match numbers.get(&word) {
                Some(number) => keys.push(*number),
                None => self.add_code(&word),
            }
        }
        if self.codes {
            keys.push(MARK_CODES);
        }
        if self.grams.len() > GRAMS_MAX {
            keys.push(MARK_MANY);
        } else {
            keys.extend(self.grams.into_iter().map(key_of_gram));
        }
        keys.sort_unstable();
        keys
    }
}

impl Piece {
    /// Octets of its texts.
    pub(super) fn bytes(&self) -> usize {
        self.header.len() + self.body.len()
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &String> {
        self.header_words.words.iter().chain(&self.body_words.words)
    }

    /// As it is stored, when words have their numbers.
    pub(super) fn numbered(self, numbers: &HashMap<String, i32>) -> SearchPiece {
        SearchPiece {
            header: self.header,
            body: self.body,
            header_keys: self.header_words.keys(numbers),
            body_keys: self.body_words.keys(numbers),
        }
    }
}

/// Groups are below zero, above the marks.
pub(super) fn key_of_gram(gram: Gram) -> i32 {
    -1 - i32::try_from(gram).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_overlap_and_end() {
        assert_eq!(cuts(""), vec![Range { start: 0, end: 0 }]);
        let text = "ộ".repeat(PIECE_BYTES);
        let cuts = cuts(&text);
        assert_eq!((cuts[0].start, cuts.last().unwrap().end), (0, text.len()));
        for pair in cuts.windows(2) {
            assert!(pair[1].start + NEEDLE_CHARS_MAX * 3 <= pair[0].end && pair[0].start < pair[1].start);
        }
    }

    #[test]
    fn codes_do_not_fill_the_list_of_words() {
        let texts = Texts {
            facts: "họp\n\n\n\n".to_owned(),
            header: "subject: họp\nmessage-id: <abc.def@x.vn>".to_owned(),
            body: "số 123456".to_owned(),
        };
        let piece = texts.pieces().pop().unwrap();
        let words: Vec<&String> = piece.words().collect();
        assert_eq!(words, ["họp", "id", "message", "subject", "số"]);
        let numbers: HashMap<String, i32> = [("số".to_owned(), 7)].into();
        let keys = piece.numbered(&numbers).body_keys;
        assert_eq!(keys.iter().filter(|key| **key > 0).count(), 1);
        assert!(keys.contains(&7) && keys.contains(&MARK_CODES) && !keys.contains(&MARK_MANY));
        assert_eq!(keys.len(), 2 + 4);
    }
}
