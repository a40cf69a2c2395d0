//! Removes bytes nobody needs any more, in steps that no delivery can race.
//!
//! A content without entries is first *condemned*; only after [`GRACE`], when every transaction that may have seen it
//! uncondemned has ended, and only if it still has no entries, does it go. The same for chunks without contents and for
//! objects without chunks. Whoever uses a condemned chunk again clears its mark by an UPDATE (see `hold_chunks`), which
//! the DELETE here re-checks.
//!
//! That those transactions have ended is told by rounds, not by clocks: a row keeps the round it was condemned in, and
//! the round is raised only when each transaction that was running at the raise before has ended. So two raises later
//! nobody is left who began before the mark was there ([`ROUNDS`]).
//!
//! Invariant: one sweeper at a time, by a lock each step takes first. Two would each see the references the other is
//! about to remove, and neither would condemn the chunk.

mod left_over;
mod tombstones;

#[cfg(test)]
pub(crate) use tombstones::TOMBSTONES_KEPT;

use crate::{Error, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// From condemning to deleting: time to look into what an operator did not mean to remove.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// Raises of the round between condemning and deleting: the first may have begun before the mark was committed.
const ROUNDS: i64 = 2;
/// Rows one step handles, so that no transaction is long.
const BATCH: i64 = 1000;
/// Files one step removes: they cost more than rows, and the transaction stays open meanwhile.
const OBJECTS_BATCH: i64 = 100;
/// Advisory lock of the one sweeper.
pub(crate) const SWEEP_LOCK: i64 = 0x636f_6e67_7468_7503;

/// What one round did, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Contents that had lost an entry and were looked at.
    pub candidates: u64,
    pub contents_condemned: u64,
    pub contents_deleted: u64,
    pub chunks_condemned: u64,
    pub chunks_deleted: u64,
    pub objects_condemned: u64,
    pub objects_deleted: u64,
    /// Condemned contents and chunks that somebody wants again.
    pub pardoned: u64,
    /// Chunks and objects that were looked at because they are a day old.
    pub looked_over: u64,
    pub tombstones_deleted: u64,
}

impl Swept {
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self::default()
    }
}

impl Store {
    /// One round of at most a batch per step; call again until idle. Idle, too, while another node sweeps.
    ///
    /// # Errors
    /// When the database fails; what was done stays done.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, Error> {
        let due = now - GRACE;
        let mut swept = Swept::default();
        self.raise_round().await?;
        self.condemn_contents(now, &mut swept).await?;
        self.delete_contents(due, now, &mut swept).await?;
        self.condemn_left_over_chunks(now, &mut swept).await?;
        self.delete_chunks(due, now, &mut swept).await?;
        self.condemn_left_over_objects(now, &mut swept).await?;
        self.delete_objects(due, now, &mut swept).await?;
        self.delete_tombstones(&mut swept).await?;
        self.raise_round().await?;
        Ok(swept)
    }

    /// A transaction for one step; `None` while another node is in one.
    async fn begin_step(&self) -> Result<Option<Tx>, Error> {
        let mut tx = self.begin().await?;
        let alone: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
            .bind(SWEEP_LOCK)
            .fetch_one(&mut *tx.inner)
            .await?;
        Ok(alone.then_some(tx))
    }

    /// Raises the round when every transaction that was running at the last raise has ended; says whether it did.
    ///
    /// As no step runs meanwhile, the marks of the round so far are committed. Who did not see them has a number below
    /// that of the raise, because `hold_chunks` takes its number before it looks. (Not below the xmax of a snapshot: that
    /// follows the last transaction that has ended, and others are under way beyond it.)
    pub(crate) async fn raise_round(&self) -> Result<bool, Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(false) };
        let raised = sqlx::query(
            "update installation
                set sweep_round = sweep_round + 1, sweep_xmax = pg_current_xact_id()
              where sweep_xmax <= pg_snapshot_xmin(pg_current_snapshot())",
        )
        .execute(&mut *tx.inner)
        .await?;
        tx.commit().await?;
        Ok(raised.rows_affected() > 0)
    }

    async fn condemn_contents(&self, now: Timestamp, swept: &mut Swept) -> Result<(), Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let candidates: Vec<i64> = sqlx::query_scalar(
            "delete from sweep_candidates
              where ctid = any (array(select ctid from sweep_candidates limit $1 for update skip locked))
             returning content_id",
        )
        .bind(BATCH)
        .fetch_all(&mut *tx.inner)
        .await?;
        let condemned = sqlx::query(
            "update contents c
                set condemned_at = $2, condemned_round = (select sweep_round from installation)
              where content_id = any ($1) and condemned_at is null
                and not exists (select from entries e where e.content_id = c.content_id)
                and not exists (select from pending_deliveries p where p.content_id = c.content_id)
                and not exists (select from queue_messages m where m.content_id = c.content_id)",
        )
        .bind(&candidates)
        .bind(now.to_sqlx())
        .execute(&mut *tx.inner)
        .await?;
        tx.commit().await?;
        swept.candidates += candidates.len() as u64;
        swept.contents_condemned += condemned.rows_affected();
        Ok(())
    }

    /// Of the contents condemned before `due`: deletes those that still have no entry and pardons the others. Condemns
    /// the chunks that nobody needs then.
    async fn delete_contents(&self, due: Timestamp, now: Timestamp, swept: &mut Swept) -> Result<(), Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let batch: Vec<i64> = sqlx::query_scalar(
            "select content_id from contents
              where condemned_at < $1 and condemned_round <= (select sweep_round from installation) - $3
              order by condemned_at limit $2 for update skip locked",
        )
        .bind(due.to_sqlx())
        .bind(BATCH)
        .bind(ROUNDS)
        .fetch_all(&mut *tx.inner)
        .await?;
        let gone: Vec<i64> = sqlx::query_scalar(
            "delete from contents c
              where content_id = any ($1)
                and not exists (select from entries e where e.content_id = c.content_id)
                and not exists (select from pending_deliveries p where p.content_id = c.content_id)
                and not exists (select from queue_messages m where m.content_id = c.content_id)
             returning content_id",
        )
        .bind(&batch)
        .fetch_all(&mut *tx.inner)
        .await?;
        sqlx::query("update contents set condemned_at = null where content_id = any ($1)")
            .bind(&batch)
            .execute(&mut *tx.inner)
            .await?;
        let chunks: Vec<i64> =
            sqlx::query_scalar("delete from chunk_refs where content_id = any ($1) returning chunk_id")
                .bind(&gone)
                .fetch_all(&mut *tx.inner)
                .await?;
        let condemned = tx.condemn_chunks(&chunks, now).await?;
        tx.commit().await?;
        swept.contents_deleted += gone.len() as u64;
        swept.pardoned += (batch.len() - gone.len()) as u64;
        swept.chunks_condemned += condemned;
        Ok(())
    }

    /// Of the chunks condemned before `due`: deletes those that still no content names and pardons the others. Condemns
    /// the objects that are empty then.
    async fn delete_chunks(&self, due: Timestamp, now: Timestamp, swept: &mut Swept) -> Result<(), Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let batch: Vec<i64> = sqlx::query_scalar(
            "select chunk_id from chunks
              where condemned_at < $1 and condemned_round <= (select sweep_round from installation) - $3
              order by condemned_at limit $2 for update skip locked",
        )
        .bind(due.to_sqlx())
        .bind(BATCH)
        .bind(ROUNDS)
        .fetch_all(&mut *tx.inner)
        .await?;
        let objects: Vec<Option<i64>> = sqlx::query_scalar(
            "delete from chunks c
              where chunk_id = any ($1) and not exists (select from chunk_refs r where r.chunk_id = c.chunk_id)
             returning object_id",
        )
        .bind(&batch)
        .fetch_all(&mut *tx.inner)
        .await?;
        sqlx::query("update chunks set condemned_at = null where chunk_id = any ($1)")
            .bind(&batch)
            .execute(&mut *tx.inner)
            .await?;
        let touched: Vec<i64> = objects.iter().copied().flatten().collect();
        let condemned = tx.condemn_objects(&touched, now).await?;
        tx.commit().await?;
        swept.chunks_deleted += objects.len() as u64;
        swept.pardoned += (batch.len() - objects.len()) as u64;
        swept.objects_condemned += condemned;
        Ok(())
    }

    /// The file goes first, while its row is locked: a crash in between leaves a row without its file, which the next
    /// round removes. A file that cannot be removed keeps its row, for a later round.
    async fn delete_objects(&self, due: Timestamp, now: Timestamp, swept: &mut Swept) -> Result<(), Error> {
        let Some(files) = &self.objects else { return Ok(()) };
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let batch: Vec<(i64, String)> = sqlx::query_as(
            "select object_id, name from objects o
              where condemned_at < $1 and condemned_round <= (select sweep_round from installation) - $3
                and not exists (select from chunks c where c.object_id = o.object_id)
              order by condemned_at limit $2 for update skip locked",
        )
        .bind(due.to_sqlx())
        .bind(OBJECTS_BATCH)
        .bind(ROUNDS)
        .fetch_all(&mut *tx.inner)
        .await?;
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for (id, name) in batch {
            match files.remove(&name).await {
                Ok(()) => gone.push(id),
                Err(error) => {
                    tracing::warn!(%error, name, "a file nobody needs could not be removed yet");
                    kept.push(id);
                }
            }
        }
        sqlx::query("delete from objects where object_id = any ($1)")
            .bind(&gone)
            .execute(&mut *tx.inner)
            .await?;
        // To the end of the queue, so that these do not keep others from their turn.
        sqlx::query("update objects set condemned_at = $2 where object_id = any ($1)")
            .bind(&kept)
            .bind(now.to_sqlx())
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        swept.objects_deleted += gone.len() as u64;
        Ok(())
    }
}

impl Tx {
    /// Condemns those of `chunks` that no content names, in the order in which others lock them.
    async fn condemn_chunks(&mut self, chunks: &[i64], now: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query(
            "with orphan as (
                 select chunk_id from chunks c
                  where chunk_id = any ($1) and condemned_at is null
                    and not exists (select from chunk_refs r where r.chunk_id = c.chunk_id)
                  order by chunk_id for no key update
             )
             update chunks c set condemned_at = $2, condemned_round = (select sweep_round from installation)
              where chunk_id = any (array(select chunk_id from orphan))",
        )
        .bind(chunks)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected())
    }

    /// Condemns those of `objects` that hold no chunk.
    async fn condemn_objects(&mut self, objects: &[i64], now: Timestamp) -> Result<u64, Error> {
        let done = sqlx::query(
            "update objects o set condemned_at = $2, condemned_round = (select sweep_round from installation)
              where object_id = any ($1) and condemned_at is null
                and not exists (select from chunks c where c.object_id = o.object_id)",
        )
        .bind(objects)
        .bind(now.to_sqlx())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected())
    }
}
