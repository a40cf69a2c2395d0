//! `congthu move …`: a domain's mailboxes move to another domain.

use super::Session;
use super::pages::PAGE;
use crate::cli::MoveCommand;
use anyhow::Result;
use engine::{MoveRow, MoveState, MoveStep};
use model::AccountId;
use model::calendar::local_text;
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: &MoveCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        MoveCommand::Plan { from, to, reason } => {
            show(session, &engine.plan_move(actor, (from, to), reason).await?)
        }
        MoveCommand::List => {
            let moves = engine.moves(actor).await?;
            let text: String = moves.iter().map(line).collect();
            session.answer(&moves.iter().map(item).collect(), &text)
        }
        MoveCommand::Show { id, undecided } => steps(session, *id, *undecided).await,
        MoveCommand::Decide { id, old, new } => {
            engine.decide_move(actor, *id, (old, new)).await?;
            session.answer(&json!({ "old": old.to_string(), "new": new.to_string() }), &new.to_string())
        }
        MoveCommand::Run { id } => show(session, &engine.run_move(actor, *id).await?),
        MoveCommand::Undo { id } => show(session, &engine.undo_move(actor, *id).await?),
        MoveCommand::Cancel { id } => {
            engine.cancel_move(actor, *id).await?;
            session.answer(&json!({ "move": id, "state": "cancelled" }), "cancelled")
        }
    }
}

fn show(session: &Session, row: &MoveRow) -> Result<()> {
    session.answer(&item(row), &line(row))
}

fn item(row: &MoveRow) -> Value {
    json!({
        "move": row.id, "from": row.from.as_str(), "to": row.to.as_str(), "state": row.state.as_str(),
        "reason": row.reason, "planned_by": row.planned_by, "planned_at": row.planned_at,
        "alias_until": row.alias_until, "undo_until": row.undo_until, "pending": row.pending,
        "undecided": row.conflicts, "done": row.done, "undone": row.undone, "skipped": row.skipped,
    })
}

fn line(row: &MoveRow) -> String {
    let undo = row.undo_until.filter(|_| matches!(row.state, MoveState::Running | MoveState::Done));
    let undo = undo.map(|until| format!("; can be undone until {}", local_text(until))).unwrap_or_default();
    format!(
        "{} {} -> {} {}: {} to do ({} undecided), {} moved, {} moved back, {} gone{undo}\n",
        row.id,
        row.from,
        row.to,
        row.state.as_str(),
        row.pending,
        row.conflicts,
        row.done,
        row.undone,
        row.skipped
    )
}

async fn steps(session: &Session, id: i64, undecided: bool) -> Result<()> {
    let (mut list, mut text) = (Vec::new(), String::new());
    let mut after = AccountId(0);
    loop {
        let page = session.node.engine.move_steps(&session.actor, id, undecided, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.account;
        for MoveStep { old, new, display_name, state, .. } in &page {
            let new = new.as_ref().map(ToString::to_string);
            let shown = new.as_deref().unwrap_or("? (taken: congthu move decide)");
            text.push_str(&format!("{old} -> {shown} {state} {display_name}\n"));
            list.push(json!({ "old": old.to_string(), "new": new, "state": state, "name": display_name }));
        }
    }
    session.answer(&json!(list), &text)
}
