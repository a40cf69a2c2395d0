//! Giving the user `congthu` what it needs, and no more.
//!
//! Invariants: an existing directory changes hands only when root owns it and it is empty or holds our data;
//! symbolic links are changed themselves, never followed; permissions of others' directories stay.

use super::{Ids, USER, is_roots, user_can};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::path::Path;

/// What only a data directory of ours has in it.
const OUR_ENTRIES: [&str; 3] = ["postgres", "tls", "congthu.lock"];

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
    let metadata = fs::metadata(&directory)?;
    if metadata.uid() != ids.user {
        if !is_roots(&metadata) || !is_empty_or_ours(&directory)? {
            bail!(
                "data_dir {shown} belongs to another user and is not empty: choose another data_dir, \
                 or run chown -R {USER}: {shown} if it is right"
            );
        }
        give(&directory, ids).with_context(|| format!("cannot hand {shown} to user {USER}"))?;
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

fn is_empty_or_ours(directory: &Path) -> Result<bool> {
    let empty = fs::read_dir(directory)?.next().is_none();
    Ok(empty || OUR_ENTRIES.iter().any(|entry| directory.join(entry).exists()))
}

fn give(path: &Path, ids: Ids) -> Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), ids)?;
        }
    }
    lchown(path, Some(ids.user), Some(ids.group))?;
    Ok(())
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
