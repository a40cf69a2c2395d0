//! `congthu forward …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::ForwardCommand;
use anyhow::Result;
use engine::{ForwardDetail, ForwardListed, ForwardQuery, ForwardStop};
use model::calendar::local_text;
use model::{Address, DomainName};
use serde_json::{Value, json};
use std::fmt::Write as _;

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
        ForwardCommand::List { domain, outside } => list(session, domain.as_ref(), *outside).await,
    }
}

async fn list(session: &Session, domain: Option<&DomainName>, outside: bool) -> Result<()> {
    let all = pages::all(async |last: Option<&ForwardListed>| {
        let after = last.map(|listed| &listed.forward.mailbox);
        session
            .node
            .engine
            .forwards(&session.actor, ForwardQuery { domain, outside, after, limit: PAGE })
            .await
    })
    .await?;
    let mut text = String::new();
    for ForwardListed { forward, is_outside, stopped } in &all {
        let copy = if forward.keep_copy { "keeps a copy" } else { "keeps none" };
        let place = if *is_outside { "outside" } else { "here" };
        let goes = match stopped {
            None => "allowed",
            Some(ForwardStop::Policy) => "stopped by policy: mail stays in the mailbox",
            Some(ForwardStop::Target) => "stopped, as the next mailbox takes no mail: mail stays",
        };
        let (mailbox, target, by) = (&forward.mailbox, &forward.target, &forward.set_by);
        let since = local_text(forward.set_at);
        let _ = writeln!(text, "{mailbox}\t{target}\t{place}\t{copy}\t{goes}\t{by}\t{since}");
    }
    session.answer(&all.iter().map(listed_as_json).collect(), &text)
}

fn listed_as_json(listed: &ForwardListed) -> Value {
    let mut json = as_json(&listed.forward);
    if let Some(fields) = json.as_object_mut() {
        let stopped = listed.stopped.map(|why| match why {
            ForwardStop::Policy => "policy",
            ForwardStop::Target => "target",
        });
        fields.insert("outside".to_owned(), json!(listed.is_outside));
        fields.insert("stopped".to_owned(), json!(stopped));
    }
    json
}

fn as_json(forward: &ForwardDetail) -> Value {
    json!({
        "mailbox": forward.mailbox.to_string(),
        "target": forward.target.to_string(),
        "keep_copy": forward.keep_copy,
        "set_by": forward.set_by,
        "set_at": forward.set_at,
    })
}

async fn show(session: &Session, mailbox: &Address) -> Result<()> {
    let Some(forward) = session.node.engine.forward(&session.actor, mailbox).await? else {
        return session.answer(&json!(null), &format!("{mailbox} does not forward"));
    };
    let copy = if forward.keep_copy { "and keeps a copy" } else { "and keeps none" };
    session.answer(&as_json(&forward), &format!("{} forwards to {} {copy}", forward.mailbox, forward.target))
}
