//! `congthu mailbox leave` and `cancel-leave`: days in which a mailbox may be unused.

use super::{Session, opened};
use crate::given;
use anyhow::{Context as _, Result, anyhow};
use engine::{LeaveAnswer, LeaveRow};
use jiff::civil::Date;
use model::Address;
use model::calendar::{local_date, local_text};
use model::lifecycle::Leave;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Octets of an answer that stands in a file.
const ANSWER_OCTETS_MAX: u64 = 64 * 1024;

/// The text itself, or what stands in the file behind the @; nothing else is open yet.
pub(super) fn read_answer(answer: &str, file_name: Option<&Path>) -> Result<String> {
    let Some(file) = answer.strip_prefix('@') else { return Ok(answer.to_owned()) };
    let (file, called) = opened(Path::new(file), file_name);
    let text = given::read(file, ANSWER_OCTETS_MAX);
    let text = text.with_context(|| format!("cannot read {}", called.display()))?;
    let text = String::from_utf8(text).with_context(|| format!("{} is not UTF-8", called.display()))?;
    Ok(text.trim_end().to_owned())
}

pub(super) async fn note(
    session: &Session,
    address: &Address,
    leave: Leave,
    (reason, answer): (Option<&str>, Option<LeaveAnswer>),
) -> Result<()> {
    let reason = reason.unwrap_or_default();
    let noted = session.node.engine.note_leave(&session.actor, address, leave, reason, answer.as_ref()).await;
    noted.context(address.clone())?;
    let Leave { from, to } = leave;
    let is_over = to < local_date(session.node.engine.now());
    let said = answer.as_ref().map(answer_as_json);
    let mut text = noted_as_text(address, (from, to), is_over);
    if answer.is_some() {
        text.push_str("; whoever writes to it on those days is answered");
    }
    session.answer(
        &json!({ "address": address.to_string(), "from": from, "to": to, "reason": reason, "over": is_over, "answer": said }),
        &text,
    )
}

/// A leave that is told of afterwards is right; mostly it is the wrong year.
fn noted_as_text(address: &Address, (from, to): (Date, Date), is_over: bool) -> String {
    match is_over {
        false => format!("{address} may be unused from {from} to {to}"),
        true => format!(
            "{address} might be unused from {from} to {to}: days that are over already; if another year was meant: \
             congthu mailbox cancel-leave {address} --from {from} --reason \"…\""
        ),
    }
}

pub(super) async fn cancel(session: &Session, address: &Address, from: Date, reason: &str) -> Result<()> {
    let withdrawn = session.node.engine.withdraw_leave(&session.actor, address, from, reason).await;
    let withdrawn = withdrawn.context(address.clone())?;
    let mut shown = as_json(&withdrawn);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("address".to_owned(), json!(address.to_string()));
    }
    let to = withdrawn.leave.to;
    let text = format!(
        "the leave of {address} from {from} to {to} is taken back: its terms are counted as if it had not been noted"
    );
    session.answer(&shown, &text)
}

pub(super) async fn list(session: &Session, address: &Address) -> Result<()> {
    let leaves = session.node.engine.leaves(&session.actor, address).await?;
    let leaves = leaves.ok_or_else(|| anyhow!("there is no mailbox {address}; see congthu mailbox list"))?;
    let mut text = String::new();
    for row in &leaves {
        let _ = write!(text, "{}\t{}\t{}", row.leave.from, row.leave.to, row.reason);
        if let Some(answer) = &row.answer {
            let _ = write!(text, "\tanswers: {}", first_line(answer));
        }
        if let Some((at, by, why)) = &row.withdrawn {
            let _ = write!(text, "\ttaken back {} by {by}: {why}", local_text(*at));
        }
        text.push('\n');
    }
    session.answer(&leaves.iter().map(as_json).collect(), &text)
}

/// Of `mailbox show`: what is in force or to come.
pub(super) async fn ahead(session: &Session, address: &Address) -> Result<(Value, String)> {
    let leaves = session.node.engine.leaves_ahead(&session.actor, address).await?.unwrap_or_default();
    let mut text = String::new();
    for LeaveRow { leave, reason, answer, .. } in &leaves {
        let _ = write!(text, "\nleave     {} to {}: {reason}", leave.from, leave.to);
        if let Some(answer) = answer {
            let _ = write!(text, "; answers: {}", first_line(answer));
        }
    }
    Ok((leaves.iter().map(as_json).collect(), text))
}

/// Its subject, or how it begins.
fn first_line(answer: &LeaveAnswer) -> &str {
    answer.subject.as_deref().unwrap_or_else(|| answer.text.trim().lines().next().unwrap_or_default())
}

fn answer_as_json(answer: &LeaveAnswer) -> Value {
    json!({ "subject": answer.subject, "text": answer.text })
}

fn as_json(row: &LeaveRow) -> Value {
    let withdrawn = row.withdrawn.as_ref();
    json!({
        "from": row.leave.from,
        "to": row.leave.to,
        "reason": row.reason,
        "answer": row.answer.as_ref().map(answer_as_json),
        "noted_by": row.noted_by,
        "noted_at": row.noted_at,
        "withdrawn_at": withdrawn.map(|(at, ..)| at),
        "withdrawn_by": withdrawn.map(|(_, by, _)| by),
        "withdrawn_why": withdrawn.map(|(.., why)| why),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_over_are_said_to_be() {
        let address: Address = "an@thu.test".parse().unwrap();
        let days = ("2025-12-01".parse().unwrap(), "2025-12-31".parse().unwrap());
        let told = noted_as_text(&address, days, true);
        assert!(told.contains("over already") && told.contains("cancel-leave an@thu.test --from 2025-12-01"));
        assert!(!noted_as_text(&address, days, false).contains("over already"));
    }

    #[test]
    fn an_answer_is_said_or_stands_in_a_file() {
        assert_eq!(read_answer("Tôi nghỉ phép", None).unwrap(), "Tôi nghỉ phép");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Tôi nghỉ phép.\nXin chào\n").unwrap();
        let text = read_answer(&format!("@{}", file.path().display()), None).unwrap();
        assert_eq!(text, "Tôi nghỉ phép.\nXin chào");
        let answer =
            |subject: Option<&str>| LeaveAnswer { subject: subject.map(Into::into), text: text.clone() };
        assert_eq!(first_line(&answer(None)), "Tôi nghỉ phép.");
        assert_eq!(first_line(&answer(Some("Nghỉ"))), "Nghỉ");
        let missing = read_answer("@/none", None).unwrap_err().to_string();
        assert_eq!(missing, "cannot read /none");
    }
}
