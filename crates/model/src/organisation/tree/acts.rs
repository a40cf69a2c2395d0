//! What changes the tree: founding, renaming, moving, merging, splitting, dissolving (AG Đ7.3d; LC Đ6.1; TN Đ8.1;
//! requirement B9).
//!
//! Invariant: an act happens whole, with its events, or leaves the tree as it was.

use super::super::{identifier, unit_name};
use super::{Event, Happening, KindId, LEVELS_MAX, NewUnit, Tree, TreeError, Unit, UnitCode, UnitState};
use crate::UnitId;
use jiff::civil::Date;

impl Tree {
    /// Thành lập mới.
    ///
    /// # Errors
    /// When id or code is taken, the kind is unknown or history, or it cannot stand there.
    pub fn add(&mut self, new: NewUnit, on: Date) -> Result<(), TreeError> {
        if self.units.contains_key(&new.id) {
            return Err(TreeError::Exists(new.id));
        }
        let kind = self.kinds.find(&new.kind).ok_or(TreeError::UnknownKind)?;
        if !kind.lives_on(on) {
            return Err(TreeError::HistoricalKind);
        }
        self.check_code(&new.code, new.id)?;
        self.check_place(new.id, &new.kind, new.parent, on)?;
        let name = unit_name(&new.name)?;
        let identifier = new.identifier.as_deref().map(identifier).transpose()?;
        let founded = Happening::Founded { name: name.clone(), code: new.code.clone(), parent: new.parent };
        let NewUnit { id, code, kind, parent, .. } = new;
        self.units.insert(id, Unit { id, code, name, kind, identifier, parent, state: UnitState::Active });
        self.record(id, on, founded);
        Ok(())
    }

    /// Đổi tên (AG Đ7.3d).
    ///
    /// # Errors
    /// When the unit does not live, or the name is the same or no name.
    pub fn rename(&mut self, id: UnitId, name: &str, on: Date) -> Result<(), TreeError> {
        let to = unit_name(name)?;
        let unit = self.alive_mut(id, on)?;
        if unit.name == to {
            return Err(TreeError::Unchanged);
        }
        let from = std::mem::replace(&mut unit.name, to.clone());
        self.record(id, on, Happening::Renamed { from, to });
        Ok(())
    }

    /// Another short code; the old one stays taken.
    ///
    /// # Errors
    /// When the unit does not live, or another unit has or had the code.
    pub fn recode(&mut self, id: UnitId, to: UnitCode, on: Date) -> Result<(), TreeError> {
        self.check_code(&to, id)?;
        let unit = self.alive_mut(id, on)?;
        if unit.code == to {
            return Err(TreeError::Unchanged);
        }
        let from = std::mem::replace(&mut unit.code, to.clone());
        self.record(id, on, Happening::Recoded { from, to });
        Ok(())
    }

    /// Another kind, as when a thị trấn becomes a phường.
    ///
    /// # Errors
    /// When the unit does not live, or the new kind does not fit above or below.
    pub fn convert(&mut self, id: UnitId, to: KindId, on: Date) -> Result<(), TreeError> {
        let kind = self.kinds.find(&to).ok_or(TreeError::UnknownKind)?;
        if !kind.lives_on(on) {
            return Err(TreeError::HistoricalKind);
        }
        let unit = self.alive(id, on)?;
        if unit.kind == to {
            return Err(TreeError::Unchanged);
        }
        let above = unit.parent.and_then(|parent| self.units.get(&parent));
        let fits_above = above.is_none_or(|above| self.kinds.fits(&to, &above.kind));
        if !fits_above || !self.children(id).all(|below| self.kinds.fits(&below.kind, &to)) {
            return Err(TreeError::KindThere);
        }
        let unit = self.alive_mut(id, on)?;
        let from = std::mem::replace(&mut unit.kind, to.clone());
        self.record(id, on, Happening::Converted { from, to });
        Ok(())
    }

    /// Under another unit, with everything below it.
    ///
    /// # Errors
    /// When either does not live, the place lies below the unit itself, is too deep, or is not for this kind.
    pub fn relocate(&mut self, id: UnitId, to: Option<UnitId>, on: Date) -> Result<(), TreeError> {
        let unit = self.alive(id, on)?;
        if unit.parent == to {
            return Err(TreeError::Unchanged);
        }
        self.check_place(id, &unit.kind, to, on)?;
        let unit = self.alive_mut(id, on)?;
        let from = std::mem::replace(&mut unit.parent, to);
        self.record(id, on, Happening::Moved { from, to });
        Ok(())
    }

    /// Sáp nhập: `sources` are dissolved into `into`, which gets the units below them.
    ///
    /// # Errors
    /// When one of them does not live, `into` is among or below the sources, or a unit does not fit under it.
    pub fn merge(&mut self, sources: &[UnitId], into: UnitId, on: Date) -> Result<(), TreeError> {
        if sources.is_empty() {
            return Err(TreeError::Unchanged);
        }
        let mut after = self.clone();
        after.alive(into, on)?;
        for &source in sources {
            after.alive(source, on)?;
            if after.is_within(into, source) {
                return Err(TreeError::Cycle(into));
            }
            for below in after.living_children(source) {
                after.relocate(below, Some(into), on)?;
            }
            after.end(source, vec![into], on)?;
            after.record(source, on, Happening::MergedInto(into));
            after.record(into, on, Happening::Absorbed(source));
        }
        *self = after;
        Ok(())
    }

    /// Chia tách: `parts` are founded out of `source`. `below` says where units below it go; where `keep` is false the
    /// source is dissolved, and everything below it must have gone.
    ///
    /// # Errors
    /// When the source does not live, a part cannot be founded, or units are left below a dissolved source.
    pub fn split(
        &mut self,
        source: UnitId,
        parts: Vec<NewUnit>,
        below: &[(UnitId, UnitId)],
        keep: bool,
        on: Date,
    ) -> Result<(), TreeError> {
        let ids: Vec<UnitId> = parts.iter().map(|part| part.id).collect();
        if ids.is_empty() {
            return Err(TreeError::Unchanged);
        }
        let mut after = self.clone();
        after.alive(source, on)?;
        for part in parts {
            let id = part.id;
            after.add(part, on)?;
            after.record(id, on, Happening::SplitFrom(source));
        }
        for &(unit, to) in below {
            after.relocate(unit, Some(to), on)?;
        }
        if !keep {
            after.end(source, ids.clone(), on)?;
        }
        after.record(source, on, Happening::SplitInto(ids));
        *self = after;
        Ok(())
    }

    /// Giải thể.
    ///
    /// # Errors
    /// When it does not live or still has units below it.
    pub fn dissolve(&mut self, id: UnitId, on: Date) -> Result<(), TreeError> {
        self.end(id, Vec::new(), on)?;
        self.record(id, on, Happening::Dissolved);
        Ok(())
    }

    fn end(&mut self, id: UnitId, successors: Vec<UnitId>, on: Date) -> Result<(), TreeError> {
        self.alive(id, on)?;
        if !self.living_children(id).is_empty() {
            return Err(TreeError::HasChildren(id));
        }
        self.alive_mut(id, on)?.state = UnitState::Dissolved { on, successors };
        Ok(())
    }

    fn living_children(&self, id: UnitId) -> Vec<UnitId> {
        let living = self.children(id).filter(|unit| unit.state == UnitState::Active);
        living.map(|unit| unit.id).collect()
    }

    fn alive(&self, id: UnitId, on: Date) -> Result<&Unit, TreeError> {
        let unit = self.units.get(&id).ok_or(TreeError::Unknown(id))?;
        if unit.state != UnitState::Active {
            return Err(TreeError::Dissolved(id));
        }
        if self.history(id).any(|event| event.on > on) {
            return Err(TreeError::BeforeRecorded(id));
        }
        Ok(unit)
    }

    fn alive_mut(&mut self, id: UnitId, on: Date) -> Result<&mut Unit, TreeError> {
        self.alive(id, on)?;
        self.units.get_mut(&id).ok_or(TreeError::Unknown(id))
    }

    /// A code that another unit has or had would lead its mail astray.
    fn check_code(&self, code: &UnitCode, of: UnitId) -> Result<(), TreeError> {
        let now = self.units.values().find(|unit| unit.code == *code).map(|unit| unit.id);
        let once = self.events.iter().find_map(|event| match &event.happening {
            Happening::Recoded { from, .. } if from == code && event.unit != of => Some(event.unit),
            _ => None,
        });
        match now.filter(|unit| *unit != of).or(once) {
            Some(other) => Err(TreeError::CodeTaken(other)),
            None => Ok(()),
        }
    }

    fn check_place(
        &self,
        id: UnitId,
        kind: &KindId,
        parent: Option<UnitId>,
        on: Date,
    ) -> Result<(), TreeError> {
        let Some(above) = parent else { return Ok(()) };
        let above = self.alive(above, on)?;
        if !self.kinds.fits(kind, &above.kind) {
            return Err(TreeError::KindThere);
        }
        self.check_above(id, parent)?;
        if self.path(above.id).len() + self.height(id) > LEVELS_MAX {
            return Err(TreeError::TooDeep);
        }
        Ok(())
    }

    /// Everything above must exist, and the unit itself may not be among it.
    pub(super) fn check_above(&self, id: UnitId, parent: Option<UnitId>) -> Result<(), TreeError> {
        let mut above = parent;
        for _ in 0..=LEVELS_MAX {
            match above {
                None => return Ok(()),
                Some(here) if here == id => return Err(TreeError::Cycle(id)),
                Some(here) => above = self.units.get(&here).ok_or(TreeError::Unknown(here))?.parent,
            }
        }
        Err(TreeError::TooDeep)
    }

    /// Levels from the unit to its lowest descendant, itself included; 1 for one that is to be founded.
    fn height(&self, id: UnitId) -> usize {
        let level = self.path(id).len();
        let lowest = self.subtree(id).into_iter().map(|below| self.path(below).len()).max();
        lowest.map_or(1, |lowest| lowest - level + 1)
    }

    fn record(&mut self, unit: UnitId, on: Date, happening: Happening) {
        self.events.push(Event { unit, on, happening });
    }
}
