//! `congthu sieve …`: a script looked at, or followed over a message, without a database and without doing anything.
//!
//! What only the installation knows is as on the command line: folders that are named are there, no list has members, nothing
//! was seen before.

use crate::cli::RunSieve;
use crate::system::SystemClock;
use anyhow::{Context as _, Result, bail};
use jiff::tz::TimeZone;
use model::Clock as _;
use proto::sieve::{
    Action, Ended, Known, Mail, Outcome, Question, Recipients, ScriptName, Setting, compile,
    limits::SCRIPT_OCTETS_MAX,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

/// Octets of a message that is tried.
const MESSAGE_OCTETS_MAX: u64 = 100 * 1024 * 1024;
/// A run asks no more often than it has things to look up.
const RUNS_MAX: usize = 300;
/// As a mailbox has unless policy says otherwise.
const REDIRECTS_MAX: usize = 4;

/// # Errors
/// A file that cannot be read, a script that cannot be used.
pub(crate) fn check(script: &Path, as_json: bool) -> Result<&'static str> {
    script_of(script)?;
    Ok(if as_json { "{}\n" } else { "the script has no mistake\n" })
}

/// # Errors
/// A file that cannot be read, a script that cannot be used.
pub(crate) fn run(options: &RunSieve, as_json: bool) -> Result<String> {
    let outcome = follow(options)?;
    let value = shown(&outcome);
    Ok(if as_json { format!("{value}\n") } else { text_of(&outcome) })
}

fn script_of(path: &Path) -> Result<proto::sieve::Script> {
    let source = read(path, SCRIPT_OCTETS_MAX as u64 + 1)?;
    compile(&source).map_err(|error| anyhow::anyhow!("{}: {error} ({})", path.display(), error.vietnamese()))
}

fn read(path: &Path, octets_max: u64) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(octets_max)
        .read_to_end(&mut octets)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(octets)
}

fn follow(options: &RunSieve) -> Result<Outcome> {
    let script = script_of(&options.script)?;
    let raw = read(&options.message, MESSAGE_OCTETS_MAX)?;
    let facts = proto::mime::facts(&raw);
    let mail = Mail { raw: &raw, structure: &facts.structure };
    let zone =
        TimeZone::get(model::calendar::TIME_ZONE).context("the province's time zone is not known here")?;
    let setting = Setting {
        envelope_from: options.from.clone(),
        envelope_to: options.to.clone(),
        auth: String::new(),
        addresses: options.address.clone(),
        now: SystemClock.now().to_zoned(zone),
        environment: environment(),
        redirects_max: REDIRECTS_MAX,
    };
    let mut known = Known::default();
    for _ in 0..RUNS_MAX {
        match proto::sieve::run(&[&script], mail, &setting, &known) {
            Ended::Done(outcome) => return Ok(outcome),
            Ended::Asks(questions, _) => {
                known.answers.extend(questions.into_iter().map(|question| {
                    let answer = is_so(&question, &options.folder);
                    (question, answer)
                }));
            }
            Ended::Wants(wanted, _) => {
                let script = beside(&options.script, &wanted.name)?;
                known.scripts.insert(wanted, script);
            }
        }
    }
    bail!("the script asks too much")
}

/// RFC 5183 4.1.
fn environment() -> BTreeMap<String, String> {
    let items = [
        ("location", "MDA"),
        ("name", "Cong Thu"),
        ("phase", "during"),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    items.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn is_so(question: &Question, folders: &[String]) -> bool {
    match question {
        Question::Folder(name) => name.eq_ignore_ascii_case("INBOX") || folders.contains(name),
        Question::SpecialUse { .. } | Question::Member { .. } | Question::List(_) | Question::Seen(_) => {
            false
        }
    }
}

fn beside(script: &Path, name: &ScriptName) -> Result<Option<Arc<proto::sieve::Script>>> {
    if name.name.contains(['/', '\0']) {
        bail!("“{}” cannot be the name of a script", name.name);
    }
    let path = script.with_file_name(format!("{}.sieve", name.name));
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(script_of(&path)?)))
}

fn shown(outcome: &Outcome) -> Value {
    json!({
        "actions": outcome.actions.iter().map(action).collect::<Vec<_>>(),
        "headers": outcome.headers.iter().map(|header| String::from_utf8_lossy(header)).collect::<Vec<_>>(),
        "failures": outcome.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "cost": outcome.cost,
    })
}

fn action(action: &Action) -> Value {
    match action {
        Action::Keep { flags, header } => json!({ "do": "keep", "flags": flags, "header": header }),
        Action::FileInto(filing) => json!({
            "do": "fileinto", "folder": filing.folder, "flags": filing.flags, "create": filing.create,
            "special_use": filing.special_use, "header": filing.header,
        }),
        Action::Redirect { to, header } => {
            let (kind, to) = match to {
                Recipients::Address(address) => ("to", address),
                Recipients::List(list) => ("list", list),
            };
            json!({ "do": "redirect", kind: to, "header": header })
        }
        Action::Reject { reason, in_dialogue } => {
            json!({ "do": "reject", "reason": reason, "in_dialogue": in_dialogue })
        }
        Action::Vacation(answer) => json!({
            "do": "vacation", "to": answer.to, "from": answer.from, "subject": answer.subject, "reason": answer.reason,
            "mime": answer.mime, "seconds": answer.period,
        }),
        Action::Notify(notice) => json!({
            "do": "notify", "method": notice.method, "message": notice.message, "importance": notice.importance,
        }),
    }
}

fn text_of(outcome: &Outcome) -> String {
    let mut text = String::new();
    for action in outcome.actions.iter().map(action) {
        let Value::Object(fields) = action else { continue };
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let said: Vec<String> = fields
            .iter()
            .filter(|(name, value)| {
                *name != "do" && *name != "header" && !value.is_null() && **value != json!([])
            })
            .map(|(name, value)| format!("{name}: {}", word(value)))
            .collect();
        let named = fields.get("do").map(word).unwrap_or_default();
        text.push_str(format!("{named} {}", said.join(", ")).trim_end());
        text.push('\n');
    }
    if outcome.actions.is_empty() {
        text.push_str("discard\n");
    }
    for failure in &outcome.failures {
        text.push_str(&format!("failed: {failure} ({})\n", failure.vietnamese()));
    }
    text
}
