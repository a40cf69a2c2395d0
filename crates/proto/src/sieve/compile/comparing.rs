//! How a test compares: its comparator and match type, as tags say it (RFC 5228 2.7, RFC 5231 4, RFC 6134 2.2).

use super::super::capability::Capability;
use super::super::compare::{Comparator, Compare, How, Relation};
use super::super::problem::{Problem, Value};
use super::arguments::Arguments;
use super::{Compiled, Compiler};

#[derive(Default)]
pub(super) struct Comparing {
    comparator: Option<Comparator>,
    how: Option<How>,
}

impl Comparing {
    /// False: the tag is about something else.
    pub(super) fn take(
        &mut self,
        compiler: &Compiler<'_>,
        arguments: &mut Arguments,
        (at, tag): (usize, &str),
    ) -> Compiled<bool> {
        let how = match tag {
            "comparator" => {
                let literal = arguments.literal(compiler)?;
                self.comparator = Some(compiler.comparator(&literal)?);
                return Ok(true);
            }
            "is" => How::Is,
            "contains" => How::Contains,
            "matches" => How::Matches,
            "value" => How::Value(relation(compiler, arguments, at)?),
            "count" => How::Count(relation(compiler, arguments, at)?),
            "list" => {
                compiler.needs(at, Capability::ExtLists)?;
                How::List
            }
            _ => return Ok(false),
        };
        if self.how.replace(how).is_some() {
            return Err(compiler.error(at, Problem::Conflict(tag.to_owned())));
        }
        Ok(true)
    }

    /// # Errors
    /// The comparator cannot do what is asked of it.
    pub(super) fn done(self, compiler: &Compiler<'_>, at: usize) -> Compiled<Compare> {
        let compare =
            Compare { comparator: self.comparator.unwrap_or_default(), how: self.how.unwrap_or_default() };
        if matches!(compare.how, How::Contains | How::Matches) && !compare.comparator.has_substrings() {
            return Err(compiler.error(at, Problem::NoSubstrings));
        }
        Ok(compare)
    }
}

fn relation(compiler: &Compiler<'_>, arguments: &mut Arguments, at: usize) -> Compiled<Relation> {
    compiler.needs(at, Capability::Relational)?;
    let literal = arguments.literal(compiler)?;
    let relation = Relation::named(&literal.text.to_ascii_lowercase());
    relation.ok_or_else(|| compiler.invalid(literal.at, Value::Relation, &literal.text))
}
