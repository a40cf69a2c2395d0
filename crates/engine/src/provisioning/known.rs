//! Whether the person that a mailbox is asked for is known already.
//!
//! Invariant: who is out of the actor's reach is answered like who does not exist.

use super::one::NamedMailbox;
use crate::organisation::Held;
use crate::{Actor, AdminError, GrantError, OrganisationError};
use model::{Action, UnitId};
use store::PersonRow;

/// A mailbox in a unit that its person does not belong to would be nobody's to answer for: the person is transferred first.
pub(super) fn check_same_unit(held: &Held, known: &PersonRow, unit: UnitId) -> Result<(), GrantError> {
    match known.unit.filter(|at| *at != unit) {
        Some(at) => Err(GrantError::OtherUnit { name: known.full_name.clone(), unit: held.code(at) }),
        None => Ok(()),
    }
}

/// Somebody who is meant by number, or by name and year of birth. People of one name without a year are others.
/// Who is out of the actor's reach is not there.
pub(super) async fn known_person(
    actor: &Actor,
    held: &mut Held,
    new: &NamedMailbox,
) -> Result<Option<PersonRow>, AdminError> {
    let reach = actor.reach(Action::MailboxAddPreview);
    let found = match new.person {
        Some(person) => {
            let mut found = held.tx.people_by_id(held.domain, &[person]).await?;
            let found = found.pop().filter(|known| held.reaches(&reach, known.unit));
            Some(found.ok_or(OrganisationError::NoSuchPerson(person.0))?)
        }
        None if new.birth_year.is_some() => {
            let name = model::unit_name(&new.name).map_err(OrganisationError::from)?;
            let found = held.tx.people_named(held.domain, &[name]).await?;
            let is_meant =
                |known: &PersonRow| known.birth_year == new.birth_year && held.reaches(&reach, known.unit);
            found.into_iter().find(is_meant)
        }
        None => None,
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
