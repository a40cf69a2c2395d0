//! `docs/rfc-index.tsv` against the code, both ways.
//!
//! Columns: the RFC's number, its title, a status, files or directories that implement it (`file:3.1,4` names clauses that
//! the file names, too), tests that show it, and what is left out and why. What is implemented is shown by a test; what is
//! not has a reason.

use std::collections::{BTreeMap, BTreeSet};

use super::{Repo, product_code};

const INDEX: &str = "docs/rfc-index.tsv";
/// `read-only`: consulted for the behaviour of others, nothing of it is ours to implement.
const STATUSES: &[&str] = &["implemented", "partial", "planned", "read-only"];

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    let index = repo.files.get(INDEX).map(String::as_str).unwrap_or_default();
    let mentions = mentions(repo, &mut findings, &listed(index));
    for (number, line) in index.lines().enumerate().skip(1) {
        let mut wrong = |what: &str| findings.push(format!("{INDEX}:{}: {what}", number + 1));
        let columns: Vec<&str> = line.split('\t').collect();
        let [rfc, _title, status, places, shown, note] = columns[..] else {
            wrong("not six columns: RFC, title, status, where, shown by, note");
            continue;
        };
        if !STATUSES.contains(&status) {
            wrong(&format!("no such status: {status}"));
        }
        let built = matches!(status, "implemented" | "partial");
        if built && places.is_empty() {
            wrong(&format!("RFC {rfc} is {status}, but nowhere"));
        }
        if status == "implemented" && shown.is_empty() {
            wrong(&format!("RFC {rfc} is {status}, but no test shows it"));
        }
        if status != "implemented" && note.is_empty() {
            wrong(&format!("RFC {rfc} is {status}, and nothing says what is left out and why"));
        }
        for missing in shown.split_whitespace().filter(|path| !repo.has(path)) {
            wrong(&format!("{missing} does not exist"));
        }
        for place in places.split_whitespace() {
            let (place, clauses) = place.split_once(':').unwrap_or((place, ""));
            for clause in clauses.split(',').filter(|clause| !clause.is_empty()) {
                if !repo.files.get(place).is_some_and(|text| names_clause(text, rfc, clause)) {
                    wrong(&format!("nothing in {place} names RFC {rfc} {clause}"));
                }
            }
            let named = mentions.get(rfc).is_some_and(|paths| paths.iter().any(|path| within(path, place)));
            if !repo.has(place) {
                wrong(&format!("{place} does not exist"));
            } else if built && !named {
                wrong(&format!("nothing in {place} names RFC {rfc}"));
            }
        }
    }
    findings
}

/// A line that names the RFC and, behind it, the clause.
fn names_clause(text: &str, rfc: &str, clause: &str) -> bool {
    let behind = text.lines().filter_map(|line| line.split_once(&format!("RFC {rfc} ")));
    let part = |character: char| character.is_ascii_digit() || character == '.';
    behind.map(|(_, rest)| rest).any(|rest| {
        let numbers = rest.split(|character: char| !part(character));
        numbers.map(|number| number.trim_end_matches('.')).any(|number| number == clause)
    })
}

fn within(path: &str, place: &str) -> bool {
    path == place || path.starts_with(&format!("{}/", place.trim_end_matches('/')))
}

fn listed(index: &str) -> BTreeSet<&str> {
    index.lines().skip(1).filter_map(|line| line.split('\t').next()).collect()
}

/// Which product files name which RFC; reports those the index does not know, wherever they are named.
fn mentions<'a>(
    repo: &'a Repo,
    findings: &mut Vec<String>,
    listed: &BTreeSet<&str>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut mentions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, text) in repo.ending(".rs").chain(repo.ending(".sql")) {
        for rfc in numbers(text) {
            if !listed.contains(rfc) {
                findings.push(format!("{path}: names RFC {rfc}, which {INDEX} does not list"));
            }
        }
        for rfc in numbers(product_code(path, text)) {
            mentions.entry(rfc).or_default().insert(path);
        }
    }
    mentions
}

/// The numbers behind every `RFC `, once each.
fn numbers(text: &str) -> BTreeSet<&str> {
    let behind = text.match_indices("RFC ").map(|(at, mark)| &text[at + mark.len()..]);
    let digits = behind.map(|rest| {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        &rest[..length]
    });
    digits.filter(|number| number.len() >= 3).collect()
}

#[test]
fn finds_differences_both_ways() {
    let index = "rfc\ttitle\tstatus\twhere\tshown by\tnote\n\
                 1\tshort\n\
                 9051\tIMAP4rev2\tpartial\tcrates/a/src/imap.rs:6.3.2,6.3\tcrates/gone.txt\tthe rest\n\
                 5321\tSMTP\timplemented\tcrates/a/src/smtp.rs\tcrates/a/src\t\n\
                 5322\tMessages\timplemented\t\t\t\n\
                 2045\tMIME\tsoon\t\t\tlater\n\
                 3501\tIMAP4rev1\tplanned\tcrates/gone\t\t\n";
    let repo = Repo::of(&[
        (INDEX, index),
        ("crates/a/src/imap.rs", "// RFC 9051 6.3.2\n// RFC 7162 3.1\n"),
        ("crates/a/src/smtp.rs", "// an RFC\n\n#[cfg(test)]\n// RFC 5321 in a test does not count\n"),
    ]);
    let expected = [
        "crates/a/src/imap.rs: names RFC 7162, which docs/rfc-index.tsv does not list",
        "docs/rfc-index.tsv:2: not six columns: RFC, title, status, where, shown by, note",
        "docs/rfc-index.tsv:3: crates/gone.txt does not exist",
        "docs/rfc-index.tsv:3: nothing in crates/a/src/imap.rs names RFC 9051 6.3",
        "docs/rfc-index.tsv:4: nothing in crates/a/src/smtp.rs names RFC 5321",
        "docs/rfc-index.tsv:5: RFC 5322 is implemented, but nowhere",
        "docs/rfc-index.tsv:5: RFC 5322 is implemented, but no test shows it",
        "docs/rfc-index.tsv:6: no such status: soon",
        "docs/rfc-index.tsv:7: RFC 3501 is planned, and nothing says what is left out and why",
        "docs/rfc-index.tsv:7: crates/gone does not exist",
    ];
    assert_eq!(findings(&repo), expected);
}
