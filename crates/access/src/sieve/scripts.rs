//! The commands on scripts (RFC 5804 2.5 to 2.12): each asks the engine, which decides.

use super::reply::{Failure, Outcome, Reply};
use super::session::Door;
use engine::{Principal, SieveError};
use proto::managesieve::{Code, Command};

/// A command of somebody who has logged in.
pub(crate) async fn run(door: &mut Door, who: &Principal, command: Command) -> Outcome {
    let engine = &door.engine;
    match command {
        // RFC 5804 2.5
        Command::HaveSpace { name, octets } => {
            engine.has_sieve_space(who, &name, octets.into()).await?;
            Ok(Reply::ok("HAVESPACE completed"))
        }
        // RFC 5804 2.6
        Command::PutScript { script, .. } if script.is_empty() => {
            Err(Reply::no("Bộ lọc không có nội dung / A script has at least one octet").into())
        }
        Command::PutScript { name, script } => {
            engine.put_sieve(who, &name, &script).await?;
            Ok(Reply::ok("PUTSCRIPT completed"))
        }
        // RFC 5804 2.7
        Command::ListScripts => {
            for script in engine.sieve_scripts(who).await? {
                door.wire.out.listed(&script.name, script.is_active);
            }
            Ok(Reply::ok("LISTSCRIPTS completed"))
        }
        // RFC 5804 2.8
        Command::SetActive(name) => {
            engine.activate_sieve(who, Some(name.as_str()).filter(|name| !name.is_empty())).await?;
            Ok(Reply::ok("SETACTIVE completed"))
        }
        // RFC 5804 2.9
        Command::GetScript(name) => {
            let source = engine.sieve_source(who, &name).await?;
            door.wire.out.script(&source);
            Ok(Reply::ok("GETSCRIPT completed"))
        }
        // RFC 5804 2.10
        Command::DeleteScript(name) => {
            engine.delete_sieve(who, &name).await?;
            Ok(Reply::ok("DELETESCRIPT completed"))
        }
        // RFC 5804 2.11
        Command::RenameScript { from, to } => {
            engine.rename_sieve(who, &from, &to).await?;
            Ok(Reply::ok("RENAMESCRIPT completed"))
        }
        // RFC 5804 2.12
        Command::CheckScript(script) => {
            engine.check_sieve(&script)?;
            Ok(Reply::ok("CHECKSCRIPT completed"))
        }
        _ => Err(Reply::bad("Unknown command").into()),
    }
}

impl From<SieveError> for Failure {
    fn from(error: SieveError) -> Self {
        let code = match &error {
            SieveError::NoSuchScript => Some(Code::NonExistent),
            SieveError::IsActive => Some(Code::Active),
            SieveError::Exists => Some(Code::AlreadyExists),
            SieveError::TooLarge { .. } => Some(Code::MaxSize),
            SieveError::TooMany { .. } => Some(Code::MaxScripts),
            SieveError::Error(error) => return (*error).into(),
            SieveError::NameInvalid
            | SieveError::NotAllowed
            | SieveError::Invalid(_)
            | SieveError::Admin(_) => None,
        };
        // RFC 5804 2.6: more than one message in lines of their own; where a script is wrong each has the place.
        let between = if matches!(error, SieveError::Invalid(_)) { "\r\n" } else { " / " };
        let reply = Reply::no(format!("{}{between}{error}", error.vietnamese()));
        Self::Reply(match code {
            Some(code) => reply.code(code),
            None => reply,
        })
    }
}
