//! Sieve: users' own rules for mail that comes in (RFC 5228 and its extensions). A script is compiled once, then run over each message.
//!
//! Pure: a run decides from what it is given and says what is to be done; `engine` does it. What it needs to know that only others
//! can tell (is there such a folder, is this sender in that list), it asks by ending with a question; it is run again with the answer.
//! Invariants: any octets are a script or an error with its place; any script ends, after a cost that is counted, not timed; a run that
//! fails keeps the message.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capability;
mod compare;
mod compile;
mod entity;
mod lexer;
pub mod limits;
mod mailto;
mod meter;
mod parser;
mod problem;
mod program;
mod run;
mod setting;
mod strings;
#[cfg(test)]
mod tests;
mod tree;

pub use capability::Capability;
pub use compare::Comparator;
pub use compile::{Script, compile};
pub use entity::Entity;
pub use mailto::Mailto;
pub use problem::{Problem, ScriptError};
pub use program::{Location, ScriptName};
pub use run::run;
pub use setting::{
    Action, Answer, Ended, Failure, Filing, Known, Mail, Notice, Outcome, Question, Reason, Recipients,
    Setting, Sighting, Wanted,
};
