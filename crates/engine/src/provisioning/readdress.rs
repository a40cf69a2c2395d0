//! New addresses for people whose unit is part of theirs, when they come to another one (LC Đ4.2a, Đ6.2a). The old ones receive
//! for as long as the policy says, then they are given up.

use super::one::parsed;
use super::person_scheme;
use super::taken::{Applicant, Taken};
use crate::organisation::Held;
use crate::{AdminError, Engine};
use model::calendar::{plus_days, plus_months, start_of_day};
use model::naming::PersonName;
use model::{AccountId, Address, PersonId, UnitId};

impl Engine {
    /// Old and new addresses of those whose address is not one that the scheme makes of their name in this unit.
    pub(crate) async fn readdress(
        &self,
        held: &mut Held,
        people: &[PersonId],
        unit: UnitId,
    ) -> Result<Vec<(String, String)>, AdminError> {
        let scheme = person_scheme(&held.policy);
        let code = held.tree.code_of_people(unit).map(ToString::to_string);
        let rows = held.tx.taken_in(&held.name).await?;
        let mut taken = Taken::new(&held.policy, rows);
        let mut new: Vec<(AccountId, Address, String)> = Vec::new();
        let mut told = Vec::new();
        for mailbox in held.tx.addresses_of(people).await? {
            let Ok(name) = PersonName::parse(&mailbox.full_name) else { continue };
            let Some((local, _)) = mailbox.address.rsplit_once('@') else { continue };
            let proposals = || scheme.propose(&name, code.as_deref());
            if proposals().any(|proposal| proposal.local.as_str() == local) {
                continue;
            }
            let applicant =
                Applicant { person: Some(mailbox.person), today: self.today(), has_mailbox: true };
            let choice = taken.choose(proposals(), applicant);
            let choice = choice.map_err(|why| super::GrantError::NoChoice(mailbox.full_name.clone(), why))?;
            let address = parsed(choice.proposal.local.as_str(), &held.name)?;
            taken.take(choice.proposal.local.as_str());
            told.push((mailbox.address, address.to_string()));
            new.push((mailbox.account, address, choice.proposal.rule.id.clone()));
        }
        if !new.is_empty() {
            let months = u16::try_from(held.policy.naming.alias_months).unwrap_or(u16::MAX);
            // To the end of that day.
            let last = plus_months(self.today(), months);
            let until = start_of_day(plus_days(last, 1));
            held.tx.replace_primaries(&new, self.now(), until).await?;
        }
        Ok(told)
    }
}
