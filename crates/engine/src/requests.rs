//! Requests of organisations (đề nghị, B1): recorded with their document and their due date, assigned, decided, told of.
//!
//! AG Đ7, Đ8; LC Đ6; TN Đ8; ST Đ4; BD Đ5. Invariants: what is settled stays so; what policy wants in writing is not accepted
//! without its document; each step is kept with who took it and when, and audited.

mod letters;
mod shown;

use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use model::calendar::local_date;
use model::{AccountId, Action, Address, DomainName, RequestKind, RequestState};
use serde_json::json;
use store::{
    NewRequestDocument, NewRequestRow, OwedNotice, RequestDocumentRow, RequestEventRow, RequestRow, Tx,
};

const SUBJECT_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 20_000;
/// Octets of one document: a signed PDF of an office has a few million.
pub const DOCUMENT_BYTES_MAX: usize = 20 << 20;
/// Documents of one request, as each may be large.
const DOCUMENTS_MAX: u64 = 20;
/// RFC 6838 4.2: each of the two names has 127 characters at most.
const MEDIA_TYPE_CHARS_MAX: usize = 255;
/// People who are told besides whoever asked.
const WATCHERS_MAX: usize = 20;

/// A request that is to be recorded.
#[derive(Clone, Debug)]
pub struct NewRequest {
    pub domain: DomainName,
    pub kind: RequestKind,
    /// Code of the unit that asks.
    pub unit: Option<String>,
    /// The mailbox it is about.
    pub mailbox: Option<Address>,
    pub subject: String,
    pub detail: String,
    /// Number and date of the paper; empty when a file comes with it, or later.
    pub document: String,
    /// On whose behalf, if not the actor's.
    pub requested_by: Option<String>,
    /// Who is told besides.
    pub watchers: Vec<Address>,
}

/// A request as lists show it.
pub type RequestDetail = RequestRow;

/// A request with all that was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHistory {
    pub request: RequestDetail,
    pub events: Vec<RequestEventRow>,
    pub documents: Vec<RequestDocumentRow>,
}

/// Which requests to list.
#[derive(Clone, Copy, Debug)]
pub struct RequestQuery<'a> {
    pub domain: &'a DomainName,
    /// Those that are settled, too.
    pub settled: bool,
    /// Those alone whose day has passed.
    pub overdue: bool,
    /// From behind this number on.
    pub after: i64,
    pub limit: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("say which unit asks, or which mailbox it is about")]
    About,
    #[error("a subject has 1 to 300 characters, a text at most 20,000, and neither has control characters")]
    Text,
    #[error("a document has a name and at most 20 MB")]
    Document,
    #[error("a request has at most 20 documents")]
    TooManyDocuments,
    #[error("the request is {0}: nothing is added to what is settled")]
    Settled(&'static str),
    #[error("policy wants a (signed) document: name its number with --document, or attach it")]
    DocumentMissing,
    #[error("there is no request {0}")]
    NoSuchRequest(i64),
    #[error("a request that is {0} does not become {1}")]
    State(&'static str, &'static str),
    #[error("at most 20 people are told of a request")]
    TooManyWatchers,
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<store::Error> for RequestError {
    fn from(error: store::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Admin(error.into())
    }
}

fn check_text(text: &str, chars_max: usize) -> Result<(), RequestError> {
    let odd = text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    if odd || text.chars().count() > chars_max { Err(RequestError::Text) } else { Ok(()) }
}

/// What is settled stays as it was decided.
async fn hold_open(tx: &mut store::Tx, request: i64) -> Result<(), RequestError> {
    match tx.hold_request(request).await?.ok_or(RequestError::NoSuchRequest(request))? {
        RequestState::New | RequestState::Accepted => Ok(()),
        settled => Err(RequestError::Settled(settled.as_str())),
    }
}

/// A request that somebody may make.
#[derive(Clone, Debug)]
pub(crate) struct CheckedRequest<'a> {
    domain: &'a DomainName,
    row: NewRequestRow<'a>,
    /// All of them.
    watchers: Vec<AccountId>,
    /// Those of them whom policy has told.
    following: Vec<AccountId>,
}

/// What becomes of a request, by whom it may be said.
fn action(next: RequestState) -> Action {
    if next == RequestState::Withdrawn { Action::RequestWithdraw } else { Action::RequestDecide }
}

impl Engine {
    /// Records a request; whoever asks, and the watchers, get a receipt.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn add_request(&self, actor: &Actor, new: &NewRequest) -> Result<RequestDetail, RequestError> {
        let mut checked = self.check_request(actor, new).await?;
        checked.row.requester = self.asking(actor, new).await?;
        let mut tx = self.0.store.begin().await?;
        let (request, owed) = self.put_request(&mut tx, actor, &checked).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(request)
    }

    /// Who is told as the one who asks: whoever does it himself, or, at the console, the mailbox of ours that is named. Another's
    /// address, or a name, is only written down.
    async fn asking(&self, actor: &Actor, new: &NewRequest) -> Result<Option<AccountId>, RequestError> {
        let named = new.requested_by.as_deref().and_then(|by| by.parse::<Address>().ok());
        let (None, Some(address)) = (actor.account(), named) else { return Ok(actor.account()) };
        match self.0.store.party(&address).await? {
            Some(party) => Ok(Some(party.account)),
            None if *address.domain() == new.domain => Err(AdminError::NoSuchMailbox(address).into()),
            None => Ok(None),
        }
    }

    /// May he ask for it, and is it whole?
    pub(crate) async fn check_request<'a>(
        &self,
        actor: &'a Actor,
        new: &'a NewRequest,
    ) -> Result<CheckedRequest<'a>, RequestError> {
        check_text(&new.subject, SUBJECT_CHARS_MAX)?;
        check_text(&new.detail, TEXT_CHARS_MAX)?;
        check_text(&new.document, SUBJECT_CHARS_MAX)?;
        if new.subject.trim().is_empty() {
            return Err(RequestError::Text);
        }
        if new.watchers.len() > WATCHERS_MAX {
            return Err(RequestError::TooManyWatchers);
        }
        let target = match (&new.unit, &new.mailbox) {
            (Some(unit), _) => AdminTarget::UnitCode(&new.domain, unit),
            (None, Some(mailbox)) => AdminTarget::Address(mailbox),
            (None, None) => return Err(RequestError::About),
        };
        self.authorize(actor, Action::RequestCreate, &target).await?;
        if let Some(mailbox) = &new.mailbox {
            self.authorize(actor, Action::RequestCreate, &AdminTarget::Address(mailbox)).await?;
        }
        let domain = self.domain_id(&new.domain).await?;
        let unit = self.unit_id(domain, new.unit.as_deref()).await?;
        let account = match &new.mailbox {
            Some(address) => {
                let about = self.party(address).await?;
                if about.domain != domain {
                    return Err(AdminError::NoSuchMailbox(address.clone()).into());
                }
                Some(about.account)
            }
            None => None,
        };
        let mut watchers = Vec::new();
        for watcher in &new.watchers {
            watchers.push(self.party(watcher).await?.account);
        }
        let following = self.watchers_by_policy(domain, unit, account).await?;
        watchers.extend(&following);
        let policy = self.policy_of(domain).await?;
        let days = i32::try_from(new.kind.days(&policy)).unwrap_or(1);
        let due_on = self.calendar().await?.add_working_days(local_date(self.now()), days);
        let row = NewRequestRow {
            domain,
            unit,
            account,
            kind: new.kind,
            subject: new.subject.trim(),
            detail: &new.detail,
            document: new.document.trim(),
            requested_by: new.requested_by.as_deref().unwrap_or(actor.name()),
            requester: actor.account(),
            due_on,
        };
        Ok(CheckedRequest { domain: &new.domain, row, watchers, following })
    }

    /// Records it in the caller's transaction; says what is owed to whom once that is committed.
    pub(crate) async fn put_request(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        CheckedRequest { domain, row, watchers, following }: &CheckedRequest<'_>,
    ) -> Result<(RequestDetail, Vec<OwedNotice>), RequestError> {
        crate::organisation::refuse_dissolved(tx, row).await?;
        let id = tx.insert_request(row, watchers, self.now()).await?;
        tx.note_request(id, (actor.name(), "create", row.document), self.now()).await?;
        let detail = json!({ "kind": row.kind, "subject": row.subject, "due_on": row.due_on.to_string() });
        self.audit(tx, actor, "request.create", &AuditKind::Request.within(domain, id), &detail).await?;
        let request = tx.request(id).await?.ok_or(RequestError::NoSuchRequest(id))?;
        let owed = letters::about(&request, "tiếp nhận", (watchers, following));
        tx.owe_notices(&owed, self.now()).await?;
        Ok((request, owed))
    }

    /// Adds a document; its bytes are kept with their BLAKE3.
    ///
    /// # Errors
    /// `Document`, `NoSuchRequest`.
    pub async fn attach_to_request(
        &self,
        actor: &Actor,
        request: i64,
        (name, media_type, data): (&str, &str, &[u8]),
    ) -> Result<(), RequestError> {
        let found = self.request_for(actor, Action::RequestAttach, request).await?;
        let named = !name.is_empty() && name.chars().count() <= 200 && !name.chars().any(char::is_control);
        let typed = (1..=MEDIA_TYPE_CHARS_MAX).contains(&media_type.len())
            && media_type.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if !named || !typed || data.is_empty() || data.len() > DOCUMENT_BYTES_MAX {
            return Err(RequestError::Document);
        }
        let hash = *blake3::hash(data).as_bytes();
        let new = NewRequestDocument { name, media_type, hash, data };
        let mut tx = self.0.store.begin().await?;
        hold_open(&mut tx, request).await?;
        if tx.request_document_count(request).await? >= DOCUMENTS_MAX {
            return Err(RequestError::TooManyDocuments);
        }
        tx.add_request_document(request, &new, (actor.name(), self.now())).await?;
        tx.note_request(request, (actor.name(), "attach", name), self.now()).await?;
        let detail =
            json!({ "name": name, "bytes": data.len(), "blake3": blake3::hash(data).to_hex().to_string() });
        let target = self.audited_as(&found).await?;
        self.audit(&mut tx, actor, "request.attach", &target, &detail).await?;
        Ok(tx.commit().await?)
    }

    /// Says who is to see to it.
    ///
    /// # Errors
    /// `NoSuchRequest`.
    pub async fn assign_request(
        &self,
        actor: &Actor,
        request: i64,
        assignee: &str,
    ) -> Result<(), RequestError> {
        let found = self.request_for(actor, Action::RequestAssign, request).await?;
        crate::admin::check_name(assignee)?;
        let mut tx = self.0.store.begin().await?;
        hold_open(&mut tx, request).await?;
        tx.assign_request(request, assignee).await?;
        tx.note_request(request, (actor.name(), "assign", assignee), self.now()).await?;
        let target = self.audited_as(&found).await?;
        self.audit(&mut tx, actor, "request.assign", &target, &json!({ "assignee": assignee })).await?;
        Ok(tx.commit().await?)
    }

    /// Accepts it, says that it is done, refuses it, or withdraws it; whoever asked and the watchers are told.
    ///
    /// # Errors
    /// `State` where it cannot become that, `DocumentMissing`.
    pub async fn decide_request(
        &self,
        actor: &Actor,
        request: i64,
        (next, why): (RequestState, &str),
    ) -> Result<RequestDetail, RequestError> {
        let found = self.request_for(actor, action(next), request).await?;
        check_text(why, TEXT_CHARS_MAX)?;
        if next == RequestState::Refused {
            crate::admin::check_reason(why)?;
        }
        let policy = self.policy_of(found.domain).await?;
        let watchers = self.0.store.request_watchers(request).await?;
        let following = self.watchers_by_policy(found.domain, found.unit, found.account).await?;
        let mut tx = self.0.store.begin().await?;
        let state = tx.hold_request(request).await?.ok_or(RequestError::NoSuchRequest(request))?;
        if !state.may_become(next) {
            return Err(RequestError::State(state.as_str(), next.as_str()));
        }
        let says_yes = matches!(next, RequestState::Accepted | RequestState::Done);
        if says_yes && policy.request.document && !tx.has_request_document(request).await? {
            return Err(RequestError::DocumentMissing);
        }
        tx.set_request_state(request, next, (actor.name(), why, self.now())).await?;
        tx.note_request(request, (actor.name(), next.as_str(), why), self.now()).await?;
        let detail = json!({ "state": next, "why": why });
        let target = self.audited_as(&found).await?;
        self.audit(&mut tx, actor, "request.decide", &target, &detail).await?;
        let decided = tx.request(request).await?.ok_or(RequestError::NoSuchRequest(request))?;
        let owed = letters::about(&decided, next.label(), (&watchers, &following));
        tx.owe_notices(&owed, self.now()).await?;
        tx.commit().await?;
        self.send_owed(&owed).await;
        Ok(decided)
    }

    async fn request_for(
        &self,
        actor: &Actor,
        action: Action,
        request: i64,
    ) -> Result<RequestRow, RequestError> {
        let missing = || RequestError::NoSuchRequest(request);
        let found = self.0.store.request(request).await?.ok_or_else(missing)?;
        let target = match (found.unit, found.account) {
            (Some(unit), _) => AdminTarget::Unit(unit),
            (None, Some(account)) => AdminTarget::Mailbox(account),
            (None, None) => return Err(missing()),
        };
        match crate::authority::unless_missing(self.authorize(actor, action, &target).await)? {
            Some(()) => Ok(found),
            None => Err(missing()),
        }
    }

    /// By its domain and number, as it was created.
    async fn audited_as(&self, request: &RequestDetail) -> Result<String, RequestError> {
        let domain = self.0.store.domain_name(request.domain).await?;
        Ok(AuditKind::Request.within(domain.as_ref().map_or("", DomainName::as_str), request.request))
    }
}
