//! Finds what a delivery that failed has left: chunks that no content ever named, objects that hold no chunk.
//!
//! Each chunk and object is looked at once, when it is a day old, in order of its number: `installation` keeps how far
//! the look has come.

use super::{BATCH, Swept};
use crate::{Error, Store};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// Far beyond the time between writing chunks and accepting the message they are of.
const LEFT_OVER_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    pub(super) async fn condemn_left_over_chunks(
        &self,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let next: Vec<(i64, bool)> = sqlx::query_as(
            "select chunk_id, created_at < $1 from chunks
              where chunk_id > (select chunks_checked from installation) order by chunk_id limit $2",
        )
        .bind((now - LEFT_OVER_AFTER).to_sqlx())
        .bind(BATCH)
        .fetch_all(&mut *tx.inner)
        .await?;
        let old = old_enough(next);
        // Ended also with nothing done: a rollback comes some time later, and the next step would find the lock taken.
        let Some(last) = old.last() else { return tx.commit().await };
        swept.chunks_condemned += tx.condemn_chunks(&old, now).await?;
        sqlx::query("update installation set chunks_checked = $1").bind(last).execute(&mut *tx.inner).await?;
        tx.commit().await?;
        swept.looked_over += old.len() as u64;
        Ok(())
    }

    pub(super) async fn condemn_left_over_objects(
        &self,
        now: Timestamp,
        swept: &mut Swept,
    ) -> Result<(), Error> {
        let Some(mut tx) = self.begin_step().await? else { return Ok(()) };
        let next: Vec<(i64, bool)> = sqlx::query_as(
            "select object_id, created_at < $1 from objects
              where object_id > (select objects_checked from installation) order by object_id limit $2",
        )
        .bind((now - LEFT_OVER_AFTER).to_sqlx())
        .bind(BATCH)
        .fetch_all(&mut *tx.inner)
        .await?;
        let old = old_enough(next);
        // Ended also with nothing done: a rollback comes some time later, and the next step would find the lock taken.
        let Some(last) = old.last() else { return tx.commit().await };
        swept.objects_condemned += tx.condemn_objects(&old, now).await?;
        sqlx::query("update installation set objects_checked = $1")
            .bind(last)
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        swept.looked_over += old.len() as u64;
        Ok(())
    }
}

/// Up to the first that is too young: what lies behind it is for another day.
fn old_enough(next: Vec<(i64, bool)>) -> Vec<i64> {
    next.into_iter().take_while(|(_, old)| *old).map(|(id, _)| id).collect()
}
