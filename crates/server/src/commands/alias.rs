//! `congthu alias …`

use super::Session;
use crate::cli::AliasCommand;
use anyhow::{Context as _, Result};
use serde_json::json;

pub(super) async fn run(session: &Session, command: &AliasCommand) -> Result<()> {
    let AliasCommand::Add { alias, mailbox } = command;
    session.node.engine.add_alias(&session.actor, alias, mailbox).await.context(alias.clone())?;
    session.answer(
        &json!({ "alias": alias.to_string(), "mailbox": mailbox.to_string() }),
        &format!("mail for {alias} arrives in {mailbox}"),
    )
}
