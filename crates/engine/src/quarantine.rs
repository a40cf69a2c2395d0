//! Mail that is kept apart until somebody has looked at it (cách ly; An Giang 63/2016 Điều 10.1d; requirement D7,
//! docs/adr/0023-quarantine.md).
//!
//! Invariants: what was answered 250 lies here durably until somebody decides on it or its term is over; each mailbox's is decided
//! once; nobody is shown what it says, only who wrote it, about what, and why it is here; each decision is in the audit trail,
//! and what became of it in the trace; whose mailbox is under legal hold sees of that nothing here: what he deletes, and what is over, is
//! gone for him, and a copy of it stays.

mod kept_back;
mod kept_letters;
mod letters;
mod rescan;

use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::{SignedDuration, Timestamp};
use model::{AccountId, Action, Address, DomainId, DomainName, Listed};
use serde_json::json;
use std::collections::BTreeMap;
use store::{ListedLine, QuarantineFilter, QuarantinedRow};

/// Messages dropped by one transaction.
const BATCH: u32 = 500;
/// Messages of a page.
const PAGE_MAX: u32 = 1_000;

/// A message that is kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedMessage {
    pub row: QuarantinedRow,
    /// When it is dropped, unless somebody decides on it before.
    pub until: Timestamp,
}

/// Which of them; what is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct QuarantineQuery {
    pub mailbox: Option<Address>,
    pub domain: Option<DomainName>,
    /// Behind this number.
    pub after: i64,
    /// 1 to 1,000.
    pub limit: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineError {
    #[error("there is no such message: it was released, deleted, or its term is over")]
    NoSuchMessage,
    #[error(
        "its mailbox is under legal hold: nothing that was kept apart for it is deleted (congthu hold list)"
    )]
    Held,
    #[error("it holds malware ({0}), and is not let go: delete it (congthu quarantine delete)")]
    Infected(String),
    #[error(
        "it could not be scanned for malware now, and policy lets nothing in without (filter.not_scanned_in): try again when clamd answers"
    )]
    NotScanned,
    #[error("the message names no sender, or several, whom a list could name")]
    NoSender,
    #[error("{0} is of this system: mail of colleagues is blocked by nobody")]
    OwnSender(Address),
    #[error("a mailbox lists 500 senders at most: take one off its list before (congthu quarantine forget)")]
    TooManySenders,
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for QuarantineError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for QuarantineError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl Engine {
    /// What he may see of what is kept apart, the oldest first; copies that stay for a legal hold as an administrator alone.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `NoSuchDomain`, `Denied`.
    pub async fn quarantine(
        &self,
        actor: &Actor,
        query: &QuarantineQuery,
    ) -> Result<Vec<QuarantinedMessage>, QuarantineError> {
        let mailbox = match &query.mailbox {
            Some(address) => {
                self.authorize(actor, Action::QuarantineShow, &AdminTarget::Address(address)).await?;
                Some(self.party(address).await?.account)
            }
            None => None,
        };
        let domain = match &query.domain {
            Some(name) => {
                self.authorize_member(actor, Action::QuarantineShow, name).await?;
                Some(self.domain_id(name).await?)
            }
            None => None,
        };
        let filter =
            QuarantineFilter { mailbox, domain, after: query.after, limit: query.limit.clamp(1, PAGE_MAX) };
        let reach = actor.reach(Action::QuarantineShow);
        let offices = actor.reach_in_office(Action::QuarantineShow);
        let mut found = Vec::new();
        for row in self.0.store.quarantined(&filter, &reach, (&offices, actor.account())).await? {
            found.push(self.with_term(row).await?);
        }
        Ok(found)
    }

    /// One of them.
    ///
    /// # Errors
    /// `NoSuchMessage`, also for what is none of his.
    pub async fn quarantined_message(
        &self,
        actor: &Actor,
        held: i64,
    ) -> Result<QuarantinedMessage, QuarantineError> {
        let row = self.quarantined_for(actor, Action::QuarantineShow, held).await?;
        Ok(self.with_term(row).await?)
    }

    /// Lets it go to whom it was for, and on from there as his mail goes on by itself, but not out of the system. It comes however full
    /// the mailbox is, as it was taken, but not what the scanner for malware finds something in by now. With `allow` what its author writes, where it is shown to be his, is wanted there from now on.
    ///
    /// # Errors
    /// `NoSuchMessage`, also when somebody else was quicker; `Infected`, `NotScanned`, `NoSender`, `TooManySenders`, `Denied`.
    pub async fn release_quarantined(
        &self,
        actor: &Actor,
        (held, allow): (i64, bool),
    ) -> Result<QuarantinedMessage, QuarantineError> {
        let message = self.quarantined_for(actor, Action::QuarantineRelease, held).await?;
        if allow {
            self.authorize(actor, Action::SendersChange, &AdminTarget::Mailbox(message.account)).await?;
        }
        self.scan_released(&message).await?;
        self.renew_forwards().await?;
        let place = (message.account, message.inbox);
        let ends = self.forwarded(place, false, false).await?;
        let (places, steps) = match ends.outside {
            Some(_) => (vec![place], Vec::new()),
            None => (ends.mailboxes, ends.steps),
        };
        let mut tx = self.0.store.begin().await?;
        // The mailbox's lock comes before that of the message, as for whoever deletes it; the audit trail's is the last.
        let line = allow.then(|| allowed(&message)).transpose()?;
        if let Some(line) = &line {
            self.list_sender(&mut tx, actor, &message, line).await?;
        }
        if !tx.release_quarantined(&message, (&places, &steps), self.now()).await? {
            return Err(QuarantineError::NoSuchMessage);
        }
        let detail = about(&message);
        self.audit(&mut tx, actor, Action::QuarantineRelease.as_str(), &message.mailbox, &detail).await?;
        if let Some(line) = &line {
            self.audit_listed(&mut tx, actor, &message, line).await?;
        }
        tx.commit().await?;
        self.0.pending.notify_one();
        Ok(self.with_term(message).await?)
    }

    /// Nobody gets it; its sender is not told. Under legal hold a copy stays, and who is not to know of that is told nothing of it.
    ///
    /// # Errors
    /// `NoSuchMessage`, also when somebody else was quicker; `Held` for administrators; `Denied`.
    pub async fn delete_quarantined(
        &self,
        actor: &Actor,
        held: i64,
    ) -> Result<QuarantinedMessage, QuarantineError> {
        let message = self.quarantined_for(actor, Action::QuarantineDelete, held).await?;
        let mut tx = self.0.store.begin().await?;
        let mut detail = about(&message);
        if !tx.delete_quarantined(held, self.now()).await? {
            if self.may_know_of_holds(actor, &message).await? {
                let there = self.0.store.quarantined_message(held).await?;
                return Err(there.map_or(QuarantineError::NoSuchMessage, |_| QuarantineError::Held));
            }
            if !tx.keep_quarantined(held, self.now()).await? {
                return Err(QuarantineError::NoSuchMessage);
            }
            detail["kept_for_hold"] = true.into();
        }
        self.audit(&mut tx, actor, Action::QuarantineDelete.as_str(), &message.mailbox, &detail).await?;
        tx.commit().await?;
        Ok(self.with_term(message).await?)
    }

    /// Drops what has been kept apart for as long as the domain's policy keeps it, under legal hold but for a copy, and gives up what was
    /// kept back of what is sent.
    pub(crate) async fn expire_quarantine_job(&self) -> Result<String, Error> {
        let (mut dropped, mut kept, mut given_up) = (self.drop_kept().await?, 0, 0);
        let mut by_term: BTreeMap<SignedDuration, Vec<DomainId>> = BTreeMap::new();
        for (domain, _) in self.0.store.policy_versions().await? {
            by_term.entry(self.quarantine_term(domain).await?).or_default().push(domain);
        }
        // What is there is gone through once for each term, and not for each domain.
        for (term, domains) in by_term {
            let before = self.now().saturating_sub(term).unwrap_or(Timestamp::MIN);
            loop {
                // Each by itself: both count for mailboxes in their order, and so does whoever keeps something apart.
                let mut tx = self.0.store.begin().await?;
                let gone = tx.expire_quarantined(&domains, (before, BATCH), self.now()).await?;
                tx.commit().await?;
                let mut tx = self.0.store.begin().await?;
                let stay = tx.keep_expired(&domains, (before, BATCH), self.now()).await?;
                tx.commit().await?;
                dropped += gone;
                kept += stay;
                if gone.max(stay) < u64::from(BATCH) {
                    break;
                }
            }
            given_up += self.give_up_filtered(&domains, before).await?;
        }
        Ok(format!("{dropped} messages dropped, {kept} kept for legal holds, {given_up} given up"))
    }

    /// Drops copies whose legal hold has ended.
    async fn drop_kept(&self) -> Result<u64, Error> {
        let mut dropped = 0;
        loop {
            let mut tx = self.0.store.begin().await?;
            let gone = tx.drop_kept(BATCH, self.now()).await?;
            tx.commit().await?;
            dropped += gone;
            if gone < u64::from(BATCH) {
                return Ok(dropped);
            }
        }
    }

    /// Those of these for which no message of so many octets more can be kept apart.
    pub(crate) async fn full_quarantines(
        &self,
        accounts: &[AccountId],
        bytes: u64,
    ) -> Result<Vec<AccountId>, Error> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let full = self.0.store.full_quarantines(accounts, bytes).await?;
        for account in &full {
            tracing::warn!(%account, "a mailbox has as much in quarantine as there may be; it gets the message as Junk");
        }
        Ok(full)
    }

    pub(crate) async fn quarantined_for(
        &self,
        actor: &Actor,
        action: Action,
        held: i64,
    ) -> Result<QuarantinedRow, QuarantineError> {
        let message = self.0.store.quarantined_message(held).await?.ok_or(QuarantineError::NoSuchMessage)?;
        let allowed = self.authorize(actor, action, &AdminTarget::Mailbox(message.account)).await;
        unless_missing(allowed)?.ok_or(QuarantineError::NoSuchMessage)?;
        if message.kept_since.is_some() && !self.may_know_of_holds(actor, &message).await? {
            return Err(QuarantineError::NoSuchMessage);
        }
        Ok(message)
    }

    /// Whoever administers the mailbox of a message, unless it is his own, which may be held for what he did.
    async fn may_know_of_holds(&self, actor: &Actor, message: &QuarantinedRow) -> Result<bool, Error> {
        let target = AdminTarget::Mailbox(message.account);
        Ok(actor.account() != Some(message.account)
            && self.may_in_office(actor, Action::QuarantineShow, &target).await?)
    }

    pub(crate) async fn with_term(&self, row: QuarantinedRow) -> Result<QuarantinedMessage, Error> {
        let term = self.quarantine_term(row.domain).await?;
        let until = row.held_at.saturating_add(term).unwrap_or(Timestamp::MAX);
        Ok(QuarantinedMessage { row, until })
    }

    async fn quarantine_term(&self, domain: DomainId) -> Result<SignedDuration, Error> {
        let days = self.policy_of(domain).await?.filter.quarantine_days;
        Ok(SignedDuration::from_hours(24 * i64::from(days)))
    }
}

/// What a mailbox that wants this message says of who wrote it.
fn allowed(message: &QuarantinedRow) -> Result<ListedLine, QuarantineError> {
    let sender = message.author.clone().ok_or(QuarantineError::NoSender)?;
    Ok(ListedLine { sender, listed: Listed::Allowed, is_shown: message.is_shown })
}

/// For the audit trail.
fn about(message: &QuarantinedRow) -> serde_json::Value {
    json!({
        "held": message.held, "recipient": message.recipient, "sender": message.sender, "author": message.author,
        "reason": message.reason,
    })
}
