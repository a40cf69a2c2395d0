//! The program where the user can run it, when root started it from a place that is closed to others (below /root, say).
//!
//! Invariant: what is run is what root started, or a copy of it that only root can have put there.

use super::{Ids, USER, is_roots, user_can};
use anyhow::{Context as _, Result, bail};
use std::fs::{self, File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Not below /run, which Debian mounts noexec.
const PROGRAM_COPY: &str = "/usr/local/lib/congthu/congthu";
/// Who is not root may not write.
const OTHERS_WRITE: u32 = 0o022;

/// This program, at a place where the user can run it.
///
/// # Errors
/// When it has to be copied and cannot be, or the copy's directory is open to others.
pub(super) fn reachable_program(ids: Ids) -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    if user_can(ids, "-x", &program) {
        return Ok(program);
    }
    let copy = PathBuf::from(PROGRAM_COPY);
    let ours = fs::metadata("/proc/self/exe").context("cannot look at this program")?;
    let cannot = || {
        format!(
            "{} is out of reach for user {USER}, and cannot be copied to {PROGRAM_COPY}",
            program.display()
        )
    };
    prepare_directory(copy.parent().context("no directory")?).with_context(cannot)?;
    if !is_good_copy(&copy, &ours) {
        copy_program(&copy, &ours).with_context(cannot)?;
    }
    Ok(copy)
}

/// Where root alone can put something, so that the copy found there was made by root.
fn prepare_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() || !is_roots(&metadata) {
        bail!("{} is not a directory of root's: remove it", directory.display());
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        bail!("others than root may write to {0}: look what is in it, then remove it", directory.display());
    }
    Ok(fs::set_permissions(directory, Permissions::from_mode(0o755))?)
}

fn is_good_copy(copy: &Path, ours: &Metadata) -> bool {
    fs::symlink_metadata(copy).is_ok_and(|copied| {
        copied.is_file()
            && is_roots(&copied)
            && copied.mode() & OTHERS_WRITE == 0
            && copied.len() == ours.len()
            && copied.modified().ok() == ours.modified().ok()
    })
}

fn copy_program(copy: &Path, ours: &Metadata) -> Result<()> {
    let fresh = copy.with_extension(format!("{}.new", std::process::id()));
    fs::copy("/proc/self/exe", &fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o755))?;
    let file = File::options().write(true).open(&fresh)?;
    file.set_modified(ours.modified()?)?;
    drop(file);
    // By rename: a server may be running the old copy.
    fs::rename(&fresh, copy)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let open = home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(prepare_directory(&open).is_err());
        let link = home.path().join("link");
        std::os::unix::fs::symlink("/usr", &link).unwrap();
        assert!(prepare_directory(&link).is_err());
        let closed = home.path().join("closed");
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(prepare_directory(&closed).is_ok(), is_root, "root's own is good, another user's is not");
    }

    #[test]
    fn only_roots_own_copy_is_trusted() {
        let home = tempfile::tempdir().unwrap();
        let copy = home.path().join("congthu");
        fs::write(&copy, "program").unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        let ours = fs::metadata(&copy).unwrap();
        assert_eq!(is_good_copy(&copy, &ours), rustix::process::geteuid().is_root());
        fs::set_permissions(&copy, Permissions::from_mode(0o775)).unwrap();
        assert!(!is_good_copy(&copy, &ours), "the group may write");
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&copy, &link).unwrap();
        assert!(!is_good_copy(&link, &ours), "a link is no copy");
    }
}
