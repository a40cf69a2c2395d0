//! People: where they belong, what they hold, and the mailbox class that follows from it (AG Đ7.3b-c, Đ9.3b; LC Đ6.2;
//! TN Đ8.2).
//!
//! Invariants: a personal mailbox belongs to its person's unit and has the class of the positions held; a quota that was the class's
//! follows it, one that was set for the mailbox stays; nobody remains the officer of a unit that he has left.

use super::{Held, OrganisationError};
use crate::admin::check_name;
use crate::provisioning::Readdressed;
use crate::quota::own_range;
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::civil::Date;
use model::{Action, DomainName, MailboxClass, PersonId, Position, UnitId};
use serde_json::json;
use store::{ClassQuota, Loaded, Part, PersonFilter};

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

/// Where somebody goes.
#[derive(Clone, Debug)]
pub enum PersonMove {
    /// Chuyển công tác: the unit by its code. Positions in the old one end.
    Transfer { to: String },
    /// Nghỉ hưu, nghỉ việc, chuyển ra khỏi tỉnh: membership and positions end; what becomes of the mailbox is said apart.
    Leave,
}

/// What a move did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonMoved {
    pub from: Option<String>,
    pub to: Option<String>,
    /// Old and new addresses, where the regulation makes the unit part of them (LC Đ6.2a).
    pub addresses: Vec<(String, String)>,
    /// The day to whose end the old ones receive.
    pub until: Option<Date>,
    /// Roles of an officer (cán bộ đầu mối) that ended with the place in the unit, with its code: whose he was to look after (AG
    /// Đ10.2b).
    pub ended: Vec<(String, String)>,
    /// Other roles with what they are over, and (as `delegate`) others' mailboxes that he has rights to: whoever gave them in writing
    /// ends them, or lets them be (AG Đ11.2đ; LC Đ11).
    pub keeps: Vec<(String, String)>,
    pub done: bool,
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

    /// May he change where this person is and what he holds, and let him go to `to`?
    async fn authorize_person(
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
        self.audit(&mut held.tx, actor, "position.put", &format!("{domain}/{title}"), &detail).await?;
        Ok(held.tx.commit().await?)
    }

    /// Moves a person with the mailboxes, or says what that would do.
    ///
    /// # Errors
    /// See [`OrganisationError`]; `NoSuchDomain`, `NoSuchUnit`. Nothing is changed then.
    pub async fn move_person(
        &self,
        actor: &Actor,
        domain: &DomainName,
        person: PersonId,
        how: &PersonMove,
        on: Option<Date>,
        dry_run: bool,
    ) -> Result<PersonMoved, AdminError> {
        let to = match how {
            PersonMove::Transfer { to } => Some(to.as_str()),
            PersonMove::Leave => None,
        };
        self.authorize_person(actor, domain, person, to).await?;
        let mut held = self.hold_organisation(domain).await?;
        let on = self.effective_day(on)?;
        let mut part = known(&mut held, person).await?;
        let from = part.register.unit_at(person, on);
        let before = self.before_transfer(&mut held, person).await?;
        let to = match how {
            PersonMove::Transfer { to } => {
                let to = held.living_unit(to)?;
                part.register.transfer(person, to, on).map_err(OrganisationError::from)?;
                Some(to)
            }
            PersonMove::Leave => {
                part.register.leave(person, on).map_err(OrganisationError::from)?;
                None
            }
        };
        held.tx.save_register(&part).await?;
        held.tx.move_mailboxes_of(&[person], to).await?;
        follow_class(&mut held, &part, person, on).await?;
        let Readdressed { addresses, until, owed } = match to {
            Some(to) if held.policy.request.transfer_renames => {
                self.readdress(&mut held, before, &[(from, to)]).await?
            }
            _ => Readdressed::default(),
        };
        let left = from.map(|from| left_behind(&held.tree, from, to)).unwrap_or_default();
        let dismissed = held.tx.revoke_officer_of(person, &left, (actor.name(), self.now())).await?;
        let keeps = held.tx.held_by(person, self.now()).await?;
        let ended = dismissed.iter().map(|(_, _, role, over)| (role.clone(), over.clone())).collect();
        let code = |unit: Option<UnitId>| unit.map(|unit| held.code(unit));
        let (from, to_code) = (code(from), code(to));
        let moved = PersonMoved { from, to: to_code, addresses, until, ended, keeps, done: !dry_run };
        if dry_run {
            return Ok(moved);
        }
        let action = if to.is_some() { "person.transfer" } else { "person.leave" };
        let detail = json!({ "on": on, "from": moved.from, "to": moved.to, "addresses": moved.addresses,
                             "ended": moved.ended, "keeps": moved.keeps });
        self.audit(&mut held.tx, actor, action, &format!("{domain}/{}", person.0), &detail).await?;
        for (_, address, role, over) in &dismissed {
            let detail = json!({ "role": role, "over": format!("{domain}/{over}"), "by": action });
            self.audit(&mut held.tx, actor, Action::OfficerDismiss.as_str(), address, &detail).await?;
        }
        held.tx.commit().await?;
        let holders: Vec<_> = dismissed.iter().map(|(account, ..)| *account).collect();
        self.rights_changed(&holders).await;
        self.send_owed(&owed).await;
        Ok(moved)
    }

    /// Bổ nhiệm.
    ///
    /// # Errors
    /// See [`OrganisationError`]; `NoSuchDomain`, `NoSuchUnit`. Nothing is changed then.
    pub async fn appoint(
        &self,
        actor: &Actor,
        domain: &DomainName,
        new: &NewAppointment,
    ) -> Result<(), AdminError> {
        self.change_appointment(actor, domain, new, true).await
    }

    /// Thôi giữ chức vụ, miễn nhiệm.
    ///
    /// # Errors
    /// As [`Self::appoint`].
    pub async fn relieve(
        &self,
        actor: &Actor,
        domain: &DomainName,
        held: &NewAppointment,
    ) -> Result<(), AdminError> {
        self.change_appointment(actor, domain, held, false).await
    }

    async fn change_appointment(
        &self,
        actor: &Actor,
        domain: &DomainName,
        new: &NewAppointment,
        begins: bool,
    ) -> Result<(), AdminError> {
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
        follow_class(&mut held, &part, new.person, on).await?;
        let action = if begins { "person.appoint" } else { "person.relieve" };
        let detail = json!({ "on": on, "unit": held.code(unit), "position": new.title });
        self.audit(&mut held.tx, actor, action, &format!("{domain}/{}", new.person.0), &detail).await?;
        Ok(held.tx.commit().await?)
    }
}

/// The person's part of the register.
async fn known(held: &mut Held, person: PersonId) -> Result<Loaded, AdminError> {
    if held.tx.people_by_id(held.domain, &[person]).await?.is_empty() {
        return Err(OrganisationError::NoSuchPerson(person.0).into());
    }
    Ok(held.tx.register(held.domain, Part::People(&[person])).await?)
}

/// Units that somebody has no place in any more: the one he was in, and of those above and below it the ones that he does not come
/// to be in again.
fn left_behind(tree: &model::Tree, from: UnitId, to: Option<UnitId>) -> Vec<UnitId> {
    let is_left = |unit: UnitId| {
        let near = tree.is_within(from, unit) || tree.is_within(unit, from);
        unit == from || near && !to.is_some_and(|to| tree.is_within(to, unit))
    };
    tree.units().map(|unit| unit.id).filter(|unit| is_left(*unit)).collect()
}

/// By title, in any case.
pub(crate) fn position<'p>(known: &'p [Position], title: &str) -> Result<&'p Position, AdminError> {
    let name = model::unit_name(title).map_err(OrganisationError::from)?.to_lowercase();
    known.iter().find(|position| position.title.to_lowercase() == name).ok_or_else(|| {
        let titles: Vec<&str> = known.iter().map(|position| position.title.as_str()).collect();
        OrganisationError::NoSuchPosition(title.to_owned(), titles.join(", ")).into()
    })
}

/// A quota of its own goes on where the other class may have it, too.
async fn follow_class(held: &mut Held, part: &Loaded, person: PersonId, on: Date) -> Result<(), AdminError> {
    let class = part.register.class_at(person, on);
    let other = match class {
        MailboxClass::Leader => MailboxClass::Person,
        _ => MailboxClass::Leader,
    };
    let to = ClassQuota { bytes: held.policy.quota_bytes(class), own: own_range(&held.policy, class) };
    Ok(held.tx.change_class(person, (other, class), to).await?)
}
