//! Runs the postmaster and starts it again when it dies.
//!
//! A thread of its own, and blocking, on purpose: the kernel ends the postmaster when *the thread that started it* ends
//! (see `Programs::command`), and threads of an async runtime come and go.
//!
//! Invariants: the lock on `data_dir` is held until the postmaster has ended; a signal goes only to a child that was not
//! collected yet; before ready, a failure is reported and not retried; after, it is retried until told to stop.

use super::layout::Lock;
use super::processes::{FAST_STOP, send, settle, stale_number};
use super::programs::Programs;
use super::{EmbeddedError, Prepared};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The first pause before a restart; doubled each time.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// A postmaster that lived this long was well: the pause begins small again.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// After the order to end at once: the postmaster itself kills what is left after 5 s.
const IMMEDIATE_STOP: Duration = Duration::from_secs(20);
/// Lines of Postgres's log kept for the error message of a failed start.
const TAIL_LINES: usize = 12;
/// Longer lines of its log are cut.
const LINE_MAX: u64 = 4096;
/// What Postgres says when an earlier one is alive that we do not see (PostgreSQL `sysv_shmem.c`, `miscinit.c`): other
/// rights keep us from looking, or it is only beginning and already told to end.
const STILL_THERE: &[&str] =
    &["pre-existing shared memory block", "lock file \"postmaster.pid\" already exists"];
/// How long such a one is waited for, and between two tries.
const INVISIBLE_LIMIT: Duration = Duration::from_secs(60);
const INVISIBLE_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Told to stop.
    stopping: bool,
    /// It was reached once, so from now on it is restarted when it dies.
    ready: bool,
    /// The postmaster, while it has not been collected.
    pid: Option<i32>,
    /// The thread has ended; before ready, this says why.
    ended: Option<String>,
    restarts: u64,
    tail: VecDeque<String>,
}

impl Supervisor {
    pub(super) fn start(prepared: Prepared) -> Result<Self, EmbeddedError> {
        let shared = Arc::new(Shared::default());
        let task = Task {
            shared: Arc::clone(&shared),
            data: prepared.data,
            programs: prepared.programs,
            _lock: prepared.lock,
        };
        let thread = std::thread::Builder::new().name("postgres".to_owned()).spawn(move || task.run());
        let thread = thread.map_err(|error| EmbeddedError::NotStarted(error.to_string()))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn is_ready(&self) {
        self.shared.state().ready = true;
    }

    /// Why it will never be ready, once that is certain.
    pub(super) fn failure(&self) -> Option<String> {
        self.shared.state().ended.clone()
    }

    pub(super) fn restarts(&self) -> u64 {
        self.shared.state().restarts
    }

    /// Blocks until the postmaster has ended.
    pub(super) fn stop(mut self) -> Result<(), EmbeddedError> {
        for (signal, patience) in [(Signal::INT, FAST_STOP), (Signal::QUIT, IMMEDIATE_STOP)] {
            self.shared.tell(signal);
            if self.shared.ended_within(patience) {
                if let Some(thread) = self.thread.take() {
                    let _ = thread.join();
                }
                return Ok(());
            }
            tracing::warn!("PostgreSQL does not stop");
        }
        Err(EmbeddedError::NotStopped(self.shared.state().pid.unwrap_or_default()))
    }
}

impl Drop for Supervisor {
    /// Without [`Supervisor::stop`]: the order is given and nobody waits; the thread keeps the lock until it is done.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.shared.tell(Signal::INT);
        }
    }
}

impl Shared {
    /// A panic elsewhere leaves nothing half-done in these few fields.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, signal: Signal) {
        let mut state = self.state();
        state.stopping = true;
        if let Some(pid) = state.pid {
            send(pid, signal);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn ended_within(&self, patience: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), patience, |state| state.ended.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.ended.is_some()
    }

    /// False when told to stop.
    fn pause(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), pause, |state| !state.stopping);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    fn note(&self, line: String) {
        let mut state = self.state();
        if state.tail.len() == TAIL_LINES {
            state.tail.pop_front();
        }
        state.tail.push_back(line);
    }
}

/// What the thread owns.
struct Task {
    shared: Arc<Shared>,
    data: PathBuf,
    programs: Programs,
    _lock: Lock,
}

impl Task {
    fn run(self) {
        let reason = self.supervise();
        let shared = Arc::clone(&self.shared);
        // The lock first: whoever sees the end may start anew.
        drop(self);
        shared.state().ended = Some(reason);
        shared.changed.notify_all();
    }

    /// Returns why it ended.
    fn supervise(&self) -> String {
        let first = Instant::now();
        let mut backoff = BACKOFF_FIRST;
        loop {
            let began = Instant::now();
            let ended = match self.run_once() {
                Ok(Some(ended)) => ended,
                Ok(None) => return "stopped".to_owned(),
                Err(error) => error.to_string(),
            };
            let mut state = self.shared.state();
            if state.stopping {
                return ended;
            }
            let mut pause = backoff;
            if state.ready {
                state.restarts += 1;
                crate::figures::postgres_restarted();
                tracing::error!(reason = ended, "PostgreSQL ended by itself; starting it again");
            } else {
                let tail = state.tail.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
                let still_there = STILL_THERE.iter().any(|text| tail.contains(text));
                if !still_there || first.elapsed() > INVISIBLE_LIMIT {
                    return format!("{ended}: {tail}");
                }
                pause = INVISIBLE_PAUSE;
                tracing::warn!("an earlier PostgreSQL is still alive; waiting for its end");
            }
            state.tail.clear();
            drop(state);
            backoff =
                if began.elapsed() > WELL_AFTER { BACKOFF_FIRST } else { (backoff * 2).min(BACKOFF_LAST) };
            if !self.shared.pause(pause) {
                return ended;
            }
        }
    }

    /// One life of a postmaster: how it ended, or `None` when it was not to be started any more.
    fn run_once(&self) -> Result<Option<String>, EmbeddedError> {
        settle(&self.data, &|| self.shared.state().stopping)?;
        let failed = |error: io::Error| EmbeddedError::NotStarted(error.to_string());
        let Some((mut child, log)) = self.spawn().map_err(failed)? else { return Ok(None) };
        let reader = log.map(|log| {
            let shared = Arc::clone(&self.shared);
            std::thread::spawn(move || forward(log, &shared))
        });
        wait_uncollected(&child);
        let mut state = self.shared.state();
        let status = child.wait();
        state.pid = None;
        let was_ready = state.ready;
        drop(state);
        // Orphaned backends keep the other end of the pipe open, so its end is waited for only where the last lines are
        // needed: nothing has connected to a postmaster that was never ready.
        if let Some(reader) = reader.filter(|_| !was_ready) {
            let _ = reader.join();
        }
        Ok(Some(status.map_err(failed)?.to_string()))
    }

    /// Under the state's lock, so that whoever says stop finds either no child to come or its number.
    fn spawn(&self) -> io::Result<Option<(Child, Option<ChildStderr>)>> {
        let mut state = self.shared.state();
        if state.stopping {
            return Ok(None);
        }
        let mut postgres = self.programs.command("postgres");
        postgres.arg("-D").arg(&self.data).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(pid) = stale_number(&self.data) {
            // How pg_ctl tells it of numbers that are no postmaster's (PostgreSQL `miscinit.c`, CreateLockFile).
            postgres.env("PG_GRANDPARENT_PID", pid.to_string());
        }
        let mut child = postgres.spawn()?;
        state.pid = i32::try_from(child.id()).ok();
        let log = child.stderr.take();
        Ok(Some((child, log)))
    }
}

/// Returns when the child has ended but its number is not free yet.
fn wait_uncollected(child: &Child) {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    while let Err(error) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
        if error != rustix::io::Errno::INTR {
            tracing::debug!(%error, "waiting for PostgreSQL");
            return;
        }
    }
}

/// Writes Postgres's log into ours until the last process that has the pipe is gone.
fn forward(log: ChildStderr, shared: &Shared) {
    let mut reader = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        report(&text, shared.state().stopping);
        shared.note(text);
    }
}

/// `stopping`: we have told it to, so that it ends its sessions is no failure.
fn report(line: &str, stopping: bool) {
    match line.split_once(':').map(|(severity, _)| severity) {
        // Said to everybody who connects meanwhile, ourselves first.
        Some("FATAL") if line.contains("the database system is") => {
            tracing::debug!(target: "postgres", "{line}");
        }
        Some("FATAL") if stopping => tracing::info!(target: "postgres", "{line}"),
        Some("FATAL" | "PANIC") => tracing::error!(target: "postgres", "{line}"),
        Some("WARNING" | "ERROR") => tracing::warn!(target: "postgres", "{line}"),
        Some("LOG") => tracing::info!(target: "postgres", "{line}"),
        _ => tracing::debug!(target: "postgres", "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let shared = Shared::default();
        (0..TAIL_LINES + 3).for_each(|number| shared.note(number.to_string()));
        let state = shared.state();
        assert_eq!(state.tail.len(), TAIL_LINES);
        assert_eq!(state.tail.front().map(String::as_str), Some("3"));
    }

    #[test]
    fn a_pause_ends_with_the_order_to_stop() {
        let shared = Shared::default();
        assert!(shared.pause(Duration::ZERO));
        shared.tell(Signal::INT);
        assert!(!shared.pause(Duration::from_secs(3600)));
    }
}
