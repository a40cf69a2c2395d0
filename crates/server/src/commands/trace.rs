//! `congthu trace …`: what became of a message, and every event for central logs.

use super::{Session, lessons, logins, printed};
use crate::cli::{TraceCommand, TraceOptions};
use anyhow::{Context as _, Result};
use engine::{Course, EventRow, TraceQuery};
use jiff::Timestamp;
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

pub(super) async fn run(session: &Session, options: &TraceOptions) -> Result<()> {
    match &options.command {
        Some(TraceCommand::Logins(of)) => return logins::run(session, of).await,
        Some(TraceCommand::Lessons(of)) => return lessons::run(session, of).await,
        None => {}
    }
    if options.export {
        return export(session, options).await;
    }
    let query = TraceQuery {
        from: options.from.clone(),
        to: options.to.clone(),
        subject: options.subject.clone(),
        message_id: options.message_id.clone(),
        queue_id: options.queue_id.clone(),
        status: options.status.clone(),
        since: options.since,
        until: options.until,
        before: None,
        limit: options.limit,
    };
    let courses = session.node.engine.trace(&session.actor, &query).await?;
    let mut text = String::new();
    for course in &courses {
        let subject = course.subject.as_deref().unwrap_or("(no subject)");
        let _ = writeln!(text, "{subject}  <{}>", course.message_id.as_deref().unwrap_or(""));
        for event in &course.events {
            let _ = writeln!(text, "  {}", line(event));
        }
    }
    let shown = |course: &Course| {
        json!({ "message_id": course.message_id, "subject": course.subject,
                "events": course.events.iter().map(as_json).collect::<Vec<_>>() })
    };
    session.answer(&courses.iter().map(shown).collect(), &text)
}

fn line(event: &EventRow) -> String {
    let mut line = format!("{} {}", local_text(event.at), event.kind);
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(line, " {name} {value}");
        }
    };
    add("queue", event.queue_id.as_deref());
    add("from", event.sender.as_deref());
    if event.kind == "forwarded" {
        add("by", event.account.as_deref());
        let to = event.recipients.iter().filter(|to| Some(*to) != event.account.as_ref());
        add("to", Some(&to.map(String::as_str).collect::<Vec<_>>().join(", ")));
        let copy = if event.status.as_deref() == Some("none_kept") { "none kept" } else { "a copy kept" };
        let _ = write!(line, " ({copy})");
        return line;
    }
    add("to", Some(&event.recipients.join(", ")));
    add("by", event.account.as_deref());
    add("at", event.remote.as_deref());
    add("is", event.status.as_deref());
    let detail = if event.kind == "sifted" { "as" } else { "shown by" };
    add(detail, event.detail.as_deref());
    line
}

/// One JSON object a line, the oldest first, read and written page by page.
async fn export(session: &Session, options: &TraceOptions) -> Result<()> {
    let engine = &session.node.engine;
    let until = options.until.unwrap_or(engine.now());
    let mut after = (options.since.unwrap_or(Timestamp::UNIX_EPOCH), i64::MIN);
    loop {
        let page = engine.export_events(&session.actor, after, until).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.at, last.id);
        let mut text = String::new();
        for event in &page {
            let _ = writeln!(text, "{}", printed::json(&as_json(event)));
        }
        std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write to standard output")?;
    }
}

fn as_json(event: &EventRow) -> Value {
    json!({
        "at": event.at, "id": event.id, "kind": event.kind, "trace": event.trace, "account": event.account,
        "remote": event.remote, "sender": event.sender, "recipients": event.recipients, "size": event.size,
        "status": event.status, "queue_id": event.queue_id, "message_id": event.message_id,
        "subject": event.subject, "detail": event.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_mail_went_on_is_said_with_whether_a_copy_stays() {
        let office = "vp@thu.test".to_owned();
        let event = |recipients: &[&str], status: &str| EventRow {
            at: Timestamp::UNIX_EPOCH,
            id: 1,
            kind: "forwarded".to_owned(),
            trace: "1".to_owned(),
            account: Some(office.clone()),
            remote: None,
            sender: Some("an@x.vn".to_owned()),
            recipients: recipients.iter().map(|&to| to.to_owned()).collect(),
            size: None,
            status: Some(status.to_owned()),
            queue_id: Some("0A".to_owned()),
            message_id: None,
            subject: None,
            detail: None,
        };
        let told = line(&event(&[&office, "lan@thu.test"], "none_kept"));
        assert!(
            told.ends_with("forwarded queue 0A from an@x.vn by vp@thu.test to lan@thu.test (none kept)"),
            "{told}"
        );
        assert!(
            line(&event(&[&office, "lan@thu.test"], "copy_kept")).ends_with("to lan@thu.test (a copy kept)")
        );
        // Who may not see where it went.
        assert!(line(&event(&[&office], "none_kept")).ends_with("by vp@thu.test (none kept)"));
    }
}
