//! `congthu person …` and `congthu position …`

use super::Session;
use super::pages::{self, PAGE};
use crate::cli::{Appoint, Going, How, LinkMailbox, OfPerson, PersonCommand, PositionCommand, Whom};
use anyhow::Result;
use engine::{
    ClassChange, ForwardNamed, LinkPerson, Linked, MoveOptions, NewAppointment, Owner, PersonDetail,
    PersonMove, PersonMoved, Positions,
};
use jiff::civil::Date;
use model::{DomainName, PersonId, Right, Rights};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &PersonCommand) -> Result<()> {
    match command {
        PersonCommand::List { domain, unit } => list(session, domain, unit.as_deref()).await,
        PersonCommand::Link(mailbox) => link(session, mailbox).await,
        PersonCommand::Transfer { of, to, position, going } => {
            let how = PersonMove::Transfer { to: to.clone(), position: position.clone() };
            go(session, of, &how, going).await
        }
        PersonCommand::Leave { of, going } => go(session, of, &PersonMove::Leave, going).await,
        PersonCommand::Appoint(appoint) => {
            let (engine, domain) = (&session.node.engine, &appoint.of.domain);
            let new = appointment(session, appoint).await?;
            let classes = engine.appoint(&session.actor_on(&appoint.grounds)?, domain, &new).await?;
            done(session, &new, (true, &classes))
        }
        PersonCommand::Relieve(appoint) => {
            let (engine, domain) = (&session.node.engine, &appoint.of.domain);
            let old = appointment(session, appoint).await?;
            let classes = engine.relieve(&session.actor_on(&appoint.grounds)?, domain, &old).await?;
            done(session, &old, (false, &classes))
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

async fn link(session: &Session, of: &LinkMailbox) -> Result<()> {
    let person = match &of.person {
        Some(whom) => Some(number_of(session, &of.domain, whom).await?),
        None => None,
    };
    let new = LinkPerson {
        address: of.address.clone(),
        owner: Owner { person, another_person: of.another_person, birth_year: of.birth_year },
        unit: of.unit.clone(),
        position: of.position.clone(),
        on: of.how.on,
        dry_run: of.how.dry_run,
    };
    let actor = session.actor_on(&of.how.grounds)?;
    let linked = session.node.engine.link_person(&actor, &of.domain, &new).await?;
    let json = json!({
        "done": linked.done, "address": of.address.to_string(), "person": linked.person, "name": linked.name,
        "unit": linked.unit, "position": linked.position, "classes": engine::classes_as_json(&linked.classes),
    });
    session.answer(&json, &linked_as_text(&of.address, &linked))
}

fn linked_as_text(address: &model::Address, linked: &Linked) -> String {
    let is = if linked.done { "is" } else { "would be" };
    let who =
        linked.person.map_or_else(|| "a new person".to_owned(), |person| format!("person {}", person.0));
    let position = linked.position.as_ref().map_or_else(String::new, |title| format!("{title} "));
    let mut text =
        format!("{address} {is} the mailbox of {} ({who}), {position}of {}\n", linked.name, linked.unit);
    tell_classes(&mut text, &linked.classes, linked.done);
    text
}

async fn go(session: &Session, of: &OfPerson, how: &PersonMove, going: &Going) -> Result<()> {
    let (engine, person) = (&session.node.engine, number_of(session, &of.domain, &of.person).await?);
    let Going { how: How { on, grounds, dry_run }, keep_delegations } = going;
    let options = MoveOptions { on: *on, keep_delegations: *keep_delegations, dry_run: *dry_run };
    let moved = engine.move_person(&session.actor_on(grounds)?, &of.domain, person, how, options).await?;
    session.answer(&moved_as_json(&moved), &moved_as_text(&moved))
}

fn moved_as_json(moved: &PersonMoved) -> Value {
    let over = |of: &[(String, String)]| -> Value {
        of.iter().map(|(what, over)| json!({ "what": what, "over": over })).collect()
    };
    let posts = |of: &[(String, String)]| -> Value {
        of.iter().map(|(title, unit)| json!({ "title": title, "unit": unit })).collect()
    };
    let delegations = moved.delegations.iter();
    let delegations: Value =
        delegations.map(|(mailbox, of)| json!({ "mailbox": mailbox, "rights": rights(*of) })).collect();
    let Positions { ended, begun, kept } = &moved.positions;
    json!({
        "done": moved.done, "name": moved.name, "mailboxes": moved.mailboxes, "from": moved.from, "to": moved.to,
        "positions_ended": posts(ended), "positions_begun": posts(begun), "positions_kept": posts(kept),
        "classes": engine::classes_as_json(&moved.classes),
        "addresses": addresses_as_json(&moved.addresses), "old_addresses_until": moved.until, "ended": over(&moved.ended),
        "delegations_ended": delegations,
        "forwardings_ended": engine::forwards_as_json(&moved.forwards_ended),
        "forwardings_kept": engine::forwards_as_json(&moved.forwards_kept),
        "watching_ended": moved.watched.iter().map(|unit| json!({ "unit": unit })).collect::<Vec<_>>(), "keeps": over(&moved.keeps),
    })
}

fn rights(of: Rights) -> Vec<&'static str> {
    of.iter().map(Right::as_str).collect()
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

/// What another class does to mailboxes.
pub(super) fn tell_classes(text: &mut String, classes: &[ClassChange], done: bool) {
    let goes = if done { "goes" } else { "would go" };
    for one in classes {
        let [before, quota, used] = [one.quota_before, one.quota, one.used].map(super::mailbox::megabytes);
        let _ = write!(
            text,
            "{} {goes} from class {} to {}, quota {before} to {quota}, {used} used",
            one.address,
            one.from.as_str(),
            one.to.as_str(),
        );
        let over = "; WARNING: more than it may have then, so it is over its quota at once (congthu mailbox quota --set, or another position)";
        let _ = writeln!(text, "{}", if one.used > one.quota { over } else { "" });
    }
}

/// Forwardings that an act leaves as they are.
pub(super) fn tell_forwards_kept(text: &mut String, forwards: &[ForwardNamed], done: bool) {
    let goes = if done { "still goes" } else { "would still go" };
    for ForwardNamed { mailbox, target, keep_copy } in forwards {
        let copy = copy_words(*keep_copy);
        let _ = writeln!(
            text,
            "mail of {mailbox} {goes} on to {target} ({copy}): congthu forward clear {mailbox}, if that is to end"
        );
    }
}

fn copy_words(keep_copy: bool) -> &'static str {
    if keep_copy { "a copy kept" } else { "none kept" }
}

/// Whose mail goes on to a person, and whose no longer.
fn tell_forwards(text: &mut String, moved: &PersonMoved) {
    let [goes, lies] = if moved.done { ["no longer goes", "lies"] } else { ["would no longer go", "lie"] };
    for ForwardNamed { mailbox, target, keep_copy } in &moved.forwards_ended {
        let copy = copy_words(*keep_copy);
        let _ = writeln!(
            text,
            "mail of {mailbox} {goes} on to {target} ({copy}), but {lies} in {mailbox}: congthu forward set, if it is to go to \
             somebody else"
        );
    }
    tell_forwards_kept(text, &moved.forwards_kept, moved.done);
}

/// The unit that somebody came to without being anything there.
fn has_no_position(moved: &PersonMoved) -> Option<&str> {
    let Positions { begun, kept, .. } = &moved.positions;
    let to = moved.to.as_deref()?;
    let holds_one = begun.iter().chain(kept).any(|(_, unit)| unit == to);
    (!holds_one).then_some(to)
}

fn moved_as_text(moved: &PersonMoved) -> String {
    let place = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "no unit".to_owned());
    let mailboxes =
        if moved.mailboxes.is_empty() { "no mailbox".to_owned() } else { moved.mailboxes.join(", ") };
    let goes = if moved.done { "went" } else { "would go" };
    let (from, to) = (place(&moved.from), place(&moved.to));
    let mut text = format!("{} ({mailboxes}) {goes} from {from} to {to}\n", moved.name);
    let (is, ends) = if moved.done { ("is", "is no longer") } else { ("would be", "would no longer be") };
    for (words, of) in
        [(ends, &moved.positions.ended), (is, &moved.positions.begun), ("remains", &moved.positions.kept)]
    {
        for (title, unit) in of {
            let _ = writeln!(text, "{words} {title} of {unit}");
        }
    }
    if let Some(to) = has_no_position(moved) {
        let has = if moved.done { "has" } else { "would have" };
        let _ = writeln!(
            text,
            "{has} no position in {to}: --position TITLE with the transfer, or congthu person appoint (congthu position list)"
        );
    }
    tell_classes(&mut text, &moved.classes, moved.done);
    tell_addresses(&mut text, &moved.addresses, moved.until);
    for (role, over) in &moved.ended {
        let _ = writeln!(text, "{ends} {role} over {over}");
    }
    let loses = if moved.done { "has no longer" } else { "would lose" };
    for (mailbox, of) in &moved.delegations {
        let _ = writeln!(text, "{loses} the rights {} to {mailbox}", rights(*of).join(", "));
    }
    tell_forwards(&mut text, moved);
    for unit in &moved.watched {
        let _ = writeln!(text, "{ends} told of requests about {unit}");
    }
    for (what, over) in &moved.keeps {
        let _ = match what.as_str() {
            "watcher" => {
                writeln!(
                    text,
                    "is still told of requests about {over}: congthu unit watchers, if that is to end"
                )
            }
            "delegate" => {
                writeln!(text, "keeps rights to {over}: congthu delegate revoke, if they are to end")
            }
            role => writeln!(text, "remains {role} over {over}: congthu role revoke, if that is to end"),
        };
    }
    text
}

/// The person of this number or address.
pub(super) async fn number_of(session: &Session, domain: &DomainName, whom: &Whom) -> Result<PersonId> {
    match whom {
        Whom::Number(person) => Ok(*person),
        Whom::Address(address) => {
            Ok(session.node.engine.person_with(&session.actor, domain, address).await?)
        }
    }
}

async fn appointment(session: &Session, appoint: &Appoint) -> Result<NewAppointment> {
    Ok(NewAppointment {
        person: number_of(session, &appoint.of.domain, &appoint.of.person).await?,
        title: appoint.title.clone(),
        unit: appoint.unit.clone(),
        on: appoint.on,
    })
}

fn done(session: &Session, post: &NewAppointment, (holds, classes): (bool, &[ClassChange])) -> Result<()> {
    let (person, title) = (post.person.0, &post.title);
    let words = if holds { "is now" } else { "is no longer" };
    let mut text = format!("person {person} {words} {title}\n");
    tell_classes(&mut text, classes, true);
    session.answer(
        &json!({ "person": person, "position": title, "holds": holds, "classes": engine::classes_as_json(classes) }),
        &text,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_mailbox_is_and_would_be() {
        let mut linked = Linked {
            person: None,
            name: "Trần An".to_owned(),
            unit: "sonoivu".to_owned(),
            position: Some("Chuyên viên".to_owned()),
            classes: Vec::new(),
            done: false,
        };
        let address = "an@thu.test".parse().unwrap();
        assert_eq!(
            linked_as_text(&address, &linked),
            "an@thu.test would be the mailbox of Trần An (a new person), Chuyên viên of sonoivu\n"
        );
        (linked.person, linked.position, linked.done) = (Some(PersonId(7)), None, true);
        assert_eq!(
            linked_as_text(&address, &linked),
            "an@thu.test is the mailbox of Trần An (person 7), of sonoivu\n"
        );
    }

    #[test]
    fn whose_mail_goes_on_to_somebody_who_goes_is_named() {
        let one = |keep_copy| {
            let (mailbox, target) = ("vp@thu.test".to_owned(), "lan@thu.test".to_owned());
            ForwardNamed { mailbox, target, keep_copy }
        };
        let mut moved = PersonMoved {
            name: "Trần Thị Lan".to_owned(),
            mailboxes: vec!["lan@thu.test".to_owned()],
            from: Some("vp".to_owned()),
            to: None,
            positions: Positions::default(),
            classes: Vec::new(),
            addresses: Vec::new(),
            until: None,
            ended: Vec::new(),
            delegations: Vec::new(),
            forwards_ended: vec![one(false)],
            forwards_kept: vec![one(true)],
            watched: Vec::new(),
            keeps: Vec::new(),
            done: false,
        };
        let text = moved_as_text(&moved);
        let ends =
            "mail of vp@thu.test would no longer go on to lan@thu.test (none kept), but lie in vp@thu.test";
        let stays = "mail of vp@thu.test would still go on to lan@thu.test (a copy kept)";
        assert!(text.contains(ends) && text.contains(stays), "{text}");
        moved.done = true;
        let text = moved_as_text(&moved);
        assert!(text.contains("no longer goes on to") && text.contains("still goes on to"), "{text}");
        let json = moved_as_json(&moved);
        assert_eq!(json["forwardings_ended"][0]["copy_kept"], false);
        assert_eq!(json["forwardings_kept"][0]["mailbox"], "vp@thu.test");
        // What he is to be there is asked for, unless he leaves, or is something.
        assert!(!text.contains("no position"), "{text}");
        moved.to = Some("snv".to_owned());
        assert!(moved_as_text(&moved).contains("has no position in snv: --position TITLE"));
        moved.positions.begun = vec![("Chuyên viên".to_owned(), "snv".to_owned())];
        assert!(!moved_as_text(&moved).contains("no position"));
    }
}
