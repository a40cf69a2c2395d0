//! New addresses for mailboxes whose unit is part of theirs: people who come to another unit (LC Đ4.2a, Đ6.2a), and units that
//! get another name, code or place (AG Đ7.3d; LC Đ6.1; TN Đ8.1), with the people whose addresses name them. The old ones
//! receive for as long as the policy says, then they are given up.
//!
//! Invariants: what the scheme would not have made stays when a unit changes: somebody chose it. A mailbox of a unit that ended
//! keeps its address. The owners are owed a notice from the act's transaction on.

use super::one::parsed;
use super::person_scheme;
use super::taken::{Applicant, Taken};
use crate::organisation::{Held, unit_scheme};
use crate::{AdminError, Engine};
use jiff::civil::Date;
use model::calendar::{plus_days, plus_months, start_of_day, written_day};
use model::naming::{PersonName, PersonScheme, Proposals, UnitScheme};
use model::{Address, MailboxClass, PersonId, Tree, UnitCode, UnitId, UnitState};
use std::collections::HashMap;
use store::{NewPrimary, OwedNotice, UnitMailbox};

/// Mailboxes as they were called before an act that may change how they are.
pub(crate) struct Before {
    tree: Tree,
    /// What stands before the @ in the units' own addresses.
    locals: HashMap<UnitId, String>,
    mailboxes: Vec<UnitMailbox>,
    /// Does an address that the scheme would not have made stay?
    chosen_stay: bool,
}

impl Before {
    /// As it was.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// Mailboxes that have another address now.
#[derive(Debug, Default)]
pub(crate) struct Readdressed {
    /// Old and new.
    pub(crate) addresses: Vec<(String, String)>,
    /// The day to whose end the old ones receive.
    pub(crate) until: Option<Date>,
    /// What the owners are told.
    pub(crate) owed: Vec<OwedNotice>,
}

struct Schemes {
    people: PersonScheme,
    units: UnitScheme,
}

impl Schemes {
    /// What addresses the mailbox may have in this unit; `None`: they are not made of the unit.
    fn propose(
        &self,
        mailbox: &UnitMailbox,
        unit: UnitId,
        (tree, locals): (&Tree, &HashMap<UnitId, String>),
    ) -> Option<Proposals<'_>> {
        match mailbox.class {
            MailboxClass::Organisation => {
                let subject = tree.subject(unit, |id| locals.get(&id).cloned())?.ok()?;
                Some(self.units.propose(&subject.unit()))
            }
            MailboxClass::Person | MailboxClass::Leader if self.people.needs_unit() => {
                let name = PersonName::parse(&mailbox.name).ok()?;
                let code = tree.code_of_people(unit)?;
                Some(self.people.propose(&name, Some(UnitCode::as_str(code))))
            }
            _ => None,
        }
    }
}

impl Engine {
    /// The mailboxes of these units and of those below them, before an act on the units.
    pub(crate) async fn before_act(&self, held: &mut Held, units: &[UnitId]) -> Result<Before, AdminError> {
        let ids = held.tree.units().map(|unit| unit.id);
        let all: Vec<UnitId> =
            ids.filter(|id| held.tree.path(*id).iter().any(|above| units.contains(above))).collect();
        let mailboxes = held.tx.mailboxes_in(&all).await?;
        let locals = held.unit_locals().await?;
        Ok(Before { tree: held.tree.clone(), locals, mailboxes, chosen_stay: true })
    }

    /// The mailboxes of a person, before he goes to another unit.
    pub(crate) async fn before_transfer(
        &self,
        held: &mut Held,
        person: PersonId,
    ) -> Result<Before, AdminError> {
        let mailboxes = held.tx.mailboxes_of(person).await?;
        Ok(Before { tree: held.tree.clone(), locals: HashMap::new(), mailboxes, chosen_stay: false })
    }

    /// New addresses where the old ones were made of what has changed; `moves` says whose people went where. Of as many
    /// mailboxes as a unit has: their owners wait for one transaction.
    pub(crate) async fn readdress(
        &self,
        held: &mut Held,
        mut before: Before,
        moves: &[(Option<UnitId>, UnitId)],
    ) -> Result<Readdressed, AdminError> {
        let schemes = Schemes { people: person_scheme(&held.policy), units: unit_scheme(&held.policy) };
        let rows = held.tx.taken_in(&held.name).await?;
        let mut taken = Taken::new(&held.policy, rows);
        let mut locals = before.locals.clone();
        let mut new: Vec<(&UnitMailbox, NewPrimary)> = Vec::new();
        // From the top: what is below may bear the new name of what is above.
        let depth = |unit: Option<UnitId>| unit.map_or(0, |unit| held.tree.path(unit).len());
        before.mailboxes.sort_by_key(|mailbox| (depth(mailbox.unit), mailbox.account));
        for mailbox in &before.mailboxes {
            let goes = moves.iter().find(|(from, _)| *from == mailbox.unit).map(|(_, to)| *to);
            let is_office = mailbox.class == MailboxClass::Organisation;
            let Some(to) = goes.filter(|_| !is_office).or(mailbox.unit) else { continue };
            let lives = held.tree.unit(to).is_some_and(|unit| unit.state == UnitState::Active);
            let Some((local, domain)) = mailbox.address.rsplit_once('@') else { continue };
            if !lives || domain != held.name.as_str() {
                continue;
            }
            let is_made = |proposals: Option<Proposals<'_>>| {
                proposals.is_some_and(|mut all| all.any(|proposal| proposal.local.as_str() == local))
            };
            let before_it = (&before.tree, &before.locals);
            let was = mailbox.unit.and_then(|unit| schemes.propose(mailbox, unit, before_it));
            let fits = is_made(schemes.propose(mailbox, to, (&held.tree, &locals)));
            let Some(proposals) = schemes.propose(mailbox, to, (&held.tree, &locals)) else { continue };
            if fits || before.chosen_stay && !is_made(was) {
                continue;
            }
            let account = Some(mailbox.account);
            let applicant = Applicant { person: mailbox.person, account, today: self.today() };
            let choice = taken.choose(proposals, applicant);
            let choice = choice.map_err(|why| super::GrantError::NoChoice(mailbox.name.clone(), why))?;
            let chosen = choice.proposal.local.as_str();
            let primary = NewPrimary {
                account: mailbox.account,
                address: parsed(chosen, &held.name)?,
                rule: choice.proposal.rule.id.clone(),
                is_reused: taken.is_reused(chosen),
            };
            if is_office && before.locals.get(&to).is_some_and(|own| own == local) {
                locals.insert(to, chosen.to_owned());
            }
            taken.take(chosen);
            new.push((mailbox, primary));
        }
        self.write_primaries(held, new).await
    }

    async fn write_primaries(
        &self,
        held: &mut Held,
        new: Vec<(&UnitMailbox, NewPrimary)>,
    ) -> Result<Readdressed, AdminError> {
        if new.is_empty() {
            return Ok(Readdressed::default());
        }
        let months = u16::try_from(held.policy.naming.alias_months).unwrap_or(u16::MAX);
        let last = plus_months(self.today(), months);
        let (mailboxes, primaries): (Vec<&UnitMailbox>, Vec<NewPrimary>) = new.into_iter().unzip();
        // To the end of that day.
        held.tx.replace_primaries(&primaries, self.now(), start_of_day(plus_days(last, 1))).await?;
        let mut changed = Readdressed { until: Some(last), ..Readdressed::default() };
        for (mailbox, primary) in mailboxes.into_iter().zip(&primaries) {
            let (old, now) = (&mailbox.address, &primary.address);
            changed.addresses.push((old.clone(), now.to_string()));
            changed.owed.push(OwedNotice {
                key: format!("readdressed/{}/{now}/{}", mailbox.account, self.now()),
                to: mailbox.account,
                subject: NEW_ADDRESS.to_owned(),
                text: new_address_text(&mailbox.display_name, (old, now), Some(last)),
            });
        }
        held.tx.owe_notices(&changed.owed, self.now()).await?;
        Ok(changed)
    }
}

/// The subject of what owners are told.
pub(crate) const NEW_ADDRESS: &str = "Thay đổi địa chỉ thư điện tử công vụ";

/// What the owner of a mailbox is told; the old address receives to the end of the day.
pub(crate) fn new_address_text(
    display_name: &str,
    (old, new): (&str, &Address),
    until: Option<Date>,
) -> String {
    let until = until.map(|day| format!(" đến hết ngày {}", written_day(day))).unwrap_or_default();
    format!(
        "Kính gửi: {display_name}\n\n\
         Hộp thư của Ông/Bà có địa chỉ mới là {new}.\n\n\
         Địa chỉ cũ {old} vẫn nhận thư{until}. Thư, thư mục và mật khẩu không thay đổi; phần mềm thư đang đăng nhập bằng địa \
         chỉ cũ vẫn sử dụng được bình thường trong thời gian này.\n\n\
         Đề nghị Ông/Bà thông báo địa chỉ mới cho những nơi thường liên hệ.\n\n\
         Trân trọng.\n"
    )
}
