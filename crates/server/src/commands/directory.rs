//! `congthu directory …`
//!
//! Invariant: a published file is whole, or the one before; the same directory gives the same octets, so that whoever fetches the file
//! sees by it whether anything has changed.

use super::add_many::passwords::plain;
use super::{Session, cannot_write};
use crate::cli::{DirectoryCommand, DirectoryForm};
use anyhow::{Context as _, Result};
use engine::{DirectoryEntry, OpenDirectory};
use model::{Address, DomainName, MailboxClass};
use proto::vcard::{Card, Kind};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A portal's web server reads it.
const MODE: u32 = 0o644;

pub(super) async fn run(session: &Session, command: &DirectoryCommand) -> Result<()> {
    match command {
        DirectoryCommand::Search { domain, words, after, limit } => {
            search(session, domain, &words.join(" "), (after.as_ref(), *limit)).await
        }
        DirectoryCommand::Publish { domain, form, out } => {
            publish(session, domain, *form, out.as_deref()).await
        }
    }
}

async fn search(
    session: &Session,
    domain: &DomainName,
    words: &str,
    page: (Option<&Address>, u32),
) -> Result<()> {
    let found = session.node.engine.directory(&session.actor, domain, words, page).await?;
    let line = |entry: &DirectoryEntry| {
        let unit = entry.unit.as_ref().map_or("-", |(_, name)| name.as_str());
        let positions = entry.positions.join(", ");
        format!("{}\t{}\t{positions}\t{unit}\n", entry.address, entry.display_name)
    };
    let text: String = found.iter().map(line).collect();
    session.answer(&found.iter().map(item).collect(), &text)
}

async fn publish(
    session: &Session,
    domain: &DomainName,
    form: DirectoryForm,
    out: Option<&Path>,
) -> Result<()> {
    let engine = &session.node.engine;
    let directory = engine.open_directory(&session.actor, domain).await?;
    let (text, name) = match form {
        DirectoryForm::Json => (as_json(domain, &directory), "json"),
        DirectoryForm::Csv => (as_csv(&directory.entries)?, "csv"),
        DirectoryForm::Vcard => (as_vcards(&directory.entries), "vcard"),
    };
    let Some(file) = out else {
        engine.directory_published(&session.actor, domain, &directory, name).await?;
        let mut out = std::io::stdout().lock();
        return out.write_all(text.as_bytes()).context("cannot write the directory to standard output");
    };
    let count = directory.entries.len();
    let is_new = fs::read(file).ok().as_deref() != Some(text.as_bytes());
    if is_new {
        let note = async || Ok(engine.directory_published(&session.actor, domain, &directory, name).await?);
        replace(file, &text, note).await?;
    }
    let file = file.display();
    let said = if is_new {
        format!("{file}: {count} mục, danh bạ công khai: {} (written)", directory.shows.label())
    } else {
        format!("{file}: {count} mục, không thay đổi (unchanged)")
    };
    session.answer(&json!({ "entries": count, "shows": directory.shows.as_str(), "written": is_new }), &said)
}

/// Noted when it can be written, published when it is noted.
async fn replace(file: &Path, text: &str, note: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let fresh = Fresh::write(file, text).map_err(|error| cannot_write(file, error))?;
    note().await?;
    fresh.publish(file).map_err(|error| cannot_write(file, error))
}

/// A whole file beside the one it will replace: what cannot be written is not said to be published, and what cannot be written
/// down is not published. Dropped before, it is removed.
struct Fresh(PathBuf);

impl Fresh {
    fn write(file: &Path, text: &str) -> std::io::Result<Self> {
        // No file can come where this is: said here, not after it was written down.
        if file.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        // Of this process alone: one publisher does not take another's half a file for its own.
        let mut path = file.as_os_str().to_owned();
        path.push(format!(".{}.new", std::process::id()));
        let path = PathBuf::from(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path)?;
        let fresh = Self(path);
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        Ok(fresh)
    }

    /// Where `file` is a link, the link is replaced, not what it leads to.
    fn publish(self, file: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, file)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Renamed, it is gone; what else cannot be removed is replaced the next time.
        let _ = fs::remove_file(&self.0);
    }
}

fn item(entry: &DirectoryEntry) -> Value {
    json!({
        "address": entry.address.to_string(),
        "name": entry.display_name,
        "class": entry.class,
        "unit": entry.unit.as_ref().map(|(code, _)| code),
        "unit_name": entry.unit.as_ref().map(|(_, name)| name),
        "positions": entry.positions,
    })
}

fn as_json(domain: &DomainName, directory: &OpenDirectory) -> String {
    let entries: Value = directory.entries.iter().map(item).collect();
    format!(
        "{}\n",
        json!({ "domain": domain.as_str(), "shows": directory.shows.as_str(), "entries": entries })
    )
}

fn as_csv(entries: &[DirectoryEntry]) -> Result<String> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["address", "name", "class", "unit", "unit_name", "positions"])?;
    for entry in entries {
        let (code, unit) = entry.unit.as_ref().map_or(("", ""), |(code, name)| (code, name));
        let (address, positions) = (entry.address.to_string(), entry.positions.join("; "));
        let cells = [&address, &entry.display_name, entry.class.as_str(), code, unit, &positions];
        rows.write_record(cells.map(|cell| plain(cell).into_owned()))?;
    }
    String::from_utf8(rows.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?).context("not UTF-8")
}

fn as_vcards(entries: &[DirectoryEntry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let is_organisation = entry.class == MailboxClass::Organisation;
        let email = entry.address.to_string();
        let card = Card {
            kind: if is_organisation { Kind::Org } else { Kind::Individual },
            name: &entry.display_name,
            organisation: entry.unit.as_ref().map_or("", |(_, name)| name),
            titles: &entry.positions,
            email: &email,
        };
        card.write(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> DirectoryEntry {
        DirectoryEntry {
            address: "vp@thu.test".parse().unwrap(),
            display_name: name.to_owned(),
            class: MailboxClass::Organisation,
            unit: Some(("VP".to_owned(), "Văn phòng".to_owned())),
            positions: Vec::new(),
        }
    }

    #[test]
    fn a_spreadsheet_takes_no_name_for_a_formula() {
        let text = as_csv(&[entry("=cmd()"), entry("Văn phòng, tầng 2")]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "vp@thu.test,'=cmd(),organisation,VP,Văn phòng,");
        assert_eq!(lines[2], "vp@thu.test,\"Văn phòng, tầng 2\",organisation,VP,Văn phòng,");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_noted_and_what_is_not_noted_is_not_published() {
        let directory = tempfile::tempdir().unwrap();
        let mut noted = 0;
        for file in [directory.path().join("none/danh-ba.json"), directory.path().to_owned()] {
            let note = async || {
                noted += 1;
                Ok(())
            };
            assert!(replace(&file, "one", note).await.is_err(), "{}", file.display());
        }
        assert_eq!(noted, 0);
        let file = directory.path().join("danh-ba.json");
        assert!(replace(&file, "one", async || anyhow::bail!("the log cannot be written")).await.is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
        replace(&file, "one", async || Ok(())).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("danh-ba.json"), directory.path().join("other"));
        fs::write(&other, "other").unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        Fresh::write(&file, "one").unwrap().publish(&file).unwrap();
        Fresh::write(&file, "two").unwrap().publish(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing is left behind");
    }
}
