//! A script followed over one message. It recurses no deeper than scripts nest and include each other; what it costs is counted.

mod acts;
mod body;
mod change;
mod dates;
mod extract;
mod header;
mod parts;
mod tests_of;
mod vacation;
mod values;

use self::header::Header;
use super::compare::Captured;
use super::compile::Script;
use super::meter::{Meter, Spent};
use super::program::{Act, ScriptName, Step};
use super::setting::{Action, Ended, Failure, Known, Mail, Outcome, Question, Reason, Setting, Sighting};
use std::collections::HashMap;

/// Scripts that include each other (RFC 6609 3.2 leaves it to us).
const INCLUDE_DEPTH_MAX: usize = 10;
/// Things to be looked up by one run.
const QUESTIONS_MAX: usize = 200;

/// Follows `script` over `mail`.
pub fn run(script: &Script, mail: Mail<'_>, setting: &Setting, known: &Known) -> Ended {
    let mut run = Run::new(mail, setting, known);
    let result = run.script(script);
    let cost = run.meter.cost();
    match result {
        Ok(_) => Ended::Done(Outcome { cost, ..run.outcome() }),
        Err(Halt::Asks(questions)) if known.answers.len() + questions.len() > QUESTIONS_MAX => {
            Ended::Done(run.kept(Reason::TooManyQuestions(QUESTIONS_MAX)))
        }
        Err(Halt::Asks(questions)) => Ended::Asks(questions),
        Err(Halt::Wants(name)) => Ended::Wants(name),
        Err(Halt::Failed(reason)) => Ended::Done(run.kept(reason)),
    }
}

/// Why a run goes no further.
#[derive(Debug)]
enum Halt {
    Failed(Reason),
    Asks(Vec<Question>),
    Wants(ScriptName),
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
    meter: Meter,
    header: Header<'a>,
    scope: Scope,
    globals: HashMap<String, String>,
    /// RFC 5232 2: flags that the message will have.
    flags: Vec<String>,
    actions: Vec<Action>,
    /// RFC 5228 2.10.2.
    implicit_keep: bool,
    sightings: Vec<Sighting>,
    /// Scripts that are under way, and all that were included.
    including: Vec<ScriptName>,
    included: Vec<ScriptName>,
    /// The part that the innermost loop is at (RFC 5703 3.1).
    part: Option<usize>,
    line: u32,
}

impl<'a> Run<'a> {
    fn new(mail: Mail<'a>, setting: &'a Setting, known: &'a Known) -> Self {
        Self {
            mail,
            setting,
            known,
            meter: Meter::new(),
            header: Header::new(mail.raw),
            scope: Scope::default(),
            globals: HashMap::new(),
            flags: Vec::new(),
            actions: Vec::new(),
            implicit_keep: true,
            sightings: Vec::new(),
            including: Vec::new(),
            included: Vec::new(),
            part: None,
            line: 0,
        }
    }

    fn outcome(&mut self) -> Outcome {
        if self.implicit_keep {
            let header = self.header.edition();
            self.actions.push(Action::Keep { flags: self.flags.clone(), header });
        }
        Outcome {
            actions: std::mem::take(&mut self.actions),
            headers: self.header.editions(),
            sightings: std::mem::take(&mut self.sightings),
            failure: None,
            cost: 0,
        }
    }

    /// RFC 5228 2.10.6: the message stays, as it came; nothing else is done.
    fn kept(&self, reason: Reason) -> Outcome {
        Outcome {
            actions: vec![Action::Keep { flags: Vec::new(), header: 0 }],
            failure: Some(Failure { line: self.line, reason }),
            cost: self.meter.cost(),
            ..Outcome::default()
        }
    }

    fn script(&mut self, script: &Script) -> Ran<Flow> {
        self.steps(&script.steps)
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
        let Some(found) = known.scripts.get(name) else { return Err(Halt::Wants(name.clone())) };
        let Some(script) = found else {
            let missing = Halt::Failed(Reason::NoScript(name.name.clone()));
            return if optional { Ok(Flow::Next) } else { Err(missing) };
        };
        self.including.push(name.clone());
        self.included.push(name.clone());
        let (outer, line, part) = (std::mem::take(&mut self.scope), self.line, self.part.take());
        let flow = self.script(script)?;
        (self.scope, self.line, self.part) = (outer, line, part);
        self.including.pop();
        Ok(if flow == Flow::Stop { Flow::Stop } else { Flow::Next })
    }

    /// What was answered.
    ///
    /// # Errors
    /// Nothing was: it is asked.
    fn ask(&self, question: Question) -> Ran<bool> {
        match self.known.answers.get(&question) {
            Some(answer) => Ok(*answer),
            None => Err(Halt::Asks(vec![question])),
        }
    }

    /// Is any of them so? Asks all that are not known at once.
    fn ask_any(&self, questions: impl Iterator<Item = Question>) -> Ran<bool> {
        let mut unknown: Vec<Question> = Vec::new();
        for question in questions {
            match self.known.answers.get(&question) {
                Some(true) => return Ok(true),
                Some(false) => {}
                None if unknown.contains(&question) => {}
                None => unknown.push(question),
            }
        }
        if unknown.is_empty() { Ok(false) } else { Err(Halt::Asks(unknown)) }
    }
}
