//! The tree as lists show it.

use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::civil::Date;
use model::{Action, DomainName, Happening, Tree, UnitId, UnitState};
use serde_json::{Value, json};
use std::collections::HashMap;

/// A unit with what belongs to it.
#[derive(Clone, Debug)]
pub struct UnitDetail {
    pub code: String,
    pub name: String,
    pub kind: String,
    /// The kind in Vietnamese.
    pub kind_label: String,
    /// Mã định danh.
    pub identifier: Option<String>,
    /// Code of the unit above.
    pub parent: Option<String>,
    /// Units above it.
    pub depth: usize,
    pub dissolved: Option<Date>,
    /// Codes of those that took over, of a dissolved one.
    pub successors: Vec<String>,
    /// The unit's own address.
    pub address: Option<String>,
    /// People who belong to it now.
    pub people: u64,
    /// Mailboxes that exist, people's and its own.
    pub mailboxes: u64,
}

/// Something that happened to a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitEvent {
    pub unit: String,
    pub on: Date,
    pub what: String,
}

impl UnitEvent {
    pub(super) fn of(tree: &Tree, event: &model::UnitEvent) -> Self {
        let unit = tree.unit(event.unit).map_or_else(|| event.unit.to_string(), |unit| unit.code.to_string());
        Self { unit, on: event.on, what: told(tree, &event.happening) }
    }

    #[must_use]
    pub fn as_json(&self) -> Value {
        json!({ "unit": self.unit, "on": self.on, "what": self.what })
    }
}

impl Engine {
    /// Every unit that he may see, each behind the one above it, those beside each other by name.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn units(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<UnitDetail>, AdminError> {
        let reach = actor.reach(Action::UnitList);
        let id = self.domain_id(domain).await?;
        let tree = self.0.store.tree(id).await?;
        let is_all = reach.everything || reach.domains.contains(&id.0);
        let tops: Vec<UnitId> = match is_all {
            true => below(&tree, None),
            false => reach
                .subtree_units
                .iter()
                .map(|unit| UnitId(*unit))
                .filter(|id| tree.unit(*id).is_some())
                .collect(),
        };
        // To whom nothing of it is shown it is not there.
        if tops.is_empty() && !is_all {
            return Err(AdminError::NoSuchDomain(domain.clone()));
        }
        let figures: HashMap<UnitId, store::UnitFigures> =
            self.0.store.unit_figures(id).await?.into_iter().map(|row| (row.unit, row)).collect();
        let mut units = Vec::new();
        let mut stack: Vec<(UnitId, usize)> = tops.into_iter().rev().map(|id| (id, 0)).collect();
        while let Some((id, depth)) = stack.pop() {
            units.extend(detail(&tree, id, depth, figures.get(&id)));
            stack.extend(below(&tree, Some(id)).into_iter().rev().map(|id| (id, depth + 1)));
        }
        Ok(units)
    }

    /// A unit with everything that happened to it, the oldest first; `None` when there is none of this code.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn unit(
        &self,
        actor: &Actor,
        domain: &DomainName,
        code: &str,
    ) -> Result<Option<(UnitDetail, Vec<UnitEvent>)>, AdminError> {
        let target = AdminTarget::UnitCode(domain, code);
        if unless_missing(self.authorize(actor, Action::UnitShow, &target).await)?.is_none() {
            return Ok(None);
        }
        let id = self.domain_id(domain).await?;
        let tree = self.0.store.tree(id).await?;
        let Some(unit) = tree.units().find(|unit| unit.code.as_str() == code) else { return Ok(None) };
        let figures = self.0.store.unit_figures(id).await?.into_iter().find(|row| row.unit == unit.id);
        let depth = tree.path(unit.id).len().saturating_sub(1);
        let events = tree.history(unit.id).map(|event| UnitEvent::of(&tree, event)).collect();
        Ok(detail(&tree, unit.id, depth, figures.as_ref()).map(|detail| (detail, events)))
    }
}

fn below(tree: &Tree, parent: Option<UnitId>) -> Vec<UnitId> {
    let mut units: Vec<_> = tree.units().filter(|unit| unit.parent == parent).collect();
    units.sort_by(|a, b| (&a.kind, &a.name, a.id).cmp(&(&b.kind, &b.name, b.id)));
    units.into_iter().map(|unit| unit.id).collect()
}

fn detail(tree: &Tree, id: UnitId, depth: usize, figures: Option<&store::UnitFigures>) -> Option<UnitDetail> {
    let unit = tree.unit(id)?;
    let code = |id: &UnitId| tree.unit(*id).map(|unit| unit.code.to_string());
    let (dissolved, successors) = match &unit.state {
        UnitState::Active => (None, Vec::new()),
        UnitState::Dissolved { on, successors } => (Some(*on), successors.iter().filter_map(code).collect()),
    };
    Some(UnitDetail {
        code: unit.code.to_string(),
        name: unit.name.clone(),
        kind: unit.kind.as_str().to_owned(),
        kind_label: tree.kinds().find(&unit.kind).map_or_else(String::new, |kind| kind.label.clone()),
        identifier: unit.identifier.clone(),
        parent: unit.parent.as_ref().and_then(code),
        depth,
        dissolved,
        successors,
        address: figures.and_then(|figures| figures.address.clone()),
        people: figures.map_or(0, |figures| figures.people),
        mailboxes: figures.map_or(0, |figures| figures.mailboxes),
    })
}

/// For the audit trail and for whoever reads the preview.
fn told(held: &Tree, happening: &Happening) -> String {
    let code = |id: &UnitId| held.unit(*id).map_or_else(|| id.to_string(), |unit| unit.code.to_string());
    let above = |id: &Option<UnitId>| id.as_ref().map_or_else(|| "the top".to_owned(), code);
    let codes = |ids: &[UnitId]| ids.iter().map(code).collect::<Vec<_>>().join(", ");
    match happening {
        Happening::Founded { name, parent, .. } => format!("founded as {name} under {}", above(parent)),
        Happening::Renamed { from, to } => format!("renamed from {from} to {to}"),
        Happening::Recoded { from, to } => format!("code changed from {from} to {to}"),
        Happening::Converted { from, to } => {
            format!("kind changed from {} to {}", from.as_str(), to.as_str())
        }
        Happening::Moved { from, to } => format!("moved from {} to {}", above(from), above(to)),
        Happening::MergedInto(unit) => format!("merged into {}", code(unit)),
        Happening::Absorbed(unit) => format!("absorbed {}", code(unit)),
        Happening::SplitInto(units) => format!("split into {}", codes(units)),
        Happening::SplitFrom(unit) => format!("split from {}", code(unit)),
        Happening::Dissolved => "dissolved".to_owned(),
    }
}
