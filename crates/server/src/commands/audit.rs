//! `congthu audit …`

use super::{Session, cannot_write, counted};
use crate::audit_head::{self, SigningKey};
use crate::cli::{AuditCommand, AuditList};
use crate::given;
use anyhow::{Context as _, Result, bail};
use engine::{AuditFilter, AuditHead, AuditReport, AuditRow};
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A head has some 300 octets.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Letters of an act's detail in the list.
const BRIEF_CHARS_MAX: usize = 100;

pub(super) async fn run(session: &Session, command: &AuditCommand) -> Result<()> {
    match command {
        AuditCommand::List(options) => list(session, options).await,
        AuditCommand::Show { number } => show(session, *number).await,
        AuditCommand::Verify { heads, key } => verify(session, heads, key.as_deref()).await,
        AuditCommand::Head { out } => head(session, out).await,
    }
}

async fn list(session: &Session, options: &AuditList) -> Result<()> {
    let filter = AuditFilter {
        actor: options.actor.as_deref(),
        action: options.action.as_deref(),
        target: options.target.as_deref(),
        aliases: &[],
        since: options.since,
        until: options.until,
        before: options.before,
        domains: None,
        limit: options.limit,
    };
    let rows = session.node.engine.audit_rows(&session.actor, &filter).await?;
    let mut text = String::new();
    for row in &rows {
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}",
            row.id,
            local_text(row.at),
            row.actor,
            row.action,
            row.target,
            brief(&row.detail)
        );
    }
    if let Some(last) = rows.last().filter(|_| rows.len() == options.limit as usize) {
        eprintln!("congthu: there may be older acts: --before {}, or a higher --limit", last.id);
    }
    session.answer(&rows.iter().map(as_json).collect(), &text)
}

/// What tells one act from another of its kind, without what does not fit into a line.
fn brief(detail: &str) -> String {
    let detail: Value = serde_json::from_str(detail).unwrap_or_default();
    let fields = detail.as_object().into_iter().flatten();
    let said = fields.filter(|(_, value)| value.is_string() || value.is_number() || value.is_boolean());
    let said: Vec<String> = said.map(|(name, value)| format!("{name}={value}")).collect();
    let said = said.join(" ").replace(char::is_control, " ");
    if said.chars().count() <= BRIEF_CHARS_MAX {
        return said;
    }
    said.chars().take(BRIEF_CHARS_MAX - 1).chain(['…']).collect()
}

async fn show(session: &Session, number: i64) -> Result<()> {
    let filter = AuditFilter { before: number.checked_add(1), limit: 1, ..AuditFilter::default() };
    let rows = session.node.engine.audit_rows(&session.actor, &filter).await?;
    let Some(row) = rows.first().filter(|row| row.id == number) else {
        bail!("there is no act {number}; see congthu audit list");
    };
    let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
    let detail = serde_json::to_string_pretty(&detail).unwrap_or_default();
    let text = format!(
        "number   {}\nat       {} ({})\nactor    {}\naction   {}\ntarget   {}\ndigest   {}\ndetail   {detail}",
        row.id,
        local_text(row.at),
        row.at,
        row.actor,
        row.action,
        row.target,
        audit_head::hex(&row.digest),
    );
    session.answer(&as_json(row), &text)
}

async fn verify(session: &Session, files: &[PathBuf], key: Option<&str>) -> Result<()> {
    let key = match key {
        Some(key) => key.to_owned(),
        None => SigningKey::open(&session.data_dir)?.public(),
    };
    let mut heads: Vec<AuditHead> = Vec::new();
    for file in files {
        let text = given::read(file, HEAD_BYTES_MAX);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        let text = String::from_utf8_lossy(&text);
        heads.push(audit_head::read(&text, &key).with_context(|| file.display().to_string())?);
    }
    let report = session.node.engine.verify_audit(&session.actor, &heads).await?;
    let fault = report.fault.as_ref().map(ToString::to_string);
    let shown = json!({
        "whole": fault.is_none(), "fault": fault, "rows": report.head.rows, "last": report.head.id,
        "digest": audit_head::hex(&report.head.digest), "numbers_unused": report.numbers_unused,
        "heads": heads.len(),
    });
    if let Some(fault) = &fault {
        if session.json {
            session.answer(&shown, "")?;
        }
        bail!("{fault}; {} whole before it", counted(report.head.rows, "row is", "rows are"));
    }
    session.answer(&shown, &whole(&report, heads.len()))
}

fn whole(report: &AuditReport, heads: usize) -> String {
    let AuditReport { head, numbers_unused, .. } = report;
    let mut text = format!(
        "the log is whole: {} up to {}, digest {}\nnumbers without a row: {numbers_unused}, acts that were rolled back, or jumps\n",
        counted(head.rows, "row", "rows"),
        head.id,
        audit_head::hex(&head.digest)
    );
    text += match heads {
        0 => {
            "whether its end was cut off only a head shows that is kept elsewhere: congthu audit head --out FILE\n"
        }
        _ => "it goes on from every head that was given\n",
    };
    text
}

async fn head(session: &Session, out: &Path) -> Result<()> {
    let report = session.node.engine.verify_audit(&session.actor, &[]).await?;
    if let Some(fault) = report.fault {
        bail!("{fault}: such a log is not signed");
    }
    let key = SigningKey::open(&session.data_dir)?;
    audit_head::write(out, &key.sign(&report.head)).map_err(|error| cannot_write(out, error))?;
    let text = format!(
        "{} shows {} up to {}; keep it where nobody who runs this server can change it\npublic key {}",
        out.display(),
        counted(report.head.rows, "row", "rows"),
        report.head.id,
        key.public()
    );
    session.answer(
        &json!({ "file": out, "rows": report.head.rows, "last": report.head.id, "public_key": key.public() }),
        &text,
    )
}

fn as_json(row: &AuditRow) -> Value {
    json!({
        "number": row.id, "at": row.at, "actor": row.actor, "action": row.action, "target": row.target,
        "detail": serde_json::from_str::<Value>(&row.detail).unwrap_or_default(),
        "digest": audit_head::hex(&row.digest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_of_one_kind_are_told_apart_in_a_line() {
        let set = r#"{"target":"lan@bo.gov.vn","keep_copy":true,"before":null,"all":[1]}"#;
        assert_eq!(brief(set), r#"keep_copy=true target="lan@bo.gov.vn""#);
        assert_eq!((brief("{}"), brief("torn")), (String::new(), String::new()));
        let long = brief(&json!({ "reason": format!("a\n\u{7f}{}", "ơ".repeat(500)) }).to_string());
        assert!(long.starts_with(r#"reason="a\n ơ"#) && long.ends_with('…'), "{long}");
        assert_eq!(long.chars().count(), BRIEF_CHARS_MAX);
    }
}
