//! Scripts followed over one message. It recurses no deeper than scripts nest and include each other; what it costs is counted.

mod acts;
mod body;
mod chain;
mod change;
mod dates;
mod extract;
mod header;
mod parts;
mod tests_of;
mod vacation;
mod values;

pub use self::chain::run;

use self::header::Header;
use super::compare::Captured;
use super::meter::{Meter, Spent};
use super::program::{Act, ScriptName, Step};
use super::setting::{Action, Failure, Known, Mail, Question, Reason, Setting, Sighting, Wanted};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Scripts that include each other (RFC 6609 3.2 leaves it to us).
const INCLUDE_DEPTH_MAX: usize = 10;
/// Things to be looked up by one script.
const QUESTIONS_MAX: usize = 200;

/// Why a run goes no further.
#[derive(Debug)]
enum Halt {
    Failed(Reason),
    Asks(Vec<Question>),
    Wants(Wanted),
}

impl From<Spent> for Halt {
    fn from(Spent: Spent) -> Self {
        Self::Failed(Reason::TooCostly)
    }
}

type Ran<T> = Result<T, Halt>;

/// What comes after a command.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Stop,
    Return,
    /// Out of the loop of that name, or of the innermost.
    Break(Option<String>),
}

/// Variables of one script; those of all are apart (RFC 6609 3.4).
#[derive(Debug, Default)]
struct Scope {
    variables: HashMap<String, String>,
    captured: Captured,
}

struct Run<'a> {
    mail: Mail<'a>,
    setting: &'a Setting,
    known: &'a Known,
    /// Which script of the chain is followed.
    place: usize,
    /// What it may still cost; and what those before it cost.
    meter: Meter,
    cost: u64,
    header: Header<'a>,
    /// As it came, whatever scripts made of it.
    came: Header<'a>,
    scope: Scope,
    globals: HashMap<String, String>,
    /// RFC 5232 2: flags that the message will have.
    flags: Vec<String>,
    /// What it wants, and what those before it wanted.
    actions: Vec<Action>,
    settled: Vec<(usize, Action)>,
    failures: Vec<Failure>,
    /// RFC 5228 2.10.2.
    implicit_keep: bool,
    /// `vacation` was reached.
    has_answered: bool,
    sightings: Vec<Sighting>,
    asked: HashSet<Question>,
    /// Scripts that are under way, and all that were included, once each.
    including: Vec<ScriptName>,
    included: Vec<ScriptName>,
    /// Bodies that were read, by part, and whether as people read them.
    bodies: HashMap<(usize, bool), Rc<str>>,
    /// The part that the innermost loop is at (RFC 5703 3.1).
    part: Option<usize>,
    line: u32,
}

impl<'a> Run<'a> {
    fn new(mail: Mail<'a>, setting: &'a Setting, known: &'a Known) -> Self {
        let came = Header::new(mail.raw);
        Self {
            mail,
            setting,
            known,
            place: 0,
            meter: Meter::new(),
            cost: 0,
            header: came.copy(),
            came,
            scope: Scope::default(),
            globals: HashMap::new(),
            flags: Vec::new(),
            actions: Vec::new(),
            settled: Vec::new(),
            failures: Vec::new(),
            implicit_keep: true,
            has_answered: false,
            sightings: Vec::new(),
            asked: HashSet::new(),
            including: Vec::new(),
            included: Vec::new(),
            bodies: HashMap::new(),
            part: None,
            line: 0,
        }
    }

    fn steps(&mut self, steps: &[Step]) -> Ran<Flow> {
        for step in steps {
            self.meter.spend(1)?;
            self.line = step.line;
            match self.act(&step.act)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn act(&mut self, act: &Act) -> Ran<Flow> {
        match act {
            Act::If { arms, otherwise } => {
                for (test, steps) in arms {
                    if self.holds(test)? {
                        return self.steps(steps);
                    }
                }
                return self.steps(otherwise);
            }
            Act::Stop => return Ok(Flow::Stop),
            Act::Return => return Ok(Flow::Return),
            Act::Break { name } => return Ok(Flow::Break(name.clone())),
            Act::ForEveryPart { name, steps } => return self.for_every_part(name.as_deref(), steps),
            Act::Include { script, once, optional } => return self.include(script, *once, *optional),
            other => self.plain_act(other)?,
        }
        Ok(Flow::Next)
    }

    /// RFC 6609 3.2.
    fn include(&mut self, name: &ScriptName, once: bool, optional: bool) -> Ran<Flow> {
        if once && self.included.contains(name) {
            return Ok(Flow::Next);
        }
        if self.including.contains(name) || self.including.len() == INCLUDE_DEPTH_MAX {
            return Err(Halt::Failed(Reason::IncludedTooDeep(INCLUDE_DEPTH_MAX)));
        }
        let known = self.known;
        let wanted = Wanted { by: self.place, name: name.clone() };
        let Some(found) = known.scripts.get(&wanted) else { return Err(Halt::Wants(wanted)) };
        let Some(script) = found else {
            let missing = Halt::Failed(Reason::NoScript(name.name.clone()));
            return if optional { Ok(Flow::Next) } else { Err(missing) };
        };
        self.including.push(name.clone());
        if !self.included.contains(name) {
            self.included.push(name.clone());
        }
        let (outer, line, part) = (std::mem::take(&mut self.scope), self.line, self.part.take());
        let flow = self.steps(&script.steps)?;
        (self.scope, self.line, self.part) = (outer, line, part);
        self.including.pop();
        Ok(if flow == Flow::Stop { Flow::Stop } else { Flow::Next })
    }

    /// What was answered.
    ///
    /// # Errors
    /// Nothing was: it is asked. More is asked than one script may.
    fn ask(&mut self, question: Question) -> Ran<bool> {
        self.ask_any(std::iter::once(question))
    }

    /// Is any of them so? Asks all that are not known at once.
    fn ask_any(&mut self, questions: impl Iterator<Item = Question>) -> Ran<bool> {
        let mut unknown: Vec<Question> = Vec::new();
        for question in questions {
            self.meter.spend(4)?;
            match self.known.answers.get(&question) {
                Some(true) => return Ok(true),
                _ if self.asked.contains(&question) => {}
                _ if self.asked.len() == QUESTIONS_MAX => {
                    return Err(Halt::Failed(Reason::TooManyQuestions(QUESTIONS_MAX)));
                }
                answer => {
                    if answer.is_none() {
                        unknown.push(question.clone());
                    }
                    self.asked.insert(question);
                }
            }
        }
        if unknown.is_empty() { Ok(false) } else { Err(Halt::Asks(unknown)) }
    }
}
