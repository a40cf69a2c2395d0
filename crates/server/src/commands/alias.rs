//! `congthu alias …`

use super::{Session, mailboxes};
use crate::cli::AliasCommand;
use anyhow::{Context as _, Result, bail};
use engine::{Alias, MailboxQuery};
use model::{Address, DomainName};
use serde_json::json;
use std::fmt::Write as _;

pub(super) async fn run(session: &Session, command: &AliasCommand) -> Result<()> {
    match command {
        AliasCommand::Add { alias, mailbox } => add(session, alias, mailbox).await,
        AliasCommand::List(of) => list(session, of.name()).await,
        AliasCommand::Delete { alias } => delete(session, alias).await,
    }
}

async fn add(session: &Session, alias: &Address, mailbox: &Address) -> Result<()> {
    session.node.engine.add_alias(&session.actor, alias, mailbox).await.context(alias.clone())?;
    session.answer(
        &json!({ "alias": alias.to_string(), "mailbox": mailbox.to_string() }),
        &format!("mail for {alias} arrives in {mailbox}"),
    )
}

async fn list(session: &Session, domain: Option<&DomainName>) -> Result<()> {
    let (mut text, mut all) = (String::new(), Vec::new());
    for mailbox in mailboxes::all(session, MailboxQuery { domain, ..MailboxQuery::default() }).await? {
        for alias in &mailbox.aliases {
            let Alias { address, until } = alias;
            let ends = until.map(|day| format!("\tto the end of {day}")).unwrap_or_default();
            let _ = writeln!(text, "{address}\t{}{ends}", mailbox.address);
            all.push(json!({
                "alias": address.to_string(), "mailbox": mailbox.address.to_string(), "until": until,
            }));
        }
    }
    session.answer(&json!(all), &text)
}

async fn delete(session: &Session, alias: &Address) -> Result<()> {
    if !session.node.engine.delete_alias(&session.actor, alias).await.context(alias.clone())? {
        bail!("{alias} is no alias; see congthu alias list");
    }
    session.answer(
        &json!({ "alias": alias.to_string(), "deleted": true }),
        &format!("mail for {alias} is refused from now on"),
    )
}
