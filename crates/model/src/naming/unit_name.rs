//! The name of an organisation, ready for a scheme: its kind, its own words, and what only says where it is.
//!
//! Invariants: at least one word of its own; words are `a-z0-9`; "và" is none of them (An Giang's own `sotttt` shows that it
//! drops out, A8). Recognition is by table; a tree that knows the kind of its units says it with [`UnitName::of_kind`].

use super::fold::{NameError, Word, visible, words};
use crate::fold_marks;
use serde::{Deserialize, Serialize};

/// What the schemes tell apart about a unit; the kinds of the organisation tree map to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// Sở.
    Department,
    /// Ban.
    Board,
    /// Hội.
    Association,
    /// Ngành.
    Branch,
    /// Huyện, thị xã, thành phố, quận: a place above communes, historical since 1 July 2025.
    District,
    /// Xã.
    Commune,
    /// Phường.
    Ward,
    /// Thị trấn.
    Township,
    /// Đặc khu.
    SpecialZone,
    /// Phòng.
    Division,
    /// Any other: the word for its kind is part of its name (Văn phòng, Trung tâm, Chi cục, Trường …).
    Other,
}

impl NameKind {
    pub const ALL: [Self; 11] = [
        Self::Department,
        Self::Board,
        Self::Association,
        Self::Branch,
        Self::District,
        Self::Commune,
        Self::Ward,
        Self::Township,
        Self::SpecialZone,
        Self::Division,
        Self::Other,
    ];

    /// Is its name that of a place, written out by every scheme that knows places?
    #[must_use]
    pub const fn is_place(self) -> bool {
        matches!(self, Self::District) || self.is_commune_level()
    }

    /// Xã, phường, thị trấn, đặc khu.
    #[must_use]
    pub const fn is_commune_level(self) -> bool {
        matches!(self, Self::Commune | Self::Ward | Self::Township | Self::SpecialZone)
    }

    /// The word for it, plain; empty for [`Self::Other`].
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Department => "so",
            Self::Board => "ban",
            Self::Association => "hoi",
            Self::Branch => "nganh",
            Self::District => "huyen",
            Self::Commune => "xa",
            Self::Ward => "phuong",
            Self::Township => "thitran",
            Self::SpecialZone => "dackhu",
            Self::Division => "phong",
            Self::Other => "",
        }
    }
}

/// Words a name of each kind begins with.
const KINDS: &[(&str, NameKind)] = &[
    ("sở", NameKind::Department),
    ("ban", NameKind::Board),
    ("hội", NameKind::Association),
    ("ngành", NameKind::Branch),
    ("huyện", NameKind::District),
    ("quận", NameKind::District),
    ("thị xã", NameKind::District),
    ("thành phố", NameKind::District),
    ("tp", NameKind::District),
    ("tx", NameKind::District),
    ("xã", NameKind::Commune),
    ("phường", NameKind::Ward),
    ("thị trấn", NameKind::Township),
    ("đặc khu", NameKind::SpecialZone),
    ("phòng", NameKind::Division),
];

/// Words that look like a kind or a place but, with the next one, are neither.
const NOT_A_KIND: &[&str] = &[
    "hội đồng",
    "hội trường",
    "xã hội",
    "xã đội",
    "xã đoàn",
    "phường đội",
    "phường đoàn",
    "huyện ủy",
    "huyện uỷ",
    "huyện đội",
    "huyện đoàn",
    "quận ủy",
    "quận uỷ",
    "tỉnh ủy",
    "tỉnh uỷ",
    "tỉnh đội",
    "tỉnh đoàn",
    "phòng khám",
    "phòng chống",
    "phòng cháy",
    "hợp tác xã",
    "tác xã",
];

/// In front of a place: its authority, not part of its name.
const AUTHORITIES: &[&str] = &["ủy ban nhân dân", "uỷ ban nhân dân", "ubnd"];

/// What follows says whose the unit is.
const OWNERS: &[&str] = &["của", "thuộc", "trực thuộc"];

/// Tên cơ quan, đơn vị.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName {
    kind: NameKind,
    authority: Vec<Spoken>,
    kind_words: Vec<Spoken>,
    own: Vec<Spoken>,
}

/// A plain word, and whether initials take it whole (UBND, HĐND, số 2).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spoken {
    plain: String,
    whole: bool,
}

impl UnitName {
    /// Reads a full name and finds its kind: "UBND xã Thạnh Phú, huyện Mỹ Xuyên" is the commune Thạnh Phú. The place it is in
    /// and the unit it belongs to are not part of its name: "Sở Nội vụ tỉnh An Giang", "Phòng Kế toán của Sở Y tế".
    ///
    /// # Errors
    /// When it is too long, holds letters without Latin form or no word.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::read(text, None)
    }

    /// The same where the kind is known; the word for it may stand in front or be absent.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn of_kind(text: &str, kind: NameKind) -> Result<Self, NameError> {
        Self::read(text, Some(kind))
    }

    fn read(text: &str, told: Option<NameKind>) -> Result<Self, NameError> {
        let words = words(&visible(text)?.text)?;
        if words.is_empty() {
            return Err(NameError::Empty);
        }
        let style = Style::of(&words);
        let (authority, rest) = authority(&words, &style);
        let found = kind_in_front(rest, &style);
        let (kind, length) = match (told, found) {
            (None, Some((kind, length))) => (kind, length),
            (Some(told), Some((kind, length))) if told == kind => (kind, length),
            (told, _) => (told.unwrap_or(NameKind::Other), 0),
        };
        let (kind_words, rest) = rest.split_at(length.min(rest.len()));
        let own = style.spoken(until_place_or_owner(rest, &style));
        if own.is_empty() {
            // "Sở" alone: the word is all the name there is.
            return Ok(Self {
                kind: NameKind::Other,
                authority: Vec::new(),
                kind_words: Vec::new(),
                own: style.spoken(&words),
            });
        }
        let mut kind_words = style.spoken(kind_words);
        if kind_words.is_empty() && kind != NameKind::Other {
            kind_words.push(Spoken { plain: kind.word().to_owned(), whole: false });
        }
        Ok(Self { kind, authority: style.spoken(authority), kind_words, own })
    }

    #[must_use]
    pub fn kind(&self) -> NameKind {
        self.kind
    }

    /// The kind written out, "thitran"; empty for [`NameKind::Other`].
    #[must_use]
    pub fn kind_word(&self) -> String {
        plain(&self.kind_words)
    }

    /// Words of the name without its kind and without "và".
    #[must_use]
    pub fn word_count(&self) -> usize {
        self.own.len()
    }

    /// The name without its kind, written out: "noivu".
    #[must_use]
    pub fn whole(&self) -> String {
        plain(&self.own)
    }

    /// The first letters of [`Self::whole`], abbreviations and numbers whole: "tttt", "hdndubnd", "thpts2".
    #[must_use]
    pub fn initials(&self) -> String {
        initials(&self.own)
    }

    /// The same with the kind, and the authority if it is named: "stttt", "ubndxtp".
    #[must_use]
    pub fn all_initials(&self) -> String {
        initials(&self.authority) + &initials(&self.kind_words) + &initials(&self.own)
    }
}

fn plain(words: &[Spoken]) -> String {
    words.iter().map(|word| word.plain.as_str()).collect()
}

fn initials(words: &[Spoken]) -> String {
    let first =
        |word: &Spoken| word.plain.chars().take(if word.whole { usize::MAX } else { 1 }).collect::<String>();
    words.iter().map(first).collect()
}

/// How the whole text is written, which decides what its words mean.
struct Style {
    /// Without any mark: "So Noi vu". Kinds and "và" are then known by their plain form.
    unmarked: bool,
    /// All in capitals: they then do not show an abbreviation.
    capitals: bool,
}

impl Style {
    fn of(words: &[Word]) -> Self {
        let capitals = words.iter().all(|word| word.upper || word.plain.len() == 1);
        Self { unmarked: words.iter().all(|word| word.spelling.is_ascii()), capitals }
    }

    fn same(&self, word: &Word, expected: &str) -> bool {
        word.spelling == expected || (self.unmarked && word.plain == fold_marks(expected))
    }

    fn starts_with(&self, words: &[Word], phrase: &str) -> bool {
        let mut words = words.iter();
        phrase.split(' ').all(|part| words.next().is_some_and(|word| self.same(word, part)))
    }

    fn spoken(&self, words: &[Word]) -> Vec<Spoken> {
        let counted = words.iter().filter(|word| !self.same(word, "và"));
        counted.map(|word| Spoken { plain: word.plain.clone(), whole: self.is_abbreviation(word) }).collect()
    }

    /// Capitals among small letters, no vowel at all, or a number.
    fn is_abbreviation(&self, word: &Word) -> bool {
        let vowels = word.plain.contains(['a', 'e', 'i', 'o', 'u', 'y']);
        let number = word.plain.starts_with(|c: char| c.is_ascii_digit());
        let known = AUTHORITIES.contains(&word.spelling.as_str());
        number || known || (word.upper && !self.capitals) || (word.plain.len() > 1 && !vowels)
    }
}

/// The authority of a place, and what follows. Without a place behind it is a name of its own (UBND tỉnh).
fn authority<'w>(words: &'w [Word], style: &Style) -> (&'w [Word], &'w [Word]) {
    let found = AUTHORITIES.iter().find(|phrase| style.starts_with(words, phrase));
    let length = found.map_or(0, |phrase| phrase.split(' ').count());
    let (authority, rest) = words.split_at(length.min(words.len()));
    let of_place =
        kind_in_front(rest, style).is_some_and(|(kind, length)| kind.is_place() && length < rest.len());
    if of_place { (authority, rest) } else { (&[], words) }
}

/// Kind and number of its words, if the words begin with one.
fn kind_in_front(words: &[Word], style: &Style) -> Option<(NameKind, usize)> {
    if NOT_A_KIND.iter().any(|phrase| style.starts_with(words, phrase)) {
        return None;
    }
    let found = KINDS.iter().find(|(phrase, _)| style.starts_with(words, phrase))?;
    Some((found.1, found.0.split(' ').count()))
}

/// The words before the place or the owner. Texts without marks are not cut: "tinh" may be tính, "cua" cửa.
fn until_place_or_owner<'w>(words: &'w [Word], style: &Style) -> &'w [Word] {
    if style.unmarked {
        return words;
    }
    let ends = |at: usize| {
        let (before, rest) = words.split_at(at);
        let owner = OWNERS.iter().any(|phrase| style.starts_with(rest, phrase));
        let own_department = rest.len() == 1 && style.starts_with(rest, "sở");
        let place =
            kind_in_front(rest, style).is_some_and(|(kind, _)| kind.is_place()) || province(rest, style);
        let cooperative = before.last().is_some_and(|word| style.same(word, "tác"));
        owner || own_department || (place && !cooperative)
    };
    let end = (1..words.len()).find(|at| ends(*at)).unwrap_or(words.len());
    words.split_at(end).0
}

fn province(words: &[Word], style: &Style) -> bool {
    style.starts_with(words, "tỉnh") && !NOT_A_KIND.iter().any(|phrase| style.starts_with(words, phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        use NameKind::{Association, Board, Commune, Department, District, Division, Other, Township, Ward};
        for (text, kind, whole, initials, all) in [
            ("Sở Thông tin và Truyền thông", Department, "thongtintruyenthong", "tttt", "stttt"),
            ("Sở Nội vụ tỉnh An Giang", Department, "noivu", "nv", "snv"),
            ("SỞ NỘI VỤ", Department, "noivu", "nv", "snv"),
            ("So Thong tin va Truyen thong", Department, "thongtintruyenthong", "tttt", "stttt"),
            ("Sở GD&ĐT", Department, "gddt", "gddt", "sgddt"),
            (
                "Sở Lao động - Thương binh và Xã hội",
                Department,
                "laodongthuongbinhxahoi",
                "ldtbxh",
                "sldtbxh",
            ),
            ("Ban Dân tộc", Board, "dantoc", "dt", "bdt"),
            ("Hội Nông dân tỉnh", Association, "nongdan", "nd", "hnd"),
            ("Hội đồng nhân dân tỉnh", Other, "hoidongnhandan", "hdnd", "hdnd"),
            ("Ủy ban nhân dân Huyện Mỹ Xuyên", District, "myxuyen", "mx", "ubndhmx"),
            ("UBND thành phố Long Xuyên", District, "longxuyen", "lx", "ubndtplx"),
            ("Uỷ ban nhân dân tỉnh", Other, "uybannhandan", "ubnd", "ubnd"),
            ("UBND Xã Thạnh Phú của Huyện Mỹ Xuyên", Commune, "thanhphu", "tp", "ubndxtp"),
            ("Xã Thạnh Phú, huyện Mỹ Xuyên", Commune, "thanhphu", "tp", "xtp"),
            ("Phường 5", Ward, "5", "5", "p5"),
            ("Thị trấn An Châu", Township, "anchau", "ac", "ttac"),
            ("Phòng Văn hóa – Xã hội", Division, "vanhoaxahoi", "vhxh", "pvhxh"),
            ("Phòng Nội vụ huyện Châu Phú", Division, "noivu", "nv", "pnv"),
            ("Trung tâm Phục vụ HCC", Other, "trungtamphucvuhcc", "ttpvhcc", "ttpvhcc"),
            ("VP HĐND và UBND tỉnh", Other, "vphdndubnd", "vphdndubnd", "vphdndubnd"),
            ("Văn phòng Tỉnh ủy", Other, "vanphongtinhuy", "vptu", "vptu"),
            ("Thanh tra Sở", Other, "thanhtra", "tt", "tt"),
            ("Bảo hiểm xã hội tỉnh", Other, "baohiemxahoi", "bhxh", "bhxh"),
            ("Liên minh Hợp tác xã tỉnh", Other, "lienminhhoptacxa", "lmhtx", "lmhtx"),
            ("Phòng khám đa khoa số 2", Other, "phongkhamdakhoaso2", "pkdks2", "pkdks2"),
            ("Sở", Other, "so", "s", "s"),
        ] {
            let name = UnitName::parse(text).unwrap();
            let read = (name.kind(), name.whole(), name.initials(), name.all_initials());
            assert_eq!(read, (kind, whole.to_owned(), initials.to_owned(), all.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_kind_that_is_told_needs_no_word() {
        let name = UnitName::of_kind("Nội vụ", NameKind::Department).unwrap();
        assert_eq!((name.kind_word().as_str(), name.whole().as_str()), ("so", "noivu"));
        let ward = UnitName::of_kind("Hội An", NameKind::Ward).unwrap();
        assert_eq!((ward.kind_word().as_str(), ward.whole().as_str()), ("phuong", "hoian"));
    }

    #[test]
    fn no_name_is_an_error() {
        assert_eq!(UnitName::parse(" - "), Err(NameError::Empty));
        assert_eq!(UnitName::parse("(cũ)"), Err(NameError::Empty));
        assert_eq!(UnitName::of_kind("", NameKind::Ward), Err(NameError::Empty));
    }
}
