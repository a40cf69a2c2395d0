//! `congthu role …`

use super::Session;
use super::pages::{self, PAGE};
use crate::Misuse;
use crate::cli::{RoleCommand, RoleName};
use anyhow::{Context as _, Result, bail};
use engine::{AdminTarget, RoleGiven, RoleOver};
use model::calendar::local_text;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &RoleCommand) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        RoleCommand::Grant { role, until, reason } => {
            engine.grant_role(actor, &over(role)?, *until, reason).await.context(role.address.clone())?;
            answer(session, role, true)
        }
        RoleCommand::Revoke { role } => {
            if !engine.revoke_role(actor, &over(role)?).await.context(role.address.clone())? {
                bail!("{} does not have this role; see congthu role list", role.address);
            }
            answer(session, role, false)
        }
        RoleCommand::List { all } => list(session, *all).await,
    }
}

fn answer(session: &Session, role: &RoleName, has: bool) -> Result<()> {
    let (address, name) = (&role.address, role.role.as_str());
    let text = format!("{address} is {} {name}", if has { "now" } else { "no longer" });
    session.answer(&json!({ "address": address.to_string(), "role": name, "has": has }), &text)
}

fn over(role: &RoleName) -> Result<RoleOver<'_>> {
    let over = match (&role.domain, &role.unit, &role.mailbox) {
        (None, None, None) => AdminTarget::System,
        (Some(domain), None, None) => AdminTarget::Domain(domain),
        (Some(domain), Some(unit), None) => AdminTarget::UnitCode(domain, unit),
        (None, None, Some(mailbox)) => AdminTarget::Address(mailbox),
        _ => {
            let what = "give --domain, --domain with --unit, --mailbox, or none of them for the whole system";
            return Err(Misuse(what.to_owned()).into());
        }
    };
    Ok(RoleOver { holder: &role.address, role: role.role, over })
}

async fn list(session: &Session, all: bool) -> Result<()> {
    let roles = pages::all(async |last: Option<&RoleGiven>| {
        session.node.engine.roles(&session.actor, all, last.map_or(0, |role| role.grant), PAGE).await
    })
    .await?;
    let mut text = String::new();
    for role in &roles {
        let _ = write!(text, "{}\t{}\t{}\t{}", role.holder, role.role.as_str(), role.place, role.given_by);
        let _ = match (&role.revoked, role.until) {
            (Some((by, at)), _) => writeln!(text, "\tended {} by {by}", local_text(*at)),
            (None, Some(until)) => writeln!(text, "\tuntil {}", local_text(until)),
            (None, None) => writeln!(text),
        };
    }
    session.answer(&roles.iter().map(as_json).collect(), &text)
}

fn as_json(role: &RoleGiven) -> Value {
    json!({
        "address": role.holder, "role": role.role, "over": role.place, "reason": role.reason,
        "given_by": role.given_by, "given_at": role.given_at.to_string(),
        "until": role.until.map(|until| until.to_string()),
        "revoked_by": role.revoked.as_ref().map(|(by, _)| by),
        "revoked_at": role.revoked.as_ref().map(|(_, at)| at.to_string()),
    })
}
