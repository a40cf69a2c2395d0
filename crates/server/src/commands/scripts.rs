//! `congthu sieve …` on scripts that the installation keeps: of mailboxes, units and domains.

use super::{Session, opened};
use crate::cli::{KeptCommand, Whose};
use crate::given;
use anyhow::{Context as _, Result, anyhow};
use engine::{SieveError, SieveOwner, SieveScript};
use model::calendar::local_text;
use proto::sieve::limits::SCRIPT_OCTETS_MAX;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a file holds that is to be kept; nothing else is open yet.
pub(super) fn read(command: &KeptCommand) -> Result<Option<Vec<u8>>> {
    let KeptCommand::Put { file, file_name, .. } = command else { return Ok(None) };
    let (file, called) = opened(file, file_name.as_deref());
    let source = given::read(file, SCRIPT_OCTETS_MAX as u64);
    source.map(Some).with_context(|| format!("cannot read {}", called.display()))
}

pub(super) async fn run(session: &Session, command: &KeptCommand, source: Option<Vec<u8>>) -> Result<()> {
    let (engine, actor) = (&session.node.engine, &session.actor);
    match command {
        KeptCommand::List(whose) => list(session, whose).await,
        KeptCommand::Show { whose, name, version } => {
            let source = engine.script_source(actor, &owner(whose)?, name, *version).await.map_err(told)?;
            session.answer(&json!({ "name": name, "version": version, "source": source }), &source)
        }
        KeptCommand::Put { whose, name, .. } => {
            let source = source.unwrap_or_default();
            let version = engine.put_script(actor, &owner(whose)?, name, &source).await.map_err(told)?;
            session.answer(
                &json!({ "name": name, "version": version }),
                &format!(
                    "{name} is kept as version {version}; `sieve list` says whether it is followed, `sieve activate` has it followed"
                ),
            )
        }
        KeptCommand::Activate { whose, name } => {
            engine.activate_script(actor, &owner(whose)?, Some(name)).await.map_err(told)?;
            session.answer(&json!({ "active": name }), &format!("{name} is followed from now on"))
        }
        KeptCommand::Deactivate(whose) => {
            engine.activate_script(actor, &owner(whose)?, None).await.map_err(told)?;
            session.answer(&json!({ "active": null }), "no script is followed any more")
        }
        KeptCommand::Delete { whose, name } => {
            engine.delete_script(actor, &owner(whose)?, name).await.map_err(told)?;
            session.answer(&json!({ "deleted": name }), &format!("{name} is deleted"))
        }
        KeptCommand::Versions { whose, name } => versions(session, whose, name).await,
    }
}

fn owner(whose: &Whose) -> Result<SieveOwner> {
    match (&whose.mailbox, &whose.domain, &whose.unit) {
        (Some(mailbox), ..) => Ok(SieveOwner::Mailbox(mailbox.clone())),
        (None, Some(domain), Some(unit)) => Ok(SieveOwner::Unit(domain.clone(), unit.clone())),
        (None, Some(domain), None) => Ok(SieveOwner::Domain(domain.clone())),
        (None, None, _) => Err(anyhow!("say whose: --mailbox, or --domain")),
    }
}

/// A script may be somebody's who reads the one language or the other.
fn told(error: SieveError) -> anyhow::Error {
    match &error {
        SieveError::Invalid(problem) => anyhow!("{problem} ({})", problem.vietnamese()),
        _ => error.into(),
    }
}

async fn list(session: &Session, whose: &Whose) -> Result<()> {
    let scripts = session.node.engine.scripts_of(&session.actor, &owner(whose)?).await.map_err(told)?;
    let mut text = String::new();
    for SieveScript { name, is_active, version, octets, changed_at } in &scripts {
        let followed = if *is_active { "active" } else { "not active" };
        let since = local_text(*changed_at);
        let _ = writeln!(text, "{name}\t{followed}\tversion {version}\t{octets} octets\t{since}");
    }
    session.answer(&scripts.iter().map(as_json).collect(), &text)
}

fn as_json(script: &SieveScript) -> Value {
    json!({
        "name": script.name,
        "active": script.is_active,
        "version": script.version,
        "octets": script.octets,
        "changed_at": script.changed_at,
    })
}

async fn versions(session: &Session, whose: &Whose, name: &str) -> Result<()> {
    let owner = owner(whose)?;
    let versions = session.node.engine.script_versions(&session.actor, &owner, name).await.map_err(told)?;
    let mut text = String::new();
    for version in &versions {
        let (number, octets, by) = (version.version, version.octets, &version.put_by);
        let _ = writeln!(text, "{number}\t{octets} octets\t{by}\t{}", local_text(version.put_at));
    }
    let one = |version: &engine::ScriptVersion| json!({ "version": version.version, "octets": version.octets, "put_by": version.put_by, "put_at": version.put_at });
    session.answer(&versions.iter().map(one).collect(), &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Arguments, Command, SieveCommand};
    use clap::Parser as _;

    fn parsed(words: &str) -> Result<SieveOwner, clap::Error> {
        let words = format!("congthu sieve list {words}");
        let arguments = Arguments::try_parse_from(words.split_whitespace())?;
        let Command::Sieve(SieveCommand::Kept(KeptCommand::List(whose))) = arguments.command else {
            panic!("{words}");
        };
        Ok(owner(&whose).unwrap())
    }

    #[test]
    fn it_is_said_whose_they_are() {
        let domain = || model::DomainName::new("tinh.gov.vn").unwrap();
        let mailbox = SieveOwner::Mailbox("an@tinh.gov.vn".parse().unwrap());
        assert_eq!(parsed("--mailbox an@tinh.gov.vn").unwrap(), mailbox);
        assert_eq!(parsed("--domain tinh.gov.vn").unwrap(), SieveOwner::Domain(domain()));
        let unit = SieveOwner::Unit(domain(), "so.yte".into());
        assert_eq!(parsed("--domain tinh.gov.vn --unit so.yte").unwrap(), unit);
        for wrong in [
            "",
            "--unit so.yte",
            "--mailbox an@tinh.gov.vn --unit so.yte",
            "--mailbox an@tinh.gov.vn --domain tinh.gov.vn",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mistake_is_told_in_both_languages() {
        let problem = proto::sieve::compile(b"keep").unwrap_err();
        let text = told(SieveError::Invalid(problem)).to_string();
        assert!(text.starts_with("line 1, column") && text.contains("(Dòng 1, cột"), "{text}");
    }
}
