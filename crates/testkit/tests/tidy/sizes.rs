//! Sizes of files and functions.

use super::{Repo, product_code};

/// A file's code without its tests: what one reads at a sitting.
const FILE_LINES_MAX: usize = 400;
/// With its tests, and for a file of tests alone.
const FILE_WITH_TESTS_LINES_MAX: usize = 800;
/// From `fn` to its closing brace: a page on the screen.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may be longer, each with its reason.
const LARGE_FILES: &[(&str, &str)] = &[];

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in repo.ending(".rs") {
        let (code, all) = (product_code(path, text).lines().count(), text.lines().count());
        if !LARGE_FILES.iter().any(|(large, _)| *large == path) {
            if code > FILE_LINES_MAX {
                findings.push(format!("{path}: {code} lines without tests, {FILE_LINES_MAX} are allowed"));
            }
            if all > FILE_WITH_TESTS_LINES_MAX {
                findings.push(format!("{path}: {all} lines, {FILE_WITH_TESTS_LINES_MAX} are allowed"));
            }
        }
        for (line, name, length) in functions(text) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{path}:{line}: fn {name} has {length} lines, {FUNCTION_LINES_MAX} are allowed"
                ));
            }
        }
    }
    for (path, reason) in LARGE_FILES {
        if !repo.has(path) || reason.is_empty() {
            findings.push(format!("{path}: listed as large, but gone or without reason"));
        }
    }
    findings
}

/// First line, name and number of lines of each function with a body. Leans on rustfmt: a function's closing brace stands
/// alone, as far in as its `fn` line.
fn functions(text: &str) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", &line[..indent]);
        let body = lines[start..].iter().position(|line| line.ends_with('{'));
        let semicolon = lines[start..].iter().position(|line| line.ends_with(';'));
        let one_line = line.ends_with('}') || line.ends_with(';');
        let without_body = matches!((body, semicolon), (Some(body), Some(end)) if end < body);
        if one_line || without_body {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(|line| **line == closing) {
            found.push((start + 1, name, length + 1));
        }
    }
    found
}

/// The name, if this line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        let word = words.next()?;
        match word {
            "fn" => return words.next().map(|rest| rest.split(['(', '<']).next().unwrap_or(rest)),
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" | "default" => {}
            visibility if visibility.starts_with("pub(") => {}
            "super)" | "crate)" => {}
            _ => return None,
        }
    }
}

#[test]
fn measures_functions() {
    let text = "\
trait T {
    fn signature(
        self,
    ) -> u8;
    fn default(self) {
        one();
    }
}
fn short() {}
pub(in super) async fn odd() {}
pub(crate) const fn long(
    x: u8,
) -> u8 {
    if x > 1 {
        2
    }
}
// fn comment() {
";
    assert_eq!(functions(text), [(5, "default", 3), (11, "long", 7)]);
}

#[test]
fn finds_what_is_too_large() {
    let body = |lines: usize| "    x();\n".repeat(lines);
    let big_function = format!("//! a\nfn a() {{\n{}}}\n", body(69));
    let fits = format!("//! a\nfn a() {{\n{}}}\n", body(68));
    let file = "// x\n".repeat(401);
    let tests = "// x\n".repeat(399) + "\n#[cfg(test)]\n" + &"// x\n".repeat(400);
    let repo = Repo::of(&[
        ("crates/a/src/function.rs", &big_function),
        ("crates/a/src/fits.rs", &fits),
        ("crates/a/src/file.rs", &file),
        ("crates/a/src/tests.rs", &file),
        ("crates/a/src/with_tests.rs", &tests),
    ]);
    let found = findings(&repo);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("file.rs: 401 lines without tests"), "{found:#?}");
    assert!(found[1].contains("function.rs:2: fn a has 71 lines"), "{found:#?}");
    assert!(found[2].contains("with_tests.rs: 801 lines"), "{found:#?}");
}
