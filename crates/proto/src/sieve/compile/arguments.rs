//! The arguments of one command or test, taken one after the other: tags first, then what stands in its place (RFC 5228 2.6).

use super::super::problem::{Argument as Wanted, Problem};
use super::super::program::Text;
use super::super::tree::{Argument, Value, Written};
use super::{Compiled, Compiler, strings_of};
use std::collections::VecDeque;

pub(super) struct Arguments {
    /// Of the command.
    pub at: usize,
    rest: VecDeque<Argument>,
    seen: Vec<String>,
    last: usize,
}

impl Arguments {
    pub(super) fn new(at: usize, arguments: Vec<Argument>) -> Self {
        Self { at, rest: arguments.into(), seen: Vec::new(), last: at }
    }

    /// The next one, if it is a tag: where it stands, and its name.
    ///
    /// # Errors
    /// It came before.
    pub(super) fn tag(&mut self, compiler: &Compiler<'_>) -> Compiled<Option<(usize, String)>> {
        if !matches!(self.rest.front(), Some(Argument { value: Value::Tag(_), .. })) {
            return Ok(None);
        }
        let Some(Argument { at, value: Value::Tag(name) }) = self.rest.pop_front() else { return Ok(None) };
        if self.seen.contains(&name) {
            return Err(compiler.error(at, Problem::Conflict(name)));
        }
        self.last = at;
        self.seen.push(name.clone());
        Ok(Some((at, name)))
    }

    /// # Errors
    /// It is not there, or more than one string.
    pub(super) fn literal(&mut self, compiler: &Compiler<'_>) -> Compiled<Written> {
        let last = self.last;
        let missing = || compiler.error(last, Problem::Missing(Wanted::String));
        match self.rest.pop_front() {
            Some(Argument { value: Value::Strings { mut list, in_brackets: false }, at }) => {
                self.last = at;
                list.pop().ok_or_else(missing)
            }
            Some(Argument { at, .. }) => Err(compiler.error(at, Problem::Missing(Wanted::String))),
            None => Err(missing()),
        }
    }

    /// # Errors
    /// It is not there.
    pub(super) fn literals(&mut self, compiler: &Compiler<'_>) -> Compiled<(usize, Vec<Written>)> {
        match self.rest.pop_front() {
            Some(Argument { value, at }) => {
                self.last = at;
                let list = strings_of(value);
                let list = list.ok_or_else(|| compiler.error(at, Problem::Missing(Wanted::Strings)))?;
                Ok((at, list))
            }
            None => Err(compiler.error(self.last, Problem::Missing(Wanted::Strings))),
        }
    }

    pub(super) fn text(&mut self, compiler: &Compiler<'_>) -> Compiled<Text> {
        let literal = self.literal(compiler)?;
        compiler.text(literal)
    }

    pub(super) fn texts(&mut self, compiler: &Compiler<'_>) -> Compiled<Vec<Text>> {
        let (_, literals) = self.literals(compiler)?;
        compiler.texts(literals)
    }

    /// How many strings or lists are still to come.
    pub(super) fn strings_left(&self) -> usize {
        self.rest.iter().filter(|argument| matches!(argument.value, Value::Strings { .. })).count()
    }

    /// # Errors
    /// It is not there.
    pub(super) fn number(&mut self, compiler: &Compiler<'_>) -> Compiled<(usize, u64)> {
        match self.rest.pop_front() {
            Some(Argument { value: Value::Number(number), at }) => {
                self.last = at;
                Ok((at, number))
            }
            Some(Argument { at, .. }) => Err(compiler.error(at, Problem::Missing(Wanted::Number))),
            None => Err(compiler.error(self.last, Problem::Missing(Wanted::Number))),
        }
    }

    /// # Errors
    /// There are more.
    pub(super) fn end(&mut self, compiler: &Compiler<'_>) -> Compiled<()> {
        match self.rest.pop_front() {
            Some(Argument { at, value: Value::Tag(name) }) => {
                Err(compiler.error(at, Problem::UnknownTag(name)))
            }
            Some(argument) => Err(compiler.error(argument.at, Problem::TooManyArguments)),
            None => Ok(()),
        }
    }
}
