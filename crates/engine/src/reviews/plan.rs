//! What an answer comes to, by the mailboxes that there are; pure.
//!
//! Invariant: either each mailbox that was there when the review was opened has one decision, or everything that is wrong is said, by
//! row and cell.

use super::{ReviewAnswer, ReviewAnswerRow};
use model::ReviewDecision;
use std::collections::HashMap;
use store::{ReviewMailbox, ReviewedMailbox};

const REMARK_CHARS_MAX: usize = 1_000;
/// Mistakes said before the rest is only counted.
const SAID_MAX: usize = 50;

/// What is wrong with a row, or with what is in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewFault {
    /// As a spreadsheet shows it; `None`: what is in no row.
    pub row: Option<u32>,
    /// address, decision or remark.
    pub cell: &'static str,
    pub mistake: ReviewMistake,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewMistake {
    #[error("{0} is no mailbox of the unit")]
    NotOfUnit(String),
    #[error("{0} is in row {1}, too")]
    Twice(String, u32),
    #[error("{0} is none of confirm, change, revoke (xác nhận, thay đổi, thu hồi)")]
    Decision(String),
    #[error("say what is to be changed")]
    ChangeUnsaid,
    #[error("a remark has at most 1,000 characters and no control characters")]
    Remark,
    #[error("nothing is said of {0}")]
    Unanswered(String),
}

impl std::fmt::Display for ReviewFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.row {
            Some(row) => write!(f, "row {row}, {}: {}", self.cell, self.mistake),
            None => self.mistake.fmt(f),
        }
    }
}

/// The first of them, one to a line.
pub(super) fn listed(faults: &[ReviewFault]) -> String {
    let mut text = "nothing was done:".to_owned();
    for fault in faults.iter().take(SAID_MAX) {
        text.push_str(&format!("\n{fault}"));
    }
    let more = faults.len().saturating_sub(SAID_MAX);
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}

/// One mailbox with its decision.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub(super) mailbox: &'a ReviewMailbox,
    pub(super) decision: ReviewDecision,
    pub(super) remark: &'a str,
}

impl Decided<'_> {
    pub(super) fn as_row(&self, request: Option<i64>) -> ReviewedMailbox {
        ReviewedMailbox {
            account: self.mailbox.account.0,
            address: self.mailbox.address.to_string(),
            decision: self.decision,
            remark: self.remark.to_owned(),
            request,
        }
    }
}

#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// By address.
    pub(super) decided: Vec<Decided<'a>>,
    pub(super) unanswered: Vec<&'a ReviewMailbox>,
}

impl<'a> Plan<'a> {
    pub(super) fn make(
        mailboxes: &'a [ReviewMailbox],
        answer: &'a ReviewAnswer,
    ) -> Result<Self, Vec<ReviewFault>> {
        let names: HashMap<String, &ReviewMailbox> =
            mailboxes.iter().map(|mailbox| (key(&mailbox.address.to_string()), mailbox)).collect();
        let mut faults = Vec::new();
        let mut rows: HashMap<String, (&ReviewAnswerRow, ReviewDecision)> = HashMap::new();
        for row in &answer.rows {
            let mut fault = |cell, mistake| faults.push(ReviewFault { row: Some(row.number), cell, mistake });
            let name = key(&row.address);
            if !names.contains_key(&name) {
                fault("address", ReviewMistake::NotOfUnit(shown(&row.address)));
            }
            if let Some((before, _)) = rows.get(&name) {
                fault("address", ReviewMistake::Twice(shown(&row.address), before.number));
            }
            match row.decision.trim().parse() {
                Ok(decision) => {
                    if decision == ReviewDecision::Change && row.remark.trim().is_empty() {
                        fault("remark", ReviewMistake::ChangeUnsaid);
                    }
                    rows.entry(name).or_insert((row, decision));
                }
                Err(_) => fault("decision", ReviewMistake::Decision(shown(&row.decision))),
            }
            let odd = row.remark.chars().any(|c| c.is_control() && c != '\n');
            if odd || row.remark.chars().count() > REMARK_CHARS_MAX {
                fault("remark", ReviewMistake::Remark);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::of(mailboxes, &rows, answer.rest_confirmed)
    }

    fn of(
        mailboxes: &'a [ReviewMailbox],
        rows: &HashMap<String, (&'a ReviewAnswerRow, ReviewDecision)>,
        rest_confirmed: bool,
    ) -> Result<Self, Vec<ReviewFault>> {
        let mut plan = Self { decided: Vec::new(), unanswered: Vec::new() };
        let mut faults = Vec::new();
        for mailbox in mailboxes {
            let address = mailbox.address.to_string();
            match rows.get(&key(&address)) {
                Some((row, decision)) => {
                    plan.decided.push(Decided { mailbox, decision: *decision, remark: row.remark.trim() });
                }
                // Nobody can have looked at it when the list was made.
                None if mailbox.is_new => plan.unanswered.push(mailbox),
                None if rest_confirmed => {
                    plan.decided.push(Decided { mailbox, decision: ReviewDecision::Confirm, remark: "" });
                }
                None => faults.push(ReviewFault {
                    row: None,
                    cell: "address",
                    mistake: ReviewMistake::Unanswered(address),
                }),
            }
        }
        if faults.is_empty() { Ok(plan) } else { Err(faults) }
    }
}

/// Addresses are told apart without their case.
fn key(address: &str) -> String {
    address.trim().to_lowercase()
}

/// As much of a cell as can be said without harm.
fn shown(cell: &str) -> String {
    let clean = cell.trim().chars().filter(|c| !c.is_control());
    format!("\"{}\"", clean.take(100).collect::<String>())
}
