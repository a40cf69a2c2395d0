//! `congthu forward …`

use super::Session;
use crate::cli::ForwardCommand;
use anyhow::Result;
use model::Address;
use serde_json::json;

pub(super) async fn run(session: &Session, command: &ForwardCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        ForwardCommand::Set { mailbox, target, no_copy } => {
            engine.set_forward(actor, mailbox, (target, !no_copy)).await?;
            show(session, mailbox).await
        }
        ForwardCommand::Clear { mailbox } => {
            let had = engine.clear_forward(actor, mailbox).await?;
            let text = if had { "no longer forwards" } else { "did not forward" };
            session.answer(
                &json!({ "mailbox": mailbox.to_string(), "cleared": had }),
                &format!("{mailbox} {text}"),
            )
        }
        ForwardCommand::Show { mailbox } => show(session, mailbox).await,
    }
}

async fn show(session: &Session, mailbox: &Address) -> Result<()> {
    let Some(forward) = session.node.engine.forward(&session.actor, mailbox).await? else {
        return session.answer(&json!(null), &format!("{mailbox} does not forward"));
    };
    let shown = json!({
        "mailbox": forward.mailbox.to_string(),
        "target": forward.target.to_string(),
        "keep_copy": forward.keep_copy,
        "set_by": forward.set_by,
        "set_at": forward.set_at,
    });
    let copy = if forward.keep_copy { "and keeps a copy" } else { "and keeps none" };
    session.answer(&shown, &format!("{} forwards to {} {copy}", forward.mailbox, forward.target))
}
