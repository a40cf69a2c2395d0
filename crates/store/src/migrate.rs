//! Brings a database to the schema this binary was built with.
//!
//! Invariants: one migrator at a time per database (advisory lock); every file is one transaction together with its row in
//! `migrations`; a file that was applied is never applied again nor accepted with another text; a database that knows more
//! than this binary is refused untouched.

mod roles;

use crate::endpoint::Endpoint;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

/// Any number will do as long as every release uses it and no other lock has it.
pub(crate) const LOCK: i64 = 0x636f_6e67_7468_7501;
/// The oldest Postgres the statements were written and tested for.
pub(crate) const OLDEST_POSTGRES: u32 = 15;

/// One file of `migrations/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    fn checksum(&self) -> [u8; 32] {
        *blake3::hash(self.sql.as_bytes()).as_bytes()
    }
}

/// Every migration, in order; released ones never change (migrations/README.md).
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "roles", sql: include_str!("../../../migrations/0001_roles.sql") },
    Migration { version: 2, name: "mail", sql: include_str!("../../../migrations/0002_mail.sql") },
    Migration { version: 3, name: "search", sql: include_str!("../../../migrations/0003_search.sql") },
    Migration {
        version: 4,
        name: "organisation",
        sql: include_str!("../../../migrations/0004_organisation.sql"),
    },
    Migration { version: 5, name: "life", sql: include_str!("../../../migrations/0005_life.sql") },
    Migration { version: 6, name: "evidence", sql: include_str!("../../../migrations/0006_evidence.sql") },
    Migration { version: 7, name: "sharing", sql: include_str!("../../../migrations/0007_sharing.sql") },
    Migration { version: 8, name: "policy", sql: include_str!("../../../migrations/0008_policy.sql") },
    Migration { version: 9, name: "moves", sql: include_str!("../../../migrations/0009_moves.sql") },
    Migration { version: 10, name: "cases", sql: include_str!("../../../migrations/0010_cases.sql") },
    Migration { version: 11, name: "queue", sql: include_str!("../../../migrations/0011_queue.sql") },
    Migration { version: 12, name: "handling", sql: include_str!("../../../migrations/0012_handling.sql") },
    Migration { version: 13, name: "sending", sql: include_str!("../../../migrations/0013_sending.sql") },
    Migration {
        version: 14,
        name: "group_addresses",
        sql: include_str!("../../../migrations/0014_group_addresses.sql"),
    },
    Migration { version: 15, name: "incidents", sql: include_str!("../../../migrations/0015_incidents.sql") },
    Migration { version: 16, name: "dkim", sql: include_str!("../../../migrations/0016_dkim.sql") },
    Migration {
        version: 17,
        name: "return_path",
        sql: include_str!("../../../migrations/0017_return_path.sql"),
    },
    Migration { version: 18, name: "sent", sql: include_str!("../../../migrations/0018_sent.sql") },
    Migration { version: 19, name: "dmarc", sql: include_str!("../../../migrations/0019_dmarc.sql") },
    Migration {
        version: 20,
        name: "return_paths",
        sql: include_str!("../../../migrations/0020_return_paths.sql"),
    },
    Migration { version: 21, name: "held_by", sql: include_str!("../../../migrations/0021_held_by.sql") },
    Migration {
        version: 22,
        name: "dmarc_received",
        sql: include_str!("../../../migrations/0022_dmarc_received.sql"),
    },
    Migration {
        version: 23,
        name: "lock_notes",
        sql: include_str!("../../../migrations/0023_lock_notes.sql"),
    },
    Migration {
        version: 24,
        name: "unit_watchers",
        sql: include_str!("../../../migrations/0024_unit_watchers.sql"),
    },
    Migration { version: 25, name: "reviews", sql: include_str!("../../../migrations/0025_reviews.sql") },
    Migration { version: 26, name: "passed_on", sql: include_str!("../../../migrations/0026_passed_on.sql") },
    Migration { version: 27, name: "exports", sql: include_str!("../../../migrations/0027_exports.sql") },
    Migration { version: 28, name: "moved_in", sql: include_str!("../../../migrations/0028_moved_in.sql") },
    Migration {
        version: 29,
        name: "leaves_withdrawn",
        sql: include_str!("../../../migrations/0029_leaves_withdrawn.sql"),
    },
    Migration {
        version: 30,
        name: "tls_reports",
        sql: include_str!("../../../migrations/0030_tls_reports.sql"),
    },
    Migration {
        version: 31,
        name: "quarantine",
        sql: include_str!("../../../migrations/0031_quarantine.sql"),
    },
    Migration { version: 32, name: "learning", sql: include_str!("../../../migrations/0032_learning.sql") },
    Migration {
        version: 33,
        name: "who_brings",
        sql: include_str!("../../../migrations/0033_who_brings.sql"),
    },
    Migration { version: 34, name: "visits", sql: include_str!("../../../migrations/0034_visits.sql") },
    Migration {
        version: 35,
        name: "kept_apart",
        sql: include_str!("../../../migrations/0035_kept_apart.sql"),
    },
    Migration {
        version: 36,
        name: "certificates",
        sql: include_str!("../../../migrations/0036_certificates.sql"),
    },
    Migration { version: 37, name: "harm", sql: include_str!("../../../migrations/0037_harm.sql") },
    Migration { version: 38, name: "stopped", sql: include_str!("../../../migrations/0038_stopped.sql") },
    Migration {
        version: 39,
        name: "own_correspondents",
        sql: include_str!("../../../migrations/0039_own_correspondents.sql"),
    },
    Migration { version: 40, name: "own_name", sql: include_str!("../../../migrations/0040_own_name.sql") },
    Migration {
        version: 41,
        name: "certificate_names",
        sql: include_str!("../../../migrations/0041_certificate_names.sql"),
    },
    Migration {
        version: 42,
        name: "kept_for_holds",
        sql: include_str!("../../../migrations/0042_kept_for_holds.sql"),
    },
    Migration {
        version: 43,
        name: "lessons_by_whom",
        sql: include_str!("../../../migrations/0043_lessons_by_whom.sql"),
    },
    Migration {
        version: 44,
        name: "told_together",
        sql: include_str!("../../../migrations/0044_told_together.sql"),
    },
    Migration { version: 45, name: "sieve", sql: include_str!("../../../migrations/0045_sieve.sql") },
];

/// What [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Names of the files applied now, in order.
    pub applied: Vec<&'static str>,
    /// The version the database has now.
    pub version: i32,
}

/// Why a database could not be brought to this binary's schema. The transaction of a failed file was rolled back.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "the database is at version {found} and this congthu knows only {known}: \
         install the congthu that made it, or a newer one"
    )]
    Newer { found: i32, known: i32 },
    #[error(
        "migration {version} ({name}) was applied with another text than this congthu has: restore the released file"
    )]
    Edited { version: i32, name: String },
    #[error(
        "migration {missing} is missing in the database although a later one is there: restore it from a backup"
    )]
    Gap { missing: i32 },
    #[error("PostgreSQL {found} is too old: version {OLDEST_POSTGRES} or newer is needed")]
    PostgresTooOld { found: u32 },
    /// The user may not prepare the database; an administrator of it has to.
    #[error(
        "the database user {user:?} may not prepare the database; run this once as its administrator: {sql}"
    )]
    Roles { user: String, sql: String },
    #[error("migration {version} ({name}) failed: {source}")]
    Failed { version: i32, name: &'static str, source: sqlx::Error },
    #[error("the database cannot be reached or read: {0}")]
    Database(#[from] sqlx::Error),
}

/// Applies what is missing. Safe to call from several nodes at once: the others wait and then find nothing to do.
///
/// # Errors
/// See [`MigrateError`]; nothing of a file that failed stays.
pub async fn migrate(endpoint: &Endpoint) -> Result<MigrationReport, MigrateError> {
    let mut connection = open(&endpoint.owner).await?;
    let outcome = run(&mut connection, endpoint).await;
    // Closing gives the lock back as well, also when the work failed.
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing the migrator's connection");
    }
    outcome
}

/// Names of the migrations a call of [`migrate`] would apply. Changes nothing.
///
/// # Errors
/// As [`migrate`], for a database that this binary must not touch.
pub async fn pending(endpoint: &Endpoint) -> Result<Vec<&'static str>, MigrateError> {
    let mut connection = open(&endpoint.owner).await?;
    let applied = applied(&mut connection).await?;
    connection.close().await?;
    Ok(plan(&applied, MIGRATIONS)?.iter().map(|migration| migration.name).collect())
}

async fn open(options: &PgConnectOptions) -> Result<PgConnection, MigrateError> {
    // A migration may wait for locks and work for long; an operator who set timeouts for others did not mean it.
    let options = options.clone().application_name("congthu migrate").options([
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("timezone", "UTC"),
        ("search_path", "public"),
        ("client_min_messages", "warning"),
    ]);
    let mut connection = options.connect().await?;
    let number: String = sqlx::query_scalar("show server_version_num").fetch_one(&mut connection).await?;
    let found = number.parse::<u32>().unwrap_or_default() / 10_000;
    if found < OLDEST_POSTGRES {
        return Err(MigrateError::PostgresTooOld { found });
    }
    Ok(connection)
}

async fn run(connection: &mut PgConnection, endpoint: &Endpoint) -> Result<MigrationReport, MigrateError> {
    lock(connection).await?;
    roles::prepare(connection, endpoint.server.get_username()).await?;
    let applied = applied(connection).await?;
    let missing = plan(&applied, MIGRATIONS)?;
    for migration in missing {
        apply(connection, migration).await.map_err(|source| MigrateError::Failed {
            version: migration.version,
            name: migration.name,
            source,
        })?;
        tracing::info!(version = migration.version, name = migration.name, "migration applied");
    }
    Ok(MigrationReport {
        applied: missing.iter().map(|migration| migration.name).collect(),
        version: MIGRATIONS.last().map_or(0, |migration| migration.version),
    })
}

async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let taken: bool =
        sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?;
    if !taken {
        tracing::info!("waiting for another node that is migrating this database");
        sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(connection).await?;
    }
    Ok(())
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    transaction.execute(sqlx::raw_sql(migration.sql)).await?;
    sqlx::query("insert into migrations (version, name, checksum) values ($1, $2, $3)")
        .bind(migration.version)
        .bind(migration.name)
        .bind(migration.checksum().as_slice())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// One row of `migrations`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Applied {
    version: i32,
    name: String,
    checksum: Vec<u8>,
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass('public.migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let rows: Vec<(i32, String, Vec<u8>)> =
        sqlx::query_as("select version, name, checksum from migrations order by version")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(version, name, checksum)| Applied { version, name, checksum }).collect())
}

/// The rest of `known` that a database with `applied` (in order of version) still needs.
fn plan<'a>(applied: &[Applied], known: &'a [Migration]) -> Result<&'a [Migration], MigrateError> {
    let newest = known.last().map_or(0, |migration| migration.version);
    if let Some(newer) = applied.last().filter(|last| last.version > newest) {
        return Err(MigrateError::Newer { found: newer.version, known: newest });
    }
    for (expected, row) in known.iter().zip(applied) {
        if row.version != expected.version {
            return Err(MigrateError::Gap { missing: expected.version });
        }
        if row.checksum != expected.checksum() {
            return Err(MigrateError::Edited { version: row.version, name: row.name.clone() });
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

/// The statement that makes everything after it the owner's.
const BECOME_OWNER: &str = "set role congthu_owner";

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[
        Migration { version: 1, name: "one", sql: "select 1" },
        Migration { version: 2, name: "two", sql: "select 2" },
        Migration { version: 3, name: "three", sql: "select 3" },
    ];

    fn had(migrations: &[Migration]) -> Vec<Applied> {
        let row = |migration: &Migration| Applied {
            version: migration.version,
            name: migration.name.to_owned(),
            checksum: migration.checksum().to_vec(),
        };
        migrations.iter().map(row).collect()
    }

    #[test]
    fn what_is_missing_is_applied_in_order() {
        for count in 0..=KNOWN.len() {
            let (before, after) = KNOWN.split_at(count);
            let planned = plan(&had(before), KNOWN).expect("nothing is wrong");
            let versions = |list: &[Migration]| list.iter().map(|one| one.version).collect::<Vec<_>>();
            assert_eq!(versions(planned), versions(after));
        }
    }

    #[test]
    fn a_newer_database_is_refused() {
        let (older, _) = KNOWN.split_at(2);
        let error = plan(&had(KNOWN), older).expect_err("three is unknown to this binary");
        assert!(matches!(error, MigrateError::Newer { found: 3, known: 2 }), "{error}");
    }

    #[test]
    fn an_edited_file_is_refused() {
        let mut rows = had(KNOWN);
        rows[1].checksum[0] ^= 1;
        let error = plan(&rows, KNOWN).expect_err("two was edited");
        assert!(matches!(error, MigrateError::Edited { version: 2, .. }), "{error}");
    }

    #[test]
    fn a_gap_is_refused() {
        let mut rows = had(KNOWN);
        rows.remove(1);
        let error = plan(&rows, KNOWN).expect_err("two is missing");
        assert!(matches!(error, MigrateError::Gap { missing: 2 }), "{error}");
    }

    #[test]
    fn the_files_are_numbered_without_a_gap_and_all_listed() {
        for (expected, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, expected, "{}", migration.name);
        }
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let mut files: Vec<String> = std::fs::read_dir(directory)
            .expect("the directory of migrations")
            .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
            .filter(|name| name.ends_with(".sql"))
            .collect();
        files.sort();
        let listed = MIGRATIONS.iter().map(|one| format!("{:04}_{}.sql", one.version, one.name));
        assert_eq!(files, listed.collect::<Vec<_>>());
    }

    #[test]
    fn the_owner_is_the_one_of_the_endpoint() {
        assert_eq!(BECOME_OWNER, format!("set role {}", crate::endpoint::OWNER_ROLE));
    }
}
