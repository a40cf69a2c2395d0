//! What is counted below, for `/metrics`. The names are explained in `docs/operations/metrics.md`.

use crate::{Pools, Store};
use metrics::counter;
use sqlx::PgPool;

/// Connections of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    pub name: &'static str,
    /// In the hands of somebody.
    pub used: u32,
    /// Open and waiting.
    pub idle: u32,
    /// How many there may be.
    pub max: u32,
}

impl Store {
    /// All pools. Asks nobody.
    #[must_use]
    pub fn pool_usage(&self) -> [PoolUsage; 3] {
        let Pools { main, carriers, chunks } = &self.pools;
        [usage("main", main), usage("carriers", carriers), usage("chunks", chunks)]
    }
}

fn usage(name: &'static str, pool: &PgPool) -> PoolUsage {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    PoolUsage {
        name,
        used: pool.size().saturating_sub(idle),
        idle,
        max: pool.options().get_max_connections(),
    }
}

/// The database did not do what it was asked, for a reason that is nobody's mistake.
pub(crate) fn failed(error: &sqlx::Error) {
    let kind = match error {
        sqlx::Error::PoolTimedOut => "pool_timeout",
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => "connection",
        sqlx::Error::Database(_) => "refused",
        _ => "other",
    };
    counter!("congthu_database_errors_total", "kind" => kind).increment(1);
}

/// Lost against another transaction; tried again by the caller.
pub(crate) fn conflict() {
    counter!("congthu_database_errors_total", "kind" => "conflict").increment(1);
}

pub(crate) fn postgres_restarted() {
    counter!("congthu_postgres_restarts_total").increment(1);
}
