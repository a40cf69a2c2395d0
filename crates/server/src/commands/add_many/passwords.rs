//! The sheet of one-time passwords: on paper they are handed out, so it is the one file with them.
//!
//! Invariants: it is for its owner alone from the first octet on: a file that is there already is only added to when it is one that we
//! began, which nobody else can read, and never through a link; what is written is on the disk before the mailboxes are; no cell
//! is taken for a formula.

use anyhow::{Context as _, Result, bail};
use engine::Issued;
use rustix::fs::{FlockOperation, OFlags};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The first line. Excel takes the file for UTF-8 by the mark, and parts columns at semicolons where Vietnam's settings are.
const HEADER: &str = "\u{feff}Dòng;Đơn vị;Họ và tên;Địa chỉ;Mật khẩu dùng một lần\n";
/// Where a file that root opened for us is found.
const HANDED: &str = "/dev/fd/";

/// A new sheet, or one that an earlier run began. Nothing is in a new one until there is a password: a run that makes nothing leaves none.
pub(super) struct Passwords {
    file: File,
    path: PathBuf,
}

impl Passwords {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (file, _) = open_for(path, rustix::process::geteuid().as_raw(), is_handed(path))?;
        // Whoever ends without a password takes an empty sheet away: not another run's.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                bail!("another run is writing passwords to {}: name another file", place(path).display())
            }
            locked => locked.with_context(|| format!("cannot lock {}", place(path).display()))?,
        }
        end_torn_line(&file).with_context(|| format!("cannot mend {}", place(path).display()))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// On the disk before the mailboxes are.
    pub(super) fn write(&mut self, batch: &[Issued]) -> std::io::Result<()> {
        let mut rows = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
        for issued in batch {
            rows.write_record([
                &issued.row.to_string(),
                &*plain(issued.unit.as_deref().unwrap_or_default()),
                &*plain(&issued.name),
                &*plain(&issued.address),
                issued.one_time_password.as_deref().unwrap_or_default(),
            ])?;
        }
        let rows = rows.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        let before = self.file.metadata()?.len();
        let header = if before == 0 && !batch.is_empty() { HEADER } else { "" };
        let written = self.file.write_all(&[header.as_bytes(), &rows].concat());
        written.and_then(|()| self.file.sync_all()).inspect_err(|_| {
            // Of mailboxes that are not made then; where this fails as well, the next run ends the torn line.
            let _ = self.file.set_len(before);
        })
    }

    /// Takes a sheet away in which nothing is. Where it lies, if it lies where only root may do that.
    pub(super) fn close(self) -> Option<PathBuf> {
        let ours = self.file.metadata().ok().filter(|file| file.len() == 0)?;
        let place = place(&self.path);
        let there = std::fs::symlink_metadata(&place).ok();
        let is_ours = there.is_some_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        (is_ours && std::fs::remove_file(&place).is_err()).then_some(place)
    }
}

/// Ends the line that a run left unfinished when its disk was full or its machine died, so that the next row is a row of its own. Of a
/// header no more than the beginning goes.
fn end_torn_line(mut file: &File) -> std::io::Result<()> {
    let (mut last, mut length) = (Vec::new(), 0);
    let mut reader = BufReader::new(file);
    reader.rewind()?;
    loop {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line)? {
            0 => break,
            octets => length += octets,
        }
        last = line;
    }
    if last.is_empty() || last.ends_with(b"\n") {
        return Ok(());
    }
    if length < HEADER.len() {
        return file.set_len(0);
    }
    let is_quoted = last.iter().filter(|octet| **octet == b'"').count() % 2 == 1;
    file.write_all(if is_quoted { b"\"\n" } else { b"\n" })
}

/// Where the sheet lies, whole, as whoever prints it looks for it.
pub(super) fn place(path: &Path) -> PathBuf {
    let place = if is_handed(path) { std::fs::read_link(path) } else { std::path::absolute(path) };
    place.unwrap_or_else(|_| path.to_owned())
}

fn is_handed(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().starts_with(HANDED)
}

/// The file, and whether it was made just now. One that is there must be `owner`'s. Only what was `handed` on may be named by a link.
pub(crate) fn open_for(path: &Path, owner: u32, handed: bool) -> Result<(File, bool)> {
    let cannot = || format!("cannot write passwords to {}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    if !handed {
        match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok((made.with_context(cannot)?, true)),
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    let is_private = metadata.is_file() && metadata.uid() == owner && metadata.mode() & 0o077 == 0;
    let mut first = String::new();
    if is_private {
        BufReader::new(&file).take_line(&mut first).with_context(cannot)?;
    }
    if !is_private || metadata.nlink() != 1 || !HEADER.starts_with(&first) {
        bail!("{} is there and no sheet of passwords that only we can read: name a new file", path.display());
    }
    Ok((file, false))
}

trait TakeLine {
    fn take_line(self, line: &mut String) -> std::io::Result<()>;
}

impl TakeLine for BufReader<&File> {
    /// Of a file that is none of ours no more than the header has.
    fn take_line(self, line: &mut String) -> std::io::Result<()> {
        let mut octets = Vec::new();
        std::io::Read::take(self, HEADER.len() as u64).read_until(b'\n', &mut octets)?;
        line.push_str(&String::from_utf8_lossy(&octets));
        Ok(())
    }
}

/// What a spreadsheet does not take for a formula: a list comes from others.
pub(in crate::commands) fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn only_a_sheet_of_ours_is_added_to() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let new = |name: &str, text: &str, mode| {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
        };
        Passwords::open(&at("new")).unwrap().write(&[issued(2, "Lê An")]).unwrap();
        assert_eq!(std::fs::metadata(at("new")).unwrap().mode() & 0o777, 0o600);
        Passwords::open(&at("new")).unwrap().write(&[issued(3, "Lê Bê")]).unwrap();
        let text = std::fs::read_to_string(at("new")).unwrap();
        let lines = "2;Sở Nội vụ;Lê An;a@b.vn;x\n3;Sở Nội vụ;Lê Bê;a@b.vn;x\n";
        assert_eq!(text, format!("{HEADER}{lines}"), "one header");
        let open_already = File::open(at("new")).unwrap();
        let handed = format!("{HANDED}{}", std::os::fd::AsRawFd::as_raw_fd(&open_already));
        let whole = directory.path().canonicalize().unwrap().join("new");
        assert_eq!((place(Path::new(&handed)), place(&whole)), (whole.clone(), whole));
        assert_eq!(place(Path::new("new")), std::env::current_dir().unwrap().join("new"));
        new("readable", HEADER, 0o644);
        new("other", "something else\n", 0o600);
        symlink(at("new"), at("link")).unwrap();
        std::fs::hard_link(at("other"), at("second")).unwrap();
        for name in ["readable", "other", "link", "second"] {
            assert!(Passwords::open(&at(name)).is_err(), "{name}");
        }
        assert!(Passwords::open(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn no_cell_is_a_formula() {
        let directory = tempfile::tempdir().unwrap();
        let mut sheet = Passwords::open(&directory.path().join("a.csv")).unwrap();
        let issued = Issued { unit: Some("@SUM(1)".into()), ..issued(2, "=1+1") };
        sheet.write(&[issued]).unwrap();
        let text = std::fs::read_to_string(directory.path().join("a.csv")).unwrap();
        assert_eq!(text, format!("{HEADER}2;'@SUM(1);'=1+1;a@b.vn;x\n"));
    }

    #[test]
    fn a_run_that_makes_nothing_leaves_no_sheet_and_takes_none_away() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("a.csv");
        assert_eq!(Passwords::open(&at).unwrap().close(), None);
        assert!(!at.exists(), "nothing was in it");
        Passwords::open(&at).unwrap().write(&[issued(2, "Lê An")]).unwrap();
        let written = std::fs::read_to_string(&at).unwrap();
        assert_eq!(Passwords::open(&at).unwrap().close(), None);
        assert_eq!(std::fs::read_to_string(&at).unwrap(), written, "passwords of an earlier run stay");
        // As root hands one on, and where another has the name by now.
        let place = directory.path().canonicalize().unwrap().join("b.csv");
        let sheet = Passwords::open(&place).unwrap();
        std::fs::rename(&place, directory.path().join("c.csv")).unwrap();
        std::fs::write(&place, "").unwrap();
        assert_eq!(sheet.close(), None);
        assert!(place.exists(), "another file");
    }

    #[test]
    fn two_runs_do_not_share_a_sheet_and_a_torn_line_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("a.csv");
        let first = Passwords::open(&at).unwrap();
        let refused = Passwords::open(&at).err().unwrap().to_string();
        assert!(refused.contains("another run"), "{refused}");
        assert_eq!((first.close(), at.exists()), (None, false));
        Passwords::open(&at).unwrap().write(&[issued(2, "Lê An")]).unwrap();
        let torn = |text: &str| {
            let mut file = OpenOptions::new().append(true).open(&at).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        torn("3;Sở Nội vụ;\"Lê;");
        Passwords::open(&at).unwrap().write(&[issued(3, "Lê Bê")]).unwrap();
        torn("4;Sở");
        Passwords::open(&at).unwrap().write(&[issued(4, "Lê Cam")]).unwrap();
        let text = std::fs::read_to_string(&at).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "2;Sở Nội vụ;Lê An;a@b.vn;x",
                "3;Sở Nội vụ;\"Lê;\"",
                "3;Sở Nội vụ;Lê Bê;a@b.vn;x",
                "4;Sở",
                "4;Sở Nội vụ;Lê Cam;a@b.vn;x"
            ]
        );
        // Of a header alone nothing is worth keeping.
        std::fs::write(&at, "\u{feff}Dòng;Đơn").unwrap();
        Passwords::open(&at).unwrap().write(&[issued(2, "Lê An")]).unwrap();
        assert_eq!(std::fs::read_to_string(&at).unwrap(), format!("{HEADER}2;Sở Nội vụ;Lê An;a@b.vn;x\n"));
    }

    fn issued(row: u32, name: &str) -> Issued {
        Issued {
            row,
            unit: Some("Sở Nội vụ".into()),
            name: name.into(),
            address: "a@b.vn".into(),
            one_time_password: Some("x".into()),
        }
    }
}
