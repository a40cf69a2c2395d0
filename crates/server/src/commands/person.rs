//! `congthu person …` and `congthu position …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::{Appoint, OfPerson, PersonCommand, PositionCommand};
use anyhow::Result;
use engine::{NewAppointment, PersonDetail, PersonMove, PersonMoved};
use jiff::civil::Date;
use model::{DomainName, PersonId};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &PersonCommand) -> Result<()> {
    match command {
        PersonCommand::List { domain, unit } => list(session, domain, unit.as_deref()).await,
        PersonCommand::Transfer { of, to, how } => {
            go(session, of, &PersonMove::Transfer { to: to.clone() }, how.on, how.dry_run).await
        }
        PersonCommand::Leave { of, how } => go(session, of, &PersonMove::Leave, how.on, how.dry_run).await,
        PersonCommand::Appoint(appoint) => {
            let (engine, domain) = (&session.node.engine, &appoint.of.domain);
            engine.appoint(&session.actor, domain, &appointment(appoint)).await?;
            done(session, appoint, true)
        }
        PersonCommand::Relieve(appoint) => {
            let (engine, domain) = (&session.node.engine, &appoint.of.domain);
            engine.relieve(&session.actor, domain, &appointment(appoint)).await?;
            done(session, appoint, false)
        }
    }
}

async fn list(session: &Session, domain: &DomainName, unit: Option<&str>) -> Result<()> {
    let all = pages::all(async |last: Option<&PersonDetail>| {
        let after = last.map(|person| person.person);
        session.node.engine.people(&session.actor, domain, unit, after, PAGE).await
    })
    .await?;
    let mut text = String::new();
    for person in &all {
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}",
            person.person.0,
            person.name,
            person.unit.as_deref().unwrap_or("-"),
            person.positions.join(", "),
            person.addresses.join(", "),
        );
    }
    session.answer(&all.iter().map(as_json).collect(), &text)
}

fn as_json(person: &PersonDetail) -> Value {
    json!({
        "person": person.person, "name": person.name, "birth_year": person.birth_year, "unit": person.unit,
        "positions": person.positions, "leader": person.is_leader, "addresses": person.addresses,
    })
}

async fn go(
    session: &Session,
    of: &OfPerson,
    how: &PersonMove,
    on: Option<Date>,
    dry_run: bool,
) -> Result<()> {
    let (engine, person) = (&session.node.engine, PersonId(of.person));
    let moved = engine.move_person(&session.actor, &of.domain, person, how, on, dry_run).await?;
    session.answer(&moved_as_json(&moved), &moved_as_text(&moved))
}

fn moved_as_json(moved: &PersonMoved) -> Value {
    json!({
        "done": moved.done, "from": moved.from, "to": moved.to, "addresses": addresses_as_json(&moved.addresses),
        "old_addresses_until": moved.until,
        "ended": moved.ended.iter().map(|(what, over)| json!({ "what": what, "over": over })).collect::<Vec<_>>(),
        "keeps": moved.keeps.iter().map(|(what, over)| json!({ "what": what, "over": over })).collect::<Vec<_>>(),
    })
}

pub(super) fn addresses_as_json(addresses: &[(String, String)]) -> Value {
    addresses.iter().map(|(old, new)| json!({ "old": old, "new": new })).collect()
}

pub(super) fn tell_addresses(text: &mut String, addresses: &[(String, String)], until: Option<Date>) {
    let until = until.map_or_else(String::new, |day| format!(" to the end of {day}"));
    for (old, new) in addresses {
        let _ = writeln!(text, "{old} becomes {new}, and receives{until}");
    }
}

fn moved_as_text(moved: &PersonMoved) -> String {
    let place = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "no unit".to_owned());
    let would = if moved.done { "" } else { "would go " };
    let mut text = format!("{would}from {} to {}\n", place(&moved.from), place(&moved.to));
    tell_addresses(&mut text, &moved.addresses, moved.until);
    let ends = if moved.done { "is no longer" } else { "would no longer be" };
    for (role, over) in &moved.ended {
        let _ = writeln!(text, "{ends} {role} over {over}");
    }
    for (what, over) in &moved.keeps {
        let _ = match what.as_str() {
            "delegate" => {
                writeln!(text, "keeps rights to {over}: congthu delegate revoke, if they are to end")
            }
            role => writeln!(text, "remains {role} over {over}: congthu role revoke, if that is to end"),
        };
    }
    text
}

fn appointment(appoint: &Appoint) -> NewAppointment {
    NewAppointment {
        person: PersonId(appoint.of.person),
        title: appoint.title.clone(),
        unit: appoint.unit.clone(),
        on: appoint.on,
    }
}

fn done(session: &Session, appoint: &Appoint, holds: bool) -> Result<()> {
    let (person, title) = (appoint.of.person, &appoint.title);
    let text = if holds { "is now" } else { "is no longer" };
    session.answer(
        &json!({ "person": person, "position": title, "holds": holds }),
        &format!("person {person} {text} {title}"),
    )
}

pub(super) async fn positions(session: &Session, command: &PositionCommand) -> Result<()> {
    let engine = &session.node.engine;
    let domain = match command {
        PositionCommand::List { domain } => domain,
        PositionCommand::Put { domain, title, rank, leader } => {
            engine.put_position(&session.actor, domain, title, *leader, *rank).await?;
            domain
        }
    };
    let positions = engine.positions(&session.actor, domain).await?;
    let mut text = String::new();
    for position in &positions {
        let leader = if position.leader { "\tleader" } else { "" };
        let _ = writeln!(text, "{}\t{}{leader}", position.rank, position.title);
    }
    let list = positions.iter();
    let list = list.map(|p| json!({ "title": p.title, "rank": p.rank, "leader": p.leader }));
    session.answer(&list.collect(), &text)
}
