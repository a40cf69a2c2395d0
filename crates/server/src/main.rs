//! The binary `congthu`: command line, configuration, wiring.
//!
//! Invariants: nothing here decides what the system does (that is `engine`) or speaks a protocol (those are the
//! front doors); errors are one line on standard error that says what and what to do; the exit code is 0 done,
//! 1 failed, 2 wrong use.

mod cli;
mod config;
mod identity;
mod system;
mod telemetry;
mod tls;

use anyhow::Result;
use clap::Parser as _;
use clap::error::ErrorKind;
use cli::{Arguments, Command, ConfigCommand};
use config::{Config, ConfigError};
use std::process::ExitCode;

/// Exit codes that scripts rely on.
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;

/// The caller wrote something wrong; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("congthu: {}", one_line(&format!("{error:#}")));
            let misused = error.is::<Misuse>() || error.is::<ConfigError>();
            ExitCode::from(if misused { WRONG_USE } else { FAILED })
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let config = match &arguments.command {
        Command::Config { command: ConfigCommand::Docs } => return print(&config::reference()),
        Command::Config { command: ConfigCommand::Example } => return print(&config::example()),
        _ => Config::load(arguments.config.as_deref())?,
    };
    telemetry::start(&config.log, arguments.log)?;
    identity::leave_root(arguments, &config)?;
    system::raise_file_limit();
    Ok(())
}

fn print(text: &str) -> Result<()> {
    use std::io::Write as _;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// clap's words for people who ask for help; one line for those who made a mistake.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed pipe is the reader's choice.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let said = text.split("\n\nUsage").next().unwrap_or(&text);
    let said = said.split("\n\nFor more").next().unwrap_or(said);
    let said = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        "a command is missing"
    } else {
        said
    };
    eprintln!("congthu: {}; see --help", one_line(said.trim_start_matches("error: ")));
    ExitCode::from(WRONG_USE)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
