//! Administration: domains, units, mailboxes, aliases, passwords. Every act is audited in its own transaction.

use crate::authority::unless_missing;
use crate::delegation::is_personal;
use crate::folders::SUBSCRIPTIONS_MAX;
use crate::organisation::Entry;
use crate::provisioning::check_birth_year;
use crate::quota::{QUOTA_FROM_START, check_own};
use crate::{Actor, AdminError, AdminTarget, DomainSummary, Engine, Error, Owner, passwords};
use model::password_rules::{ChangeReason, Rules};
use model::{
    AccountId, Action, Address, DEFAULT_FOLDERS, DomainId, DomainName, FolderName, MailboxClass, PersonId,
    PolicyVersion, Profile, UnitId,
};
use serde_json::{Value, json};
use store::{AuditEntry, NewAccount, PasswordSubject, Tx};

/// Characters that say why something was done.
const REASON_CHARS_MAX: usize = 1000;
/// Characters of a name shown in lists.
const DISPLAY_NAME_CHARS_MAX: usize = 200;

/// A mailbox that is to be made (cấp mới).
#[derive(Clone)]
pub struct NewMailbox {
    pub address: Address,
    pub display_name: String,
    pub class: MailboxClass,
    /// Code of the unit it belongs to.
    pub unit: Option<String>,
    /// Octets; `None`: what its class gets.
    pub quota_bytes: Option<u64>,
    /// `None`: a one-time password is made.
    pub password: Option<String>,
    pub must_change_password: bool,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for NewMailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewMailbox")
            .field("address", &self.address)
            .field("class", &self.class)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

/// What the administrator hands to the owner.
#[derive(Clone, PartialEq, Eq)]
pub struct MailboxAdded {
    pub address: Address,
    pub one_time_password: Option<String>,
    /// Whose it is; `None`: nobody's.
    pub person: Option<PersonId>,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for MailboxAdded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailboxAdded").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Where something new is to be: in a unit, else in the domain.
pub(crate) fn place<'a>(
    domain: &'a DomainName,
    unit: Option<&'a str>,
) -> Result<AdminTarget<'a>, AdminError> {
    let Some(code) = unit else { return Ok(AdminTarget::Domain(domain)) };
    check_name(code)?;
    Ok(AdminTarget::UnitCode(domain, code))
}

pub(crate) fn check_name(name: &str) -> Result<(), AdminError> {
    let fits = (1..=DISPLAY_NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) { Ok(()) } else { Err(AdminError::BadName) }
}

pub(crate) fn check_address(address: &Address) -> Result<(), AdminError> {
    if address.is_plain() { Ok(()) } else { Err(AdminError::OddAddress(address.clone())) }
}

pub(crate) fn check_reason(reason: &str) -> Result<(), AdminError> {
    let fits = (1..=REASON_CHARS_MAX).contains(&reason.trim().chars().count());
    if fits && !reason.chars().any(char::is_control) { Ok(()) } else { Err(AdminError::BadReason) }
}

/// The mailbox is not there yet, so what is known of it is what it is to be.
fn check_password(password: &str, new: &NewMailbox, rules: &Rules) -> Result<(), AdminError> {
    let subject = PasswordSubject {
        names: vec![new.display_name.clone()],
        addresses: vec![new.address.to_string()],
        units: new.unit.iter().cloned().collect(),
        ..PasswordSubject::default()
    };
    let flaws = passwords::flaws(password, &subject, false, rules);
    if flaws.is_empty() { Ok(()) } else { Err(AdminError::BadPassword(flaws)) }
}

impl Engine {
    /// # Errors
    /// `DomainExists` when it does, `Profile` when there is none of that name.
    pub async fn add_domain(
        &self,
        actor: &Actor,
        name: &DomainName,
        profile: &str,
    ) -> Result<(), AdminError> {
        check_name(profile)?;
        self.authorize(actor, Action::DomainAdd, &AdminTarget::System).await?;
        let policy = profile
            .parse::<Profile>()?
            .policy()
            .map_err(|error| AdminError::PolicySetting { field: profile.to_owned(), error })?;
        let first = PolicyVersion::first(policy, actor.name(), self.now())?;
        let mut tx = self.0.store.begin().await?;
        let domain = tx.insert_domain(name, profile, self.now()).await?;
        tx.add_policy(domain, &first).await?;
        self.audit(&mut tx, actor, "domain.add", name.as_str(), &json!({ "profile": profile })).await?;
        Ok(tx.commit().await?)
    }

    /// Only a domain that never gave out an address goes: addresses are never given to anybody else, so the others stay
    /// known. False when there is no such domain.
    ///
    /// # Errors
    /// `DomainInUse`.
    pub async fn delete_domain(&self, actor: &Actor, name: &DomainName) -> Result<bool, AdminError> {
        let allowed = self.authorize(actor, Action::DomainRemove, &AdminTarget::Domain(name)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(false) };
        let Some(domain) = self.0.store.domain(name).await? else { return Ok(false) };
        let mut tx = self.0.store.begin().await?;
        match tx.delete_domain(domain, name).await {
            Ok(true) => {}
            // Roles, moves, requests, announcements: records of what was done stay, and what they are about with them.
            Ok(false) | Err(store::Error::Constraint(_)) => return Err(AdminError::DomainInUse),
            Err(error) => return Err(error.into()),
        }
        self.audit(&mut tx, actor, "domain.delete", name.as_str(), &json!({})).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Mail for the alias is refused from now on; the address is never given out again. False when it is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_alias(&self, actor: &Actor, alias: &Address) -> Result<bool, AdminError> {
        let allowed = self.authorize(actor, Action::AliasRemove, &AdminTarget::Address(alias)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(false) };
        let mut tx = self.0.store.begin().await?;
        if !tx.retire_alias(alias, self.now()).await? {
            return Ok(false);
        }
        self.audit(&mut tx, actor, "alias.delete", &alias.to_string(), &json!({})).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Those that he may see.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn domains(&self, actor: &Actor) -> Result<Vec<DomainSummary>, Error> {
        Ok(self.0.store.domains(&actor.reach(Action::DomainShow)).await?)
    }

    /// A mailbox that is nobody's.
    ///
    /// # Errors
    /// See [`AdminError`]; nothing is made then.
    pub async fn add_mailbox(&self, actor: &Actor, new: &NewMailbox) -> Result<MailboxAdded, AdminError> {
        self.make_mailbox(actor, new, None).await
    }

    /// A mailbox that is a person's from the beginning, where it is of a class for people and in a unit.
    ///
    /// # Errors
    /// As [`Self::add_mailbox`]; [`GrantError`](crate::GrantError) where it has to be said who is meant.
    pub async fn add_mailbox_of(
        &self,
        actor: &Actor,
        new: &NewMailbox,
        owner: Owner,
    ) -> Result<MailboxAdded, AdminError> {
        check_birth_year(owner.birth_year, self.today().year())?;
        self.make_mailbox(actor, new, Some(owner)).await
    }

    async fn make_mailbox(
        &self,
        actor: &Actor,
        new: &NewMailbox,
        owner: Option<Owner>,
    ) -> Result<MailboxAdded, AdminError> {
        check_address(&new.address)?;
        check_name(&new.display_name)?;
        let target = place(new.address.domain(), new.unit.as_deref())?;
        self.authorize(actor, Action::MailboxAdd, &target).await?;
        let domain = self.domain_id(new.address.domain()).await?;
        let policy = self.policy_of(domain).await?;
        check_own(&policy, new.class, new.quota_bytes)?;
        let one_time = match &new.password {
            None => Some(self.one_time(&policy).await?),
            Some(password) => {
                check_password(password, new, &passwords::rules(&policy))?;
                None
            }
        };
        let must_change = passwords::must_change(new.must_change_password, actor, new.class, &policy);
        let hash = match (&new.password, &one_time) {
            (Some(password), _) => self.hash_password(password).await?,
            (None, Some(one_time)) => one_time.hash.clone(),
            (None, None) => String::new(),
        };
        let quota_bytes = new.quota_bytes.unwrap_or(policy.quota_bytes(new.class));
        let mut held = self.hold_organisation(new.address.domain()).await?;
        let unit = new.unit.as_deref().map(|code| held.living_unit(code)).transpose()?;
        if let (Some(unit), MailboxClass::Organisation) = (unit, new.class) {
            self.check_one_per_unit(&mut held, unit).await?;
        }
        let account = NewAccount {
            domain,
            unit,
            class: new.class,
            display_name: &new.display_name,
            quota_bytes,
            password_hash: Some(&hash),
            password_change: must_change,
        };
        let id = held.tx.insert_account(&account, &new.address, self.now()).await?;
        self.add_default_folders(&mut held.tx, id).await?;
        let change = must_change.then_some(passwords::name(ChangeReason::FirstLogIn));
        let until = one_time.as_ref().filter(|_| change.is_some()).map(|one_time| one_time.until);
        held.tx.set_first_password(id, change, until).await?;
        if let Some(bytes) = new.quota_bytes {
            held.tx.set_quota(id, bytes, Some((actor.name(), QUOTA_FROM_START))).await?;
        }
        let person = match (owner, unit) {
            (Some(owner), Some(unit)) if is_personal(new.class) => {
                let entry = Entry { account: id, name: &new.display_name, owner, unit, on: self.today() };
                Some(self.enter_owner(actor, &mut held, &entry).await?.person)
            }
            _ => None,
        };
        let detail = json!({ "class": new.class.as_str(), "unit": new.unit, "quota_bytes": quota_bytes, "person": person });
        self.audit(&mut held.tx, actor, "mailbox.add", &new.address.to_string(), &detail).await?;
        held.tx.commit().await?;
        Ok(MailboxAdded {
            address: new.address.clone(),
            one_time_password: one_time.map(|one_time| one_time.password),
            person,
        })
    }

    async fn add_default_folders(&self, tx: &mut Tx, account: AccountId) -> Result<(), AdminError> {
        for (name, special_use) in DEFAULT_FOLDERS {
            let name = FolderName::new(name).map_err(|_| AdminError::BadName)?;
            tx.insert_folder(account, &name, special_use, self.now()).await?;
            tx.subscribe(account, &name, SUBSCRIPTIONS_MAX).await?;
        }
        Ok(())
    }

    /// # Errors
    /// `AddressTaken`, `NoSuchDomain`, `NoSuchMailbox`.
    pub async fn add_alias(
        &self,
        actor: &Actor,
        alias: &Address,
        mailbox: &Address,
    ) -> Result<(), AdminError> {
        check_address(alias)?;
        self.authorize(actor, Action::AliasAdd, &AdminTarget::Address(mailbox)).await?;
        // An address of another domain is that domain's to give.
        self.authorize(actor, Action::MailboxAdd, &AdminTarget::Domain(alias.domain())).await?;
        let login =
            self.0.store.login(mailbox).await?.ok_or_else(|| AdminError::NoSuchMailbox(mailbox.clone()))?;
        let mut tx = self.0.store.begin().await?;
        // Locked, so that it is not deleted meanwhile.
        let there = tx.lock_mailbox(login.account).await?;
        there.ok_or_else(|| AdminError::NoSuchMailbox(mailbox.clone()))?;
        tx.insert_address(alias, login.account, "alias", self.now()).await?;
        let detail = json!({ "mailbox": login.primary.to_string() });
        self.audit(&mut tx, actor, "alias.add", &alias.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn domain_id(&self, name: &DomainName) -> Result<DomainId, AdminError> {
        self.0.store.domain(name).await?.ok_or_else(|| AdminError::NoSuchDomain(name.clone()))
    }

    pub(crate) async fn unit_id(
        &self,
        domain: DomainId,
        code: Option<&str>,
    ) -> Result<Option<UnitId>, AdminError> {
        let Some(code) = code else { return Ok(None) };
        check_name(code)?;
        let unit = self.0.store.unit(domain, code).await?;
        unit.map(Some).ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))
    }

    pub(crate) async fn audit(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        action: &str,
        target: &str,
        detail: &Value,
    ) -> Result<(), AdminError> {
        check_name(actor.name())?;
        let detail = &*actor.grounded(detail);
        Ok(tx.audit(&AuditEntry { at: self.now(), actor: actor.name(), action, target, detail }).await?)
    }
}
