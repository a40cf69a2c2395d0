//! The nightly look at every mailbox: warnings before the lock for disuse, that lock, the deletion list, deletions
//! (An Giang 63/2016 Điều 8; Sở Công Thương Bình Định 148/2014 Điều 5.2).
//!
//! Invariants: what is due is `model::lifecycle::due`'s to say, a function of the facts, the policy, the calendar and now;
//! done twice it does nothing more; what is done to a mailbox is asked for again under its lock, so one that was used, excused or
//! changed since it was looked at is left alone.

use super::notices::Telling;
use super::{Act, rules};
use crate::{Actor, AdminError, Engine, Error};
use jiff::{SignedDuration, Timestamp};
use model::AccountId;
use model::calendar::WorkCalendar;
use model::lifecycle::{
    self, Decision, DeletionCause, Effect, Event, Facts, Life, LockReason, Rules, Warning,
};
use model::{DomainId, Policy};
use serde_json::json;
use std::collections::HashMap;
use store::{LifeFacts, LifeFilter, LifeRow, OwedNotice};

/// Mailboxes read at once.
const PAGE: u32 = 2_000;
/// Mailboxes changed in one transaction: they are held for as long as it takes.
const BATCH: usize = 100;
/// The shortest month: no term of months is shorter than so many of these.
const MONTH_DAYS_MIN: i64 = 28;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) warned: usize,
    pub(crate) locked: usize,
    pub(crate) listed: usize,
    pub(crate) deleted: usize,
    /// Left on the list until their mail is exported.
    pub(crate) waiting: usize,
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { warned, locked, listed, deleted, waiting } = self;
        write!(
            f,
            "{warned} warned, {locked} locked, {listed} put on the deletion list, {deleted} deleted, {waiting} not until they are \
             exported"
        )
    }
}

/// By what one domain's mailboxes are judged.
struct Court {
    rules: Rules,
    calendar: WorkCalendar,
    notice_exempts: bool,
    now: Timestamp,
}

/// What is due in one page.
#[derive(Default)]
struct Due {
    warnings: Vec<(LifeRow, Warning)>,
    changes: Vec<(LifeRow, Event)>,
    deletions: Vec<LifeRow>,
    waiting: Vec<LifeRow>,
}

impl Engine {
    pub(crate) async fn keep_lives_job(&self) -> Result<String, Error> {
        Ok(self.keep_lives().await?.to_string())
    }

    pub(crate) async fn keep_lives(&self) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let calendar = self.calendar().await?;
        for (domain, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(domain).await?;
            let court = Court {
                rules: rules(&policy),
                calendar: calendar.clone(),
                notice_exempts: policy.life.notice_exempts,
                now: self.now(),
            };
            let mut filter = court.filter(domain, &policy);
            let mut waiting = Vec::new();
            loop {
                let page = self.0.store.life_facts(&filter).await?;
                let Some(last) = page.last() else { break };
                filter.after = last.row.account;
                let is_last = page.len() < PAGE as usize;
                let mut due = court.due(page);
                waiting.append(&mut due.waiting);
                self.do_what_is_due(due, &court, &mut kept).await?;
                if is_last {
                    break;
                }
            }
            kept.waiting += waiting.len();
            self.tell_of_waiting(domain, &name, &waiting).await?;
        }
        Ok(kept)
    }

    async fn do_what_is_due(&self, due: Due, court: &Court, kept: &mut Kept) -> Result<(), Error> {
        let rows = due.warnings.iter().map(|(row, _)| row).chain(due.changes.iter().map(|(row, _)| row));
        let telling = self.telling(rows).await?;
        for batch in due.warnings.chunks(BATCH) {
            kept.warned += self.warn(batch, &telling).await?;
        }
        let mut by_event: HashMap<Event, Vec<LifeRow>> = HashMap::new();
        for (row, event) in due.changes {
            by_event.entry(event).or_default().push(row);
        }
        for (event, rows) in by_event {
            for batch in rows.chunks(BATCH) {
                let done = self.apply_to_all(event, batch, court, &telling).await.map_err(failed)?;
                match event {
                    Event::Lock(_) => kept.locked += done,
                    _ => kept.listed += done,
                }
            }
        }
        for row in &due.deletions {
            let act = Act::new("mailbox.delete", &[Event::Delete], json!({}));
            let actor = Actor::system("keep-lives");
            match self.change_life_of(row, &actor, lifecycle::Actor::System, act).await {
                Ok(_) => kept.deleted += 1,
                // Asked for, held, written to or gone since.
                Err(AdminError::Life(_) | AdminError::NotExported(_) | AdminError::NoSuchMailbox(_)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    /// The notice first: it comes once however often this is done, so a warning that is kept was given.
    async fn warn(&self, batch: &[(LifeRow, Warning)], telling: &Telling) -> Result<usize, Error> {
        for (row, warning) in batch {
            self.tell_warning(row, warning, telling).await?;
        }
        let kept: Vec<(AccountId, Warning)> =
            batch.iter().map(|(row, warning)| (row.account, *warning)).collect();
        let mut tx = self.0.store.begin().await?;
        tx.keep_warnings(&kept).await?;
        tx.commit().await?;
        Ok(batch.len())
    }

    async fn apply_to_all(
        &self,
        event: Event,
        batch: &[LifeRow],
        court: &Court,
        telling: &Telling,
    ) -> Result<usize, AdminError> {
        let accounts: Vec<AccountId> = batch.iter().map(|row| row.account).collect();
        let mut tx = self.0.store.begin().await?;
        let now_there = tx.lock_life_facts(&accounts, court.rules.counts_as_use.delivery).await?;
        let mut done = Vec::new();
        let mut ends = false;
        for LifeFacts { row, facts } in now_there {
            let still_due = court.judge(&row, facts) == Some(Decision::Apply(event));
            let by = lifecycle::Actor::System;
            let applied = lifecycle::apply(&row.life, event, by, court.now, &row.holds, &court.rules);
            if let Ok(applied) = applied
                && still_due
            {
                ends |= applied.transition.effects.contains(&Effect::EndSessions);
                done.push((row, applied.life));
            }
        }
        let lives: Vec<(AccountId, Life)> = done.iter().map(|(row, life)| (row.account, *life)).collect();
        tx.set_lives(&lives, ends).await?;
        let actor = Actor::system("keep-lives");
        if matches!(event, Event::Lock(_)) {
            let accounts: Vec<AccountId> = lives.iter().map(|(account, _)| *account).collect();
            tx.note_locks(&accounts, (actor.name(), "")).await?;
        }
        for (row, life) in &done {
            let (name, detail) = audited(event, row, life);
            self.audit(&mut tx, &actor, name, &row.address.to_string(), &detail).await?;
        }
        let owed: Vec<OwedNotice> =
            done.iter().flat_map(|(row, life)| self.about_change(row, life, &court.rules, telling)).collect();
        tx.owe_notices(&owed, self.now()).await?;
        tx.commit().await?;
        if ends {
            let changed: Vec<AccountId> = lives.iter().map(|(account, _)| *account).collect();
            self.rights_changed(&changed).await;
        }
        self.forwards_changed().await;
        self.send_owed(&owed).await;
        Ok(done.len())
    }
}

fn failed(error: AdminError) -> Error {
    match error {
        AdminError::Engine(error) => error,
        other => {
            tracing::error!(error = %other, "the nightly look at the mailboxes met what it should not");
            Error::Unavailable
        }
    }
}

fn audited(event: Event, row: &LifeRow, life: &Life) -> (&'static str, serde_json::Value) {
    let detail = json!({ "was": row.life, "is": life });
    match event {
        Event::Lock(LockReason::Inactive) => ("mailbox.lock", detail),
        Event::List(DeletionCause::LockExpired | DeletionCause::NeverUsed) => ("mailbox.revoke", detail),
        _ => ("mailbox.change", detail),
    }
}

impl Court {
    /// Which mailboxes have to be looked at: the others cannot be due whatever the calendar says.
    fn filter(&self, domain: DomainId, policy: &Policy) -> LifeFilter {
        let ago = |months: Option<u16>, days: u16| {
            let Some(months) = months else { return Timestamp::UNIX_EPOCH };
            let days = i64::from(months) * MONTH_DAYS_MIN - i64::from(days) - 1;
            self.now
                .saturating_sub(SignedDuration::from_hours(24 * days.max(0)))
                .unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let warned_first = self.rules.warn_days.iter().copied().max().unwrap_or(0);
        LifeFilter {
            domain,
            after: AccountId(0),
            used_before: ago(self.rules.inactivity_months, warned_first),
            made_before: ago(
                policy.life.unused_unit.map(|months| u16::try_from(months).unwrap_or(u16::MAX)),
                0,
            ),
            deliveries: self.rules.counts_as_use.delivery,
            limit: PAGE,
        }
    }

    fn due(&self, page: Vec<LifeFacts>) -> Due {
        let mut due = Due::default();
        for LifeFacts { row, facts } in page {
            match self.judge(&row, facts) {
                Some(Decision::Warn(warning)) => due.warnings.push((row, warning)),
                Some(Decision::Apply(Event::Delete)) => due.deletions.push(row),
                Some(Decision::Apply(event)) => due.changes.push((row, event)),
                Some(Decision::AwaitExport) => due.waiting.push(row),
                None => {}
            }
        }
        due
    }
    fn judge(&self, row: &LifeRow, mut facts: Facts) -> Option<Decision> {
        if !self.notice_exempts {
            facts.leaves.clear();
        }
        lifecycle::due(&row.life, &facts, &self.rules, &self.calendar, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{World, actor, address};
    use model::AccountState;

    /// The night's page was read, and warnings are being posted: whoever sends meanwhile is in use.
    #[tokio::test]
    async fn who_sends_after_he_was_looked_at_is_not_locked() {
        let world = World::new().await;
        let an = world.user("an").await;
        let engine = &world.engine;
        let (domain, _) = world.store.domain_ids().await.unwrap().remove(0);
        let policy = engine.policy_of(domain).await.unwrap();
        let mut kept = Kept::default();
        for _ in 0..200 {
            let court = Court {
                rules: rules(&policy),
                calendar: engine.calendar().await.unwrap(),
                notice_exempts: true,
                now: engine.now(),
            };
            let page = world.store.life_facts(&court.filter(domain, &policy)).await.unwrap();
            let due = court.due(page);
            let is_last = !due.changes.is_empty();
            if is_last {
                engine.note_sent(&an, Vec::new()).await;
            }
            engine.do_what_is_due(due, &court, &mut kept).await.unwrap();
            if is_last {
                break;
            }
            world.clock.advance(SignedDuration::from_hours(24));
        }
        assert_eq!(kept, Kept { warned: 3, ..Kept::default() });
        let life = engine.life(&actor(), &address("an")).await.unwrap().unwrap().life;
        assert_eq!(life.state(), AccountState::Active);
    }
}
