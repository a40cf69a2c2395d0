//! How often mailboxes are looked at (D11), from log-ins and from who has one open.
//!
//! A log-in by any mail program counts for its half hour; who stays (IDLE) is there in each half hour that begins meanwhile, also
//! in a mailbox that was lent to him. A telephone that asks by itself counts, too: it cannot be told from its owner, so the
//! figure shows who did not look, and proves nothing of who did. Opening a shared mailbox for a moment is not seen.

use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_date, plus_days, start_of_day};
use model::{Action, DayChecks, DomainName, MailboxClass};
use std::collections::{BTreeMap, HashMap};
use store::CheckRow;

/// Days that a report covers at most.
const DAYS_MAX: i64 = 400;

/// A mailbox, or all of a unit, over some working days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checking {
    /// An address, or `domain/unit code`.
    pub of: String,
    pub name: String,
    pub mailboxes: u32,
    /// Working days, summed over the mailboxes, since each was made.
    pub expected: u32,
    /// On how many of them it was looked at as the policy asks.
    pub met: u32,
}

impl Checking {
    /// Days met of those expected, in hundredths; `None` when none were expected.
    #[must_use]
    pub fn percent(&self) -> Option<u32> {
        (self.met * 100).checked_div(self.expected)
    }
}

/// Who was looked at how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckingReport {
    pub working_days: Vec<Date>,
    /// By domain and code; mailboxes of no unit come first in their domain.
    pub units: Vec<Checking>,
    /// By address.
    pub mailboxes: Vec<Checking>,
}

impl Engine {
    /// Of the working days from `since` to `until`, both included and past, at most 400 of the calendar; of one unit with those
    /// below it, or of all that he may see.
    ///
    /// # Errors
    /// `NoSuchUnit`, `BadPeriod`.
    pub async fn checking(
        &self,
        actor: &Actor,
        unit: Option<(&DomainName, &str)>,
        (since, until): (Date, Date),
    ) -> Result<CheckingReport, AdminError> {
        let until = until.min(local_date(self.now()));
        if since > until || model::calendar::days_from(since, until) > DAYS_MAX {
            return Err(AdminError::BadPeriod);
        }
        let unit = match unit {
            Some((domain, code)) => {
                crate::admin::check_name(code)?;
                let target = AdminTarget::UnitCode(domain, code);
                self.authorize(actor, Action::StatisticsShow, &target).await?;
                let found = self.0.store.unit_place_by_code(domain, code).await?;
                let place = found.and_then(|(domain, path)| Some((domain.0, path.last()?.0)));
                Some(place.ok_or_else(|| AdminError::NoSuchUnit(code.to_owned()))?)
            }
            None => None,
        };
        let calendar = self.calendar().await?;
        let days = std::iter::successors(Some(since), |day| Some(plus_days(*day, 1)));
        let working_days: Vec<Date> =
            days.take_while(|day| *day <= until).filter(|day| calendar.is_working_day(*day)).collect();
        let (reach, wanted) = (actor.reach(Action::StatisticsShow), self.checks_wanted().await?);
        let mut tally = Tally::default();
        let mut after = String::new();
        loop {
            let rows = self.0.store.checks(&reach, unit, &working_days, &after).await?;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.address);
            for row in &rows {
                tally.add(row, &wanted);
            }
        }
        let units = tally.units.into_values().collect();
        Ok(CheckingReport { working_days, units, mailboxes: tally.mailboxes })
    }

    /// What each domain's policy asks, of people and of organisations.
    async fn checks_wanted(&self) -> Result<HashMap<String, (u32, u32)>, Error> {
        let mut wanted = HashMap::new();
        for (id, name) in self.0.store.domain_ids().await? {
            let policy = self.policy_of(id).await?;
            wanted.insert(name.to_string(), (policy.checking.person, policy.checking.organisation));
        }
        Ok(wanted)
    }

    /// Notes the half hours of log-ins since yesterday began; to do it again changes nothing.
    pub(crate) async fn note_checks(&self) -> Result<String, Error> {
        let now = self.now();
        let since = start_of_day(plus_days(local_date(now), -1));
        let until = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
        let noted = self.0.store.note_checks(since, until).await?;
        Ok(format!("{noted} days of mailboxes have got half hours"))
    }

    /// On each node: who has a mailbox open here.
    pub(crate) async fn note_present(&self) {
        let open = self.0.hub.accounts();
        if open.is_empty() {
            return;
        }
        let now = self.now();
        if let Err(error) = self.0.store.note_present(&open, local_date(now), half_hour(now)).await {
            tracing::warn!(%error, "who has a mailbox open could not be noted");
        }
    }
}

/// 0 to 47, in Việt Nam.
fn half_hour(at: Timestamp) -> u32 {
    let local = at.to_zoned(TimeZone::fixed(offset(7)));
    let half = i32::from(local.hour()) * 2 + i32::from(local.minute()) / 30;
    half.unsigned_abs()
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Tally {
    mailboxes: Vec<Checking>,
    /// By domain and code.
    units: BTreeMap<(String, Option<String>), Checking>,
}

impl Tally {
    /// The rows of one mailbox come one behind the other.
    fn add(&mut self, row: &CheckRow, wanted: &HashMap<String, (u32, u32)>) {
        let (person, organisation) = wanted.get(&row.domain).copied().unwrap_or_default();
        let wanted = match row.class {
            MailboxClass::Person | MailboxClass::Leader => person,
            MailboxClass::Organisation | MailboxClass::Service => organisation,
        };
        let met = if DayChecks(row.half_hours).suffices(wanted) { row.days } else { 0 };
        let code = row.unit.as_ref().map(|(code, _)| code.clone());
        let unit = self.units.entry((row.domain.clone(), code)).or_insert_with(|| Checking {
            of: row
                .unit
                .as_ref()
                .map_or_else(|| row.domain.clone(), |(code, _)| format!("{}/{code}", row.domain)),
            name: row.unit.as_ref().map_or_else(String::new, |(_, name)| name.clone()),
            mailboxes: 0,
            expected: 0,
            met: 0,
        });
        unit.met += met;
        match self.mailboxes.last_mut().filter(|last| last.of == row.address) {
            Some(last) => last.met += met,
            None => {
                unit.mailboxes += 1;
                unit.expected += row.expected;
                self.mailboxes.push(Checking {
                    of: row.address.clone(),
                    name: row.name.clone(),
                    mailboxes: 1,
                    expected: row.expected,
                    met,
                });
            }
        }
    }
}
