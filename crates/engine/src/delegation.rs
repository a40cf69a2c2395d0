//! Who was given rights to whose mailbox (ủy quyền); `others` is the way to it.
//!
//! LC Đ11.1, TN Đ10.1, BD Đ13.1: the head of an organisation lets others use its mailbox, in writing. Nobody uses another's
//! personal mailbox (AG Đ11.2d; LC Đ10.4; BD Đ12.4; ST Đ8.2d) but where policy lets a colleague stand in.
//! Invariants: a delegation is never changed, only ended; rights are given to people, who answer for what they do; whoever
//! manages a mailbox for another gives neither more than he has nor for longer, to himself least of all.

use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::Timestamp;
use model::{
    AccountId, Action, Address, DomainId, DomainName, MailboxClass, PersonalDelegation, Reason, Right, Rights,
};
use serde_json::json;
use store::{DelegationFilter, DelegationRow, PartyRow, PresentRow, Tx};

/// People one mailbox is delegated to: an office, not a province.
const DELEGATES_MAX: usize = 200;
/// Others' mailboxes one person may read, all of which LIST shows.
pub(crate) const MAILBOXES_MAX: u32 = 200;
/// Characters of the number and date of a paper.
const DOCUMENT_CHARS_MAX: usize = 300;

/// A delegation that is to be made.
#[derive(Clone, Debug)]
pub struct NewDelegation {
    pub mailbox: Address,
    pub delegate: Address,
    pub rights: Rights,
    /// Number and date of the paper.
    pub document: String,
    /// Of a personal mailbox: how its owner consented.
    pub consent: Option<String>,
    /// `None`: at once.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// A delegation as lists show it.
pub type DelegationDetail = DelegationRow;

/// What ended with rights to a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub delegations: usize,
    /// Where its mail went on to by itself until then.
    pub forward_ended: Option<String>,
}

/// Which delegations to list; all of them by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DelegationQuery<'a> {
    pub mailbox: Option<&'a Address>,
    pub delegate: Option<&'a Address>,
    pub domain: Option<&'a DomainName>,
    /// Those that were revoked, too.
    pub ended: bool,
    /// From behind this mailbox and delegate on.
    pub after: Option<(&'a Address, &'a Address)>,
    /// Rows at most.
    pub limit: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    #[error(
        "{0} is a personal mailbox, and nobody uses another's: see handling.personal_delegation in the policy"
    )]
    Personal(Address),
    #[error("a personal mailbox is lent during leave only: say until when, and how its owner consented")]
    LeaveOnly,
    #[error("{0} is no person's mailbox: rights are given to people, who answer for what they do")]
    NoPerson(Address),
    #[error("a mailbox cannot be delegated to itself")]
    Own,
    #[error("say which rights")]
    NoRights,
    #[error(
        "whoever manages a mailbox for another gives no rights that he does not have, nor for longer than he has them"
    )]
    MoreThanOwn,
    #[error("say the number and date of the paper, in 1 to 300 characters without control characters")]
    Document,
    #[error("the term ends before it begins, or has ended")]
    Term,
    #[error("a mailbox is delegated to at most 200 people, and a person has rights to at most 200 mailboxes")]
    TooMany,
    #[error("{0} has no rights to this mailbox")]
    NotDelegated(Address),
    /// Of whoever changes them for the owner.
    #[error(transparent)]
    Rights(Error),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for DelegationError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for DelegationError {
    fn from(error: Error) -> Self {
        Self::Rights(error)
    }
}

impl Engine {
    /// Gives rights to a mailbox, in place of those that the delegate has.
    ///
    /// # Errors
    /// See [`DelegationError`]; nothing is given then.
    pub async fn grant_delegation(
        &self,
        actor: &Actor,
        new: &NewDelegation,
    ) -> Result<DelegationDetail, DelegationError> {
        self.authorize(actor, Action::DelegateGrant, &AdminTarget::Address(&new.mailbox)).await?;
        check_document(&new.document)?;
        let (mailbox, delegate) = self.parties(&new.mailbox, &new.delegate).await?;
        self.check_lending(&mailbox, new).await?;
        let now = self.now();
        let since = new.since.unwrap_or(now);
        if new.until.is_some_and(|until| until <= since.max(now)) {
            return Err(DelegationError::Term);
        }
        if new.rights.is_empty() {
            return Err(DelegationError::NoRights);
        }
        let row = store::NewDelegation {
            mailbox: mailbox.account,
            delegate: delegate.account,
            rights: new.rights,
            document: &new.document,
            consent: new.consent.as_deref(),
            given_by: actor.name(),
            since,
            until: new.until,
        };
        let mut tx = self.0.store.begin().await?;
        self.put_delegation(&mut tx, actor, (&mailbox, &delegate), Some(&row)).await?;
        tx.commit().await?;
        self.delegations_changed(mailbox.account).await;
        self.forwards_changed().await;
        Ok(DelegationDetail {
            mailbox: mailbox.address,
            delegate: delegate.address,
            delegate_name: delegate.display_name,
            rights: new.rights,
            document: new.document.clone(),
            consent: new.consent.clone(),
            given_by: actor.name().to_owned(),
            given_at: now,
            since,
            until: new.until,
            revoked: None,
        })
    }

    /// Ends the delegation to `delegate`, or every one of the mailbox, and forwarding that rested on it; sessions in it end at once.
    ///
    /// # Errors
    /// `NotDelegated` when there is none to him.
    pub async fn revoke_delegation(
        &self,
        actor: &Actor,
        mailbox: &Address,
        delegate: Option<&Address>,
    ) -> Result<Revoked, DelegationError> {
        self.authorize(actor, Action::DelegateRevoke, &AdminTarget::Address(mailbox)).await?;
        let mailbox = self.party(mailbox).await?;
        let delegate = match delegate {
            Some(address) => Some(self.party(address).await?),
            None => None,
        };
        let mut tx = self.0.store.begin().await?;
        // The lock moves the modseq on: by it, the other nodes notice that rights have ended.
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        let account = delegate.as_ref().map(|delegate| delegate.account);
        let ended = tx.revoke_delegations(mailbox.account, account, (actor.name(), self.now())).await?;
        if let Some(delegate) = delegate.as_ref().filter(|_| ended.is_empty()) {
            return Err(DelegationError::NotDelegated(delegate.address.clone()));
        }
        // Forwardings come before the audit trail, here as everywhere.
        let forward_ended = self.end_forward_by(&mut tx, actor, &mailbox, &ended).await?;
        let detail = json!({ "delegate": delegate.map(|delegate| delegate.address.to_string()), "ended": ended.len() });
        self.audit(&mut tx, actor, "delegate.revoke", &mailbox.address.to_string(), &detail).await?;
        tx.commit().await?;
        self.delegations_changed(mailbox.account).await;
        self.forwards_changed().await;
        Ok(Revoked { delegations: ended.len(), forward_ended })
    }

    /// By mailbox and delegate.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn delegations(
        &self,
        actor: &Actor,
        query: DelegationQuery<'_>,
    ) -> Result<Vec<DelegationDetail>, DelegationError> {
        let target = match (query.mailbox, query.domain) {
            (Some(address), _) => AdminTarget::Address(address),
            (None, Some(domain)) => AdminTarget::Domain(domain),
            (None, None) => AdminTarget::System,
        };
        let action = if query.mailbox.is_some() { Action::DelegateShow } else { Action::MailboxList };
        if query.mailbox.is_some() || query.domain.is_some() {
            self.authorize(actor, action, &target).await?;
        } else if !actor.reach(action).everything {
            return Err(AdminError::Denied(Reason::Role).into());
        }
        let mailbox = match query.mailbox {
            Some(address) => Some(self.party(address).await?.account),
            None => None,
        };
        let delegate = match query.delegate {
            Some(address) => Some(self.party(address).await?.account),
            None => None,
        };
        let DelegationQuery { domain, ended, after, limit, .. } = query;
        let filter = DelegationFilter { mailbox, delegate, domain, ended, after, limit };
        Ok(self.0.store.delegations(filter).await?)
    }

    /// What others did in a mailbox since then, the latest first.
    ///
    /// # Errors
    /// `NoSuchMailbox`.
    pub async fn shared_acts(
        &self,
        actor: &Actor,
        mailbox: &Address,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<store::SharedAct>, DelegationError> {
        self.authorize(actor, Action::MailboxActs, &AdminTarget::Address(mailbox)).await?;
        let mailbox = self.party(mailbox).await?;
        self.write_acts().await;
        Ok(self.0.store.shared_acts(mailbox.account, since, limit).await?)
    }

    /// Ends what the delegate has and gives `new` instead, audited; the transaction holds the mailbox's lock from here on.
    pub(crate) async fn put_delegation(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        (mailbox, delegate): (&PartyRow, &PartyRow),
        new: Option<&store::NewDelegation<'_>>,
    ) -> Result<(), DelegationError> {
        // The lock moves the modseq on: by it, the other nodes notice that rights have changed.
        tx.lock_mailbox(mailbox.account).await?.ok_or(Error::NotFound)?;
        let now = self.now();
        let before = tx.present_delegation(mailbox.account, delegate.account).await?;
        if let Some(new) = new {
            self.check_giver(tx, actor, mailbox, (before.as_ref(), new)).await?;
        }
        tx.revoke_delegations(mailbox.account, Some(delegate.account), (actor.name(), now)).await?;
        let lost = |right| {
            let had = before.as_ref().is_some_and(|before| before.rights.contains(right));
            had && !new.is_some_and(|new| new.rights.contains(right))
        };
        if lost(Right::Read) || lost(Right::Manage) {
            self.end_forward_by(tx, actor, mailbox, &[delegate.account]).await?;
        }
        let target = mailbox.address.to_string();
        let Some(new) = new else {
            let detail = json!({ "delegate": delegate.address.to_string(), "ended": 1 });
            return Ok(self.audit(tx, actor, "delegate.revoke", &target, &detail).await?);
        };
        self.insert_delegation(tx, new).await?;
        let rights: Vec<&str> = new.rights.iter().map(Right::as_str).collect();
        let detail = json!({
            "delegate": delegate.address.to_string(),
            "rights": rights,
            "document": new.document,
            "consent": new.consent,
            "since": new.since.to_string(),
            "until": new.until.map(|until| until.to_string()),
        });
        Ok(self.audit(tx, actor, "delegate.grant", &target, &detail).await?)
    }

    /// As many as may be; the transaction holds the mailbox's lock.
    pub(crate) async fn insert_delegation(
        &self,
        tx: &mut Tx,
        new: &store::NewDelegation<'_>,
    ) -> Result<(), DelegationError> {
        let now = self.now();
        let (delegates, mailboxes) = tx.count_delegations(new.mailbox, new.delegate, now).await?;
        if delegates >= DELEGATES_MAX || mailboxes >= MAILBOXES_MAX as usize {
            return Err(DelegationError::TooMany);
        }
        tx.insert_delegation(new, now).await?;
        Ok(())
    }

    /// What is added to what there was must be the giver's own, and not for longer.
    async fn check_giver(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        mailbox: &PartyRow,
        (before, new): (Option<&PresentRow>, &store::NewDelegation<'_>),
    ) -> Result<(), DelegationError> {
        let target = AdminTarget::Mailbox(mailbox.account);
        let Some(giver) = actor.account() else { return Ok(()) };
        if !self.is_lent(actor, Action::DelegateGrant, &target).await? {
            return Ok(());
        }
        // As it is now that nobody else changes it.
        let own = tx.present_delegation(mailbox.account, giver).await?;
        let own = own.filter(|own| own.holds(self.now()) && own.rights.contains(Right::Manage));
        let own = own.ok_or(AdminError::Denied(Reason::Right(Right::Manage)))?;
        let within = |limit: Option<Timestamp>| {
            limit.is_none_or(|limit| new.until.is_some_and(|until| until <= limit))
        };
        let kept = before
            .filter(|before| before.holds(self.now()) && before.since <= new.since && within(before.until));
        let kept = kept.map_or(Rights::NONE, |kept| kept.rights);
        let added: Rights = new.rights.iter().filter(|right| !kept.contains(*right)).collect();
        let is_lent = added.iter().all(|right| own.rights.contains(right));
        let own_paper = new.delegate != giver || new.document == own.document;
        if own_paper && is_lent && (added.is_empty() || within(own.until)) {
            Ok(())
        } else {
            Err(DelegationError::MoreThanOwn)
        }
    }

    /// Wakes those who have the mailbox open, here and elsewhere: what they do next is looked at anyway.
    pub(crate) async fn delegations_changed(&self, mailbox: AccountId) {
        self.0.hub.tell(mailbox);
        self.rights_changed(&[mailbox]).await;
    }

    /// Whom it is about, and to whom: a person, and not himself.
    async fn parties(
        &self,
        mailbox: &Address,
        delegate: &Address,
    ) -> Result<(PartyRow, PartyRow), DelegationError> {
        let (mailbox, delegate) = (self.party(mailbox).await?, self.party(delegate).await?);
        if mailbox.account == delegate.account {
            return Err(DelegationError::Own);
        }
        if !is_personal(delegate.class) {
            return Err(DelegationError::NoPerson(delegate.address));
        }
        Ok((mailbox, delegate))
    }

    pub(crate) async fn party(&self, address: &Address) -> Result<PartyRow, AdminError> {
        let party = self.0.store.party(address).await?;
        party.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))
    }

    /// AG Đ11.2d: a personal mailbox is its owner's alone.
    async fn check_lending(&self, mailbox: &PartyRow, new: &NewDelegation) -> Result<(), DelegationError> {
        if !is_personal(mailbox.class) {
            return Ok(());
        }
        match self.personal_delegation(mailbox.domain).await? {
            PersonalDelegation::Off => Err(DelegationError::Personal(mailbox.address.clone())),
            PersonalDelegation::LeaveCover => {
                let consent = new.consent.as_deref().unwrap_or_default();
                check_document(consent).map_err(|_| DelegationError::LeaveOnly)?;
                new.until.map(drop).ok_or(DelegationError::LeaveOnly)
            }
        }
    }

    async fn personal_delegation(&self, domain: DomainId) -> Result<PersonalDelegation, Error> {
        Ok(self.policy_of(domain).await?.handling.personal_delegation)
    }
}

pub(crate) fn is_personal(class: MailboxClass) -> bool {
    matches!(class, MailboxClass::Person | MailboxClass::Leader)
}

pub(crate) fn check_document(text: &str) -> Result<(), DelegationError> {
    let fits = (1..=DOCUMENT_CHARS_MAX).contains(&text.trim().chars().count());
    if fits && !text.chars().any(char::is_control) { Ok(()) } else { Err(DelegationError::Document) }
}
