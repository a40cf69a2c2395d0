//! `congthu domain …`

use super::Session;
use crate::cli::DomainCommand;
use anyhow::{Context as _, Result};
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
        DomainCommand::List => {
            let domains = engine.domains().await?;
            let mut text = String::new();
            for domain in &domains {
                let _ = writeln!(text, "{}\t{}\t{} mailboxes", domain.name, domain.profile, domain.mailboxes);
            }
            let list: Vec<_> = domains
                .iter()
                .map(|d| json!({ "domain": d.name, "profile": d.profile, "mailboxes": d.mailboxes }))
                .collect();
            session.answer(&json!(list), &text)
        }
    }
}
