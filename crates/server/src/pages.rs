//! `congthu completions` and `congthu man`: written from the definitions of the command line, so that they cannot be out of
//! date.

use crate::cli::{Arguments, Shell};
use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use std::path::Path;

/// The name under which shells know us.
const PROGRAM: &str = "congthu";

/// The script with which a shell completes our command line.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut Arguments::command(), PROGRAM, &mut script);
    script
}

/// The manual page of the program.
///
/// # Errors
/// None in practice: it is written to memory.
pub(crate) fn manual() -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page).context("cannot write the manual page")?;
    Ok(page)
}

/// Writes a manual page for the program and for each of its commands.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn manuals(directory: &Path) -> Result<()> {
    let cannot = || format!("cannot write manual pages to {}; make the directory first", directory.display());
    clap_mangen::generate_to(Arguments::command(), directory).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completions(shell)).unwrap();
            for word in ["mailbox", "passwd", "add-many", "completions"] {
                assert!(script.contains(word), "{shell:?} {word}");
            }
        }
    }

    #[test]
    fn each_command_has_its_page() {
        let directory = tempfile::tempdir().unwrap();
        manuals(directory.path()).unwrap();
        for name in ["congthu.1", "congthu-serve.1", "congthu-mailbox-add.1", "congthu-check.1"] {
            let page = std::fs::read_to_string(directory.path().join(name)).unwrap();
            assert!(page.contains(".TH"), "{name}");
        }
        assert!(String::from_utf8(manual().unwrap()).unwrap().contains("mailbox"));
        assert!(manuals(&directory.path().join("none")).is_err());
    }
}
