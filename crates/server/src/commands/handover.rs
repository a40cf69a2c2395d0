//! `congthu handover …`

use super::Session;
use super::mailbox::term;
use crate::cli::{HandoverCommand, StartHandover};
use anyhow::Result;
use engine::{Handover, NewHandover};
use model::Address;
use serde_json::{Value, json};

/// Hand-overs shown of one mailbox.
const SHOWN_MAX: u32 = 100;

pub(super) async fn run(session: &Session, command: &HandoverCommand) -> Result<()> {
    match command {
        HandoverCommand::Start(start) => begin(session, start).await,
        HandoverCommand::Finish { mailbox } => finish(session, mailbox).await,
        HandoverCommand::Cancel { mailbox } => {
            session.node.engine.cancel_handover(&session.actor, mailbox).await?;
            let shown = json!({ "mailbox": mailbox.to_string(), "cancelled": true });
            session.answer(&shown, &format!("{mailbox} stays with whoever had it"))
        }
        HandoverCommand::Show { mailbox } => show(session, mailbox).await,
    }
}

async fn begin(session: &Session, start: &StartHandover) -> Result<()> {
    let new = NewHandover {
        mailbox: start.mailbox.clone(),
        from: start.from.clone(),
        to: start.to.clone(),
        delegate: start.delegate.clone(),
        rights: start.rights.iter().copied().collect(),
        document: start.document.clone(),
    };
    let started = session.node.engine.start_handover(&session.actor, &new).await?;
    session.answer(&as_json(&started), &started.text())
}

async fn finish(session: &Session, mailbox: &Address) -> Result<()> {
    let done = session.node.engine.finish_handover(&session.actor, mailbox).await?;
    let mut shown = as_json(&done.handover);
    if let Some(object) = shown.as_object_mut() {
        object.insert("one_time_password".to_owned(), json!(done.one_time_password));
    }
    let text = format!(
        "{}\npassword, shown only now: {}{}\nits new holder changes it at {}",
        done.handover.text(),
        done.one_time_password,
        term(session, mailbox.domain()).await,
        session.node.engine.password_page()
    );
    session.answer(&shown, &text)
}

async fn show(session: &Session, mailbox: &Address) -> Result<()> {
    let all = session.node.engine.handovers(&session.actor, mailbox, SHOWN_MAX).await?;
    let texts: Vec<String> = all.iter().map(Handover::text).collect();
    session.answer(&all.iter().map(as_json).collect(), &texts.join("\n"))
}

fn as_json(handover: &Handover) -> Value {
    let row = &handover.row;
    json!({
        "mailbox": handover.mailbox.to_string(),
        "from": row.from,
        "to": row.to,
        "document": row.document,
        "started_at": row.started_at,
        "started_by": row.started_by,
        "ended_at": row.ended.as_ref().map(|(at, ..)| at),
        "ended_by": row.ended.as_ref().map(|(_, by, _)| by),
        "outcome": row.ended.as_ref().map(|(.., outcome)| outcome),
        "record": row.record,
    })
}
