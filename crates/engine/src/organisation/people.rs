//! People: where they belong, what they hold, and the mailbox class that follows from it (AG Đ7.3b-c, Đ9.3b; LC Đ6.2;
//! TN Đ8.2).
//!
//! Invariants: a personal mailbox belongs to its person's unit and has the class of the positions held; a quota that was the class's
//! follows it, one that was set for the mailbox stays.

use super::{Held, OrganisationError};
use crate::admin::check_name;
use crate::audit::AuditKind;
use crate::quota::own_range;
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::civil::Date;
use model::calendar::local_date;
use model::{Action, Address, DomainName, MailboxClass, PersonId, Position};
use serde_json::{Value, json};
use store::{ClassQuota, Loaded, Part, PersonFilter};

pub use store::ClassChange;

/// A person as lists show it.
#[derive(Clone, Debug)]
pub struct PersonDetail {
    pub person: PersonId,
    pub name: String,
    pub birth_year: Option<i16>,
    /// Code of the unit today; none for who has left.
    pub unit: Option<String>,
    /// Positions held today, the highest first.
    pub positions: Vec<String>,
    pub is_leader: bool,
    /// Primary addresses of the mailboxes that exist.
    pub addresses: Vec<String>,
}

/// A position that is given to somebody, or taken.
#[derive(Clone, Debug)]
pub struct NewAppointment {
    pub person: PersonId,
    /// Chức vụ.
    pub title: String,
    /// Code of the unit; `None`: the person's own.
    pub unit: Option<String>,
    /// `None`: today.
    pub on: Option<Date>,
}

impl From<store::PersonListed> for PersonDetail {
    fn from(row: store::PersonListed) -> Self {
        Self {
            person: row.person,
            name: row.full_name,
            birth_year: row.birth_year,
            unit: row.unit,
            positions: row.positions,
            is_leader: row.is_leader,
            addresses: row.addresses,
        }
    }
}

impl Engine {
    /// People whom he may see by number, from behind `after` on, `limit` at most; of one unit where it is given.
    ///
    /// # Errors
    /// `NoSuchDomain`, `NoSuchUnit`.
    pub async fn people(
        &self,
        actor: &Actor,
        domain: &DomainName,
        unit: Option<&str>,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<PersonDetail>, AdminError> {
        if let Some(code) = unit {
            self.authorize(actor, Action::MailboxList, &AdminTarget::UnitCode(domain, code)).await?;
        }
        let id = self.domain_id(domain).await?;
        let unit = match unit {
            None => None,
            Some(code) => {
                let found = self.0.store.unit(id, code).await?;
                Some(found.ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))?)
            }
        };
        let rows = self
            .0
            .store
            .people(
                id,
                PersonFilter { reach: &actor.reach(Action::MailboxList), unit, person: None, after, limit },
            )
            .await?;
        Ok(rows.into_iter().map(PersonDetail::from).collect())
    }

    /// Whose mailbox it is that has this address, also as an alias.
    ///
    /// # Errors
    /// `NoSuchDomain`, `NoSuchMailbox`, `NobodysMailbox`; `ElsewhereMailbox` where it is of another domain.
    pub async fn person_with(
        &self,
        actor: &Actor,
        domain: &DomainName,
        address: &Address,
    ) -> Result<PersonId, AdminError> {
        self.authorize(actor, Action::MailboxShow, &AdminTarget::Address(address)).await?;
        let domain = self.domain_id(domain).await?;
        let party = self.party(address).await?;
        if party.domain != domain {
            return Err(OrganisationError::ElsewhereMailbox(address.clone()).into());
        }
        let person = self.0.store.person_of(party.account).await?;
        person.ok_or_else(|| OrganisationError::NobodysMailbox(address.clone()).into())
    }

    /// May he change where this person is and what he holds, and let him go to `to`?
    pub(super) async fn authorize_person(
        &self,
        actor: &Actor,
        domain: &DomainName,
        person: PersonId,
        to: Option<&str>,
    ) -> Result<(), AdminError> {
        let id = self.domain_id(domain).await?;
        let reach = actor.reach(Action::PositionSet);
        let filter = PersonFilter { reach: &reach, unit: None, person: Some(person), after: None, limit: 1 };
        if self.0.store.people(id, filter).await?.is_empty() {
            return Err(OrganisationError::NoSuchPerson(person.0).into());
        }
        match to {
            None => Ok(()),
            Some(code) => {
                check_name(code)?;
                self.authorize(actor, Action::PositionSet, &AdminTarget::UnitCode(domain, code)).await
            }
        }
    }

    /// Positions (chức vụ) of a domain, the highest first.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn positions(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<Position>, AdminError> {
        self.authorize(actor, Action::UnitList, &AdminTarget::Domain(domain)).await?;
        let mut held = self.hold_organisation(domain).await?;
        let positions = held.tx.positions(held.domain).await?;
        // The first who asks makes the usual ones.
        held.tx.commit().await?;
        Ok(positions)
    }

    /// Adds a position, or changes what it means from now on.
    ///
    /// # Errors
    /// `NoSuchDomain`, `BadRank`, or when the title is none.
    pub async fn put_position(
        &self,
        actor: &Actor,
        domain: &DomainName,
        title: &str,
        leader: bool,
        rank: u8,
    ) -> Result<(), AdminError> {
        self.authorize(actor, Action::UnitImport, &AdminTarget::Domain(domain)).await?;
        let title = model::unit_name(title).map_err(OrganisationError::from)?;
        if rank == 0 {
            return Err(OrganisationError::BadRank.into());
        }
        let mut held = self.hold_organisation(domain).await?;
        held.tx.positions(held.domain).await?;
        held.tx.put_position(held.domain, &title, leader, i16::from(rank)).await?;
        let detail = json!({ "leader": leader, "rank": rank });
        let target = AuditKind::Position.within(domain, &title);
        self.audit(&mut held.tx, actor, "position.put", &target, &detail).await?;
        Ok(held.tx.commit().await?)
    }

    /// Bổ nhiệm; says which mailboxes have another class by it.
    ///
    /// # Errors
    /// See [`OrganisationError`]; `NoSuchDomain`, `NoSuchUnit`. Nothing is changed then.
    pub async fn appoint(
        &self,
        actor: &Actor,
        domain: &DomainName,
        new: &NewAppointment,
    ) -> Result<Vec<ClassChange>, AdminError> {
        self.change_appointment(actor, domain, new, true).await
    }

    /// Thôi giữ chức vụ, miễn nhiệm; says which mailboxes have another class by it.
    ///
    /// # Errors
    /// As [`Self::appoint`].
    pub async fn relieve(
        &self,
        actor: &Actor,
        domain: &DomainName,
        held: &NewAppointment,
    ) -> Result<Vec<ClassChange>, AdminError> {
        self.change_appointment(actor, domain, held, false).await
    }

    async fn change_appointment(
        &self,
        actor: &Actor,
        domain: &DomainName,
        new: &NewAppointment,
        begins: bool,
    ) -> Result<Vec<ClassChange>, AdminError> {
        self.authorize_person(actor, domain, new.person, new.unit.as_deref()).await?;
        let mut held = self.hold_organisation(domain).await?;
        let on = self.effective_day(new.on)?;
        let mut part = known(&mut held, new.person).await?;
        let position = position(part.register.positions(), &new.title)?.id;
        let unit = match &new.unit {
            Some(code) => held.living_unit(code)?,
            None => part
                .register
                .unit_at(new.person, on)
                .ok_or(OrganisationError::from(model::PeopleError::NotMember))?,
        };
        let done = match begins {
            true => part.register.appoint(new.person, unit, position, on),
            false => part.register.relieve(new.person, unit, position, on),
        };
        done.map_err(OrganisationError::from)?;
        held.tx.save_register(&part).await?;
        let classes = follow_class(&mut held, &part, new.person, local_date(self.now())).await?;
        let action = if begins { "person.appoint" } else { "person.relieve" };
        let detail = json!({ "on": on, "unit": held.code(unit), "position": new.title,
                             "classes": classes_as_json(&classes) });
        let target = AuditKind::Person.within(domain, new.person.0);
        self.audit(&mut held.tx, actor, action, &target, &detail).await?;
        held.tx.commit().await?;
        Ok(classes)
    }
}

/// The person's part of the register.
pub(super) async fn known(held: &mut Held, person: PersonId) -> Result<Loaded, AdminError> {
    if held.tx.people_by_id(held.domain, &[person]).await?.is_empty() {
        return Err(OrganisationError::NoSuchPerson(person.0).into());
    }
    Ok(held.tx.register(held.domain, Part::People(&[person])).await?)
}

/// By title, in any case.
pub(crate) fn position<'p>(known: &'p [Position], title: &str) -> Result<&'p Position, AdminError> {
    let name = model::unit_name(title).map_err(OrganisationError::from)?.to_lowercase();
    known.iter().find(|position| position.title.to_lowercase() == name).ok_or_else(|| {
        let titles: Vec<&str> = known.iter().map(|position| position.title.as_str()).collect();
        OrganisationError::NoSuchPosition(title.to_owned(), titles.join(", ")).into()
    })
}

/// To the class of `today`, from whichever day on the change holds: somebody may have been appointed since. A quota of its own goes on
/// where the other class may have it, too. Says which mailboxes have another class now.
pub(super) async fn follow_class(
    held: &mut Held,
    part: &Loaded,
    person: PersonId,
    today: Date,
) -> Result<Vec<ClassChange>, AdminError> {
    let class = part.register.class_at(person, today);
    let other = match class {
        MailboxClass::Leader => MailboxClass::Person,
        _ => MailboxClass::Leader,
    };
    let to = ClassQuota { bytes: held.policy.quota_bytes(class), own: own_range(&held.policy, class) };
    Ok(held.tx.change_class(person, (other, class), to).await?)
}

/// As answers and the audit trail have it; quotas and what is used in octets.
#[must_use]
pub fn classes_as_json(changes: &[ClassChange]) -> Value {
    let change = |one: &ClassChange| {
        json!({
            "mailbox": one.address, "from": one.from, "to": one.to, "quota_bytes_before": one.quota_before,
            "quota_bytes": one.quota, "used_bytes": one.used, "over_quota": one.used > one.quota,
        })
    };
    changes.iter().map(change).collect()
}
