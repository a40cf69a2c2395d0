//! Where the database is and how to connect to it: one address for the owner, one for the server, and the pools.
//!
//! Invariants: whatever user the address names, every pool connection acts as `congthu_server` from its first statement
//! and every migration as `congthu_owner`; no statement, lock wait or idle transaction lasts for ever; a password is never
//! printed.

use crate::acceptor::acceptors;
use crate::recipients::FINDERS;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Runs the migrations and owns every table.
pub const OWNER_ROLE: &str = "congthu_owner";
/// What the server acts as: it cannot alter a table, nor change an audit row.
pub const SERVER_ROLE: &str = "congthu_server";
/// The database of an embedded cluster.
pub(crate) const EMBEDDED_DATABASE: &str = "congthu";

/// The longest a statement may run. A future that is dropped leaves its query running, so there must be an end; the
/// longest honest statement (a batch of the sweeper, a mailbox of 100,000 read) takes seconds.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest a transaction may sit without a statement: longer means that its owner was lost.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest wait for a row: far above the length of any of our transactions, below a mail client's patience.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest wait for a connection, which must outlast a restart of Postgres after a crash.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection unused for longer is tried before use. Shorter than any restart of Postgres takes, so that of the idle
/// connections none is handed out dead; a busy pool never waits for this.
const TRUSTED_IDLE: Duration = Duration::from_millis(100);
/// Connections unused for longer are given back.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Fewer connections than this per pool would let one slow statement stop everything.
const SMALLEST_POOL: u32 = 2;

/// Parameters of a database URL that are understood; another one is a mistake that must not pass in silence
/// (`sslmod=verify-full` would connect in the clear).
const URL_PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// A database URL that cannot be used. The texts never contain the URL, which may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    #[error("the database URL must begin with postgres:// or postgresql://")]
    Scheme,
    #[error("the database URL does not name a database: postgres://USER@HOST/DATABASE")]
    NoDatabase,
    #[error("the database URL has an unknown parameter {0:?}")]
    UnknownParameter(String),
    #[error("the database URL cannot be read: {0}")]
    Unreadable(String),
    #[error("the owner's URL and the server's URL name different databases")]
    DifferentDatabases,
}

/// How to reach one database, as owner and as server.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) owner: PgConnectOptions,
    pub(crate) server: PgConnectOptions,
}

impl Endpoint {
    /// A database somebody else runs. TLS follows `sslmode` (and `sslrootcert`) of the URL; the owner's URL is the
    /// server's when there is none.
    ///
    /// # Errors
    /// When a URL cannot be read or has parameters that nobody understands.
    pub fn external(server_url: &str, owner_url: Option<&str>) -> Result<Self, EndpointError> {
        let server = parse(server_url)?;
        let owner = owner_url.map_or_else(|| Ok(server.clone()), parse)?;
        if owner.get_database() != server.get_database() {
            return Err(EndpointError::DifferentDatabases);
        }
        Ok(Self { owner, server })
    }

    /// The embedded cluster whose socket is in `socket_directory`.
    pub(crate) fn embedded(socket_directory: &Path) -> Self {
        Self {
            owner: local(socket_directory, OWNER_ROLE, EMBEDDED_DATABASE),
            server: local(socket_directory, SERVER_ROLE, EMBEDDED_DATABASE),
        }
    }

    /// Could what is sent to this database be read on the way? True for another machine without enforced TLS.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        [&self.owner, &self.server].into_iter().any(|options| {
            let enforced = matches!(
                options.get_ssl_mode(),
                PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
            );
            !enforced && !is_local(options)
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("place", &place(&self.server))
            .field("owner", &self.owner.get_username())
            .field("server", &self.server.get_username())
            .finish()
    }
}

/// For people: where the database is, without user or password.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(&self.server))
    }
}

/// Connections that act as `congthu_server`.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Commits are durable when they return.
    pub(crate) main: PgPool,
    /// As `main`, for statements that many callers share. So few that each comes again before its process has lost what it
    /// needs from the processor's caches: a pool hands out the connection that has rested longest.
    pub(crate) carriers: PgPool,
    /// Commits return before they are durable: for chunks, whose WAL the accepting transaction's commit flushes, and for
    /// evidence that nobody waits for.
    pub(crate) chunks: PgPool,
}

impl Pools {
    /// Waits for the connections in use to come back, and closes all.
    pub async fn close(&self) {
        self.main.close().await;
        self.carriers.close().await;
        self.chunks.close().await;
    }
}

/// Connections of all pools together when the pool of durable commits has `size`.
#[must_use]
pub fn connections(size: u32) -> u32 {
    main_size(size) + carriers() + chunk_size(size)
}

/// Opens the pools: up to `size` connections with durable commits and half as many without.
///
/// # Errors
/// When no connection can be made, also because the roles are not there (run [`crate::migrate`] first).
pub async fn connect(endpoint: &Endpoint, size: u32) -> Result<Pools, sqlx::Error> {
    let main = session(&endpoint.server).application_name("congthu");
    let carrying = main.clone().application_name("congthu carriers");
    let chunks =
        session(&endpoint.server).application_name("congthu chunks").options([("synchronous_commit", "off")]);
    let main = pool(main_size(size)).connect_with(main).await?;
    let carriers = pool(carriers()).connect_lazy_with(carrying);
    let chunks = pool(chunk_size(size)).connect_lazy_with(chunks);
    Ok(Pools { main, carriers, chunks })
}

/// One for each carrier there may be.
fn carriers() -> u32 {
    u32::try_from(acceptors() + FINDERS).unwrap_or(u32::MAX)
}

const fn main_size(size: u32) -> u32 {
    if size < SMALLEST_POOL { SMALLEST_POOL } else { size }
}

const fn chunk_size(size: u32) -> u32 {
    main_size(size / 2)
}

/// Session defaults travel in the start-up packet: they cost no round trip and survive `reset all`.
fn session(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("role", SERVER_ROLE.to_owned()),
        ("statement_timeout", STATEMENT_TIMEOUT.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT.as_millis().to_string()),
        ("lock_timeout", LOCK_TIMEOUT.as_millis().to_string()),
        ("timezone", "UTC".to_owned()),
        ("search_path", "public".to_owned()),
    ])
}

fn pool(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        })
}

/// Options for the socket of an embedded cluster, whatever the environment says about databases.
pub(crate) fn local(socket_directory: &Path, user: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_directory)
        .port(5432)
        .username(user)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

fn parse(url: &str) -> Result<PgConnectOptions, EndpointError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(EndpointError::Scheme);
    }
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let key = parameter.split('=').next().unwrap_or_default();
        if !URL_PARAMETERS.contains(&key) {
            return Err(EndpointError::UnknownParameter(key.to_owned()));
        }
    }
    let options: PgConnectOptions =
        url.parse().map_err(|error: sqlx::Error| EndpointError::Unreadable(error.to_string()))?;
    match options.get_database() {
        Some(name) if !name.is_empty() => Ok(options),
        _ => Err(EndpointError::NoDatabase),
    }
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(directory) => format!("{}/{database}", directory.display()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_mean_what_they_say_are_refused() {
        let refused = |url: &str| Endpoint::external(url, None).expect_err(url);
        assert_eq!(refused("mysql://db/congthu"), EndpointError::Scheme);
        assert_eq!(refused("congthu"), EndpointError::Scheme);
        assert_eq!(
            refused("postgres://u@db/congthu?sslmod=verify-full"),
            EndpointError::UnknownParameter("sslmod".to_owned())
        );
        assert!(matches!(refused("postgres://u@db/congthu?sslmode=perhaps"), EndpointError::Unreadable(_)));
        assert!(matches!(refused("postgres://u@db:port/congthu"), EndpointError::Unreadable(_)));
        let two = Endpoint::external("postgres://s@db/one", Some("postgres://o@db/two"));
        assert_eq!(two.map(|_| ()), Err(EndpointError::DifferentDatabases));
    }

    #[test]
    fn the_owner_is_the_server_unless_said_otherwise() {
        let one = Endpoint::external("postgres://s@db/mail", None).expect("a good URL");
        assert_eq!(one.owner.get_username(), "s");
        let two =
            Endpoint::external("postgres://s@db/mail", Some("postgres://o@db/mail")).expect("good URLs");
        assert_eq!((two.owner.get_username(), two.server.get_username()), ("o", "s"));
    }

    #[test]
    fn passwords_are_not_printed() {
        let endpoint = Endpoint::external("postgres://s:hunter2@db/mail", None).expect("a good URL");
        assert!(!format!("{endpoint:?} {endpoint}").contains("hunter2"));
        assert_eq!(endpoint.to_string(), "db:5432/mail");
    }

    #[test]
    fn tls_is_missed_only_where_it_is_needed() {
        let open = |url: &str| Endpoint::external(url, None).expect(url).is_readable_on_the_way();
        assert!(open("postgres://s@db/mail"));
        assert!(open("postgres://s@db/mail?sslmode=prefer"));
        assert!(!open("postgres://s@db/mail?sslmode=verify-full&sslrootcert=/etc/ca.pem"));
        assert!(!open("postgres://s@127.0.0.1/mail"));
        assert!(!open("postgres://s@localhost/mail?host=/run/postgresql"));
    }

    #[test]
    fn pools_never_shrink_to_one() {
        assert_eq!(connections(0), 4 + carriers());
        assert_eq!(connections(32), 48 + carriers());
        assert!(carriers() > 2);
    }
}
