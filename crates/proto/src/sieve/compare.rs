//! How a script compares texts: comparators (RFC 4790), match types (RFC 5228 2.7, RFC 5231) and what wildcards stood for
//! (RFC 5229 3.2).
//!
//! A comparator turns a text into the form in which it is compared; then octets decide. What a comparison costs is paid from
//! the run's [`Meter`], so that no pattern is worse than its share.

use super::meter::{Meter, Spent};
use crate::search::{fold, normalise};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

/// RFC 4790 3. The default is [`Comparator::AsciiCasemap`] (RFC 5228 2.7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparator {
    #[default]
    AsciiCasemap,
    /// A number at the beginning; what has none is greater than all that have (RFC 4790 9.1.1).
    AsciiNumeric,
    Octet,
    /// Case of any script (RFC 5051 2).
    UnicodeCasemap,
    /// Ours: neither case nor Vietnamese diacritics count, đ is d.
    WithoutMarks,
}

const COMPARATORS: [(&str, Comparator); 5] = [
    ("i;ascii-casemap", Comparator::AsciiCasemap),
    ("i;ascii-numeric", Comparator::AsciiNumeric),
    ("i;octet", Comparator::Octet),
    ("i;unicode-casemap", Comparator::UnicodeCasemap),
    ("i;vnd.congthu.without-marks", Comparator::WithoutMarks),
];

impl Comparator {
    pub(super) fn named(name: &str) -> Option<Self> {
        COMPARATORS.iter().find(|(known, _)| *known == name).map(|(_, comparator)| *comparator)
    }

    /// RFC 4790 9.1: numbers have no parts that one could look for.
    pub(super) const fn has_substrings(self) -> bool {
        !matches!(self, Self::AsciiNumeric)
    }

    /// A script need not ask for these two (RFC 5228 2.7.3).
    pub(super) const fn is_always_here(self) -> bool {
        matches!(self, Self::AsciiCasemap | Self::Octet)
    }

    /// How often the cost of comparing octets its form costs.
    const fn weight(self) -> usize {
        match self {
            Self::Octet | Self::AsciiNumeric | Self::AsciiCasemap => 1,
            Self::UnicodeCasemap => 8,
            Self::WithoutMarks => 32,
        }
    }

    fn form(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Octet | Self::AsciiNumeric => Cow::Borrowed(text),
            Self::AsciiCasemap if !text.bytes().any(|octet| octet.is_ascii_uppercase()) => {
                Cow::Borrowed(text)
            }
            Self::AsciiCasemap => Cow::Owned(text.to_ascii_lowercase()),
            Self::UnicodeCasemap => Cow::Owned(text.to_lowercase()),
            Self::WithoutMarks => Cow::Owned(fold(&normalise(text))),
        }
    }

    /// One character as it is compared; a comparator may make several of one, or none.
    fn form_of_char(self, c: char, emit: &mut impl FnMut(char)) {
        match self {
            Self::Octet | Self::AsciiNumeric => emit(c),
            Self::AsciiCasemap => emit(c.to_ascii_lowercase()),
            Self::UnicodeCasemap => c.to_lowercase().for_each(emit),
            Self::WithoutMarks if c.is_ascii_alphanumeric() => emit(c.to_ascii_lowercase()),
            Self::WithoutMarks => self.form(c.encode_utf8(&mut [0; 4])).chars().for_each(emit),
        }
    }

    /// What it costs to form a text of so many octets.
    const fn cost(self, octets: usize) -> usize {
        octets * self.weight() / 64
    }

    fn is_same(self, value: &Value<'_>, key: &str) -> bool {
        match self {
            Self::Octet => value.text == key,
            Self::AsciiCasemap => value.text.eq_ignore_ascii_case(key),
            Self::AsciiNumeric => numeric(value.text, key).is_eq(),
            _ => value.form(self) == self.form(key),
        }
    }

    fn order(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::AsciiNumeric => numeric(left, right),
            _ => self.form(left).as_bytes().cmp(self.form(right).as_bytes()),
        }
    }
}

/// RFC 4790 9.1.1, for numbers of any length.
fn numeric(left: &str, right: &str) -> Ordering {
    fn digits(text: &str) -> Option<&str> {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        text.get(..end).filter(|digits| !digits.is_empty()).map(|digits| digits.trim_start_matches('0'))
    }
    match (digits(left), digits(right)) {
        (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// RFC 5231 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
}

impl Relation {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            _ => return None,
        })
    }

    const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

/// RFC 5228 2.7.1, RFC 5231 4, RFC 6134 2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum How {
    #[default]
    Is,
    Contains,
    Matches,
    Value(Relation),
    Count(Relation),
    /// One of an external list.
    List,
}

/// How a test compares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compare {
    pub comparator: Comparator,
    pub how: How,
}

/// A text that is compared, perhaps with many keys: it is put into its form once.
pub(super) struct Value<'v> {
    text: &'v str,
    form: OnceCell<Cow<'v, str>>,
}

impl<'v> Value<'v> {
    pub(super) const fn new(text: &'v str) -> Self {
        Self { text, form: OnceCell::new() }
    }

    fn form(&self, comparator: Comparator) -> &str {
        self.form.get_or_init(|| comparator.form(self.text))
    }
}

/// What wildcards stood for: `${0}` and so on.
pub(super) type Captured = Vec<String>;

/// `${0}` to this one (RFC 5229 3.2 asks for 9).
pub(super) const CAPTURED_MAX: usize = 32;

impl Compare {
    /// Does `value` meet `key`? With [`How::Matches`], what the wildcards stood for. Neither counts nor lists are looked at here.
    pub(super) fn meets(
        self,
        value: &Value<'_>,
        key: &str,
        meter: &mut Meter,
    ) -> Result<Option<Captured>, Spent> {
        let comparator = self.comparator;
        let formed = if value.form.get().is_some() { 0 } else { comparator.cost(value.text.len()) };
        meter.spend(1 + formed + comparator.cost(key.len()) + value.text.len() / 64)?;
        let is_met = match self.how {
            How::Is => comparator.is_same(value, key),
            How::Contains => {
                let (value, key) = (value.form(comparator), comparator.form(key));
                memchr::memmem::find(value.as_bytes(), key.as_bytes()).is_some()
            }
            How::Matches => return matches(comparator, value.text, key, meter),
            How::Value(relation) => relation.holds(comparator.order(value.text, key)),
            How::Count(_) | How::List => false,
        };
        Ok(is_met.then(Captured::new))
    }

    /// RFC 5231 4.2: a number of things against a key.
    pub(super) fn counts(self, count: usize, key: &str, meter: &mut Meter) -> Result<bool, Spent> {
        meter.spend(1)?;
        match self.how {
            How::Count(relation) => Ok(relation.holds(self.comparator.order(&count.to_string(), key))),
            _ => Ok(false),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Glyph {
    /// `*`
    Any,
    /// `?`
    One,
    This(char),
}

/// RFC 5228 2.7.1: `*`, `?`, and a backslash that takes their meaning away.
fn pattern(key: &str) -> Vec<Glyph> {
    let mut characters = key.chars();
    let mut glyphs = Vec::new();
    while let Some(c) = characters.next() {
        glyphs.push(match c {
            '*' => Glyph::Any,
            '?' => Glyph::One,
            '\\' => Glyph::This(characters.next().unwrap_or('\\')),
            c => Glyph::This(c),
        });
    }
    glyphs
}

/// The text as its characters are compared, each beside what it was: a wildcard stands for what was written.
struct Compared {
    /// A comparator may make several of one.
    forms: Vec<char>,
    /// Where each begins in the text; one more than forms.
    starts: Vec<usize>,
}

impl Compared {
    fn new(comparator: Comparator, text: &str) -> Self {
        let (mut forms, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        for (at, c) in text.char_indices() {
            comparator.form_of_char(c, &mut |form| {
                forms.push(form);
                starts.push(at);
            });
        }
        starts.push(text.len());
        Self { forms, starts }
    }
}

/// Each wildcard stands for as little as it can (RFC 5229 3.2). Costs at most the product of both lengths, which is paid for.
fn matches(
    comparator: Comparator,
    value: &str,
    key: &str,
    meter: &mut Meter,
) -> Result<Option<Captured>, Spent> {
    meter.spend(value.len() / 4)?;
    let key = comparator.form(key);
    let (pattern, text) = (pattern(&key), Compared::new(comparator, value));
    // Where each wildcard's part begins and ends, in forms.
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut retry: Option<(usize, usize, usize)> = None;
    let (mut at, mut glyph) = (0, 0);
    let mut steps = 0;
    loop {
        steps += 1;
        if steps % 256 == 0 {
            meter.spend(16)?;
        }
        match (pattern.get(glyph), text.forms.get(at)) {
            (None, None) => break,
            (Some(Glyph::Any), _) => {
                retry = Some((glyph, at, parts.len()));
                parts.push((at, at));
                glyph += 1;
            }
            (Some(Glyph::One), Some(_)) => {
                parts.push((at, at + 1));
                (at, glyph) = (at + 1, glyph + 1);
            }
            (Some(Glyph::This(wanted)), Some(form)) if wanted == form => (at, glyph) = (at + 1, glyph + 1),
            _ => {
                // The last `*` takes one more; those before it need not, as what is between them stays found.
                let Some((star, begun, kept)) = retry else { return Ok(None) };
                let end = parts.get(kept).map_or(begun, |part| part.1) + 1;
                if end > text.forms.len() {
                    return Ok(None);
                }
                parts.truncate(kept + 1);
                if let Some(part) = parts.get_mut(kept) {
                    part.1 = end;
                }
                (at, glyph) = (end, star + 1);
            }
        }
    }
    Ok(Some(captured(value, &text, &parts)))
}

fn captured(value: &str, text: &Compared, parts: &[(usize, usize)]) -> Captured {
    let piece = |(begin, end): (usize, usize)| {
        let (begin, end) = (text.starts.get(begin).copied(), text.starts.get(end).copied());
        value.get(begin.unwrap_or(0)..end.unwrap_or(value.len())).unwrap_or_default().to_owned()
    };
    std::iter::once(value.to_owned())
        .chain(parts.iter().take(CAPTURED_MAX).map(|part| piece(*part)))
        .collect()
}
