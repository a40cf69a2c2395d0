//! The name of a person, ready for a scheme: plain words, the given name (tên) last.
//!
//! Invariants: at least one word, none empty, each `a-z0-9`. What was left out (titles, parentheses, a position after a
//! comma) is kept in [`PersonName::dropped`], so that an officer sees it before the address is granted.

use super::fold::{NameError, Word, visible, words};

/// How one speaks of somebody: before the name only, as Anh or Bà may end one. Anh, chị, cô, em are
/// absent on purpose: they begin names.
const FORMS_OF_ADDRESS: &[&str] = &["ông", "bà", "đồng chí", "mr", "mrs", "ms", "miss", "dr"];

/// Degrees and ranks written out: before the name only, as people are called Nguyễn Tiến Sĩ.
const DEGREES: &[&str] = &[
    "phó giáo sư",
    "giáo sư",
    "tiến sĩ khoa học",
    "tiến sĩ",
    "tiến sỹ",
    "thạc sĩ",
    "thạc sỹ",
    "bác sĩ",
    "bác sỹ",
    "dược sĩ",
    "dược sỹ",
    "y sĩ",
    "y sỹ",
    "kỹ sư",
    "kĩ sư",
    "kiến trúc sư",
    "cử nhân",
    "luật sư",
    "nhà giáo ưu tú",
    "nhà giáo nhân dân",
    "thầy thuốc ưu tú",
    "thầy thuốc nhân dân",
    "đại tá",
    "thượng tá",
    "trung tá",
    "thiếu tá",
    "đại úy",
    "thượng úy",
    "trung úy",
    "thiếu úy",
    "đại uý",
    "thượng uý",
    "trung uý",
    "thiếu uý",
];

/// The same abbreviated: before or behind the name; none of them can be a word of one.
const ABBREVIATED_DEGREES: &[&str] = &[
    "gs", "pgs", "gsts", "pgsts", "ts", "tskh", "ths", "bs", "bsck i", "bsck ii", "bsck 1", "bsck 2", "bsck",
    "bscki", "bsckii", "bsck1", "bsck2", "ck i", "ck ii", "cki", "ckii", "ck1", "ck2", "ds", "dsck", "ks",
    "kts", "cn", "ls", "đd", "ngnd", "ngưt", "ttnd", "ttưt", "nsnd", "nsưt", "phd", "msc", "mba",
];

/// "Comrade", abbreviated with a stroke; read before the stroke parts it.
const COMRADE: &[&str] = &["đ/c", "Đ/c", "Đ/C"];

/// Họ và tên. Words in the order written: surname, middle names, given name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName {
    words: Vec<String>,
    dropped: Vec<String>,
}

impl PersonName {
    /// Reads a name; drops titles, parentheses, a list number in front and what follows a comma or a spaced dash.
    /// A number behind a word belongs to it: "An 2" is the word `an2` (A13: digits kept). A hyphen parts words, as
    /// in the older spelling Văn-Bằng; an apostrophe does not.
    ///
    /// # Errors
    /// When it is too long, holds letters without Latin form or nothing to make an address of.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::read(text, true)
    }

    /// The same, but takes every word as part of the name: for the surname Ông, which reads like a title.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_whole(text: &str) -> Result<Self, NameError> {
        Self::read(text, false)
    }

    fn read(text: &str, has_titles: bool) -> Result<Self, NameError> {
        let visible = visible(text)?;
        let mut dropped = Vec::new();
        let mut name: Option<Vec<String>> = None;
        let mut text = visible.text.trim_start();
        for comrade in COMRADE {
            if let Some(rest) = text.strip_prefix(comrade) {
                dropped.push((*comrade).to_owned());
                text = rest;
            }
        }
        for segment in segments(text) {
            if name.is_some() {
                dropped.push(segment.trim().to_owned());
                continue;
            }
            let words = words(segment)?;
            let (kept, titles) =
                if has_titles { without_titles(&words) } else { (words.as_slice(), Vec::new()) };
            dropped.extend(titles);
            let (kept, number) = with_numbers(kept);
            dropped.extend(number);
            name = (!kept.is_empty()).then_some(kept);
        }
        dropped.push(visible.parenthesised.trim().to_owned());
        dropped.retain(|text| !text.is_empty());
        Ok(Self { words: name.ok_or(NameError::Empty)?, dropped })
    }

    /// All words, plain, the given name last.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Tên: the last word.
    #[must_use]
    pub fn given(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// Họ và đệm: all words but the last; empty for a one-word name.
    #[must_use]
    pub fn before_given(&self) -> &[String] {
        self.words.split_last().map_or(&[], |(_, before)| before)
    }

    /// The first letters of [`Self::before_given`].
    #[must_use]
    pub fn initials(&self) -> String {
        self.before_given().iter().filter_map(|word| word.chars().next()).collect()
    }

    /// What of the text is not part of the name, as it was written.
    #[must_use]
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }
}

/// What stands between commas, semicolons and spaced dashes: "An, Phó Giám đốc", "An - Phòng Nội vụ".
fn segments(text: &str) -> impl Iterator<Item = &str> {
    let commas = text.split([',', ';']);
    commas
        .flat_map(|part| part.split(" - "))
        .flat_map(|part| part.split(" – "))
        .flat_map(|part| part.split(" — "))
}

/// The words between titles, and the titles.
fn without_titles(mut words: &[Word]) -> (&[Word], Vec<String>) {
    let mut titles = Vec::new();
    let leading = [FORMS_OF_ADDRESS, DEGREES, ABBREVIATED_DEGREES];
    while let Some(length) = longest(&leading, |phrase| starts_with(words, phrase)) {
        let (title, rest) = words.split_at(length);
        titles.extend(title.iter().map(|word| word.spelling.clone()));
        words = rest;
    }
    while let Some(length) = longest(&[ABBREVIATED_DEGREES], |phrase| ends_with(words, phrase)) {
        let (rest, title) = words.split_at(words.len().saturating_sub(length));
        titles.extend(title.iter().map(|word| word.spelling.clone()));
        words = rest;
    }
    (words, titles)
}

/// Words of the longest phrase that matches.
fn longest(tables: &[&[&str]], matches: impl Fn(&str) -> bool) -> Option<usize> {
    let phrases = tables.iter().flat_map(|table| table.iter()).filter(|phrase| matches(phrase));
    phrases.map(|phrase| phrase.split(' ').count()).max()
}

fn starts_with(words: &[Word], phrase: &str) -> bool {
    let mut words = words.iter();
    phrase.split(' ').all(|part| words.next().is_some_and(|word| word.spelling == part))
}

fn ends_with(words: &[Word], phrase: &str) -> bool {
    let mut words = words.iter().rev();
    phrase.rsplit(' ').all(|part| words.next().is_some_and(|word| word.spelling == part))
}

/// Numbers joined to the word before them. A number in front is that of a list ("12. Nguyễn Văn An"): no name begins
/// with one (Bộ luật Dân sự 2015 Điều 26.3), so it is dropped.
fn with_numbers(words: &[Word]) -> (Vec<String>, Vec<String>) {
    let (mut joined, mut dropped): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for word in words {
        let is_number = word.plain.chars().all(|c| c.is_ascii_digit());
        match joined.last_mut() {
            Some(last) if is_number => last.push_str(&word.plain),
            None if is_number => dropped.push(word.plain.clone()),
            _ => joined.push(word.plain.clone()),
        }
    }
    (joined, dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_positions_fall_away() {
        for (text, words, dropped) in [
            ("Nguyễn Thanh Bình", "nguyen thanh binh", ""),
            ("Ông Dương Chí Nguyên", "duong chi nguyen", "ông"),
            ("PGS.TS. Trần Thị Mai", "tran thi mai", "pgs|ts"),
            ("GS.TS,BS. Lê An", "le an", "gs|ts|bs"),
            ("Bác sĩ CKII Lê An", "le an", "bác|sĩ|ckii"),
            ("đồng chí Bí thư", "bi thu", "đồng|chí"),
            ("Đ/c Phạm Hùng", "pham hung", "Đ/c"),
            ("Lê An, Phó Giám đốc", "le an", "Phó Giám đốc"),
            ("Lê An - Phòng Nội vụ", "le an", "Phòng Nội vụ"),
            ("Lê An (Bí thư)", "le an", "Bí thư"),
            ("Lê An ThS.", "le an", "ths"),
            ("Nguyễn Tiến Sĩ", "nguyen tien si", ""),
            ("Trần Anh", "tran anh", ""),
            ("Nguyễn Thị Bà", "nguyen thi ba", ""),
            ("12. Lê An", "le an", "12"),
            ("Lê An 2", "le an2", ""),
            ("Bá Văn Hùng", "ba van hung", ""),
        ] {
            let name = PersonName::parse(text).unwrap();
            assert_eq!(name.words().join(" "), words, "{text}");
            assert_eq!(name.dropped().join("|"), dropped, "{text}");
        }
    }

    #[test]
    fn a_surname_that_reads_like_a_title() {
        assert_eq!(PersonName::parse("Ông Ích Khiêm").unwrap().initials(), "i");
        assert_eq!(PersonName::parse_whole("Ông Ích Khiêm").unwrap().initials(), "oi");
    }

    #[test]
    fn nothing_to_name() {
        for text in ["", "   ", "(An)", "Ông", "TS.", "12", "--", "\u{301}", "'"] {
            assert_eq!(PersonName::parse(text), Err(NameError::Empty), "{text:?}");
        }
    }
}
