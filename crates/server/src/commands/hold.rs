//! `congthu hold …`

use super::Session;
use super::pages::{self, PAGE};
use crate::Misuse;
use crate::cli::HoldCommand;
use anyhow::Result;
use engine::{Held, HoldRow, Release};
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &HoldCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        HoldCommand::Add { mailbox, everybody, since, until, reason } => {
            let held = match (mailbox, since, until) {
                (Some(mailbox), None, None) => Held::Mailbox(mailbox),
                (Some(mailbox), Some(since), Some(until)) => Held::Events(Some(mailbox), *since, *until),
                (None, Some(since), Some(until)) if *everybody => Held::Events(None, *since, *until),
                _ => {
                    let what =
                        "name a mailbox, or with --since and --until the events of one, or of --everybody";
                    return Err(Misuse(what.to_owned()).into());
                }
            };
            let hold = engine.place_hold(actor, held, reason).await?;
            session.answer(&json!({ "hold": hold }), &format!("hold {hold} is in force"))
        }
        HoldCommand::Release { hold } => {
            let (released, text) = match engine.release_hold(actor, *hold).await? {
                Release::Asked => (false, "asked; somebody else has to agree, by the same command"),
                Release::Released => (true, "released"),
            };
            session.answer(&json!({ "hold": hold, "released": released }), text)
        }
        HoldCommand::List { all } => list(session, *all).await,
    }
}

async fn list(session: &Session, all: bool) -> Result<()> {
    let holds = pages::all(async |last: Option<&HoldRow>| {
        session.node.engine.holds(&session.actor, all, last.map_or(0, |hold| hold.hold), PAGE).await
    })
    .await?;
    let mut text = String::new();
    for hold in &holds {
        let what = match hold.period {
            Some((from, to)) => format!("events {} to {}", local_text(from), local_text(to)),
            None => "mailbox".to_owned(),
        };
        let end = match (&hold.released, &hold.asked) {
            (Some((by, at)), _) => format!("released {} by {by}", local_text(*at)),
            (None, Some((by, _))) => format!("in force; {by} asks for its release"),
            (None, None) => "in force".to_owned(),
        };
        let whose = hold.address.as_deref().unwrap_or("*");
        let _ = writeln!(text, "{}\t{whose}\t{what}\t{}\t{}\t{end}", hold.hold, hold.placed_by, hold.reason);
    }
    session.answer(&holds.iter().map(as_json).collect(), &text)
}

fn as_json(hold: &HoldRow) -> Value {
    json!({
        "hold": hold.hold, "mailbox": hold.address, "from": hold.period.map(|(from, _)| from),
        "to": hold.period.map(|(_, to)| to), "reason": hold.reason, "placed_by": hold.placed_by, "since": hold.since,
        "release_asked_by": hold.asked.as_ref().map(|(by, _)| by),
        "released_by": hold.released.as_ref().map(|(by, _)| by),
        "released_at": hold.released.as_ref().map(|(_, at)| at),
    })
}
