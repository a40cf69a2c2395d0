//! `congthu handling …`

use super::Session;
use crate::cli::{Handled, HandlingCommand};
use anyhow::Result;
use engine::{HandledMail, HandlingDetail, HandlingStep};
use model::{Address, Uid};
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: &HandlingCommand) -> Result<()> {
    match command {
        HandlingCommand::List { mailbox, overdue, by } => list(session, mailbox, by.as_ref(), *overdue).await,
        HandlingCommand::Report(handled) => step(session, handled, HandlingStep::Report).await,
        HandlingCommand::Assign { handled, to, due } => {
            step(session, handled, HandlingStep::Assign { to: to.clone(), due_on: *due }).await
        }
        HandlingCommand::Answer(handled) => step(session, handled, HandlingStep::Answer).await,
        HandlingCommand::Close(handled) => step(session, handled, HandlingStep::Close).await,
    }
}

async fn list(session: &Session, mailbox: &Address, by: Option<&Address>, overdue: bool) -> Result<()> {
    let engine = &session.node.engine;
    let actor = match by {
        Some(by) => engine.actor_in_name_of(&session.actor, by).await?,
        None => session.actor.clone(),
    };
    let found = engine.handlings(&actor, mailbox, overdue).await?;
    let text: String = found.iter().map(|one| line(one) + "\n").collect();
    session.answer(&found.iter().map(as_json).collect(), &text)
}

async fn step(session: &Session, handled: &Handled, step: HandlingStep) -> Result<()> {
    let engine = &session.node.engine;
    let actor = engine.actor_in_name_of(&session.actor, &handled.by).await?;
    let Handled { mailbox, uid, folder, .. } = handled;
    let state = engine.handle_mail(&actor, HandledMail { mailbox, folder, uid: Uid(*uid) }, &step).await?;
    let shown =
        json!({ "mailbox": mailbox.to_string(), "folder": folder.as_str(), "uid": uid, "state": state });
    session.answer(&shown, &format!("{mailbox} {folder} {uid}: {}", state.as_str()))
}

fn line(one: &HandlingDetail) -> String {
    let HandlingDetail { folder, uid, state, due_on, received_at, .. } = one;
    let late = if one.is_overdue { " (overdue)" } else { "" };
    let assignee = one.assignee.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    format!("{folder}\t{}\t{}\tdue {due_on}{late}\t{assignee}\t{received_at}", uid.0, state.as_str())
}

fn as_json(one: &HandlingDetail) -> Value {
    json!({
        "folder": one.folder,
        "uid": one.uid.0,
        "state": one.state,
        "received_at": one.received_at,
        "due_on": one.due_on,
        "overdue": one.is_overdue,
        "assignee": one.assignee.as_ref().map(ToString::to_string),
        "changed_by": one.changed.as_ref().map(|(by, _)| by),
        "changed_at": one.changed.as_ref().map(|(_, at)| at),
    })
}
