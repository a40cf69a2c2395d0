//! What a list is decided against: addresses, units, positions and people as they are, and as the rows before leave them.
//!
//! Invariant: loaded by a handful of statements however long the list is; never written.

use super::import::all_taken;
use super::known::maybe_born;
use super::list::ImportRow;
use super::person_scheme;
use super::taken::Taken;
use crate::AdminError;
use crate::organisation::{Held, unit_scheme};
use model::naming::{PersonScheme, UnitScheme};
use model::{Position, UnitId, UnitState};
use std::collections::HashMap;
use store::{PersonRow, Reach};

/// A name as it is compared, and the unit.
type Place = (String, Option<UnitId>);

pub(super) struct Facts {
    pub(super) people: PersonScheme,
    pub(super) units: UnitScheme,
    pub(super) positions: Vec<Position>,
    pub(super) taken: Taken,
    by_code: HashMap<String, UnitId>,
    /// `None`: several units bear the name.
    by_name: HashMap<String, Option<UnitId>>,
    /// Own addresses of units: local part and all.
    addresses: HashMap<UnitId, String>,
    named: HashMap<String, Vec<PersonRow>>,
    one_per_person: bool,
    article: String,
    /// Rows decided before, with the year of birth.
    seen: HashMap<Place, Vec<(u32, Option<i16>)>>,
}

fn folded(text: &str) -> String {
    model::unit_name(text).unwrap_or_default().to_lowercase()
}

impl Facts {
    /// What is out of reach is not there: units and people. (Which addresses are free, whoever writes to one learns.)
    pub(super) async fn load(
        held: &mut Held,
        rows: &[&ImportRow],
        reach: &Reach,
    ) -> Result<Self, AdminError> {
        let names: Vec<String> = rows.iter().filter_map(|row| model::unit_name(&row.name).ok()).collect();
        let mut named: HashMap<String, Vec<PersonRow>> = HashMap::new();
        let mut people = held.tx.people_named(held.domain, &names).await?;
        people.retain(|person| held.reaches(reach, person.unit));
        for person in people {
            named.entry(folded(&person.full_name)).or_default().push(person);
        }
        let living = held.tree.units().filter(|unit| unit.state == UnitState::Active);
        let living = living.filter(|unit| held.reaches(reach, Some(unit.id)));
        let mut by_code = HashMap::new();
        let mut by_name: HashMap<String, Option<UnitId>> = HashMap::new();
        for unit in living {
            by_code.insert(unit.code.to_string(), unit.id);
            by_name.entry(folded(&unit.name)).and_modify(|only| *only = None).or_insert(Some(unit.id));
        }
        Ok(Self {
            people: person_scheme(&held.policy),
            units: unit_scheme(&held.policy),
            positions: held.tx.positions(held.domain).await?,
            taken: all_taken(held).await?,
            by_code,
            by_name,
            addresses: held.tx.unit_addresses(held.domain).await?.into_iter().collect(),
            named,
            one_per_person: held.policy.naming.one_per_person,
            article: held.policy.profile.article("naming.one_per_person"),
            seen: HashMap::new(),
        })
    }

    /// By code, or by the full name where one unit alone has it.
    pub(super) fn unit(&self, text: &str) -> Result<UnitId, AdminError> {
        if let Some(unit) = self.by_code.get(&text.trim().to_ascii_lowercase()) {
            return Ok(*unit);
        }
        match self.by_name.get(&folded(text)) {
            Some(Some(unit)) => Ok(*unit),
            Some(None) => Err(super::GrantError::SeveralUnits(text.to_owned()).into()),
            None => Err(AdminError::NoSuchUnit(text.to_owned())),
        }
    }

    /// What stands before the @ in a unit's own address.
    pub(super) fn local(&self, unit: UnitId) -> Option<String> {
        let (local, _) = self.addresses.get(&unit)?.rsplit_once('@')?;
        Some(local.to_owned())
    }

    /// May the unit have one more organisation mailbox?
    pub(super) fn check_unit(&self, held: &Held, unit: Option<UnitId>) -> Result<(), String> {
        let Some(unit) = unit else { return Ok(()) };
        if let Some(address) = self.addresses.get(&unit)
            && held.policy.naming.one_per_organisation
        {
            let error = super::GrantError::OnePerOrganisation {
                unit: held.code(unit),
                address: address.clone(),
                article: held.policy.profile.article("naming.one_per_organisation"),
            };
            return Err(error.to_string());
        }
        Ok(())
    }

    /// Whom a row means: somebody who is known, or nobody yet. People of one name are told apart by the year of birth, or by
    /// being in different units.
    pub(super) fn known(
        &self,
        name: &str,
        row: &ImportRow,
        unit: Option<UnitId>,
    ) -> Result<Option<PersonRow>, String> {
        let maybe = |year: Option<i16>| maybe_born(row.birth_year, year);
        let certainly = |year: Option<i16>| row.birth_year.is_some() && row.birth_year == year;
        let place = (name.to_lowercase(), unit);
        for (earlier, year) in self.seen.get(&place).into_iter().flatten() {
            if certainly(*year) {
                return Err(format!("the same person stands in row {earlier}"));
            }
            if unit.is_some() && maybe(*year) {
                return Err(format!(
                    "row {earlier} has the same name in the same unit: give both years of birth, or leave one out"
                ));
            }
        }
        let known = self.named.get(&name.to_lowercase()).map(Vec::as_slice).unwrap_or_default();
        if let Some(same) = known.iter().find(|known| certainly(known.birth_year)) {
            return match same.addresses.first() {
                Some(address) if self.one_per_person => Err(super::GrantError::OnePerPerson {
                    name: same.full_name.clone(),
                    address: address.clone(),
                    article: self.article.clone(),
                }
                .to_string()),
                _ => Ok(Some(same.clone())),
            };
        }
        let here = known.iter().find(|known| unit.is_some() && known.unit == unit && maybe(known.birth_year));
        match here.map(|here| (here, here.addresses.first())) {
            None => Ok(None),
            Some((here, None)) => Ok(Some(here.clone())),
            Some((_, Some(address))) => Err(format!(
                "somebody of this name in this unit has {address}: if this is another person, give the year of birth of both"
            )),
        }
    }

    /// Those of this name who may be meant.
    pub(super) fn namesakes(&self, name: &str, row: &ImportRow) -> Vec<&PersonRow> {
        let known = self.named.get(&name.to_lowercase()).map(Vec::as_slice).unwrap_or_default();
        known.iter().filter(|known| maybe_born(row.birth_year, known.birth_year)).collect()
    }

    pub(super) fn remember(&mut self, name: &str, row: &ImportRow, unit: Option<UnitId>, is_person: bool) {
        if is_person {
            let place = (name.to_lowercase(), unit);
            self.seen.entry(place).or_default().push((row.number, row.birth_year));
        }
    }

    /// The unit has this address from now on.
    pub(super) fn give_unit(&mut self, unit: Option<UnitId>, address: String) {
        if let Some(unit) = unit {
            self.addresses.entry(unit).or_insert(address);
        }
    }
}
