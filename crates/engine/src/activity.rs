//! What is use of a mailbox (giao dịch gửi, nhận; An Giang 63/2016 Điều 8.1a): a message sent, and new mail that was
//! retrieved; and the leaves (thông báo lý do) that excuse disuse.
//!
//! Retrieved is mail whose body a client took, or that was marked as seen, and that was delivered after the newest that was
//! retrieved before. A list of headers is not retrieval, nor is a telephone that asks and finds nothing new, nor the same
//! message taken by a second device, nor what the system itself wrote (else the warning of the lock would prevent it).
//! Telephones and Outlook take the bodies of new mail by themselves: that is retrieval, as it came to the user's device.
//!
//! Invariants: noted at most once an hour for each mailbox and node; a note that fails costs nothing but the note; deliveries
//! note nothing.

use crate::admin::check_reason;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, FolderView, Principal};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::calendar::days_from;
use model::lifecycle::Leave;
use model::{AccountId, Action, Address, Uid};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// The lock for disuse comes after months: an hour is exact enough.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Mailboxes remembered; beyond, all are forgotten, which costs a note each.
const REMEMBERED_MAX: usize = 50_000;

/// Days of one notice of leave, and days ahead that it reaches: whoever is away for longer gives notice again, so that nobody is
/// excused for ever by a word of his own.
const LEAVE_DAYS_MAX: i64 = 366;

/// Of the messages of one command, the newest that are asked about: one of them was delivered, or the mail is not new.
const NEWEST_MAX: usize = 100;

/// What this node has noted lately.
#[derive(Debug, Default)]
pub(crate) struct Noted(Mutex<HashMap<AccountId, Last>>);

#[derive(Clone, Copy, Debug, Default)]
struct Last {
    sent: Option<Timestamp>,
    retrieved: Option<Timestamp>,
    /// The newest email id that was looked at.
    email: i64,
}

impl Noted {
    /// Should it be noted now? Then it counts as noted.
    fn takes(&self, account: AccountId, test: impl FnOnce(&mut Last) -> bool) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= REMEMBERED_MAX && !noted.contains_key(&account) {
            noted.clear();
        }
        test(noted.entry(account).or_default())
    }
}

fn is_fresh(noted: Option<Timestamp>, now: Timestamp) -> bool {
    noted.is_some_and(|at| now.duration_since(at).abs() < NOTED_EVERY)
}

impl Engine {
    /// The principal has sent a message, in the name of these, which he may: what is written for an office is its mailbox's use.
    pub(crate) async fn note_sent(&self, who: &Principal, authors: Vec<Address>) {
        self.note_sent_by(who.account()).await;
        let others: BTreeSet<Address> =
            authors.into_iter().filter(|author| author != who.own().address()).collect();
        for author in others {
            let plain = self.untagged(&author).await.unwrap_or(None);
            match self.0.store.party(plain.as_ref().unwrap_or(&author)).await {
                Ok(Some(party)) if party.account != who.account() => self.note_sent_by(party.account).await,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "that a mailbox was used could not be noted"),
            }
        }
    }

    async fn note_sent_by(&self, account: AccountId) {
        let now = self.now();
        let first = |last: &mut Last| {
            let fresh = is_fresh(last.sent, now);
            last.sent = if fresh { last.sent } else { Some(now) };
            !fresh
        };
        if self.0.noted.takes(account, first)
            && let Err(error) = self.0.store.note_sent(account, now).await
        {
            tracing::warn!(%error, "that a mailbox was used could not be noted");
        }
    }

    /// The principal's client has taken the bodies of these messages, or marked them as seen. Doors call it once for each
    /// command; it asks the database only about messages newer than any it was asked about before.
    pub async fn note_retrieved(&self, who: &Principal, view: &FolderView, uids: &[Uid]) {
        let mut emails: Vec<(i64, Uid)> =
            uids.iter().filter_map(|uid| Some((view.find(*uid)?.email.0, *uid))).collect();
        emails.sort_unstable_by_key(|(email, _)| std::cmp::Reverse(*email));
        emails.truncate(NEWEST_MAX);
        let Some((newest, _)) = emails.first().copied().filter(|_| view.owner() == who.account()) else {
            return;
        };
        let now = self.now();
        let newer = |last: &mut Last| {
            let is_newer = newest > last.email;
            last.email = last.email.max(newest);
            is_newer && !is_fresh(last.retrieved, now)
        };
        if !self.0.noted.takes(who.account(), newer) {
            return;
        }
        let newest_uids: Vec<Uid> = emails.iter().map(|(_, uid)| *uid).collect();
        let by = (now, who.delegated().is_some());
        match self.0.store.note_retrieved(who.account(), view.folder().id, &newest_uids, by).await {
            Ok(true) => {
                self.0.noted.takes(who.account(), |last| {
                    last.retrieved = Some(now);
                    true
                });
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "that a mailbox was used could not be noted"),
        }
    }

    /// Thông báo lý do: from the first to the last day the mailbox may be unused (Điều 8.1a).
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`, `BadLeave`, `LongLeave`.
    pub async fn note_leave(
        &self,
        actor: &Actor,
        address: &Address,
        from: Date,
        to: Date,
        reason: &str,
    ) -> Result<(), AdminError> {
        check_reason(reason)?;
        self.authorize(actor, Action::NoticeRecord, &AdminTarget::Address(address)).await?;
        if to < from {
            return Err(AdminError::BadLeave);
        }
        if days_from(from, to).max(days_from(self.today(), to)) > LEAVE_DAYS_MAX {
            return Err(AdminError::LongLeave(LEAVE_DAYS_MAX));
        }
        let row = self.0.store.life(address).await?;
        let row = row.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        let mut tx = self.0.store.begin().await?;
        tx.add_leave(row.account, Leave { from, to }, reason, actor.name(), self.now()).await?;
        let detail = json!({ "from": from, "to": to, "reason": reason });
        self.audit(&mut tx, actor, "mailbox.leave", &row.address.to_string(), &detail).await?;
        Ok(tx.commit().await?)
    }

    /// The leaves of a mailbox with their reasons, the latest first; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaves(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<Vec<(Leave, String)>>, AdminError> {
        let allowed = self.authorize(actor, Action::ActivityShow, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        match self.0.store.life(address).await? {
            Some(row) => Ok(Some(self.0.store.leaves(row.account).await?)),
            None => Ok(None),
        }
    }
}
