//! Octets of a script as tokens (RFC 5228 8.1). A bare LF ends a line as CRLF does, as editors write both; in strings either
//! becomes CRLF, as RFC 5228 2.4.2 has it.

use super::problem::{Expected, Kind, Problem, ScriptError};

/// A token, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub at: usize,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// In small letters.
    Identifier(String),
    /// In small letters, without the colon.
    Tag(String),
    Number(u64),
    /// Quoted or `text:`; as written, before `${…}`.
    String(String),
    /// One of `; , { } ( ) [ ]`.
    Mark(char),
    End,
}

impl What {
    /// For a message to whoever wrote it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Identifier(name) => format!("“{name}”"),
            Self::Tag(name) => format!("“:{name}”"),
            Self::Number(number) => number.to_string(),
            Self::String(_) => "\"…\"".into(),
            Self::Mark(mark) => format!("“{mark}”"),
            Self::End => "EOF".into(),
        }
    }
}

pub(super) struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// # Errors
    /// It is not UTF-8 (RFC 5228 2.1).
    pub(super) fn new(source: &'a [u8]) -> Result<Self, ScriptError> {
        match std::str::from_utf8(source) {
            Ok(text) => Ok(Self { source: text, at: 0 }),
            Err(error) => Err(ScriptError::at(source, error.valid_up_to(), Problem::NotUtf8)),
        }
    }

    pub(super) fn error(&self, offset: usize, problem: Problem) -> ScriptError {
        ScriptError::at(self.source.as_bytes(), offset, problem)
    }

    /// # Errors
    /// What stands there is no token.
    pub(super) fn next(&mut self) -> Result<Token, ScriptError> {
        self.skip_white_space()?;
        let at = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(Token { at, what: What::End }) };
        let what = match first {
            ';' | ',' | '{' | '}' | '(' | ')' | '[' | ']' => {
                self.at += 1;
                What::Mark(first)
            }
            '"' => self.quoted()?,
            ':' => {
                self.at += 1;
                let name = self.identifier();
                if name.is_empty() {
                    let found = self.rest().chars().next().map_or("EOF".into(), |c| format!("“{c}”"));
                    return Err(self.error(at, Problem::Expected(Expected::Tag, found)));
                }
                What::Tag(name)
            }
            '0'..='9' => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let name = self.identifier();
                if name == "text" && self.rest().starts_with(':') {
                    self.text(at)?
                } else {
                    What::Identifier(name)
                }
            }
            other => return Err(self.error(at, Problem::Character(other))),
        };
        Ok(Token { at, what })
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn skip_white_space(&mut self) -> Result<(), ScriptError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let body = rest.get(2..).unwrap_or_default();
                let Some(end) = body.find("*/") else {
                    return Err(self.error(self.at, Problem::Unended(Kind::Comment)));
                };
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn identifier(&mut self) -> String {
        let rest = self.rest();
        let length = match rest.bytes().next() {
            Some(first) if first.is_ascii_alphabetic() || first == b'_' => {
                rest.bytes().take_while(|octet| octet.is_ascii_alphanumeric() || *octet == b'_').count()
            }
            _ => 0,
        };
        self.at += length;
        rest.get(..length).unwrap_or_default().to_ascii_lowercase()
    }

    /// RFC 5228 2.4.1: K, M and G are powers of 1024.
    fn number(&mut self) -> Result<What, ScriptError> {
        let (at, rest) = (self.at, self.rest());
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: Option<u64> = rest.get(..digits).and_then(|digits| digits.parse().ok());
        let shift = match rest.as_bytes().get(digits) {
            Some(b'k' | b'K') => 10,
            Some(b'm' | b'M') => 20,
            Some(b'g' | b'G') => 30,
            _ => 0,
        };
        self.at += digits + usize::from(shift > 0);
        let number = number.and_then(|number| number.checked_mul(1 << shift));
        let Some(number) = number else { return Err(self.error(at, Problem::NumberTooLarge)) };
        if let Some(c) = self.rest().chars().next().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            return Err(self.error(self.at, Problem::Character(c)));
        }
        Ok(What::Number(number))
    }

    fn quoted(&mut self) -> Result<What, ScriptError> {
        let (at, mut text) = (self.at, String::new());
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = characters.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(What::String(text));
                }
                // RFC 5228 2.4.2: a backslash before anything else is as if it were not there.
                '\\' => match characters.next() {
                    Some((_, escaped)) => push(&mut text, escaped),
                    None => break,
                },
                c => push(&mut text, c),
            }
        }
        Err(self.error(at, Problem::Unended(Kind::String)))
    }

    /// RFC 5228 2.4.2: `multi-line`, behind its `text`.
    fn text(&mut self, at: usize) -> Result<What, ScriptError> {
        let unended = |this: &Self| this.error(at, Problem::Unended(Kind::Text));
        self.at += 1;
        let rest = self.rest();
        let line_end = rest.find('\n').ok_or_else(|| unended(self))?;
        let first = rest.get(..line_end).unwrap_or_default().trim_start_matches([' ', '\t']);
        if !first.trim_end_matches('\r').is_empty() && !first.starts_with('#') {
            let c = first.chars().next().unwrap_or_default();
            return Err(self.error(self.at + line_end - first.len(), Problem::Character(c)));
        }
        self.at += line_end + 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find('\n');
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let line = line.strip_suffix('\r').unwrap_or(line);
            self.at += end.map_or(rest.len(), |end| end + 1);
            if line == "." {
                return Ok(What::String(text));
            }
            if end.is_none() {
                return Err(unended(self));
            }
            let line = if line.starts_with("..") { line.get(1..).unwrap_or_default() } else { line };
            line.chars().for_each(|c| push(&mut text, c));
            text.push_str("\r\n");
        }
    }
}

/// Line ends as CRLF, whichever they were.
fn push(text: &mut String, c: char) {
    match c {
        '\r' => {}
        '\n' => text.push_str("\r\n"),
        c => text.push(c),
    }
}
