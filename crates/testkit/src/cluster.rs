//! One throw-away Postgres cluster, shared by every test process of this checkout.
//!
//! Invariants: it listens on a Unix socket in a directory of mode 0700 and nowhere else; it never runs as root; it is
//! started and replaced only under a file lock; a cluster that does not answer is thrown away and made anew (nothing in it
//! is worth keeping, and `fsync` is off). `tests/run --stop-db` stops it and removes its files.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The cluster's superuser. Trust authentication: the directory's mode is the lock on the door.
pub(crate) const SUPERUSER: &str = "testkit";

/// Settings of a cluster whose data may be lost at any moment but which must behave like the real one otherwise.
const SETTINGS: &str = "\
listen_addresses = ''
port = 5432
max_connections = 200
shared_buffers = 128MB
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
checkpoint_timeout = 1h
autovacuum = off
timezone = 'UTC'
log_timezone = 'UTC'
";

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Holds `data/`, the log and the socket.
    home: PathBuf,
}

impl Cluster {
    /// The cluster of this checkout, started if it is not running. Blocks: other processes may be starting it.
    ///
    /// # Errors
    /// The Postgres programs are missing or did not start; the error carries the end of their output.
    pub(crate) fn ensure() -> io::Result<Self> {
        let uid = fs::metadata("/proc/self")?.uid();
        let record = crate::workspace().join(format!("target/testkit-pg-{uid}"));
        fs::create_dir_all(&record)?;
        let lock = File::options().create(true).truncate(false).write(true).open(record.join("lock"))?;
        lock.lock()?;
        let noted = record.join("home");
        if let Ok(home) = fs::read_to_string(&noted) {
            let cluster = Self { home: PathBuf::from(home.trim()) };
            if cluster.answers() {
                return Ok(cluster);
            }
            cluster.discard();
        }
        let cluster = Self::create(Account::unprivileged(uid)?)?;
        fs::write(&noted, cluster.home.as_os_str().as_encoded_bytes())?;
        Ok(cluster)
    }

    /// Connection URL for a role on one of the cluster's databases.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@localhost:5432/{database}?host={}", self.home.display())
    }

    fn answers(&self) -> bool {
        UnixStream::connect(self.home.join(".s.PGSQL.5432")).is_ok()
    }

    /// Removes what a dead cluster left. Failing is harmless: the next one gets a name of its own.
    fn discard(&self) {
        if self.home.join("data/PG_VERSION").exists() {
            let _ = fs::remove_dir_all(&self.home);
        }
    }

    fn create(account: Account) -> io::Result<Self> {
        // /tmp because a socket's path may have 107 bytes at most, and because the checkout may lie where another user
        // than root cannot go.
        let home = tempfile::Builder::new().prefix("congthu-pg-").tempdir_in("/tmp")?.keep();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
        account.own(&home)?;
        let (data, log) = (home.join("data"), home.join("log"));
        account.run(
            &program("initdb")?,
            &["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"],
            &data,
        )?;
        let config = data.join("postgresql.conf");
        let sockets = format!("unix_socket_directories = '{}'\n", home.display());
        fs::write(&config, fs::read_to_string(&config)? + SETTINGS + &sockets)?;
        let log = log.display().to_string();
        account.run(&program("pg_ctl")?, &["start", "-w", "-t", "60", "-s", "-l", &log, "-D"], &data)?;
        Ok(Self { home })
    }
}

/// Who the cluster runs as: ourselves, or, as root, somebody without rights (Postgres refuses root).
#[derive(Clone, Copy, Debug)]
struct Account {
    switch_to: Option<(u32, u32)>,
}

impl Account {
    fn unprivileged(uid: u32) -> io::Result<Self> {
        if uid != 0 {
            return Ok(Self { switch_to: None });
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let ids = ["postgres", "nobody"].iter().find_map(|name| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        match ids {
            Some(ids) => Ok(Self { switch_to: Some(ids) }),
            None => Err(io::Error::other("no user postgres or nobody to run Postgres as")),
        }
    }

    fn own(self, path: &Path) -> io::Result<()> {
        self.switch_to.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
    }

    /// Runs a program to its end with `data` as last argument. Its output goes through a file, not a pipe: the postmaster
    /// inherits the handle, and whoever waits for a pipe's end would wait for the postmaster.
    fn run(self, program: &Path, arguments: &[&str], data: &Path) -> io::Result<()> {
        let mut output = tempfile::tempfile()?;
        let mut command = Command::new(program);
        command.args(arguments).arg(data).current_dir("/").env_remove("PGDATA").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?).process_group(0);
        if let Some((uid, gid)) = self.switch_to {
            command.uid(uid).gid(gid);
        }
        let status = command.status()?;
        if status.success() {
            return Ok(());
        }
        let mut text = String::new();
        io::Seek::rewind(&mut output)?;
        output.read_to_string(&mut text)?;
        Err(io::Error::other(format!("{} {status}: {text}", program.display())))
    }
}

/// A Postgres program: the newest of Debian's versioned directories, or whatever is on the path.
fn program(name: &str) -> io::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            entry.file_name().to_str()?.parse::<u32>().ok().map(|version| (version, entry.path()))
        })
        .map(|(version, path)| (version, path.join("bin").join(name)))
        .filter(|(_, path)| path.exists())
        .max();
    if let Some((_, path)) = newest {
        return Ok(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.exists())
        .ok_or_else(|| io::Error::other(format!("{name} not found: install postgresql (tests/run does)")))
}
