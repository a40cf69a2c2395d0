//! A tree as a program: which extensions were asked for, whether every argument is what it has to be.
//!
//! Whatever can be known before a message comes is found here, so that a script that was taken does not fail at night. In a script
//! that asks with `ihave` (RFC 5463 4) a command that nobody knows is an error only where it is reached.

mod actions;
mod arguments;
mod comparing;
mod conditions;
pub(super) mod headers;
pub(super) mod moments;
pub(super) mod notes;

use self::arguments::Arguments;
use super::capability::{Capabilities, Capability};
use super::compare::Comparator;
use super::parser::parse;
use super::problem::{Problem, ScriptError, Value};
use super::program::{Act, ScriptName, Step, Test, Text, Variable};
use super::strings::{StringProblem, encoded_characters, is_identifier, variables};
use super::tree::{Call, Value as Written, Written as Literal};
use std::collections::BTreeSet;

/// A script that was understood.
#[derive(Debug)]
pub struct Script {
    pub(super) steps: Vec<Step>,
    /// Other scripts that it may include.
    pub(super) includes: Vec<ScriptName>,
}

impl Script {
    /// Other scripts that it may include, to be read before it runs.
    pub fn includes(&self) -> &[ScriptName] {
        &self.includes
    }

    /// Addresses that it may pass mail on to, as far as they are written in it: sorted, each once. What it includes, lists
    /// (RFC 6134), and addresses that are put together when it runs are not among them.
    pub fn passes_on_to(&self) -> Vec<&str> {
        let mut found = BTreeSet::new();
        let mut blocks: Vec<&[Step]> = vec![&self.steps];
        while let Some(steps) = blocks.pop() {
            for step in steps {
                match &step.act {
                    Act::If { arms, otherwise } => {
                        blocks.extend(arms.iter().map(|(_, steps)| steps.as_slice()));
                        blocks.push(otherwise);
                    }
                    Act::ForEveryPart { steps, .. } => blocks.push(steps),
                    Act::Redirect(redirect) if !redirect.is_list => {
                        found.extend(redirect.to.literal().map(str::trim));
                    }
                    _ => {}
                }
            }
        }
        found.into_iter().collect()
    }
}

/// # Errors
/// The first thing in it that cannot be, and where.
pub fn compile(source: &[u8]) -> Result<Script, ScriptError> {
    let calls = parse(source)?;
    let line_ends = memchr::memchr_iter(b'\n', source).collect();
    let mut compiler = Compiler { source, line_ends, ..Compiler::default() };
    let rest = compiler.requirements(calls)?;
    let steps = compiler.block(rest)?;
    Ok(Script { steps, includes: compiler.includes })
}

#[derive(Default)]
struct Compiler<'a> {
    source: &'a [u8],
    /// Offsets, in their order.
    line_ends: Vec<usize>,
    capabilities: Capabilities,
    globals: BTreeSet<String>,
    includes: Vec<ScriptName>,
    /// Names of the loops around what is read now (RFC 5703 3.2).
    loops: Vec<Option<String>>,
}

type Compiled<T> = Result<T, ScriptError>;

impl Compiler<'_> {
    fn error(&self, at: usize, problem: Problem) -> ScriptError {
        ScriptError::at(self.source, at, problem)
    }

    fn invalid(&self, at: usize, value: Value, found: &str) -> ScriptError {
        const SHOWN_MAX: usize = 60;
        self.error(at, Problem::Invalid(value, found.chars().take(SHOWN_MAX).collect()))
    }

    fn has(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    fn needs(&self, at: usize, capability: Capability) -> Compiled<()> {
        if self.has(capability) {
            return Ok(());
        }
        Err(self.error(at, Problem::NotRequired(capability.name())))
    }

    fn is_lenient(&self) -> bool {
        self.has(Capability::Ihave)
    }

    /// RFC 5228 3.2. What comes behind.
    fn requirements(&mut self, calls: Vec<Call>) -> Compiled<Vec<Call>> {
        let mut rest = calls.into_iter().peekable();
        while let Some(call) = rest.next_if(|call| call.name == "require") {
            let mut arguments = self.arguments_of_command(call)?;
            let (_, names) = arguments.literals(self)?;
            arguments.end(self)?;
            for Literal { at, text } in names {
                self.require(at, &text)?;
            }
        }
        Ok(rest.collect())
    }

    fn require(&mut self, at: usize, name: &str) -> Compiled<()> {
        match Capability::named(name) {
            Some(capability) => self.capabilities.add(capability),
            None => return Err(self.error(at, Problem::UnknownCapability(name.to_owned()))),
        }
        Ok(())
    }

    fn block(&mut self, calls: Vec<Call>) -> Compiled<Vec<Step>> {
        let mut steps = Vec::new();
        let mut calls = calls.into_iter().peekable();
        while let Some(call) = calls.next() {
            let line = 1 + self.line_ends.partition_point(|end| *end < call.at);
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let act = match call.name.as_str() {
                "if" => {
                    let mut chain = vec![call];
                    while let Some(next) = calls.next_if(|next| next.name == "elsif" || next.name == "else") {
                        let is_last = next.name == "else";
                        chain.push(next);
                        if is_last {
                            break;
                        }
                    }
                    Some(self.condition(chain)?)
                }
                "elsif" | "else" => return Err(self.error(call.at, Problem::ElseWithoutIf)),
                "require" => return Err(self.error(call.at, Problem::LateRequire)),
                _ => self.action(call)?,
            };
            steps.extend(act.map(|act| Step { line, act }));
        }
        Ok(steps)
    }

    /// RFC 5228 3.1.
    fn condition(&mut self, chain: Vec<Call>) -> Compiled<Act> {
        let (mut arms, mut otherwise) = (Vec::new(), Vec::new());
        for mut call in chain {
            let at = call.at;
            let Some(block) = call.block.take() else { return Err(self.error(at, Problem::WantsBlock)) };
            if let Some(argument) = call.arguments.first() {
                return Err(self.error(argument.at, Problem::TooManyArguments));
            }
            if call.name == "else" {
                if let Some(test) = call.tests.first() {
                    return Err(self.error(test.at, Problem::WantsNoTest));
                }
                otherwise = self.block(block)?;
            } else {
                let test = self.lone_test(call)?;
                arms.push((test, self.block(block)?));
            }
        }
        Ok(Act::If { arms, otherwise })
    }

    /// The one test of `if`, `elsif`, `not`.
    fn lone_test(&mut self, call: Call) -> Compiled<Test> {
        let at = call.at;
        let mut tests = call.tests.into_iter();
        match (tests.next(), call.is_lone_test) {
            (Some(test), true) => self.test(test),
            _ => Err(self.error(at, Problem::WantsTest)),
        }
    }

    fn arguments_of_command(&self, call: Call) -> Compiled<Arguments> {
        if let Some(test) = call.tests.first() {
            return Err(self.error(test.at, Problem::WantsNoTest));
        }
        if call.block.is_some() {
            return Err(self.error(call.at, Problem::WantsNoBlock));
        }
        Ok(Arguments::new(call.at, call.arguments))
    }

    /// A string with what stands in it for something else.
    fn text(&self, literal: Literal) -> Compiled<Text> {
        let Literal { at, text } = literal;
        let known = |problem| match problem {
            StringProblem::Encoded => self.invalid(at, Value::EncodedCharacter, &text),
            StringProblem::Namespace(space) => self.invalid(at, Value::Namespace, &space),
            StringProblem::Captured => self.invalid(at, Value::Variable, &text),
        };
        let plain = match self.has(Capability::EncodedCharacter) {
            true => encoded_characters(&text).map_err(known)?,
            false => text.clone(),
        };
        if self.has(Capability::Variables) {
            let has_include = self.has(Capability::Include);
            return variables(&plain, has_include, |name| self.globals.contains(name)).map_err(known);
        }
        Ok(if plain.is_empty() { Text::default() } else { Text(vec![super::program::Piece::Literal(plain)]) })
    }

    fn texts(&self, literals: Vec<Literal>) -> Compiled<Vec<Text>> {
        literals.into_iter().map(|literal| self.text(literal)).collect()
    }

    /// RFC 5229 4: a variable to be set.
    fn variable(&self, at: usize, name: &str) -> Compiled<Variable> {
        let name = name.to_ascii_lowercase();
        let (space, own) = match name.split_once('.') {
            Some(("global", own)) if self.has(Capability::Include) => (true, own),
            Some(_) => return Err(self.invalid(at, Value::Variable, &name)),
            None => (false, name.as_str()),
        };
        if !is_identifier(own) {
            return Err(self.invalid(at, Value::Variable, &name));
        }
        Ok(Variable { is_global: space || self.globals.contains(own), name: own.to_owned() })
    }

    /// RFC 5228 2.7.3.
    fn comparator(&self, literal: &Literal) -> Compiled<Comparator> {
        let Some(comparator) = Comparator::named(&literal.text) else {
            return Err(self.invalid(literal.at, Value::Comparator, &literal.text));
        };
        if !comparator.is_always_here() {
            self.needs(literal.at, Capability::Comparator(comparator))?;
        }
        Ok(comparator)
    }
}

/// Strings only, as a list.
fn strings_of(value: Written) -> Option<Vec<Literal>> {
    match value {
        Written::Strings { list, .. } => Some(list),
        _ => None,
    }
}
