//! The handling (xử lý thư, C5) of mail in an organisation's mailbox: reported to the head, assigned, answered, closed, by its day.
//!
//! AG Đ10.2b-c; LC Đ11.3; TN Đ10.3; ST Đ12.3; BD Đ13.2. Invariants: a mail goes through the states of the domain's policy in their
//! order, and never back; it is not assigned before it was reported where policy wants that; only those who have rights to the
//! mailbox handle its mail, and each step is kept with who took it; at the console somebody of them is named, and it is he who must
//! have the right. A handling follows its mail within the mailbox and ends with it.

use crate::notices::Notice;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use model::calendar::{local_date, written_day};
use model::{Action, Address, FolderName, HandlingState, MailboxClass, Policy, Right, Uid};
use serde_json::json;
use store::{HandlingRow, NewHandling, PartyRow, SharedAct};

/// Mail that nobody has done anything about is listed as new so long: the longest term of a policy.
const NEW_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Mails of one mailbox that are listed.
const LISTED_MAX: u32 = 5_000;
/// Overdue mails read at once.
const PAGE: u32 = 500;

/// A mail with its handling, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlingDetail {
    pub folder: String,
    pub uid: Uid,
    pub received_at: Timestamp,
    pub state: HandlingState,
    pub due_on: Date,
    pub is_overdue: bool,
    pub assignee: Option<Address>,
    /// Who did the last thing about it, and when.
    pub changed: Option<(String, Timestamp)>,
}

/// A mail by its place in the mailbox.
#[derive(Clone, Copy, Debug)]
pub struct HandledMail<'a> {
    pub mailbox: &'a Address,
    pub folder: &'a FolderName,
    pub uid: Uid,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlingStep {
    /// To the head (báo cáo lãnh đạo).
    Report,
    /// To somebody who may read the mailbox, with another day than policy's.
    Assign {
        to: Address,
        due_on: Option<Date>,
    },
    Answer,
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlingError {
    #[error("{0} is not an organisation's mailbox")]
    NoOrganisation(Address),
    #[error("there is no such mail in the folder")]
    NoSuchMail,
    #[error("what is {0} does not become {1}: see handling.states in the policy")]
    State(&'static str, &'static str),
    #[error("the head has not been told of it: see handling.report_to_head in the policy")]
    Unreported,
    #[error("{0} may not read the mailbox")]
    Assignee(Address),
    #[error("somebody else did something about it at this moment: look again")]
    Overtaken,
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for HandlingError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for HandlingError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl HandlingStep {
    const fn state(&self) -> HandlingState {
        match self {
            Self::Report => HandlingState::Reported,
            Self::Assign { .. } => HandlingState::Assigned,
            Self::Answer => HandlingState::Answered,
            Self::Close => HandlingState::Closed,
        }
    }

    const fn action(&self) -> Action {
        match self {
            Self::Report => Action::HandlingReport,
            Self::Assign { .. } => Action::HandlingAssign,
            Self::Answer => Action::HandlingAnswer,
            Self::Close => Action::HandlingClose,
        }
    }
}

/// May it become that by this policy? What is assigned may be assigned to somebody else.
fn check(policy: &Policy, from: HandlingState, to: HandlingState) -> Result<(), HandlingError> {
    let again = from == HandlingState::Assigned && to == from;
    let states = &policy.handling.states;
    if !again && (to <= from || !states.contains(&to)) {
        return Err(HandlingError::State(from.as_str(), to.as_str()));
    }
    let is_reported = from > HandlingState::New || !states.contains(&HandlingState::Reported);
    let needs_report = policy.handling.report_to_head && to == HandlingState::Assigned;
    if needs_report && !is_reported { Err(HandlingError::Unreported) } else { Ok(()) }
}

impl Engine {
    /// The mails of an organisation's mailbox with their handling, by the time they came; the overdue alone are seen by those who
    /// answer for the domain, too. Never what a mail says.
    ///
    /// # Errors
    /// `NoSuchMailbox`, also for what is out of sight; `NoOrganisation`.
    pub async fn handlings(
        &self,
        actor: &Actor,
        mailbox: &Address,
        overdue: bool,
    ) -> Result<Vec<HandlingDetail>, HandlingError> {
        let action = if overdue { Action::HandlingOverdue } else { Action::HandlingShow };
        self.authorize(actor, action, &AdminTarget::Address(mailbox)).await?;
        let party = self.organisation_mailbox(mailbox).await?;
        let policy = self.policy_of(party.domain).await?;
        let since = self.now().saturating_sub(NEW_FOR).unwrap_or(self.now());
        let mut found = Vec::new();
        for row in self.0.store.handlings(party.account, since, LISTED_MAX).await? {
            let due_on = self.due_on(&row, &policy).await?;
            let is_open = row.state < HandlingState::Answered;
            let is_overdue = is_open && due_on < local_date(self.now());
            if is_overdue || !overdue {
                let HandlingRow { folder, uid, received_at, state, assignee, changed, .. } = row;
                found.push(HandlingDetail {
                    folder,
                    uid,
                    received_at,
                    state,
                    due_on,
                    is_overdue,
                    assignee,
                    changed,
                });
            }
        }
        Ok(found)
    }

    /// Takes a step with one mail.
    ///
    /// # Errors
    /// See [`HandlingError`].
    pub async fn handle_mail(
        &self,
        actor: &Actor,
        mail: HandledMail<'_>,
        step: &HandlingStep,
    ) -> Result<HandlingState, HandlingError> {
        self.authorize(actor, step.action(), &AdminTarget::Address(mail.mailbox)).await?;
        let party = self.organisation_mailbox(mail.mailbox).await?;
        let policy = self.policy_of(party.domain).await?;
        let found = self.0.store.handling_at(party.account, mail.folder, mail.uid).await?;
        let row = found.ok_or(HandlingError::NoSuchMail)?;
        check(&policy, row.state, step.state())?;
        let (assignee, due_on) = match step {
            HandlingStep::Assign { to, due_on } => (Some(self.assignee(&party, to).await?), *due_on),
            HandlingStep::Report | HandlingStep::Answer | HandlingStep::Close => (None, None),
        };
        let due_on = match due_on {
            Some(due_on) => due_on,
            None => self.due_on(&row, &policy).await?,
        };
        let new = NewHandling {
            account: party.account,
            email: row.email,
            content: row.content,
            from: row.state,
            state: step.state(),
            due_on,
            assignee: assignee.as_ref().map(|to| to.account),
            by: actor.name(),
        };
        let to = assignee.map(|to| format!(" {}", to.address)).unwrap_or_default();
        let act = SharedAct {
            at: self.now(),
            mailbox: party.account,
            address: party.address.to_string(),
            actor: actor.name().to_owned(),
            what: format!("{} {} {}{to}", step.action().as_str(), mail.folder.as_str(), mail.uid.0),
        };
        let mut tx = self.0.store.begin().await?;
        if !tx.set_handling(&new, self.now()).await? {
            return Err(HandlingError::Overtaken);
        }
        tx.note_shared(&[act], &self.queue_id()).await?;
        tx.commit().await?;
        Ok(step.state())
    }

    /// Whoever is at the console acts in the name of somebody, with the rights of that one; both are noted, and that he does is audited.
    ///
    /// # Errors
    /// `Denied` for whoever is not at the console, `NoSuchMailbox`.
    pub async fn actor_in_name_of(&self, actor: &Actor, person: &Address) -> Result<Actor, AdminError> {
        self.authorize(actor, Action::MailboxTransfer, &AdminTarget::Address(person)).await?;
        let party = self.party(person).await?;
        let named = self.actor_named(actor, &party).await?;
        let mut tx = self.0.store.begin().await?;
        self.audit(&mut tx, actor, "handling.in-name-of", &party.address.to_string(), &json!({})).await?;
        tx.commit().await?;
        Ok(named)
    }

    /// Reminds once of each mail whose day has passed, and forgets those that are gone.
    pub(crate) async fn handling_reminders_job(&self) -> Result<String, Error> {
        let gone = self.0.store.forget_handlings().await?;
        let (mut after, mut told) = (0, 0);
        loop {
            let page = self.0.store.overdue_handlings(local_date(self.now()), after, PAGE).await?;
            for row in &page {
                after = row.handling;
                let Some(place) = self.0.store.notice_place(row.account).await? else { continue };
                let due_on = row.due_on;
                let key = format!("handling/{}/{due_on}", row.handling);
                let subject = format!("Quá hạn xử lý thư của {}", place.address);
                let text = format!(
                    "Thư số {} trong thư mục {} của hộp thư {} đã quá hạn xử lý ngày {}. Đề nghị Ông/Bà trả lời hoặc báo cáo thủ \
                     trưởng.\n\n--\nMessage {0} in {1} of {2} was to be handled by {due_on}.",
                    row.uid.0,
                    row.folder,
                    place.address,
                    written_day(due_on)
                );
                let to = row.assignee.unwrap_or(row.account);
                let notice = Notice { key: &key, to, subject: &subject, text: &text };
                told += usize::from(self.post(&notice).await?);
            }
            if page.len() < PAGE as usize {
                return Ok(format!("{told} reminded, {gone} gone"));
            }
        }
    }

    /// Its own day, or policy's many working days after it came.
    async fn due_on(&self, row: &HandlingRow, policy: &Policy) -> Result<Date, Error> {
        if let Some(due_on) = row.due_on {
            return Ok(due_on);
        }
        let days = i32::try_from(policy.handling.answer_days).unwrap_or(1);
        Ok(self.calendar().await?.add_working_days(local_date(row.received_at), days))
    }

    async fn organisation_mailbox(&self, mailbox: &Address) -> Result<PartyRow, HandlingError> {
        let party = self.party(mailbox).await?;
        match party.class {
            MailboxClass::Organisation | MailboxClass::Service => Ok(party),
            MailboxClass::Person | MailboxClass::Leader => {
                Err(HandlingError::NoOrganisation(mailbox.clone()))
            }
        }
    }

    /// The mailbox's own holder, or somebody with the right to read it.
    async fn assignee(&self, mailbox: &PartyRow, to: &Address) -> Result<PartyRow, HandlingError> {
        let refused = || HandlingError::Assignee(to.clone());
        let party = self.0.store.party(to).await?.ok_or_else(refused)?;
        let held = self.0.store.held_delegation(party.account, &mailbox.address, self.now()).await?;
        let may_read = held.is_some_and(|held| held.rights.contains(Right::Read));
        if may_read || party.account == mailbox.account { Ok(party) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_one_another_as_policy_says() {
        let mut policy = Policy::default();
        use HandlingState::{Answered, Assigned, Closed, New, Reported};
        assert_eq!(check(&policy, New, Assigned), Err(HandlingError::Unreported));
        for (from, to) in
            [(New, Reported), (Reported, Assigned), (Assigned, Assigned), (New, Answered), (Answered, Closed)]
        {
            assert_eq!(check(&policy, from, to), Ok(()), "{from:?} {to:?}");
        }
        for (from, to) in [(Closed, Closed), (Answered, Assigned), (Reported, Reported), (Closed, Answered)] {
            assert_eq!(check(&policy, from, to), Err(HandlingError::State(from.as_str(), to.as_str())));
        }
        policy.handling.states = vec![New, Assigned, Closed];
        assert_eq!(check(&policy, New, Assigned), Ok(()));
        assert_eq!(check(&policy, New, Answered), Err(HandlingError::State("new", "answered")));
    }
}
