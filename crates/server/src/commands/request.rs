//! `congthu request …`

use super::pages::{self, PAGE};
use super::{Session, opened};
use crate::cli::{AddRequest, RequestCommand};
use crate::given;
use anyhow::{Context as _, Result};
use engine::{NewRequest, RequestDetail, RequestHistory, RequestQuery};
use model::calendar::local_text;
use model::{DomainName, RequestState};
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn run(session: &Session, command: &RequestCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        RequestCommand::Add(add) => make(session, add).await,
        RequestCommand::List { domain, all, overdue } => list(session, domain, (*all, *overdue)).await,
        RequestCommand::Show { number } => show(session, *number).await,
        RequestCommand::Attach { number, file, media_type, file_name } => {
            attach(session, *number, (opened(file, file_name.as_deref()), media_type)).await
        }
        RequestCommand::Assign { number, assignee } => {
            engine.assign_request(actor, *number, assignee).await?;
            session.answer(
                &json!({ "number": number, "assignee": assignee }),
                &format!("{number} is for {assignee}"),
            )
        }
        RequestCommand::Decide { number, state, reason } => decide(session, *number, (*state, reason)).await,
        RequestCommand::Withdraw { number, reason } => {
            decide(session, *number, (RequestState::Withdrawn, reason)).await
        }
    }
}

async fn make(session: &Session, add: &AddRequest) -> Result<()> {
    let new = NewRequest {
        domain: add.domain.clone(),
        kind: add.kind,
        unit: add.unit.clone(),
        mailbox: add.mailbox.clone(),
        subject: add.subject.clone(),
        detail: add.detail.clone(),
        document: add.document.clone(),
        requested_by: add.by.clone(),
        watchers: add.watchers.clone(),
    };
    let made = session.node.engine.add_request(&session.actor, &new).await?;
    session.answer(&as_json(&made), &line(&made))
}

async fn list(session: &Session, domain: &DomainName, (settled, overdue): (bool, bool)) -> Result<()> {
    let all = pages::all(async |last: Option<&RequestDetail>| {
        let after = last.map_or(0, |last| last.request);
        let query = RequestQuery { domain, settled, overdue, after, limit: PAGE };
        session.node.engine.requests(&session.actor, query).await
    })
    .await?;
    let text: String = all.iter().map(|one| line(one) + "\n").collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, number: i64) -> Result<()> {
    let RequestHistory { request, events, documents } =
        session.node.engine.request(&session.actor, number).await?;
    let mut shown = as_json(&request);
    let mut text = format!("{}\n{}\n{}\n", line(&request), origin(&request), request.detail);
    let mut acts = Vec::new();
    for event in &events {
        text.push_str(&format!("{}\t{}\t{}\t{}\n", local_text(event.at), event.actor, event.act, event.note));
        acts.push(json!({ "at": event.at, "actor": event.actor, "act": event.act, "note": event.note }));
    }
    let mut papers = Vec::new();
    for paper in &documents {
        let hash: String = paper.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{}\t{} bytes\t{hash}\n", paper.name, paper.bytes));
        papers
            .push(json!({ "name": paper.name, "bytes": paper.bytes, "blake3": hash, "by": paper.added_by }));
    }
    if let Some(object) = shown.as_object_mut() {
        object.insert("events".to_owned(), json!(acts));
        object.insert("documents".to_owned(), json!(papers));
    }
    session.answer(&shown, &text)
}

async fn attach(
    session: &Session,
    number: i64,
    ((file, called), media_type): ((&Path, &Path), &str),
) -> Result<()> {
    let data = given::read(file, engine::DOCUMENT_BYTES_MAX as u64);
    let data = data.with_context(|| format!("cannot read {}", called.display()))?;
    let name = called.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    session.node.engine.attach_to_request(&session.actor, number, (&name, media_type, &data)).await?;
    session.answer(&json!({ "number": number, "document": name }), &format!("{number} has {name}"))
}

async fn decide(session: &Session, number: i64, (state, reason): (RequestState, &str)) -> Result<()> {
    let decided = session.node.engine.decide_request(&session.actor, number, (state, reason)).await?;
    session.answer(&as_json(&decided), &line(&decided))
}

/// Who asked, when, and by which paper.
fn origin(request: &RequestDetail) -> String {
    let RequestDetail { requested_by, received_at, document, .. } = request;
    let paper = if document.is_empty() { String::new() } else { format!(", document {document}") };
    format!("asked for by {requested_by}, received {}{paper}", local_text(*received_at))
}

fn line(request: &RequestDetail) -> String {
    let address = request.address.as_ref().map(ToString::to_string);
    let about = address.as_deref().or(request.unit_code.as_deref()).unwrap_or("-");
    let RequestDetail { request: number, kind, state, due_on, subject, .. } = request;
    let assignee = request.assignee.as_deref().unwrap_or("-");
    format!("{number}\t{}\t{}\tdue {due_on}\t{about}\t{assignee}\t{subject}", kind.as_str(), state.as_str())
}

fn as_json(request: &RequestDetail) -> Value {
    json!({
        "number": request.request,
        "kind": request.kind,
        "state": request.state,
        "unit": request.unit_code,
        "mailbox": request.address.as_ref().map(ToString::to_string),
        "subject": request.subject,
        "detail": request.detail,
        "document": request.document,
        "requested_by": request.requested_by,
        "received_at": request.received_at,
        "due_on": request.due_on,
        "assignee": request.assignee,
        "decided_at": request.decided.as_ref().map(|(at, ..)| at),
        "decided_by": request.decided.as_ref().map(|(_, by, _)| by),
        "decision": request.decided.as_ref().map(|(.., why)| why),
    })
}
