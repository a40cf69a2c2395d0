//! A Postgres database of its own for each test.
//!
//! Invariants: every test database is a clone of a template that holds all of `migrations/`; the template's name carries a
//! hash of those files, so a changed migration makes a new template; migrations run as the owner role, which is no
//! superuser, and are recorded as the real migrator records them, so that a server finds nothing left to do. No crate of ours is used here (its types would exist twice in unit tests).

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::cluster::{Cluster, SUPERUSER};

/// Runs the migrations and owns every table.
pub const OWNER_ROLE: &str = "congthu_owner";
/// What the server logs in as: no DDL, no change of audit rows.
pub const SERVER_ROLE: &str = "congthu_server";

/// Any number will do as long as all processes use it: guards the making of roles and templates.
const TEMPLATE_LOCK: i64 = 0x0063_6f6e_6774_6875;

/// Raised when templates are made in another way, so that older ones are not used.
const TEMPLATE_FORMAT: u32 = 2;

/// A database that is dropped (best effort) when this goes out of scope.
#[derive(Debug)]
pub struct TestDatabase {
    /// As the owner of the tables.
    pub owner_url: String,
    /// As the role the server uses.
    pub server_url: String,
    /// As a superuser: to cut other connections, to look at what nobody else may.
    pub superuser_url: String,
    /// Its name in the shared cluster.
    pub name: String,
    maintenance_url: String,
}

/// A database with every migration applied.
///
/// # Panics
/// When Postgres cannot be started or a migration fails: no test could say anything then.
pub async fn database() -> TestDatabase {
    let cluster = cluster().await;
    let migrations = migrations();
    let template = template_name(&migrations);
    let maintenance_url = cluster.url(SUPERUSER, "postgres");
    let mut connection = connect(&maintenance_url).await;
    if !exists(&mut connection, &template).await {
        make_template(&cluster, &mut connection, &template, &migrations).await;
    }
    clone(&cluster, connection, &template).await
}

/// A database with nothing in it: for the tests of the migrator.
///
/// # Panics
/// When Postgres cannot be started.
pub async fn empty_database() -> TestDatabase {
    let cluster = cluster().await;
    let mut connection = connect(&cluster.url(SUPERUSER, "postgres")).await;
    run(&mut connection, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await;
    make_owner(&mut connection).await;
    run(&mut connection, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    clone(&cluster, connection, "template0").await
}

impl TestDatabase {
    /// Runs a statement as a superuser: for what happens to a database behind the server's back.
    ///
    /// # Panics
    /// When it fails.
    pub async fn run(&self, statement: &str) {
        let mut connection = connect(&self.superuser_url).await;
        run(&mut connection, statement.to_owned()).await;
        let _ = connection.close().await;
    }

    /// The number that a query as a superuser answers with.
    ///
    /// # Panics
    /// When it fails.
    pub async fn number(&self, query: &str) -> i64 {
        let mut connection = connect(&self.superuser_url).await;
        let asked = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await;
        let _ = connection.close().await;
        asked.expect("the database must answer")
    }

    /// The first column of each row, which is text, as a superuser sees it.
    ///
    /// # Panics
    /// When it fails.
    pub async fn texts(&self, query: &str) -> Vec<String> {
        let mut connection = connect(&self.superuser_url).await;
        let texts = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await;
        let _ = connection.close().await;
        texts.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The text that a query as a superuser answers with.
    ///
    /// # Panics
    /// When it fails.
    pub async fn text(&self, query: &str) -> String {
        let mut connection = connect(&self.superuser_url).await;
        let asked = sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut connection).await;
        let _ = connection.close().await;
        asked.expect("the database must answer")
    }

    /// Begins a transaction as a superuser with a statement whose locks are kept until [`Held::release`].
    ///
    /// # Panics
    /// When it fails.
    pub async fn hold(&self, statement: &str) -> Held {
        let mut connection = connect(&self.superuser_url).await;
        run(&mut connection, "begin".to_owned()).await;
        run(&mut connection, statement.to_owned()).await;
        Held(connection)
    }
}

/// Locks that others wait for.
#[derive(Debug)]
pub struct Held(PgConnection);

impl Held {
    /// Until somebody waits for a lock of ours.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn until_somebody_waits(&mut self) {
        // Of the locks as they are now: of sessions a transaction sees those alone that there were when it first asked.
        let waiting = "select exists (select from pg_locks
                                       where not granted and pg_backend_pid() = any (pg_blocking_pids(pid)))";
        let ask = async |connection: &mut PgConnection| {
            let asked = sqlx::query_scalar::<_, bool>(waiting).fetch_one(connection).await;
            asked.expect("the database must answer")
        };
        while !ask(&mut self.0).await {
            tokio::task::yield_now().await;
        }
    }

    /// Lets go, and what was done stays.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn commit(mut self) {
        run(&mut self.0, "commit".to_owned()).await;
        let _ = self.0.close().await;
    }

    /// Lets go.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn release(mut self) {
        run(&mut self.0, "rollback".to_owned()).await;
        let _ = self.0.close().await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, name) = (self.maintenance_url.clone(), self.name.clone());
        // A thread of its own: the test's runtime may be shutting down, and a destructor cannot await.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&url).await.map_err(std::io::Error::other)?;
                let sql = format!("drop database if exists {name} with (force)");
                connection.execute(AssertSqlSafe(sql)).await.map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>(())
            })
        });
        let _ = dropper.join();
    }
}

async fn cluster() -> Cluster {
    let started =
        tokio::task::spawn_blocking(Cluster::ensure).await.expect("starting Postgres must not panic");
    started.unwrap_or_else(|error| panic!("cannot start the test Postgres: {error}"))
}

async fn clone(cluster: &Cluster, mut connection: PgConnection, template: &str) -> TestDatabase {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // A process id may come back while an old database of that number is still there, hence the drop.
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    run(&mut connection, format!("drop database if exists {name} with (force)")).await;
    run(&mut connection, format!("create database {name} template {template} owner {OWNER_ROLE}")).await;
    let _ = connection.close().await;
    TestDatabase {
        owner_url: cluster.url(OWNER_ROLE, &name),
        server_url: cluster.url(SERVER_ROLE, &name),
        superuser_url: cluster.url(SUPERUSER, &name),
        maintenance_url: cluster.url(SUPERUSER, "postgres"),
        name,
    }
}

/// Makes the template under another name first: a half-made one is never cloned.
async fn make_template(
    cluster: &Cluster,
    connection: &mut PgConnection,
    template: &str,
    migrations: &[(PathBuf, String)],
) {
    run(connection, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await;
    if !exists(connection, template).await {
        let draft = format!("draft_{template}");
        make_owner(connection).await;
        run(connection, format!("drop database if exists {draft} with (force)")).await;
        run(connection, format!("create database {draft} template template0 owner {OWNER_ROLE}")).await;
        apply(&cluster.url(OWNER_ROLE, &draft), migrations).await;
        run(connection, format!("alter database {draft} rename to {template}")).await;
    }
    run(connection, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await;
}

/// The owner may make roles (the first migration does) and nothing else that a superuser may.
async fn make_owner(connection: &mut PgConnection) {
    let sql = format!(
        "do $$ begin
             if not exists (select from pg_roles where rolname = '{OWNER_ROLE}') then
                 create role {OWNER_ROLE} login createrole;
             end if;
         end $$"
    );
    run(connection, sql).await;
}

async fn apply(url: &str, migrations: &[(PathBuf, String)]) {
    let mut connection = connect(url).await;
    for (path, sql) in migrations {
        let applied = connection.execute(AssertSqlSafe(format!("begin;\n{sql}\n;commit"))).await;
        if let Err(error) = applied {
            panic!("{}: {error}", path.display());
        }
        record(&mut connection, path, sql).await;
    }
    connection.close().await.expect("the template must have no connections left");
}

/// What the real migrator writes down: number and name of the file `NNNN_name.sql` and the BLAKE3 of its text.
async fn record(connection: &mut PgConnection, path: &Path, sql: &str) {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let parts = stem.split_once('_').and_then(|(number, name)| Some((number.parse::<i32>().ok()?, name)));
    let Some((version, name)) = parts else { panic!("{}: not named NNNN_name.sql", path.display()) };
    let insert = sqlx::query("insert into migrations (version, name, checksum) values ($1, $2, $3)")
        .bind(version)
        .bind(name)
        .bind(blake3::hash(sql.as_bytes()).as_bytes().as_slice());
    insert.execute(connection).await.expect("the first migration makes the table migrations");
}

/// Every migration with its text, in the order of the file names.
fn migrations() -> Vec<(PathBuf, String)> {
    let directory = crate::workspace().join("migrations");
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    let read = |path: PathBuf| {
        let sql = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, sql)
    };
    paths.into_iter().map(read).collect()
}

fn template_name(migrations: &[(PathBuf, String)]) -> String {
    let mut hasher = DefaultHasher::new();
    TEMPLATE_FORMAT.hash(&mut hasher);
    for (path, sql) in migrations {
        (path.file_name(), sql).hash(&mut hasher);
    }
    format!("template_{:016x}", hasher.finish())
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

async fn exists(connection: &mut PgConnection, database: &str) -> bool {
    let found = sqlx::query_scalar("select exists (select from pg_database where datname = $1)");
    found.bind(database).fetch_one(connection).await.expect("pg_database can always be read")
}

async fn run(connection: &mut PgConnection, sql: String) {
    if let Err(error) = connection.execute(AssertSqlSafe(sql.clone())).await {
        panic!("{sql}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The pool of a test may connect while somebody looks already.
    #[tokio::test]
    async fn who_connects_later_is_seen_waiting() {
        let database = database().await;
        let mut held = database.hold("lock table accounts in access exclusive mode").await;
        run(&mut held.0, "select count(*) from pg_stat_activity".to_owned()).await;
        let mut waits = std::pin::pin!(database.number("select count(*) from accounts"));
        let seen = async {
            tokio::select! {
                number = &mut waits => panic!("{number}"),
                () = held.until_somebody_waits() => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("it waits for the lock");
        held.release().await;
        assert_eq!(waits.await, 0);
    }
}
