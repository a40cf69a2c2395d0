//! Logs on standard error, for people or as JSON.
//!
//! Invariants: no message content, no passwords; one line per event.

use crate::config::{ConfigError, Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging; `format` is the command line's wish, which wins over the file's.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn start(log: &Log, format: Option<LogFormat>) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| {
        ConfigError(format!("filter in [log]: {error}; write such as \"info,smtp=debug\""))
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start happens in tests only; the first stays.
    let _ = match format.or(log.format).unwrap_or(LogFormat::Human) {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Human => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    Ok(())
}
