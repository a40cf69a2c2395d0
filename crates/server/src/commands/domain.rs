//! `congthu domain …`

use super::{Session, counted};
use crate::cli::DomainCommand;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &DomainCommand) -> Result<()> {
    let engine = &session.node.engine;
    match command {
        DomainCommand::Add { domain, profile } => {
            engine.add_domain(&session.actor, domain, profile).await.context(domain.clone())?;
            session.answer(
                &json!({ "domain": domain, "profile": profile }),
                &format!("{domain} receives mail here"),
            )
        }
        DomainCommand::Delete { domain } => {
            if !engine.delete_domain(&session.actor, domain).await.context(domain.clone())? {
                bail!("there is no domain {domain}; see congthu domain list");
            }
            session.answer(
                &json!({ "domain": domain, "deleted": true }),
                &format!("{domain} receives no mail here any more"),
            )
        }
        DomainCommand::List => {
            let domains = engine.domains(&session.actor).await?;
            let mut text = String::new();
            for domain in &domains {
                let mailboxes = counted(domain.mailboxes, "mailbox", "mailboxes");
                let _ = writeln!(text, "{}\t{}\t{mailboxes}", domain.name, domain.profile);
            }
            let list: Vec<_> = domains
                .iter()
                .map(|d| json!({ "domain": d.name, "profile": d.profile, "mailboxes": d.mailboxes }))
                .collect();
            session.answer(&json!(list), &text)
        }
    }
}
