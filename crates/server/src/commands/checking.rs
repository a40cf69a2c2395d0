//! `congthu checking …`

use super::{Session, counted};
use crate::cli::CheckingCommand;
use anyhow::Result;
use engine::Checking;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &CheckingCommand) -> Result<()> {
    let CheckingCommand::Report { domain, unit, since, until, mailboxes, below } = command;
    let unit = domain.as_ref().zip(unit.as_deref());
    let report = session.node.engine.checking(&session.actor, unit, (*since, *until)).await?;
    let all = if *mailboxes { &report.mailboxes } else { &report.units };
    let is_wanted = |one: &&Checking| {
        let in_domain = domain.as_ref().is_none_or(|name| is_in(&one.of, name.as_str()));
        in_domain && below.is_none_or(|below| one.percent().is_some_and(|percent| percent < below))
    };
    let shown: Vec<&Checking> = all.iter().filter(is_wanted).collect();
    let mut text = counted(report.working_days.len(), "working day", "working days") + "\n";
    for one in &shown {
        let Checking { of, name, mailboxes, expected, met } = one;
        let percent = one.percent().map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
        let _ = writeln!(text, "{of}\t{mailboxes}\t{met}/{expected}\t{percent}\t{name}");
    }
    let list: Vec<Value> = shown.iter().map(|one| as_json(one)).collect();
    session.answer(&json!({ "working_days": report.working_days, "checking": list }), &text)
}

/// An address, or a unit of the domain.
fn is_in(of: &str, domain: &str) -> bool {
    of.split('/').next() == Some(domain) || of.rsplit('@').next() == Some(domain)
}

fn as_json(one: &Checking) -> Value {
    json!({ "of": one.of, "name": one.name, "mailboxes": one.mailboxes, "expected": one.expected, "met": one.met,
            "percent": one.percent() })
}
