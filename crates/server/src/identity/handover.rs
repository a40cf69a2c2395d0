//! Giving the user `congthu` what it needs, and no more.
//!
//! Invariants: an existing directory changes hands only when root owns it and it is empty or holds our data, and of what
//! is in it only the names we make ourselves; symbolic links are changed themselves, never followed, also when somebody
//! exchanges names meanwhile; a file that has a second name elsewhere stays; permissions of others' directories stay.

use super::{Ids, USER, is_roots, user_can};
use anyhow::{Context as _, Result, bail};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fstat, openat, statat,
};
use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// Both are in every data directory with an embedded database, and together in no other.
const MARKS: [&str; 2] = ["congthu.lock", "postgres/PG_VERSION"];
/// What we make in a data directory, files and directories.
const OUR_NAMES: [&[u8]; 8] = [
    b"command.lock",
    b"congthu.lock",
    b"demo-users.json",
    b"demo.toml",
    b"postgres",
    b"run",
    b"spool",
    b"tls",
];
/// What a new file system has in it; it stays root's.
const LOST_AND_FOUND: &[u8] = b"lost+found";
/// Deeper than anything in a Postgres cluster.
const DEPTH_MAX: u32 = 32;

/// Makes the data directory if need be, and the user its owner.
pub(super) fn data_dir(directory: &Path, ids: Ids) -> Result<()> {
    let shown = directory.display();
    if let Some(above) = directory.parent() {
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {shown}; choose another data_dir"));
        }
        _ => {}
    }
    let directory = fs::canonicalize(directory).with_context(|| format!("cannot open {shown}"))?;
    let opened = open_directory(CWD, &c_path(&directory)?).with_context(|| format!("cannot open {shown}"))?;
    let owner = fstat(&opened)?.st_uid;
    if owner != ids.user {
        if owner != 0 || !is_empty_or_ours(&opened)? {
            bail!(
                "data_dir {shown} is neither empty nor a data directory of root's: choose another data_dir"
            );
        }
        give_data_dir(&opened, ids).with_context(|| format!("cannot hand {shown} to user {USER}"))?;
    }
    open_the_way(&directory, ids)?;
    if !user_can(ids, "-x", &directory) || !user_can(ids, "-w", &directory) {
        bail!(
            "user {USER} cannot reach data_dir {shown}, because a directory above it is closed to others: \
             choose another data_dir, such as /var/lib/congthu"
        );
    }
    Ok(())
}

/// The file is read again after the change of user, and at every reload.
pub(super) fn check_readable(file: &Path, ids: Ids) -> Result<()> {
    open_the_way(file, ids)?;
    if !user_can(ids, "-r", file) {
        bail!(
            "user {USER} cannot read {0}: put it in /etc/congthu, or run chgrp {USER} {0} && chmod g+r {0}",
            file.display()
        );
    }
    Ok(())
}

fn is_empty_or_ours(directory: &OwnedFd) -> Result<bool> {
    let names = names(directory)?;
    let is_empty = names.iter().all(|name| name.as_bytes() == LOST_AND_FOUND);
    let has = |mark: &str| statat(directory, mark, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    Ok(is_empty || MARKS.into_iter().all(has))
}

/// The directory last: until then nobody but root can change what is in it.
fn give_data_dir(directory: &OwnedFd, ids: Ids) -> Result<()> {
    fchmod(directory, Mode::RWXU)?;
    for name in names(directory)? {
        if OUR_NAMES.contains(&name.as_bytes()) {
            give(directory, &name, ids, 0).with_context(|| name.to_string_lossy().into_owned())?;
        }
    }
    chown_opened(directory, ids)
}

/// Gives one entry and all below it. Opened first and looked at then, so that what is changed is what was seen.
fn give(parent: &OwnedFd, name: &CStr, ids: Ids, depth: u32) -> Result<()> {
    let entry = openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&entry)?;
    let is_directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    if !is_directory {
        if found.st_nlink > 1 {
            bail!("{} has another name elsewhere: remove it or copy it", name.to_string_lossy());
        }
        return chown_opened(&entry, ids);
    }
    if depth == DEPTH_MAX {
        bail!("directories are nested too deeply");
    }
    let opened = open_directory(&entry, c".")?;
    for name in names(&opened)? {
        give(&opened, &name, ids, depth + 1)?;
    }
    chown_opened(&opened, ids)
}

fn chown_opened(opened: &OwnedFd, ids: Ids) -> Result<()> {
    let (user, group) = (Uid::from_raw(ids.user), Gid::from_raw(ids.group));
    Ok(chownat(opened, c"", Some(user), Some(group), AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW)?)
}

fn open_directory(at: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// Of all entries but `.` and `..`.
fn names(directory: &OwnedFd) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn c_path(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Directories from `mktemp -d` are closed to everybody else. Where root made one below the temporary directory,
/// the user's group may pass through it (not list it), so that a trial run needs no preparation. Everywhere else
/// a closed directory stays closed.
fn open_the_way(path: &Path, ids: Ids) -> Result<()> {
    let temporary = std::env::temp_dir();
    let above = path.ancestors().skip(1).filter(|above| above.starts_with(&temporary) && *above != temporary);
    for directory in above.collect::<Vec<_>>().into_iter().rev() {
        let metadata = fs::metadata(directory)?;
        if is_roots(&metadata) && metadata.gid() == 0 && metadata.mode() & 0o011 == 0 {
            chown(directory, None, Some(ids.group))?;
            fs::set_permissions(directory, fs::Permissions::from_mode(metadata.mode() & 0o7777 | 0o010))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn opened(directory: &Path) -> OwnedFd {
        open_directory(CWD, &c_path(directory).unwrap()).unwrap()
    }

    /// As root to another user, so that a change shows; else to ourselves, which is always allowed.
    fn receiver() -> Ids {
        let own = rustix::process::geteuid().as_raw();
        let group = rustix::process::getegid().as_raw();
        if own == 0 { Ids { user: 12_345, group: 12_345 } } else { Ids { user: own, group } }
    }

    fn data_dir() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("postgres/base")).unwrap();
        for file in ["congthu.lock", "postgres/PG_VERSION", "postgres/base/1"] {
            fs::write(home.path().join(file), "").unwrap();
        }
        home
    }

    #[test]
    fn one_of_our_names_does_not_make_a_directory_ours() {
        let home = tempfile::tempdir().unwrap();
        let ours = || is_empty_or_ours(&opened(home.path())).unwrap();
        assert!(ours(), "empty");
        fs::create_dir(home.path().join("lost+found")).unwrap();
        assert!(ours(), "a new file system");
        fs::create_dir(home.path().join("tls")).unwrap();
        assert!(!ours(), "tls");
        fs::create_dir(home.path().join("postgres")).unwrap();
        assert!(!ours(), "postgres");
        fs::write(home.path().join("congthu.lock"), "").unwrap();
        assert!(!ours(), "no cluster");
        fs::write(home.path().join("postgres/PG_VERSION"), "15").unwrap();
        assert!(ours(), "lock and cluster");
    }

    #[test]
    fn what_is_not_ours_stays() {
        let (home, elsewhere) = (data_dir(), tempfile::tempdir().unwrap());
        let ids = receiver();
        fs::write(home.path().join("of-others"), "").unwrap();
        fs::write(elsewhere.path().join("file"), "").unwrap();
        symlink(elsewhere.path(), home.path().join("postgres/link")).unwrap();
        give_data_dir(&opened(home.path()), ids).unwrap();
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        for given in ["", "congthu.lock", "postgres", "postgres/base/1", "postgres/link"] {
            assert_eq!(owner(&home.path().join(given)), ids.user, "{given}");
        }
        let own = rustix::process::geteuid().as_raw();
        for stays in
            [home.path().join("of-others"), elsewhere.path().to_owned(), elsewhere.path().join("file")]
        {
            assert_eq!(owner(&stays), own, "{}", stays.display());
        }
        assert_eq!(fs::metadata(home.path()).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_with_a_second_name_is_not_given() {
        let (home, elsewhere) = (data_dir(), tempfile::tempdir_in(std::env::temp_dir()).unwrap());
        let secret = elsewhere.path().join("secret");
        fs::write(&secret, "").unwrap();
        fs::hard_link(&secret, home.path().join("postgres/innocent")).unwrap();
        assert!(give_data_dir(&opened(home.path()), receiver()).is_err());
        assert_eq!(fs::metadata(&secret).unwrap().uid(), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn a_link_in_place_of_one_of_our_names_is_not_followed() {
        let (home, elsewhere) = (data_dir(), tempfile::tempdir().unwrap());
        symlink(elsewhere.path(), home.path().join("tls")).unwrap();
        give_data_dir(&opened(home.path()), receiver()).unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(fs::metadata(elsewhere.path()).unwrap().uid(), own);
    }
}
