//! Tokens as a tree (RFC 5228 8.2). It recurses no deeper than [`NESTING_MAX`].

use super::lexer::{Lexer, Token, What};
use super::limits::{COMMANDS_MAX, LIST_MAX, NESTING_MAX, SCRIPT_OCTETS_MAX};
use super::problem::{Expected, Problem, ScriptError};
use super::tree::{Argument, Call, Value, Written};

/// # Errors
/// The first thing in it that its grammar does not have, or that is beyond the limits.
pub(super) fn parse(source: &[u8]) -> Result<Vec<Call>, ScriptError> {
    if source.len() > SCRIPT_OCTETS_MAX {
        return Err(ScriptError::at(source, 0, Problem::TooLarge(SCRIPT_OCTETS_MAX)));
    }
    let mut lexer = Lexer::new(source)?;
    let ahead = lexer.next()?;
    let mut parser = Parser { lexer, ahead, depth: 0, calls: 0 };
    let commands = parser.commands()?;
    match &parser.ahead.what {
        What::End => Ok(commands),
        _ => Err(parser.expected(Expected::Command)),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    ahead: Token,
    depth: usize,
    calls: usize,
}

impl Parser<'_> {
    fn commands(&mut self) -> Result<Vec<Call>, ScriptError> {
        let mut commands = Vec::new();
        while let Some((at, name)) = self.name()? {
            let mut command = self.call(at, name)?;
            command.block = self.end_of_command()?;
            commands.push(command);
        }
        Ok(commands)
    }

    fn end_of_command(&mut self) -> Result<Option<Vec<Call>>, ScriptError> {
        if self.takes(';')? {
            return Ok(None);
        }
        if !self.takes('{')? {
            return Err(self.expected(Expected::SemicolonOrBlock));
        }
        let commands = self.deeper(Self::commands)?;
        if !self.takes('}')? {
            return Err(self.expected(Expected::BlockEnd));
        }
        Ok(Some(commands))
    }

    /// `identifier arguments`, the identifier taken.
    fn call(&mut self, at: usize, name: String) -> Result<Call, ScriptError> {
        self.calls += 1;
        if self.calls > COMMANDS_MAX {
            return Err(self.lexer.error(at, Problem::TooManyCommands(COMMANDS_MAX)));
        }
        let arguments = self.arguments()?;
        let mut call = Call { at, name, arguments, tests: Vec::new(), is_lone_test: false, block: None };
        if self.takes('(')? {
            call.tests = self.deeper(Self::test_list)?;
        } else if let Some((at, name)) = self.name()? {
            call.is_lone_test = true;
            call.tests.push(self.deeper(|this| this.call(at, name))?);
        }
        Ok(call)
    }

    fn test_list(&mut self) -> Result<Vec<Call>, ScriptError> {
        let mut tests = Vec::new();
        loop {
            let Some((at, name)) = self.name()? else { return Err(self.expected(Expected::Test)) };
            tests.push(self.call(at, name)?);
            if self.takes(')')? {
                return Ok(tests);
            }
            if !self.takes(',')? {
                return Err(self.expected(Expected::CommaOrEnd));
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, ScriptError> {
        let mut arguments = Vec::new();
        loop {
            let at = self.ahead.at;
            let value = match &self.ahead.what {
                What::Tag(_) | What::Number(_) | What::String(_) => match self.take()?.what {
                    What::Tag(tag) => Value::Tag(tag),
                    What::Number(number) => Value::Number(number),
                    What::String(text) => {
                        Value::Strings { list: vec![Written { at, text }], in_brackets: false }
                    }
                    _ => return Ok(arguments),
                },
                What::Mark('[') => Value::Strings { list: self.string_list()?, in_brackets: true },
                _ => return Ok(arguments),
            };
            arguments.push(Argument { at, value });
        }
    }

    /// Never empty.
    fn string_list(&mut self) -> Result<Vec<Written>, ScriptError> {
        self.take()?;
        let mut list = Vec::new();
        loop {
            let at = self.ahead.at;
            match self.ahead.what {
                What::String(_) => {}
                _ => return Err(self.expected(Expected::StringOfList)),
            }
            if list.len() == LIST_MAX {
                return Err(self.lexer.error(at, Problem::TooManyStrings(LIST_MAX)));
            }
            if let What::String(text) = self.take()?.what {
                list.push(Written { at, text });
            }
            if self.takes(']')? {
                return Ok(list);
            }
            if !self.takes(',')? {
                return Err(self.expected(Expected::CommaOrEnd));
            }
        }
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        if self.depth == NESTING_MAX {
            return Err(self.lexer.error(self.ahead.at, Problem::TooDeep(NESTING_MAX)));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn take(&mut self) -> Result<Token, ScriptError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.ahead, next))
    }

    fn takes(&mut self, mark: char) -> Result<bool, ScriptError> {
        let is_here = self.ahead.what == What::Mark(mark);
        if is_here {
            self.take()?;
        }
        Ok(is_here)
    }

    fn name(&mut self) -> Result<Option<(usize, String)>, ScriptError> {
        match self.ahead.what {
            What::Identifier(_) => match self.take()? {
                Token { at, what: What::Identifier(name) } => Ok(Some((at, name))),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    fn expected(&self, expected: Expected) -> ScriptError {
        self.lexer.error(self.ahead.at, Problem::Expected(expected, self.ahead.what.shown()))
    }
}
