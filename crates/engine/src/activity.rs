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
use store::{LeaveAnswer, LeaveRow};

/// The lock for disuse comes after months: an hour is exact enough.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Mailboxes remembered; beyond, all are forgotten, which costs a note each.
const REMEMBERED_MAX: usize = 50_000;

/// Days of one notice of leave, and days ahead that it reaches: whoever is away for longer gives notice again, so that nobody is
/// excused for ever by a word of his own.
const LEAVE_DAYS_MAX: i64 = 366;

/// Characters of what is answered on days of leave, and of its subject.
const ANSWER_CHARS_MAX: usize = 4000;
const SUBJECT_CHARS_MAX: usize = 200;

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

/// Several lines, under a subject of one.
fn check_answer(answer: &LeaveAnswer) -> Result<(), AdminError> {
    let is_text = (1..=ANSWER_CHARS_MAX).contains(&answer.text.trim().chars().count())
        && !answer.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    let is_line = answer.subject.as_ref().is_none_or(|subject| {
        (1..=SUBJECT_CHARS_MAX).contains(&subject.trim().chars().count())
            && !subject.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    });
    if is_text && is_line { Ok(()) } else { Err(AdminError::BadAnswer) }
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

    /// Thông báo lý do: from the first to the last day the mailbox may be unused (Điều 8.1a), and whoever writes to it on those days is
    /// answered this, which only its owner has it say.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`, `BadLeave`, `LongLeave`, `BadAnswer`, `Denied`; `LeaveNoted` when one of the days is excused already.
    pub async fn note_leave(
        &self,
        actor: &Actor,
        address: &Address,
        leave: Leave,
        reason: &str,
        answer: Option<&LeaveAnswer>,
    ) -> Result<(), AdminError> {
        check_reason(reason)?;
        self.authorize(actor, Action::NoticeRecord, &AdminTarget::Address(address)).await?;
        if let Some(answer) = answer {
            self.authorize_own_rules(actor, address).await?;
            check_answer(answer)?;
        }
        let Leave { from, to } = leave;
        if to < from {
            return Err(AdminError::BadLeave);
        }
        if days_from(from, to).max(days_from(self.today(), to)) > LEAVE_DAYS_MAX {
            return Err(AdminError::LongLeave(LEAVE_DAYS_MAX));
        }
        let missing = || AdminError::NoSuchMailbox(address.clone());
        let row = self.0.store.life(address).await?.ok_or_else(missing)?;
        let mut tx = self.0.store.begin().await?;
        // Two who note the same leave at once come one after the other.
        tx.lock_mailbox(row.account).await?.ok_or_else(missing)?;
        if let Some(noted) = tx.overlapping_leave(row.account, leave).await? {
            return Err(AdminError::LeaveNoted(noted));
        }
        tx.add_leave(row.account, (leave, reason), answer, (actor.name(), self.now())).await?;
        let said = answer.map(|answer| json!({ "subject": answer.subject, "text": answer.text }));
        let detail = json!({ "from": from, "to": to, "reason": reason, "answer": said });
        self.audit(&mut tx, actor, "mailbox.leave", &row.address.to_string(), &detail).await?;
        tx.commit().await?;
        if answer.is_some() {
            self.sieve_changed(&[row.account]).await;
        }
        Ok(())
    }

    /// Takes back the leave that begins on that day: terms are counted as if it had not been noted. Says what it was.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`; `NoSuchLeave` when none that stands begins then.
    pub async fn withdraw_leave(
        &self,
        actor: &Actor,
        address: &Address,
        from: Date,
        why: &str,
    ) -> Result<LeaveRow, AdminError> {
        check_reason(why)?;
        self.authorize(actor, Action::NoticeRecord, &AdminTarget::Address(address)).await?;
        let missing = || AdminError::NoSuchMailbox(address.clone());
        let row = self.0.store.life(address).await?.ok_or_else(missing)?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(row.account).await?.ok_or_else(missing)?;
        let withdrawn = tx.withdraw_leaves(row.account, from, (actor.name(), why, self.now())).await?;
        let target = row.address.to_string();
        for LeaveRow { leave, reason, .. } in &withdrawn {
            let detail = json!({ "from": leave.from, "to": leave.to, "reason": reason, "why": why });
            self.audit(&mut tx, actor, "mailbox.leave-withdraw", &target, &detail).await?;
        }
        let last = withdrawn.into_iter().max_by_key(|row| row.leave.to);
        let last = last.ok_or(AdminError::NoSuchLeave(from))?;
        tx.commit().await?;
        if last.answer.is_some() {
            self.sieve_changed(&[row.account]).await;
        }
        Ok(last)
    }

    /// The leaves of a mailbox, the latest first, with those that were taken back; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaves(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<Vec<LeaveRow>>, AdminError> {
        let allowed = self.authorize(actor, Action::ActivityShow, &AdminTarget::Address(address)).await;
        let Some(()) = unless_missing(allowed)? else { return Ok(None) };
        match self.0.store.life(address).await? {
            Some(row) => Ok(Some(self.0.store.leaves(row.account).await?)),
            None => Ok(None),
        }
    }

    /// Those that stand and are not over, the first one first; `None` when there is no such mailbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leaves_ahead(
        &self,
        actor: &Actor,
        address: &Address,
    ) -> Result<Option<Vec<LeaveRow>>, AdminError> {
        let today = self.today();
        let ahead = |all: Vec<LeaveRow>| {
            let stand = all.into_iter().filter(|row| row.withdrawn.is_none() && row.leave.to >= today);
            stand.rev().collect()
        };
        Ok(self.leaves(actor, address).await?.map(ahead))
    }
}
