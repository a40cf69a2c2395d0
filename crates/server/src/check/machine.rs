//! The machine: the data directory, the content directory, room on the disks, open files.

use super::Findings;
use crate::config::Config;
use crate::files;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Below this, the next large delivery or Postgres' log may not fit.
const FREE_BYTES_LEAST: u64 = 1 << 30;
/// Below this, it is time to see where it goes.
const FREE_BYTES_GOOD: u64 = 10 << 30;
/// Of the permissions, those of others than the owner.
const OTHERS: u32 = 0o077;

pub(super) fn look(config: &Config, findings: &mut Findings) {
    data_dir(&config.data_dir, findings);
    if let Some(directory) = &config.content.directory {
        content_dir(directory, findings);
    }
    open_files(config, findings);
}

fn data_dir(directory: &Path, findings: &mut Findings) {
    let shown = directory.display();
    let metadata = match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => {
            return findings.error("data_dir", format!("{shown} is no directory"), "name another data_dir");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mend = "the first congthu serve makes it";
            return findings.warn("data_dir", format!("{shown} is not there"), mend);
        }
        Err(error) => {
            let mend = "let the user congthu enter every directory above it";
            return findings.error("data_dir", format!("{shown}: {error}"), mend);
        }
    };
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        let what = format!("{shown} belongs to user id {}, and this is user id {user}", metadata.uid());
        return findings.error(
            "data_dir",
            what,
            format!("chown -R congthu: {shown}, or run this as its owner"),
        );
    }
    let mode = metadata.permissions().mode();
    if mode & OTHERS == 0 {
        findings.ok("data_dir", format!("{shown} is this user's alone"));
    } else {
        let what = format!("{shown} may be entered by others (mode {:o})", mode & 0o777);
        findings.warn("data_dir", what, format!("chmod 700 {shown}"));
    }
    room("data_dir", directory, findings);
}

fn content_dir(directory: &Path, findings: &mut Findings) {
    let shown = directory.display();
    if !directory.is_dir() {
        let mend = "make it, owned by the user congthu; if it was there before, its disk may not be mounted";
        return findings.error("content", format!("{shown} is not there"), mend);
    }
    match write_durably(directory) {
        Ok(()) => findings.ok("content", format!("{shown} can be written, and synced to its disk")),
        Err(error) => {
            let mend = "let the user congthu write there, on a file system that can sync";
            findings.error("content", format!("{shown} cannot be written: {error}"), mend);
        }
    }
    room("content", directory, findings);
}

/// As content is written: a file, its name, and both on the disk.
fn write_durably(directory: &Path) -> std::io::Result<()> {
    let name = directory.join(format!(".congthu-check-{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name).and_then(|mut file| {
            file.write_all(b"congthu check")?;
            file.sync_all()?;
            fs::File::open(directory)?.sync_all()
        });
    let removed = fs::remove_file(&name);
    written.and(removed)
}

fn room(area: &'static str, directory: &Path, findings: &mut Findings) {
    let Ok(disk) = rustix::fs::statvfs(directory) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let what = format!("{:.1} GB free for {}", free as f64 / f64::from(1 << 30), directory.display());
    if free < FREE_BYTES_LEAST {
        findings.error(area, what, "make room, or move it to a larger disk: mail is refused when it is full");
    } else if free < FREE_BYTES_GOOD {
        findings.warn(area, what, "make room soon");
    } else {
        findings.ok(area, what);
    }
}

fn open_files(config: &Config, findings: &mut Findings) {
    let Some((wanted, granted)) = files::missing(&config.limits) else {
        return findings
            .ok("files", "the limit on open files is high enough for the connections of [limits]");
    };
    let what = format!("this user may open {granted} files, and the connections of [limits] need {wanted}");
    let mend = "raise LimitNOFILE in the unit (the shipped one has it) or ulimit -Hn; else fewer connections are taken";
    findings.warn("files", what, mend);
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn levels(look: impl FnOnce(&mut Findings)) -> Vec<Level> {
        let mut findings = Findings::default();
        look(&mut findings);
        findings.0.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn a_data_directory_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let level = |mode| {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            levels(|findings| data_dir(directory.path(), findings))[0]
        };
        assert_eq!(level(0o700), Level::Ok);
        assert_eq!(level(0o755), Level::Warning);
        assert_eq!(levels(|findings| data_dir(&directory.path().join("none"), findings)), [Level::Warning]);
        assert_eq!(levels(|findings| data_dir(Path::new("/proc/version"), findings)), [Level::Error]);
    }

    #[test]
    fn content_is_tried_out_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(levels(|findings| content_dir(directory.path(), findings))[0], Level::Ok);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(levels(|findings| content_dir(&directory.path().join("none"), findings)), [Level::Error]);
        assert_eq!(levels(|findings| content_dir(Path::new("/proc"), findings))[0], Level::Error);
    }
}
