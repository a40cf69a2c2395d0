//! `congthu mailbox leave` and `cancel-leave`: days in which a mailbox may be unused.

use super::Session;
use anyhow::{Context as _, Result, anyhow};
use engine::LeaveRow;
use jiff::civil::Date;
use model::Address;
use model::calendar::{local_date, local_text};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn note(
    session: &Session,
    address: &Address,
    (from, to): (Date, Date),
    reason: &str,
) -> Result<()> {
    let noted = session.node.engine.note_leave(&session.actor, address, from, to, reason).await;
    noted.context(address.clone())?;
    let is_over = to < local_date(session.node.engine.now());
    session.answer(
        &json!({ "address": address.to_string(), "from": from, "to": to, "reason": reason, "over": is_over }),
        &noted_as_text(address, (from, to), is_over),
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
    for LeaveRow { leave, reason, .. } in &leaves {
        let _ = write!(text, "\nleave     {} to {}: {reason}", leave.from, leave.to);
    }
    Ok((leaves.iter().map(as_json).collect(), text))
}

fn as_json(row: &LeaveRow) -> Value {
    let withdrawn = row.withdrawn.as_ref();
    json!({
        "from": row.leave.from,
        "to": row.leave.to,
        "reason": row.reason,
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
}
