//! Makes a new cluster.
//!
//! Invariant: it is made under another name and renamed when it is complete and on disk; a process killed in between
//! leaves only a draft, which the next start throws away.

use super::EmbeddedError;
use super::conf::SUPERUSER;
use super::layout::{Layout, failed};
use super::programs::{Programs, output};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The version that made the cluster in `data`, or `None` when there is none yet.
pub(super) fn made_by(data: &Path) -> Result<Option<String>, EmbeddedError> {
    let path = data.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !data.exists() => Ok(None),
        Err(error) => Err(failed("this is not a PostgreSQL cluster, cannot read", &path)(error)),
    }
}

pub(super) fn initialise(layout: &Layout, programs: &Programs) -> Result<(), EmbeddedError> {
    let (root, data) = (layout.root(), layout.data());
    tracing::info!(directory = %data.display(), version = programs.major, "making a PostgreSQL cluster");
    for draft in layout.drafts() {
        // One that is still being tidied up by its own `initdb` may resist; it is not in the way.
        if let Err(error) = fs::remove_dir_all(&draft) {
            tracing::debug!(directory = %draft.display(), %error, "an unfinished cluster was not removed");
        }
    }
    let draft = layout.draft();
    let mut initdb = programs.command("initdb");
    // Plain byte order for sorting: it is fast and no update of the system's locales can damage an index.
    initdb.args(["--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8", "--data-checksums"]);
    initdb.args(["--auth-local=peer", "--auth-host=reject", "--no-instructions", "--username", SUPERUSER]);
    output(initdb.arg("--pgdata").arg(&draft))?;
    fs::rename(&draft, &data).map_err(failed("cannot name", &data))?;
    File::open(root).and_then(|directory| directory.sync_all()).map_err(failed("cannot write", root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_directory_is_filled() {
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("postgres");
        assert_eq!(made_by(&data).expect("nothing there"), None);
        fs::create_dir(&data).expect("made");
        assert!(made_by(&data).is_err(), "a directory of something else is left alone");
        fs::write(data.join("PG_VERSION"), "15\n").expect("written");
        assert_eq!(made_by(&data).expect("a cluster"), Some("15".to_owned()));
    }
}
