//! Where things lie under `data_dir`, and the lock that makes one process their owner.
//!
//! Invariants: everything made here is readable by its user only; files are replaced whole, by a rename; the directory of
//! the socket belongs to us and is closed to others, also when it lies in `/tmp`.

use super::EmbeddedError;
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A socket's path may have this many bytes (`sun_path` of Linux's unix(7), less its final zero).
const SOCKET_PATH_MAX: usize = 107;
/// What Postgres adds to the directory.
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// How long the lock is tried for: `attach` looks at it for a moment, and a killed owner needs one to be gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Names tried in `/tmp` before giving up: others can take some of them, not all.
const SOCKET_DIRECTORIES_TRIED: u32 = 100;

const DRAFT: &str = "postgres.new.";

/// Makes an error of a file operation: `.map_err(failed("cannot read", &path))`.
pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::File { what, path, source }
}

/// Paths under one `data_dir`, which is absolute and exists.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn create(data_dir: &Path) -> Result<Self, EmbeddedError> {
        private_directory(data_dir)?;
        let root = fs::canonicalize(data_dir).map_err(failed("cannot resolve", data_dir))?;
        let layout = Self { root };
        private_directory(&layout.run())?;
        Ok(layout)
    }

    pub(super) fn existing(data_dir: &Path) -> Option<Self> {
        Some(Self { root: fs::canonicalize(data_dir).ok()? })
    }

    /// The cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Where a cluster is made before it gets its name. No two processes make it at the same place: the `initdb` of a
    /// killed congthu tidies up after itself, and may do so while the next one is at work.
    pub(super) fn draft(&self) -> PathBuf {
        self.root.join(format!("{DRAFT}{}", std::process::id()))
    }

    /// What others have left half-made.
    pub(super) fn drafts(&self) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(DRAFT))
            .map(|entry| entry.path())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("congthu.lock")
    }

    /// Takes the lock, or says who has it.
    pub(super) fn lock(&self) -> Result<Lock, EmbeddedError> {
        let path = self.lock_file();
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            // Whoever may open it may hold it.
            .mode(0o600)
            .open(&path)
            .map_err(failed("cannot open", &path))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(EmbeddedError::InUse { data_dir: self.root.clone(), by: holder(&mut file) });
                }
                Err(TryLockError::Error(source)) => return Err(failed("cannot lock", &path)(source)),
            }
        }
        note_holder(&mut file).map_err(failed("cannot write", &path))?;
        Ok(Lock { _file: file })
    }

    /// Does a process hold the lock now?
    pub(super) fn is_locked(&self) -> bool {
        let Ok(file) = File::open(self.lock_file()) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// The directory for the socket: `run/`, or a private one with a short name, noted in `run/` for the next time.
    pub(super) fn sockets(&self) -> Result<PathBuf, EmbeddedError> {
        let run = self.run();
        if fits(&run) {
            return Ok(run);
        }
        let note = run.join("socket-directory");
        if let Some(noted) = fs::read_to_string(&note).ok().map(PathBuf::from).filter(|path| is_private(path))
        {
            return Ok(noted);
        }
        let made = short_directory()?;
        replace(&note, &made.to_string_lossy())?;
        Ok(made)
    }
}

/// Held as long as this value lives; the kernel gives it back when the process dies. Children do not inherit it.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    write!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if text.parse::<u32>().is_ok() => format!(" (process id {text})"),
        _ => String::new(),
    }
}

/// Postgres separates the directories of its setting by commas and unquotes them; plain names need no care.
fn fits(directory: &Path) -> bool {
    let Some(text) = directory.to_str() else { return false };
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    plain && text.len() + 1 + SOCKET_NAME.len() <= SOCKET_PATH_MAX
}

/// Is it a directory of ours that nobody else may enter? A link to one is not.
fn is_private(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0
    })
}

fn short_directory() -> Result<PathBuf, EmbeddedError> {
    let user = rustix::process::geteuid().as_raw();
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..SOCKET_DIRECTORIES_TRIED {
        for parent in [format!("/run/user/{user}"), "/tmp".to_owned()] {
            let path = PathBuf::from(parent).join(format!("congthu-{user}-{number}"));
            // Made by us or not at all: a directory somebody else put there is never used.
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(path),
                Err(error) => last = error,
            }
        }
    }
    Err(failed("cannot make a directory for the socket like", Path::new("/tmp/congthu"))(last))
}

fn private_directory(path: &Path) -> Result<(), EmbeddedError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("cannot make", path))
}

/// Replaces a file whole: a reader sees the old text or the new one, also after a crash.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    let draft = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&draft)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(failed("cannot write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time() {
        let home = tempfile::tempdir().expect("a directory");
        let layout = Layout::create(&home.path().join("data")).expect("a layout");
        assert!(!layout.is_locked());
        let lock = layout.lock().expect("nobody else has it");
        assert!(layout.is_locked());
        let refusal = layout.lock().expect_err("it is held").to_string();
        assert!(refusal.contains(&format!("process id {}", std::process::id())), "{refusal}");
        drop(lock);
        layout.lock().expect("given back");
    }

    #[test]
    fn long_and_odd_paths_get_a_short_socket_directory() {
        assert!(fits(Path::new("/var/lib/congthu/run")));
        assert!(fits(&PathBuf::from(format!("/{}", "d".repeat(92)))));
        assert!(!fits(&PathBuf::from(format!("/{}", "d".repeat(93)))));
        assert!(!fits(Path::new("/srv/hộp thư/run")));
        assert!(!fits(Path::new("/srv/a,b/run")));

        let home = tempfile::tempdir().expect("a directory");
        let layout = Layout::create(&home.path().join("đ".repeat(60))).expect("a layout");
        let sockets = layout.sockets().expect("a directory");
        assert!(fits(&sockets) && is_private(&sockets));
        assert_eq!(layout.sockets().expect("the noted one"), sockets);
        fs::set_permissions(&sockets, Permissions::from_mode(0o755)).expect("ours to change");
        let other = layout.sockets().expect("another one");
        assert_ne!(other, sockets, "a directory open to others is not used");
        for directory in [sockets, other] {
            fs::remove_dir(directory).expect("empty");
        }
    }

    #[test]
    fn files_are_replaced_whole_and_private() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("some.conf");
        for text in ["first", "second"] {
            replace(&path, text).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("readable"), text);
        }
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 1);
    }
}
