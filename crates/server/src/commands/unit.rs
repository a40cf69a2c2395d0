//! `congthu unit …`

use super::{Session, counted, mailboxes};
use crate::cli::{AddUnit, How, Kinds, OfUnit, SplitUnit, UnitCommand};
use anyhow::{Context as _, Result, bail};
use engine::{
    Founding, FurtherOffice, MailboxDetail, NewUnit, Post, UnitAct, UnitChange, UnitDetail, UnitEvent,
};
use model::{Address, DomainName, KindId, UnitKind};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &UnitCommand) -> Result<()> {
    let (of, act, how) = match command {
        UnitCommand::Add(new) => return add(session, new).await,
        UnitCommand::List { domain, all } => return list(session, domain, *all).await,
        UnitCommand::Show { domain, code } => return show(session, domain, code).await,
        UnitCommand::Watchers { of, add, remove } => {
            return watchers(session, of, (add.as_ref(), remove.as_ref())).await;
        }
        UnitCommand::Kinds(kinds) => return self::kinds(session, kinds).await,
        UnitCommand::Split(split) => return self::split(session, split).await,
        UnitCommand::Merge { domain, codes, into, keep_positions, how } => {
            let (sources, into) = (codes.clone(), into.clone());
            (domain, UnitAct::Merge { sources, into, keep_positions: *keep_positions }, how)
        }
        UnitCommand::Rename { of, name, how } => {
            (&of.domain, UnitAct::Rename { unit: of.code.clone(), name: name.clone() }, how)
        }
        UnitCommand::Recode { of, new_code, how } => {
            (&of.domain, UnitAct::Recode { unit: of.code.clone(), code: new_code.clone() }, how)
        }
        UnitCommand::Convert { of, kind, how } => {
            (&of.domain, UnitAct::Convert { unit: of.code.clone(), kind: kind.clone() }, how)
        }
        UnitCommand::Move { of, to, how } => {
            (&of.domain, UnitAct::Move { unit: of.code.clone(), to: to.clone() }, how)
        }
        UnitCommand::Dissolve { of, how } => (&of.domain, UnitAct::Dissolve { unit: of.code.clone() }, how),
    };
    change(session, of, &act, how).await
}

async fn add(session: &Session, new: &AddUnit) -> Result<()> {
    let unit = NewUnit {
        domain: new.domain.clone(),
        code: new.code.clone(),
        name: new.name.clone(),
        kind: new.kind.clone(),
        identifier: new.identifier.clone(),
        parent: new.parent.clone(),
        on: new.on,
    };
    let founding = Founding { another_unit: new.another_unit, dry_run: new.dry_run };
    let actor = session.actor_on(&new.grounds)?;
    let added = session.node.engine.add_unit(&actor, &unit, founding).await;
    let added = added.context(new.name.clone())?;
    let code = added.code.to_string();
    // The bare code is for scripts.
    let text = match new.dry_run {
        true => format!("would be {code}\n{}", added.rule.as_deref().unwrap_or("by the code that was given")),
        false => code.clone(),
    };
    let done = !new.dry_run;
    session.answer(&json!({ "code": code, "name": new.name, "rule": added.rule, "done": done }), &text)
}

async fn watchers(
    session: &Session,
    of: &OfUnit,
    (add, remove): (Option<&Address>, Option<&Address>),
) -> Result<()> {
    let engine = &session.node.engine;
    for (watcher, watches) in add.map(|one| (one, true)).into_iter().chain(remove.map(|one| (one, false))) {
        engine.watch_unit(&session.actor, &of.domain, (&of.code, watcher, watches)).await?;
    }
    let told = engine.unit_watchers(&session.actor, &of.domain, &of.code).await?;
    let lines: Vec<String> = told.iter().map(ToString::to_string).collect();
    session.answer(&json!(lines), &lines.join("\n"))
}

async fn change(session: &Session, domain: &DomainName, act: &UnitAct, how: &How) -> Result<()> {
    let actor = session.actor_on(&how.grounds)?;
    let change = session.node.engine.change_unit(&actor, domain, act, how.on, how.dry_run).await?;
    session.answer(&change_as_json(&change), &change_as_text(&change))
}

fn change_as_json(change: &UnitChange) -> Value {
    json!({
        "done": change.done, "on": change.on, "addresses": super::person::addresses_as_json(&change.addresses),
        "old_addresses_until": change.until, "roles_ended": roles_as_json(&change.roles),
        "watching_ended": watching_as_json(&change.watching),
        "positions_ended": change.positions.iter().map(Post::as_json).collect::<Vec<_>>(),
        "positions_kept": change.positions_kept.iter().map(Post::as_json).collect::<Vec<_>>(),
        "classes": engine::classes_as_json(&change.classes), "open": change.open.as_json(),
        "forwardings_kept": engine::forwards_as_json(&change.forwards), "further_offices": change.offices.iter().map(office_as_json).collect::<Vec<_>>(), "people": change.people, "mailboxes": change.mailboxes,
        "namesakes": change.namesakes.iter().map(|(unit, other)| json!({ "unit": unit, "same_name_as": other })).collect::<Vec<_>>(),
        "below": change.below.as_json(), "events": change.events.iter().map(UnitEvent::as_json).collect::<Vec<_>>(),
    })
}

/// As `person transfer` names them, with whose they were.
fn roles_as_json(ended: &[(String, String, String)]) -> Value {
    let role = |(mailbox, role, over): &(String, String, String)| json!({ "mailbox": mailbox, "what": role, "over": over });
    ended.iter().map(role).collect()
}

fn watching_as_json(ended: &[(String, String)]) -> Value {
    ended.iter().map(|(mailbox, unit)| json!({ "mailbox": mailbox, "unit": unit })).collect()
}

fn office_as_json(office: &FurtherOffice) -> Value {
    json!({ "unit": office.unit, "own": office.own, "further": office.further })
}

/// What the heir of a unit has of it that somebody sees to.
fn tell_open(text: &mut String, change: &UnitChange) {
    let becomes = if change.done { "is now of" } else { "would be of" };
    for (request, to) in &change.open.requests {
        let _ = writeln!(text, "  request {request} {becomes} {to}");
    }
    let goes = if change.done { "goes on as" } else { "would go on as" };
    for (review, within, to) in &change.open.reviews {
        let _ = writeln!(text, "  review {review} {goes} {within} of {to}");
    }
    let [keeps, has] = if change.done { ["keeps", "has"] } else { ["would keep", "have"] };
    for FurtherOffice { unit, own, further } in &change.offices {
        let _ = writeln!(
            text,
            "  {unit}\t{keeps} its own address {own} and {has} {further} as a second one, where the policy gives a unit one \
             (naming.one_per_organisation). Forward the mail of the second (congthu forward set {further} {own}), or delete it when \
             nothing in it is needed (congthu mailbox delete)"
        );
    }
}

fn change_as_text(change: &UnitChange) -> String {
    let mut text = if change.done { String::new() } else { "would change, from ".to_owned() };
    let _ = writeln!(text, "{}:", change.on);
    for event in &change.events {
        let _ = writeln!(text, "  {}\t{}", event.unit, event.what);
    }
    for (unit, other) in &change.namesakes {
        let has = if change.done { "has" } else { "would have" };
        let _ = writeln!(
            text,
            "  {unit}\t{has} the name of {other}, under the same unit: if they are to be one, congthu unit merge"
        );
    }
    for (address, role, unit) in &change.roles {
        let ends = if change.done { "is no longer" } else { "would no longer be" };
        let _ = writeln!(text, "  {unit}\t{address} {ends} {role}: give the role anew where it is wanted");
    }
    for (address, unit) in &change.watching {
        let ends = if change.done { "is no longer" } else { "would no longer be" };
        let _ = writeln!(
            text,
            "  {unit}\t{address} {ends} told of its requests: name it anew where it is wanted (congthu unit watchers)"
        );
    }
    let ends = if change.done { "is no longer" } else { "would no longer be" };
    for post in &change.positions {
        let (name, title, unit) = (&post.name, &post.title, &post.unit);
        let _ = writeln!(
            text,
            "  {unit}\t{name} (person {}) {ends} {title}: appoint anew where it is wanted (congthu person appoint)",
            post.person.0
        );
    }
    let keeps = if change.done { "goes on as" } else { "would go on as" };
    for Post { person, name, title, unit } in &change.positions_kept {
        let _ = writeln!(text, "  {unit}\t{name} (person {}) {keeps} {title}", person.0);
    }
    super::person::tell_classes(&mut text, &change.classes, change.done);
    super::person::tell_forwards_kept(&mut text, &change.forwards, change.done);
    tell_open(&mut text, change);
    if change.people > 0 || change.mailboxes > 0 {
        let people = counted(change.people, "person", "people");
        let mailboxes = counted(change.mailboxes, "mailbox", "mailboxes");
        let _ = writeln!(text, "  go along: {people}, {mailboxes}");
    }
    if change.below.units > 0 {
        let units = counted(change.below.units, "unit", "units");
        let people = counted(change.below.people, "person", "people");
        let mailboxes = counted(change.below.mailboxes, "mailbox", "mailboxes");
        let _ = writeln!(text, "  below them, as they are: {units} with {people}, {mailboxes}");
    }
    super::person::tell_addresses(&mut text, &change.addresses, change.until);
    text
}

async fn split(session: &Session, split: &SplitUnit) -> Result<()> {
    let domain = &split.of.domain;
    let Some((source, _)) = session.node.engine.unit(&session.actor, domain, &split.of.code).await? else {
        return Err(unknown(&split.of.code, domain));
    };
    if split.codes.len() > split.parts.len() {
        bail!("there are more --part-code than --part");
    }
    let mut codes = split.codes.iter().cloned();
    let part = |name: &String| NewUnit {
        domain: domain.clone(),
        code: codes.next(),
        name: name.clone(),
        kind: split.kind.clone().unwrap_or_else(|| source.kind.clone()),
        identifier: None,
        parent: source.parent.clone(),
        on: None,
    };
    let parts = split.parts.iter().map(part).collect();
    let (source, below) = (split.of.code.clone(), split.below.clone());
    let keep_positions = split.keep_positions;
    let act = UnitAct::Split { source, parts, below, keep: split.keep, keep_positions };
    change(session, domain, &act, &split.how).await
}

async fn list(session: &Session, domain: &DomainName, all: bool) -> Result<()> {
    let mut units = session.node.engine.units(&session.actor, domain).await?;
    units.retain(|unit| all || unit.dissolved.is_none());
    let mut text = String::new();
    for unit in &units {
        let ended = unit.dissolved.map_or_else(String::new, |day| format!("\tdissolved {day}"));
        let _ = writeln!(
            text,
            "{}{}\t{}\t{}\t{}\t{}{ended}",
            "  ".repeat(unit.depth),
            unit.code,
            unit.kind_label,
            unit.name,
            counted(unit.people, "person", "people"),
            counted(unit.mailboxes, "mailbox", "mailboxes"),
        );
    }
    session.answer(&units.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, domain: &DomainName, code: &str) -> Result<()> {
    let Some((unit, events)) = session.node.engine.unit(&session.actor, domain, code).await? else {
        return Err(unknown(code, domain));
    };
    let own = own_mailbox(session, &unit).await?;
    let old: Vec<String> = own.iter().flat_map(|own| &own.aliases).map(mailboxes::alias_as_text).collect();
    let mut text = format!(
        "code        {}\nname        {}\nkind        {}\nunder       {}\nidentifier  {}\naddress     {}\npeople      {}\n\
         mailboxes   {}\n",
        unit.code,
        unit.name,
        unit.kind_label,
        unit.parent.as_deref().unwrap_or("-"),
        unit.identifier.as_deref().unwrap_or("-"),
        match (&unit.address, &old[..]) {
            (None, _) => "-".to_owned(),
            (Some(address), []) => address.clone(),
            (Some(address), old) => format!("{address}, also {}", old.join(", ")),
        },
        unit.people,
        unit.mailboxes,
    );
    if let Some(day) = unit.dissolved {
        let _ = writeln!(text, "dissolved   {day}, followed by {}", unit.successors.join(", "));
    }
    for event in &events {
        let _ = writeln!(text, "{}  {}", event.on, event.what);
    }
    let mut shown = as_json(&unit);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("history".to_owned(), events.iter().map(UnitEvent::as_json).collect());
        fields.insert(
            "old_addresses".to_owned(),
            own.as_ref().map_or_else(|| json!([]), mailboxes::old_addresses),
        );
    }
    session.answer(&shown, &text)
}

/// The mailbox that has the unit's address, with the addresses that it had before.
async fn own_mailbox(session: &Session, unit: &UnitDetail) -> Result<Option<MailboxDetail>> {
    let Some(Ok(address)) = unit.address.as_ref().map(|address| address.parse::<Address>()) else {
        return Ok(None);
    };
    Ok(session.node.engine.mailbox(&session.actor, &address).await?)
}

fn as_json(unit: &UnitDetail) -> Value {
    json!({
        "code": unit.code, "name": unit.name, "kind": unit.kind, "kind_label": unit.kind_label,
        "identifier": unit.identifier, "parent": unit.parent, "depth": unit.depth, "dissolved": unit.dissolved,
        "successors": unit.successors, "address": unit.address, "people": unit.people, "mailboxes": unit.mailboxes,
    })
}

async fn kinds(session: &Session, options: &Kinds) -> Result<()> {
    let engine = &session.node.engine;
    if let (Some(id), Some(label), Some(tier)) = (&options.id, &options.label, options.tier) {
        let kind = UnitKind { id: KindId::new(id), label: label.clone(), tier, ended: options.ended };
        engine.put_kind(&session.actor, &options.domain, &kind).await?;
    }
    let kinds = engine.kinds(&session.actor, &options.domain).await?;
    let mut text = String::new();
    for kind in &kinds {
        let ended = kind.ended.map_or_else(String::new, |day| format!("\tuntil {day}"));
        let _ = writeln!(text, "{}\t{}\t{}{ended}", kind.id.as_str(), kind.label, kind.tier.as_str());
    }
    session.answer(&json!(kinds), &text)
}

fn unknown(code: &str, domain: &DomainName) -> anyhow::Error {
    anyhow::anyhow!("there is no unit {code}; see congthu unit list {domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_named_by_objects_as_a_transfer_names_it() {
        let text = |text: &str| text.to_owned();
        let roles = [(text("an@b.vn"), text("organisation-officer"), text("soyte"))];
        let named = json!([{ "mailbox": "an@b.vn", "what": "organisation-officer", "over": "soyte" }]);
        assert_eq!(roles_as_json(&roles), named);
        let watching = [(text("an@b.vn"), text("soyte"))];
        assert_eq!(watching_as_json(&watching), json!([{ "mailbox": "an@b.vn", "unit": "soyte" }]));
    }
}
