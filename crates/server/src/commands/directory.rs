//! `congthu directory …`
//!
//! Invariant: a published file is whole, or the one before; the same directory gives the same octets, so that whoever fetches the file
//! sees by it whether anything has changed.

use super::{Session, cannot_write, spreadsheet};
use crate::cli::{DirectoryCommand, DirectoryForm};
use anyhow::{Context as _, Result, bail};
use engine::{DirectoryEntry, DirectoryUnit, OpenDirectory};
use model::{Address, DomainName, MailboxClass};
use proto::vcard::{Card, Kind};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const HEADER: [&str; 8] = [
    "Địa chỉ",
    "Họ và tên",
    "Loại",
    "Mã đơn vị",
    "Đơn vị",
    "Mã đơn vị cấp trên",
    "Đơn vị cấp trên",
    "Chức vụ",
];
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
        let unit = entry.unit.as_ref().map_or_else(|| "-".to_owned(), |unit| path(unit).join(" > "));
        let positions = titles(entry).join(", ");
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
    check_json(session.json, form, out)?;
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

/// Standard output has the directory, or what is told of it.
fn check_json(json: bool, form: DirectoryForm, out: Option<&Path>) -> Result<()> {
    if json && out.is_none() && form != DirectoryForm::Json {
        bail!(
            "--json tells of a file that was written: name it with --out, or leave --json out to have the directory \
             on standard output"
        );
    }
    Ok(())
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

/// The unit above it, where there is one, and the unit: several have a room of one name.
fn path(unit: &DirectoryUnit) -> Vec<&str> {
    unit.parent.iter().map(|(_, name)| name.as_str()).chain([unit.name.as_str()]).collect()
}

/// Chức vụ: those in other units with the unit, from the room up, as it is said.
fn titles(entry: &DirectoryEntry) -> Vec<String> {
    let elsewhere = entry.elsewhere.iter().map(|(title, unit)| {
        let mut path = path(unit);
        path.reverse();
        format!("{title} ({})", path.join(", "))
    });
    entry.positions.iter().cloned().chain(elsewhere).collect()
}

fn item(entry: &DirectoryEntry) -> Value {
    let mut item = json!({
        "address": entry.address.to_string(),
        "name": entry.display_name,
        "class": entry.class,
        "positions": entry.positions,
        "positions_elsewhere": entry.elsewhere.iter().map(|(title, unit)| {
            let mut post = unit_item(Some(unit));
            post["title"] = title.as_str().into();
            post
        }).collect::<Vec<_>>(),
    });
    if let (Value::Object(item), Value::Object(unit)) = (&mut item, unit_item(entry.unit.as_ref())) {
        item.extend(unit);
    }
    item
}

fn unit_item(unit: Option<&DirectoryUnit>) -> Value {
    let parent = unit.and_then(|unit| unit.parent.as_ref());
    json!({
        "unit": unit.map(|unit| &unit.code),
        "unit_name": unit.map(|unit| &unit.name),
        "parent_unit": parent.map(|(code, _)| code),
        "parent_unit_name": parent.map(|(_, name)| name),
    })
}

fn as_json(domain: &DomainName, directory: &OpenDirectory) -> String {
    let entries: Value = directory.entries.iter().map(item).collect();
    format!(
        "{}\n",
        json!({ "domain": domain.as_str(), "shows": directory.shows.as_str(), "entries": entries })
    )
}

/// As the other lists that a spreadsheet opens.
fn as_csv(entries: &[DirectoryEntry]) -> Result<String> {
    let row = |entry: &DirectoryEntry| {
        let unit = entry.unit.as_ref();
        let (code, name) = unit.map_or(("", ""), |unit| (&unit.code, &unit.name));
        let parent = unit.and_then(|unit| unit.parent.as_ref());
        let (above, above_name) = parent.map_or(("", ""), |(code, name)| (code, name));
        let (address, titles) = (entry.address.to_string(), titles(entry).join("; "));
        let class = class_words(entry.class);
        [&address, &entry.display_name, class, code, name, above, above_name, &titles].map(str::to_owned)
    };
    spreadsheet::written(HEADER, entries.iter().map(row))
}

/// As lists of mailboxes name it (`congthu mailbox add-many`).
pub(super) const fn class_words(class: MailboxClass) -> &'static str {
    match class {
        MailboxClass::Person => "cá nhân",
        MailboxClass::Leader => "lãnh đạo",
        MailboxClass::Organisation => "đơn vị",
        MailboxClass::Service => "dịch vụ",
    }
}

fn as_vcards(entries: &[DirectoryEntry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let (organisation, titles) = (entry.unit.as_ref().map(path).unwrap_or_default(), titles(entry));
        let is_organisation = entry.class == MailboxClass::Organisation;
        let email = entry.address.to_string();
        let card = Card {
            kind: if is_organisation { Kind::Org } else { Kind::Individual },
            name: &entry.display_name,
            organisation: &organisation,
            titles: &titles,
            email: &email,
        };
        card.write(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(code: &str, name: &str, parent: Option<(&str, &str)>) -> DirectoryUnit {
        let parent = parent.map(|(code, name)| (code.to_owned(), name.to_owned()));
        DirectoryUnit { code: code.to_owned(), name: name.to_owned(), parent }
    }

    fn entry(name: &str) -> DirectoryEntry {
        DirectoryEntry {
            address: "vp@thu.test".parse().unwrap(),
            display_name: name.to_owned(),
            class: MailboxClass::Organisation,
            unit: Some(unit("VP", "Văn phòng", None)),
            positions: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    #[test]
    fn a_spreadsheet_opens_it_and_takes_no_name_for_a_formula() {
        let text = as_csv(&[entry("=cmd()"), entry("Văn phòng; tầng 2")]).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(
            lines[0],
            "\u{feff}Địa chỉ;Họ và tên;Loại;Mã đơn vị;Đơn vị;Mã đơn vị cấp trên;Đơn vị cấp trên;Chức vụ"
        );
        assert_eq!(lines[1], "vp@thu.test;'=cmd();đơn vị;VP;Văn phòng;;;");
        assert_eq!(lines[2], "vp@thu.test;\"Văn phòng; tầng 2\";đơn vị;VP;Văn phòng;;;");
    }

    #[test]
    fn a_room_is_named_with_the_unit_above_it_and_a_title_with_the_room_that_it_is_of() {
        let mut one = entry("Trần An");
        one.class = MailboxClass::Person;
        one.unit = Some(unit("khtc.soyte", "Phòng Kế hoạch - Tài chính", Some(("soyte", "Sở Y tế"))));
        one.positions = vec!["Chuyên viên".to_owned()];
        let other = unit("tccb.sonoivu", "Phòng Tổ chức cán bộ", Some(("sonoivu", "Sở Nội vụ")));
        one.elsewhere = vec![("Kế toán".to_owned(), other)];
        let entries = [one];
        let csv = as_csv(&entries).unwrap();
        let row = "cá nhân;khtc.soyte;Phòng Kế hoạch - Tài chính;soyte;Sở Y tế;\
                   \"Chuyên viên; Kế toán (Phòng Tổ chức cán bộ, Sở Nội vụ)\"\r\n";
        assert!(csv.ends_with(row), "{csv}");
        let card = as_vcards(&entries).replace("\r\n ", "");
        for line in [
            "ORG:Sở Y tế;Phòng Kế hoạch - Tài chính",
            "TITLE:Chuyên viên",
            "TITLE:Kế toán (Phòng Tổ chức cán bộ\\, Sở Nội vụ)",
        ] {
            assert!(card.lines().any(|of| of == line), "{line} in {card}");
        }
        let json = item(&entries[0]);
        assert_eq!((&json["unit"], &json["parent_unit"]), (&"khtc.soyte".into(), &"soyte".into()));
        assert_eq!(json["parent_unit_name"], "Sở Y tế");
        assert_eq!(json["positions"], json!(["Chuyên viên"]));
        let elsewhere = &json["positions_elsewhere"][0];
        assert_eq!((&elsewhere["title"], &elsewhere["unit"]), (&"Kế toán".into(), &"tccb.sonoivu".into()));
        assert_eq!(elsewhere["parent_unit_name"], "Sở Nội vụ");
    }

    #[test]
    fn a_directory_in_another_form_is_no_answer_in_json() {
        let file = Some(Path::new("danh-ba.csv"));
        for form in [DirectoryForm::Csv, DirectoryForm::Vcard] {
            assert!(check_json(true, form, None).unwrap_err().to_string().contains("--out"));
            assert!(check_json(true, form, file).is_ok() && check_json(false, form, None).is_ok());
        }
        assert!(check_json(true, DirectoryForm::Json, None).is_ok());
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
