//! `congthu hold …`

use super::pages::{self, PAGE};
use super::{Session, life};
use crate::Misuse;
use crate::cli::HoldCommand;
use anyhow::Result;
use engine::{Held, HoldRow, Release};
use model::Address;
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
        HoldCommand::Release { hold, reason } => release(session, *hold, reason.as_deref()).await,
        HoldCommand::List { all } => list(session, *all).await,
    }
}

/// Says what comes of it: a mailbox that only this hold kept is deleted by itself.
async fn release(session: &Session, hold: i64, reason: Option<&str>) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let released = engine.release_hold(actor, hold, reason).await? == Release::Released;
    let mut text = match released {
        false => "asked; somebody else has to agree, by the same command".to_owned(),
        true => "released".to_owned(),
    };
    let row = engine.holds(actor, true, hold.saturating_sub(1), 1).await?.pop();
    let of_mailbox = row.filter(|row| row.hold == hold && row.period.is_none());
    let address = of_mailbox.and_then(|row| row.address?.parse::<Address>().ok());
    let next = match &address {
        Some(address) => life::after_hold(session, address).await?,
        None => None,
    };
    if let (Some(address), Some(next)) = (&address, &next) {
        let _ = write!(text, "\n{address} is on the deletion list: {next}");
    }
    session.answer(&json!({ "hold": hold, "released": released, "next": next }), &text)
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
