//! The organisation tree (cơ cấu tổ chức) of a domain: founding units, and everything that happens to them afterwards
//! (AG Đ7.3d; LC Đ6.1; TN Đ8.1; requirement A2, and B9 as far as units and their people go).
//!
//! Invariants: an act is decided by `model::Tree` and `model::Register` on what was read under the organisation's lock, and
//! written by set in one transaction with its audit row; a preview goes the same way and is not committed. A unit's mailboxes
//! and people never belong to a unit that is dissolved.

mod acts;
mod forwards_ended;
mod heirs;
mod linking;
mod people;
mod transfers;
mod view;

pub use acts::{UnitAct, UnitChange};
pub(crate) use heirs::refuse_dissolved;
pub use heirs::{Below, FurtherOffice, OpenHanded, Post};
pub(crate) use linking::Entry;
pub use linking::{LinkPerson, Linked, Owner};
pub(crate) use people::position;
pub use people::{ClassChange, NewAppointment, PersonDetail, classes_as_json};
pub use transfers::{MoveOptions, PersonMove, PersonMoved, Positions, forwards_as_json};
pub use view::{UnitDetail, UnitEvent};

use crate::admin::{check_name, place};
use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use model::naming::{Reserved, UnitScheme};
use model::{
    Action, Address, DomainId, DomainName, Happening, KindId, Kinds, PeopleError, Policy, TextError, Tree,
    TreeError, Unit, UnitCode, UnitId, UnitKind, UnitState,
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use store::{Reach, Tx};

/// An organisation (đơn vị) that is to be founded.
#[derive(Clone, Debug)]
pub struct NewUnit {
    pub domain: DomainName,
    /// `None`: the first free one of the domain's scheme.
    pub code: Option<String>,
    pub name: String,
    /// Id or Vietnamese word of its kind.
    pub kind: String,
    /// Mã định danh.
    pub identifier: Option<String>,
    /// Code of the unit above it.
    pub parent: Option<String>,
    /// The day of its founding; `None`: today.
    pub on: Option<Date>,
}

/// How a unit is founded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Founding {
    /// There is one of this name at the same place, and this is another.
    pub another_unit: bool,
    /// Says what would be founded, and founds nothing.
    pub dry_run: bool,
}

/// A founded unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitAdded {
    pub code: UnitCode,
    /// The rule that made the code, with the article; `None`: it was given.
    pub rule: Option<String>,
}

/// Why an act on the organisation did not take place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrganisationError {
    /// With codes in place of numbers.
    #[error("{0}")]
    Tree(String),
    #[error("there is no kind of unit {0:?}; the kinds are {1}")]
    NoSuchKind(String, String),
    #[error("{0:?} is not a code: letters a-z and digits, with . or - between them, 40 at most")]
    BadCode(String),
    #[error("no code can be made of this name ({0}); give one with --code")]
    NoCode(String),
    #[error(
        "{unit} still has {people} people and {mailboxes} mailboxes: move them first, or merge it into another unit"
    )]
    InUse { unit: String, people: usize, mailboxes: u64 },
    #[error(
        "{name} is here already, with the code {code}; if this is another unit of the same name, say so with --another-unit"
    )]
    MaybeThere { name: String, code: String },
    #[error("unit {unit} is dissolved{}", heirs::followed_by(.heirs))]
    Dissolved { unit: String, heirs: Vec<String> },
    #[error("there is no person {0}")]
    NoSuchPerson(i64),
    #[error(
        "{0} is the mailbox of no person: an organisation's, a service's, or made without saying whose it is; if it is somebody's: \
         congthu person link {domain} {0} --unit CODE", domain = .0.domain()
    )]
    NobodysMailbox(Address),
    #[error(
        "{address} is the mailbox of {name} (person {person}) already, of unit {unit}; to another unit: congthu person transfer"
    )]
    SomebodysMailbox { address: Address, name: String, person: i64, unit: String },
    #[error("{0} is a mailbox of class {1}, and only one of class person or leader is somebody's own")]
    NotPersonal(Address, &'static str),
    #[error("{0} is in no unit: say with --unit CODE where its person belongs")]
    LinkNeedsUnit(Address),
    #[error("{0} is a mailbox of another domain")]
    ElsewhereMailbox(Address),
    #[error("there is no position {0:?}; the positions are {1}")]
    NoSuchPosition(String, String),
    #[error("a rank is 1 to 255, 1 the highest")]
    BadRank,
    #[error("{0} has not come yet: an act takes effect at once, so record it on its day")]
    FutureDay(Date),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Text(#[from] TextError),
}

/// A domain's organisation, held against others until the transaction ends.
pub(crate) struct Held {
    pub(crate) domain: DomainId,
    pub(crate) name: DomainName,
    pub(crate) policy: Arc<Policy>,
    pub(crate) tx: Tx,
    pub(crate) tree: Tree,
    pub(crate) units_by_code: HashMap<String, UnitId>,
}

impl Held {
    /// The living or dissolved unit of this code.
    pub(crate) fn unit(&self, code: &str) -> Result<UnitId, AdminError> {
        let found = self.units_by_code.get(&code.trim().to_ascii_lowercase());
        found.copied().ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))
    }

    /// The unit of this code, unless it is dissolved.
    pub(crate) fn living_unit(&self, code: &str) -> Result<UnitId, AdminError> {
        let id = self.unit(code)?;
        match self.tree.unit(id).map(|unit| &unit.state) {
            Some(UnitState::Active) => Ok(id),
            _ => Err(self.tree_error(&TreeError::Dissolved(id))),
        }
    }

    /// Is somebody of this unit, or of none, within the reach?
    pub(crate) fn reaches(&self, reach: &Reach, unit: Option<UnitId>) -> bool {
        let above = unit.map(|unit| self.tree.path(unit)).unwrap_or_default();
        reach.everything
            || reach.domains.contains(&self.domain.0)
            || above.iter().any(|unit| reach.subtree_units.contains(&unit.0))
    }

    pub(crate) fn code(&self, id: UnitId) -> String {
        self.tree.unit(id).map_or_else(|| id.to_string(), |unit| unit.code.to_string())
    }

    /// Says the codes of units, whose numbers nobody knows.
    pub(crate) fn tree_error(&self, error: &TreeError) -> AdminError {
        let text = error.to_string();
        let id = match error {
            TreeError::Unknown(id)
            | TreeError::Dissolved(id)
            | TreeError::Exists(id)
            | TreeError::CodeTaken(id)
            | TreeError::Cycle(id)
            | TreeError::HasChildren(id)
            | TreeError::BeforeRecorded(id) => *id,
            _ => return OrganisationError::Tree(text).into(),
        };
        let text = text.replace(&format!("unit {id}"), &format!("unit {}", self.code(id)));
        OrganisationError::Tree(text).into()
    }

    /// What stands before the @ in the units' own addresses.
    pub(crate) async fn unit_locals(&mut self) -> Result<HashMap<UnitId, String>, AdminError> {
        let addresses = self.tx.unit_addresses(self.domain).await?;
        let local = |(unit, address): (UnitId, String)| {
            let (local, _) = address.rsplit_once('@')?;
            Some((unit, local.to_owned()))
        };
        Ok(addresses.into_iter().filter_map(local).collect())
    }
}

impl Engine {
    /// The day it is where the province is.
    pub(crate) fn today(&self) -> Date {
        model::calendar::local_date(self.now())
    }

    /// The day from which an act holds; `None`: today.
    pub(crate) fn effective_day(&self, on: Option<Date>) -> Result<Date, AdminError> {
        let today = self.today();
        let on = on.unwrap_or(today);
        if on > today { Err(OrganisationError::FutureDay(on).into()) } else { Ok(on) }
    }

    /// Until the transaction ends nobody else changes the organisation of the domain, or grants addresses made from names.
    pub(crate) async fn hold_organisation(&self, name: &DomainName) -> Result<Held, AdminError> {
        let domain = self.domain_id(name).await?;
        let policy = self.policy_of(domain).await?;
        let mut tx = self.0.store.begin().await?;
        if tx.lock_organisation(domain).await?.is_none() {
            return Err(AdminError::NoSuchDomain(name.clone()));
        }
        let tree = tx.tree(domain).await?;
        let units_by_code = tree.units().map(|unit| (unit.code.to_string(), unit.id)).collect();
        Ok(Held { domain, name: name.clone(), policy, tx, tree, units_by_code })
    }

    /// Thành lập, or what that would do. The code is the scheme's proposal where none is given.
    ///
    /// # Errors
    /// See [`OrganisationError`]; `NoSuchDomain`, `NoSuchUnit` (the parent), `UnitExists`.
    pub async fn add_unit(
        &self,
        actor: &Actor,
        new: &NewUnit,
        how: Founding,
    ) -> Result<UnitAdded, AdminError> {
        for text in
            [Some(&new.name), Some(&new.kind), new.code.as_ref(), new.parent.as_ref()].into_iter().flatten()
        {
            check_name(text)?;
        }
        let action = if how.dry_run { Action::ChangePreview } else { Action::UnitAdd };
        self.authorize(actor, action, &place(&new.domain, new.parent.as_deref())?).await?;
        let mut held = self.hold_organisation(&new.domain).await?;
        if !how.another_unit {
            check_namesakes(&held, new)?;
        }
        let on = self.effective_day(new.on)?;
        let (unit, added) = self.found(&mut held, new, on).await?;
        let before = held.tree.events().len();
        if let Err(error) = held.tree.add(unit, on) {
            return Err(match error {
                TreeError::CodeTaken(_) => AdminError::UnitExists,
                error => held.tree_error(&error),
            });
        }
        self.save_tree(&mut held, before).await?;
        if how.dry_run {
            return Ok(added);
        }
        let detail =
            json!({ "name": new.name, "kind": new.kind, "parent": new.parent, "on": on, "rule": added.rule });
        let target = AuditKind::Unit.within(&new.domain, &added.code);
        self.audit(&mut held.tx, actor, "unit.add", &target, &detail).await?;
        held.tx.commit().await?;
        Ok(added)
    }

    /// The unit as the tree takes it, with a number of its own.
    pub(crate) async fn found(
        &self,
        held: &mut Held,
        new: &NewUnit,
        on: Date,
    ) -> Result<(model::NewUnit, UnitAdded), AdminError> {
        let kind = kind_of(held.tree.kinds(), &new.kind, on)?;
        let parent = new.parent.as_deref().map(|code| held.living_unit(code)).transpose()?;
        let added = match &new.code {
            Some(code) => {
                let code =
                    UnitCode::new(code.trim()).map_err(|_| OrganisationError::BadCode(code.clone()))?;
                UnitAdded { code, rule: None }
            }
            None => {
                let locals = held.unit_locals().await?;
                propose_code(held, &new.name, &kind, parent, &locals)?
            }
        };
        let id = held.tx.new_unit_ids(1).await?.first().copied().ok_or(Error::Unavailable)?;
        let unit = model::NewUnit {
            id,
            code: added.code.clone(),
            name: new.name.clone(),
            kind,
            identifier: new.identifier.clone(),
            parent,
        };
        Ok((unit, added))
    }

    /// Writes the units that have events from `before` on, and these.
    pub(crate) async fn save_tree(&self, held: &mut Held, before: usize) -> Result<(), AdminError> {
        let events = held.tree.events().get(before..).unwrap_or_default();
        let touched: BTreeMap<UnitId, &Unit> =
            events.iter().filter_map(|event| Some((event.unit, held.tree.unit(event.unit)?))).collect();
        let units: Vec<&Unit> = touched.into_values().collect();
        Ok(held.tx.save_units(held.domain, &units, events, self.now()).await?)
    }

    /// Kinds of units that a domain knows.
    ///
    /// # Errors
    /// `NoSuchDomain`.
    pub async fn kinds(&self, actor: &Actor, domain: &DomainName) -> Result<Vec<UnitKind>, AdminError> {
        self.authorize(actor, Action::UnitList, &AdminTarget::Domain(domain)).await?;
        let id = self.domain_id(domain).await?;
        Ok(self.0.store.tree(id).await?.kinds().iter().cloned().collect())
    }

    /// Adds a kind (loại đơn vị), or changes what it means from now on: reforms make new ones.
    ///
    /// # Errors
    /// `NoSuchDomain`, or when it has no label.
    pub async fn put_kind(
        &self,
        actor: &Actor,
        domain: &DomainName,
        kind: &UnitKind,
    ) -> Result<(), AdminError> {
        self.authorize(actor, Action::UnitImport, &AdminTarget::Domain(domain)).await?;
        let label = model::unit_name(&kind.label).map_err(OrganisationError::from)?;
        UnitCode::new(kind.id.as_str())
            .map_err(|_| OrganisationError::BadCode(kind.id.as_str().to_owned()))?;
        let kind = UnitKind { label, ..kind.clone() };
        let mut held = self.hold_organisation(domain).await?;
        held.tx.put_kind(held.domain, &kind).await?;
        let detail = json!({ "label": kind.label, "tier": kind.tier, "ended": kind.ended });
        let target = AuditKind::UnitKind.within(domain, kind.id.as_str());
        self.audit(&mut held.tx, actor, "unit.kind", &target, &detail).await?;
        Ok(held.tx.commit().await?)
    }
}

/// The same name twice under one unit is mostly the same unit, founded once more by mistake.
fn check_namesakes(held: &Held, new: &NewUnit) -> Result<(), AdminError> {
    let parent = new.parent.as_deref().map(|code| held.living_unit(code)).transpose()?;
    let name = model::unit_name(&new.name).map_err(OrganisationError::from)?.to_lowercase();
    let is_namesake = |unit: &&Unit| {
        unit.state == UnitState::Active && unit.parent == parent && unit.name.to_lowercase() == name
    };
    match held.tree.units().find(is_namesake) {
        None => Ok(()),
        Some(unit) => {
            Err(OrganisationError::MaybeThere { name: unit.name.clone(), code: unit.code.to_string() }.into())
        }
    }
}

/// By id ("so"), word ("sở", "So") or the word that was in use for it before.
fn kind_of(kinds: &Kinds, text: &str, on: Date) -> Result<KindId, AdminError> {
    let id = KindId::new(text.trim());
    let plain = model::fold_marks(text.trim()).to_lowercase();
    let same = |kind: &&UnitKind| kind.id == id || model::fold_marks(&kind.label).to_lowercase() == plain;
    if let Some(kind) = kinds.iter().find(same) {
        return Ok(kind.id.clone());
    }
    if plain == "ubnd" {
        return Ok(KindId::new("ubnd-tinh"));
    }
    let known: Vec<&str> =
        kinds.iter().filter(|kind| kind.lives_on(on)).map(|kind| kind.id.as_str()).collect();
    Err(OrganisationError::NoSuchKind(text.to_owned(), known.join(", ")).into())
}

/// The domain's scheme for units' addresses and codes.
pub(crate) fn unit_scheme(policy: &Policy) -> UnitScheme {
    policy.naming.unit_scheme.unit_scheme()
}

/// The first code of the scheme that no unit has or had.
fn propose_code(
    held: &Held,
    name: &str,
    kind: &KindId,
    parent: Option<UnitId>,
    locals: &HashMap<UnitId, String>,
) -> Result<UnitAdded, AdminError> {
    let scheme = unit_scheme(&held.policy);
    let no_code = |why: &dyn std::fmt::Display| OrganisationError::NoCode(why.to_string());
    let subject = held.tree.new_subject(name, kind, parent, None, |id| locals.get(&id).cloned());
    let subject = subject.map_err(|error| no_code(&error))?;
    let had = held.tree.events().iter().filter_map(|event| match &event.happening {
        Happening::Recoded { from, .. } => Some(from.as_str()),
        _ => None,
    });
    let taken: HashSet<&str> = held.units_by_code.keys().map(String::as_str).chain(had).collect();
    let reserved = Reserved::default();
    let unit = subject.unit();
    for proposal in scheme.propose(&unit) {
        let code = scheme.code_of(&proposal.local).and_then(|code| UnitCode::new(code).ok());
        if let Some(code) = code
            && !taken.contains(code.as_str())
            && !reserved.holds(code.as_str())
        {
            let rule = format!("{} ({})", proposal.rule.text, proposal.rule.source);
            return Ok(UnitAdded { code, rule: Some(rule) });
        }
    }
    Err(no_code(&"every code the scheme makes is taken or too long").into())
}
