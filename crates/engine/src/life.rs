//! A mailbox's life: tạm khóa, khôi phục, danh sách xóa, xóa; each act checked by `model::lifecycle` and audited.
//!
//! Invariants: a stage is changed by `lifecycle::apply` alone, under the mailbox's lock; what ends rights ends the sessions
//! of every node behind the commit; deleted means that the content goes, the audit trail stays.

mod deletion;
mod export;
mod nightly;
mod notices;
mod rules;
mod shown;
mod spread;

pub use export::{Archive, Export};
#[cfg(test)]
pub(crate) use nightly::Kept;
pub(crate) use rules::rules;
pub use shown::{LifeDetail, LockDetail, LockEvidence};

use crate::admin::check_reason;
use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::Timestamp;
use jiff::civil::Date;
use model::calendar::local_date;
use model::lifecycle::{
    self, Applied, DeletionCause, Effect, Event, Life, LockReason, Refusal, Rules, backups_until,
};
use model::password_rules::ChangeReason;
use model::{Action, Address, Role};
use serde_json::{Value, json};
use store::LifeRow;

/// What a lock did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockDone {
    /// Mail still comes in.
    pub receives: bool,
    /// Messages that it sent and that are kept back: it was locked for what it sends.
    pub kept_back: u64,
}

/// What the administrator hands to the owner of a mailbox that was restored.
#[derive(Clone, PartialEq, Eq)]
pub struct Unlocked {
    pub address: Address,
    pub one_time_password: String,
    /// It is no longer valid from then on.
    pub until: Timestamp,
    /// Messages of the mailbox that its lock keeps back until somebody lets them go; not what an administrator holds.
    pub kept_back: u64,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unlocked")
            .field("address", &self.address)
            .field("until", &self.until)
            .field("kept_back", &self.kept_back)
            .finish_non_exhaustive()
    }
}

/// One act as the audit trail names it.
struct Act<'a> {
    name: &'static str,
    events: &'a [Event],
    detail: Value,
    /// Nobody waits for an archive: an administrator said why.
    without_export: bool,
}

impl<'a> Act<'a> {
    fn new(name: &'static str, events: &'a [Event], detail: Value) -> Self {
        Self { name, events, detail, without_export: false }
    }

    /// What was seen, in words or, by the system, in numbers.
    fn evidence(&self) -> String {
        let seen = self.detail.get("evidence");
        seen.map(|seen| seen.as_str().map_or_else(|| seen.to_string(), str::to_owned)).unwrap_or_default()
    }

    fn note(&mut self, name: &str, value: Value) {
        if let Some(detail) = self.detail.as_object_mut() {
            detail.insert(name.to_owned(), value);
        }
    }
}

impl Engine {
    /// Tạm khóa (An Giang 63/2016 Điều 8.1): nobody logs in, and whoever has is out at once. `evidence` says what was seen.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `BadReason`, or `Life` when it is not in use.
    pub async fn lock(
        &self,
        actor: &Actor,
        address: &Address,
        reason: LockReason,
        evidence: &str,
    ) -> Result<LockDone, AdminError> {
        check_reason(evidence)?;
        self.authorize(actor, Action::MailboxLock, &AdminTarget::Address(address)).await?;
        let detail = json!({ "reason": reason, "evidence": evidence });
        let events = [Event::Lock(reason)];
        let act = Act::new("mailbox.lock", &events, detail);
        let (row, rules) = self.change_life(actor, role_of(actor), address, act).await?;
        let kept_back = self.0.store.kept_back_of(row.account).await?;
        Ok(LockDone { receives: row.life.receives(&rules), kept_back })
    }

    /// The organisation asks for restoration (đề nghị khôi phục, Điều 8.2a); the day by whose end it is to be done.
    ///
    /// # Errors
    /// As [`Engine::lock`].
    pub async fn ask_restore(
        &self,
        actor: &Actor,
        address: &Address,
        request: &str,
    ) -> Result<Option<Date>, AdminError> {
        check_reason(request)?;
        self.authorize(actor, Action::RequestCreate, &AdminTarget::Address(address)).await?;
        let detail = json!({ "request": request });
        let act = Act::new("mailbox.restore", &[Event::AskRestore], detail);
        let (row, rules) = self.change_life(actor, role_of(actor), address, act).await?;
        Ok(lifecycle::restore_due_on(&row.life, &rules, &self.calendar().await?))
    }

    /// # Errors
    /// As [`Engine::lock`].
    pub async fn refuse_restore(
        &self,
        actor: &Actor,
        address: &Address,
        reason: &str,
    ) -> Result<(), AdminError> {
        check_reason(reason)?;
        self.authorize(actor, Action::MailboxUnlock, &AdminTarget::Address(address)).await?;
        let detail = json!({ "reason": reason });
        let act = Act::new("mailbox.restore-refuse", &[Event::RefuseRestore], detail);
        self.change_life(actor, role_of(actor), address, act).await.map(drop)
    }

    /// Khôi phục (Điều 8.2b): with a one-time password that is to be changed at the first log-in. `request`: what the
    /// organisation wrote, where it was not entered before.
    ///
    /// # Errors
    /// As [`Engine::lock`]; `Life(NotAsked)` when the organisation has not asked.
    pub async fn unlock(
        &self,
        actor: &Actor,
        address: &Address,
        request: Option<&str>,
    ) -> Result<Unlocked, AdminError> {
        request.map_or(Ok(()), check_reason)?;
        self.authorize(actor, Action::MailboxUnlock, &AdminTarget::Address(address)).await?;
        let row = self.existing(address).await?;
        let policy = self.policy_of(row.domain).await?;
        let telling = self.telling(std::iter::once(&row)).await?;
        // Before the mailbox is held: it takes a while.
        let one_time = self.one_time(&policy).await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(row.account).await?.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        let row = tx.life(row.account).await?.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))?;
        let events: &[Event] =
            if request.is_some() { &[Event::AskRestore, Event::Restore] } else { &[Event::Restore] };
        let applied = apply(role_of(actor), &row, events, self.now(), &rules(&policy))?;
        tx.set_life(row.account, &applied.life, false).await?;
        tx.set_password(row.account, &one_time.as_new(ChangeReason::Unlocked, self.now(), &policy)).await?;
        // Not when it is locked: what is on its way would be counted anew, and go.
        tx.forget_counts(row.account).await?;
        tx.forget_told_visits(row.account).await?;
        let detail =
            json!({ "request": request, "was": row.life, "one_time_until": one_time.until.to_string() });
        self.audit(&mut tx, actor, "mailbox.unlock", &row.address.to_string(), &detail).await?;
        let owed = self.about_change(&row, &applied.life, &rules(&policy), &telling);
        tx.owe_notices(&owed, self.now()).await?;
        tx.commit().await?;
        self.rights_changed(&[row.account]).await;
        self.forwards_changed().await;
        self.send_owed(&owed).await;
        let kept_back = self.0.store.kept_back_of(row.account).await?;
        let (one_time_password, until) = (one_time.password, one_time.until);
        Ok(Unlocked { address: row.address, one_time_password, until, kept_back })
    }

    /// Đưa vào danh sách xóa, for a violation or because the organisation gave it up.
    ///
    /// # Errors
    /// As [`Engine::lock`].
    pub async fn list_for_deletion(
        &self,
        actor: &Actor,
        address: &Address,
        cause: DeletionCause,
        reason: &str,
    ) -> Result<(), AdminError> {
        check_reason(reason)?;
        self.authorize(actor, Action::MailboxRevoke, &AdminTarget::Address(address)).await?;
        let detail = json!({ "cause": cause, "reason": reason });
        let events = [Event::List(cause)];
        let act = Act::new("mailbox.revoke", &events, detail);
        self.change_life(actor, role_of(actor), address, act).await.map(drop)
    }

    async fn existing(&self, address: &Address) -> Result<LifeRow, AdminError> {
        self.0.store.life(address).await?.ok_or_else(|| AdminError::NoSuchMailbox(address.clone()))
    }

    /// One act by an administrator: all its events or none. The mailbox as it is then.
    async fn change_life(
        &self,
        actor: &Actor,
        by: lifecycle::Actor,
        address: &Address,
        act: Act<'_>,
    ) -> Result<(LifeRow, Rules), AdminError> {
        let row = self.existing(address).await?;
        self.change_life_of(&row, actor, by, act).await
    }

    /// The same for one that was looked at before; what the system found due is done only while its stage is as it was found.
    async fn change_life_of(
        &self,
        seen: &LifeRow,
        actor: &Actor,
        by: lifecycle::Actor,
        mut act: Act<'_>,
    ) -> Result<(LifeRow, Rules), AdminError> {
        let gone = || AdminError::NoSuchMailbox(seen.address.clone());
        let rules = rules(&*self.policy_of(seen.domain).await?);
        let mut telling = self.telling(std::iter::once(seen)).await?;
        let spreads = act.events.iter().any(spread::is_of_spreading);
        if spreads {
            telling.add_centre(self.centre(seen.domain, seen.address.domain()).await?);
        }
        let calendar = self.calendar().await?;
        let mut tx = self.0.store.begin().await?;
        tx.lock_mailbox(seen.account).await?.ok_or_else(gone)?;
        let mut row = tx.life(seen.account).await?.ok_or_else(gone)?;
        let before = row.life;
        if by == lifecycle::Actor::System && before != seen.life {
            return Err(lifecycle::Refusal::NotFromHere(lifecycle::StateName(before.state())).into());
        }
        row.holds.export_pending &= !act.without_export;
        let applied = apply(by, &row, act.events, self.now(), &rules)?;
        if applied.has(Effect::EraseContent) {
            act.note("backups_until", json!(backups_until(local_date(self.now()), &rules)));
            // However much mail there is: one that is cut off could never be deleted.
            tx.take_time().await?;
            tx.delete_account(row.account, self.now()).await?;
        }
        let ends = applied.has(Effect::EndSessions);
        tx.set_life(row.account, &applied.life, ends).await?;
        row.life = applied.life;
        if act.without_export {
            tx.waive_export(row.account).await?;
        }
        if spreads {
            let held = tx.hold_mail_of(row.account, self.now()).await?;
            act.note("queued_mail_held", json!(held));
        }
        if act.events.iter().any(|event| matches!(event, Event::Lock(_))) {
            tx.note_locks(&[row.account], (actor.name(), &act.evidence())).await?;
        }
        act.note("was", json!(before));
        self.audit(&mut tx, actor, act.name, &row.address.to_string(), &act.detail).await?;
        let owed = match act.events {
            _ if !applied.has(Effect::Notify) => Vec::new(),
            [Event::AskRestore | Event::RefuseRestore] => {
                let due = lifecycle::restore_due_on(&row.life, &rules, &calendar);
                let why = act.detail.get("reason").and_then(Value::as_str).unwrap_or_default();
                self.about_restoration(&row, &telling, due, why)
            }
            _ => self.about_change(&row, &row.life, &rules, &telling),
        };
        tx.owe_notices(&owed, self.now()).await?;
        tx.commit().await?;
        if spreads {
            self.hold_rest_of(row.account).await;
        }
        if ends {
            self.rights_changed(&[row.account]).await;
        }
        self.forwards_changed().await;
        self.send_owed(&owed).await;
        Ok((row, rules))
    }
}

/// What several events in a row lead to.
struct Outcome {
    life: Life,
    effects: Vec<Effect>,
}

impl Outcome {
    fn has(&self, effect: Effect) -> bool {
        self.effects.contains(&effect)
    }
}

/// As whom the life cycle knows an administrator.
fn role_of(actor: &Actor) -> lifecycle::Actor {
    match actor.highest_role() {
        Some(Role::SystemAdministrator) => lifecycle::Actor::Administrator,
        Some(Role::CentreOperator) => lifecycle::Actor::Operator,
        Some(Role::OrganisationOfficer) => lifecycle::Actor::Officer,
        _ => lifecycle::Actor::Owner,
    }
}

/// The events in their order.
fn apply(
    by: lifecycle::Actor,
    row: &LifeRow,
    events: &[Event],
    at: Timestamp,
    rules: &Rules,
) -> Result<Outcome, AdminError> {
    let mut outcome = Outcome { life: row.life, effects: Vec::new() };
    for event in events {
        let applied = lifecycle::apply(&outcome.life, *event, by, at, &row.holds, rules);
        let Applied { life, transition } = applied.map_err(|refusal| match refusal {
            Refusal::NotExported => AdminError::NotExported(row.address.clone()),
            refusal => refusal.into(),
        })?;
        outcome.life = life;
        outcome.effects.extend_from_slice(transition.effects);
    }
    Ok(outcome)
}
