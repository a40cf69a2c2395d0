//! Removes bytes nobody needs any more, in steps that no delivery can race.
//!
//! A content without entries is first *condemned*; only after [`GRACE`], longer than any transaction may run, and only
//! if it still has none, does it go. The same for chunks without contents and for objects without chunks. Whoever uses
//! a condemned chunk again clears its mark by an UPDATE (see `hold_chunks`), which the DELETE here re-checks.

use crate::{Error, Store};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// From condemning to deleting. Statements end after a minute and idle transactions too (see `connect`), and a message
/// between writing its chunks and being accepted is held in memory, so an hour is far beyond any of them.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// A chunk that no content ever named is left over from a delivery that failed; it is looked for when this old.
const LEFT_OVER_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Rows one step handles, so that no transaction is long.
const BATCH: i64 = 1000;

/// What one round did, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub contents_condemned: u64,
    pub contents_deleted: u64,
    pub chunks_condemned: u64,
    pub chunks_deleted: u64,
    pub objects_deleted: u64,
}

impl Swept {
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// One round of at most a batch per step; call again until idle.
    ///
    /// # Errors
    /// When the database fails; what was done stays done.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, Error> {
        let due = now - GRACE;
        Ok(Swept {
            contents_condemned: self.condemn_contents(now).await?,
            contents_deleted: self.delete_contents(due, now).await?,
            chunks_condemned: self.condemn_left_over_chunks(now).await?,
            chunks_deleted: self.delete_chunks(due, now).await?,
            objects_deleted: self.delete_objects(due).await?,
        })
    }

    async fn condemn_contents(&self, now: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query(
            "with candidate as (
                 delete from sweep_candidates
                  where ctid = any (array(select ctid from sweep_candidates limit $2 for update skip locked))
                 returning content_id
             ), orphan as (
                 select content_id from contents c
                  where content_id in (select content_id from candidate) and condemned_at is null
                    and not exists (select from entries e where e.content_id = c.content_id)
                    and not exists (select from pending_deliveries p where p.content_id = c.content_id)
                  order by content_id for no key update
             )
             update contents c set condemned_at = $1 from orphan where c.content_id = orphan.content_id",
        )
        .bind(now.to_sqlx())
        .bind(BATCH)
        .execute(&self.pools.main)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes contents condemned before `due` that still have no entry, pardons the others, and condemns the chunks
    /// that nobody needs then.
    async fn delete_contents(&self, due: Timestamp, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "update contents c set condemned_at = null
              where condemned_at < $1
                and (exists (select from entries e where e.content_id = c.content_id)
                     or exists (select from pending_deliveries p where p.content_id = c.content_id))",
        )
        .bind(due.to_sqlx())
        .execute(&mut *tx.inner)
        .await?;
        let gone: Vec<i64> = sqlx::query_scalar(
            "delete from contents
              where content_id in (select content_id from contents where condemned_at < $1
                                    order by condemned_at limit $2 for update skip locked)
             returning content_id",
        )
        .bind(due.to_sqlx())
        .bind(BATCH)
        .fetch_all(&mut *tx.inner)
        .await?;
        let chunks: Vec<i64> =
            sqlx::query_scalar("delete from chunk_refs where content_id = any ($1) returning chunk_id")
                .bind(&gone)
                .fetch_all(&mut *tx.inner)
                .await?;
        sqlx::query(
            "with orphan as (
                 select chunk_id from chunks c
                  where chunk_id = any ($1) and condemned_at is null
                    and not exists (select from chunk_refs r where r.chunk_id = c.chunk_id)
                  order by chunk_id for no key update
             )
             update chunks c set condemned_at = $2 from orphan where c.chunk_id = orphan.chunk_id",
        )
        .bind(chunks)
        .bind(now.to_sqlx())
        .execute(&mut *tx.inner)
        .await?;
        tx.commit().await?;
        Ok(gone.len() as u64)
    }

    /// Looks once at every chunk, when it is a day old: one that no content names was left over by a failed delivery.
    async fn condemn_left_over_chunks(&self, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "with orphan as (
                 select chunk_id from chunks c
                  where created_at >= (select chunks_checked_at from installation) and created_at < $2
                    and condemned_at is null
                    and not exists (select from chunk_refs r where r.chunk_id = c.chunk_id)
                  order by chunk_id for no key update
             )
             update chunks c set condemned_at = $1 from orphan where c.chunk_id = orphan.chunk_id",
        )
        .bind(now.to_sqlx())
        .bind((now - LEFT_OVER_AFTER).to_sqlx())
        .execute(&mut *tx.inner)
        .await?;
        sqlx::query("update installation set chunks_checked_at = greatest(chunks_checked_at, $1)")
            .bind((now - LEFT_OVER_AFTER).to_sqlx())
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected())
    }

    async fn delete_chunks(&self, due: Timestamp, now: Timestamp) -> Result<u64, Error> {
        sqlx::query(
            "update chunks c set condemned_at = null
              where condemned_at < $1 and exists (select from chunk_refs r where r.chunk_id = c.chunk_id)",
        )
        .bind(due.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        let mut tx = self.begin().await?;
        let objects: Vec<Option<i64>> = sqlx::query_scalar(
            "delete from chunks
              where chunk_id in (select chunk_id from chunks where condemned_at < $1
                                  order by chunk_id limit $2 for update skip locked)
                and condemned_at < $1
                and not exists (select from chunk_refs r where r.chunk_id = chunks.chunk_id)
             returning object_id",
        )
        .bind(due.to_sqlx())
        .bind(BATCH)
        .fetch_all(&mut *tx.inner)
        .await?;
        let touched: Vec<i64> = objects.iter().copied().flatten().collect();
        sqlx::query(
            "update objects o set condemned_at = $2
              where object_id = any ($1) and not exists (select from chunks c where c.object_id = o.object_id)",
        )
        .bind(touched)
        .bind(now.to_sqlx())
        .execute(&mut *tx.inner)
        .await?;
        tx.commit().await?;
        Ok(objects.len() as u64)
    }

    /// The row goes first; a crash in between leaves a file nobody names, never a name without its file.
    async fn delete_objects(&self, due: Timestamp) -> Result<u64, Error> {
        let Some(objects) = &self.objects else { return Ok(0) };
        let names: Vec<String> = sqlx::query_scalar(
            "delete from objects o
              where condemned_at < $1 and not exists (select from chunks c where c.object_id = o.object_id)
             returning name",
        )
        .bind(due.to_sqlx())
        .fetch_all(&self.pools.main)
        .await?;
        for name in &names {
            objects.remove(name).await?;
        }
        Ok(names.len() as u64)
    }
}
