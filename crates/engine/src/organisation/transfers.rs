//! A person goes to another unit, or leaves (AG Đ7.3b-c; LC Đ6.2; TN Đ8.2), and what ends with the place that he had.
//!
//! Invariant: nobody remains the officer of a unit that he has left.

use super::OrganisationError;
use super::people::{follow_class, known};
use crate::provisioning::Readdressed;
use crate::{Actor, AdminError, Engine};
use jiff::civil::Date;
use model::{Action, DomainName, PersonId, UnitId};
use serde_json::json;

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
