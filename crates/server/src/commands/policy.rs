//! `congthu policy …`: what a domain's administrator has decided, field by field.

use super::Session;
use crate::cli::{PolicyCommand, SetPolicy};
use anyhow::{Context as _, Result, anyhow};
use engine::PolicyEdit;
use model::calendar::local_text;
use model::{Change, DomainName, Policy, PolicyVersion};
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, command: &PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::Show { domain, departures: false } => show(session, domain).await,
        PolicyCommand::Show { domain, departures: true } => departures(session, domain).await,
        PolicyCommand::Set(set) => change(session, set).await,
        PolicyCommand::History { domain } => history(session, domain).await,
        PolicyCommand::Diff { domain, from, to } => diff(session, domain, *from, *to).await,
    }
}

async fn show(session: &Session, domain: &DomainName) -> Result<()> {
    let version = session.node.engine.policy(&session.actor, domain).await?;
    let policy = &version.policy;
    let fields: Vec<Value> = Policy::fields()
        .map(|field| {
            let article = policy.profile.article(field.key);
            json!({ "key": field.key, "value": field.text(policy), "shown": field.shown(policy), "label": field.label, "article": article,
                    "in_force": field.is_in_force() })
        })
        .collect();
    let mut text = format!("{} version {} since {}\n", domain, version.number, local_text(version.since));
    for field in Policy::fields() {
        let article = policy.profile.article(field.key);
        let coming = if field.is_in_force() { "" } else { "; chưa áp dụng (no effect in this version)" };
        let (value, shown) = (field.text(policy), field.shown(policy));
        text.push_str(&format!("{} = {value}\n    {}: {shown}; {article}{coming}\n", field.key, field.label));
    }
    let shown = json!({ "domain": domain.as_str(), "version": version.number, "profile": policy.profile.as_str(), "fields": fields });
    session.answer(&shown, &text)
}

async fn departures(session: &Session, domain: &DomainName) -> Result<()> {
    let departures = session.node.engine.policy(&session.actor, domain).await?.policy.departures();
    let mut text = String::new();
    let mut list = Vec::new();
    for one in &departures {
        text.push_str(&format!("{} = {}; {} says {}\n", one.field, one.found, one.article, one.wanted));
        list.push(
            json!({ "key": one.field, "found": one.found, "wanted": one.wanted, "article": one.article }),
        );
    }
    let none = "The policy obeys its regulation in every field.";
    session.answer(&json!(list), if departures.is_empty() { none } else { &text })
}

async fn change(session: &Session, set: &SetPolicy) -> Result<()> {
    let edit = PolicyEdit {
        settings: &set.settings,
        based_on: set.based_on,
        reason: &set.reason,
        dry_run: set.dry_run,
    };
    let changed = session.node.engine.change_policy(&session.actor, &set.domain, &edit).await;
    let (number, changes) = changed.with_context(|| set.domain.clone())?;
    let answer = json!({ "version": number, "changes": changes, "dry_run": set.dry_run });
    session.answer(&answer, &lines(&changes))
}

async fn history(session: &Session, domain: &DomainName) -> Result<()> {
    let versions = session.node.engine.policy_history(&session.actor, domain).await?;
    let line = |version: &PolicyVersion| {
        format!("{} {} {}: {}\n", version.number, local_text(version.since), version.by, version.reason)
    };
    let text: String = versions.iter().map(line).collect();
    let item = |version: &PolicyVersion| json!({ "version": version.number, "since": version.since, "by": version.by, "reason": version.reason });
    session.answer(&versions.iter().map(item).collect(), &text)
}

async fn diff(session: &Session, domain: &DomainName, from: u32, to: Option<u32>) -> Result<()> {
    let versions = session.node.engine.policy_history(&session.actor, domain).await?;
    let newest = versions.first().map_or(0, |version| version.number);
    let find = |number: u32| {
        let found = versions.iter().find(|version| version.number == number);
        found.ok_or_else(|| anyhow!("{domain} has no version {number}; `congthu policy history` lists them"))
    };
    let changes = Policy::diff(&find(from)?.policy, &find(to.unwrap_or(newest))?.policy);
    session.answer(&json!(changes), &lines(&changes))
}

fn lines(changes: &[Change]) -> String {
    let line = |change: &Change| {
        format!(
            "{} ({}): {} -> {}\n    {}\n",
            change.field, change.label, change.old, change.new, change.article
        )
    };
    changes.iter().map(line).collect()
}
