//! `congthu mailbox resets` and `confirm-reset`: passwords that administrators set, and the written confirmations that are owed for them.

use super::Session;
use anyhow::{Result, anyhow};
use model::calendar::local_text;
use serde_json::json;
use std::fmt::Write as _;

pub(super) async fn confirm(session: &Session, number: i64, document: &str) -> Result<()> {
    let address = session.node.engine.confirm_password_reset(&session.actor, number, document).await?;
    let address = address.ok_or_else(|| anyhow!("no confirmation is owed under the number {number}"))?;
    session.answer(&json!({ "address": address }), &format!("{address}: the confirmation is noted"))
}

pub(super) async fn list(session: &Session, open: bool) -> Result<()> {
    let all = session.node.engine.password_resets(&session.actor, open).await?;
    let mut text = String::new();
    for reset in &all {
        let standing = match (&reset.document, reset.confirmation_due) {
            (Some(document), _) => format!("confirmed by {document}"),
            (None, Some(day)) => format!("confirmation due {day}"),
            (None, None) => "no confirmation asked".to_owned(),
        };
        let (number, address) = (reset.reset, &reset.address);
        let _ = writeln!(
            text,
            "{number}\t{address}\t{}\t{}\t{}\t{standing}",
            local_text(reset.at),
            reset.made_by,
            reset.reason
        );
    }
    let json = all
        .iter()
        .map(|reset| {
            json!({
                "number": reset.reset,
                "address": reset.address.to_string(),
                "at": reset.at,
                "by": reset.made_by,
                "reason": reset.reason,
                "confirmation_due": reset.confirmation_due,
                "confirmed_at": reset.confirmed_at,
                "confirmed_by": reset.confirmed_by,
                "document": reset.document,
            })
        })
        .collect();
    session.answer(&json, &text)
}
