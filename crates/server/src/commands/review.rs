//! `congthu review …`

use super::add_many::{SHOWN_MAX, sheet};
use super::pages::{self, PAGE};
use super::{Prepared, Session, counted, opened};
use crate::Misuse;
use crate::cli::{AnswerReview, ReviewCommand};
use anyhow::{Context as _, Result, anyhow};
use engine::{
    ReviewAnswer, ReviewAnswerRow, ReviewDetail, ReviewError, ReviewFault, ReviewMailbox, ReviewQuery,
    ReviewShown, ReviewedMailbox,
};
use model::calendar::local_text;
use model::{DomainName, ReviewDecision, fold_marks};
use serde_json::{Value, json};
use std::path::Path;

/// Titles of the columns of a list, folded: without marks, case and what is no letter.
const ADDRESSES: &[&str] =
    &["address", "email", "diachi", "hopthu", "diachihopthu", "diachithu", "diachithudientu"];
const DECISIONS: &[&str] = &["decision", "quyetdinh", "ketqua", "ketquarasoat", "denghi"];
const REMARKS: &[&str] = &["remark", "remarks", "note", "ghichu", "lydo", "noidung"];

/// Reads the form that stands in a file; nothing else is open yet.
pub(super) fn read(command: &ReviewCommand) -> Result<Option<Vec<ReviewAnswerRow>>> {
    let ReviewCommand::Answer(AnswerReview { file: Some(file), file_name, .. }) = command else {
        return Ok(None);
    };
    let (file, called) = opened(file, file_name.as_deref());
    read_list(file, called).map(Some)
}

pub(super) async fn run(session: &Session, command: &ReviewCommand, prepared: Prepared) -> Result<()> {
    match command {
        ReviewCommand::List { domain, all, overdue } => list(session, domain, (*all, *overdue)).await,
        ReviewCommand::Show { number } => show(session, *number).await,
        ReviewCommand::Answer(form) => {
            let rows = prepared.review.unwrap_or_else(|| arguments(form));
            answer(session, form, rows).await
        }
        ReviewCommand::Open { domain, unit } => {
            let opened = session.node.engine.open_review(&session.actor, domain, unit).await?;
            session.answer(&as_json(&opened), &line(&opened))
        }
    }
}

/// `called` is what errors call it.
fn read_list(file: &Path, called: &Path) -> Result<Vec<ReviewAnswerRow>> {
    let bytes = sheet::read(file).with_context(|| format!("cannot read {}", called.display()))?;
    let misuse = |what: &str| Misuse(format!("{} {what}", called.display()));
    let (rows, _) = sheet::rows(&bytes).map_err(|what| misuse(&what))?;
    let mut rows = rows.into_iter();
    let header = rows.next().ok_or_else(|| misuse("is empty"))?;
    let place = |titles: &[&str]| {
        let is_one = |title: &str| {
            let folded = fold_marks(title).to_lowercase();
            titles.contains(&folded.chars().filter(char::is_ascii_alphabetic).collect::<String>().as_str())
        };
        header.cells.iter().find(|(_, title)| is_one(title)).map(|(place, _)| *place)
    };
    let (Some(address), Some(decision)) = (place(ADDRESSES), place(DECISIONS)) else {
        return Err(misuse("has no columns address and decision in its first row").into());
    };
    let remark = place(REMARKS);
    let read = |row: sheet::Row| {
        let cell = |place| row.cell(place).unwrap_or_default().to_owned();
        ReviewAnswerRow {
            number: row.number,
            address: cell(address),
            decision: cell(decision),
            remark: remark.map(cell).unwrap_or_default(),
        }
    };
    Ok(rows.map(read).collect())
}

/// The arguments as rows, numbered in the order of --confirm, --change, --revoke.
fn arguments(form: &AnswerReview) -> Vec<ReviewAnswerRow> {
    let said = [
        (ReviewDecision::Confirm, &form.confirm),
        (ReviewDecision::Change, &form.change),
        (ReviewDecision::Revoke, &form.revoke),
    ];
    let all = said.into_iter().flat_map(|(decision, texts)| texts.iter().map(move |text| (decision, text)));
    let row = |(number, (decision, text)): (u32, (ReviewDecision, &String))| {
        let (address, remark) = text.split_once('=').unwrap_or((text, ""));
        ReviewAnswerRow {
            number,
            address: address.to_owned(),
            decision: decision.as_str().to_owned(),
            remark: remark.to_owned(),
        }
    };
    (1..).zip(all).map(row).collect()
}

async fn list(session: &Session, domain: &DomainName, (finished, overdue): (bool, bool)) -> Result<()> {
    let all = pages::all(async |last: Option<&ReviewDetail>| {
        let after = last.map_or(0, |last| last.review.review);
        let query = ReviewQuery { domain, finished, overdue, after, limit: PAGE };
        session.node.engine.reviews(&session.actor, query).await
    })
    .await?;
    let text: String = all.iter().map(|one| line(one) + "\n").collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, number: i64) -> Result<()> {
    let ReviewShown { detail, mailboxes, decisions } =
        session.node.engine.review(&session.actor, number).await?;
    let mut text = line(&detail) + "\n";
    for mailbox in &mailboxes {
        let used = mailbox.used_at.map_or_else(|| "-".to_owned(), local_text);
        let ReviewMailbox { address, name, class, state, is_new, .. } = mailbox;
        let new = if *is_new { "\tnew" } else { "" };
        text.push_str(&format!("{address}\t{name}\t{}\t{}\t{used}{new}\n", class.as_str(), state.as_str()));
    }
    text.extend(decisions.iter().map(|one| said(one) + "\n"));
    let mut shown = as_json(&detail);
    if let Some(object) = shown.as_object_mut() {
        object.insert("mailboxes".to_owned(), mailboxes.iter().map(mailbox_json).collect());
        object.insert("decisions".to_owned(), json!(decisions));
    }
    session.answer(&shown, &text)
}

async fn answer(session: &Session, form: &AnswerReview, rows: Vec<ReviewAnswerRow>) -> Result<()> {
    let answer = ReviewAnswer {
        rows,
        rest_confirmed: form.all_confirmed,
        by: form.by.clone(),
        document: form.document.clone(),
        note: form.note.clone(),
        dry_run: form.dry_run,
    };
    let answered = session.node.engine.answer_review(&session.actor, form.number, &answer).await;
    let answered = match answered {
        Err(ReviewError::Rows(faults)) => return Err(refused(&faults)),
        answered => answered?,
    };
    let mut text: String = answered.decisions.iter().map(|one| said(one) + "\n").collect();
    for address in &answered.unanswered {
        text.push_str(&format!("unanswered\t{address}\n"));
    }
    let unanswered: Vec<String> = answered.unanswered.iter().map(ToString::to_string).collect();
    let decisions = json!(answered.decisions);
    session.answer(
        &json!({ "number": form.number, "dry_run": form.dry_run, "decisions": decisions, "unanswered": unanswered }),
        &text,
    )
}

/// Each mistake on a line of its own, as a list may have many.
fn refused(faults: &[ReviewFault]) -> anyhow::Error {
    for fault in faults.iter().take(SHOWN_MAX) {
        eprintln!("congthu: {fault}");
    }
    if faults.len() > SHOWN_MAX {
        eprintln!("congthu: and {} more", faults.len() - SHOWN_MAX);
    }
    anyhow!("{}: nothing was done", counted(faults.len(), "mistake", "mistakes"))
}

fn said(one: &ReviewedMailbox) -> String {
    let request = one.request.map_or_else(|| "-".to_owned(), |request| format!("request {request}"));
    format!("{}\t{}\t{request}\t{}", one.decision.as_str(), one.address, one.remark)
}

fn line(ReviewDetail { review, is_overdue }: &ReviewDetail) -> String {
    let state = match &review.finished {
        Some((at, by)) => format!(
            "finished {} by {by}: {} confirmed, {} to change, {} to revoke",
            local_text(*at),
            review.confirmed,
            review.changed,
            review.revoked
        ),
        None if *is_overdue => "overdue".to_owned(),
        None => "open".to_owned(),
    };
    let (number, code, due_on) = (review.review, &review.unit_code, review.due_on);
    let listed = counted(review.listed, "mailbox", "mailboxes");
    format!("{number}\t{code}\t{}\tdue {due_on}\t{listed}\t{state}", review.unit_name)
}

fn mailbox_json(mailbox: &ReviewMailbox) -> Value {
    json!({
        "address": mailbox.address.to_string(),
        "name": mailbox.name,
        "class": mailbox.class,
        "state": mailbox.state,
        "used_at": mailbox.used_at,
        "new": mailbox.is_new,
    })
}

fn as_json(ReviewDetail { review, is_overdue }: &ReviewDetail) -> Value {
    json!({
        "number": review.review,
        "domain": review.domain_name.to_string(),
        "unit": review.unit_code,
        "unit_name": review.unit_name,
        "opened_at": review.opened_at,
        "opened_by": review.opened_by,
        "due_on": review.due_on,
        "overdue": is_overdue,
        "reminded_at": review.reminded_at,
        "listed": review.listed,
        "finished_at": review.finished.as_ref().map(|(at, _)| at),
        "finished_by": review.finished.as_ref().map(|(_, by)| by),
        "document": review.document,
        "note": review.note,
        "confirmed": review.confirmed,
        "changed": review.changed,
        "revoked": review.revoked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &[u8]) -> Result<Vec<ReviewAnswerRow>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read_list(file.path(), file.path())
    }

    #[test]
    fn a_list_is_read_by_its_titles_in_either_language() {
        let row = ReviewAnswerRow {
            number: 2,
            address: "an@x.vn".into(),
            decision: "thu hồi".into(),
            remark: "nghỉ hưu, 1/12".into(),
        };
        let rows = list("\u{feff}Địa chỉ;Kết quả;Ghi chú\r\nan@x.vn;thu hồi;nghỉ hưu, 1/12\r\n".as_bytes());
        assert_eq!(rows.unwrap(), std::slice::from_ref(&row));
        let rows = list("remark,decision,address\n\"nghỉ hưu, 1/12\",thu hồi,an@x.vn\n".as_bytes());
        assert_eq!(rows.unwrap(), [row]);
        // Cut off in the middle of a row: the engine says which cell is wrong.
        assert_eq!(list(b"address,decision\nan@x.vn,conf").unwrap()[0].decision, "conf");
        assert_eq!(list(b"address,decision\nan@x.vn").unwrap()[0].decision, "");
        for odd in [&b""[..], b"an@x.vn,confirm\n", b"address,d\xff\n"] {
            assert!(list(odd).is_err());
        }
    }
}
