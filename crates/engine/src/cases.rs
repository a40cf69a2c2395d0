//! Cases (yêu cầu hỗ trợ, E6): what was written to the support address, seen to, answered and closed.
//!
//! AG Đ10.1h; ST Đ11.4. `intake` makes them of mails. Invariants: each step is kept with who took it and when, and audited; an
//! answer is delivered in the transaction that notes it; a case that is about somebody's mailbox is seen by whoever may see that
//! mailbox, and one from outside by those who answer for the whole domain.

mod intake;
pub(crate) mod mail;

use crate::audit::AuditKind;
use crate::notices::{Letter, Thread};
use crate::{
    Actor, AdminError, AdminTarget, Engine, Error, NewRequest, Recipient, RequestError, trace_query,
};
use model::{Action, Address, CaseState, DomainName, RequestKind};
use serde_json::json;
use store::{CaseEventRow, CaseFilter, CaseMessageRow, CaseRow, Event, NewCaseMessage, NoticePlace, Target};

/// Characters of an answer.
const TEXT_CHARS_MAX: usize = 20_000;
/// Times an answer is tried anew after the sweeper got in between.
const ATTEMPTS: u32 = 5;

/// A case as lists show it.
pub type CaseDetail = CaseRow;

/// A case with its mails and all that was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseHistory {
    pub case: CaseDetail,
    pub messages: Vec<CaseMessageRow>,
    pub events: Vec<CaseEventRow>,
}

/// Which cases to list.
#[derive(Clone, Copy, Debug)]
pub struct CaseQuery<'a> {
    pub domain: &'a DomainName,
    /// Those that are closed, too.
    pub closed: bool,
    /// From behind this number on.
    pub after: i64,
    pub limit: u32,
}

/// What a case is to become as a request; the rest is the case's own.
#[derive(Clone, Debug)]
pub struct CaseRequest {
    pub kind: RequestKind,
    /// Code of the unit that asks, if not the sender's.
    pub unit: Option<String>,
    /// The mailbox it is about, if not the sender's.
    pub mailbox: Option<Address>,
    /// Number and date of the paper.
    pub document: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    #[error("there is no case {0}")]
    NoSuchCase(i64),
    #[error("an answer has 1 to 20,000 characters, and no control characters")]
    Text,
    #[error("{0} is outside, or did not log in to write: sending to the outside is not in this version")]
    Outside(String),
    #[error("the case is closed")]
    Closed,
    #[error("the case is request {0} already")]
    IsRequest(i64),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for CaseError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for CaseError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl Engine {
    /// By number; what is outside the actor's reach is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cases(&self, actor: &Actor, query: CaseQuery<'_>) -> Result<Vec<CaseDetail>, CaseError> {
        let reach = actor.reach(Action::CaseShow);
        let CaseQuery { domain, closed, after, limit } = query;
        Ok(self.0.store.cases(CaseFilter { reach: &reach, domain, closed, after, limit }).await?)
    }

    /// # Errors
    /// `NoSuchCase`, also for what is out of reach.
    pub async fn case(&self, actor: &Actor, case: i64) -> Result<CaseHistory, CaseError> {
        let found = self.case_for(actor, Action::CaseShow, case).await?;
        let (messages, events) = self.0.store.case_history(case).await?;
        Ok(CaseHistory { case: found, messages, events })
    }

    /// Says who is to see to it.
    ///
    /// # Errors
    /// `NoSuchCase`, `Closed`.
    pub async fn assign_case(
        &self,
        actor: &Actor,
        case: i64,
        assignee: &str,
    ) -> Result<CaseDetail, CaseError> {
        let found = self.case_for(actor, Action::CaseAssign, case).await?;
        crate::admin::check_name(assignee)?;
        let mut tx = self.0.store.begin().await?;
        let held = tx.hold_case(case).await?.ok_or(CaseError::NoSuchCase(case))?;
        if held.state == CaseState::Closed {
            return Err(CaseError::Closed);
        }
        tx.assign_case(case, assignee).await?;
        tx.set_case_state(case, held.state.after_assignment(), self.now()).await?;
        tx.note_case(case, (actor.name(), "assign", assignee), self.now()).await?;
        let detail = json!({ "assignee": assignee });
        self.audit(&mut tx, actor, "case.assign", &audited_as(&found), &detail).await?;
        tx.commit().await?;
        self.case_now(case).await
    }

    /// Answers the sender by mail from the support address; a copy is kept in the support mailbox.
    ///
    /// # Errors
    /// `NoSuchCase`, `Text`, `Closed`; `Outside` when the sender has no mailbox here.
    pub async fn answer_case(&self, actor: &Actor, case: i64, text: &str) -> Result<CaseDetail, CaseError> {
        let found = self.case_for(actor, Action::CaseAnswer, case).await?;
        let odd = text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        if odd || text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return Err(CaseError::Text);
        }
        let outside = || CaseError::Outside(found.sender.clone());
        let account = found.account.ok_or_else(outside)?;
        let place = self.0.store.notice_place(account).await?.ok_or_else(outside)?;
        for _ in 0..ATTEMPTS {
            match self.answer_once(actor, &found, (&place, account), text).await {
                Err(AnswerError::Store(store::Error::ChunkGone | store::Error::Conflict)) => {}
                Err(AnswerError::Store(error)) => return Err(error.into()),
                Err(AnswerError::Case(error)) => return Err(error),
                Ok(()) => return self.case_now(case).await,
            }
        }
        Err(Error::Unavailable.into())
    }

    async fn answer_once(
        &self,
        actor: &Actor,
        case: &CaseRow,
        (place, account): (&NoticePlace, model::AccountId),
        text: &str,
    ) -> Result<(), AnswerError> {
        let recipient = Recipient::known(place.address.clone(), account, place.inbox);
        let subject = format!("Re: [#{}] {}", case.case, case.subject);
        let message_id = format!("{}@{}", self.queue_id(), self.hostname());
        let answers = self.0.store.case_last_message_id(case.case).await?;
        let letter = Letter {
            domain: case.domain,
            name: &case.domain_name,
            to: Some((&place.display_name, &recipient)),
            subject: &subject,
            text,
            thread: Some(Thread { message_id: &message_id, answers: answers.as_deref(), is_personal: true }),
        };
        let (prepared, queue_id, origin) = self.prepare_letter(&letter).await?;
        let content = self.write_content(&prepared).await?;
        let about = trace_query::about(&queue_id, &prepared.facts);
        let now = self.now();
        let trace = origin.trace_text();
        let event = Event::of_own_mail(now, &trace, prepared.len() as u64, &about);
        let mut tx = self.0.store.begin().await?;
        let held = tx.hold_case(case.case).await?.ok_or(CaseError::NoSuchCase(case.case))?;
        if held.state == CaseState::Closed {
            return Err(CaseError::Closed.into());
        }
        // As the system's own mail, an answer comes into full mailboxes, too.
        let place_of = |account, folder, recipient| Target { account, folder, recipient, room: None };
        let to = place_of(account, place.inbox, Some(place.address.to_string()));
        let sent = tx.sent_folder(case.mailbox).await?.filter(|_| case.mailbox != account);
        let copy = sent.map(|folder| place_of(case.mailbox, folder, None));
        let targets: Vec<Target> = [Some(to), copy].into_iter().flatten().collect();
        let (id, placed) = tx.accept(&content, &targets, &event).await?;
        let mut email = None;
        for place in placed.iter().filter(|place| place.account == case.mailbox) {
            email = tx.email_at(place.account, place.folder, place.uid).await?;
        }
        let message = NewCaseMessage {
            mailbox: case.mailbox,
            is_answer: true,
            email,
            message_id: Some(&message_id),
            author: actor.name(),
            is_outside: false,
        };
        tx.add_case_message(case.case, &message, now).await?;
        tx.set_case_state(case.case, CaseState::Answered, now).await?;
        tx.note_case(case.case, (actor.name(), "answer", ""), now).await?;
        let detail = json!({ "to": place.address.to_string(), "message_id": message_id });
        self.audit(&mut tx, actor, "case.answer", &audited_as(case), &detail).await?;
        tx.commit_known(&id).await?;
        for target in &targets {
            self.0.hub.tell(target.account);
        }
        Ok(())
    }

    /// Ends it, until the sender writes again.
    ///
    /// # Errors
    /// `NoSuchCase`, `Closed`.
    pub async fn close_case(&self, actor: &Actor, case: i64, note: &str) -> Result<CaseDetail, CaseError> {
        let found = self.case_for(actor, Action::CaseClose, case).await?;
        if !note.is_empty() {
            crate::admin::check_reason(note)?;
        }
        let mut tx = self.0.store.begin().await?;
        let held = tx.hold_case(case).await?.ok_or(CaseError::NoSuchCase(case))?;
        if held.state == CaseState::Closed {
            return Err(CaseError::Closed);
        }
        tx.set_case_state(case, CaseState::Closed, self.now()).await?;
        tx.note_case(case, (actor.name(), "close", note), self.now()).await?;
        self.audit(&mut tx, actor, "case.close", &audited_as(&found), &json!({ "note": note })).await?;
        tx.commit().await?;
        self.case_now(case).await
    }

    /// Makes a request (B1) of it; the sender, if he has a mailbox here, is told what becomes of that.
    ///
    /// # Errors
    /// `NoSuchCase`, `IsRequest`, what the request lacks.
    pub async fn turn_case_into_request(
        &self,
        actor: &Actor,
        case: i64,
        as_what: &CaseRequest,
    ) -> Result<i64, CaseError> {
        let found = self.case_for(actor, Action::CaseAnswer, case).await?;
        let subject = if found.subject.is_empty() {
            format!("Yêu cầu hỗ trợ số {case}")
        } else {
            found.subject.clone()
        };
        // Of another domain's mailbox, nothing is asked for here.
        let address = found.address.as_ref().filter(|address| *address.domain() == found.domain_name);
        let unit = found.unit_code.as_ref().filter(|_| address.is_some());
        let new = NewRequest {
            domain: found.domain_name.clone(),
            kind: as_what.kind,
            unit: as_what.unit.as_ref().or(unit).cloned(),
            mailbox: as_what.mailbox.as_ref().or(address).cloned(),
            subject,
            detail: format!("Từ yêu cầu hỗ trợ số {case}"),
            document: as_what.document.clone(),
            requested_by: Some(found.sender.clone()),
            watchers: found.address.iter().cloned().collect(),
        };
        let checked = self.check_request(actor, &new).await?;
        let mut tx = self.0.store.begin().await?;
        let held = tx.hold_case(case).await?.ok_or(CaseError::NoSuchCase(case))?;
        if let Some(request) = held.request {
            return Err(CaseError::IsRequest(request));
        }
        let (made, owed) = self.put_request(&mut tx, actor, &checked).await?;
        let request = made.request;
        tx.link_case(case, request).await?;
        tx.note_case(case, (actor.name(), "turn-into-request", &request.to_string()), self.now()).await?;
        let detail = json!({ "request": request });
        self.audit(&mut tx, actor, "case.turn-into-request", &audited_as(&found), &detail).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(request)
    }

    async fn case_now(&self, case: i64) -> Result<CaseDetail, CaseError> {
        self.0.store.case(case).await?.ok_or(CaseError::NoSuchCase(case))
    }

    /// The case, if he may do this to whom it is about.
    async fn case_for(&self, actor: &Actor, action: Action, case: i64) -> Result<CaseRow, CaseError> {
        let found = self.case_now(case).await?;
        let target = match (found.account, found.unit) {
            (Some(account), _) => AdminTarget::Mailbox(account),
            (None, Some(unit)) => AdminTarget::Unit(unit),
            (None, None) => AdminTarget::Domain(&found.domain_name),
        };
        match crate::authority::unless_missing(self.authorize(actor, action, &target).await)? {
            Some(()) => Ok(found),
            None => Err(CaseError::NoSuchCase(case)),
        }
    }
}

/// By its domain and number.
fn audited_as(case: &CaseRow) -> String {
    AuditKind::Case.within(&case.domain_name, case.case)
}

/// Why an answer was not given: what is tried again, and what is said.
enum AnswerError {
    Store(store::Error),
    Case(CaseError),
}

impl From<store::Error> for AnswerError {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<CaseError> for AnswerError {
    fn from(error: CaseError) -> Self {
        Self::Case(error)
    }
}

impl From<Error> for AnswerError {
    fn from(error: Error) -> Self {
        Self::Case(error.into())
    }
}

impl From<AdminError> for AnswerError {
    fn from(error: AdminError) -> Self {
        Self::Case(error.into())
    }
}
