//! Whose a mailbox is: what was made as an address alone becomes a person's, with the unit he belongs to (cấp mới hộp thư cá nhân;
//! AG Đ7.3; LC Đ6.2; TN Đ8.2).
//!
//! Invariants: a mailbox that is somebody's stays his; only a personal one becomes anybody's; whoever is linked belongs to a unit from
//! then on, so that he can be transferred. A name that is known is asked about, as where an address is made from it.

use super::people::{classes_as_json, follow_class, known, position};
use super::{Held, OrganisationError};
use crate::audit::AuditKind;
use crate::delegation::is_personal;
use crate::provisioning::{Meant, check_birth_year, check_same_unit, known_person};
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use model::{AccountId, Action, Address, DomainName, PersonId, UnitId};
use serde_json::json;
use store::{ClassChange, NewPerson};

/// Who a mailbox's owner is, as far as its own name does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner {
    /// Somebody who is known already.
    pub person: Option<PersonId>,
    /// It is none of those of this name who are known.
    pub another_person: bool,
    /// Tells people of one name apart.
    pub birth_year: Option<i16>,
}

/// A mailbox that is to be somebody's.
#[derive(Clone, Debug)]
pub struct LinkPerson {
    /// Of the mailbox; an alias, too.
    pub address: Address,
    pub owner: Owner,
    /// Code of the unit he belongs to; `None`: the mailbox's.
    pub unit: Option<String>,
    /// Chức vụ, which he holds in that unit.
    pub position: Option<String>,
    /// Since when he is there; `None`: today.
    pub on: Option<Date>,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// Whose the mailbox is now, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// `None`: he would be made.
    pub person: Option<PersonId>,
    /// Full name.
    pub name: String,
    /// Code of the unit.
    pub unit: String,
    /// Title.
    pub position: Option<String>,
    /// Mailboxes that have another class by the position.
    pub classes: Vec<ClassChange>,
    pub done: bool,
}

/// Who was found, or made.
pub(crate) struct Entered {
    pub(crate) person: PersonId,
    name: String,
    is_new: bool,
}

/// How the owner of one mailbox is entered.
pub(crate) struct Entry<'a> {
    pub(crate) account: AccountId,
    /// The mailbox's.
    pub(crate) name: &'a str,
    pub(crate) owner: Owner,
    pub(crate) unit: UnitId,
    pub(crate) on: Date,
}

impl Engine {
    /// Says whose a personal mailbox is; of one whose person is in no unit, where he belongs.
    ///
    /// # Errors
    /// See [`OrganisationError`] and [`GrantError`](crate::GrantError); `NoSuchDomain`, `NoSuchUnit`, `NoSuchMailbox`. Nothing is
    /// changed then.
    pub async fn link_person(
        &self,
        actor: &Actor,
        domain: &DomainName,
        link: &LinkPerson,
    ) -> Result<Linked, AdminError> {
        check_birth_year(link.owner.birth_year, self.today().year())?;
        self.authorize(actor, Action::PositionSet, &AdminTarget::Address(&link.address)).await?;
        if let Some(code) = &link.unit {
            self.authorize(actor, Action::PositionSet, &AdminTarget::UnitCode(domain, code)).await?;
        }
        let party = self.party(&link.address).await?;
        let mut held = self.hold_organisation(domain).await?;
        if party.domain != held.domain {
            return Err(OrganisationError::ElsewhereMailbox(link.address.clone()).into());
        }
        let on = self.effective_day(link.on)?;
        let (entered, unit) = self.enter_link(actor, &mut held, (link, party.account), on).await?;
        let Entered { person, name, is_new } = entered;
        let classes = appoint(&mut held, person, link.position.as_deref(), (unit, on), self.today()).await?;
        let linked = Linked {
            person: (!link.dry_run || !is_new).then_some(person),
            name,
            unit: held.code(unit),
            position: link.position.clone(),
            classes,
            done: !link.dry_run,
        };
        if link.dry_run {
            return Ok(linked);
        }
        let detail = json!({
            "mailbox": party.address.to_string(), "on": on, "unit": linked.unit, "position": linked.position,
            "classes": classes_as_json(&linked.classes),
        });
        let target = AuditKind::Person.within(&held.name, person.0);
        self.audit(&mut held.tx, actor, "person.link", &target, &detail).await?;
        held.tx.commit().await?;
        Ok(linked)
    }

    /// The person of the mailbox, and his unit.
    async fn enter_link(
        &self,
        actor: &Actor,
        held: &mut Held,
        (link, account): (&LinkPerson, AccountId),
        on: Date,
    ) -> Result<(Entered, UnitId), AdminError> {
        let address = || link.address.clone();
        let there = held.tx.hold_owner(account).await?;
        let there = there.ok_or_else(|| AdminError::NoSuchMailbox(address()))?;
        if !is_personal(there.class) {
            return Err(OrganisationError::NotPersonal(address(), there.class.as_str()).into());
        }
        let unit = match &link.unit {
            Some(code) => Some(held.living_unit(code)?),
            None => there.unit,
        };
        let unit = unit.ok_or_else(|| OrganisationError::LinkNeedsUnit(address()));
        let Some(person) = there.person else {
            let unit = unit?;
            let entry = Entry { account, name: &there.name, owner: link.owner, unit, on };
            return Ok((self.enter_owner(actor, held, &entry).await?, unit));
        };
        let who = held.tx.people_by_id(held.domain, &[person]).await?.into_iter().next();
        let who = who.ok_or(OrganisationError::NoSuchPerson(person.0))?;
        let is_another = link.owner.another_person || link.owner.person.is_some_and(|other| other != person);
        if who.unit.is_some() || is_another {
            let unit = who.unit.map_or_else(|| "-".to_owned(), |unit| held.code(unit));
            let (address, name, person) = (address(), who.full_name, person.0);
            return Err(OrganisationError::SomebodysMailbox { address, name, person, unit }.into());
        }
        let unit = unit?;
        join(held, person, (unit, on)).await?;
        Ok((Entered { person, name: who.full_name, is_new: false }, unit))
    }

    /// The owner of a mailbox that is nobody's: the person who is meant, or a new one of its name; he belongs to the unit, and the
    /// mailbox with him.
    pub(crate) async fn enter_owner(
        &self,
        actor: &Actor,
        held: &mut Held,
        entry: &Entry<'_>,
    ) -> Result<Entered, AdminError> {
        let Owner { person, another_person, birth_year } = entry.owner;
        let meant = Meant { name: entry.name, birth_year, person, another_person };
        let known = known_person(actor, held, meant).await?;
        let is_new = known.is_none();
        let (person, name, at) = match known {
            Some(known) => {
                check_same_unit(held, &known, entry.unit)?;
                (known.person, known.full_name, known.unit)
            }
            None => {
                let name = model::unit_name(entry.name).map_err(OrganisationError::from)?;
                let new = NewPerson { full_name: &name, birth_year };
                let made = held.tx.insert_people(held.domain, &[new], self.now()).await?;
                (made.first().copied().ok_or(Error::Unavailable)?, name, None)
            }
        };
        held.tx.set_owner(entry.account, person).await?;
        match at {
            None => join(held, person, (entry.unit, entry.on)).await?,
            Some(unit) => {
                held.tx.move_mailboxes_of(&[person], Some(unit)).await?;
            }
        }
        Ok(Entered { person, name, is_new })
    }
}

/// He belongs to the unit from that day on, with his mailboxes.
async fn join(held: &mut Held, person: PersonId, (unit, on): (UnitId, Date)) -> Result<(), AdminError> {
    let mut part = known(held, person).await?;
    part.register.join(person, unit, on).map_err(OrganisationError::from)?;
    held.tx.save_register(&part).await?;
    held.tx.move_mailboxes_of(&[person], Some(unit)).await?;
    Ok(())
}

/// The position that he is given, and what it makes of his mailboxes. Without one their class stays as it was made.
async fn appoint(
    held: &mut Held,
    person: PersonId,
    title: Option<&str>,
    (unit, on): (UnitId, Date),
    today: Date,
) -> Result<Vec<ClassChange>, AdminError> {
    let Some(title) = title else { return Ok(Vec::new()) };
    let mut part = known(held, person).await?;
    let position = position(part.register.positions(), title)?.id;
    part.register.appoint(person, unit, position, on).map_err(OrganisationError::from)?;
    held.tx.save_register(&part).await?;
    follow_class(held, &part, person, today).await
}
