//! Reviews of units' mailboxes (rà soát danh sách hộp thư, B13): asked for on a schedule, answered in one form.
//!
//! AG Đ10.2b ("đề nghị cập nhật đối với danh sách các hộp thư"), ST Đ11.2. Invariants: a unit has one open review at most; an answer
//! is whole or nothing, and ends it; it changes no mailbox itself: what is to be changed or revoked becomes requests (đề nghị), which the
//! centre decides; what was said of each mailbox, by whom and when, stays.

mod nightly;
mod plan;

pub use plan::{ReviewFault, ReviewMistake};

use crate::audit::AuditKind;
use crate::authority::unless_missing;
use crate::{Actor, AdminError, AdminTarget, Engine, Error, RequestError};
use jiff::civil::Date;
use model::calendar::local_date;
use model::{AccountId, Action, Address, DomainName, RequestKind, UnitId};
use plan::{Decided, Plan};
use serde_json::{Value, json};
use std::collections::HashMap;
use store::{
    NewRequestRow, OwedNotice, PartyRow, ReviewEnd, ReviewFilter, ReviewMailbox, ReviewRow, ReviewedMailbox,
    Tx,
};

/// Working days that a unit has for its answer; no text gives a term.
const ANSWER_DAYS: i32 = 10;
/// Rows of an answer: more than any unit has mailboxes.
const ROWS_MAX: usize = 20_000;
const NOTE_CHARS_MAX: usize = 2_000;
const DOCUMENT_CHARS_MAX: usize = 300;

/// A review as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewDetail {
    pub review: ReviewRow,
    /// Open, and its day has passed.
    pub is_overdue: bool,
}

/// A review with what there is to decide, or what was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewShown {
    pub detail: ReviewDetail,
    /// The unit's mailboxes, by address; empty when it is finished.
    pub mailboxes: Vec<ReviewMailbox>,
    /// Empty while it is open.
    pub decisions: Vec<ReviewedMailbox>,
}

/// Which reviews to list.
#[derive(Clone, Copy, Debug)]
pub struct ReviewQuery<'a> {
    pub domain: &'a DomainName,
    /// Those that are finished, too.
    pub finished: bool,
    /// Those alone that are open and whose day has passed.
    pub overdue: bool,
    /// From behind this number on.
    pub after: i64,
    pub limit: u32,
}

/// One row of the form, as somebody wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewAnswerRow {
    /// As a spreadsheet shows it, from 1.
    pub number: u32,
    pub address: String,
    pub decision: String,
    pub remark: String,
}

/// The form.
#[derive(Clone, Debug, Default)]
pub struct ReviewAnswer {
    pub rows: Vec<ReviewAnswerRow>,
    /// What was there when the review was opened, and is in no row, is confirmed.
    pub rest_confirmed: bool,
    /// The officer in whose name it is answered, by whoever is at the console.
    pub by: Option<Address>,
    /// Number and date of the paper, for the requests.
    pub document: String,
    pub note: String,
    /// Says what would come of it, and does nothing.
    pub dry_run: bool,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewAnswered {
    /// With the numbers of the requests, which a dry run does not make.
    pub decisions: Vec<ReviewedMailbox>,
    /// What came since the review was opened, and nothing was said of.
    pub unanswered: Vec<Address>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    #[error("there is no review {0}")]
    NoSuchReview(i64),
    #[error("the review is finished")]
    Finished,
    #[error("a review of this unit is open; see `congthu review list`")]
    Open,
    #[error("the unit has no mailboxes")]
    NoMailboxes,
    #[error("an answer has at most 20,000 rows")]
    TooManyRows,
    #[error("a document has at most 300 characters, a note 2,000, and neither has control characters")]
    Text,
    #[error("{}", plan::listed(.0))]
    Rows(Vec<ReviewFault>),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for ReviewError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for ReviewError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

impl Engine {
    /// By number; what is outside the actor's reach is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews(
        &self,
        actor: &Actor,
        query: ReviewQuery<'_>,
    ) -> Result<Vec<ReviewDetail>, ReviewError> {
        let reach = actor.reach(Action::ReviewShow);
        let today = local_date(self.now());
        let filter = ReviewFilter {
            reach: &reach,
            domain: query.domain,
            finished: query.finished,
            due_before: query.overdue.then_some(today),
            after: query.after,
            limit: query.limit,
        };
        let rows = self.0.store.reviews(filter).await?;
        Ok(rows.into_iter().map(|row| detail(row, today)).collect())
    }

    /// # Errors
    /// `NoSuchReview`, also for what is out of reach.
    pub async fn review(&self, actor: &Actor, number: i64) -> Result<ReviewShown, ReviewError> {
        let review = self.review_for(actor, Action::ReviewShow, number).await?;
        let (mut mailboxes, mut decisions) = (Vec::new(), Vec::new());
        if review.finished.is_some() {
            decisions = self.0.store.review_decisions(number).await?;
        } else {
            mailboxes = self.0.store.review_mailboxes(number).await?;
        }
        Ok(ReviewShown { detail: detail(review, local_date(self.now())), mailboxes, decisions })
    }

    /// Opens a review of a unit's mailboxes before its time.
    ///
    /// # Errors
    /// `Open`, `NoMailboxes`, `NoSuchUnit`.
    pub async fn open_review(
        &self,
        actor: &Actor,
        domain: &DomainName,
        unit: &str,
    ) -> Result<ReviewDetail, ReviewError> {
        self.authorize(actor, Action::ReviewConfirm, &AdminTarget::UnitCode(domain, unit)).await?;
        let missing = || AdminError::NoSuchUnit(unit.to_owned());
        let id = self.domain_id(domain).await?;
        let unit = self.unit_id(id, Some(unit)).await?.ok_or_else(missing)?;
        match self.begin_review(actor, unit).await? {
            Some(opened) => Ok(detail(opened, local_date(self.now()))),
            None if self.0.store.has_open_review(unit).await? => Err(ReviewError::Open),
            None => Err(ReviewError::NoMailboxes),
        }
    }

    /// Opens it, with its audit row and what is owed to those who answer.
    async fn begin_review(&self, actor: &Actor, unit: UnitId) -> Result<Option<ReviewRow>, AdminError> {
        let due_on = self.calendar().await?.add_working_days(local_date(self.now()), ANSWER_DAYS);
        let mut tx = self.0.store.begin().await?;
        let by = (actor.name(), self.now());
        let Some(opened) = tx.open_review(unit, due_on, by).await? else { return Ok(None) };
        let officers = tx.review_officers(&[unit], self.now()).await?;
        let told: Vec<_> = officers.into_iter().map(|(_, account)| account).collect();
        let mailboxes = tx.review_mailboxes(opened.review).await?;
        let owed = nightly::opened(&opened, &mailboxes, &told);
        tx.owe_notices(&owed, self.now()).await?;
        let about =
            json!({ "unit": opened.unit_code, "mailboxes": opened.listed, "due_on": due_on.to_string() });
        self.audit(&mut tx, actor, "review.open", &audited_as(&opened), &about).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(Some(opened))
    }

    /// Takes the form: confirms, and makes requests of what is to be changed or revoked.
    ///
    /// # Errors
    /// `Rows` with everything that is wrong by row and cell; nothing was done then.
    pub async fn answer_review(
        &self,
        actor: &Actor,
        number: i64,
        answer: &ReviewAnswer,
    ) -> Result<ReviewAnswered, ReviewError> {
        let review = self.review_for(actor, Action::ReviewConfirm, number).await?;
        check_answer(answer)?;
        if review.finished.is_some() {
            return Err(ReviewError::Finished);
        }
        let officer = self.answering_officer(actor, answer.by.as_ref(), review.unit).await?;
        let mailboxes = self.0.store.review_mailboxes(number).await?;
        let plan = Plan::make(&mailboxes, answer).map_err(ReviewError::Rows)?;
        for one in plan.decided.iter().filter(|one| one.decision.request().is_some()) {
            let mailbox = AdminTarget::Mailbox(one.mailbox.account);
            self.authorize(actor, Action::RequestCreate, &mailbox).await?;
        }
        let unanswered = plan.unanswered.iter().map(|mailbox| mailbox.address.clone()).collect();
        if answer.dry_run {
            let decisions = plan.decided.iter().map(|one| one.as_row(None)).collect();
            return Ok(ReviewAnswered { decisions, unanswered });
        }
        let due = self.request_days(&review).await?;
        let watchers = self.watchers_by_policy(review.domain, Some(review.unit), None).await?;
        let mut tx = self.0.store.begin().await?;
        if !tx.hold_review(number).await? {
            return Err(ReviewError::Finished);
        }
        let (officer, document) = (officer.as_ref(), answer.document.as_str());
        let asking = Asking { actor, officer, review: &review, document, due, watchers };
        let mut decisions = Vec::with_capacity(plan.decided.len());
        for one in &plan.decided {
            let request = self.ask_for(&mut tx, &asking, one).await?;
            decisions.push(one.as_row(request));
        }
        let owed = self.end_review(&mut tx, &asking, (&decisions, answer)).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(ReviewAnswered { decisions, unanswered })
    }

    /// The request that a decision asks for; `None` where all is well.
    async fn ask_for(
        &self,
        tx: &mut Tx,
        asking: &Asking<'_>,
        one: &Decided<'_>,
    ) -> Result<Option<i64>, ReviewError> {
        let Some(kind) = one.decision.request() else { return Ok(None) };
        let review = asking.review;
        let subject =
            format!("Rà soát hộp thư số {}: {} {}", review.review, kind.label(), one.mailbox.address);
        let row = NewRequestRow {
            domain: review.domain,
            unit: Some(review.unit),
            account: Some(one.mailbox.account),
            kind,
            subject: &subject,
            detail: one.remark,
            document: asking.document.trim(),
            requested_by: &asking.by(),
            requester: asking.requester(),
            due_on: asking.due.get(&kind).copied().unwrap_or(review.due_on),
        };
        let id = tx.insert_request(&row, &asking.watchers, self.now()).await?;
        tx.note_request(id, (asking.actor.name(), "create", row.document), self.now()).await?;
        Ok(Some(id))
    }

    /// One audit row of all that was said; whoever asked, and who follows the unit, are told of the requests together.
    async fn end_review(
        &self,
        tx: &mut Tx,
        asking: &Asking<'_>,
        (decisions, answer): (&[ReviewedMailbox], &ReviewAnswer),
    ) -> Result<Vec<OwedNotice>, ReviewError> {
        let review = asking.review;
        let by = asking.by();
        let (at, document, note) = (self.now(), answer.document.trim(), answer.note.trim());
        if !tx.finish_review(review.review, &ReviewEnd { by: &by, at, document, note, decisions }).await? {
            return Err(ReviewError::Finished);
        }
        let said: Vec<Value> =
            decisions.iter().map(|one| json!([one.address, one.decision, one.request, one.remark])).collect();
        let about = json!({ "unit": review.unit_code, "by": by, "document": document, "decisions": said });
        let action = Action::ReviewConfirm.as_str();
        self.audit(tx, asking.actor, action, &audited_as(review), &about).await?;
        let asked = decisions.iter().any(|one| one.request.is_some());
        let watchers = asking.watchers.iter().copied().filter(|_| asked);
        let told: Vec<AccountId> = watchers.chain(asking.requester()).collect();
        let owed = nightly::answered(review, decisions, &told);
        tx.owe_notices(&owed, at).await?;
        Ok(owed)
    }

    /// By when the requests are to be settled.
    async fn request_days(&self, review: &ReviewRow) -> Result<HashMap<RequestKind, Date>, ReviewError> {
        let policy = self.policy_of(review.domain).await?;
        let (calendar, today) = (self.calendar().await?, local_date(self.now()));
        let day = |kind: RequestKind| {
            (kind, calendar.add_working_days(today, i32::try_from(kind.days(&policy)).unwrap_or(1)))
        };
        Ok([RequestKind::Change, RequestKind::Revoke].into_iter().map(day).collect())
    }

    /// Somebody who may answer for the unit himself.
    async fn answering_officer(
        &self,
        actor: &Actor,
        by: Option<&Address>,
        unit: UnitId,
    ) -> Result<Option<PartyRow>, ReviewError> {
        let Some(address) = by else { return Ok(None) };
        if actor.account().is_some() {
            return Err(AdminError::Denied(model::Reason::Role).into());
        }
        let missing = || AdminError::NoSuchMailbox(address.clone());
        let party = self.party(address).await?;
        let officer = self.actor_again(party.account).await?.ok_or_else(missing)?;
        self.authorize(&officer, Action::ReviewConfirm, &AdminTarget::Unit(unit)).await?;
        Ok(Some(party))
    }

    async fn review_for(&self, actor: &Actor, action: Action, number: i64) -> Result<ReviewRow, ReviewError> {
        let missing = || ReviewError::NoSuchReview(number);
        let found = self.0.store.review(number).await?.ok_or_else(missing)?;
        match unless_missing(self.authorize(actor, action, &AdminTarget::Unit(found.unit)).await)? {
            Some(()) => Ok(found),
            None => Err(missing()),
        }
    }
}

/// In whose name requests are made of a review.
struct Asking<'a> {
    actor: &'a Actor,
    officer: Option<&'a PartyRow>,
    review: &'a ReviewRow,
    document: &'a str,
    due: HashMap<RequestKind, Date>,
    watchers: Vec<AccountId>,
}

impl Asking<'_> {
    fn by(&self) -> String {
        match self.officer {
            Some(officer) => format!("{} ({})", officer.address, self.actor.name()),
            None => self.actor.name().to_owned(),
        }
    }

    fn requester(&self) -> Option<AccountId> {
        self.officer.map(|officer| officer.account).or(self.actor.account())
    }
}

fn detail(review: ReviewRow, today: Date) -> ReviewDetail {
    let is_overdue = review.finished.is_none() && review.due_on < today;
    ReviewDetail { review, is_overdue }
}

/// By its domain and number.
fn audited_as(review: &ReviewRow) -> String {
    AuditKind::Review.within(&review.domain_name, review.review)
}

fn check_answer(answer: &ReviewAnswer) -> Result<(), ReviewError> {
    if answer.rows.len() > ROWS_MAX {
        return Err(ReviewError::TooManyRows);
    }
    let fits =
        |text: &str, chars_max| text.chars().count() <= chars_max && !text.chars().any(char::is_control);
    match fits(&answer.document, DOCUMENT_CHARS_MAX) && fits(&answer.note, NOTE_CHARS_MAX) {
        true => Ok(()),
        false => Err(ReviewError::Text),
    }
}
