//! Documents: links lead somewhere, paths exist, and symbols they name are in the code.

use std::collections::BTreeSet;

use super::Repo;

/// Paths below these are ours, so a document that names one is held to it.
const OUR_DIRECTORIES: &[&str] =
    &["crates/", "tests/", "migrations/", "docs/", "config/", "deploy/", "fuzz/", ".ci/"];

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let crates: BTreeSet<&str> = repo
        .ending("/Cargo.toml")
        .filter_map(|(path, _)| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
        .collect();
    let mut findings = Vec::new();
    for (path, text) in repo.ending(".md") {
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            let mut wrong = |what: String| findings.push(format!("{path}:{}: {what}", number + 1));
            for target in links(line).filter(|target| !repo.has(&resolve(path, target))) {
                wrong(format!("the link to {target} leads nowhere"));
            }
            for code in code_spans(line) {
                if let Some(missing) = missing_path(repo, code) {
                    wrong(format!("{missing} does not exist"));
                }
                if let Some(missing) = missing_symbol(repo, &crates, code) {
                    wrong(format!("{missing} is in no source"));
                }
            }
        }
    }
    findings
}

/// Targets of `[text](target)` inside the repository, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.match_indices("](").filter_map(|(at, _)| line[at + 2..].split(')').next());
    let files = targets.map(|target| target.split('#').next().unwrap_or_default());
    files.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

/// A link's path from the root.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The path a code span names, if it is one of ours and not there. Placeholders are no paths.
fn missing_path<'a>(repo: &Repo, code: &'a str) -> Option<&'a str> {
    let path = code.split_whitespace().next()?;
    let ours = OUR_DIRECTORIES.iter().any(|directory| path.starts_with(directory));
    let definite = !path.contains(['*', '<', '{', '…', '$']) && !path.contains("NNNN");
    (ours && definite && !repo.has(path)).then_some(path)
}

/// The last name of `our_crate::…::Name`, if no source of that crate has it as a word.
fn missing_symbol<'a>(repo: &Repo, crates: &BTreeSet<&str>, code: &'a str) -> Option<&'a str> {
    let symbol = code.split(['(', '<', '{', ' ', '!']).next()?;
    let names: Vec<&str> = symbol.split("::").collect();
    let (first, last) = (names.first()?, names.last()?);
    if names.len() < 2 || last.is_empty() {
        return None;
    }
    let sources = if crates.contains(first) {
        format!("crates/{first}/")
    } else if first.starts_with(char::is_uppercase) {
        "crates/".to_owned()
    } else {
        // std, a library, a module below a name of its own.
        return None;
    };
    let found = repo.ending(".rs").any(|(path, text)| {
        path.starts_with(&sources)
            && names[1..].iter().all(|name| has_word(text, name) || path.contains(&format!("/{name}")))
    });
    (!found).then_some(symbol)
}

fn has_word(text: &str, word: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().last(), text[at + word.len()..].chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[test]
fn finds_dead_references() {
    let repo = Repo::of(&[
        ("crates/store/Cargo.toml", ""),
        ("crates/store/src/tx.rs", "pub struct Tx;\nimpl Tx { fn commit(self) {} }\n"),
        ("docs/a.md", "[b](b.md#x), [c](../README.md), [d](gone.md), [e](https://x.vn)\n"),
        ("docs/b.md", "`store::Tx`, `store::Tx::commit()`, `store::Gone`, `tokio::spawn`, `Tx::gone`\n"),
        (
            "README.md",
            "`crates/store/src/tx.rs`, `tests/run --now`, `docs/adr/NNNN-x.md`, `docs/`\n```\n`store::Gone`\n```\n",
        ),
    ]);
    let expected = [
        "README.md:1: tests/run does not exist",
        "docs/a.md:1: the link to gone.md leads nowhere",
        "docs/b.md:1: store::Gone is in no source",
        "docs/b.md:1: Tx::gone is in no source",
    ];
    assert_eq!(findings(&repo), expected);
}
