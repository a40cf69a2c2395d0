//! `congthu case …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::{CaseCommand, TurnIntoRequest};
use anyhow::{Context as _, Result};
use engine::{CaseDetail, CaseHistory, CaseQuery, CaseRequest};
use model::DomainName;
use model::calendar::local_text;
use serde_json::{Value, json};
use std::io::Read as _;

/// Octets of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 100_000;

pub(super) async fn run(session: &Session, command: &CaseCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let changed = match command {
        CaseCommand::List { domain, all } => return list(session, domain, *all).await,
        CaseCommand::Show { number } => return show(session, *number).await,
        CaseCommand::TurnIntoRequest(turn) => return turn_into_request(session, turn).await,
        CaseCommand::Assign { number, assignee } => engine.assign_case(actor, *number, assignee).await?,
        CaseCommand::Reply { number, text } => {
            engine.answer_case(actor, *number, answer(text)?.trim_end()).await?
        }
        CaseCommand::Close { number, note } => engine.close_case(actor, *number, note).await?,
    };
    session.answer(&as_json(&changed), &line(&changed))
}

fn answer(text: &str) -> Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut read = String::new();
    std::io::stdin()
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut read)
        .context("cannot read the answer from standard input")?;
    Ok(read.replace("\r\n", "\n"))
}

async fn list(session: &Session, domain: &DomainName, closed: bool) -> Result<()> {
    let all = pages::all(async |last: Option<&CaseDetail>| {
        let query = CaseQuery { domain, closed, after: last.map_or(0, |last| last.case), limit: PAGE };
        session.node.engine.cases(&session.actor, query).await
    })
    .await?;
    let text: String = all.iter().map(|one| line(one) + "\n").collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, number: i64) -> Result<()> {
    let CaseHistory { case, messages, events } = session.node.engine.case(&session.actor, number).await?;
    let mut shown = as_json(&case);
    let mut text = line(&case) + "\n";
    let mut mails = Vec::new();
    for mail in &messages {
        let direction = if mail.is_answer { "out" } else { "in" };
        let place = mail.place.as_ref().map(|(folder, uid)| format!("{folder} {}", uid.0));
        let shown_place = place.as_deref().unwrap_or("not there");
        text.push_str(&format!("{}\t{direction}\t{}\t{shown_place}\n", local_text(mail.at), mail.author));
        mails.push(json!({
            "at": mail.at,
            "direction": direction,
            "author": mail.author,
            "message_id": mail.message_id,
            "folder": mail.place.as_ref().map(|(folder, _)| folder),
            "uid": mail.place.as_ref().map(|(_, uid)| uid.0),
        }));
    }
    let mut acts = Vec::new();
    for event in &events {
        text.push_str(&format!("{}\t{}\t{}\t{}\n", local_text(event.at), event.actor, event.act, event.note));
        acts.push(json!({ "at": event.at, "actor": event.actor, "act": event.act, "note": event.note }));
    }
    if let Some(object) = shown.as_object_mut() {
        object.insert("messages".to_owned(), json!(mails));
        object.insert("events".to_owned(), json!(acts));
    }
    session.answer(&shown, &text)
}

async fn turn_into_request(session: &Session, turn: &TurnIntoRequest) -> Result<()> {
    let TurnIntoRequest { number, kind, unit, mailbox, document } = turn;
    let as_what =
        CaseRequest { kind: *kind, unit: unit.clone(), mailbox: mailbox.clone(), document: document.clone() };
    let request = session.node.engine.turn_case_into_request(&session.actor, *number, &as_what).await?;
    session.answer(
        &json!({ "case": number, "request": request }),
        &format!("case {number} is request {request}"),
    )
}

fn line(case: &CaseDetail) -> String {
    let CaseDetail { case: number, state, subject, sender, .. } = case;
    let from = if case.account.is_some() { "" } else { " (outside)" };
    let assignee = case.assignee.as_deref().unwrap_or("-");
    format!("{number}\t{}\t{sender}{from}\t{assignee}\t{subject}", state.as_str())
}

fn as_json(case: &CaseDetail) -> Value {
    json!({
        "number": case.case,
        "domain": case.domain_name.to_string(),
        "state": case.state,
        "from": case.sender,
        "mailbox": case.address.as_ref().map(ToString::to_string),
        "outside": case.account.is_none(),
        "unit": case.unit_code,
        "subject": case.subject,
        "assignee": case.assignee,
        "request": case.request,
        "opened_at": case.opened_at,
        "changed_at": case.changed_at,
    })
}
