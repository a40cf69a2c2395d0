//! What becomes of each row of a list: decided in memory, against one look at everything that is there.
//!
//! Invariants: the same list on the same state gives the same plan; rows are decided in the order in which the regulation
//! serves them; a row with a fault takes nothing from the others.

use super::facts::Facts;
use super::import::Secret;
use super::known::{check_same_unit, told};
use super::list::{Column, IMPORT_ROWS_MAX, Import, ImportRow, Issued, RowFault, RowPlan};
use super::one::parsed;
use super::taken::Applicant;
use super::{GrantError, check_birth_year, class_with};
use crate::admin::{check_address, check_name};
use crate::organisation::{Held, position};
use crate::quota::check_own;
use crate::{AdminError, passwords};
use jiff::civil::Date;
use model::naming::{Applicant as Turn, PersonName, Proposals};
use model::{Address, MailboxClass, Position, Tree, UnitId};
use std::collections::HashSet;
use store::{PasswordSubject, PersonRow, Reach};

/// A row that can become a mailbox.
pub(super) struct Planned<'i> {
    pub(super) row: &'i ImportRow,
    /// As it is kept: NFC, single spaces.
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) is_reused: bool,
    /// Id of the rule and why, where one made the address.
    made_by: Option<(String, String)>,
    pub(super) class: MailboxClass,
    pub(super) quota_bytes: u64,
    pub(super) unit: Option<UnitId>,
    pub(super) position: Option<Position>,
    pub(super) known: Option<PersonRow>,
    dropped: Vec<String>,
    warning: Option<String>,
}

/// A list, decided.
pub(super) struct Plan<'i> {
    /// In the order of the list: addresses were chosen in that in which they are granted.
    pub(super) rows: Vec<Planned<'i>>,
    pub(super) faults: Vec<RowFault>,
}

/// What is wrong with a row, by cell.
type Faults = Vec<(Column, String)>;

impl Planned<'_> {
    pub(super) fn is_person(&self) -> bool {
        matches!(self.class, MailboxClass::Person | MailboxClass::Leader)
    }

    pub(super) fn rule(&self) -> Option<&str> {
        self.made_by.as_ref().map(|(id, _)| id.as_str())
    }

    pub(super) fn shown(&self, tree: &Tree) -> RowPlan {
        let (rule, reason) = self.made_by.clone().unzip();
        let unit = self.unit.and_then(|unit| tree.unit(unit));
        RowPlan {
            row: self.row.number,
            name: self.name.clone(),
            address: self.address.to_string(),
            unit: unit.map(|unit| (unit.code.to_string(), unit.name.clone())),
            position: self.position.as_ref().map(|position| position.title.clone()),
            class: self.class,
            quota_bytes: self.quota_bytes,
            rule,
            reason,
            dropped: self.dropped.clone(),
            warning: self.warning.clone(),
        }
    }

    /// What whoever handed the list in should look at.
    pub(super) fn doubt(&self) -> Option<RowFault> {
        let what = self.warning.clone()?;
        Some(RowFault { row: self.row.number, column: Column::Name, what })
    }

    pub(super) fn issued(&self, secret: &Secret, tree: &Tree) -> Issued {
        Issued {
            row: self.row.number,
            unit: self.unit.and_then(|unit| tree.unit(unit)).map(|unit| unit.name.clone()),
            name: self.name.clone(),
            address: self.address.to_string(),
            one_time_password: secret.one_time.clone(),
        }
    }
}

pub(super) async fn plan<'i>(
    held: &mut Held,
    import: &'i Import,
    done: &HashSet<u32>,
    (reach, today): (&Reach, Date),
) -> Result<Plan<'i>, AdminError> {
    if import.rows.len() > IMPORT_ROWS_MAX {
        return Err(GrantError::TooManyRows.into());
    }
    let fresh: Vec<&ImportRow> = import.rows.iter().filter(|row| !done.contains(&row.number)).collect();
    let mut facts = Facts::load(held, &fresh, reach).await?;
    let mut plan = Plan { rows: Vec::with_capacity(fresh.len()), faults: Vec::new() };
    let everywhere = held.reaches(reach, None);
    for turn in turns(&facts, &fresh, today) {
        let Some(row) = fresh.get(turn) else { continue };
        match decide(held, &mut facts, row, (everywhere, today)) {
            Ok(planned) => plan.rows.push(planned),
            Err(faults) => {
                let told = |(column, what)| RowFault { row: row.number, column, what };
                plan.faults.extend(faults.into_iter().map(told));
            }
        }
    }
    plan.rows.sort_by_key(|planned| planned.row.number);
    plan.faults.sort_by_key(|fault| (fault.row, fault.column));
    Ok(plan)
}

/// Rows of one list are requests of one day: leaders by rank go first where the regulation says so (ST Đ3.4b).
fn turns(facts: &Facts, rows: &[&ImportRow], day: Date) -> Vec<usize> {
    let rank = |row: &ImportRow| {
        let title = row.position.as_deref()?;
        let held: &Position = position(&facts.positions, title).ok()?;
        held.leader.then(|| u8::try_from(held.rank).unwrap_or(u8::MAX))
    };
    let asked = rows.iter().map(|row| Turn { day, rank: rank(row), number: u64::from(row.number) });
    facts.people.same_day.turns(&asked.collect::<Vec<_>>())
}

fn decide<'i>(
    held: &Held,
    facts: &mut Facts,
    row: &'i ImportRow,
    (everywhere, today): (bool, Date),
) -> Result<Planned<'i>, Faults> {
    let mut faults = row.faults.clone();
    let mut note = |column, error: AdminError| faults.push((column, error.to_string()));
    let name = model::unit_name(&row.name).unwrap_or_default();
    if let Err(error) = check_name(&name) {
        note(Column::Name, error);
    }
    let unit = match row.unit.as_deref().map(|unit| facts.unit(unit)).transpose() {
        Ok(unit) => unit,
        Err(error) => {
            note(Column::Unit, error);
            None
        }
    };
    let held_position =
        match row.position.as_deref().map(|title| position(&facts.positions, title)).transpose() {
            Ok(position) => position.cloned(),
            Err(error) => {
                note(Column::Position, error);
                None
            }
        };
    let class = class_with(
        row.class.unwrap_or(MailboxClass::Person),
        held_position.as_ref().is_some_and(|position| position.leader),
    );
    let is_person = matches!(class, MailboxClass::Person | MailboxClass::Leader);
    faults.extend(check_cells(held, row, class, today));
    if let (Some(title), None, true) = (&row.position, &row.unit, is_person) {
        faults.push((Column::Position, GrantError::PositionOfNoUnit(title.clone()).to_string()));
    }
    if row.unit.is_none() && !everywhere {
        faults.push((Column::Unit, GrantError::OwnUnit.to_string()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let known = match is_person {
        true => known(held, facts, (&name, unit), row)?,
        false => None,
    };
    let mut planned = Planned {
        quota_bytes: row.quota_bytes.unwrap_or(held.policy.quota_bytes(class)),
        position: held_position,
        row,
        name,
        // Stands until the next step says which.
        address: Address::new("postmaster", held.name.as_str()).map_err(|_| Vec::new())?,
        is_reused: false,
        made_by: None,
        class,
        unit,
        warning: warning(held, facts, row).filter(|_| is_person && known.is_none()),
        known,
        dropped: Vec::new(),
    };
    address(held, facts, &mut planned, today)?;
    check_password(held, &planned).map_err(|what| vec![(Column::Password, what)])?;
    facts.taken.take(planned.address.local());
    if planned.class == MailboxClass::Organisation {
        facts.give_unit(planned.unit, planned.address.to_string());
    }
    facts.remember(&planned.name, row, unit, is_person);
    Ok(planned)
}

/// What of a row is not for a mailbox of this class.
fn check_cells(held: &Held, row: &ImportRow, class: MailboxClass, today: Date) -> Faults {
    let is_person = matches!(class, MailboxClass::Person | MailboxClass::Leader);
    let of_people = row.position.is_some() || row.birth_year.is_some();
    let checks = [
        (Column::BirthYear, check_birth_year(row.birth_year, today.year())),
        (Column::Class, if is_person || !of_people { Ok(()) } else { Err(GrantError::NotAPerson.into()) }),
        (Column::Quota, check_own(&held.policy, class, row.quota_bytes)),
    ];
    checks.into_iter().filter_map(|(column, check)| Some((column, check.err()?.to_string()))).collect()
}

/// Somebody who is known already, and belongs to no other unit.
fn known(
    held: &Held,
    facts: &Facts,
    (name, unit): (&str, Option<UnitId>),
    row: &ImportRow,
) -> Result<Option<PersonRow>, Faults> {
    let known = facts.known(name, row, unit).map_err(|what| vec![(Column::Name, what)])?;
    if let (Some(known), Some(unit)) = (&known, unit) {
        check_same_unit(held, known, unit).map_err(|error| vec![(Column::Unit, error.to_string())])?;
    }
    Ok(known)
}

/// A row makes another person of a name that somebody has already.
fn warning(held: &Held, facts: &Facts, row: &ImportRow) -> Option<String> {
    let name = model::unit_name(&row.name).ok()?;
    let people = facts.namesakes(&name, row);
    let who = (!people.is_empty()).then(|| told(held, &people))?;
    Some(format!("another person is made; somebody of this name is known: {who}"))
}

/// A password that the list gives obeys the policy like any other.
fn check_password(held: &Held, planned: &Planned<'_>) -> Result<(), String> {
    let Some(password) = &planned.row.password else { return Ok(()) };
    let subject = PasswordSubject {
        names: vec![planned.name.clone()],
        addresses: vec![planned.address.to_string()],
        units: planned.row.unit.iter().cloned().collect(),
        birth_year: planned.row.birth_year,
        ..PasswordSubject::default()
    };
    let flaws = passwords::flaws(password, &subject, false, &passwords::rules(&held.policy));
    if flaws.is_empty() { Ok(()) } else { Err(passwords::english(&flaws)) }
}

/// The address that the list says, or the first free one of the scheme.
fn address(held: &Held, facts: &Facts, planned: &mut Planned<'_>, today: Date) -> Result<(), Faults> {
    if planned.class == MailboxClass::Organisation {
        facts.check_unit(held, planned.unit).map_err(|what| vec![(Column::Unit, what)])?;
    }
    let applicant =
        Applicant { person: planned.known.as_ref().map(|known| known.person), today, account: None };
    if let Some(text) = &planned.row.address {
        planned.address =
            given(held, facts, text, applicant).map_err(|what| vec![(Column::Address, what)])?;
        planned.is_reused = facts.taken.is_reused(planned.address.local());
    } else {
        let (address, reused, made_by) = made(held, facts, planned, applicant)?;
        (planned.address, planned.is_reused, planned.made_by) = (address, reused, Some(made_by));
    }
    Ok(())
}

fn given(held: &Held, facts: &Facts, text: &str, applicant: Applicant) -> Result<Address, String> {
    let text = if text.contains('@') { text.to_owned() } else { format!("{text}@{}", held.name) };
    let address: Address = text.parse().map_err(|error: model::AddressError| format!("{text:?}: {error}"))?;
    check_address(&address).map_err(|error| error.to_string())?;
    if *address.domain() != held.name {
        return Err(format!("{address} is not of the domain {}", held.name));
    }
    match facts.taken.is_taken(address.local(), applicant) {
        true => Err(format!("{address} is taken, or was once somebody's")),
        false => Ok(address),
    }
}

type Made = (Address, bool, (String, String));

fn made(held: &Held, facts: &Facts, planned: &mut Planned<'_>, applicant: Applicant) -> Result<Made, Faults> {
    let by_name = |error: GrantError| vec![(Column::Name, error.to_string())];
    match planned.class {
        MailboxClass::Service => Err(vec![(Column::Address, GrantError::Service.to_string())]),
        MailboxClass::Organisation => {
            let subject = planned.unit.and_then(|unit| held.tree.subject(unit, |id| facts.local(id)));
            let Some(subject) = subject else {
                return Err(vec![(Column::Unit, GrantError::NeedsUnit.to_string())]);
            };
            let subject = subject.map_err(|error| by_name(GrantError::Name(planned.name.clone(), error)))?;
            let unit = subject.unit();
            choose(held, facts, planned, (facts.units.propose(&unit), applicant))
        }
        MailboxClass::Person | MailboxClass::Leader => {
            let code = planned.unit.and_then(|unit| held.tree.code_of_people(unit));
            if code.is_none() && facts.people.needs_unit() {
                return Err(vec![(Column::Unit, GrantError::NeedsUnit.to_string())]);
            }
            let name = PersonName::parse(&planned.name)
                .map_err(|error| by_name(GrantError::Name(planned.name.clone(), error)))?;
            planned.dropped = name.dropped().to_vec();
            let proposals = facts.people.propose(&name, code.map(model::UnitCode::as_str));
            choose(held, facts, planned, (proposals, applicant))
        }
    }
}

fn choose(
    held: &Held,
    facts: &Facts,
    planned: &Planned<'_>,
    (proposals, applicant): (Proposals<'_>, Applicant),
) -> Result<Made, Faults> {
    let by_name = |what: String| vec![(Column::Name, what)];
    let choice = facts.taken.choose(proposals, applicant);
    let choice =
        choice.map_err(|why| by_name(GrantError::NoChoice(planned.name.clone(), why).to_string()))?;
    let local = choice.proposal.local.as_str();
    let address = parsed(local, &held.name).map_err(|error| by_name(error.to_string()))?;
    let rule = choice.proposal.rule;
    let reason = format!("{} ({})", rule.text, rule.source);
    Ok((address, facts.taken.is_reused(local), (rule.id.clone(), reason)))
}
