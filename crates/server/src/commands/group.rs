//! `congthu group …`

use super::pages::{self, PAGE};
use super::{Session, counted};
use crate::cli::{AddGroup, GroupCommand};
use anyhow::Result;
use engine::{GroupDetail, HeldMessage, NewGroup};
use model::calendar::local_text;
use model::{Address, DomainName, GroupSenders};
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: &GroupCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        GroupCommand::Add(add) => make(session, add).await,
        GroupCommand::Remove { group } => {
            engine.remove_group(actor, group).await?;
            done(session, group, "is no more")
        }
        GroupCommand::List { domain } => list(session, domain).await,
        GroupCommand::Show { group } => show(session, group).await,
        GroupCommand::AddMember { group, members } => {
            engine.change_group(actor, group, (members, true)).await?;
            done(session, group, "has them")
        }
        GroupCommand::RemoveMember { group, members } => {
            engine.change_group(actor, group, (members, false)).await?;
            done(session, group, "is without them")
        }
        GroupCommand::Senders { group, senders, listed } => {
            set_senders(session, group, (*senders, listed)).await
        }
        GroupCommand::Held { domain, all } => held(session, domain, *all).await,
        GroupCommand::Approve { number } => {
            engine.decide_held(actor, *number, (true, "")).await?;
            session.answer(&json!({ "number": number, "outcome": "approved" }), &format!("{number} goes out"))
        }
        GroupCommand::Reject { number, reason } => {
            engine.decide_held(actor, *number, (false, reason)).await?;
            session
                .answer(&json!({ "number": number, "outcome": "rejected" }), &format!("{number} is refused"))
        }
    }
}

fn done(session: &Session, group: &Address, what: &str) -> Result<()> {
    session.answer(&json!({ "group": group.to_string() }), &format!("{group} {what}"))
}

async fn make(session: &Session, add: &AddGroup) -> Result<()> {
    let new = NewGroup {
        address: add.group.clone(),
        name: add.name.clone(),
        rule: add.rule,
        unit: add.unit.clone(),
        deep: add.deep,
        senders: add.senders,
    };
    session.node.engine.add_group(&session.actor, &new).await?;
    done(session, &add.group, "is made")
}

async fn list(session: &Session, domain: &DomainName) -> Result<()> {
    let all = pages::all(async |last: Option<&GroupDetail>| {
        let after = last.map(|group| &group.address);
        session.node.engine.groups(&session.actor, domain, (after, PAGE)).await
    })
    .await?;
    let text: String = all.iter().map(|group| line(group) + "\n").collect();
    session.answer(&all.iter().map(as_json).collect(), &text)
}

async fn show(session: &Session, address: &Address) -> Result<()> {
    let (group, members) = session.node.engine.group(&session.actor, address).await?;
    let mut shown = as_json(&group);
    let list: Vec<Value> = members
        .iter()
        .map(|member| json!({ "address": member.address.to_string(), "name": member.display_name }))
        .collect();
    let mut text = format!("{}\n", line(&group));
    for alias in &group.aliases {
        text.push_str(&format!("receives under {alias} too\n"));
    }
    text.push_str(&format!("{}\n", counted(members.len(), "member", "members")));
    for member in &members {
        text.push_str(&format!("{}\t{}\n", member.address, member.display_name));
    }
    if let Some(object) = shown.as_object_mut() {
        object.insert("members".to_owned(), json!(list));
    }
    session.answer(&shown, &text)
}

async fn set_senders(
    session: &Session,
    group: &Address,
    (senders, listed): (GroupSenders, &[Address]),
) -> Result<()> {
    session.node.engine.set_group_senders(&session.actor, group, (senders, listed)).await?;
    done(session, group, senders.as_str())
}

async fn held(session: &Session, domain: &DomainName, all: bool) -> Result<()> {
    let found = session.node.engine.held_messages(&session.actor, domain, (all, PAGE)).await?;
    let line = |one: &HeldMessage| {
        let outcome = one.decided.as_ref().map_or("waits", |(_, _, outcome, _)| outcome);
        let HeldMessage { held, held_at, group, sender, members, subject, .. } = one;
        let held_at = local_text(*held_at);
        let members = counted(members, "member", "members");
        format!("{held}\t{held_at}\t{outcome}\t{group}\t{members}\t{sender}\t{subject}\n")
    };
    let item = |one: &HeldMessage| {
        json!({
            "number": one.held, "at": one.held_at, "group": one.group, "members": one.members,
            "sender": one.sender, "subject": one.subject,
            "outcome": one.decided.as_ref().map(|(_, _, outcome, _)| outcome),
            "reason": one.decided.as_ref().map(|(.., reason)| reason),
        })
    };
    let text: String = found.iter().map(line).collect();
    session.answer(&found.iter().map(item).collect(), &text)
}

fn line(group: &GroupDetail) -> String {
    let unit = group.unit.as_deref().unwrap_or("-");
    let deep = if group.deep { "+" } else { "" };
    let (rule, senders) = (group.rule.as_str(), group.senders.as_str());
    format!("{}\t{rule}\t{unit}{deep}\t{senders}\t{}", group.address, group.name)
}

fn as_json(group: &GroupDetail) -> Value {
    json!({
        "group": group.address.to_string(),
        "aliases": group.aliases,
        "name": group.name,
        "rule": group.rule,
        "unit": group.unit,
        "deep": group.deep,
        "senders": group.senders,
        "made_by": group.made_by,
        "made_at": group.made_at,
    })
}
