//! Which local parts of a domain are to be had, by whom, today.

use crate::AdminError;
use crate::organisation::Held;
use jiff::Timestamp;
use jiff::civil::Date;
use model::naming::{Choice, NoChoice, Proposal, Proposals, Reserved, Retention, choose, offers};
use model::{AccountId, DomainName, PersonId, Policy};
use std::collections::HashMap;
use store::TakenRow;

/// Proposals that are looked up before every address of the domain is: more than any name has holders.
const LOOKED_UP: usize = 200;
/// Offers that are told to a holder who chooses.
pub(super) const OFFERS_MAX: usize = 10;

/// Local parts that are or were given out.
#[derive(Debug, Default)]
pub(super) struct Taken {
    rows: HashMap<String, Holder>,
    reserved: Reserved,
    retention: Retention,
}

/// Whose a local part is or was.
#[derive(Clone, Copy, Debug)]
enum Holder {
    /// Of a mailbox, a group or a role.
    Somebody,
    /// A further address of this mailbox.
    Alias(AccountId),
    /// Given up.
    Former { account: Option<AccountId>, person: Option<PersonId>, since: Option<Date> },
}

/// For whom an address is chosen, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant {
    pub(super) person: Option<PersonId>,
    pub(super) today: Date,
    /// The mailbox that gets another address, which may be one it has or had already.
    pub(super) account: Option<AccountId>,
}

impl Taken {
    pub(super) fn new(policy: &Policy, rows: Vec<TakenRow>) -> Self {
        let mut taken = Self { retention: retention(policy), ..Self::default() };
        for row in rows {
            let Some((local, _)) = row.address.rsplit_once('@') else { continue };
            let holder = match (row.retired, row.account) {
                (Some(at), account) => {
                    let since = at.map(model::calendar::local_date);
                    Holder::Former { account, person: row.person, since }
                }
                (None, Some(account)) if row.is_alias => Holder::Alias(account),
                (None, _) => Holder::Somebody,
            };
            taken.rows.insert(local.to_owned(), holder);
        }
        taken
    }

    /// Somebody has it from now on.
    pub(super) fn take(&mut self, local: &str) {
        self.rows.insert(local.to_owned(), Holder::Somebody);
    }

    pub(super) fn is_taken(&self, local: &str, applicant: Applicant) -> bool {
        match self.rows.get(local) {
            None => false,
            Some(Holder::Alias(account)) => applicant.account != Some(*account),
            Some(Holder::Former { person, .. }) if person.is_some() && *person == applicant.person => false,
            Some(Holder::Former { account, .. }) if account.is_some() && *account == applicant.account => {
                false
            }
            // What was given up nobody knows when is kept for ever.
            Some(Holder::Somebody | Holder::Former { since: None, .. }) => true,
            Some(Holder::Former { since: Some(since), .. }) => match self.retention {
                Retention::Forever => true,
                Retention::Months(months) => applicant.today < model::calendar::plus_months(*since, months),
            },
        }
    }

    /// Was it given up, so that its row is to be taken over?
    pub(super) fn is_reused(&self, local: &str) -> bool {
        matches!(self.rows.get(local), Some(Holder::Former { .. }))
    }

    pub(super) fn choose<'s>(
        &self,
        proposals: Proposals<'s>,
        applicant: Applicant,
    ) -> Result<Choice<'s>, NoChoice> {
        choose(proposals, &self.reserved, |local| self.is_taken(local, applicant))
    }

    pub(super) fn offers<'s>(&self, proposals: Proposals<'s>, applicant: Applicant) -> Vec<Proposal<'s>> {
        offers(proposals, &self.reserved, |local| self.is_taken(local, applicant), OFFERS_MAX)
    }

    pub(super) fn reserved(&self) -> &Reserved {
        &self.reserved
    }
}

fn retention(policy: &Policy) -> Retention {
    match policy.naming.retired_months {
        None => Retention::Forever,
        // Never before the log that names the former holder by it is gone: the month under way is kept as well.
        Some(months) => {
            let months = months.max(policy.log_retention_months().saturating_add(1));
            Retention::Months(u16::try_from(months).unwrap_or(u16::MAX))
        }
    }
}

/// What was given up before this moment may be somebody else's; `None`: never.
pub(crate) fn given_up_before(policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    match retention(policy) {
        Retention::Forever => None,
        Retention::Months(months) => {
            let today = model::calendar::local_date(now);
            let span = jiff::Span::new().months(i64::from(months));
            today.checked_sub(span).ok().map(model::calendar::start_of_day)
        }
    }
}

/// What is known of the first proposals, and of all addresses of the domain when none of those is free.
pub(super) async fn look_up<'s>(
    held: &mut Held,
    proposals: impl Fn() -> Proposals<'s>,
    applicant: Applicant,
) -> Result<Taken, AdminError> {
    let first: Vec<String> =
        proposals().take(LOOKED_UP).map(|proposal| address(proposal.local.as_str(), &held.name)).collect();
    let rows = held.tx.taken(&first).await?;
    let taken = Taken::new(&held.policy, rows);
    let is_free = |p: Proposal<'_>| {
        !taken.reserved.holds(p.local.as_str()) && !taken.is_taken(p.local.as_str(), applicant)
    };
    if first.len() < LOOKED_UP || proposals().take(LOOKED_UP).any(is_free) {
        return Ok(taken);
    }
    let rows = held.tx.taken_in(&held.name).await?;
    Ok(Taken::new(&held.policy, rows))
}

pub(super) fn address(local: &str, domain: &DomainName) -> String {
    format!("{local}@{domain}")
}
