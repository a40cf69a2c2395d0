//! A Postgres of our own, made and looked after under `data_dir`, for an installation that names no database.
//!
//! ```text
//! data_dir/congthu.lock     held by the one process that owns the cluster
//! data_dir/postgres/        the cluster (postgresql.conf is rewritten at each start; local.conf in it is the operator's)
//! data_dir/run/             its socket, or a note where the socket is when this path is too long for one
//! ```
//!
//! Invariants: never as root; one owner per `data_dir`, by a file lock that the kernel releases with its holder; reachable
//! only through a socket of mode 0700, and there only by the user that runs it; a cluster appears under its name only when
//! it is complete; `postmaster.pid` is Postgres's and is never deleted here; what an earlier run left alive is stopped or
//! waited for before anything is started.

mod conf;
mod initialise;
mod layout;
mod processes;
mod programs;
mod supervisor;

use crate::endpoint::{EMBEDDED_DATABASE, Endpoint, OWNER_ROLE, SERVER_ROLE, local};
use conf::SUPERUSER;
use layout::Layout;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use supervisor::Supervisor;

/// The longest a start may take. Replaying a full `max_wal_size` after a crash takes minutes on a slow disk.
const READY_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Between two tries to connect to a starting server: below what a person notices.
const READY_PAUSE: Duration = Duration::from_millis(25);
/// Between two lines that say that the start is still going on.
const READY_REMARK: Duration = Duration::from_secs(10);
/// One try to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What an operator may choose about the embedded Postgres.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The directory of `postgres` and `initdb`; looked for in the usual places when absent.
    pub programs: Option<PathBuf>,
    /// What [`crate::connect`] will be called with.
    pub pool_size: u32,
}

/// Why there is no embedded Postgres. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("PostgreSQL never runs as root: start congthu as another user, such as congthu")]
    Root,
    #[error(
        "{data_dir} is in use by another congthu{by}: stop that one first, or give this one another data_dir"
    )]
    InUse { data_dir: PathBuf, by: String },
    #[error(
        "{0} has no PostgreSQL programs (postgres and initdb): correct database.postgres_bin, or leave it out for the \
         newest that are installed"
    )]
    NotThere(PathBuf),
    #[error("the PostgreSQL programs are not installed: apt-get install postgresql, or set database.url")]
    NoPrograms,
    #[error(
        "no PostgreSQL between {oldest} and {newest} is installed (found: {found}): \
         apt-get install postgresql, or set database.url"
    )]
    Unsupported { found: String, oldest: u32, newest: u32 },
    #[error(
        "the data in {data} was made by PostgreSQL {made_by}, and the installed programs are of another version \
         (found: {found}): apt-get install postgresql-{made_by}"
    )]
    OtherVersion { data: PathBuf, made_by: String, found: String },
    #[error("{what} {path}: {source}")]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{program} failed: {output}")]
    Program { program: String, output: String },
    #[error("PostgreSQL did not start: {0}")]
    NotStarted(String),
    #[error(
        "processes of an earlier PostgreSQL still use {data} and do not end (process ids: {pids}): \
         end them, then start again"
    )]
    Leftovers { data: PathBuf, pids: String },
    #[error("the embedded PostgreSQL cannot be prepared: {0}")]
    Database(#[from] sqlx::Error),
    #[error("PostgreSQL did not stop in time and was left running (process id {0})")]
    NotStopped(i32),
    #[error("told to stop while PostgreSQL was starting")]
    Cancelled,
}

/// A running cluster that ends with this value or with this process, whichever is first.
#[derive(Debug)]
pub struct Embedded {
    endpoint: Endpoint,
    supervisor: Supervisor,
}

impl Embedded {
    /// Makes the cluster when there is none, starts it, and looks after it from now on: when it dies it is started again.
    ///
    /// # Errors
    /// See [`EmbeddedError`]; nothing half-made stays.
    pub async fn start(data_dir: &Path, settings: Settings) -> Result<Self, EmbeddedError> {
        Self::start_unless(data_dir, settings, std::future::pending()).await
    }

    /// As [`Embedded::start`], until `stop` is ready: then what was begun is ended first, also a Postgres that is
    /// replaying its log.
    ///
    /// # Errors
    /// As [`Embedded::start`]; `Cancelled` after `stop`.
    pub async fn start_unless(
        data_dir: &Path,
        settings: Settings,
        stop: impl Future<Output = ()>,
    ) -> Result<Self, EmbeddedError> {
        let mut stop = pin!(stop);
        let (data_dir, cancelled) = (data_dir.to_owned(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&cancelled);
        let mut prepared = tokio::task::spawn_blocking(move || prepare(&data_dir, &settings, &seen));
        let prepared = tokio::select! {
            prepared = &mut prepared => prepared,
            () = &mut stop => {
                cancelled.store(true, Ordering::Relaxed);
                // The directory's lock and `initdb` are its own: nothing goes on behind whoever told us to stop.
                let _ = prepared.await;
                return Err(EmbeddedError::Cancelled);
            }
        };
        let prepared = prepared.map_err(|error| EmbeddedError::NotStarted(error.to_string()))??;
        let sockets = prepared.sockets.clone();
        let supervisor = Supervisor::start(prepared)?;
        tokio::select! {
            prepared = prepare_database(&supervisor, &sockets) => prepared?,
            () = &mut stop => {
                stop_blocking(supervisor).await?;
                return Err(EmbeddedError::Cancelled);
            }
        }
        supervisor.is_ready();
        tracing::info!(socket = %sockets.display(), "the embedded PostgreSQL is ready");
        Ok(Self { endpoint: Endpoint::embedded(&sockets), supervisor })
    }

    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How often Postgres had to be started again since [`Embedded::start`].
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.supervisor.restarts()
    }

    /// Ends it cleanly (its sessions are cut, what is in memory is written), and by force when that takes too long.
    /// Close the pools first, or they will log lost connections.
    ///
    /// # Errors
    /// `NotStopped` when it survived even that; the next start deals with it.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        stop_blocking(self.supervisor).await
    }
}

async fn stop_blocking(supervisor: Supervisor) -> Result<(), EmbeddedError> {
    let stopped = tokio::task::spawn_blocking(move || supervisor.stop());
    stopped.await.map_err(|error| EmbeddedError::NotStarted(error.to_string()))?
}

/// Is there a cluster under `data_dir`, running or not?
#[must_use]
pub fn exists(data_dir: &Path) -> bool {
    Layout::existing(data_dir).is_some_and(|layout| layout.data().join("PG_VERSION").exists())
}

/// The running cluster of another congthu on this `data_dir`, if there is one: how the command line works beside the server.
#[must_use]
pub fn attach(data_dir: &Path) -> Option<Endpoint> {
    let layout = Layout::existing(data_dir)?;
    if !layout.is_locked() {
        return None;
    }
    let pid_file = processes::PidFile::read(&layout.data())?;
    pid_file.ready.then(|| Endpoint::embedded(&pid_file.sockets))
}

/// All that a start needs, with the lock held.
#[derive(Debug)]
struct Prepared {
    lock: layout::Lock,
    data: PathBuf,
    sockets: PathBuf,
    programs: programs::Programs,
}

fn prepare(data_dir: &Path, settings: &Settings, cancelled: &AtomicBool) -> Result<Prepared, EmbeddedError> {
    if rustix::process::geteuid().is_root() {
        return Err(EmbeddedError::Root);
    }
    let layout = Layout::create(data_dir)?;
    let lock = layout.lock()?;
    let (data, sockets) = (layout.data(), layout.sockets()?);
    let made_by = initialise::made_by(&data)?;
    let programs = programs::find(settings.programs.as_deref(), &data, made_by.as_deref())?;
    let is_cancelled = || cancelled.load(Ordering::Relaxed);
    processes::settle(&data, &is_cancelled)?;
    if is_cancelled() {
        return Err(EmbeddedError::Cancelled);
    }
    if made_by.is_none() {
        initialise::initialise(&layout, &programs)?;
    }
    conf::write(&data, &sockets, &programs, settings.pool_size)?;
    Ok(Prepared { lock, data, sockets, programs })
}

/// Waits for the server, and makes what is missing in it.
async fn prepare_database(supervisor: &Supervisor, sockets: &Path) -> Result<(), EmbeddedError> {
    let mut connection = ready(supervisor, sockets).await?;
    furnish(&mut connection).await?;
    Ok(connection.close().await?)
}

/// A superuser's connection, as soon as there can be one.
async fn ready(supervisor: &Supervisor, sockets: &Path) -> Result<PgConnection, EmbeddedError> {
    let options = local(sockets, SUPERUSER, "postgres").application_name("congthu start");
    let began = Instant::now();
    let mut remarked = began;
    loop {
        if let Some(reason) = supervisor.failure() {
            return Err(EmbeddedError::NotStarted(reason));
        }
        let tried = tokio::time::timeout(CONNECT_LIMIT, options.connect()).await;
        match tried {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if began.elapsed() > READY_LIMIT => return Err(error.into()),
            _ => {}
        }
        if remarked.elapsed() > READY_REMARK {
            remarked = Instant::now();
            tracing::info!("PostgreSQL is still starting (after a crash it first replays its log)");
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
}

/// The roles and the database; each is looked for first, so that a start that was cut short is completed by the next.
async fn furnish(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for role in [OWNER_ROLE, SERVER_ROLE] {
        let found: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(role)
            .fetch_one(&mut *connection)
            .await?;
        if !found {
            connection.execute(AssertSqlSafe(format!("create role {role} login"))).await?;
        }
    }
    let found: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(EMBEDDED_DATABASE)
        .fetch_one(&mut *connection)
        .await?;
    if !found {
        let sql = format!("create database {EMBEDDED_DATABASE} owner {OWNER_ROLE} template template0");
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    Ok(())
}
