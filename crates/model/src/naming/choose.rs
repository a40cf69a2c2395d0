//! From proposals to the address that is granted.
//!
//! Invariants: what comes out is neither reserved nor taken, and was made by a rule of the scheme; who asked first, or whom the
//! regulation puts first, is served first. `taken` answers for everything that exists or is kept: mailboxes,
//! aliases, groups, local parts given up.

use super::local_part::LocalPart;
use super::reserved::Reserved;
use super::scheme::{Proposal, Proposals, SameDay};
use jiff::civil::Date;

/// Proposals passed over that are told with a choice: enough to see why, however many there were.
pub const PASSED_MAX: usize = 16;

/// Why a proposal was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Reserved,
    Taken,
}

/// The first free proposal and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'s> {
    pub proposal: Proposal<'s>,
    /// The first [`PASSED_MAX`] that were not free.
    pub passed: Vec<(Proposal<'s>, Why)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    #[error("the scheme makes no address of this name: it is too long, or its unit has no code")]
    NoProposal,
    #[error("every address the scheme makes of this name is taken")]
    AllTaken,
}

/// The first proposal that is free.
///
/// # Errors
/// When there is none.
pub fn choose<'s>(
    proposals: Proposals<'s>,
    reserved: &Reserved,
    mut taken: impl FnMut(&str) -> bool,
) -> Result<Choice<'s>, NoChoice> {
    let mut passed = Vec::new();
    for proposal in proposals {
        match why_not(proposal.local.as_str(), reserved, &mut taken) {
            None => return Ok(Choice { proposal, passed }),
            Some(why) if passed.len() < PASSED_MAX => passed.push((proposal, why)),
            Some(_) => {}
        }
    }
    Err(if passed.is_empty() { NoChoice::NoProposal } else { NoChoice::AllTaken })
}

/// The first `limit` proposals that are free, for a holder who chooses (Thái Nguyên 957/2013 Điều 3.5).
pub fn offers<'s>(
    proposals: Proposals<'s>,
    reserved: &Reserved,
    mut taken: impl FnMut(&str) -> bool,
    limit: usize,
) -> Vec<Proposal<'s>> {
    proposals.filter(|p| why_not(p.local.as_str(), reserved, &mut taken).is_none()).take(limit).collect()
}

/// Why a holder may not have what was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    #[error("the scheme does not make this address of the name")]
    NotOfScheme,
    #[error("this address belongs to a role")]
    Reserved,
    #[error("this address is taken")]
    Taken,
}

/// The proposal that a holder chose.
///
/// # Errors
/// When no rule makes it of the name (malformed), or it is not free.
pub fn chosen<'s>(
    mut proposals: Proposals<'s>,
    wanted: &str,
    reserved: &Reserved,
    mut taken: impl FnMut(&str) -> bool,
) -> Result<Proposal<'s>, ChoiceError> {
    let wanted: LocalPart = wanted.parse().map_err(|_| ChoiceError::NotOfScheme)?;
    let proposal = proposals.find(|p| p.local == wanted).ok_or(ChoiceError::NotOfScheme)?;
    match why_not(wanted.as_str(), reserved, &mut taken) {
        None => Ok(proposal),
        Some(Why::Reserved) => Err(ChoiceError::Reserved),
        Some(Why::Taken) => Err(ChoiceError::Taken),
    }
}

fn why_not(local: &str, reserved: &Reserved, taken: &mut impl FnMut(&str) -> bool) -> Option<Why> {
    if reserved.holds(local) { Some(Why::Reserved) } else { taken(local).then_some(Why::Taken) }
}

/// One request for a mailbox, as far as its turn goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// The day the request was registered, in the province's time zone.
    pub day: Date,
    /// Place among the leaders (cấp bậc, chức vụ lãnh đạo), 0 the highest; none for others.
    pub rank: Option<u8>,
    /// Number of registration.
    pub number: u64,
}

impl SameDay {
    /// The indices of `applicants` in the order they are granted: day by day, and within a day as the scheme says.
    #[must_use]
    pub fn turns(self, applicants: &[Applicant]) -> Vec<usize> {
        let mut turns: Vec<(Date, u16, u64, usize)> = Vec::with_capacity(applicants.len());
        for (index, applicant) in applicants.iter().enumerate() {
            let rank = match self {
                Self::Registration => 0,
                Self::LeadersFirst => applicant.rank.map_or(u16::MAX, u16::from),
            };
            turns.push((applicant.day, rank, applicant.number, index));
        }
        turns.sort_unstable();
        turns.into_iter().map(|(.., index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SchemeId;
    use crate::naming::PersonName;
    use jiff::civil::date;
    use std::collections::BTreeSet;

    #[test]
    fn passes_over_what_is_not_free() {
        let scheme = SchemeId::AnGiang.person_scheme();
        let name = PersonName::parse("Ân Dmin").unwrap();
        let choice =
            choose(scheme.propose(&name, None), &Reserved::default(), |local| local == "admin02").unwrap();
        assert_eq!(choice.proposal.local.as_str(), "admin03");
        let passed: Vec<_> = choice.passed.iter().map(|(p, why)| (p.local.as_str(), *why)).collect();
        assert_eq!(passed, [("admin", Why::Reserved), ("admin02", Why::Taken)]);
    }

    #[test]
    fn the_end_is_told() {
        let scheme = SchemeId::LaoCai.person_scheme();
        let name = PersonName::parse("Giàng A Pao").unwrap();
        let none = choose(scheme.propose(&name, None), &Reserved::default(), |_| false);
        assert_eq!(none, Err(NoChoice::NoProposal));
        let mut asked = BTreeSet::new();
        let all = choose(scheme.propose(&name, Some("stttt")), &Reserved::default(), |local| {
            asked.insert(local.to_owned())
        });
        assert_eq!(all, Err(NoChoice::AllTaken));
    }

    #[test]
    fn a_holder_chooses_one_or_two_characters() {
        let scheme = SchemeId::ThaiNguyen.person_scheme();
        let name = PersonName::parse("Đặng Thị Đào").unwrap();
        let held = ["daodt", "daodta", "daodtb"];
        let taken = |local: &str| held.contains(&local);
        let reserved = Reserved { also: vec!["daodtz".to_owned()], ..Reserved::default() };
        let offered = offers(scheme.propose(&name, None), &reserved, taken, 3);
        assert_eq!(
            offered.iter().map(|p| p.local.as_str()).collect::<Vec<_>>(),
            ["daodtc", "daodtd", "daodte"]
        );
        for (wanted, expected) in [
            ("daodtc", Ok("extra-one")),
            ("daodt9", Ok("extra-one")),
            ("daodtxy", Ok("extra-two")),
            ("daodta", Err(ChoiceError::Taken)),
            ("daodt", Err(ChoiceError::Taken)),
            ("daodtz", Err(ChoiceError::Reserved)),
            ("daodtabc", Err(ChoiceError::NotOfScheme)),
            ("daodt-a", Err(ChoiceError::NotOfScheme)),
            ("daodtA", Err(ChoiceError::NotOfScheme)),
            ("daodtđ", Err(ChoiceError::NotOfScheme)),
            ("hoadt", Err(ChoiceError::NotOfScheme)),
            ("", Err(ChoiceError::NotOfScheme)),
        ] {
            let made = chosen(scheme.propose(&name, None), wanted, &reserved, taken);
            assert_eq!(made.map(|p| p.rule.id.as_str()), expected, "{wanted}");
        }
    }

    #[test]
    fn leaders_of_a_day_go_first() {
        let on = |day, rank, number| Applicant { day: date(2026, 11, day), rank, number };
        let asked =
            [on(2, Some(0), 9), on(1, None, 1), on(1, Some(3), 2), on(1, Some(1), 4), on(1, Some(1), 3)];
        assert_eq!(SameDay::LeadersFirst.turns(&asked), [4, 3, 2, 1, 0]);
        assert_eq!(SameDay::Registration.turns(&asked), [1, 2, 4, 3, 0]);
        assert!(SameDay::LeadersFirst.turns(&[]).is_empty());
    }
}
