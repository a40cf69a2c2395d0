//! Words that may not stand in the repository, and those every file opens with.

use super::{Repo, product_code};

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc"];

/// Directories of the machine somebody happened to work on.
const MACHINE_PATHS: &[&str] = &["/home/", "/root/", "/workspace/"];

/// This file names what it forbids.
const EXEMPT: &str = "crates/testkit/tests/tidy/words.rs";

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in &repo.files {
        if path == EXEMPT {
            continue;
        }
        let is_source = path.ends_with(".rs");
        if is_source && !text.starts_with("//! ") {
            findings.push(format!("{path}: does not open with what it is for (//!)"));
        }
        let stem = path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        if is_source && EMPTY_NAMES.contains(&stem) {
            findings.push(format!("{path}: a name that says nothing"));
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(what) = unfinished(line).or_else(|| machine_path(line)) {
                findings.push(format!("{path}:{}: {what}", number + 1));
            }
        }
        if is_source {
            check_source(path, product_code(path, text), &mut findings);
        }
    }
    check_migrations(repo, &mut findings);
    findings
}

/// Left-overs of somebody who meant to come back.
fn unfinished(line: &str) -> Option<String> {
    let marks = ["TODO", "FIXME", "XXX:", "todo!(", "dbg!(", "unimplemented!(", "#[allow(", "#![allow("];
    marks.iter().find(|mark| line.contains(**mark)).map(|mark| format!("{mark} may not stay"))
}

fn machine_path(line: &str) -> Option<String> {
    let found = MACHINE_PATHS.iter().find(|path| {
        line.match_indices(**path).any(|(at, _)| {
            let before = line[..at].chars().last();
            !before.is_some_and(|last| last.is_alphanumeric() || "._-}*".contains(last))
        })
    })?;
    Some(format!("{found} is a place on one machine"))
}

fn check_source(path: &str, code: &str, findings: &mut Vec<String>) {
    for (number, line) in code.lines().enumerate() {
        let accessor = line.split_once("fn get_").is_some_and(|(_, rest)| rest.contains("self"));
        if accessor {
            findings.push(format!("{path}:{}: no get_: a name says what it gives", number + 1));
        }
    }
}

/// Numbered without gaps, each opening with why it exists.
fn check_migrations(repo: &Repo, findings: &mut Vec<String>) {
    let migrations = repo.ending(".sql").filter(|(path, _)| path.starts_with("migrations/"));
    for (index, (path, text)) in migrations.enumerate() {
        if !path.starts_with(&format!("migrations/{:04}_", index + 1)) {
            findings.push(format!("{path}: not number {}", index + 1));
        }
        if !text.starts_with("-- ") {
            findings.push(format!("{path}: does not open with why it exists (--)"));
        }
    }
}

#[test]
fn finds_wrong_words() {
    let repo = Repo::of(&[
        ("README.md", "See /home/an/main and frame/home/on.\n"),
        ("crates/a/src/b.rs", "//! b\n// TODO\nfn get_x(&self) {}\n\n#[cfg(test)]\nfn get_y(&self) {}\n"),
        ("crates/a/src/utils.rs", "use x;\n"),
        ("migrations/0001_a.sql", "-- why\n"),
        ("migrations/0003_b.sql", "create table x ();\n"),
    ]);
    let expected = [
        "README.md:1: /home/ is a place on one machine",
        "crates/a/src/b.rs:2: TODO may not stay",
        "crates/a/src/b.rs:3: no get_: a name says what it gives",
        "crates/a/src/utils.rs: does not open with what it is for (//!)",
        "crates/a/src/utils.rs: a name that says nothing",
        "migrations/0003_b.sql: not number 2",
        "migrations/0003_b.sql: does not open with why it exists (--)",
    ];
    assert_eq!(findings(&repo), expected);
}
