//! Opening the installation: database, schema, content directory, engine. The server does it, and so does every
//! command, which is one more node beside it.
//!
//! Invariants: a running server's database is joined, never started twice; commands that have to start the
//! embedded Postgres themselves wait for each other, so that none is cut off by another one's end; what was
//! opened is closed in the opposite order; no engine is without the scanners that there are, whoever opens it.

use crate::config::Config;
use crate::system::{OsRng, SystemClock};
use anyhow::{Context as _, Result, anyhow, bail};
use engine::{Engine, Settings};
use model::Rng;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::embedded::{self, Embedded, EmbeddedError};
use store::{Endpoint, MigrationReport, Objects, Store};
use tokio_util::sync::CancellationToken;

/// Connections for durable commits. Measured: eight writers are the fastest on two cores, and 32 lose little; the
/// rest is for readers, which are short.
const POOL_SIZE: u32 = 32;
/// Held by a command for as long as it owns the embedded Postgres; under `data_dir`.
const COMMAND_LOCK: &str = "command.lock";
/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// How often a server that is just starting is looked at before giving up: two minutes, as a start after a crash
/// may take.
const ATTACH_TRIES: u32 = 1_200;

/// An open installation.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) engine: Engine,
    store: Store,
    database: Database,
}

/// The database, and whatever keeps it open.
#[derive(Debug)]
struct Database {
    endpoint: Endpoint,
    embedded: Option<Embedded>,
    /// Given back after Postgres has stopped.
    _command_lock: Option<File>,
}

/// A database that is only looked at.
#[derive(Debug)]
pub(crate) struct Opened(Database);

impl Opened {
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    pub(crate) async fn close(self) {
        self.0.close().await;
    }
}

/// The database as it is, without migrating it; none when the embedded one was never made.
///
/// # Errors
/// When it cannot be started or joined.
pub(crate) async fn look(config: &Config) -> Result<Option<Opened>> {
    if let Some(database) = external(config)? {
        return Ok(Some(Opened(database)));
    }
    if !embedded::exists(&config.data_dir) {
        return Ok(None);
    }
    join_or_start(config).await.map(|database| Some(Opened(database)))
}

/// Connections to the database that one server holds at most.
pub(crate) fn connections() -> u32 {
    store::connections(POOL_SIZE)
}

impl Node {
    /// For the server: owns the embedded Postgres. Nothing is left running when `stop` is cancelled meanwhile: a
    /// migration under way is rolled back, and Postgres ended.
    ///
    /// # Errors
    /// When there is no database, it cannot be migrated, another server has it, or `stop` was cancelled.
    pub(crate) async fn serve(config: &Config, stop: &CancellationToken) -> Result<Self> {
        make_data_dir(&config.data_dir)?;
        let database = match external(config)? {
            Some(database) => database,
            None => start_as_server(config, stop).await?,
        };
        Self::open(config, database, stop).await
    }

    /// For a command: joins the server's database, or starts the embedded one for as long as the command runs.
    ///
    /// # Errors
    /// As [`Node::serve`].
    pub(crate) async fn command(config: &Config) -> Result<Self> {
        let database = database_for_command(config).await?;
        Self::open(config, database, &CancellationToken::new()).await
    }

    async fn open(config: &Config, database: Database, stop: &CancellationToken) -> Result<Self> {
        let connected = tokio::select! {
            connected = connect(config, &database.endpoint) => connected,
            () = stop.cancelled() => Err(anyhow!("told to stop while opening the database")),
        };
        match connected {
            Ok((engine, store)) => Ok(Self { engine, store, database }),
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    /// Closes the connections and, where we started it, Postgres.
    pub(crate) async fn close(self) {
        self.store.close().await;
        self.database.close().await;
    }
}

impl Database {
    async fn close(self) {
        if let Some(embedded) = self.embedded
            && let Err(error) = embedded.stop().await
        {
            tracing::warn!(%error, "the embedded PostgreSQL did not stop cleanly; the next start deals with it");
        }
    }
}

/// Brings the schema up to date and nothing else.
///
/// # Errors
/// When there is no database or a migration fails.
pub(crate) async fn migrate(config: &Config) -> Result<MigrationReport> {
    let database = database_for_command(config).await?;
    let report = store::migrate(&database.endpoint).await;
    database.close().await;
    Ok(report?)
}

async fn connect(config: &Config, endpoint: &Endpoint) -> Result<(Engine, Store)> {
    store::migrate(endpoint).await?;
    let rng: Arc<dyn Rng> = Arc::new(OsRng);
    let objects = match &config.content.directory {
        Some(directory) => {
            let opened = Objects::open(directory, Arc::clone(&rng));
            Some(
                opened
                    .with_context(|| format!("cannot use the content directory {}", directory.display()))?,
            )
        }
        None => None,
    };
    let pools = store::connect(endpoint, POOL_SIZE)
        .await
        .with_context(|| format!("cannot connect to the database {endpoint}; check [database]"))?;
    let store = Store::new(pools, objects);
    let settings = Settings {
        hostname: config.hostname(),
        spool_dir: spool_dir(&config.data_dir)?,
        message_bytes_max: config.limits.message_bytes_max,
        password_page: config.password_page(),
        exempt_networks: config.limits.exempt_networks.clone(),
    };
    let engine = Engine::new(store.clone(), settings, Arc::new(SystemClock), rng);
    // Also for a command: what it lets go is scanned at that moment.
    engine.use_scanners(config.scan.scanners());
    engine.open().await?;
    Ok((engine, store))
}

async fn database_for_command(config: &Config) -> Result<Database> {
    make_data_dir(&config.data_dir)?;
    match external(config)? {
        Some(database) => Ok(database),
        None => join_or_start(config).await,
    }
}

fn external(config: &Config) -> Result<Option<Database>> {
    let Some(url) = &config.database.url else { return Ok(None) };
    let endpoint = Endpoint::external(url, config.database.owner_url.as_deref()).context("[database]")?;
    if endpoint.is_readable_on_the_way() {
        tracing::warn!(database = %endpoint, "mail crosses the network to the database in the clear: add sslmode=verify-full");
    }
    Ok(Some(Database { endpoint, embedded: None, _command_lock: None }))
}

/// A command that owns the database now ends soon, so it is waited for; another server is an error at once.
async fn start_as_server(config: &Config, stop: &CancellationToken) -> Result<Database> {
    loop {
        match start(config, stop).await {
            Err(EmbeddedError::InUse { .. })
                if !stop.is_cancelled() && try_command_lock(&config.data_dir)?.is_none() =>
            {
                tracing::info!("waiting for a congthu command that has the database open");
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            started => return Ok(owned(started?, None)),
        }
    }
}

async fn join_or_start(config: &Config) -> Result<Database> {
    let lock = loop {
        match try_command_lock(&config.data_dir)? {
            Some(lock) => break lock,
            None => tokio::time::sleep(LOCK_PAUSE).await,
        }
    };
    let unstoppable = CancellationToken::new();
    for _ in 0..ATTACH_TRIES {
        if let Some(endpoint) = embedded::attach(&config.data_dir) {
            return Ok(Database { endpoint, embedded: None, _command_lock: None });
        }
        match start(config, &unstoppable).await {
            // A server that has the lock and is not ready yet, or is about to end.
            Err(EmbeddedError::InUse { .. }) => tokio::time::sleep(LOCK_PAUSE).await,
            started => return Ok(owned(started?, Some(lock))),
        }
    }
    bail!("the congthu that uses {} does not become ready: look at its log", config.data_dir.display())
}

fn owned(embedded: Embedded, command_lock: Option<File>) -> Database {
    Database { endpoint: embedded.endpoint().clone(), embedded: Some(embedded), _command_lock: command_lock }
}

async fn start(config: &Config, stop: &CancellationToken) -> Result<Embedded, EmbeddedError> {
    let settings =
        embedded::Settings { programs: config.database.postgres_bin.clone(), pool_size: POOL_SIZE };
    Embedded::start_unless(&config.data_dir, settings, stop.cancelled()).await
}

fn try_command_lock(data_dir: &Path) -> Result<Option<File>> {
    let path = data_dir.join(COMMAND_LOCK);
    let cannot = || format!("cannot lock {}", path.display());
    let mut options = File::options();
    // For us alone: whoever may open it may hold it.
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(&path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
    }
}

/// Ours alone: it holds everybody's mail.
fn make_data_dir(data_dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.with_context(|| {
        format!("cannot make data_dir {}; choose another one, or make it for this user", data_dir.display())
    })
}

fn spool_dir(data_dir: &Path) -> Result<PathBuf> {
    let directory = data_dir.join("spool");
    make_data_dir(&directory)?;
    Ok(directory)
}
