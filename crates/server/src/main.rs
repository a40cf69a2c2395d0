//! The binary `congthu`: command line, configuration, wiring.
//!
//! Invariants: nothing here decides what the system does (that is `engine`) or speaks a protocol (those are the
//! front doors); errors are one line on standard error that says what and what to do; the exit code is 0 done,
//! 1 failed, 2 wrong use.

mod accepting;
mod audit_head;
mod check;
mod cli;
mod commands;
mod config;
mod demo;
mod doors;
mod files;
mod given;
mod identity;
mod monitoring;
mod node;
mod ordering;
mod outbound;
mod pages;
mod passwords;
mod serve;
mod sockets;
mod system;
mod telemetry;
mod tls;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use clap::error::ErrorKind;
use cli::{Arguments, Command, ConfigCommand, SieveCommand};
use config::{Config, ConfigError};
use std::process::ExitCode;

/// Measured against malloc of glibc and jemalloc: docs/adr/0014-allocator.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
            eprintln!("congthu: {}", one_line(&told(&error)));
            let misused = error.is::<Misuse>() || error.is::<ConfigError>();
            ExitCode::from(if misused { WRONG_USE } else { FAILED })
        }
    }
}

/// The error with its causes; whom or what it is about is said once.
fn told(error: &anyhow::Error) -> String {
    let all: Vec<String> = error.chain().map(ToString::to_string).collect();
    let is_said_again = |at: usize| {
        let (this, next) = (all.get(at), all.get(at + 1));
        this.zip(next).is_some_and(|(this, next)| next.contains(this.as_str()))
    };
    let parts = all.iter().enumerate().filter(|(at, _)| !is_said_again(*at)).map(|(_, text)| text.as_str());
    parts.collect::<Vec<_>>().join(": ")
}

fn run(arguments: &Arguments) -> Result<()> {
    let config = match &arguments.command {
        Command::Completions { shell } => {
            return print(&String::from_utf8_lossy(&pages::completions(*shell)));
        }
        Command::Man { dir: None } => return print(&String::from_utf8_lossy(&pages::manual()?)),
        Command::Man { dir: Some(directory) } => return pages::manuals(directory),
        Command::Sieve(SieveCommand::Check { script }) => {
            return print(commands::sieve::check(script, arguments.json)?);
        }
        Command::Sieve(SieveCommand::Run(options)) => {
            return print(&commands::sieve::run(options, arguments.json)?);
        }
        Command::Config { command: ConfigCommand::Docs } => return print(&config::reference()),
        Command::Config { command: ConfigCommand::Example } => return print(&config::example()),
        Command::Demo(options) => demo::settings(Config::load_named(arguments.config.as_deref())?, options)?,
        _ => Config::load(arguments.config.as_deref())?,
    };
    if let Command::Config { command: ConfigCommand::Check } = &arguments.command {
        config.check_files()?;
        return print("the configuration has no mistake\n");
    }
    let stays = matches!(arguments.command, Command::Serve | Command::Demo(_));
    telemetry::start(&config.log, arguments.log, stays)?;
    identity::leave_root(arguments, &config)?;
    files::raise_limit();
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    runtime.block_on(act(arguments, &config))
}

async fn act(arguments: &Arguments, config: &Config) -> Result<()> {
    match &arguments.command {
        Command::Serve => serve::run(config, None).await,
        Command::Demo(_) => {
            let province = demo::Province::load_or_make(config)?;
            serve::run(config, Some(&province)).await
        }
        Command::Check => check::run(config, arguments.json).await,
        Command::Migrate => {
            let report = node::migrate(config).await?;
            let done = serde_json::json!({ "applied": report.applied, "version": report.version });
            let text = format!(
                "the database is at version {}; applied now: {}",
                report.version,
                report.applied.len()
            );
            print(&format!("{}\n", if arguments.json { done.to_string() } else { text }))
        }
        _ => commands::run(arguments, config).await,
    }
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

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn what_an_error_is_about_is_said_once() {
        let error = |said: &str| told(&anyhow::anyhow!("{said}").context("an@thu.test").context("row 3"));
        assert_eq!(error("there is no mailbox an@thu.test"), "row 3: there is no mailbox an@thu.test");
        assert_eq!(error("say why"), "row 3: an@thu.test: say why");
    }
}
