//! Who may depend on whom: `docs/ARCHITECTURE.md`, read from the manifests and from what the sources name.

use super::{Repo, product_code};

/// Our crates, each with those of ours it may use. A crate that is not here may not exist: it is added to make a
/// forbidden import impossible, and this table is where that is written down.
const CRATES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("proto", &[]),
    ("store", &["model"]),
    ("guard", &["model", "proto"]),
    ("engine", &["guard", "model", "proto", "store"]),
    ("smtp", &["engine", "guard", "model", "proto"]),
    ("access", &["engine", "model", "proto"]),
    ("web", &["engine", "model", "proto"]),
    ("server", &["access", "engine", "guard", "model", "proto", "smtp", "store", "web"]),
    ("testkit", &[]),
];

/// What tests may use besides: testkit, and what it takes to set up an engine on a database.
const TEST_CRATES: &[&str] = &["engine", "store", "testkit"];

/// Libraries and the only crates that may use them. `rand` and `tokio` say what is pure: a session is fed bytes and
/// times, it does not ask for them.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sqlx", &["store", "testkit"]),
    ("axum", &["web"]),
    ("rand", &["engine", "server", "guard"]),
    ("tokio", &["store", "guard", "engine", "smtp", "access", "web", "server", "testkit"]),
    ("rustls", &["store", "guard", "engine", "smtp", "access", "web", "server"]),
    ("clap", &["server"]),
    ("anyhow", &["server"]),
];

/// Reads what is outside the configuration: only the binary may.
const ENVIRONMENT: &[&str] = &["std::env", "env::var", "env::args"];
const ENVIRONMENT_CRATES: &[&str] = &["server", "testkit"];

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, manifest) in repo.ending("/Cargo.toml") {
        let Some(name) = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        match CRATES.iter().find(|(known, _)| *known == name) {
            Some((_, allowed)) => check_manifest(path, name, allowed, manifest, &mut findings),
            None => findings.push(format!("{path}: no crate of this name is foreseen")),
        }
    }
    for (path, text) in repo.ending(".rs") {
        if let Some(name) = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()) {
            check_source(path, name, product_code(path, text), &mut findings);
        }
    }
    findings
}

fn check_manifest(path: &str, name: &str, allowed: &[&str], manifest: &str, findings: &mut Vec<String>) {
    if !manifest.contains("[lints]\nworkspace = true") {
        findings.push(format!("{path}: the workspace's lints are not taken over"));
    }
    for (section, dependency) in dependencies(manifest) {
        let ours = CRATES.iter().any(|(known, _)| *known == dependency);
        let in_tests = section == "dev-dependencies";
        let may = allowed.contains(&dependency) || in_tests && TEST_CRATES.contains(&dependency);
        if ours && !may {
            findings.push(format!("{path}: {name} may not use {dependency}"));
        }
        let reserved = LIBRARIES.iter().find(|(library, _)| *library == dependency);
        // Tests may drive a pure session with a runtime; a database is reached through testkit all the same.
        if let Some((library, by)) = reserved
            && !by.contains(&name)
            && (!in_tests || *library == "sqlx")
        {
            findings.push(format!("{path}: {library} is for {} only", by.join(", ")));
        }
    }
}

/// Pairs of section and name for everything a manifest depends on.
fn dependencies(manifest: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end().trim_end_matches(']');
            // [dependencies.name]
            if let Some((kind, name)) = section.split_once('.')
                && kind.ends_with("dependencies")
            {
                found.push((kind, name));
            }
        } else if section.ends_with("dependencies") && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                found.push((section, name));
            }
        }
    }
    found
}

fn check_source(path: &str, name: &str, code: &str, findings: &mut Vec<String>) {
    for (number, line) in code.lines().enumerate() {
        let statement = line.split("//").next().unwrap_or_default();
        let mut wrong =
            |what: &str| findings.push(format!("{path}:{}: {name} may not use {what}", number + 1));
        for (library, by) in LIBRARIES {
            if !by.contains(&name) && names_crate(statement, library) {
                wrong(library);
            }
        }
        for access in ENVIRONMENT {
            if !ENVIRONMENT_CRATES.contains(&name) && statement.contains(access) {
                wrong(access);
            }
        }
    }
}

/// `use tokio…` or `tokio::…`, but not `my_tokio::` nor `crate::tokio::`.
fn names_crate(statement: &str, library: &str) -> bool {
    statement.match_indices(library).any(|(at, _)| {
        let before = statement[..at].chars().last();
        let after = &statement[at + library.len()..];
        let whole = !before.is_some_and(|last| last.is_alphanumeric() || last == '_' || last == ':');
        whole && (after.starts_with("::") || statement.trim() == format!("use {library};"))
    })
}

#[test]
fn finds_forbidden_edges() {
    let lints = "[lints]\nworkspace = true\n";
    let repo = Repo::of(&[
        (
            "crates/model/Cargo.toml",
            &format!("{lints}[dependencies]\ntokio.workspace = true\nproto = {{}}\n"),
        ),
        ("crates/smtp/Cargo.toml", &format!("{lints}[dependencies]\n[dependencies.access]\npath = 'x'\n")),
        (
            "crates/access/Cargo.toml",
            &format!("{lints}[dev-dependencies]\ntestkit.workspace = true\nsqlx = '1'\n"),
        ),
        ("crates/helpers/Cargo.toml", lints),
        ("crates/web/Cargo.toml", "[dependencies]\n"),
        (
            "crates/proto/src/a.rs",
            "use tokio::io;\nlet x = std::env::var(\"A\"); // sqlx::x\nlet my_sqlx::x = 1;\n",
        ),
        ("crates/proto/src/tests/a.rs", "use tokio::io;\n"),
    ]);
    let found = findings(&repo);
    let expected = [
        "crates/access/Cargo.toml: sqlx is for",
        "crates/helpers/Cargo.toml: no crate",
        "crates/model/Cargo.toml: tokio is for",
        "crates/model/Cargo.toml: model may not use proto",
        "crates/smtp/Cargo.toml: smtp may not use access",
        "crates/web/Cargo.toml: the workspace's lints",
        "crates/proto/src/a.rs:1: proto may not use tokio",
        "crates/proto/src/a.rs:2: proto may not use std::env",
        "crates/proto/src/a.rs:2: proto may not use env::var",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}
