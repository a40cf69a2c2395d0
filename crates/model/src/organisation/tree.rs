//! The tree itself, with questions about today and about any day before; what changes it is in [`acts`].
//!
//! Invariants: dissolved units stay, without units below them; nothing is above itself; every change has its event.

mod acts;

use super::{KindId, Kinds, TextError, UnitCode};
use crate::UnitId;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Levels of nesting: more than any state has, and few enough to walk.
const LEVELS_MAX: usize = 12;

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    pub id: UnitId,
    pub code: UnitCode,
    /// Full name, Vietnamese, NFC.
    pub name: String,
    pub kind: KindId,
    /// Mã định danh.
    pub identifier: Option<String>,
    pub parent: Option<UnitId>,
    pub state: UnitState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitState {
    Active,
    /// Giải thể, sáp nhập, chia tách.
    Dissolved {
        on: Date,
        /// Whoever took over its work; none when nobody did.
        successors: Vec<UnitId>,
    },
}

/// A unit that is to be founded.
#[derive(Clone, Debug)]
pub struct NewUnit {
    pub id: UnitId,
    pub code: UnitCode,
    pub name: String,
    pub kind: KindId,
    pub identifier: Option<String>,
    pub parent: Option<UnitId>,
}

/// What happened to a unit on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub unit: UnitId,
    pub on: Date,
    pub happening: Happening,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    Founded {
        name: String,
        code: UnitCode,
        parent: Option<UnitId>,
    },
    Renamed {
        from: String,
        to: String,
    },
    Recoded {
        from: UnitCode,
        to: UnitCode,
    },
    /// A huyện's town becomes a phường, and the like.
    Converted {
        from: KindId,
        to: KindId,
    },
    Moved {
        from: Option<UnitId>,
        to: Option<UnitId>,
    },
    MergedInto(UnitId),
    Absorbed(UnitId),
    SplitInto(Vec<UnitId>),
    SplitFrom(UnitId),
    Dissolved,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("there is no unit {0}")]
    Unknown(UnitId),
    #[error("unit {0} is dissolved")]
    Dissolved(UnitId),
    #[error("unit {0} exists already")]
    Exists(UnitId),
    #[error("the code belongs to unit {0}, or once did")]
    CodeTaken(UnitId),
    #[error("there is no such kind of unit")]
    UnknownKind,
    #[error("this kind of unit is history")]
    HistoricalKind,
    #[error("a unit of this kind cannot stand there")]
    KindThere,
    #[error("that would put unit {0} under itself")]
    Cycle(UnitId),
    #[error("the tree would be too deep")]
    TooDeep,
    #[error("unit {0} still has units below it")]
    HasChildren(UnitId),
    #[error("the day lies before what is recorded of unit {0}")]
    BeforeRecorded(UnitId),
    #[error("nothing would change")]
    Unchanged,
    #[error(transparent)]
    Text(#[from] TextError),
}

/// All units of one domain, living and dissolved, with what happened to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    kinds: Kinds,
    units: BTreeMap<UnitId, Unit>,
    events: Vec<Event>,
}

impl Tree {
    #[must_use]
    pub fn new(kinds: Kinds) -> Self {
        Self { kinds, ..Self::default() }
    }

    /// The tree as it was kept; events in the order in which they were recorded.
    ///
    /// # Errors
    /// When a unit stands under one that is missing, or above itself.
    pub fn restore(kinds: Kinds, units: Vec<Unit>, events: Vec<Event>) -> Result<Self, TreeError> {
        let units: BTreeMap<UnitId, Unit> = units.into_iter().map(|unit| (unit.id, unit)).collect();
        let tree = Self { kinds, units, events };
        for unit in tree.units.values() {
            tree.check_above(unit.id, unit.parent)?;
        }
        Ok(tree)
    }

    #[must_use]
    pub fn unit(&self, id: UnitId) -> Option<&Unit> {
        self.units.get(&id)
    }

    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.values()
    }

    /// The unit that has this code now.
    #[must_use]
    pub fn by_code(&self, code: &UnitCode) -> Option<&Unit> {
        self.units.values().find(|unit| unit.code == *code)
    }

    /// Directly below, in the order of their ids.
    pub fn children(&self, id: UnitId) -> impl Iterator<Item = &Unit> {
        self.units.values().filter(move |unit| unit.parent == Some(id))
    }

    /// From the top of the tree to the unit itself; empty when there is none.
    #[must_use]
    pub fn path(&self, id: UnitId) -> Vec<UnitId> {
        let mut path: Vec<UnitId> = self.upward(id).collect();
        path.reverse();
        path
    }

    /// Is it the unit, or anywhere below it?
    #[must_use]
    pub fn is_within(&self, id: UnitId, ancestor: UnitId) -> bool {
        self.upward(id).any(|above| above == ancestor)
    }

    /// The unit and everything below it, those above first.
    #[must_use]
    pub fn subtree(&self, id: UnitId) -> Vec<UnitId> {
        let mut found: Vec<UnitId> = self.units.contains_key(&id).then_some(id).into_iter().collect();
        let mut next = 0;
        while let Some(&above) = found.get(next) {
            found.extend(self.children(above).map(|unit| unit.id));
            next += 1;
        }
        found
    }

    #[must_use]
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Everything that happened, in the order in which it was recorded.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Everything that happened to a unit, oldest first.
    pub fn history(&self, id: UnitId) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.unit == id)
    }

    /// What it was called on a day; `None` before it was founded.
    #[must_use]
    pub fn name_at(&self, id: UnitId, day: Date) -> Option<&str> {
        let until_then = self.history(id).filter(|event| event.on <= day);
        let names = until_then.filter_map(|event| match &event.happening {
            Happening::Founded { name, .. } | Happening::Renamed { to: name, .. } => Some(name.as_str()),
            _ => None,
        });
        names.last()
    }

    /// The unit above it on a day; `None` before it was founded and for the top.
    #[must_use]
    pub fn parent_at(&self, id: UnitId, day: Date) -> Option<UnitId> {
        let until_then = self.history(id).filter(|event| event.on <= day);
        let parents = until_then.filter_map(|event| match event.happening {
            Happening::Founded { parent, .. } | Happening::Moved { to: parent, .. } => Some(parent),
            _ => None,
        });
        parents.last().flatten()
    }

    /// Living units that do its work now: itself, or those its successors lead to.
    #[must_use]
    pub fn heirs(&self, id: UnitId) -> Vec<UnitId> {
        let mut seen = vec![id];
        let mut heirs = Vec::new();
        let mut next = 0;
        while let Some(&unit) = seen.get(next) {
            next += 1;
            match self.units.get(&unit).map(|unit| &unit.state) {
                Some(UnitState::Active) => heirs.push(unit),
                Some(UnitState::Dissolved { successors, .. }) => {
                    let new = successors.iter().filter(|after| !seen.contains(after));
                    let new: Vec<UnitId> = new.copied().collect();
                    seen.extend(new);
                }
                None => {}
            }
        }
        heirs
    }

    /// From the unit to the top; ends after the deepest tree there may be.
    fn upward(&self, id: UnitId) -> impl Iterator<Item = UnitId> {
        let above = move |id: &UnitId| self.units.get(id).and_then(|unit| unit.parent);
        let first = self.units.contains_key(&id).then_some(id);
        std::iter::successors(first, above).take(LEVELS_MAX)
    }
}
