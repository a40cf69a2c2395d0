//! Notices that this database is not the one it was: a standby took over, or a backup was restored.
//!
//! What the old primary had handed out and not yet shipped is lost; so every number jumps ahead, and no uid or modseq
//! is ever given to another message. Numbers of rows (contents, chunks) may be given out again, hence whoever keeps
//! something by such a number throws it away.

use crate::{Error, Store};

/// Further than one node can count between two moments that a standby lags behind.
const UID_JUMP: i64 = 100_000;
const MODSEQ_JUMP: i64 = 10_000_000;
const UID_VALIDITY_JUMP: i64 = 1_000;

/// Which database this is: while it is equal to what it was, nothing that was committed is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation {
    place: Place,
    /// Jumps so far: another node may have seen to it.
    jumps: i64,
}

/// Timeline; identifier of the cluster, which is another after a restore into a new one; identifier of the database,
/// which is another after a restore into a new database of the same cluster.
type Place = (i32, i64, i64);

fn incarnation((timeline, system, database, jumps): (i32, i64, i64, i64)) -> Incarnation {
    Incarnation { place: (timeline, system, database), jumps }
}

/// Where the database is now. The name of the log's segment begins with the timeline; the control
/// file's checkpoint has the old one until some time after a promotion.
const PRESENT: &str =
    "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer as timeline_id,
            (select system_identifier from pg_control_system()) as system_identifier,
            (select oid::bigint from pg_database where datname = current_database()) as database_oid";

impl Store {
    /// Compares the database with the one that was noted and jumps ahead if it is another. The result is another than at
    /// the last call when that happened since, here or on another node.
    ///
    /// # Errors
    /// When the database fails; nothing has then jumped.
    pub async fn check_timeline(&self) -> Result<Incarnation, Error> {
        let noted =
            sqlx::query_as("select timeline_id, system_identifier, database_oid, jumps from installation")
                .fetch_optional(&self.pools.main)
                .await?
                .map(incarnation);
        let now: Place = sqlx::query_as(PRESENT).fetch_one(&self.pools.main).await?;
        match noted {
            Some(noted) if noted.place == now => Ok(noted),
            _ => self.note_place().await,
        }
    }

    async fn note_place(&self) -> Result<Incarnation, Error> {
        let mut tx = self.begin().await?;
        sqlx::query("set local statement_timeout = 0").execute(&mut *tx.inner).await?;
        let now: Place = sqlx::query_as(PRESENT).fetch_one(&mut *tx.inner).await?;
        sqlx::query(
            "insert into installation (timeline_id, system_identifier, database_oid) values ($1, $2, $3)
             on conflict do nothing",
        )
        .bind(now.0)
        .bind(now.1)
        .bind(now.2)
        .execute(&mut *tx.inner)
        .await?;
        let noted = sqlx::query_as(
            "select timeline_id, system_identifier, database_oid, jumps from installation for update",
        )
        .fetch_one(&mut *tx.inner)
        .await
        .map(incarnation)?;
        if noted.place == now {
            tx.commit().await?;
            return Ok(noted);
        }
        sqlx::query("update counters set modseq = modseq + $1, uid_validity = uid_validity + $2")
            .bind(MODSEQ_JUMP)
            .bind(UID_VALIDITY_JUMP)
            .execute(&mut *tx.inner)
            .await?;
        // The tombstones' floor, too: what clients and nodes were told after the moment that came back is not to be built on.
        sqlx::query(
            "update folders f set uid_next = least(uid_next + $1, 4294967295), modseq = c.modseq,
                    flags_modseq = c.modseq, tombstone_floor = c.modseq
               from counters c where c.account_id = f.account_id",
        )
        .bind(UID_JUMP)
        .execute(&mut *tx.inner)
        .await?;
        // Another cluster counts its transactions anew.
        let noted = sqlx::query_as(
            "update installation
                set timeline_id = $1, system_identifier = $2, database_oid = $3, jumps = jumps + 1,
                    sweep_xmax = pg_current_xact_id()
             returning timeline_id, system_identifier, database_oid, jumps",
        )
        .bind(now.0)
        .bind(now.1)
        .bind(now.2)
        .fetch_one(&mut *tx.inner)
        .await
        .map(incarnation)?;
        tx.commit().await?;
        tracing::warn!(?now, "the database is another than it was; numbers jumped ahead");
        Ok(noted)
    }
}
