//! Notices that this database is not the one it was: a standby took over, or a backup was restored.
//!
//! What the old primary had handed out and not yet shipped is lost; so every number jumps ahead, and no uid or modseq
//! is ever given to another message.

use crate::{Error, Store};

/// Further than one node can count between two moments that a standby lags behind.
const UID_JUMP: i64 = 100_000;
const MODSEQ_JUMP: i64 = 10_000_000;
const UID_VALIDITY_JUMP: i64 = 1_000;

impl Store {
    /// Compares the timeline with the one noted at the last start and jumps ahead if it changed. True when it did.
    ///
    /// # Errors
    /// When the database fails; nothing has then jumped.
    pub async fn check_timeline(&self) -> Result<bool, Error> {
        let mut tx = self.begin().await?;
        let now: i32 = sqlx::query_scalar("select timeline_id from pg_control_checkpoint()")
            .fetch_one(&mut *tx.inner)
            .await?;
        sqlx::query("insert into installation (timeline_id) values ($1) on conflict do nothing")
            .bind(now)
            .execute(&mut *tx.inner)
            .await?;
        let noted: i32 = sqlx::query_scalar("select timeline_id from installation for update")
            .fetch_one(&mut *tx.inner)
            .await?;
        if noted == now {
            tx.commit().await?;
            return Ok(false);
        }
        sqlx::query("set local statement_timeout = 0").execute(&mut *tx.inner).await?;
        sqlx::query("update counters set modseq = modseq + $1, uid_validity = uid_validity + $2")
            .bind(MODSEQ_JUMP)
            .bind(UID_VALIDITY_JUMP)
            .execute(&mut *tx.inner)
            .await?;
        sqlx::query(
            "update folders f set uid_next = least(uid_next + $1, 4294967295), modseq = c.modseq, flags_modseq = c.modseq
               from counters c where c.account_id = f.account_id",
        )
        .bind(UID_JUMP)
        .execute(&mut *tx.inner)
        .await?;
        sqlx::query("update installation set timeline_id = $1").bind(now).execute(&mut *tx.inner).await?;
        tx.commit().await?;
        tracing::warn!(from = noted, to = now, "the database has a new timeline; numbers jumped ahead");
        Ok(true)
    }
}
