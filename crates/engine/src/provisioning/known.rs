//! Whether the person that a mailbox is asked for is known already.
//!
//! Invariant: who is out of the actor's reach is answered like who does not exist.

use crate::organisation::Held;
use crate::{Actor, AdminError, GrantError, OrganisationError};
use model::{Action, PersonId, UnitId};
use store::PersonRow;

/// Whom somebody means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant<'a> {
    pub(crate) name: &'a str,
    /// Tells people of one name apart.
    pub(crate) birth_year: Option<i16>,
    /// Somebody who is known already.
    pub(crate) person: Option<PersonId>,
    /// It is none of those of this name who are known.
    pub(crate) another_person: bool,
}

/// A mailbox in a unit that its person does not belong to would be nobody's to answer for: the person is transferred first.
pub(crate) fn check_same_unit(held: &Held, known: &PersonRow, unit: UnitId) -> Result<(), GrantError> {
    match known.unit.filter(|at| *at != unit) {
        Some(at) => Err(GrantError::OtherUnit { name: known.full_name.clone(), unit: held.code(at) }),
        None => Ok(()),
    }
}

/// Namesakes that are named at once.
const NAMED_MAX: usize = 5;

/// Could this be somebody of that year of birth, as far as either is known?
pub(super) fn maybe_born(asked: Option<i16>, known: Option<i16>) -> bool {
    asked.is_none() || known.is_none() || asked == known
}

/// Those of a name, for whoever has to say whether it is one of them.
pub(super) fn told(held: &Held, people: &[&PersonRow]) -> String {
    let one = |known: &&PersonRow| {
        let unit = known.unit.map_or_else(|| "no unit".to_owned(), |unit| held.code(unit));
        let born = known.birth_year.map_or_else(|| "year unknown".to_owned(), |year| format!("born {year}"));
        let address = known.addresses.first().map_or("no mailbox", String::as_str);
        format!("{} ({unit}, {born}, {address})", known.person.0)
    };
    let mut all: Vec<String> = people.iter().take(NAMED_MAX).map(one).collect();
    if people.len() > NAMED_MAX {
        all.push(format!("and {} more", people.len() - NAMED_MAX));
    }
    all.join(", ")
}

/// Somebody who is meant by number, or by name and year of birth. Where it may be somebody of that name or another person, it has
/// to be said. Who is out of the actor's reach is not there.
pub(crate) async fn known_person(
    actor: &Actor,
    held: &mut Held,
    new: Meant<'_>,
) -> Result<Option<PersonRow>, AdminError> {
    let reach = actor.reach(Action::MailboxAddPreview);
    let found = match new.person {
        Some(person) => {
            let mut found = held.tx.people_by_id(held.domain, &[person]).await?;
            let found = found.pop().filter(|known| held.reaches(&reach, known.unit));
            Some(found.ok_or(OrganisationError::NoSuchPerson(person.0))?)
        }
        None if new.another_person => None,
        None => {
            let name = model::unit_name(new.name).map_err(OrganisationError::from)?;
            let mut found = held.tx.people_named(held.domain, &[name]).await?;
            found.retain(|known| held.reaches(&reach, known.unit));
            let is_meant =
                |known: &&PersonRow| new.birth_year.is_some() && known.birth_year == new.birth_year;
            let meant = found.iter().find(is_meant).cloned();
            let maybe: Vec<&PersonRow> =
                found.iter().filter(|known| maybe_born(new.birth_year, known.birth_year)).collect();
            if meant.is_none() && !maybe.is_empty() {
                return Err(GrantError::MaybeKnown { who: told(held, &maybe) }.into());
            }
            meant
        }
    };
    if let Some(known) = &found
        && let Some(address) = known.addresses.first()
        && held.policy.naming.one_per_person
    {
        return Err(GrantError::OnePerPerson {
            name: known.full_name.clone(),
            address: address.clone(),
            article: held.policy.profile.article("naming.one_per_person"),
        }
        .into());
    }
    Ok(found)
}
