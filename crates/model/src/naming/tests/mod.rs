//! Naming as a whole: what the regulations name, a table of further names, what holds for every input.

mod examples;
mod profiles;
mod properties;
mod table;

use super::{NoChoice, PersonName, PersonScheme, Reserved, Unit, UnitScheme, choose};
use std::collections::BTreeSet;

/// Local parts in use, and what grants them as the system will.
#[derive(Default)]
struct Grants {
    reserved: Reserved,
    taken: BTreeSet<String>,
}

impl Grants {
    /// The address granted and the id of the rule that made it.
    fn person(
        &mut self,
        scheme: &PersonScheme,
        name: &str,
        unit: Option<&str>,
    ) -> Result<(String, String), NoChoice> {
        let name = PersonName::parse(name).unwrap();
        self.grant(scheme.propose(&name, unit))
    }

    fn unit(&mut self, scheme: &UnitScheme, unit: &Unit<'_>) -> (String, String) {
        self.grant(scheme.propose(unit)).unwrap()
    }

    fn grant(&mut self, proposals: super::Proposals<'_>) -> Result<(String, String), NoChoice> {
        let choice = choose(proposals, &self.reserved, |local| self.taken.contains(local))?;
        let (local, rule) = (choice.proposal.local.to_string(), choice.proposal.rule.id.clone());
        assert!(self.taken.insert(local.clone()), "{local} was taken");
        Ok((local, rule))
    }
}
