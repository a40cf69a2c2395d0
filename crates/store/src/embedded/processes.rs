//! The Postgres processes that use a cluster, also those a killed congthu or a killed postmaster left behind.
//!
//! Every Postgres process works in its cluster's directory, so that is what they are found by: a number in a stale
//! `postmaster.pid` may belong to anybody by now, and such a process is never sent a signal.
//!
//! Invariant: nobody is killed outright (SIGKILL of one backend would make a postmaster restart all).

use super::EmbeddedError;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A postmaster that was told to stop fast gets this long to write what is in memory, then it must stop at once.
pub(super) const FAST_STOP: Duration = Duration::from_secs(60);
/// Backends without a postmaster end by themselves when their statement does; after this they are asked to.
const ORPHANS_END: Duration = Duration::from_secs(5);
/// Longest wait for all of them.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
const SETTLE_PAUSE: Duration = Duration::from_millis(50);
const SETTLE_REMARK: Duration = Duration::from_secs(10);

/// What a running postmaster says about itself in `postmaster.pid` (PostgreSQL's `utils/pidfile.h`: one item per line).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) sockets: PathBuf,
    /// Does it accept connections?
    pub(super) ready: bool,
}

impl PidFile {
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid| *pid > 0)?;
        let sockets = lines.get(4).map(PathBuf::from).unwrap_or_default();
        Some(Self { pid, sockets, ready: lines.get(7) == Some(&"ready") })
    }
}

/// Returns when no process uses the cluster any more, which it hastens; `cancelled` ends the wait early.
pub(super) fn settle(data: &Path, cancelled: &dyn Fn() -> bool) -> Result<(), EmbeddedError> {
    let began = Instant::now();
    let mut remarked: Option<Instant> = None;
    let mut urged = Urge::Not;
    loop {
        let users = users(data);
        if users.is_empty() || cancelled() {
            return Ok(());
        }
        if remarked.is_none_or(|at| at.elapsed() > SETTLE_REMARK) {
            remarked = Some(Instant::now());
            tracing::warn!(
                processes = names(&users),
                "an earlier PostgreSQL is still there; waiting for its end"
            );
        }
        let postmaster = PidFile::read(data).map(|file| file.pid).filter(|pid| users.contains(pid));
        let due = Urge::due(postmaster.is_some(), began.elapsed());
        if due > urged {
            urged = due;
            // A postmaster tells its backends itself.
            let told = postmaster.map_or(users.clone(), |pid| vec![pid]);
            told.iter().for_each(|pid| send(*pid, due.signal(postmaster.is_some())));
        }
        if began.elapsed() > SETTLE_LIMIT {
            return Err(EmbeddedError::Leftovers { data: data.to_owned(), pids: names(&users) });
        }
        std::thread::sleep(SETTLE_PAUSE);
    }
}

/// How firmly leftovers have been asked to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urge {
    Not,
    /// A postmaster's fast shutdown; a backend ends its session.
    Fast,
    /// Ends at once without tidying up; the next start replays the log.
    Immediate,
}

impl Urge {
    fn due(has_postmaster: bool, waited: Duration) -> Self {
        let patience = if has_postmaster { Duration::ZERO } else { ORPHANS_END };
        if waited > FAST_STOP {
            Self::Immediate
        } else if waited >= patience {
            Self::Fast
        } else {
            Self::Not
        }
    }

    fn signal(self, to_postmaster: bool) -> Signal {
        match self {
            Self::Immediate => Signal::QUIT,
            Self::Not | Self::Fast if to_postmaster => Signal::INT,
            Self::Not | Self::Fast => Signal::TERM,
        }
    }
}

/// Sends a signal to a process known to be one of ours; that it ended meanwhile is no error.
pub(super) fn send(pid: i32, signal: Signal) {
    let Some(process) = Pid::from_raw(pid) else { return };
    if let Err(error) = kill_process(process, signal) {
        tracing::debug!(pid, %error, "a signal was not delivered");
    }
}

/// Postgres processes that work in `data`; dead ones that nobody has collected are none.
fn users(data: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| works_in(*pid, data)).collect()
}

fn works_in(pid: i32, data: &Path) -> bool {
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
    let here = link("cwd").is_some_and(|directory| directory == data);
    here && link("exe").is_some_and(|program| is_postgres(&program))
}

/// The number in a stale `postmaster.pid` when another program (or a thread, or a dead process nobody has collected) has
/// it now. Postgres would take that for a running postmaster, for ever where numbers repeat, as in containers; told of it,
/// Postgres itself finds its file to be stale, and still checks the shared memory.
pub(super) fn stale_number(data: &Path) -> Option<i32> {
    let pid = PidFile::read(data)?.pid;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let uncollected = status.lines().any(|line| line.starts_with("State:") && line.contains('Z'));
    let other = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| !is_postgres(&program));
    (uncollected || other).then_some(pid)
}

/// After an upgrade of the package the link reads `postgres (deleted)`.
fn is_postgres(program: &Path) -> bool {
    program.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("postgres"))
}

fn names(pids: &[i32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "1234\n/srv/postgres\n1700000000\n5432\n/srv/run\n\n  5432001   3\nready   \n";

    #[test]
    fn the_pid_file_is_read() {
        let expected = PidFile { pid: 1234, sockets: PathBuf::from("/srv/run"), ready: true };
        assert_eq!(PidFile::parse(RUNNING), Some(expected));
        let starting = PidFile::parse(&RUNNING.replace("ready   ", "starting")).expect("a pid file");
        assert!(!starting.ready);
        assert!(!PidFile::parse("1234\n/srv/postgres\n").expect("half written").ready);
        assert_eq!(PidFile::parse(""), None);
        // Written by a single-user backend.
        assert_eq!(PidFile::parse("-1234\n/srv/postgres\n"), None);
    }

    #[test]
    fn orphans_get_time_and_a_postmaster_does_not() {
        let seconds = Duration::from_secs;
        assert_eq!(Urge::due(true, seconds(0)), Urge::Fast);
        assert_eq!(Urge::due(false, seconds(0)), Urge::Not);
        assert_eq!(Urge::due(false, ORPHANS_END), Urge::Fast);
        assert_eq!(Urge::due(false, FAST_STOP + seconds(1)), Urge::Immediate);
        assert!(FAST_STOP < SETTLE_LIMIT);
    }

    #[test]
    fn a_stale_number_is_nobody() {
        let home = tempfile::tempdir().expect("a directory");
        let stale = format!("{}\n/x\n0\n5432\n/x\n\n\nready\n", std::process::id());
        fs::write(home.path().join("postmaster.pid"), stale).expect("written");
        settle(home.path(), &|| false).expect("our own process is no Postgres and is left alone");
        assert_eq!(stale_number(home.path()), i32::try_from(std::process::id()).ok());
    }
}
