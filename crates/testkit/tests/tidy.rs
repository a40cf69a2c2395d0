//! Holds the style of the whole repository (`docs/style.md`): who may depend on whom, sizes, words, the RFC index, rules
//! that are in force, and documents that speak of what exists.
//!
//! Every check is a function from a repository to findings, so that each is itself tested on a small made-up one.

#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/edges.rs"]
mod edges;
#[path = "tidy/policies.rs"]
mod policies;
#[path = "tidy/rfcs.rs"]
mod rfcs;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/words.rs"]
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files with text of ours; anything larger is data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// What of the repository the checks look at.
#[derive(Debug, Default)]
struct Repo {
    /// Every file by its path from the root, `/` between names; the text is empty for data.
    files: BTreeMap<String, String>,
}

impl Repo {
    fn load(root: &Path) -> Self {
        let mut repo = Self::default();
        let mut pending = vec![root.to_path_buf()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).unwrap().flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() && !is_made(&name, &directory) {
                    pending.push(path);
                } else if kind.is_file() {
                    let inside = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    let text = if is_text(&path) {
                        fs::read_to_string(&path).unwrap_or_default()
                    } else {
                        String::new()
                    };
                    repo.files.insert(inside, text);
                }
            }
        }
        repo
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self { files: owned.collect() }
    }

    /// Paths and texts with this ending.
    fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| path.ends_with(ending))
    }

    /// A file or a directory of this path exists.
    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&format!("{path}/")))
    }
}

/// Directories that hold what programs made.
fn is_made(name: &str, parent: &Path) -> bool {
    let hidden = name.starts_with('.') && name != ".ci" && name != ".config";
    let fuzzed = parent.ends_with("fuzz") && matches!(name, "corpus" | "artifacts" | "coverage");
    hidden || fuzzed || name.starts_with("target") || matches!(name, "node_modules" | "__pycache__")
}

fn is_text(path: &Path) -> bool {
    let known = match path.extension() {
        Some(extension) => {
            ["rs", "toml", "md", "sql", "tsv", "sh", "py", "txt", "pl"].iter().any(|ours| extension == *ours)
        }
        None => true,
    };
    known && fs::metadata(path).is_ok_and(|metadata| metadata.len() <= TEXT_BYTES_MAX)
}

/// The part of a file that is built into the product: what stands before its `mod tests`, nothing of a test file.
fn product_code<'a>(path: &str, text: &'a str) -> &'a str {
    let parts: Vec<&str> = path.split('/').collect();
    let of_tests =
        |part: &&str| matches!(*part, "tests" | "tests.rs" | "fuzz") || part.ends_with("_tests.rs");
    if parts.iter().any(of_tests) {
        return "";
    }
    const TESTS: &str = "\n#[cfg(test)]\n";
    let opens = |at: &usize| !text[at + TESTS.len()..].lines().next().is_some_and(|line| line.ends_with(';'));
    text.match_indices(TESTS).map(|(at, _)| at).find(opens).map_or(text, |at| &text[..=at])
}

#[track_caller]
fn check(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn repo() -> Repo {
    Repo::load(testkit::workspace())
}

#[test]
fn crates_depend_only_on_whom_they_may() {
    check(&edges::findings(&repo()));
}

#[test]
fn files_and_functions_are_small() {
    check(&sizes::findings(&repo()));
}

#[test]
fn words_are_ours() {
    check(&words::findings(&repo()));
}

#[test]
fn the_rfc_index_is_true() {
    check(&rfcs::findings(&repo()));
}

#[test]
fn rules_are_in_force_or_said_to_come() {
    check(&policies::findings(&repo()));
}

#[test]
fn documents_speak_of_what_exists() {
    check(&docs::findings(&repo()));
}

#[test]
fn product_code_ends_where_tests_begin() {
    let text = "//! x\nfn a() {}\n\n#[cfg(test)]\nmod tests {}\n";
    assert_eq!(product_code("crates/model/src/lib.rs", text), "//! x\nfn a() {}\n\n");
    let elsewhere = "//! x\n#[cfg(test)]\nmod tests;\nfn a() {}\n";
    assert_eq!(product_code("crates/model/src/lib.rs", elsewhere), elsewhere);
    assert_eq!(product_code("crates/model/src/tests/a.rs", text), "");
    assert_eq!(product_code("crates/model/src/a.rs", "//! x\n"), "//! x\n");
}
