//! `congthu announce …`

use super::Session;
use crate::cli::AnnounceCommand;
use anyhow::Result;
use engine::{Announcement, AnnouncementKind, AnnouncementRow};
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &AnnounceCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    let new = match command {
        AnnounceCommand::Stop { domain, begins, ends, text, emergency } => {
            let kind =
                AnnouncementKind::Stop { begins: *begins, ends: *ends, emergency: emergency.as_deref() };
            Announcement { domain: domain.as_ref(), kind, text }
        }
        AnnounceCommand::Incident { domain, since, recovery, text } => {
            let kind = AnnouncementKind::Incident { since: *since, recovery: *recovery };
            Announcement { domain: domain.as_ref(), kind, text }
        }
        AnnounceCommand::List { all } => return list(session, *all).await,
        AnnounceCommand::Cancel { announcement } => {
            engine.cancel_announcement(actor, *announcement).await?;
            let text = format!("announcement {announcement} is taken back; everybody is told so by mail");
            return session.answer(&json!({ "announcement": announcement, "cancelled": true }), &text);
        }
    };
    let number = engine.announce(actor, &new).await?;
    let text = format!("announcement {number} is made; everybody is told so by mail");
    session.answer(&json!({ "announcement": number }), &text)
}

async fn list(session: &Session, all: bool) -> Result<()> {
    let rows = session.node.engine.announcements(&session.actor, !all, None).await?;
    let mut text = String::new();
    for row in &rows {
        let domain = row.domain.as_deref().unwrap_or("*");
        let ends = row.ends.map_or_else(|| "-".to_owned(), local_text);
        let _ = write!(
            text,
            "{}\t{domain}\t{}\t{}\t{ends}\t{}",
            row.announcement,
            row.kind,
            local_text(row.begins),
            row.text
        );
        let _ = match &row.cancelled {
            Some((by, at)) => writeln!(text, "\tcancelled {} by {by}", local_text(*at)),
            None => writeln!(text),
        };
    }
    session.answer(&rows.iter().map(as_json).collect(), &text)
}

fn as_json(row: &AnnouncementRow) -> Value {
    json!({
        "announcement": row.announcement, "domain": row.domain, "kind": row.kind, "begins": row.begins,
        "ends": row.ends, "text": row.text, "emergency": row.emergency, "made_by": row.made_by, "made_at": row.made_at,
        "cancelled_by": row.cancelled.as_ref().map(|(by, _)| by),
    })
}
