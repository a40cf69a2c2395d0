//! The form of an address as a rule writes it: `{initials}{given}{n:2}`.
//!
//! Invariants: text between the placeholders is `a-z0-9.-_`; at most one placeholder repeats (`{n}`, `{extra}`,
//! `{grown}`), so that a rule is a list in one order; what is made is never longer than a local part.

use super::local_part::LOCAL_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// Characters of a form; the longest of ours has some 40.
const FORM_BYTES_MAX: usize = 200;
/// Digits a number may be filled up to.
const NUMBER_DIGITS_MAX: u8 = 4;
/// Letters a holder may add ("một hoặc hai ký tự", Thái Nguyên 957/2013 Điều 3.5).
const EXTRA_LETTERS_MAX: u8 = 2;
/// What may be added, in the order it is offered.
const EXTRA: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// One piece of a form; how it is written stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Written as it is.
    Text(String),
    /// `{given}`: tên, the last word of a person's name.
    Given,
    /// `{initials}`: of a person, the first letters of all words but the last (họ và đệm); of a unit, of all words of its
    /// name without the kind, abbreviations whole.
    Initials,
    /// `{grown}`: a person's initials with one more letter each time, surname first and then the middle names in
    /// turn: nt, ngt, ngth, nguth …
    Grown,
    /// `{unit}`: code of the person's unit.
    Unit,
    /// `{type}`: the kind of a unit in full: `so`, `phong`, `thitran`.
    Type,
    /// `{name}`: a unit's name without its kind; initials from the scheme's number of words on, else whole.
    Name,
    /// `{whole}`: a unit's name without its kind, written out.
    Whole,
    /// `{all-initials}`: of the kind and the name.
    AllInitials,
    /// `{parent}`: local part of the unit above.
    Parent,
    /// `{code}`: from the province's list, or the name of the unit's own sub-domain.
    Code,
    /// `{n}` or `{n:2}`: the rule's numbers in order, filled with zeros to so many digits.
    Number { digits: u8 },
    /// `{extra:1}`, `{extra:2}`: every combination of so many letters or digits.
    Extra { letters: u8 },
}

/// Placeholders without a figure.
const PLACEHOLDERS: &[(&str, Piece)] = &[
    ("given", Piece::Given),
    ("initials", Piece::Initials),
    ("grown", Piece::Grown),
    ("unit", Piece::Unit),
    ("type", Piece::Type),
    ("name", Piece::Name),
    ("whole", Piece::Whole),
    ("all-initials", Piece::AllInitials),
    ("parent", Piece::Parent),
    ("code", Piece::Code),
    ("n", Piece::Number { digits: 1 }),
];

impl Piece {
    /// May a scheme for persons use it? `{initials}` serves both.
    #[must_use]
    pub fn is_of_persons(&self) -> bool {
        !matches!(self, Self::Type | Self::Name | Self::Whole | Self::AllInitials | Self::Parent | Self::Code)
    }

    /// May a scheme for units use it?
    #[must_use]
    pub fn is_of_units(&self) -> bool {
        !matches!(self, Self::Given | Self::Grown | Self::Unit | Self::Extra { .. })
    }

    fn repeats(&self) -> bool {
        matches!(self, Self::Grown | Self::Number { .. } | Self::Extra { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("a form has 1 to {FORM_BYTES_MAX} bytes")]
    Length,
    #[error("only a-z 0-9 . - _ may stand between placeholders")]
    Text,
    #[error("a placeholder is not closed by a brace")]
    Unclosed,
    #[error("unknown placeholder {{{0}}}")]
    Placeholder(String),
    #[error("only one of n, extra and grown may stand in a form")]
    Repeats,
}

/// A form: pieces in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Form(Vec<Piece>);

impl Form {
    /// # Errors
    /// When there is no piece, text has other characters than `a-z0-9.-_`, a figure is out of range, or two pieces repeat.
    pub fn new(pieces: Vec<Piece>) -> Result<Self, FormError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        for piece in &pieces {
            let valid = match piece {
                Piece::Text(text) => !text.is_empty() && text.chars().all(plain),
                Piece::Number { digits } => (1..=NUMBER_DIGITS_MAX).contains(digits),
                Piece::Extra { letters } => (1..=EXTRA_LETTERS_MAX).contains(letters),
                _ => true,
            };
            if !valid {
                return Err(FormError::Text);
            }
        }
        if pieces.is_empty() {
            return Err(FormError::Length);
        }
        if pieces.iter().filter(|piece| piece.repeats()).count() > 1 {
            return Err(FormError::Repeats);
        }
        Ok(Self(pieces))
    }

    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The text at `step`, counted from 0, of a form whose numbers run in `numbers`.
    pub(super) fn text(&self, step: u32, numbers: (u32, u32), parts: &Parts) -> Step {
        let Some(repeated) = self.repeated(step, numbers, parts) else { return Step::End };
        let mut text = String::new();
        for piece in &self.0 {
            let part = match piece {
                Piece::Text(text) => Some(text.as_str()),
                piece if piece.repeats() => Some(repeated.as_str()),
                piece => parts.value(piece),
            };
            match part {
                Some(part) if text.len() + part.len() <= LOCAL_BYTES_MAX => text.push_str(part),
                _ => return Step::Nothing,
            }
        }
        Step::Text(text)
    }

    /// What stands for the repeated piece; nothing behind the last step.
    fn repeated(&self, step: u32, (from, to): (u32, u32), parts: &Parts) -> Option<String> {
        match self.0.iter().find(|piece| piece.repeats()) {
            Some(Piece::Number { digits }) => {
                let number = from.checked_add(step).filter(|number| *number <= to)?;
                Some(format!("{number:0width$}", width = usize::from(*digits)))
            }
            Some(Piece::Extra { letters }) => extra(step, *letters),
            Some(_) => parts.grown.get(usize::try_from(step).ok()?).cloned(),
            None => (step == 0).then(String::new),
        }
    }
}

/// The combination of this number: a, b … z, 0 … 9, or aa, ab …
fn extra(step: u32, letters: u8) -> Option<String> {
    let base = u32::try_from(EXTRA.len()).ok()?;
    let mut rest = step;
    let mut reversed = Vec::new();
    for _ in 0..letters {
        let letter = EXTRA.get(usize::try_from(rest % base).ok()?)?;
        reversed.push(char::from(*letter));
        rest /= base;
    }
    (rest == 0).then(|| reversed.iter().rev().collect())
}

/// What a form gives at one step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There are no further steps.
    End,
    /// A part is missing, or the text would be too long.
    Nothing,
    Text(String),
}

/// The values of the pieces for one person or unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) values: Vec<(Piece, String)>,
    pub(super) grown: Vec<String>,
}

impl Parts {
    fn value(&self, piece: &Piece) -> Option<&str> {
        self.values.iter().find(|(of, _)| of == piece).map(|(_, value)| value.as_str())
    }
}

impl TryFrom<String> for Form {
    type Error = FormError;
    fn try_from(text: String) -> Result<Self, FormError> {
        text.parse()
    }
}

impl std::str::FromStr for Form {
    type Err = FormError;
    fn from_str(text: &str) -> Result<Self, FormError> {
        if text.len() > FORM_BYTES_MAX {
            return Err(FormError::Length);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, behind) = rest.split_once('{').unwrap_or((rest, ""));
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            if before.len() == rest.len() {
                break;
            }
            let (word, after) = behind.split_once('}').ok_or(FormError::Unclosed)?;
            pieces.push(placeholder(word)?);
            rest = after;
        }
        Self::new(pieces)
    }
}

fn placeholder(word: &str) -> Result<Piece, FormError> {
    let unknown = || FormError::Placeholder(word.to_owned());
    if let Some((_, piece)) = PLACEHOLDERS.iter().find(|(name, _)| *name == word) {
        return Ok(piece.clone());
    }
    let (name, figure) = word.split_once(':').ok_or_else(unknown)?;
    let figure: u8 = figure.parse().map_err(|_| unknown())?;
    match name {
        "n" => Ok(Piece::Number { digits: figure }),
        "extra" => Ok(Piece::Extra { letters: figure }),
        _ => Err(unknown()),
    }
}

impl From<Form> for String {
    fn from(form: Form) -> Self {
        form.to_string()
    }
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.0 {
            match (piece, PLACEHOLDERS.iter().find(|(_, of)| of == piece)) {
                (Piece::Text(text), _) => f.write_str(text)?,
                (_, Some((name, _))) => write!(f, "{{{name}}}")?,
                (Piece::Number { digits }, None) => write!(f, "{{n:{digits}}}")?,
                (Piece::Extra { letters }, None) => write!(f, "{{extra:{letters}}}")?,
                (_, None) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_round_trip() {
        for text in [
            "{initials}{given}",
            "{initials}{given}{n:2}",
            "{given}{grown}-{unit}",
            "{given}{initials}{extra:2}",
            "contact-{code}",
            "{type}{whole}.{parent}",
            "so{name}{n}",
            "{all-initials}",
            "fixed",
        ] {
            assert_eq!(text.parse::<Form>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_forms_are_refused() {
        for (text, error) in [
            ("", FormError::Length),
            ("{given", FormError::Unclosed),
            ("given}", FormError::Text),
            ("{given} x", FormError::Text),
            ("Đ{given}", FormError::Text),
            ("{name}@x", FormError::Text),
            ("{n:0}", FormError::Text),
            ("{n:9}", FormError::Text),
            ("{extra:3}", FormError::Text),
            ("{n}{grown}", FormError::Repeats),
            ("{birth}", FormError::Placeholder("birth".to_owned())),
            ("{n:x}", FormError::Placeholder("n:x".to_owned())),
            ("{given:1}", FormError::Placeholder("given:1".to_owned())),
            ("{}", FormError::Placeholder(String::new())),
        ] {
            assert_eq!(text.parse::<Form>(), Err(error), "{text}");
        }
        assert_eq!("a".repeat(201).parse::<Form>(), Err(FormError::Length));
    }

    #[test]
    fn steps_have_an_end() {
        let parts = Parts { values: vec![(Piece::Given, "binh".to_owned())], grown: vec!["ngt".to_owned()] };
        let at = |form: &str, step| form.parse::<Form>().unwrap().text(step, (2, 99), &parts);
        assert_eq!(at("{given}", 0), Step::Text("binh".to_owned()));
        assert_eq!(at("{given}", 1), Step::End);
        assert_eq!(at("{given}{n:2}", 0), Step::Text("binh02".to_owned()));
        assert_eq!(at("{given}{n:2}", 97), Step::Text("binh99".to_owned()));
        assert_eq!(at("{given}{n:2}", 98), Step::End);
        assert_eq!(at("{given}{n:2}", u32::MAX), Step::End);
        assert_eq!(at("{given}{grown}", 0), Step::Text("binhngt".to_owned()));
        assert_eq!(at("{given}{grown}", 1), Step::End);
        assert_eq!(at("{given}{extra:1}", 35), Step::Text("binh9".to_owned()));
        assert_eq!(at("{given}{extra:1}", 36), Step::End);
        assert_eq!(at("{given}{extra:2}", 1), Step::Text("binhab".to_owned()));
        assert_eq!(at("{given}{extra:2}", 1295), Step::Text("binh99".to_owned()));
        assert_eq!(at("{given}{extra:2}", 1296), Step::End);
        assert_eq!(at("{given}-{unit}", 0), Step::Nothing);
    }
}
