//! What is due for a mailbox today: warnings, the lock for want of use, the deletion list, the deletion.
//!
//! Invariants: a function of state, facts, policy, calendar and the moment; asked twice it answers the same, and what it
//! answers, once done, is not due again. Nobody is locked for want of use who was not warned on an earlier day, however
//! late the job runs.

use super::{Actor, DeletionCause, Event, Holds, Life, LockReason, Refusal, RestoreRequest, apply};
use crate::MailboxClass;
use crate::calendar::{WorkCalendar, days_from, local_date, plus_days};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Days within which what was deleted is swept from the database.
const SWEEP_DAYS: i32 = 1;

/// The policy of the life cycle. The defaults are An Giang's, and the strictest where a text is silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Months without use after which a mailbox is locked (An Giang 63/2016 Điều 8.1a); `None`: never.
    pub inactivity_months: Option<u16>,
    /// What use is: which transactions (giao dịch gửi, nhận) count (Điều 8.1a; B4).
    pub counts_as_use: CountsAsUse,
    /// Classes that are never locked for want of use; hotro@ or postmaster@ may be silent for long (ours).
    pub always_in_use: Vec<MailboxClass>,
    /// Days before the lock on which owner and officer are warned (B4).
    pub warn_days: Vec<u16>,
    /// Months after the grant in which an organisation's mailbox must have been used
    /// (Sở Công Thương Bình Định 148/2014 Điều 5.2); `None`: no such rule.
    pub unused_unit_months: Option<u16>,
    /// Working days in which a restoration is done (An Giang 63/2016 Điều 8.2b).
    pub restore_working_days: u16,
    /// Whether only what the organisation asked for is restored (An Giang 63/2016 Điều 8.2a).
    pub restore_needs_request: bool,
    /// Months after the lock with no request, after which the mailbox is listed for deletion
    /// (An Giang 63/2016 Điều 8.3); `None`: never by itself.
    pub deletion_months: Option<u16>,
    /// Whether listed mailboxes are deleted without an administrator's confirmation (B7).
    pub automatic_deletion: bool,
    /// Whether mail still comes in while locked (B5).
    pub locked_receives: bool,
    /// Whether an archive is written of what is deleted (B7).
    pub export_first: bool,
    /// Days for which backups are kept, 1 to 3650 (B7).
    pub backup_days: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            inactivity_months: Some(3),
            counts_as_use: CountsAsUse::default(),
            always_in_use: vec![MailboxClass::Service],
            warn_days: vec![14, 7, 1],
            unused_unit_months: Some(6),
            restore_working_days: 1,
            restore_needs_request: true,
            deletion_months: Some(3),
            automatic_deletion: false,
            locked_receives: true,
            export_first: true,
            backup_days: 30,
        }
    }
}

/// Which of a mailbox's doings are use. Literally a delivery is a transaction too ("gửi, nhận"); by default it is not,
/// or no mailbox that gets a newsletter would ever be found unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountsAsUse {
    pub sending: bool,
    /// The user fetched mail that was new.
    pub retrieving_new: bool,
    /// Mail was delivered.
    pub delivery: bool,
    /// Somebody, or a telephone by itself, logged in.
    pub log_in: bool,
}

impl Default for CountsAsUse {
    fn default() -> Self {
        Self { sending: true, retrieving_new: true, delivery: false, log_in: false }
    }
}

/// When a mailbox last did what may count as use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    pub sent: Option<Timestamp>,
    pub retrieved_new: Option<Timestamp>,
    pub delivered: Option<Timestamp>,
    pub logged_in: Option<Timestamp>,
}

impl Uses {
    /// The latest of those that count.
    #[must_use]
    pub fn last(&self, counts: CountsAsUse) -> Option<Timestamp> {
        [
            (counts.sending, self.sent),
            (counts.retrieving_new, self.retrieved_new),
            (counts.delivery, self.delivered),
            (counts.log_in, self.logged_in),
        ]
        .into_iter()
        .filter_map(|(counts, at)| at.filter(|_| counts))
        .max()
    }
}

/// Thông báo lý do: days, both included, for which a reason was given (An Giang 63/2016 Điều 8.1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    pub from: Date,
    pub to: Date,
}

/// A warning of the lock: which one, for which lock, and when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// One of `Rules::warn_days`.
    pub days_before: u16,
    /// The first day on which the lock may come, as it was when the warning was given: what tells whether a warning is of
    /// this term or of an earlier one.
    pub lock_on: Date,
    pub given_on: Date,
}

impl Warning {
    /// The day to tell the user: later than `lock_on` if the warning came late.
    #[must_use]
    pub fn locks_on(&self) -> Date {
        self.lock_on.max(plus_days(self.given_on, 1))
    }
}

/// What is known of a mailbox beside its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub class: MailboxClass,
    pub granted: Timestamp,
    /// When it was last given back (khôi phục): terms that ended before begin anew.
    pub restored: Option<Timestamp>,
    pub uses: Uses,
    /// In any order; may overlap.
    pub leaves: Vec<Leave>,
    /// The last warning given.
    pub warned: Option<Warning>,
    pub holds: Holds,
}

/// What the job has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Warn owner and officer, and keep the warning as `Facts::warned`.
    Warn(Warning),
    /// Apply the event, as `Actor::System`.
    Apply(Event),
    /// It would be deleted, were its mail exported: tell those who export.
    AwaitExport,
}

/// What is due for the mailbox at `now`, if anything: one thing at a time; ask again once it is done.
#[must_use]
pub fn due(
    life: &Life,
    facts: &Facts,
    rules: &Rules,
    calendar: &WorkCalendar,
    now: Timestamp,
) -> Option<Decision> {
    let today = local_date(now);
    match life {
        Life::New | Life::Active { .. } if never_used(facts, rules, calendar, today) => {
            Some(Decision::Apply(Event::List(DeletionCause::NeverUsed)))
        }
        Life::New | Life::Active { .. } => {
            due_for_want_of_use(facts, rules, today, inactivity_lock_on(life, facts, rules, calendar)?)
        }
        Life::Locked { since, request, .. } => {
            let list = Event::List(DeletionCause::LockExpired);
            let over = today > lock_term_end(*since, *request, rules, calendar)?;
            over.then_some(Decision::Apply(list))
        }
        Life::ToBeDeleted { .. } => {
            let over = deletion_term_over(life, rules, calendar, today);
            match apply(life, Event::Delete, Actor::System, now, &facts.holds, rules) {
                Ok(_) if over => Some(Decision::Apply(Event::Delete)),
                Err(Refusal::NotExported) if over => Some(Decision::AwaitExport),
                _ => None,
            }
        }
        Life::Deleted { .. } => None,
    }
}

/// Whether a listed mailbox was so for long enough. Where nobody confirms deletions, what was not locked for a term before is
/// listed for as long: only so can its organisation ask for it (An Giang 63/2016 Điều 8.3).
fn deletion_term_over(life: &Life, rules: &Rules, calendar: &WorkCalendar, today: Date) -> bool {
    match *life {
        Life::ToBeDeleted { confirmed: Some(_), .. }
        | Life::ToBeDeleted { cause: DeletionCause::LockExpired, .. } => true,
        Life::ToBeDeleted { since, request, .. } => {
            lock_term_end(since, request, rules, calendar).is_some_and(|end| today > end)
        }
        _ => false,
    }
}

/// Sở Công Thương Bình Định 148/2014 Điều 5.2: "không đưa vào sử dụng sau 6 tháng kể từ ngày được cấp"; a mailbox
/// that was given back has as long from that day.
fn never_used(facts: &Facts, rules: &Rules, calendar: &WorkCalendar, today: Date) -> bool {
    facts.class == MailboxClass::Organisation
        && facts.uses.last(rules.counts_as_use).is_none()
        && rules.unused_unit_months.is_some_and(|months| {
            let granted = local_date(facts.restored.map_or(facts.granted, |at| at.max(facts.granted)));
            today > calendar.term_end(after_leaves(granted, months, facts, calendar), months)
        })
}

fn due_for_want_of_use(facts: &Facts, rules: &Rules, today: Date, lock_on: Date) -> Option<Decision> {
    let left = days_from(today, lock_on);
    // Warnings of an earlier term say nothing of this one.
    let warned = facts.warned.filter(|warning| warning.lock_on == lock_on);
    let reached = rules.warn_days.iter().copied().filter(|days| left <= i64::from(*days)).min();
    if let Some(days_before) = reached
        && warned.is_none_or(|warning| warning.days_before > days_before)
    {
        return Some(Decision::Warn(Warning { days_before, lock_on, given_on: today }));
    }
    let told = rules.warn_days.is_empty() || warned.is_some_and(|warning| warning.locks_on() <= today);
    (left <= 0 && told).then_some(Decision::Apply(Event::Lock(LockReason::Inactive)))
}

/// The first day on which the mailbox, if it is not used before, is locked: the day after the term of months that begins
/// with the last use, the grant or the restoration, whichever is latest (An Giang 63/2016 Điều 8.1a). A leave that was
/// notified and touches the term makes it begin anew on the leave's last day. `None`: it is not locked for this.
#[must_use]
pub fn inactivity_lock_on(
    life: &Life,
    facts: &Facts,
    rules: &Rules,
    calendar: &WorkCalendar,
) -> Option<Date> {
    let months = rules.inactivity_months?;
    let active = match life {
        Life::New => None,
        Life::Active { since } => Some(*since),
        Life::Locked { .. } | Life::ToBeDeleted { .. } | Life::Deleted { .. } => return None,
    };
    if rules.always_in_use.contains(&facts.class) {
        return None;
    }
    let last = facts.uses.last(rules.counts_as_use).max(active).max(Some(facts.granted))?;
    let from = after_leaves(local_date(last), months, facts, calendar);
    Some(plus_days(calendar.term_end(from, months), 1))
}

/// Where a term of `months` begins, if leaves put it off.
fn after_leaves(from: Date, months: u16, facts: &Facts, calendar: &WorkCalendar) -> Date {
    let mut leaves = facts.leaves.clone();
    leaves.sort_by_key(|leave| leave.from);
    leaves.into_iter().fold(from, |from, leave| {
        // A leave that ends before it begins is no leave.
        let touches = leave.from <= leave.to && leave.from <= calendar.term_end(from, months);
        if touches { from.max(leave.to) } else { from }
    })
}

/// The last day on which the organisation may ask for a locked (or listed) mailbox (An Giang 63/2016 Điều 8.3); after a refusal it may
/// ask once more for as long. `None`: it has asked, or nothing is listed by itself.
fn lock_term_end(
    since: Timestamp,
    request: RestoreRequest,
    rules: &Rules,
    calendar: &WorkCalendar,
) -> Option<Date> {
    let from = match request {
        RestoreRequest::Asked { .. } => return None,
        RestoreRequest::Refused { at } => since.max(at),
        RestoreRequest::None => since,
    };
    Some(calendar.term_end(local_date(from), rules.deletion_months?))
}

/// The first day on which the system by itself does what comes next to a mailbox that is locked (it is listed) or listed (it is
/// deleted). `None`: somebody has to decide first, or nothing comes by itself.
#[must_use]
pub fn next_by_itself_on(life: &Life, rules: &Rules, calendar: &WorkCalendar) -> Option<Date> {
    match *life {
        Life::Locked { since, request, .. } => {
            Some(plus_days(lock_term_end(since, request, rules, calendar)?, 1))
        }
        Life::ToBeDeleted { confirmed: Some(at), .. } => Some(plus_days(local_date(at), 1)),
        Life::ToBeDeleted { since, request, cause, .. } if rules.automatic_deletion => match cause {
            DeletionCause::LockExpired => Some(plus_days(local_date(since), 1)),
            _ => Some(plus_days(lock_term_end(since, request, rules, calendar)?, 1)),
        },
        _ => None,
    }
}

/// The last day on which a backup may hold what was deleted on this day (B7): one made before the content was swept from the
/// database, which is hours later, is kept for `Rules::backup_days`.
#[must_use]
pub fn backups_until(deleted_on: Date, rules: &Rules) -> Date {
    plus_days(deleted_on, SWEEP_DAYS + i32::from(rules.backup_days))
}

/// The day by whose end a restoration that was asked for is to be done (An Giang 63/2016 Điều 8.2b).
#[must_use]
pub fn restore_due_on(life: &Life, rules: &Rules, calendar: &WorkCalendar) -> Option<Date> {
    match life.request() {
        RestoreRequest::Asked { at } => {
            Some(calendar.add_working_days(local_date(at), i32::from(rules.restore_working_days)))
        }
        RestoreRequest::None | RestoreRequest::Refused { .. } => None,
    }
}
