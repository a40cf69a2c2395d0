//! What happens to units after their founding: one act, previewed or done.

use super::heirs::{Below, FurtherOffice, OpenHanded, Post, further_offices, move_all, nobody_left};
use super::people::classes_as_json;
use super::transfers::forwards_as_json;
use super::{Held, NewUnit, OrganisationError, UnitEvent, kind_of};
use crate::admin::check_name;
use crate::audit::AuditKind;
use crate::provisioning::Readdressed;
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::civil::Date;
use model::{Action, DomainName, Happening, Tree, Unit, UnitCode, UnitId, UnitState};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::{ClassChange, EndedRole, ForwardNamed};

/// An act on units, by their codes.
#[derive(Clone, Debug)]
pub enum UnitAct {
    /// Đổi tên.
    Rename { unit: String, name: String },
    /// Another code; the old one stays taken.
    Recode { unit: String, code: String },
    /// Another kind, as when a thị trấn becomes a phường.
    Convert { unit: String, kind: String },
    /// Under another unit, or none.
    Move { unit: String, to: Option<String> },
    /// Sáp nhập: people, mailboxes and units below go to `into`; positions that are no leader's, too, if `keep_positions`.
    Merge { sources: Vec<String>, into: String, keep_positions: bool },
    /// Chia tách: `parts` are founded; `below` says which unit below goes to which part. Unless `keep`, the source is
    /// dissolved, and people and mailboxes that are left go to the first part, as by a merger.
    Split {
        source: String,
        parts: Vec<NewUnit>,
        below: Vec<(String, String)>,
        keep: bool,
        keep_positions: bool,
    },
    /// Giải thể; nobody may be left.
    Dissolve { unit: String },
}

/// What an act did, or would do.
#[derive(Clone, Debug)]
pub struct UnitChange {
    pub on: Date,
    pub events: Vec<UnitEvent>,
    /// Codes of units that came beside another of their name, and its code: mostly they are to be one.
    pub namesakes: Vec<(String, String)>,
    /// People who came to another unit.
    pub people: usize,
    /// Mailboxes that belong to another unit now, people's and units' own.
    pub mailboxes: u64,
    /// Who and what is in units below those that end.
    pub below: Below,
    /// Whose roles have ended: over a unit that ends, and those of officers over units that they are no longer below; address, role,
    /// code. Whoever is to have one over the heir is given it.
    pub roles: Vec<(String, String, String)>,
    /// Mailboxes that are told no more of the requests of a unit, for the same reasons, with its code (AG Đ7.3).
    pub watching: Vec<(String, String)>,
    /// Positions (chức vụ) that end with their unit. Whoever is to have one in the heir is appointed.
    pub positions: Vec<Post>,
    /// Positions that are no leader's, and are held in the heir from then on.
    pub positions_kept: Vec<Post>,
    /// Mailboxes whose class was that of such a position.
    pub classes: Vec<ClassChange>,
    /// Requests and reviews that were open, and are the heir's now.
    pub open: OpenHanded,
    /// Organisation mailboxes of the heir beyond the one that the policy gives it: somebody decides what becomes of them.
    pub offices: Vec<FurtherOffice>,
    /// Forwardings (chuyển thư tự động) that go on as they were set: from mailboxes, not people's, of a unit that ends, and of units
    /// that are no longer above to whoever was in it. Somebody decides whether they are to.
    pub forwards: Vec<ForwardNamed>,
    /// Old and new addresses, where the unit is part of them.
    pub addresses: Vec<(String, String)>,
    /// The day to whose end the old ones receive.
    pub until: Option<Date>,
    /// False: a preview.
    pub done: bool,
}

/// What rested on a unit that has ended, or that is no longer above others.
struct Offices {
    ended: Vec<EndedRole>,
    watching: Vec<(String, String)>,
    forwards: Vec<ForwardNamed>,
}

impl UnitChange {
    /// As the audit trail keeps it.
    fn audited(&self) -> Value {
        let told: Vec<Value> = self.events.iter().map(UnitEvent::as_json).collect();
        json!({
            "on": self.on, "events": told, "people": self.people, "mailboxes": self.mailboxes,
            "below": self.below.as_json(), "roles": self.roles,
            "watching": self.watching, "addresses": self.addresses,
            "positions_ended": self.positions.iter().map(Post::as_json).collect::<Vec<_>>(),
            "positions_kept": self.positions_kept.iter().map(Post::as_json).collect::<Vec<_>>(),
            "classes": classes_as_json(&self.classes), "open": self.open.as_json(),
            "forwardings_kept": forwards_as_json(&self.forwards),
        })
    }
}

impl UnitAct {
    const fn name(&self) -> &'static str {
        match self {
            Self::Convert { .. } => "unit.convert",
            _ => self.action().as_str(),
        }
    }

    const fn action(&self) -> Action {
        match self {
            Self::Rename { .. } | Self::Convert { .. } => Action::UnitRename,
            Self::Recode { .. } => Action::UnitRecode,
            Self::Move { .. } => Action::UnitMove,
            Self::Merge { .. } => Action::UnitMerge,
            Self::Split { .. } => Action::UnitSplit,
            Self::Dissolve { .. } => Action::UnitDissolve,
        }
    }

    /// Whether positions that are no leader's are held in the heir from then on.
    const fn keeps_positions(&self) -> bool {
        matches!(self, Self::Merge { keep_positions: true, .. } | Self::Split { keep_positions: true, .. })
    }

    /// Codes of all units that the act reaches.
    fn units(&self) -> Vec<&str> {
        let further: Vec<&String> = match self {
            Self::Move { to, .. } => to.iter().collect(),
            Self::Merge { sources, .. } => sources.iter().collect(),
            Self::Split { below, parts, .. } => below
                .iter()
                .map(|(unit, _)| unit)
                .chain(parts.iter().filter_map(|p| p.parent.as_ref()))
                .collect(),
            _ => Vec::new(),
        };
        std::iter::once(self.target()).chain(further.into_iter().map(String::as_str)).collect()
    }

    /// Does it found or put a unit at the top, where whoever has a part of the tree has nothing to say?
    fn is_at_top(&self) -> bool {
        match self {
            Self::Move { to, .. } => to.is_none(),
            Self::Split { parts, .. } => parts.iter().any(|part| part.parent.is_none()),
            _ => false,
        }
    }

    fn target(&self) -> &str {
        match self {
            Self::Rename { unit, .. }
            | Self::Recode { unit, .. }
            | Self::Convert { unit, .. }
            | Self::Move { unit, .. }
            | Self::Dissolve { unit } => unit,
            Self::Merge { into, .. } => into,
            Self::Split { source, .. } => source,
        }
    }
}

impl Engine {
    /// Does the act, or says what it would do. The day is that from which it holds; `None`: today.
    ///
    /// # Errors
    /// See [`OrganisationError`]; `NoSuchDomain`, `NoSuchUnit`. Nothing is changed then.
    pub async fn change_unit(
        &self,
        actor: &Actor,
        domain: &DomainName,
        act: &UnitAct,
        on: Option<Date>,
        dry_run: bool,
    ) -> Result<UnitChange, AdminError> {
        self.authorize_act(actor, domain, act, dry_run).await?;
        let mut held = self.hold_organisation(domain).await?;
        let on = self.effective_day(on)?;
        let before = held.tree.events().len();
        // What is wrong with a code, the act itself says.
        let units: Vec<UnitId> = act.units().into_iter().filter_map(|code| held.unit(code).ok()).collect();
        let called = self.before_act(&mut held, &units).await?;
        let moves = self.apply(&mut held, act, on).await?;
        self.save_tree(&mut held, before).await?;
        let Offices { ended, watching, forwards } =
            self.end_offices(actor, &mut held, (called.tree(), &moves)).await?;
        let keeps = act.keeps_positions();
        let handed = move_all(&mut held, (called.tree(), &moves), keeps, (on, self.now())).await?;
        let open = self.hand_open(actor, &mut held, &moves).await?;
        let to: Vec<_> = moves.iter().map(|(from, to)| (Some(*from), *to)).collect();
        let Readdressed { addresses, until, owed } = self.readdress(&mut held, called, &to).await?;
        let offices = further_offices(&mut held, &moves).await?;
        if let UnitAct::Dissolve { unit } = act {
            nobody_left(&mut held, unit).await?;
        }
        let (events, namesakes) = happened(&held.tree, before);
        let roles: Vec<_> =
            ended.iter().map(|role| (role.address.clone(), role.role.clone(), role.over.clone())).collect();
        let change = UnitChange {
            on,
            events,
            namesakes,
            people: handed.people,
            mailboxes: handed.mailboxes,
            below: handed.below,
            roles,
            watching,
            positions: handed.positions,
            positions_kept: handed.positions_kept,
            classes: handed.classes,
            open,
            offices,
            forwards,
            addresses,
            until,
            done: !dry_run,
        };
        if dry_run {
            return Ok(change);
        }
        let target = AuditKind::Unit.within(domain, act.target().trim().to_ascii_lowercase());
        self.audit(&mut held.tx, actor, act.name(), &target, &change.audited()).await?;
        for role in &ended {
            self.audit_ended_role(actor, &mut held, role, act.name()).await?;
        }
        self.audit_ended_watching(actor, &mut held, &change.watching, act.name()).await?;
        held.tx.commit().await?;
        let holders: Vec<_> = ended.iter().map(|role| role.account).collect();
        self.rights_changed(&holders).await;
        self.send_owed(&owed).await;
        Ok(change)
    }

    async fn authorize_act(
        &self,
        actor: &Actor,
        domain: &DomainName,
        act: &UnitAct,
        dry_run: bool,
    ) -> Result<(), AdminError> {
        let action = if dry_run { Action::ChangePreview } else { act.action() };
        for code in act.units() {
            check_name(code)?;
            self.authorize(actor, action, &AdminTarget::UnitCode(domain, code)).await?;
        }
        if act.is_at_top() {
            self.authorize(actor, Action::UnitAdd, &AdminTarget::Domain(domain)).await?;
        }
        Ok(())
    }

    /// Roles over units that have ended, and those of officers over what is no longer above them (as when somebody is
    /// transferred); likewise who is told of their requests. Forwardings go on, as rights to mailboxes do, and are named. The tree is changed by now, whose people and mailboxes go where is known, and nobody has gone yet.
    async fn end_offices(
        &self,
        actor: &Actor,
        held: &mut Held,
        (before, moves): (&Tree, &[(UnitId, UnitId)]),
    ) -> Result<Offices, AdminError> {
        let by = (actor.name(), self.now());
        let mut ended = held.tx.revoke_grants_of_ended(held.domain, by).await?;
        let left = no_longer_above(before, &held.tree, moves);
        ended.extend(held.tx.revoke_officers_out_of(&left, by).await?);
        let mut watching = held.tx.end_watching_of_dissolved(held.domain).await?;
        watching.extend(held.tx.end_watching_out_of(&left, self.now()).await?);
        let sources: Vec<UnitId> = moves.iter().map(|(from, _)| *from).collect();
        let forwards = held.tx.forwards_of_units(&sources, &left).await?;
        Ok(Offices { ended, watching, forwards })
    }

    /// Changes the tree; says whose people and mailboxes go where.
    async fn apply(
        &self,
        held: &mut Held,
        act: &UnitAct,
        on: Date,
    ) -> Result<Vec<(UnitId, UnitId)>, AdminError> {
        let mut moves = Vec::new();
        let done = match act {
            UnitAct::Rename { unit, name } => {
                let unit = held.unit(unit)?;
                let was = held.tree.unit(unit).map(|unit| unit.name.clone()).unwrap_or_default();
                let done = held.tree.rename(unit, name, on);
                let is = held.tree.unit(unit).map(|unit| unit.name.clone()).unwrap_or_default();
                held.tx.rename_offices(unit, (&was, &is)).await?;
                done
            }
            UnitAct::Recode { unit, code } => {
                let to = UnitCode::new(code).map_err(|_| OrganisationError::BadCode(code.clone()))?;
                let unit = held.unit(unit)?;
                held.tree.recode(unit, to, on)
            }
            UnitAct::Convert { unit, kind } => {
                let (unit, kind) = (held.unit(unit)?, kind_of(held.tree.kinds(), kind, on)?);
                held.tree.convert(unit, kind, on)
            }
            UnitAct::Move { unit, to } => {
                let to = to.as_deref().map(|code| held.unit(code)).transpose()?;
                let unit = held.unit(unit)?;
                held.tree.relocate(unit, to, on)
            }
            UnitAct::Merge { sources, into, .. } => {
                let into = held.unit(into)?;
                let sources: BTreeSet<UnitId> =
                    sources.iter().map(|code| held.unit(code)).collect::<Result<_, _>>()?;
                let sources: Vec<UnitId> = sources.into_iter().collect();
                moves.extend(sources.iter().map(|source| (*source, into)));
                held.tree.merge(&sources, into, on)
            }
            UnitAct::Split { source, parts, below, keep, .. } => {
                return self.split(held, (source, parts, below, *keep), on).await;
            }
            UnitAct::Dissolve { unit } => {
                let unit = held.unit(unit)?;
                held.tree.dissolve(unit, on)
            }
        };
        done.map_err(|error| held.tree_error(&error))?;
        Ok(moves)
    }

    async fn split(
        &self,
        held: &mut Held,
        (source, parts, below, keep): (&str, &[NewUnit], &[(String, String)], bool),
        on: Date,
    ) -> Result<Vec<(UnitId, UnitId)>, AdminError> {
        let source = held.unit(source)?;
        let mut new = Vec::with_capacity(parts.len());
        for part in parts {
            let (unit, added) = self.found(held, part, on).await?;
            // The next part's code is another.
            held.units_by_code.insert(added.code.to_string(), unit.id);
            new.push(unit);
        }
        let ids: Vec<UnitId> = new.iter().map(|unit| unit.id).collect();
        let mut moved = Vec::with_capacity(below.len());
        for (unit, part) in below {
            moved.push((held.unit(unit)?, held.unit(part)?));
        }
        let done = held.tree.split(source, new, &moved, keep, on);
        done.map_err(|error| held.tree_error(&error))?;
        Ok(match ids.first() {
            Some(first) if !keep => vec![(source, *first)],
            _ => Vec::new(),
        })
    }
}

/// What happened from this event on, and which units came beside one of their name by it.
fn happened(tree: &Tree, before: usize) -> (Vec<UnitEvent>, Vec<(String, String)>) {
    let events = tree.events().get(before..).unwrap_or_default();
    let comes = |happening: &Happening| {
        matches!(
            happening,
            Happening::Founded { .. }
                | Happening::Renamed { .. }
                | Happening::Moved { .. }
                | Happening::SplitFrom(_)
        )
    };
    let came: BTreeSet<UnitId> =
        events.iter().filter(|event| comes(&event.happening)).map(|event| event.unit).collect();
    let mut namesakes = Vec::new();
    for unit in came.iter().filter_map(|id| tree.unit(*id)).filter(|unit| unit.state == UnitState::Active) {
        let name = unit.name.to_lowercase();
        let is_other = |other: &&Unit| {
            let told_before = came.contains(&other.id) && other.id < unit.id;
            other.id != unit.id
                && !told_before
                && other.state == UnitState::Active
                && other.parent == unit.parent
        };
        let other = tree.units().filter(is_other).find(|other| other.name.to_lowercase() == name);
        namesakes.extend(other.map(|other| (unit.code.to_string(), other.code.to_string())));
    }
    (events.iter().map(|event| UnitEvent::of(tree, event)).collect(), namesakes)
}

/// Units as they were, each with those that were above it and are not above whoever was in it.
fn no_longer_above(before: &Tree, after: &Tree, moves: &[(UnitId, UnitId)]) -> Vec<(UnitId, UnitId)> {
    let mut left = Vec::new();
    for unit in before.units().filter(|unit| unit.state == UnitState::Active) {
        let goes = moves.iter().find(|(from, _)| *from == unit.id).map(|(_, to)| *to);
        let now = after.path(goes.unwrap_or(unit.id));
        let was = before.path(unit.id).into_iter().filter(|above| *above != unit.id);
        left.extend(was.filter(|above| !now.contains(above)).map(|above| (unit.id, above)));
    }
    left
}
