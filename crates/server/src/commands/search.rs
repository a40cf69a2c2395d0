//! `congthu search …`

use super::{Session, counted};
use crate::cli::SearchCommand;
use anyhow::Result;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(super) async fn run(session: &Session, command: &SearchCommand) -> Result<()> {
    let engine = &session.node.engine;
    match command {
        SearchCommand::Status => {}
        // Interrupted, it goes on with the next `catch-up`, or in the server.
        SearchCommand::Rebuild => {
            engine.begin_search_rebuild().await?;
            catch_up(session).await?;
        }
        SearchCommand::CatchUp => catch_up(session).await?,
    }
    let lag = engine.search_lag().await?;
    let oldest = lag.oldest.map(|at| at.to_string());
    let text = match &oldest {
        Some(oldest) => {
            let waiting = counted(lag.contents, "message is", "messages are");
            format!("{waiting} not indexed yet, the oldest of {oldest}")
        }
        None => "Every message is indexed".to_owned(),
    };
    session.answer(&json!({ "waiting": lag.contents, "oldest": oldest }), &text)
}

async fn catch_up(session: &Session) -> Result<()> {
    let tell = |waiting| tracing::info!(waiting, "indexing");
    Ok(session.node.engine.finish_search_index(&CancellationToken::new(), tell).await?)
}
