//! A person goes to another unit, or leaves (AG Đ7.3b-c; LC Đ6.2; TN Đ8.2), and what ends with the place that he had.
//!
//! Invariants: nobody remains the officer of a unit that he has left, nor is he told of its requests; rights to the mailboxes of such
//! a unit were given to whoever had a place in it (LC Đ11.1, TN Đ10.1), and end with that unless the administrator says that they go
//! on; an office's mail does not go on to who has left it, unless he may still read it there. All of it
//! is one transaction, and a preview goes the same way.

use super::forwards_ended::owed_to_offices;
use super::people::{classes_as_json, follow_class, known, position};
use super::{Held, OrganisationError};
use crate::audit::AuditKind;
use crate::provisioning::Readdressed;
use crate::{Actor, AdminError, Engine};
use jiff::civil::Date;
use model::calendar::local_date;
use model::{AccountId, Action, Appointment, DomainName, PersonId, Right, Rights, UnitId};
use serde_json::{Value, json};
use store::{ClassChange, EndedDelegation, EndedRole, ForwardNamed, Loaded};

/// Where somebody goes.
#[derive(Clone, Debug)]
pub enum PersonMove {
    /// Chuyển công tác: the unit by its code. Positions in the old one end; `position` (chức vụ) begins in the new one.
    Transfer { to: String, position: Option<String> },
    /// Nghỉ hưu, nghỉ việc, chuyển ra khỏi tỉnh: membership and positions end; what becomes of the mailbox is said apart.
    Leave,
}

/// How somebody goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct MoveOptions {
    /// The day from which it holds; `None`: today.
    pub on: Option<Date>,
    /// Rights to mailboxes of the unit left go on.
    pub keep_delegations: bool,
    /// Say what would change, and change nothing.
    pub dry_run: bool,
}

/// What a move did, or would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonMoved {
    /// Full name.
    pub name: String,
    /// Primary addresses of the mailboxes, as they were before.
    pub mailboxes: Vec<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    /// Positions (chức vụ) with the codes of their units.
    pub positions: Positions,
    /// Mailboxes that have another class, and its quota, by what the positions became.
    pub classes: Vec<ClassChange>,
    /// Old and new addresses, where the regulation makes the unit part of them (LC Đ6.2a).
    pub addresses: Vec<(String, String)>,
    /// The day to whose end the old ones receive.
    pub until: Option<Date>,
    /// Roles of an officer (cán bộ đầu mối) that ended with the place in the unit, with its code: whose he was to look after (AG
    /// Đ10.2b).
    pub ended: Vec<(String, String)>,
    /// Mailboxes of the units left, and the rights (ủy quyền) to them that ended.
    pub delegations: Vec<(String, Rights)>,
    /// Forwardings (chuyển thư tự động) from mailboxes of the units left, and where he leaves from any but people's, that went to him or
    /// were set by him: mail lies in those mailboxes from then on.
    pub forwards_ended: Vec<ForwardNamed>,
    /// Those that go on to him: from mailboxes that he may read, of other units, and of people.
    pub forwards_kept: Vec<ForwardNamed>,
    /// Codes of units whose requests his mailboxes are told of no more (AG Đ7.3).
    pub watched: Vec<String>,
    /// Other roles with what they are over, (as `delegate`) others' mailboxes that he has rights to, and (as `watcher`) units whose
    /// requests he is told of: whoever gave them ends them, or lets them be (AG Đ11.2đ; LC Đ11).
    pub keeps: Vec<(String, String)>,
    pub done: bool,
}

/// What a move does to the positions somebody holds: titles with the codes of their units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    pub ended: Vec<(String, String)>,
    pub begun: Vec<(String, String)>,
    /// In other units (kiêm nhiệm).
    pub kept: Vec<(String, String)>,
}

/// What ended with the place in the unit.
#[derive(Default)]
struct Ended {
    roles: Vec<EndedRole>,
    delegations: Vec<EndedDelegation>,
    forwards: Vec<(AccountId, ForwardNamed)>,
    /// Mailboxes, and codes of units that they followed.
    watching: Vec<(String, String)>,
}

/// What may end with the place in the units left.
#[derive(Clone, Copy)]
struct Going<'a> {
    left: &'a [UnitId],
    /// Mailboxes that he has no rights to from now on; held.
    lent: &'a [AccountId],
    /// Mailboxes whose mail goes on to him; held.
    forwarding: &'a [AccountId],
    /// Units that he no longer follows; `None`: all.
    watched: Option<&'a [UnitId]>,
}

impl Engine {
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
        options: MoveOptions,
    ) -> Result<PersonMoved, AdminError> {
        let to = match how {
            PersonMove::Transfer { to, .. } => Some(to.as_str()),
            PersonMove::Leave => None,
        };
        self.authorize_person(actor, domain, person, to).await?;
        let mut held = self.hold_organisation(domain).await?;
        let on = self.effective_day(options.on)?;
        let mut part = known(&mut held, person).await?;
        let from = part.register.unit_at(person, on);
        let to = to.map(|to| held.living_unit(to)).transpose()?;
        let left = from.map(|from| left_behind(&held.tree, from, to)).unwrap_or_default();
        // Before anything of these mailboxes is touched.
        let reach = to.map(|_| left.as_slice());
        let forwarding = held.tx.forwarding_to((held.domain, person), reach).await?;
        let lent = held.tx.hold_with_lent(person, (&left, &forwarding), self.now()).await?;
        let lent = if options.keep_delegations { &[] } else { lent.as_slice() };
        let before = self.before_transfer(&mut held, person).await?;
        let who = held.tx.people_by_id(held.domain, &[person]).await?.into_iter().next();
        let who = who.ok_or(OrganisationError::NoSuchPerson(person.0))?;
        let positions = change_register(&held, &mut part, person, (how, to), on)?;
        held.tx.save_register(&part).await?;
        held.tx.move_mailboxes_of(&[person], to).await?;
        let classes = follow_class(&mut held, &part, person, local_date(self.now())).await?;
        let Readdressed { addresses, until, owed } = match to {
            Some(to) if held.policy.request.transfer_renames => {
                self.readdress(&mut held, before, &[(from, to)]).await?
            }
            _ => Readdressed::default(),
        };
        let going = Going { left: &left, lent, forwarding: &forwarding, watched: reach };
        let ended = self.end_with_place(actor, &mut held, person, going).await?;
        let code = |unit: Option<UnitId>| unit.map(|unit| held.code(unit));
        let (from, to) = (code(from), code(to));
        let moved = PersonMoved {
            name: who.full_name,
            mailboxes: who.addresses,
            from,
            to,
            positions,
            classes,
            addresses,
            until,
            ended: ended.roles.iter().map(|role| (role.role.clone(), role.over.clone())).collect(),
            delegations: ended.delegations.iter().map(|one| (one.mailbox.clone(), one.rights)).collect(),
            forwards_ended: ended.forwards.iter().map(|(_, one)| one.clone()).collect(),
            forwards_kept: held.tx.forwards_to(person, &actor.reach(Action::ForwardingList)).await?,
            watched: ended.watching.iter().map(|(_, unit)| unit.clone()).collect(),
            keeps: held.tx.held_by(person, self.now()).await?,
            done: !options.dry_run,
        };
        if options.dry_run {
            return Ok(moved);
        }
        let action = if moved.to.is_some() { "person.transfer" } else { "person.leave" };
        self.audit_person_move(actor, &mut held, (action, person, on), (&moved, &ended)).await?;
        let offices = owed_to_offices(&ended.forwards, self.now());
        held.tx.owe_notices(&offices, self.now()).await?;
        held.tx.commit().await?;
        self.tell_of_ended(&ended).await;
        self.send_owed(&[owed, offices].concat()).await;
        Ok(moved)
    }

    /// What he had as one of the units left.
    async fn end_with_place(
        &self,
        actor: &Actor,
        held: &mut Held,
        person: PersonId,
        going: Going<'_>,
    ) -> Result<Ended, AdminError> {
        let by = (actor.name(), self.now());
        let roles = held.tx.revoke_officer_of(person, going.left, by).await?;
        let delegations = held.tx.revoke_lent_to(person, going.lent, by).await?;
        let watching = held.tx.end_watching_of(person, going.watched, self.now()).await?;
        // What may not be read there any more is not sent on, either; what was lent may have been sent on since it was looked at.
        let mailboxes = [going.forwarding, going.lent].concat();
        let forwards = held.tx.end_forwards_to(person, &mailboxes, by).await?;
        Ok(Ended { roles, delegations, forwards, watching })
    }

    async fn audit_person_move(
        &self,
        actor: &Actor,
        held: &mut Held,
        (action, person, on): (&str, PersonId, Date),
        (moved, ended): (&PersonMoved, &Ended),
    ) -> Result<(), AdminError> {
        let rights = |rights: Rights| rights.iter().map(Right::as_str).collect::<Vec<_>>();
        let detail = json!({
            "on": on, "from": moved.from, "to": moved.to, "addresses": moved.addresses, "ended": moved.ended,
            "positions_ended": moved.positions.ended, "positions_begun": moved.positions.begun,
            "delegations_ended": moved.delegations.iter().map(|(of, all)| (of, rights(*all))).collect::<Vec<_>>(),
            "forwardings_ended": forwards_as_json(&moved.forwards_ended),
            "forwardings_kept": forwards_as_json(&moved.forwards_kept),
            "watched": moved.watched, "keeps": moved.keeps, "classes": classes_as_json(&moved.classes),
        });
        let target = AuditKind::Person.within(&held.name, person.0);
        self.audit(&mut held.tx, actor, action, &target, &detail).await?;
        for role in &ended.roles {
            self.audit_ended_role(actor, held, role, action).await?;
        }
        for one in &ended.delegations {
            let detail = json!({ "delegate": one.delegate_address, "ended": 1, "rights": rights(one.rights), "by": action });
            self.audit(&mut held.tx, actor, "delegate.revoke", &one.mailbox, &detail).await?;
        }
        for (_, one) in &ended.forwards {
            let detail = json!({ "target": null, "went_to": one.target, "copy_kept": one.keep_copy, "because": action });
            self.audit(&mut held.tx, actor, "forwarding.set", &one.mailbox, &detail).await?;
        }
        self.audit_ended_watching(actor, held, &ended.watching, action).await
    }

    /// Who was told of units' requests and is so no longer; `by`: the act that ended it.
    pub(super) async fn audit_ended_watching(
        &self,
        actor: &Actor,
        held: &mut Held,
        ended: &[(String, String)],
        by: &str,
    ) -> Result<(), AdminError> {
        for (watcher, unit) in ended {
            let detail = json!({ "watcher": watcher, "watches": false, "by": by });
            let target = AuditKind::Unit.within(&held.name, unit);
            self.audit(&mut held.tx, actor, Action::RequestWatch.as_str(), &target, &detail).await?;
        }
        Ok(())
    }

    /// A role that ended with what it rests on; `by`: the act that ended that.
    pub(super) async fn audit_ended_role(
        &self,
        actor: &Actor,
        held: &mut Held,
        ended: &EndedRole,
        by: &str,
    ) -> Result<(), AdminError> {
        let is_officer = ended.role == model::Role::OrganisationOfficer.as_str();
        let action = if is_officer { Action::OfficerDismiss } else { Action::RoleRevoke };
        let detail = json!({ "role": ended.role, "over": format!("{}/{}", held.name, ended.over), "by": by });
        self.audit(&mut held.tx, actor, action.as_str(), &ended.address, &detail).await
    }

    /// Behind the commit: those who had roles or rights, here and on other nodes.
    async fn tell_of_ended(&self, ended: &Ended) {
        let mut changed: Vec<AccountId> = ended.roles.iter().map(|role| role.account).collect();
        changed.extend(ended.delegations.iter().map(|one| one.account));
        changed.extend(ended.forwards.iter().map(|(account, _)| *account));
        ended.delegations.iter().for_each(|one| self.0.hub.tell(one.account));
        self.rights_changed(&changed).await;
        self.forwards_changed().await;
    }
}

/// As answers and the audit trail have them.
#[must_use]
pub fn forwards_as_json(forwards: &[ForwardNamed]) -> Value {
    let one = |one: &ForwardNamed| json!({ "mailbox": one.mailbox, "target": one.target, "copy_kept": one.keep_copy });
    forwards.iter().map(one).collect()
}

/// Where he belongs and what he holds from then on; says what of the latter changes.
fn change_register(
    held: &Held,
    part: &mut Loaded,
    person: PersonId,
    (how, to): (&PersonMove, Option<UnitId>),
    on: Date,
) -> Result<Positions, AdminError> {
    let open = |part: &Loaded| -> Vec<Appointment> {
        let all = part.register.appointments().iter();
        all.filter(|one| one.person == person && one.until.is_none()).copied().collect()
    };
    let before = open(part);
    let done = match to {
        Some(to) => part.register.transfer(person, to, on),
        None => part.register.leave(person, on),
    };
    done.map_err(OrganisationError::from)?;
    if let (PersonMove::Transfer { position: Some(title), .. }, Some(to)) = (how, to) {
        let position = position(part.register.positions(), title)?.id;
        part.register.appoint(person, to, position, on).map_err(OrganisationError::from)?;
    }
    let after = open(part);
    let named = |one: &Appointment| {
        let title = part.register.positions().iter().find(|known| known.id == one.position);
        (title.map(|known| known.title.clone()).unwrap_or_default(), held.code(one.unit))
    };
    Ok(Positions {
        ended: before.iter().filter(|one| !after.contains(one)).map(named).collect(),
        begun: after.iter().filter(|one| !before.contains(one)).map(named).collect(),
        kept: after.iter().filter(|one| before.contains(one)).map(named).collect(),
    })
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
