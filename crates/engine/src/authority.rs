//! Who acts, and whether he may: every administrative method of [`Engine`] asks [`Engine::authorize`] before it does anything.
//!
//! Invariants: the decision is [`model::allows`]'s alone; here only its question is put together. What somebody may not see
//! is answered with the very words for what does not exist, so that nothing can be inferred. Lists and counts are narrowed
//! by [`Actor::reach`] before they are made. A refusal of an administrator is noted among the events.

mod grants;

pub use grants::RoleOver;

use crate::delegation::{MAILBOXES_MAX, check_document};
use crate::{AdminError, DelegationError, Engine, Error, Principal};
use model::{AccountId, Action, Address, DomainId, DomainName, Grant, Reason, Role, Scope, Standing, UnitId};
use serde_json::Value;
use std::borrow::Cow;
use store::{Event, PartyRow, Reach};

/// Who acts: his name for the audit trail, how he stands and what he was given.
#[derive(Clone, Debug)]
pub struct Actor {
    name: String,
    account: Option<AccountId>,
    who: model::Actor,
    document: Option<String>,
}

impl Actor {
    /// Whoever has the machine's console: a system administrator. `name` is written `console:user`.
    #[must_use]
    pub fn console(name: &str) -> Self {
        Self::all_powerful(name.to_owned())
    }

    /// A job of the system itself, in the audit trail as `system:job`.
    #[must_use]
    pub fn system(job: &str) -> Self {
        Self::all_powerful(format!("system:{job}"))
    }

    fn all_powerful(name: String) -> Self {
        let grants = Grant::new(Role::SystemAdministrator, Scope::System).into_iter().collect();
        Self { name, account: None, who: model::Actor { standing: Standing::Active, grants }, document: None }
    }

    /// Somebody of these grants, in good standing.
    #[cfg(test)]
    pub(crate) fn of(name: &str, account: Option<AccountId>, grants: Vec<Grant>) -> Self {
        let who = model::Actor { standing: Standing::Active, grants };
        Self { name: name.to_owned(), account, who, document: None }
    }

    /// In the audit trail: an address, `console:user` or `system:job`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Acts on a document (căn cứ): its number and date, or a sentence, is kept in the audit trail with what is done to
    /// organisations, people and mailboxes.
    ///
    /// # Errors
    /// [`DelegationError::Document`] when it is empty, of more than a line, or too long.
    pub fn on_document(mut self, document: &str) -> Result<Self, DelegationError> {
        check_document(document)?;
        self.document = Some(document.trim().to_owned());
        Ok(self)
    }

    /// `detail` of an act of his as the audit trail keeps it.
    pub(crate) fn grounded<'a>(&self, detail: &'a Value) -> Cow<'a, Value> {
        let (Some(document), Some(fields)) = (&self.document, detail.as_object()) else {
            return Cow::Borrowed(detail);
        };
        let mut fields = fields.clone();
        fields.entry("document").or_insert_with(|| document.as_str().into());
        Cow::Owned(Value::Object(fields))
    }

    /// The own mailbox; `None` at the console and for jobs.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Everything he is.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.who.grants
    }

    /// The highest administrative role he has anywhere.
    #[must_use]
    pub fn highest_role(&self) -> Option<Role> {
        self.who.grants.iter().map(Grant::role).filter(|role| role.is_administrative()).min()
    }

    /// To what a list or count for `action` is to be narrowed before it is made.
    #[must_use]
    pub fn reach(&self, action: Action) -> Reach {
        Reach::of(&model::scopes(&self.who, action))
    }

    /// The same of his administrative roles alone, whatever he owns and whatever was delegated to him.
    #[must_use]
    pub(crate) fn reach_in_office(&self, action: Action) -> Reach {
        Reach::of(&model::scopes(&self.in_office(), action))
    }

    fn in_office(&self) -> model::Actor {
        let mut who = self.who.clone();
        who.grants.retain(|grant| grant.role().is_administrative());
        who
    }
}

/// What an administrative act is done to, as its caller has it.
#[derive(Clone, Copy, Debug)]
pub enum AdminTarget<'a> {
    System,
    Domain(&'a DomainName),
    /// An organisation by its code.
    UnitCode(&'a DomainName, &'a str),
    Unit(UnitId),
    /// The mailbox that has this address, an alias too.
    Address(&'a Address),
    Mailbox(AccountId),
}

impl AdminTarget<'_> {
    /// The words for what is not there, and so for what is out of sight.
    fn missing(&self) -> AdminError {
        match *self {
            Self::Domain(name) => AdminError::NoSuchDomain(name.clone()),
            Self::UnitCode(_, code) => AdminError::NoSuchUnit(code.to_owned()),
            Self::Address(address) => AdminError::NoSuchMailbox(address.clone()),
            Self::System | Self::Unit(_) | Self::Mailbox(_) => AdminError::Denied(Reason::NotFound),
        }
    }
}

impl std::fmt::Display for AdminTarget<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => f.write_str("*"),
            Self::Domain(name) => name.fmt(f),
            Self::UnitCode(domain, code) => write!(f, "{domain}/{code}"),
            Self::Unit(unit) => write!(f, "unit #{unit}"),
            Self::Address(address) => address.fmt(f),
            Self::Mailbox(account) => write!(f, "mailbox #{account}"),
        }
    }
}

/// A target as the database has it, so that [`model::Target`] can borrow from it.
enum Found {
    System,
    Domain(DomainId),
    Unit(DomainId, Vec<UnitId>),
    Mailbox(store::MailboxPlace),
    Missing,
}

impl Found {
    fn target(&self) -> model::Target<'_> {
        match self {
            Self::System => model::Target::System,
            Self::Domain(domain) => model::Target::Domain(*domain),
            Self::Unit(domain, path) => model::Target::Unit { domain: *domain, path },
            Self::Mailbox(place) => model::Target::Mailbox {
                account: place.account,
                domain: place.domain,
                path: &place.path,
                state: place.state,
                holder: place.holder,
            },
            Self::Missing => model::Target::Missing,
        }
    }
}

impl Engine {
    /// Who this is when he acts as more than the reader of his mail: his roles, and what he owns.
    ///
    /// # Errors
    /// `Revoked` when the session's rights have ended.
    pub async fn actor_of(&self, who: &Principal) -> Result<Actor, Error> {
        let (who, store) = (who.own(), &self.0.store);
        let found = store.grants_of(who.account(), self.now()).await?;
        let Some((standing, epoch, mut grants)) = found else { return Err(Error::Revoked) };
        if epoch != who.security_epoch() {
            return Err(Error::Revoked);
        }
        grants.extend(self.mailbox_grants(who.account()).await?);
        Ok(Actor {
            name: who.address().to_string(),
            account: Some(who.account()),
            who: model::Actor { standing, grants },
            document: None,
        })
    }

    /// Who this is by now, when he is not at hand himself; `None` when there is no such mailbox (any more).
    pub(crate) async fn actor_again(&self, account: AccountId) -> Result<Option<Actor>, Error> {
        let found = self.0.store.grants_of(account, self.now()).await?;
        let Some((standing, _, mut grants)) = found else { return Ok(None) };
        grants.extend(self.mailbox_grants(account).await?);
        let who = model::Actor { standing, grants };
        Ok(Some(Actor { name: format!("mailbox #{account}"), account: Some(account), who, document: None }))
    }

    /// Whoever is at the console, with the rights to mailboxes of `person` and none of his own.
    ///
    /// # Errors
    /// `Denied` for whoever is not at the console.
    pub(crate) async fn actor_named(&self, actor: &Actor, person: &PartyRow) -> Result<Actor, AdminError> {
        if actor.account.is_some() {
            return Err(AdminError::Denied(Reason::Role));
        }
        let found = self.0.store.grants_of(person.account, self.now()).await?;
        let missing = || AdminError::NoSuchMailbox(person.address.clone());
        let (standing, ..) = found.ok_or_else(missing)?;
        Ok(Actor {
            name: format!("{} ({})", person.address, actor.name),
            account: Some(person.account),
            who: model::Actor { standing, grants: self.mailbox_grants(person.account).await? },
            document: None,
        })
    }

    /// What it owns, and what was delegated to it.
    async fn mailbox_grants(&self, account: AccountId) -> Result<Vec<Grant>, Error> {
        let mut grants: Vec<Grant> =
            Grant::new(Role::MailboxOwner, Scope::Mailbox(account)).into_iter().collect();
        for held in self.0.store.held_delegations(account, self.now(), MAILBOXES_MAX).await? {
            grants.extend(Grant::delegate(held.mailbox, held.rights));
        }
        Ok(grants)
    }

    /// May he? Asked before anything is done or said.
    ///
    /// # Errors
    /// What is out of sight: exactly the answer for what does not exist (`NoSuchMailbox` and its like). Else `Denied`.
    pub(crate) async fn authorize(
        &self,
        actor: &Actor,
        action: Action,
        target: &AdminTarget<'_>,
    ) -> Result<(), AdminError> {
        let found = self.find_target(target).await?;
        let Err(denied) = model::allows(&actor.who, action, &found.target()) else { return Ok(()) };
        self.note_refusal(actor, action, target, denied.reason).await;
        match denied.reason {
            Reason::NotFound => Err(target.missing()),
            reason => Err(AdminError::Denied(reason)),
        }
    }

    /// May he over the domain, or over some part of its tree? To what the answer is to be narrowed.
    ///
    /// # Errors
    /// As [`Engine::authorize`] over the domain.
    pub(crate) async fn authorize_part(
        &self,
        actor: &Actor,
        action: Action,
        domain: &DomainName,
    ) -> Result<Reach, AdminError> {
        let reach = actor.reach(action);
        let id = self.0.store.domain(domain).await?;
        if !id.is_some_and(|id| reach.subtree_domains.contains(&id.0)) {
            self.authorize(actor, action, &AdminTarget::Domain(domain)).await?;
        }
        Ok(reach)
    }

    /// May he over the domain, or over anything that is in it: a part of its tree, or a mailbox? For what all of a domain may see.
    ///
    /// # Errors
    /// As [`Engine::authorize`] over the domain.
    pub(crate) async fn authorize_member(
        &self,
        actor: &Actor,
        action: Action,
        domain: &DomainName,
    ) -> Result<(), AdminError> {
        let reach = actor.reach(action);
        if let Some(id) = self.0.store.domain(domain).await? {
            let mailboxes: Vec<AccountId> = reach.mailboxes.iter().copied().map(AccountId).collect();
            if reach.subtree_domains.contains(&id.0) || self.0.store.is_any_of(id, &mailboxes).await? {
                return Ok(());
            }
        }
        self.authorize(actor, action, &AdminTarget::Domain(domain)).await
    }

    /// May he? For what is shown beside other things to whoever may: that somebody may not is no try of his, and not noted.
    pub(crate) async fn may(
        &self,
        actor: &Actor,
        action: Action,
        target: &AdminTarget<'_>,
    ) -> Result<bool, Error> {
        let found = self.find_target(target).await?;
        Ok(model::allows(&actor.who, action, &found.target()).is_ok())
    }

    /// Does an administrative role let him, and not only that the mailbox is his or was delegated to him?
    pub(crate) async fn may_in_office(
        &self,
        actor: &Actor,
        action: Action,
        target: &AdminTarget<'_>,
    ) -> Result<bool, Error> {
        let found = self.find_target(target).await?;
        Ok(model::allows(&actor.in_office(), action, &found.target()).is_ok())
    }

    /// Does nothing but what was lent to him let him do it? To be asked of what he may do.
    pub(crate) async fn is_lent(
        &self,
        actor: &Actor,
        action: Action,
        target: &AdminTarget<'_>,
    ) -> Result<bool, Error> {
        let found = self.find_target(target).await?;
        let mut who = actor.who.clone();
        who.grants.retain(|grant| grant.role() != Role::Delegate);
        Ok(model::allows(&who, action, &found.target()).is_err())
    }

    async fn find_target(&self, target: &AdminTarget<'_>) -> Result<Found, Error> {
        let (store, now) = (&self.0.store, self.now());
        let unit =
            |found: Option<(DomainId, Vec<UnitId>)>| found.map(|(domain, path)| Found::Unit(domain, path));
        let found = match *target {
            AdminTarget::System => Some(Found::System),
            AdminTarget::Domain(name) => store.domain(name).await?.map(Found::Domain),
            AdminTarget::UnitCode(domain, code) => unit(store.unit_place_by_code(domain, code).await?),
            AdminTarget::Unit(id) => unit(store.unit_place(id).await?),
            AdminTarget::Address(address) => store.mailbox_place(Ok(address), now).await?.map(Found::Mailbox),
            AdminTarget::Mailbox(account) => {
                store.mailbox_place(Err(account), now).await?.map(Found::Mailbox)
            }
        };
        Ok(found.unwrap_or(Found::Missing))
    }

    /// Evidence of a try, not of an act; the refusal stands whether or not it could be noted.
    async fn note_refusal(&self, actor: &Actor, action: Action, target: &AdminTarget<'_>, reason: Reason) {
        let is_typo = reason == Reason::NotFound && actor.reach(action).everything;
        if is_typo || actor.highest_role().is_none() {
            return;
        }
        let status = format!("{} {target}", action.as_str());
        let event = Event {
            at: self.now(),
            kind: "denied",
            trace: "",
            account: actor.account,
            remote: None,
            sender: Some(&actor.name),
            size: None,
            status: Some(&status),
            about: None,
        };
        if let Err(error) = self.0.store.note(&event).await {
            tracing::warn!(%error, "a refused act could not be noted");
        }
    }
}

/// `None` instead of the error for what is not there or out of sight.
pub(crate) fn unless_missing(authorized: Result<(), AdminError>) -> Result<Option<()>, AdminError> {
    match authorized {
        Ok(()) => Ok(Some(())),
        Err(
            AdminError::NoSuchMailbox(_)
            | AdminError::NoSuchDomain(_)
            | AdminError::NoSuchUnit(_)
            | AdminError::Denied(Reason::NotFound),
        ) => Ok(None),
        Err(refused) => Err(refused),
    }
}
