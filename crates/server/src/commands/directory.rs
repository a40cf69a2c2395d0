//! `congthu directory …`

use super::Session;
use crate::cli::DirectoryCommand;
use anyhow::Result;
use engine::DirectoryEntry;
use serde_json::json;

pub(super) async fn run(session: &Session, command: &DirectoryCommand) -> Result<()> {
    let DirectoryCommand::Search { domain, words, after, limit } = command;
    let page = (after.as_ref(), *limit);
    let found = session.node.engine.directory(&session.actor, domain, &words.join(" "), page).await?;
    let line = |entry: &DirectoryEntry| {
        let unit = entry.unit.as_ref().map_or("-", |(_, name)| name.as_str());
        let positions = entry.positions.join(", ");
        format!("{}\t{}\t{positions}\t{unit}\n", entry.address, entry.display_name)
    };
    let item = |entry: &DirectoryEntry| {
        json!({
            "address": entry.address.to_string(),
            "name": entry.display_name,
            "class": entry.class,
            "unit": entry.unit.as_ref().map(|(code, _)| code),
            "unit_name": entry.unit.as_ref().map(|(_, name)| name),
            "positions": entry.positions,
        })
    };
    let text: String = found.iter().map(line).collect();
    session.answer(&found.iter().map(item).collect(), &text)
}
