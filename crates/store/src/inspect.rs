//! What an operator's check asks of a database.

use crate::{Endpoint, MigrateError, pending};
use jiff::Timestamp;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;

/// A database as it is found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Such as `15.14`.
    pub version: String,
    /// Migrations that are still to be applied.
    pub pending: Vec<&'static str>,
    pub collation: String,
    /// The database's clock.
    pub now: Timestamp,
    settings: Vec<(String, String)>,
}

impl Inspection {
    /// What a setting is for sessions of the server; empty when there is none of this name, or it was not asked for.
    #[must_use]
    pub fn setting(&self, name: &str) -> &str {
        self.settings.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// Looks and changes nothing.
///
/// # Errors
/// When the database cannot be reached, or its schema is not one this version knows.
pub async fn inspect(endpoint: &Endpoint) -> Result<Inspection, MigrateError> {
    let pending = pending(endpoint).await?;
    let mut connection = endpoint.server.connect().await?;
    let settings: Vec<(String, String)> = sqlx::query_as(
        "select name, setting from pg_settings
          where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'max_connections', 'server_version',
                         'server_encoding')",
    )
    .fetch_all(&mut connection)
    .await?;
    let (collation, now): (String, jiff_sqlx::Timestamp) = sqlx::query_as(
        "select datcollate, clock_timestamp() from pg_database where datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    let mut found = Inspection { version: String::new(), pending, collation, now: now.to_jiff(), settings };
    found.version = found.setting("server_version").to_owned();
    Ok(found)
}
