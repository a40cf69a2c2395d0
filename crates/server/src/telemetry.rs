//! Logs on standard error, for people or as JSON.
//!
//! Invariants: no message content, no passwords; one line per event.

use crate::config::{ConfigError, Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// What commands that act once and end tell besides their answer; that a statement took a second is the server's log's to say.
const COMMAND_FILTER: &str = "warn,postgres=off,sqlx=off";

/// Starts logging; `format` is the command line's wish, which wins over the file's; `stays` is true for a server.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(log: &Log, format: Option<LogFormat>, stays: bool) -> Result<(), ConfigError> {
    let filter = if stays { &log.filter } else { COMMAND_FILTER };
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        ConfigError(format!("filter in [log]: {error}; write such as \"info,smtp=debug\""))
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start happens in tests only; the first stays.
    let _ = match format.or(log.format).unwrap_or(LogFormat::Human) {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Human => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        // Not the message: it may quote what was being parsed.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a fault in the program; what it was doing is lost, the rest goes on");
    }));
    Ok(())
}
