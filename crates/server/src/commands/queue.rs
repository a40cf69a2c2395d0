//! `congthu queue …`: mail on its way to others.

use super::pages::PAGE;
use super::{Session, counted};
use crate::cli::QueueCommand;
use anyhow::Result;
use engine::{QueueDestinationRow, QueueFilter, QueueMessage, QueueRow, QueueState};
use model::Address;
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &QueueCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        QueueCommand::List { domain, from, to, state, limit } => {
            let lower = |text: &Option<String>| text.as_deref().map(str::to_lowercase);
            let filter = QueueFilter {
                domain: lower(domain),
                sender: lower(from),
                recipient: lower(to),
                state: *state,
                ..QueueFilter::default()
            };
            list(session, filter, *limit).await
        }
        QueueCommand::Destinations => destinations(session).await,
        QueueCommand::Show { id } => show(session, id).await,
        QueueCommand::Retry { id } => done(session, &engine.retry_queued(actor, id).await?, "tried at once"),
        QueueCommand::Hold { id: Some(id), .. } => {
            done(session, &engine.hold_queued(actor, id, true).await?, "kept back")
        }
        QueueCommand::Hold { of: Some(of), .. } => {
            all_of(session, of, engine.hold_mail_of(actor, of, true).await?, "kept back")
        }
        QueueCommand::Release { id: Some(id), .. } => {
            done(session, &engine.hold_queued(actor, id, false).await?, "let go")
        }
        QueueCommand::Release { of: Some(of), .. } => {
            all_of(session, of, engine.hold_mail_of(actor, of, false).await?, "let go")
        }
        QueueCommand::Expire { id: Some(id), quiet, .. } => {
            let text =
                if *quiet { "given up; its sender is not told" } else { "given up; its sender is told" };
            done(session, &engine.expire_queued(actor, id, *quiet).await?, text)
        }
        QueueCommand::Expire { of: Some(of), quiet, .. } => {
            let (deliveries, being_sent) = engine.expire_mail_of(actor, of, *quiet).await?;
            for id in &being_sent {
                tracing::warn!("{id} is being sent at this moment and stays; try again");
            }
            all_of(session, of, deliveries, "given up")
        }
        // One of them is required.
        QueueCommand::Hold { .. } | QueueCommand::Release { .. } | QueueCommand::Expire { .. } => Ok(()),
        QueueCommand::Redirect { id, to } => match engine.redirect_queued(actor, id, to).await? {
            Some(message) => done(session, &message, &format!("sent to {to} instead; its sender is told")),
            None => session.answer(
                &json!({ "queue_id": id, "deliveries": 0 }),
                "asked; somebody else has to agree, by the same command",
            ),
        },
    }
}

fn done(session: &Session, message: &QueueMessage, what: &str) -> Result<()> {
    let QueueMessage { queue_id, deliveries } = message;
    session.answer(
        &json!({ "queue_id": queue_id, "deliveries": deliveries }),
        &format!("{queue_id}: {} {what}", counted(deliveries, "delivery is", "deliveries are")),
    )
}

fn all_of(session: &Session, of: &Address, deliveries: u64, what: &str) -> Result<()> {
    session.answer(
        &json!({ "address": of.to_string(), "deliveries": deliveries }),
        &format!("{of}: {} {what}", counted(deliveries, "delivery is", "deliveries are")),
    )
}

async fn list(session: &Session, filter: QueueFilter, limit: u32) -> Result<()> {
    let mut rows: Vec<QueueRow> = Vec::new();
    loop {
        let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let filter = QueueFilter {
            after: rows.last().map_or(0, |row| row.delivery),
            limit: left.min(PAGE),
            ..filter.clone()
        };
        let page = session.node.engine.queue(&session.actor, &filter).await?;
        let is_last = page.len() < PAGE as usize;
        rows.extend(page);
        if is_last || rows.len() >= limit as usize {
            break;
        }
    }
    let mut text = String::new();
    for row in &rows {
        let _ = writeln!(
            text,
            "{} {} from <{}> to {} ({} left) {}",
            row.queue_id,
            local_text(row.accepted_at),
            row.sender,
            row.destination,
            row.recipients.len(),
            state(row)
        );
    }
    session.answer(&rows.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, id: &str) -> Result<()> {
    let rows = session.node.engine.queued_message(&session.actor, id).await?;
    let mut text = String::new();
    if let Some(first) = rows.first() {
        let mut about = first.about.split('\n').skip(1);
        let (message_id, subject) = (about.next().unwrap_or_default(), about.next().unwrap_or_default());
        let _ = writeln!(text, "{id} <{message_id}> {subject}");
        let _ = writeln!(text, "from <{}>, accepted {}", first.sender, local_text(first.accepted_at));
    }
    for row in &rows {
        let _ = writeln!(text, "{}: {}; {}", row.destination, state(row), end(row));
        if let Some(answer) = &row.destination_answer {
            let _ = writeln!(text, "  not reached: {answer}");
        }
        for (address, last) in &row.recipients {
            let last = last.as_ref().map_or_else(String::new, |last| {
                let host = last.host.as_deref().unwrap_or("here");
                let code = last.code.map_or_else(String::new, |code| format!("{code} "));
                format!(": {host} said {code}{} {}", last.status, last.text)
            });
            let _ = writeln!(text, "  {address}{last}");
        }
    }
    session.answer(&rows.iter().map(as_json).collect(), &text)
}

/// The time that it is held does not count among the days that it is tried for.
fn end(row: &QueueRow) -> String {
    match row.state {
        QueueState::HeldByOperator | QueueState::HeldByLock => "not given up before it is let go".to_owned(),
        QueueState::HeldByFilter => {
            "given up filter.quarantine_days after that, where nobody lets it go".to_owned()
        }
        QueueState::Sending | QueueState::Scheduled | QueueState::Resting | QueueState::Waiting => {
            format!("given up {}", local_text(row.give_up_at))
        }
    }
}

fn state(row: &QueueRow) -> String {
    let since = row.held_at.map_or_else(String::new, |at| format!(" since {}", local_text(at)));
    match row.state {
        QueueState::HeldByOperator => format!("held by an administrator{since}"),
        QueueState::HeldByLock => format!("held by the lock of its sender's mailbox{since}"),
        QueueState::HeldByFilter => format!("held by the filter for spam{since}"),
        QueueState::Sending => "being sent".to_owned(),
        QueueState::Scheduled => format!("scheduled for {}", local_text(row.due_at)),
        QueueState::Resting => format!("its destination rests; {} attempts", row.attempts),
        QueueState::Waiting => format!("next {} after {} attempts", local_text(row.due_at), row.attempts),
    }
}

async fn destinations(session: &Session) -> Result<()> {
    let rows = session.node.engine.queue_destinations(&session.actor).await?;
    let mut text = String::new();
    for row in &rows {
        let resting = match (row.failures, &row.answer) {
            (0, _) => String::new(),
            (failures, answer) => format!(
                "; not reached {failures} times, next {}: {}",
                local_text(row.next_at),
                answer.as_deref().unwrap_or_default()
            ),
        };
        let _ = writeln!(text, "{} {} since {}{resting}", row.name, row.deliveries, local_text(row.oldest));
    }
    let item = |row: &QueueDestinationRow| {
        json!({ "name": row.name, "deliveries": row.deliveries, "oldest": row.oldest, "next": row.next_at,
                "failures": row.failures, "answer": row.answer })
    };
    session.answer(&rows.iter().map(item).collect(), &text)
}

fn as_json(row: &QueueRow) -> Value {
    let recipients: Vec<Value> = row
        .recipients
        .iter()
        .map(|(address, last)| {
            json!({ "address": address, "host": last.as_ref().and_then(|last| last.host.clone()),
                    "code": last.as_ref().and_then(|last| last.code),
                    "status": last.as_ref().map(|last| last.status.to_string()),
                    "answer": last.as_ref().map(|last| last.text.clone()) })
        })
        .collect();
    json!({
        "queue_id": row.queue_id, "delivery": row.delivery, "sender": row.sender, "destination": row.destination,
        "accepted_at": row.accepted_at, "due_at": row.due_at, "give_up_at": row.give_up_at,
        "attempts": row.attempts, "state": row.state.as_str(), "held_at": row.held_at,
        "destination_answer": row.destination_answer, "recipients": recipients,
    })
}
