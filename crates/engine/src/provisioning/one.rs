//! One mailbox whose address is made from its name.

use super::known::{Meant, check_same_unit, known_person};
use super::secret::Secret;
use super::taken::{Applicant, Taken, address, look_up};
use super::{GrantError, check_birth_year, class_with, person_scheme};
use crate::admin::{check_name, place};
use crate::organisation::{Held, OrganisationError, position, unit_scheme};
use crate::passwords;
use crate::quota::{QUOTA_FROM_START, check_own};
use crate::{Actor, AdminError, Engine, Error};
use model::naming::{PersonName, Proposal, Proposals, chosen};
use model::password_rules::ChangeReason;
use model::{
    Action, Address, Appointment, DEFAULT_FOLDERS, DomainName, FolderName, MailboxClass, Membership,
    PersonId, PositionId, SpecialUse, UnitId,
};
use serde_json::json;
use store::{NewGrant, NewPerson, PersonRow};

/// Times that an address which somebody took meanwhile is chosen anew.
const TRIES: u32 = 8;

/// A mailbox that is to be made, without its address.
#[derive(Clone)]
pub struct NamedMailbox {
    pub domain: DomainName,
    /// Họ và tên, or how a unit's mailbox is to be shown.
    pub name: String,
    pub class: MailboxClass,
    /// Code of the unit.
    pub unit: Option<String>,
    /// Chức vụ; a leader's makes the mailbox a leader's.
    pub position: Option<String>,
    /// Tells people of one name apart.
    pub birth_year: Option<i16>,
    /// Somebody who is known already.
    pub person: Option<PersonId>,
    /// It is none of those of this name who are known.
    pub another_person: bool,
    /// The local part that a later holder chose (TN Đ3.5).
    pub choose: Option<String>,
    /// Octets; `None`: what the policy gives the class.
    pub quota_bytes: Option<u64>,
    /// `None`: a one-time password is made.
    pub password: Option<String>,
    pub must_change_password: bool,
    /// Say what would be granted, and grant nothing.
    pub dry_run: bool,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for NamedMailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedMailbox")
            .field("domain", &self.domain)
            .field("name", &self.name)
            .field("class", &self.class)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

/// What was granted, or would be.
#[derive(Clone, PartialEq, Eq)]
pub struct Granted {
    pub address: Address,
    pub class: MailboxClass,
    pub quota_bytes: u64,
    /// Id of the rule in the scheme.
    pub rule: String,
    /// What the rule does, and the article.
    pub reason: String,
    /// What else the holder may choose, where the regulation lets a later one (TN Đ3.5).
    pub offers: Vec<String>,
    /// What of the name is no part of it: titles, parentheses.
    pub dropped: Vec<String>,
    pub person: Option<PersonId>,
    /// Handed to the owner; kept nowhere.
    pub one_time_password: Option<String>,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Granted")
            .field("address", &self.address)
            .field("class", &self.class)
            .field("rule", &self.rule)
            .field("person", &self.person)
            .finish_non_exhaustive()
    }
}

/// What is decided before anything is written.
struct Plan {
    address: Address,
    is_reused: bool,
    rule: String,
    reason: String,
    offers: Vec<String>,
    dropped: Vec<String>,
    class: MailboxClass,
    unit: Option<UnitId>,
    position: Option<PositionId>,
    known: Option<PersonRow>,
}

impl Engine {
    /// Proposes by the domain's scheme and grants the first free address, or the one that was chosen.
    ///
    /// # Errors
    /// See [`GrantError`] and [`OrganisationError`]; nothing is made then.
    pub async fn add_named_mailbox(&self, actor: &Actor, new: &NamedMailbox) -> Result<Granted, AdminError> {
        check_name(&new.name)?;
        check_birth_year(new.birth_year, self.today().year())?;
        let action = if new.dry_run { Action::MailboxAddPreview } else { Action::MailboxAdd };
        self.authorize(actor, action, &place(&new.domain, new.unit.as_deref())?).await?;
        let secret = match new.dry_run {
            true => Secret::None,
            false => self.secret(new).await?,
        };
        for _ in 0..TRIES {
            match self.grant_once(actor, new, &secret).await {
                Err(AdminError::AddressTaken) => {}
                Ok(granted) => {
                    return Ok(Granted { one_time_password: secret.into_one_time(), ..granted });
                }
                refused => return refused,
            }
        }
        Err(GrantError::Contended.into())
    }

    async fn grant_once(
        &self,
        actor: &Actor,
        new: &NamedMailbox,
        secret: &Secret,
    ) -> Result<Granted, AdminError> {
        let mut held = self.hold_organisation(&new.domain).await?;
        let plan = match new.class {
            MailboxClass::Person | MailboxClass::Leader => self.plan_person(actor, &mut held, new).await?,
            MailboxClass::Organisation => self.plan_unit(&mut held, new).await?,
            MailboxClass::Service => return Err(GrantError::Service.into()),
        };
        check_own(&held.policy, plan.class, new.quota_bytes)?;
        let quota_bytes = new.quota_bytes.unwrap_or(held.policy.quota_bytes(plan.class));
        let person = match new.dry_run {
            true => plan.known.as_ref().map(|known| known.person),
            false => self.write_grant(actor, &mut held, new, (&plan, quota_bytes, secret)).await?,
        };
        if !new.dry_run {
            held.tx.commit().await?;
        }
        Ok(Granted {
            address: plan.address,
            class: plan.class,
            quota_bytes,
            rule: plan.rule,
            reason: plan.reason,
            offers: plan.offers,
            dropped: plan.dropped,
            person,
            one_time_password: None,
        })
    }

    async fn plan_person(
        &self,
        actor: &Actor,
        held: &mut Held,
        new: &NamedMailbox,
    ) -> Result<Plan, AdminError> {
        let unit = new.unit.as_deref().map(|code| held.living_unit(code)).transpose()?;
        let position = match &new.position {
            None => None,
            Some(title) => Some(position(&held.tx.positions(held.domain).await?, title)?.clone()),
        };
        let meant = Meant {
            name: &new.name,
            birth_year: new.birth_year,
            person: new.person,
            another_person: new.another_person,
        };
        let known = known_person(actor, held, meant).await?;
        if let (Some(known), Some(unit)) = (&known, unit) {
            check_same_unit(held, known, unit)?;
        }
        let name = PersonName::parse(&new.name).map_err(|error| GrantError::Name(new.name.clone(), error))?;
        let scheme = person_scheme(&held.policy);
        let code = unit.and_then(|unit| held.tree.code_of_people(unit)).map(ToString::to_string);
        if code.is_none() && scheme.needs_unit() {
            return Err(GrantError::NeedsUnit.into());
        }
        let proposals = || scheme.propose(&name, code.as_deref());
        let applicant = Applicant {
            person: known.as_ref().map(|known| known.person),
            today: self.today(),
            account: None,
        };
        let taken = look_up(held, proposals, applicant).await?;
        let proposal = pick(&taken, proposals, new, applicant)?;
        let later = scheme.holder_chooses && scheme.rules.first() != Some(proposal.rule);
        let offers = if later { taken.offers(proposals(), applicant) } else { Vec::new() };
        Ok(Plan {
            is_reused: taken.is_reused(proposal.local.as_str()),
            address: parsed(proposal.local.as_str(), &held.name)?,
            rule: proposal.rule.id.clone(),
            reason: reason(&proposal),
            offers: offers.iter().map(|offer| offer.local.to_string()).collect(),
            dropped: name.dropped().to_vec(),
            class: class_with(new.class, position.as_ref().is_some_and(|position| position.leader)),
            unit,
            position: position.map(|position| position.id),
            known,
        })
    }

    async fn plan_unit(&self, held: &mut Held, new: &NamedMailbox) -> Result<Plan, AdminError> {
        if new.position.is_some() || new.birth_year.is_some() || new.person.is_some() {
            return Err(GrantError::NotAPerson.into());
        }
        let code = new.unit.as_deref().ok_or(GrantError::NeedsUnit)?;
        let unit = held.living_unit(code)?;
        let locals = held.unit_locals().await?;
        self.check_one_per_unit(held, unit).await?;
        let subject = held.tree.subject(unit, |id| locals.get(&id).cloned());
        let subject = subject.ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))?;
        let subject = subject.map_err(|error| GrantError::Name(new.name.clone(), error))?;
        let scheme = unit_scheme(&held.policy);
        let as_named = subject.unit();
        let proposals = || scheme.propose(&as_named);
        let applicant = Applicant { person: None, today: self.today(), account: None };
        let taken = look_up(held, proposals, applicant).await?;
        let proposal = pick(&taken, proposals, new, applicant)?;
        Ok(Plan {
            is_reused: taken.is_reused(proposal.local.as_str()),
            address: parsed(proposal.local.as_str(), &held.name)?,
            rule: proposal.rule.id.clone(),
            reason: reason(&proposal),
            offers: Vec::new(),
            dropped: Vec::new(),
            class: MailboxClass::Organisation,
            unit: Some(unit),
            position: None,
            known: None,
        })
    }

    /// An organisation has one address where the policy says so (AG Đ6.2; LC Đ4).
    pub(crate) async fn check_one_per_unit(&self, held: &mut Held, unit: UnitId) -> Result<(), AdminError> {
        if !held.policy.naming.one_per_organisation {
            return Ok(());
        }
        let own = held.tx.unit_addresses(held.domain).await?.into_iter().find(|(of, _)| *of == unit);
        match own {
            None => Ok(()),
            Some((_, address)) => Err(GrantError::OnePerOrganisation {
                unit: held.code(unit),
                address,
                article: held.policy.profile.article("naming.one_per_organisation"),
            }
            .into()),
        }
    }

    /// The mailbox, its person's place and position, and the audit row; who the person is.
    async fn write_grant(
        &self,
        actor: &Actor,
        held: &mut Held,
        new: &NamedMailbox,
        (plan, quota_bytes, secret): (&Plan, u64, &Secret),
    ) -> Result<Option<PersonId>, AdminError> {
        let is_person = plan.class != MailboxClass::Organisation;
        let person = match is_person {
            true => Some(self.place_person(held, new, plan).await?),
            false => None,
        };
        let must_change = passwords::must_change(new.must_change_password, actor, plan.class, &held.policy);
        let grant = NewGrant {
            unit: plan.unit,
            person,
            class: plan.class,
            display_name: &new.name,
            quota_bytes,
            password_hash: secret.hash(),
            password_change: must_change,
            change_reason: must_change.then_some(passwords::name(ChangeReason::FirstLogIn)),
            one_time_until: secret.until().filter(|_| must_change),
            address: &plan.address,
            rule: Some(&plan.rule),
            is_reused: plan.is_reused,
        };
        let made = held.tx.insert_accounts(held.domain, &[grant], self.now()).await?;
        if let (Some(bytes), Some(account)) = (new.quota_bytes, made.first()) {
            held.tx.set_quota(*account, bytes, Some((actor.name(), QUOTA_FROM_START))).await?;
        }
        held.tx.insert_folders(&made, &default_folders()?, self.now()).await?;
        let detail = json!({
            "class": plan.class.as_str(), "unit": new.unit, "position": new.position, "quota_bytes": quota_bytes,
            "rule": plan.rule, "person": person,
        });
        self.audit(&mut held.tx, actor, "mailbox.add", &plan.address.to_string(), &detail).await?;
        Ok(person)
    }

    /// The person, made if new; a member of the unit and appointed from today on.
    async fn place_person(
        &self,
        held: &mut Held,
        new: &NamedMailbox,
        plan: &Plan,
    ) -> Result<PersonId, AdminError> {
        let today = self.today();
        let (person, at) = match &plan.known {
            Some(known) => (known.person, known.unit),
            None => {
                let name = model::unit_name(&new.name).map_err(OrganisationError::from)?;
                let person = NewPerson { full_name: &name, birth_year: new.birth_year };
                let made = held.tx.insert_people(held.domain, &[person], self.now()).await?;
                (made.first().copied().ok_or(Error::Unavailable)?, None)
            }
        };
        let Some(unit) = plan.unit.or(at) else { return Ok(person) };
        if at.is_none() {
            let joined = Membership { person, unit, from: today, until: None };
            held.tx.insert_memberships(&[joined]).await?;
        }
        if let Some(position) = plan.position {
            let new = Appointment { person, unit, position, from: today, until: None };
            held.tx.insert_appointments(&[new]).await?;
        }
        Ok(person)
    }
}

/// The first free proposal, or the one that was chosen if the scheme makes it and it is free.
fn pick<'s>(
    taken: &Taken,
    proposals: impl Fn() -> Proposals<'s>,
    new: &NamedMailbox,
    applicant: Applicant,
) -> Result<Proposal<'s>, AdminError> {
    let Some(wanted) = &new.choose else {
        let choice = taken.choose(proposals(), applicant);
        let choice = choice.map_err(|why| GrantError::NoChoice(new.name.clone(), why))?;
        return Ok(choice.proposal);
    };
    let is_taken = |local: &str| taken.is_taken(local, applicant);
    chosen(proposals(), wanted, taken.reserved(), is_taken).map_err(|why| {
        let offers = taken.offers(proposals(), applicant);
        let offers = offers.iter().map(|offer| offer.local.to_string()).collect();
        GrantError::Choice { wanted: wanted.clone(), why, offers }.into()
    })
}

fn reason(proposal: &Proposal<'_>) -> String {
    format!("{} ({})", proposal.rule.text, proposal.rule.source)
}

pub(super) fn parsed(local: &str, domain: &DomainName) -> Result<Address, AdminError> {
    address(local, domain).parse().map_err(|_| AdminError::BadName)
}

/// The folders every mailbox starts with.
pub(crate) fn default_folders() -> Result<Vec<(FolderName, Option<SpecialUse>)>, AdminError> {
    let folder = |(name, special): (&str, Option<SpecialUse>)| {
        Ok((FolderName::new(name).map_err(|_| AdminError::BadName)?, special))
    };
    DEFAULT_FOLDERS.into_iter().map(folder).collect()
}
