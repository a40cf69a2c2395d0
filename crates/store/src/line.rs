//! The connection of whoever takes what many have said to the database, one statement after the other.
//!
//! Invariant: a connection on which something failed that nobody understands is closed, not given to others: it may be in any state.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

#[derive(Debug)]
pub(crate) struct Line {
    pool: PgPool,
    connection: Option<PoolConnection<Postgres>>,
}

impl Line {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// The connection that was kept, or another one.
    pub(crate) async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.pool.acquire().await?),
        };
        Ok(connection)
    }

    /// What was kept is closed; the next statement gets another one.
    pub(crate) fn cut(&mut self) {
        if let Some(mut broken) = self.connection.take() {
            broken.close_on_drop();
        }
    }
}
