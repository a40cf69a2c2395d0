//! The file that an archive is written to.
//!
//! Invariant: under its name there is nothing or the whole archive, and never what was there before: it is written beside it, for its
//! owner alone, and goes again unless it is kept.

use crate::commands::cannot_write;
use anyhow::{Context as _, Result, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Read and written by its owner.
const MODE: u32 = 0o600;

/// An archive that is not there yet.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    file_name: String,
    /// Where it is now; none once it is kept.
    now: Option<PathBuf>,
    file: Option<File>,
}

impl Target {
    /// A new file beside `path`.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let Some(file_name) = path.file_name().and_then(|name| name.to_str()) else {
            bail!("{} is no name of a file", path.display());
        };
        // Said before hours of work; that nothing is written over is seen to at the end.
        if path.symlink_metadata().is_ok() {
            bail!("{} is there already: name a new file", path.display());
        }
        let beside = path.with_file_name(format!(".{file_name}.{}.part", std::process::id()));
        let file = private(&beside).map_err(|error| cannot_write(path, error))?;
        let (path, file_name) = (path.to_owned(), file_name.to_owned());
        Ok(Self { path, file_name, now: Some(beside), file: Some(file) })
    }

    /// A further file in the same place that goes by itself.
    pub(super) fn spare(&self) -> Result<File> {
        let path = self.path.with_file_name(format!(".{}.{}.csv.part", self.file_name, std::process::id()));
        let file = private(&path).map_err(|error| cannot_write(&self.path, error))?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    pub(super) fn file(&self) -> Result<&File> {
        self.file.as_ref().context("the archive is closed")
    }

    /// Without directories.
    pub(super) fn file_name(&self) -> &str {
        &self.file_name
    }

    /// What is on the disk comes under its name. Nothing that is there is written over.
    pub(super) fn put_in_place(&mut self) -> Result<()> {
        let Some(now) = &self.now else { bail!("the archive is in its place") };
        match renameat_with(CWD, now, CWD, &self.path, RenameFlags::NOREPLACE) {
            // Not every file system can, such as a stick's: then the name is taken by an empty file of ours first.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                drop(private(&self.path)?);
                fs::rename(now, &self.path).inspect_err(|_| drop(fs::remove_file(&self.path)))?;
            }
            renamed => renamed?,
        }
        self.now = Some(self.path.clone());
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }

    pub(super) fn keep(mut self) {
        self.now = None;
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(path) = &self.now
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "a torn archive could not be removed");
        }
    }
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_not_kept_goes_and_what_is_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.zip");
        let count = || fs::read_dir(directory.path()).unwrap().count();
        let write = || {
            let target = Target::new(&path).unwrap();
            drop(target.spare().unwrap());
            target.file().unwrap().write_all(b"whole").unwrap();
            target
        };
        drop(write());
        assert_eq!(count(), 0, "torn");
        let mut failed = write();
        failed.put_in_place().unwrap();
        drop(failed);
        assert_eq!(count(), 0, "in its place, and not on record");
        let mut kept = write();
        kept.put_in_place().unwrap();
        kept.keep();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Target::new(&path).is_err(), "there already");
        let nowhere = directory.path().join("none/a.zip");
        let error = Target::new(&nowhere).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}", nowhere.display())), "{error}");
        let mut late = Target::new(&directory.path().join("b.zip")).unwrap();
        fs::write(directory.path().join("b.zip"), "another's").unwrap();
        assert!(late.put_in_place().is_err());
        drop(late);
        assert_eq!(fs::read(directory.path().join("b.zip")).unwrap(), b"another's");
        assert_eq!(count(), 2);
    }
}
