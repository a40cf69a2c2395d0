//! The administrators' log (nhật ký quản trị): append-only, each row sealed with the digest of the one before.
//!
//! The server's role may only add and read. Rows are chained under one lock, in the transaction of the act itself.

use crate::{Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// One administrative act.
#[derive(Clone, Copy, Debug)]
pub struct AuditEntry<'a> {
    pub at: Timestamp,
    pub actor: &'a str,
    pub action: &'a str,
    pub target: &'a str,
    pub detail: &'a serde_json::Value,
}

/// The digest before the first row.
const CHAIN_START: [u8; 32] = [0; 32];
/// Advisory lock that orders the chain; the migrator's and the sweeper's have other numbers.
pub(crate) const CHAIN_LOCK: i64 = 0x636f_6e67_7468_7502;

impl Tx {
    /// Adds the act to the chain. It is the transaction's last step, as others wait for the chain's lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&mut self, entry: &AuditEntry<'_>) -> Result<(), Error> {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(CHAIN_LOCK).execute(&mut *self.inner).await?;
        let previous: Option<Vec<u8>> =
            sqlx::query_scalar("select digest from audit order by audit_id desc limit 1")
                .fetch_optional(&mut *self.inner)
                .await?;
        let previous = previous.unwrap_or_else(|| CHAIN_START.to_vec());
        sqlx::query(
            "insert into audit (at, actor, action, target, detail, previous, digest)
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(entry.at.to_sqlx())
        .bind(entry.actor)
        .bind(entry.action)
        .bind(entry.target)
        .bind(entry.detail)
        .bind(&previous)
        .bind(digest(&previous, entry).as_slice())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

/// BLAKE3 over the digest before and every column, each with its length, so that nothing can be shifted between them.
fn digest(previous: &[u8], entry: &AuditEntry<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let at = entry.at.as_microsecond().to_be_bytes();
    let detail = entry.detail.to_string();
    let columns = [
        previous,
        &at,
        entry.actor.as_bytes(),
        entry.action.as_bytes(),
        entry.target.as_bytes(),
        detail.as_bytes(),
    ];
    for column in columns {
        hasher.update(&(column.len() as u64).to_be_bytes());
        hasher.update(column);
    }
    *hasher.finalize().as_bytes()
}
