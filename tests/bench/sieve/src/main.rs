//! What a message costs that a script is followed over: one line of JSON for each script and message, microseconds.
//!
//! `compile`: the script, once. `run`: following it, the message's structure known, as it is at delivery. `with_facts`: reading the
//! message before, which delivery does for every message anyhow. Each is the median of batches. A name behind the program runs only what
//! has it in its name, and only `run`, for a profiler.

use proto::mime::facts;
use proto::sieve::{Action, Ended, Known, Mail, Setting, compile, run};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

const BATCHES: usize = 31;
const BATCH: u32 = 400;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let only = std::env::args().nth(1);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for script in ["rules", "body"] {
        let source = std::fs::read(here.join(script).with_extension("sieve"))?;
        for message in messages(here)? {
            let name = message.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let raw = std::fs::read(&message)?;
            let title = format!("{script}/{name}");
            match &only {
                None => println!("{}", measured(&title, &source, &raw)?),
                Some(only) if title.contains(only) => {
                    println!("{title}: {:.2}", per_call(BATCHES * 20, || follow(&source, &raw))?);
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

fn messages(here: &Path) -> Outcome<Vec<PathBuf>> {
    let mut messages: Vec<PathBuf> =
        std::fs::read_dir(here.join("messages"))?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
    messages.sort();
    Ok(messages)
}

fn setting() -> Outcome<Setting> {
    Ok(Setting {
        envelope_from: "an@so.test".to_owned(),
        envelope_to: "binh@tinh.test".to_owned(),
        auth: String::new(),
        addresses: vec!["binh@tinh.test".to_owned()],
        now: "2026-10-06T10:00:00+07:00[+07:00]".parse()?,
        environment: BTreeMap::new(),
        redirects_max: 4,
    })
}

fn measured(title: &str, source: &[u8], raw: &[u8]) -> Outcome<String> {
    let compiling = per_call(BATCHES, || Ok(move || drop(black_box(compile(source)))))?;
    let running = per_call(BATCHES, || follow(source, raw))?;
    let reading = per_call(BATCHES, || Ok(move || drop(black_box(facts(raw)))))?;
    let (cost, ended) = wanted(source, raw)?;
    Ok(format!(
        "{{\"case\":\"{title}\",\"octets\":{},\"does\":\"{ended}\",\"cost\":{cost},\"compile\":{compiling:.1},\
         \"run\":{running:.2},\"facts\":{reading:.1},\"with_facts\":{:.1}}}",
        raw.len(),
        running + reading
    ))
}

/// What is measured: one run, from what delivery has at hand.
fn follow<'a>(source: &[u8], raw: &'a [u8]) -> Outcome<impl FnMut() + use<'a>> {
    let (script, facts, setting, known) = (compile(source)?, facts(raw), setting()?, Known::default());
    Ok(move || {
        let mail = Mail { raw, structure: &facts.structure };
        drop(black_box(run(&[&script], mail, &setting, &known)));
    })
}

/// Its cost as it is counted, and what is to be done.
fn wanted(source: &[u8], raw: &[u8]) -> Outcome<(u64, String)> {
    let facts = facts(raw);
    let mail = Mail { raw, structure: &facts.structure };
    let Ended::Done(outcome) = run(&[&compile(source)?], mail, &setting()?, &Known::default()) else {
        return Err("the script asks for something".into());
    };
    let shown = |action: &Action| match action {
        Action::Keep { .. } => "keep".to_owned(),
        Action::FileInto(filing) => filing.folder.clone(),
        other => format!("{other:?}"),
    };
    Ok((outcome.cost, outcome.actions.iter().map(shown).collect::<Vec<_>>().join(", ")))
}

/// Microseconds, the median of batches.
fn per_call<F: FnMut()>(batches: usize, made: impl FnOnce() -> Outcome<F>) -> Outcome<f64> {
    let mut call = made()?;
    let mut micros: Vec<f64> = (0..batches)
        .map(|_| {
            let begun = Instant::now();
            (0..BATCH).for_each(|_| call());
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
        })
        .collect();
    micros.sort_by(f64::total_cmp);
    Ok(micros[micros.len() / 2])
}
