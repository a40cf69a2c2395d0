//! Strings as they come out: variables put in, modifiers applied (RFC 5229 3, 4.1). Bounded, so that nothing doubles without end.

use super::super::meter::Spent;
use super::super::program::{Modifier, Piece, Text, Variable};
use super::{Ran, Run};
use std::borrow::Cow;

/// Octets of what a variable holds (RFC 5229 6 asks for 4,000).
const VALUE_OCTETS_MAX: usize = 8 * 1024;
/// Octets of a string that is made of variables.
const TEXT_OCTETS_MAX: usize = 64 * 1024;
/// Octets of the strings of one list that are made of variables.
const LIST_OCTETS_MAX: usize = 1024 * 1024;
/// Variables of a script (RFC 5229 6 asks for 128).
const VARIABLES_MAX: usize = 256;

impl Run<'_> {
    /// The string as it is at this moment.
    pub(super) fn text<'t>(&mut self, text: &'t Text) -> Ran<Cow<'t, str>> {
        if let Some(literal) = text.literal() {
            self.meter.spend(literal.len() / 64)?;
            return Ok(Cow::Borrowed(literal));
        }
        let mut out = String::new();
        self.meter.spend(text.0.len())?;
        for piece in &text.0 {
            if out.len() == TEXT_OCTETS_MAX {
                break;
            }
            out.push_str(match piece {
                Piece::Literal(literal) => literal,
                Piece::Variable(variable) => self.value(variable),
                Piece::Captured(number) => self.scope.captured.get(*number).map_or("", String::as_str),
            });
            cut(&mut out, TEXT_OCTETS_MAX);
        }
        self.meter.spend(1 + out.len() / 64)?;
        Ok(Cow::Owned(out))
    }

    pub(super) fn texts<'t>(&mut self, texts: &'t [Text]) -> Ran<Vec<Cow<'t, str>>> {
        self.meter.spend(texts.len() / 4)?;
        let (mut all, mut octets) = (Vec::with_capacity(texts.len()), 0);
        for text in texts {
            let text = self.text(text)?;
            if let Cow::Owned(made) = &text {
                octets += made.len();
            }
            if octets > LIST_OCTETS_MAX {
                return Err(Spent.into());
            }
            all.push(text);
        }
        Ok(all)
    }

    /// Of a variable that was never set: nothing (RFC 5229 3).
    pub(super) fn value(&self, variable: &Variable) -> &str {
        let values = if variable.is_global { &self.globals } else { &self.scope.variables };
        values.get(&variable.name).map_or("", String::as_str)
    }

    /// What is beyond the limits is cut off, or not kept (RFC 5229 6).
    pub(super) fn set(&mut self, variable: &Variable, mut value: String) -> Ran<()> {
        cut(&mut value, VALUE_OCTETS_MAX);
        self.meter.spend(1 + value.len() / 64)?;
        let values = if variable.is_global { &mut self.globals } else { &mut self.scope.variables };
        if values.len() < VARIABLES_MAX || values.contains_key(&variable.name) {
            values.insert(variable.name.clone(), value);
        }
        Ok(())
    }
}

/// At a character's end.
pub(super) fn cut(text: &mut String, octets_max: usize) {
    if text.len() > octets_max {
        let end = (0..=octets_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

/// RFC 5229 4.1: in the order in which they are given here.
pub(super) fn modified(modifiers: &[Modifier], value: &str) -> String {
    let mut value = value.to_owned();
    for modifier in modifiers {
        value = match modifier {
            Modifier::Lower => value.to_lowercase(),
            Modifier::Upper => value.to_uppercase(),
            Modifier::LowerFirst => with_first(&value, |first| first.to_lowercase().collect()),
            Modifier::UpperFirst => with_first(&value, |first| first.to_uppercase().collect()),
            Modifier::QuoteWildcard => quoted(&value),
            Modifier::EncodeUrl => percent_encoded(&value),
            Modifier::Length => value.chars().count().to_string(),
        };
    }
    value
}

fn with_first(value: &str, change: impl Fn(char) -> String) -> String {
    let mut rest = value.chars();
    rest.next().map_or(String::new(), |first| change(first) + rest.as_str())
}

/// RFC 5229 4.1.3.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// RFC 5435 8, RFC 3986 2.1: all but the unreserved.
fn percent_encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(octet));
        } else {
            const DIGITS: [char; 16] =
                ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
            out.push('%');
            out.extend(
                [octet >> 4, octet & 15].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or('0')),
            );
        }
    }
    out
}
