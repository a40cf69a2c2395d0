//! The policy: what it says is in force is read by something, and what it says is to come is not.

use super::{Repo, product_code};

const POLICY: &str = "crates/model/src/policy/";
const COMING: &str = "crates/model/src/policy/coming.rs";

pub(super) fn findings(repo: &Repo) -> Vec<String> {
    let code: Vec<String> = repo
        .ending(".rs")
        .filter(|(path, _)| path.starts_with("crates/") && !path.starts_with(POLICY))
        .map(|(path, text)| product_code(path, text).split_whitespace().collect())
        .collect();
    let coming = repo.files.get(COMING).map(String::as_str).unwrap_or_default();
    let mut findings = Vec::new();
    for key in fields(repo) {
        let (section, name) = key.split_once('.').unwrap_or_default();
        let is_coming = coming.contains(&format!("\"{key}\""));
        // A section is often handed on whole, so its name need not stand before the field's.
        let read = if is_coming { format!(".{section}.{name}") } else { format!(".{name}") };
        let is_read = code.iter().any(|text| text.contains(&read));
        if is_coming == is_read {
            let what = if is_read { "is read, so it is in force" } else { "is read by nothing" };
            findings.push(format!("{COMING}: {key} {what}"));
        }
    }
    findings
}

/// Keys, as the sections define them: `name: type = default, unit range, label, requirement;` below `Type section TABLE {`.
fn fields(repo: &Repo) -> Vec<String> {
    let mut keys = Vec::new();
    for (_, text) in repo.ending(".rs").filter(|(path, _)| path.starts_with(POLICY)) {
        let mut section = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["section!", "{"] => section = Some(""),
                [_, name, table, "{"]
                    if section == Some("") && table.chars().all(|c| c.is_ascii_uppercase()) =>
                {
                    section = Some(name);
                }
                ["}"] if line == "}" => section = None,
                [name, ..] => {
                    if let (Some(section), Some(field)) = (section, name.strip_suffix(':'))
                        && !section.is_empty()
                    {
                        keys.push(format!("{section}.{field}"));
                    }
                }
                [] => {}
            }
        }
    }
    keys
}

#[test]
fn a_rule_without_effect_is_found() {
    let conduct = "section! {\n    /// x\n    Sending sending SENDING {\n        a: bool = true, Plain 0..=0, \"A\", \"D1\";\n        b: u32 = 1, Count 0..=9, \"B\", \"D2\";\n    }\n}\n";
    let repo = |engine: &str, coming: &str| {
        Repo::of(&[
            ("crates/model/src/policy/conduct.rs", conduct),
            (COMING, coming),
            ("crates/engine/src/lib.rs", engine),
        ])
    };
    assert_eq!(fields(&repo("", "")), ["sending.a", "sending.b"]);
    assert!(findings(&repo("policy.sending.a && policy\n.sending.b", "")).is_empty());
    assert!(findings(&repo("policy.sending.a", "\"sending.b\"")).is_empty());
    assert_eq!(findings(&repo("policy.sending.a", "")).len(), 1);
    assert_eq!(findings(&repo("policy.sending.a && policy.sending.b", "\"sending.b\"")).len(), 1);
}
