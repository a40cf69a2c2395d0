//! Runs a test as somebody without rights when the tests run as root, because the embedded Postgres refuses root.
//!
//! The test executable is started again for just that test under another user; when the other user cannot reach the file
//! (a checkout under somebody's home), a copy in `/tmp` is used.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `body` here, or, as root, the whole test `name` (as the test harness calls it) again as `nobody`.
pub(super) fn run(name: &str, body: impl AsyncFnOnce()) {
    if rustix::process::geteuid().is_root() {
        let (_copy, program) = reachable();
        let status = Command::new("setpriv")
            .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"])
            .arg(program)
            .args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"])
            .current_dir("/")
            .status()
            .expect("setpriv comes with util-linux");
        assert!(status.success(), "{name} as nobody: {status}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(body());
}

/// This executable where everybody can start it; a copy lives as long as the directory returned with it.
fn reachable() -> (Option<tempfile::TempDir>, PathBuf) {
    let program = std::env::current_exe().expect("our own path");
    if program.ancestors().all(everybody_may_enter) {
        return (None, program);
    }
    let home = tempfile::tempdir_in("/tmp").expect("a directory");
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).expect("ours to change");
    let copy = home.path().join("tests");
    fs::copy(&program, &copy).expect("copied");
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("ours to change");
    (Some(home), copy)
}

fn everybody_may_enter(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.mode() & 0o001 != 0)
}
