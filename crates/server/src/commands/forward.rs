//! `congthu forward …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::ForwardCommand;
use anyhow::Result;
use engine::{AdminError, ForwardError, ForwardListed, ForwardQuery, ForwardStop};
use model::calendar::local_text;
use model::{Address, DomainName};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &ForwardCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        ForwardCommand::Set { mailbox, target, no_copy } => {
            let went = engine.set_forward(actor, mailbox, (target, !no_copy)).await?;
            let (mut json, mut text) = shown(session, mailbox).await?;
            if let Some(fields) = json.as_object_mut() {
                fields.insert("replaced".to_owned(), json!(went));
            }
            if let Some(went) = went {
                let _ = write!(text, "\nin place of {went}, where it forwarded before");
            }
            session.answer(&json, &text)
        }
        ForwardCommand::Clear { mailbox } => {
            let had = engine.clear_forward(actor, mailbox).await?;
            let text = if had { "no longer forwards" } else { "did not forward" };
            session.answer(
                &json!({ "mailbox": mailbox.to_string(), "cleared": had }),
                &format!("{mailbox} {text}"),
            )
        }
        ForwardCommand::Show { mailbox } => {
            let (json, text) = shown(session, mailbox).await?;
            session.answer(&json, &text)
        }
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
    for listed in &all {
        let ForwardListed { forward, is_outside, stopped } = listed;
        let place = if *is_outside { "outside" } else { "here" };
        let (copy, goes) = (copy(listed), stopped.map_or("allowed", stop));
        let (mailbox, target, by) = (&forward.mailbox, &forward.target, &forward.set_by);
        let since = local_text(forward.set_at);
        let _ = writeln!(text, "{mailbox}\t{target}\t{place}\t{copy}\t{goes}\t{by}\t{since}");
    }
    session.answer(&all.iter().map(as_json).collect(), &text)
}

fn copy(listed: &ForwardListed) -> &'static str {
    if listed.forward.keep_copy { "keeps a copy" } else { "keeps none" }
}

const fn stop(why: ForwardStop) -> &'static str {
    match why {
        ForwardStop::Policy => "stopped by policy: mail stays in the mailbox",
        ForwardStop::Target => "stopped, as the next mailbox takes no mail: mail stays",
    }
}

fn as_json(listed: &ForwardListed) -> Value {
    let ForwardListed { forward, is_outside, stopped } = listed;
    let stopped = stopped.map(|why| match why {
        ForwardStop::Policy => "policy",
        ForwardStop::Target => "target",
    });
    json!({
        "mailbox": forward.mailbox.to_string(),
        "target": forward.target.to_string(),
        "keep_copy": forward.keep_copy,
        "set_by": forward.set_by,
        "set_at": forward.set_at,
        "outside": is_outside,
        "stopped": stopped,
    })
}

async fn shown(session: &Session, mailbox: &Address) -> Result<(Value, String)> {
    Ok(match session.node.engine.forward(&session.actor, mailbox).await? {
        Some(listed) => {
            (as_json(&listed), format!("{} forwards {}", listed.forward.mailbox, where_to(&listed)))
        }
        None => (Value::Null, format!("{mailbox} does not forward")),
    })
}

/// Where it goes, with whether a copy is kept and whether it goes at all.
fn where_to(listed: &ForwardListed) -> String {
    let goes = listed.stopped.map(|why| format!("; {}", stop(why))).unwrap_or_default();
    format!("to {} and {}{goes}", listed.forward.target, copy(listed))
}

/// Of `mailbox show` and `lock`: that of one mailbox.
pub(super) async fn of(session: &Session, mailbox: &Address) -> Result<(Value, Option<String>)> {
    let listed = session.node.engine.forward(&session.actor, mailbox).await?;
    Ok((listed.as_ref().map_or(Value::Null, as_json), listed.as_ref().map(where_to)))
}

/// Of whatever ends a mailbox: the mailboxes that forward to it. Nothing where there is no such mailbox, which the act itself says.
pub(super) async fn to(session: &Session, mailbox: &Address) -> Result<Vec<ForwardListed>> {
    match session.node.engine.forwards_to(&session.actor, mailbox).await {
        Err(ForwardError::Admin(AdminError::NoSuchMailbox(_))) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}

/// What becomes of forwardings to a mailbox that takes no mail any more; a line each, with what to do about it.
pub(super) fn tell_left(to: &[ForwardListed]) -> String {
    let mut text = String::new();
    for listed in to {
        let mailbox = &listed.forward.mailbox;
        let _ = write!(
            text,
            "\n{mailbox} forwards to it: that mail stays in {mailbox} from now on; congthu forward set {mailbox} OTHER, or \
             congthu forward clear {mailbox}"
        );
    }
    text
}

pub(super) fn left_as_json(to: &[ForwardListed]) -> Value {
    to.iter().map(as_json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ForwardDetail;

    #[test]
    fn a_forwarding_that_is_stopped_is_said_to_be_and_what_leads_to_nobody_is_named() {
        let listed = |stopped| ForwardListed {
            forward: ForwardDetail {
                mailbox: "vp@thu.test".parse().unwrap(),
                target: "an@thu.test".parse().unwrap(),
                keep_copy: false,
                set_by: "console:root".to_owned(),
                set_at: jiff::Timestamp::UNIX_EPOCH,
            },
            is_outside: false,
            stopped,
        };
        assert_eq!(where_to(&listed(None)), "to an@thu.test and keeps none");
        assert_eq!(
            where_to(&listed(Some(ForwardStop::Target))),
            "to an@thu.test and keeps none; stopped, as the next mailbox takes no mail: mail stays"
        );
        assert_eq!(as_json(&listed(Some(ForwardStop::Target)))["stopped"], "target");
        let told = tell_left(&[listed(Some(ForwardStop::Target))]);
        assert!(told.starts_with("\nvp@thu.test forwards to it: that mail stays in vp@thu.test"), "{told}");
        assert!(told.ends_with("congthu forward clear vp@thu.test"), "{told}");
        assert_eq!(tell_left(&[]), "");
    }
}
