//! `congthu quarantine …`: mail that is kept apart until somebody has looked at it.

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::QuarantineCommand;
use anyhow::Result;
use engine::{ListedSenderRow, QuarantineQuery, QuarantinedMessage};
use jiff::Timestamp;
use model::calendar::local_text;
use model::{Address, DomainName, Listed};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Of a sender who is let in for one.
const ALLOWED_UNSHOWN: &str = "; what its author is shown to have written comes there from now on, which this message was not: others like it are kept apart \
     as before";
/// Of a sender who is blocked for a message that anybody may have written.
const UNSHOWN: &str = " in mail that nothing shows to be his, as this message: what he is shown to have written comes as before";

pub(super) async fn run(session: &Session, command: &QuarantineCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        QuarantineCommand::List { domain, mailbox } => {
            list(session, (domain.as_ref(), mailbox.as_ref())).await
        }
        QuarantineCommand::Show { id } => {
            let message = engine.quarantined_message(actor, *id).await?;
            session.answer(&as_json(&message), &shown(&message))
        }
        QuarantineCommand::Release { id, allow } => {
            let message = engine.release_quarantined(actor, (*id, *allow)).await?;
            let of = if *allow && !message.row.is_shown { ALLOWED_UNSHOWN } else { "" };
            done(session, &message, ("is released to", of))
        }
        QuarantineCommand::Block { id } => {
            let (message, line) = engine.block_sender(actor, *id).await?;
            let (mailbox, sender) = (&message.row.mailbox, &line.sender);
            let of = if line.is_shown { "" } else { UNSHOWN };
            session.answer(
                &json!({ "mailbox": mailbox, "sender": sender, "listed": "blocked", "shown": line.is_shown }),
                &format!("{sender} is blocked by {mailbox}{of}; message {id} stays where it is"),
            )
        }
        QuarantineCommand::Senders { mailbox } => senders(session, mailbox).await,
        QuarantineCommand::Forget { mailbox, sender } => {
            let was_listed = engine.unlist_sender(actor, mailbox, sender).await?;
            let text = if was_listed { "is taken off the list of" } else { "was not on the list of" };
            session.answer(
                &json!({ "mailbox": mailbox.to_string(), "sender": sender.to_string(), "was_listed": was_listed }),
                &format!("{sender} {text} {mailbox}"),
            )
        }
        QuarantineCommand::Delete { id } => {
            let message = engine.delete_quarantined(actor, *id).await?;
            done(session, &message, ("is deleted, for", ""))
        }
    }
}

async fn list(session: &Session, (domain, mailbox): (Option<&DomainName>, Option<&Address>)) -> Result<()> {
    let all = pages::all(async |last: Option<&QuarantinedMessage>| {
        let query = QuarantineQuery {
            mailbox: mailbox.cloned(),
            domain: domain.cloned(),
            after: last.map_or(0, |message| message.row.held),
            limit: PAGE,
        };
        session.node.engine.quarantine(&session.actor, &query).await
    })
    .await?;
    let text: String = all.iter().map(line).collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn senders(session: &Session, mailbox: &Address) -> Result<()> {
    let rows = session.node.engine.listed_senders(&session.actor, mailbox).await?;
    let mut text = String::new();
    for row in &rows {
        let of = if row.is_shown || row.listed == Listed::Allowed {
            ""
        } else {
            "\tonly where not shown to be his"
        };
        let (listed, sender) = (row.listed.as_str(), &row.sender);
        let _ = writeln!(text, "{listed}\t{sender}\t{}\t{}{of}", local_text(row.at), row.by);
    }
    let item = |row: &ListedSenderRow| {
        json!({ "sender": row.sender, "listed": row.listed.as_str(), "shown": row.is_shown,
                                               "at": row.at, "by": row.by })
    };
    session.answer(&rows.iter().map(item).collect(), &text)
}

fn done(session: &Session, message: &QuarantinedMessage, (what, of): (&str, &str)) -> Result<()> {
    let QuarantinedMessage { row, .. } = message;
    session.answer(&as_json(message), &format!("{} {what} {}{of}", row.held, row.recipient))
}

fn line(message: &QuarantinedMessage) -> String {
    let QuarantinedMessage { row, until } = message;
    let (held_at, until) = (local_text(row.held_at), until_text(message, *until));
    let from = row.author.as_ref().unwrap_or(&row.sender);
    format!("{}\t{held_at}\t{until}\t{}\t{}\t{from}\t{}\n", row.held, row.reason, row.recipient, row.subject)
}

/// When it is dropped; a copy when its legal hold has ended.
fn until_text(message: &QuarantinedMessage, until: Timestamp) -> String {
    if message.row.kept_since.is_some() { "legal hold".to_owned() } else { local_text(until) }
}

fn shown(message: &QuarantinedMessage) -> String {
    let QuarantinedMessage { row, until } = message;
    let mut text = format!("{}: {}\n", row.held, row.subject);
    let author = row.author.as_deref().unwrap_or("nobody, or several");
    let shown = if row.is_shown { "shown to be his" } else { "not shown to be his" };
    let _ = writeln!(text, "from {author} ({shown}), envelope <{}>", row.sender);
    let _ = writeln!(text, "to {} of {}, {} octets", row.recipient, row.mailbox, row.size);
    let _ = writeln!(text, "kept apart for {} since {}", row.reason, local_text(row.held_at));
    let _ = match row.kept_since {
        None => writeln!(text, "dropped {}", local_text(*until)),
        Some(since) => {
            let since = local_text(since);
            writeln!(
                text,
                "deleted, or over, {since}: its owner does not see it, and it stays for the legal hold of the mailbox"
            )
        }
    };
    let [queue_id, message_id, found] = about(&row.about);
    let _ = writeln!(text, "queue {queue_id} <{message_id}>");
    if !found.is_empty() {
        let _ = writeln!(text, "found {found}");
    }
    text
}

/// Queue id, Message-ID, and what was found of it.
fn about(about: &str) -> [&str; 3] {
    let lines: Vec<&str> = about.split('\n').collect();
    [0, 1, 4].map(|at| lines.get(at).copied().unwrap_or_default())
}

fn as_json(message: &QuarantinedMessage) -> Value {
    let QuarantinedMessage { row, until } = message;
    let [queue_id, message_id, found] = about(&row.about);
    json!({
        "id": row.held, "mailbox": row.mailbox, "recipient": row.recipient, "sender": row.sender,
        "author": row.author, "shown": row.is_shown, "subject": row.subject, "size": row.size, "reason": row.reason,
        "at": row.held_at, "until": until, "kept_since": row.kept_since, "queue_id": queue_id, "message_id": message_id, "found": found,
    })
}
