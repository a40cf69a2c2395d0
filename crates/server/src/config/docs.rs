//! `docs/configuration.md` and `config/congthu.example.toml`, written from the definitions.
//!
//! Invariant: a test fails when either file is not what these functions return.

use super::defs::{Fallback, TABLES, Table};
use super::parse::of_table;
use std::fmt::Write as _;

/// The reference, in Markdown.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Written by `congthu config docs` from crates/server/src/config/defs.rs; do not edit by hand. -->\n\n\
         One TOML file: the one that `--config FILE` names, else `CONGTHU_CONFIG`, else `/etc/congthu/congthu.toml` \
         if it is there, else the defaults below. An unknown key is an error. A relative path starts at the file's \
         directory. Sizes are in bytes or with KB, MB, GB, TB (1 KB = 1,024 bytes).\n",
    );
    for table in TABLES {
        let _ = write!(page, "\n## {}\n\n{}\n\n", title(table), table.doc);
        page.push_str("| Key | Value | When absent | |\n|---|---|---|---|\n");
        for option in of_table(table.name) {
            let absent = match option.fallback {
                Fallback::Value(value) => format!("`{value}`"),
                Fallback::Absent(words) => words.to_owned(),
                Fallback::Required => "required".to_owned(),
            };
            let kind = option.kind.replace('|', "\\|");
            let _ = writeln!(
                page,
                "| `{}` | {kind} | {absent} | {} Example: `{}` |",
                option.key, option.doc, option.example
            );
        }
    }
    page
}

/// The example file: everything commented out, so that copying it changes nothing.
pub(crate) fn example() -> String {
    let mut file = String::from(
        "# Công Thư: every option with its default, or an example where there is none.\n\
         # Written by `congthu config example`; the reference is docs/configuration.md.\n",
    );
    for table in TABLES {
        file.push('\n');
        for line in wrap(table.doc) {
            let _ = writeln!(file, "# {line}");
        }
        if !table.name.is_empty() {
            let _ = writeln!(file, "#{}", title_in_file(table));
        }
        for option in of_table(table.name) {
            for line in wrap(option.doc) {
                let _ = writeln!(file, "# {line}");
            }
            let (value, note) = match option.fallback {
                Fallback::Value(value) => (value, String::new()),
                Fallback::Absent(words) => (option.example, format!("  # absent: {words}")),
                Fallback::Required => (option.example, "  # required".to_owned()),
            };
            let _ = writeln!(file, "#{} = {value}{note}", option.key);
        }
    }
    file
}

fn title(table: &Table) -> String {
    if table.name.is_empty() { "Top of the file".to_owned() } else { format!("`{}`", title_in_file(table)) }
}

fn title_in_file(table: &Table) -> String {
    match table.begin {
        None => format!("[{}]", table.name),
        Some(_) => format!("[[{}]]", table.name),
    }
}

/// Lines of at most 100 characters, broken at spaces.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + word.len() >= 100) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn the_files_are_current() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for (file, current) in
            [("docs/configuration.md", reference()), ("config/congthu.example.toml", example())]
        {
            let found = std::fs::read_to_string(format!("{root}/{file}")).unwrap_or_default();
            assert!(
                found == current,
                "{file} is out of date: write it anew with `congthu config docs|example`"
            );
        }
    }

    #[test]
    fn the_example_is_accepted_as_it_is_and_with_every_option_switched_on() {
        Config::parse(&example(), "example").unwrap();
        let active: String = example()
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
            .fold(String::new(), |mut all, line| {
                // Alternatives of a key just above.
                if !line.starts_with("url_file") && !line.starts_with("owner_url_file") {
                    all.push_str(line);
                }
                all.push('\n');
                all
            });
        assert!(active.contains("\n[database]\nurl = ") || active.contains("\nurl = "), "{active}");
        let config = Config::parse(&active, "active example").unwrap();
        assert_eq!(config.hostname(), "mail.demo.gov.vn");
        assert_eq!(config.listeners.len(), 1);
    }

    #[test]
    fn every_option_belongs_to_a_table_and_comes_once() {
        let mut seen = std::collections::BTreeSet::new();
        for definition in super::super::defs::definitions() {
            assert!(TABLES.iter().any(|table| table.name == definition.table), "{definition:?}");
            assert!(seen.insert((definition.table, definition.key)), "{definition:?}");
        }
    }
}
