//! The table as a whole, terms one by one, and two years of one mailbox.

use super::*;
use crate::MailboxClass;
use crate::calendar::{WorkCalendar, local_date, plus_days, start_of_day};
use jiff::SignedDuration;
use jiff::civil::{Date, date};
use std::collections::BTreeSet;
use std::sync::LazyLock;

static CALENDAR: LazyLock<WorkCalendar> = LazyLock::new(|| WorkCalendar::new([]).unwrap());

/// Nine in the morning of that day in Vietnam.
fn at(day: Date) -> Timestamp {
    start_of_day(day) + SignedDuration::from_hours(9)
}

fn facts(granted: Date) -> Facts {
    Facts {
        class: MailboxClass::Person,
        granted: at(granted),
        restored: None,
        uses: Uses::default(),
        leaves: Vec::new(),
        warned: None,
        holds: Holds::default(),
    }
}

fn sent(facts: &Facts, day: Date) -> Facts {
    Facts { uses: Uses { sent: Some(at(day)), ..facts.uses }, ..facts.clone() }
}

fn lives() -> Vec<Life> {
    let since = at(date(2026, 3, 2));
    let mut lives = vec![Life::New, Life::Active { since }, Life::Deleted { at: since }];
    for request in
        [RestoreRequest::None, RestoreRequest::Asked { at: since }, RestoreRequest::Refused { at: since }]
    {
        lives.extend(LockReason::ALL.map(|reason| Life::Locked { since, reason, request }));
        for cause in DeletionCause::ALL {
            for confirmed in [None, Some(since)] {
                lives.push(Life::ToBeDeleted { since, cause, request, confirmed });
            }
        }
    }
    lives
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::FirstUse,
        Event::AskRestore,
        Event::RefuseRestore,
        Event::Restore,
        Event::ConfirmDeletion,
        Event::Delete,
    ];
    events.extend(LockReason::ALL.map(Event::Lock));
    events.extend(DeletionCause::ALL.map(Event::List));
    events
}

#[test]
fn the_table_is_whole_and_says_nothing_twice() {
    for event in events() {
        let rows: Vec<_> = TRANSITIONS.iter().filter(|row| row.event == event).collect();
        assert!(!rows.is_empty(), "{event:?} leads nowhere");
        let from: Vec<_> = rows.iter().flat_map(|row| row.from).collect();
        let different: BTreeSet<_> = from.iter().map(|state| state.as_str()).collect();
        assert_eq!(from.len(), different.len(), "{event:?} is said twice");
    }
    for row in TRANSITIONS {
        assert!(events().contains(&row.event) && !row.from.is_empty() && !row.by.is_empty());
        assert!(!row.source.is_empty());
        assert!(!row.from.contains(&AccountState::Deleted), "{row:?} leaves the dead");
    }
    for actor in Actor::ALL {
        assert!(TRANSITIONS.iter().any(|row| row.by.contains(&actor)), "{actor:?} may do nothing");
    }
}

#[test]
fn every_state_is_reached_and_can_be_left() {
    let mut reached = vec![AccountState::New];
    for _ in AccountState::ALL {
        for row in TRANSITIONS {
            if row.from.iter().any(|state| reached.contains(state)) && !reached.contains(&row.to) {
                reached.push(row.to);
            }
        }
    }
    for state in AccountState::ALL {
        assert!(reached.contains(&state), "{state:?} is never reached");
        let left = TRANSITIONS.iter().any(|row| row.from.contains(&state) && row.to != state);
        assert_eq!(left, state != AccountState::Deleted, "{state:?}");
    }
}

/// Whatever happens to whatever mailbox, by whomever: either the table's row takes place, or a refusal says why.
#[test]
fn every_state_event_and_actor_has_an_answer() {
    let now = at(date(2026, 6, 1));
    for life in lives() {
        for event in events() {
            let row = TRANSITIONS.iter().find(|row| row.event == event && row.from.contains(&life.state()));
            for by in Actor::ALL {
                match (row, apply(&life, event, by, now, &Holds::default(), &Rules::default())) {
                    (None, Err(Refusal::NotFromHere(state))) => assert_eq!(state.0, life.state()),
                    (Some(row), Err(Refusal::NotAllowed(who))) => assert!(who == by && !row.by.contains(&by)),
                    (Some(row), Err(refusal)) => assert!(
                        row.by.contains(&by)
                            && matches!(
                                refusal,
                                Refusal::NotAsked | Refusal::RestoreAsked | Refusal::NotConfirmed
                            )
                    ),
                    (Some(row), Ok(applied)) => {
                        assert!(row.by.contains(&by));
                        assert_eq!(applied.life.state(), row.to, "{life:?} {event:?}");
                    }
                    (None, other) => panic!("{life:?} {event:?} {by:?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn losing_the_mailbox_ends_sessions_and_getting_it_back_gives_a_one_time_password() {
    for row in TRANSITIONS {
        let could = row.from.iter().any(|state| state.may_log_in());
        assert_eq!(
            row.effects.contains(&Effect::EndSessions),
            (could && !row.to.may_log_in())
                || row.to == AccountState::Deleted
                || matches!(row.event, Event::List(_))
        );
        assert_eq!(row.effects.contains(&Effect::OneTimePassword), row.event == Event::Restore);
        assert_eq!(row.effects.contains(&Effect::EraseContent), row.to == AccountState::Deleted);
    }
}

#[test]
fn nothing_is_deleted_while_held_asked_for_or_unconfirmed() {
    let (rules, day) = (Rules::default(), date(2026, 6, 1));
    let listed = |request, confirmed| Life::ToBeDeleted {
        since: at(day),
        cause: DeletionCause::LockExpired,
        request,
        confirmed,
    };
    let delete = |life: &Life, holds: &Holds, rules: &Rules| {
        let result = apply(life, Event::Delete, Actor::System, at(day), holds, rules);
        let job = Facts { holds: *holds, ..facts(day) };
        let decided = match result {
            Ok(_) => Some(Decision::Apply(Event::Delete)),
            Err(Refusal::NotExported) => Some(Decision::AwaitExport),
            Err(_) => None,
        };
        assert_eq!(due(life, &job, rules, &CALENDAR, at(day)), decided);
        result.map(|applied| applied.life)
    };
    let (free, confirmed) = (Holds::default(), Some(at(day)));
    let asked = RestoreRequest::Asked { at: at(day) };
    let automatic = Rules { automatic_deletion: true, ..rules.clone() };
    let gone = Ok(Life::Deleted { at: at(day) });
    assert_eq!(delete(&listed(RestoreRequest::None, confirmed), &free, &rules), gone);
    assert_eq!(delete(&listed(RestoreRequest::None, None), &free, &rules), Err(Refusal::NotConfirmed));
    assert_eq!(delete(&listed(RestoreRequest::None, None), &free, &automatic), gone);
    assert_eq!(delete(&listed(asked, confirmed), &free, &automatic), Err(Refusal::RestoreAsked));
    for holds in [Holds { legal_hold: true, ..free }, Holds { handover: true, export_pending: true, ..free }]
    {
        let held = Err(Refusal::Held(holds));
        assert_eq!(delete(&listed(RestoreRequest::None, confirmed), &holds, &automatic), held);
    }
    // A request voids the confirmation that was given without it.
    let again = apply(
        &listed(RestoreRequest::None, confirmed),
        Event::AskRestore,
        Actor::Officer,
        at(day),
        &free,
        &rules,
    );
    assert_eq!(again.unwrap().life, listed(asked, None));
}

/// Neither confirmed nor deleted before its mail was exported, where the policy asks for that (B7).
#[test]
fn what_was_not_exported_waits_where_the_policy_asks_for_it() {
    let day = date(2026, 6, 1);
    let pending = Holds { export_pending: true, ..Holds::default() };
    let words = "mail that must be exported before it can be deleted (congthu mailbox export)";
    assert_eq!(pending.to_string(), words, "nobody is exporting it");
    let listed = |confirmed| Life::ToBeDeleted {
        since: at(day),
        cause: DeletionCause::LockExpired,
        request: RestoreRequest::None,
        confirmed,
    };
    let job = Facts { holds: pending, ..facts(day) };
    for automatic_deletion in [false, true] {
        let asking = Rules { automatic_deletion, ..Rules::default() };
        let other = Rules { export_first: false, ..asking.clone() };
        let does = |life: &Life, event, by, rules: &Rules| {
            apply(life, event, by, at(day), &pending, rules).map(|applied| applied.life.state())
        };
        let (confirm, delete) = (Event::ConfirmDeletion, Event::Delete);
        let confirmed = listed(Some(at(day)));
        assert_eq!(does(&listed(None), confirm, Actor::Administrator, &asking), Err(Refusal::NotExported));
        assert_eq!(does(&confirmed, delete, Actor::System, &asking), Err(Refusal::NotExported));
        assert_eq!(due(&confirmed, &job, &asking, &CALENDAR, at(day)), Some(Decision::AwaitExport));
        assert_eq!(does(&listed(None), confirm, Actor::Administrator, &other), Ok(AccountState::ToBeDeleted));
        assert_eq!(does(&confirmed, delete, Actor::System, &other), Ok(AccountState::Deleted));
    }
    // Nobody is told of what nobody has confirmed yet.
    assert_eq!(due(&listed(None), &job, &Rules::default(), &CALENDAR, at(day)), None);
}

#[test]
fn backups_hold_what_was_deleted_for_their_days_and_that_of_the_sweeper() {
    let rules = Rules { backup_days: 30, ..Rules::default() };
    assert_eq!(backups_until(date(2026, 11, 1), &rules), date(2026, 12, 2));
}

#[test]
fn a_lock_comes_the_day_after_three_months() {
    for (last, lock_on) in [
        (date(2026, 3, 10), date(2026, 6, 11)),
        // Month ends: 28 February is a Sunday, so the term ends on Monday.
        (date(2026, 11, 30), date(2027, 3, 2)),
        // The leap day.
        (date(2027, 11, 29), date(2028, 3, 1)),
        (date(2028, 2, 29), date(2028, 5, 30)),
        // The term would end within Tết.
        (date(2025, 11, 17), date(2026, 2, 24)),
    ] {
        let facts = sent(&facts(date(2025, 1, 2)), last);
        let life = Life::Active { since: at(date(2025, 1, 3)) };
        assert_eq!(inactivity_lock_on(&life, &facts, &Rules::default(), &CALENDAR), Some(lock_on), "{last}");
    }
}

#[test]
fn what_counts_as_use_is_a_setting() {
    let day = |n| Some(at(date(2026, 3, n)));
    let uses = Uses { sent: day(2), retrieved_new: day(3), delivered: day(4), logged_in: day(5) };
    let none = CountsAsUse { sending: false, retrieving_new: false, delivery: false, log_in: false };
    assert_eq!(uses.last(CountsAsUse::default()), day(3));
    assert_eq!(uses.last(CountsAsUse { delivery: true, ..CountsAsUse::default() }), day(4));
    assert_eq!(uses.last(CountsAsUse { log_in: true, ..none }), day(5));
    assert_eq!(uses.last(CountsAsUse { sending: true, ..none }), day(2));
    assert_eq!(uses.last(none), None);
    // A telephone that polls an empty mailbox does not keep it alive.
    let polled = Facts {
        uses: Uses { logged_in: Some(at(date(2026, 6, 1))), delivered: None, ..Uses::default() },
        ..facts(date(2026, 1, 5))
    };
    let lock_on = inactivity_lock_on(&Life::New, &polled, &Rules::default(), &CALENDAR);
    assert_eq!(lock_on, Some(date(2026, 4, 7)));
}

#[test]
fn leaves_put_the_lock_off() {
    let leave = |from, to| Leave { from, to };
    let used = sent(&facts(date(2026, 1, 5)), date(2026, 3, 2));
    for (leaves, lock_on) in [
        (vec![], date(2026, 6, 3)),
        (vec![leave(date(2026, 4, 1), date(2026, 7, 31))], date(2026, 11, 3)),
        // One after the other, given in the wrong order.
        (
            vec![leave(date(2026, 7, 1), date(2026, 9, 1)), leave(date(2026, 5, 1), date(2026, 6, 1))],
            date(2026, 12, 2),
        ),
        // Over before the last use, beginning after the lock, or upside down: without effect.
        (vec![leave(date(2026, 1, 6), date(2026, 2, 6))], date(2026, 6, 3)),
        (vec![leave(date(2026, 6, 3), date(2026, 8, 3))], date(2026, 6, 3)),
        (vec![leave(date(2026, 5, 3), date(2026, 4, 3))], date(2026, 6, 3)),
    ] {
        let facts = Facts { leaves, ..used.clone() };
        let life = Life::Active { since: at(date(2026, 1, 6)) };
        let found = inactivity_lock_on(&life, &facts, &Rules::default(), &CALENDAR);
        assert_eq!(found, Some(lock_on), "{:?}", facts.leaves);
    }
}

#[test]
fn unused_mailboxes_of_units_are_listed() {
    let rules = Rules { inactivity_months: None, ..Rules::default() };
    let unit = Facts { class: MailboxClass::Organisation, ..facts(date(2026, 1, 5)) };
    let due_on = |life: &Life, facts: &Facts, day| due(life, facts, &rules, &CALENDAR, at(day));
    let list = Some(Decision::Apply(Event::List(DeletionCause::NeverUsed)));
    // 5 July 2026 is a Sunday.
    assert_eq!(due_on(&Life::New, &unit, date(2026, 7, 6)), None);
    assert_eq!(due_on(&Life::New, &unit, date(2026, 7, 7)), list);
    assert_eq!(due_on(&Life::Active { since: at(date(2026, 1, 6)) }, &unit, date(2026, 7, 7)), list);
    assert_eq!(due_on(&Life::New, &sent(&unit, date(2026, 2, 2)), date(2026, 7, 7)), None);
    assert_eq!(due_on(&Life::New, &facts(date(2026, 1, 5)), date(2026, 7, 7)), None);
}

#[test]
fn a_restoration_is_due_after_a_working_day() {
    let rules = Rules::default();
    for (asked, due_on) in [
        (date(2026, 11, 18), date(2026, 11, 19)),
        (date(2026, 11, 20), date(2026, 11, 23)),
        (date(2026, 2, 13), date(2026, 2, 23)),
        (date(2026, 2, 17), date(2026, 2, 23)),
        (date(2026, 8, 21), date(2026, 8, 22)),
    ] {
        let request = RestoreRequest::Asked { at: at(asked) };
        let life = Life::Locked { since: at(date(2026, 1, 5)), reason: LockReason::Spam, request };
        assert_eq!(restore_due_on(&life, &rules, &CALENDAR), Some(due_on));
    }
    assert_eq!(restore_due_on(&Life::New, &rules, &CALENDAR), None);
}

#[test]
fn mail_comes_in_while_locked_if_policy_says_so() {
    let rules = Rules { locked_receives: false, ..Rules::default() };
    for life in lives() {
        assert_eq!(life.receives(&Rules::default()), life.state().receives());
        assert_eq!(life.receives(&rules), life.state().receives() && life.state() != AccountState::Locked);
    }
}

/// What happened to a mailbox, day by day.
struct Simulation {
    life: Life,
    facts: Facts,
    log: Vec<(Date, String)>,
}

impl Simulation {
    /// One night's job, as often as it has something to do.
    fn night(&mut self, day: Date) {
        self.night_by(day, &Rules::default());
    }

    fn night_by(&mut self, day: Date, rules: &Rules) {
        for _ in 0..4 {
            let Some(decision) = due(&self.life, &self.facts, rules, &CALENDAR, at(day)) else {
                return;
            };
            match decision {
                Decision::Warn(warning) => {
                    self.log.push((day, format!("warn {}", warning.days_before)));
                    self.facts.warned = Some(warning);
                }
                Decision::Apply(event) => self.happens(day, event, Actor::System),
                Decision::AwaitExport => panic!("all of it was exported"),
            }
        }
        panic!("the job of {day} finds no end: {:?}", self.log);
    }

    fn happens(&mut self, day: Date, event: Event, by: Actor) {
        let applied = apply(&self.life, event, by, at(day), &self.facts.holds, &Rules::default()).unwrap();
        self.life = applied.life;
        if event == Event::Restore {
            self.facts.restored = Some(at(day));
        }
        self.log.push((day, self.life.state().as_str().to_owned()));
    }
}

#[test]
fn two_years_of_one_mailbox() {
    let start = date(2025, 1, 6);
    let mut mailbox = Simulation { life: Life::New, facts: facts(start), log: Vec::new() };
    mailbox.facts.leaves = vec![Leave { from: date(2025, 7, 1), to: date(2025, 10, 31) }];
    let mut day = start;
    while day < date(2027, 1, 6) {
        match day {
            _ if day == date(2025, 1, 8) => mailbox.happens(day, Event::FirstUse, Actor::Owner),
            // Used twice a month until May, and once after the leave.
            _ if day < date(2025, 5, 20) && day.day() % 14 == 0 => {
                mailbox.facts = sent(&mailbox.facts, day);
            }
            _ if day == date(2025, 11, 14) => mailbox.facts = sent(&mailbox.facts, day),
            // Asked for on a Friday, restored a working day later.
            _ if day == date(2026, 3, 6) => mailbox.happens(day, Event::AskRestore, Actor::Officer),
            _ if day == date(2026, 3, 9) => mailbox.happens(day, Event::Restore, Actor::Operator),
            _ if day == date(2026, 10, 1) => {
                mailbox.happens(day, Event::ConfirmDeletion, Actor::Administrator);
            }
            _ => {}
        }
        mailbox.night(day);
        day = plus_days(day, 1);
    }
    let log: Vec<String> = mailbox.log.iter().map(|(day, what)| format!("{day} {what}")).collect();
    assert_eq!(
        log,
        [
            "2025-01-08 active",
            // Last use on 14 November 2025; the term would end on Saturday 14 February 2026, and Tết follows.
            "2026-02-10 warn 14",
            "2026-02-17 warn 7",
            "2026-02-23 warn 1",
            "2026-02-24 locked",
            "2026-03-06 locked",
            "2026-03-09 active",
            // Three months later is 9 June.
            "2026-05-27 warn 14",
            "2026-06-03 warn 7",
            "2026-06-09 warn 1",
            "2026-06-10 locked",
            "2026-09-11 to_be_deleted",
            "2026-10-01 to_be_deleted",
            "2026-10-01 deleted",
        ]
    );
}

/// What a unit never used is given back, and listed again six months later; not the next night.
#[test]
fn two_years_of_a_units_mailbox_that_nobody_uses() {
    let start = date(2025, 1, 6);
    let unit = Facts { class: MailboxClass::Organisation, ..facts(start) };
    let mut mailbox = Simulation { life: Life::New, facts: unit, log: Vec::new() };
    let rules = Rules { inactivity_months: None, ..Rules::default() };
    let mut day = start;
    while day < date(2027, 1, 6) {
        match day {
            _ if day == date(2025, 7, 14) => mailbox.happens(day, Event::AskRestore, Actor::Officer),
            _ if day == date(2025, 7, 15) => mailbox.happens(day, Event::Restore, Actor::Operator),
            _ => {}
        }
        mailbox.night_by(day, &rules);
        day = plus_days(day, 1);
    }
    let log: Vec<String> = mailbox.log.iter().map(|(day, what)| format!("{day} {what}")).collect();
    assert_eq!(
        log,
        [
            "2025-07-08 to_be_deleted",
            "2025-07-14 to_be_deleted",
            "2025-07-15 active",
            "2026-01-16 to_be_deleted",
        ]
    );
}

/// Where nobody has to confirm: what was locked for its term goes at once, all else has as long as a lock gives.
#[test]
fn automatic_deletions_leave_time_to_ask() {
    let (since, refused) = (at(date(2026, 3, 10)), at(date(2026, 5, 4)));
    let rules = Rules { automatic_deletion: true, ..Rules::default() };
    let gone_on = |cause, request, confirmed, rules: &Rules| {
        let life = Life::ToBeDeleted { since, cause, request, confirmed };
        let delete = Some(Decision::Apply(Event::Delete));
        let mut days = (0..400).map(|days| plus_days(date(2026, 3, 10), days));
        days.find(|day| due(&life, &facts(date(2025, 1, 6)), rules, &CALENDAR, at(*day)) == delete)
    };
    let none = RestoreRequest::None;
    assert_eq!(gone_on(DeletionCause::LockExpired, none, None, &rules), Some(date(2026, 3, 10)));
    for cause in [DeletionCause::NeverUsed, DeletionCause::Violation, DeletionCause::Revoked] {
        assert_eq!(gone_on(cause, none, None, &rules), Some(date(2026, 6, 11)));
        let refused = RestoreRequest::Refused { at: refused };
        assert_eq!(gone_on(cause, refused, None, &rules), Some(date(2026, 8, 5)));
        assert_eq!(gone_on(cause, none, Some(since), &rules), Some(date(2026, 3, 10)));
        let patient = Rules { deletion_months: None, ..rules.clone() };
        assert_eq!(gone_on(cause, none, None, &patient), None);
    }
}

/// However irregularly the job runs: a lock is preceded, on an earlier day, by the last warning; no warning comes twice.
#[test]
fn nobody_is_locked_unwarned_however_late_the_job() {
    let life = Life::Active { since: at(date(2026, 1, 5)) };
    for pause in 1..40 {
        for offset in 0..pause {
            let mut facts = facts(date(2026, 1, 5));
            let mut warnings: Vec<Warning> = Vec::new();
            let mut day = plus_days(date(2026, 1, 5), offset);
            'days: loop {
                // Asked until nothing more is due that day, as the job does.
                while let Some(decision) = due(&life, &facts, &Rules::default(), &CALENDAR, at(day)) {
                    let Decision::Warn(warning) = decision else {
                        assert_eq!(decision, Decision::Apply(Event::Lock(LockReason::Inactive)));
                        let last = warnings.last().unwrap();
                        assert!(last.days_before == 1 && last.given_on < day && last.locks_on() <= day);
                        break 'days;
                    };
                    assert!(warnings.iter().all(|given| given.days_before > warning.days_before));
                    assert_eq!(warning.locks_on(), warning.lock_on.max(plus_days(day, 1)));
                    warnings.push(warning);
                    facts.warned = Some(warning);
                }
                day = plus_days(day, pause);
                assert!(day < date(2027, 1, 1), "never locked: {pause} {offset}");
            }
        }
    }
}

#[test]
fn use_after_a_warning_begins_a_new_term() {
    let life = Life::Active { since: at(date(2026, 1, 5)) };
    let first = inactivity_lock_on(&life, &facts(date(2026, 1, 5)), &Rules::default(), &CALENDAR).unwrap();
    let warned = Warning { days_before: 1, lock_on: first, given_on: plus_days(first, -1) };
    let facts = Facts { warned: Some(warned), ..sent(&facts(date(2026, 1, 5)), plus_days(first, -1)) };
    assert_eq!(due(&life, &facts, &Rules::default(), &CALENDAR, at(first)), None);
    let lock_on = inactivity_lock_on(&life, &facts, &Rules::default(), &CALENDAR).unwrap();
    let day = plus_days(lock_on, -14);
    let again = Warning { days_before: 14, lock_on, given_on: day };
    assert_eq!(due(&life, &facts, &Rules::default(), &CALENDAR, at(day)), Some(Decision::Warn(again)));
    assert_eq!(local_date(at(day)), day);
}

#[test]
fn without_warnings_the_lock_comes_on_its_day() {
    let rules = Rules { warn_days: Vec::new(), ..Rules::default() };
    let (life, facts) = (Life::Active { since: at(date(2026, 1, 5)) }, facts(date(2026, 1, 5)));
    let lock_on = inactivity_lock_on(&life, &facts, &rules, &CALENDAR).unwrap();
    assert_eq!(due(&life, &facts, &rules, &CALENDAR, at(plus_days(lock_on, -1))), None);
    let lock = Some(Decision::Apply(Event::Lock(LockReason::Inactive)));
    assert_eq!(due(&life, &facts, &rules, &CALENDAR, at(lock_on)), lock);
    // Mailboxes that serve are never found unused, nor any where the policy has no such rule.
    let service = Facts { class: MailboxClass::Service, ..facts.clone() };
    assert_eq!(due(&life, &service, &rules, &CALENDAR, at(date(2030, 1, 1))), None);
    let patient = Rules { inactivity_months: None, ..rules };
    assert_eq!(due(&life, &facts, &patient, &CALENDAR, at(date(2030, 1, 1))), None);
}

#[test]
fn a_locked_mailbox_is_listed_unless_asked_for() {
    let (since, asked) = (at(date(2026, 3, 10)), at(date(2026, 5, 4)));
    let listed_on = |request, rules: &Rules| {
        let life = Life::Locked { since, reason: LockReason::Spam, request };
        let list = Some(Decision::Apply(Event::List(DeletionCause::LockExpired)));
        let mut days = (0..400).map(|days| plus_days(date(2026, 3, 10), days));
        days.find(|day| due(&life, &facts(date(2025, 1, 6)), rules, &CALENDAR, at(*day)) == list)
    };
    let rules = Rules::default();
    assert_eq!(listed_on(RestoreRequest::None, &rules), Some(date(2026, 6, 11)));
    assert_eq!(listed_on(RestoreRequest::Asked { at: asked }, &rules), None);
    assert_eq!(listed_on(RestoreRequest::Refused { at: asked }, &rules), Some(date(2026, 8, 5)));
    let patient = Rules { deletion_months: None, ..rules };
    assert_eq!(listed_on(RestoreRequest::None, &patient), None);
}

#[test]
fn what_cannot_be_done_is_said_with_the_stage() {
    let refused = Refusal::NotFromHere(StateName(AccountState::ToBeDeleted)).to_string();
    assert!(refused.starts_with("this cannot be done with a mailbox that is to be deleted"), "{refused}");
}

#[test]
fn only_what_was_asked_for_is_restored_or_refused() {
    let (since, holds) = (at(date(2026, 3, 10)), Holds::default());
    let locked = |request| Life::Locked { since, reason: LockReason::Inactive, request };
    let asked = RestoreRequest::Asked { at: since };
    let by_operator = |life: &Life, event, rules: &Rules| {
        apply(life, event, Actor::Operator, since, &holds, rules).map(|applied| applied.life)
    };
    let rules = Rules::default();
    let lenient = Rules { restore_needs_request: false, ..Rules::default() };
    let active = Ok(Life::Active { since });
    for request in [RestoreRequest::None, RestoreRequest::Refused { at: since }] {
        assert_eq!(by_operator(&locked(request), Event::Restore, &rules), Err(Refusal::NotAsked));
        assert_eq!(by_operator(&locked(request), Event::Restore, &lenient), active);
        assert_eq!(by_operator(&locked(request), Event::RefuseRestore, &lenient), Err(Refusal::NotAsked));
    }
    assert_eq!(by_operator(&locked(asked), Event::Restore, &rules), active);
    let refused = locked(RestoreRequest::Refused { at: since });
    assert_eq!(by_operator(&locked(asked), Event::RefuseRestore, &rules), Ok(refused));
    // Nobody restores or refuses what has to be asked of the centre.
    for by in [Actor::System, Actor::Officer, Actor::Owner] {
        for event in [Event::Restore, Event::RefuseRestore] {
            let result = apply(&locked(asked), event, by, since, &holds, &rules);
            assert_eq!(result.map(|applied| applied.life), Err(Refusal::NotAllowed(by)));
        }
    }
}

/// Dice of a fixed linear generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Random lives of years, with a job that comes when it likes: each row of the table is taken at some time, nothing is
/// deleted that may not be, and the dead stay dead.
#[test]
fn random_lives_take_every_transition_and_keep_the_rules() {
    let (mut dice, events) = (Dice(7), events());
    let mut taken = vec![0_u32; TRANSITIONS.len()];
    for walk in 0..400 {
        let rules = Rules { automatic_deletion: walk % 2 == 0, ..Rules::default() };
        let mut facts = facts(date(2025, 1, 6));
        facts.class = MailboxClass::ALL[walk % 4];
        let (mut life, mut day) = (Life::New, date(2025, 1, 6));
        for _ in 0..150 {
            day = plus_days(day, i32::try_from(dice.below(20)).unwrap());
            facts.holds.legal_hold = dice.below(4) == 0;
            if dice.below(12) == 0 {
                facts = sent(&facts, day);
            }
            let (event, by) = match due(&life, &facts, &rules, &CALENDAR, at(day)) {
                Some(Decision::Warn(warning)) => {
                    assert_ne!(Some(warning), facts.warned);
                    facts.warned = Some(warning);
                    continue;
                }
                Some(Decision::Apply(event)) => (event, Actor::System),
                Some(Decision::AwaitExport) => panic!("all of it was exported"),
                None if dice.below(3) == 0 => {
                    (events[dice.below(events.len())], Actor::ALL[dice.below(Actor::ALL.len())])
                }
                None => continue,
            };
            let job = by == Actor::System && due(&life, &facts, &rules, &CALENDAR, at(day)).is_some();
            let Ok(applied) = apply(&life, event, by, at(day), &facts.holds, &rules) else {
                assert!(!job, "the job may not do what is due: {event:?}");
                continue;
            };
            assert_ne!(life.state(), AccountState::Deleted);
            if applied.life.state() == AccountState::Deleted {
                assert!(!facts.holds.any() && !matches!(life.request(), RestoreRequest::Asked { .. }));
                assert!(
                    rules.automatic_deletion || matches!(life, Life::ToBeDeleted { confirmed: Some(_), .. })
                );
            }
            let row = TRANSITIONS.iter().position(|row| std::ptr::eq(row, applied.transition)).unwrap();
            taken[row] += 1;
            life = applied.life;
        }
    }
    for (row, times) in TRANSITIONS.iter().zip(&taken) {
        assert!(*times > 0, "never taken: {row:?}");
    }
}
