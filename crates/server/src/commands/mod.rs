//! The commands that act once and end: each opens the installation as one more node, acts through `engine` as
//! an audited administrator, and says what it did.
//!
//! Invariant: results go to standard output, as text or as JSON; everything else goes to standard error.

mod acme;
pub(crate) mod add_many;
mod alias;
mod announce;
mod audit;
mod case;
mod checking;
mod delegate;
mod directory;
mod dkim;
mod dmarc;
mod domain;
mod export;
mod forward;
mod group;
mod handling;
mod handover;
mod hold;
mod holiday;
mod job;
mod leave;
mod lessons;
mod life;
mod logins;
mod mailbox;
mod mailboxes;
mod named;
mod pages;
mod person;
mod policy;
mod printed;
mod quarantine;
mod queue;
mod relocation;
mod request;
mod resets;
mod review;
mod role;
mod scripts;
mod search;
pub(crate) mod sieve;
mod spreadsheet;
mod trace;
mod unit;

use crate::Misuse;
use crate::cli::{Arguments, Command, Grounds, LifeCommand, SieveCommand};
use crate::config::Config;
use crate::identity::USER;
use crate::node::Node;
use anyhow::{Context as _, Result};
use engine::Actor;
use std::io::{BufRead as _, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Longest line taken as a password; longer ones are a file given by mistake.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// What every command is handed.
#[derive(Debug)]
struct Session {
    node: Node,
    actor: Actor,
    json: bool,
    data_dir: PathBuf,
    config: Config,
}

impl Session {
    /// Whoever acts, on the document that was named.
    fn actor_on(&self, grounds: &Grounds) -> Result<Actor> {
        let actor = self.actor.clone();
        Ok(match &grounds.document {
            Some(document) => actor.on_document(document)?,
            None => actor,
        })
    }
}

/// Runs one command that works on the data.
pub(crate) async fn run(arguments: &Arguments, config: &Config) -> Result<()> {
    // Read before anything slow, and while nothing is open yet.
    let prepared = prepare(&arguments.command)?;
    let node = Node::command(config).await?;
    let session = Session {
        node,
        actor: actor(),
        json: arguments.json,
        data_dir: config.data_dir.clone(),
        config: config.clone(),
    };
    let done = act(&session, &arguments.command, prepared).await;
    session.node.close().await;
    done
}

/// What a command reads from standard input.
#[derive(Debug, Default)]
struct Prepared {
    password: Option<String>,
    list: Option<add_many::List>,
    review: Option<Vec<engine::ReviewAnswerRow>>,
    script: Option<Vec<u8>>,
    answer: Option<engine::LeaveAnswer>,
}

fn prepare(command: &Command) -> Result<Prepared> {
    use crate::cli::MailboxCommand::{Add, AddMany, Life, Passwd};
    let command = match command {
        Command::Mailbox { command } => command,
        Command::Review { command } => {
            return Ok(Prepared { review: review::read(command)?, ..Prepared::default() });
        }
        Command::Sieve(SieveCommand::Kept(command)) => {
            return Ok(Prepared { script: scripts::read(command)?, ..Prepared::default() });
        }
        _ => return Ok(Prepared::default()),
    };
    if let Life(LifeCommand::Leave { answer: Some(answer), answer_subject, file_name, .. }) = command {
        let text = leave::read_answer(answer, file_name.as_deref())?;
        let answer = engine::LeaveAnswer { subject: answer_subject.clone(), text };
        return Ok(Prepared { answer: Some(answer), ..Prepared::default() });
    }
    let (password, list) = match command {
        Add(add) => (mailbox::read_new_password(add)?, None),
        Passwd { password, .. } => (mailbox::read_changed_password(*password)?, None),
        AddMany(add_many) => (None, Some(add_many::read(add_many)?)),
        _ => (None, None),
    };
    Ok(Prepared { password, list, ..Prepared::default() })
}

async fn act(session: &Session, command: &Command, prepared: Prepared) -> Result<()> {
    match command {
        Command::Domain { command } => domain::run(session, command).await,
        Command::Unit { command } => unit::run(session, command).await,
        Command::Person { command } => person::run(session, command).await,
        Command::Position { command } => person::positions(session, command).await,
        Command::Mailbox { command } => mailbox::run(session, command, prepared).await,
        Command::Alias { command } => alias::run(session, command).await,
        Command::Delegate { command } => delegate::run(session, command).await,
        Command::Handover { command } => handover::run(session, command).await,
        Command::Group { command } => group::run(session, command).await,
        Command::Directory { command } => directory::run(session, command).await,
        Command::Forward { command } => forward::run(session, command).await,
        Command::Request { command } => request::run(session, command).await,
        Command::Review { command } => review::run(session, command, prepared).await,
        Command::Handling { command } => handling::run(session, command).await,
        Command::Case { command } => case::run(session, command).await,
        Command::Policy { command } => policy::run(session, command).await,
        Command::Move { command } => relocation::run(session, command).await,
        Command::Queue { command } => queue::run(session, command).await,
        Command::Quarantine { command } => quarantine::run(session, command).await,
        Command::Job { command } => job::run(session, command).await,
        Command::Audit { command } => audit::run(session, command).await,
        Command::Trace(options) => trace::run(session, options).await,
        Command::Hold { command } => hold::run(session, command).await,
        Command::Announce { command } => announce::run(session, command).await,
        Command::Checking { command } => checking::run(session, command).await,
        Command::Role { command } => role::run(session, command).await,
        Command::Dkim { command } => dkim::run(session, command).await,
        Command::Acme { command } => acme::run(session, command).await,
        Command::Dmarc(command) => dmarc::run(session, command).await,
        Command::Holiday { command } => holiday::run(session, command).await,
        Command::Search { command } => search::run(session, command).await,
        Command::Sieve(SieveCommand::Kept(command)) => scripts::run(session, command, prepared.script).await,
        Command::Serve
        | Command::Migrate
        | Command::Check
        | Command::Completions { .. }
        | Command::Sieve(_)
        | Command::Man { .. }
        | Command::Demo(_)
        | Command::Config { .. } => Ok(()),
    }
}

/// Who is at the console, for the audit log: the person behind sudo, else the user.
fn actor() -> Actor {
    let name = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    Actor::console(&format!("console:{}", name.as_deref().unwrap_or("unknown")))
}

/// What to read, and what to call it: a file that was opened already, as root, is standard input and has its name besides.
fn opened<'a>(file: &'a Path, called: Option<&'a Path>) -> (&'a Path, &'a Path) {
    called.map_or((file, file), |name| (Path::new("-"), name))
}

/// What to add where a file cannot be written: whoever typed the command may be root, and may write there.
fn cannot_write(file: &Path, error: std::io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            format!(": this runs as the user {USER}; name a directory that it may write")
        }
        ErrorKind::AlreadyExists => ": name a file that does not exist".to_owned(),
        ErrorKind::NotFound => {
            format!(": name a directory that is there, and that the user {USER} may write")
        }
        _ => String::new(),
    };
    anyhow::Error::from(error).context(format!("cannot write {}{advice}", file.display()))
}

/// A number with its noun, and the verb where one follows: `1 mailbox`, `2 mailboxes`.
fn counted(number: impl std::fmt::Display, one: &str, many: &str) -> String {
    let number = number.to_string();
    let noun = if number == "1" { one } else { many };
    format!("{number} {noun}")
}

fn read_password() -> Result<String> {
    let mut line = String::new();
    let mut input = std::io::stdin().lock().take(PASSWORD_BYTES_MAX);
    input.read_line(&mut line).context("cannot read the password from standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Misuse("standard input has no password: write it as the first line".to_owned()).into());
    }
    Ok(password.to_owned())
}

impl Session {
    /// Prints `text`, or `json` when the caller wants that.
    fn answer(&self, json: &serde_json::Value, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let shown = if self.json { printed::json(json) } else { printed::text(text.trim_end()) };
        if shown.is_empty() {
            // For a person; a program reads standard output, or --json.
            eprintln!("không có (none)");
            return Ok(());
        }
        // In one piece, so that a reader that stops at the first line still had the rest.
        match out.write_all(format!("{shown}\n").as_bytes()) {
            // `| head -1` has what it wanted.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("cannot write the answer to standard output"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_told_with_what_to_do() {
        let told = |kind: ErrorKind| cannot_write(Path::new("/var/www/a.json"), kind.into()).to_string();
        assert_eq!(
            told(ErrorKind::PermissionDenied),
            "cannot write /var/www/a.json: this runs as the user congthu; name a directory that it may write"
        );
        assert_eq!(
            told(ErrorKind::AlreadyExists),
            "cannot write /var/www/a.json: name a file that does not exist"
        );
        assert!(told(ErrorKind::NotFound).ends_with("and that the user congthu may write"));
    }

    #[test]
    fn one_is_no_plural() {
        let shown = |number: u64| counted(number, "person", "people");
        assert_eq!(
            [shown(0), shown(1), shown(2), shown(11)],
            ["0 people", "1 person", "2 people", "11 people"]
        );
    }

    #[test]
    fn what_was_opened_before_is_read_from_standard_input_under_its_name() {
        let (file, name) = (Path::new("cv.pdf"), Path::new("cv.pdf"));
        assert_eq!(opened(file, Some(name)), (Path::new("-"), name));
        assert_eq!(opened(file, None), (file, file));
    }
}
