//! Leases while work is done under them, and when it ends: put off, given back, taken over from nodes that are dead.
//!
//! Invariants: a lease ends by the database's clock, as those of the nodes may differ; several destinations are locked by their
//! numbers, so that two who end leases do not cross each other.

use crate::queue::QueueLease;
use crate::{Error, Store};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// Leases that one call ends.
const ENDED_MAX: i64 = 100;

impl Store {
    /// Puts the end of leases off; those that are still ours.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_leases(&self, leases: &[i64], term: SignedDuration) -> Result<Vec<i64>, Error> {
        Ok(sqlx::query_scalar(
            "update queue_leases set until = now() + make_interval(secs => $2) where lease_id = any ($1) returning lease_id",
        )
        .bind(leases)
        .bind(term.as_secs_f64())
        .fetch_all(&self.pools.main)
        .await?)
    }

    /// Gives back what is left of a lease: due as before, for whoever comes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_lease(&self, lease: &QueueLease) -> Result<(), Error> {
        sqlx::query(
            "with ended as (delete from queue_leases where lease_id = $1 returning lease_id, destination_id),
                  freed as (update queue_deliveries d set lease_id = null from ended where d.lease_id = ended.lease_id
                            returning d.destination_id, d.due_at, d.priority),
                  due as (select destination_id, min(due_at) as due_at, min(due_at) filter (where priority < 2) as mail_at
                            from freed group by destination_id),
                  locked as materialized (
                      select destination_id from queue_destinations where destination_id in (select destination_id from due)
                       order by destination_id for no key update)
             update queue_destinations q set next_at = least(q.next_at, due.due_at), mail_at = least(q.mail_at, due.mail_at)
               from due join locked using (destination_id)
              where q.destination_id = due.destination_id and (q.next_at > due.due_at or q.mail_at > due.mail_at)
                and (q.failures = 0 or $2)",
        )
        .bind(lease.lease)
        // A probe that came to nothing; others leave a destination to its rest.
        .bind(lease.failures > 0)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Ends the leases of nodes that have not put them off: what they had is due at once. Says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_over_leases(&self, now: Timestamp) -> Result<u64, Error> {
        let taken = sqlx::query_scalar::<_, i64>(
            "with ended as (
                 delete from queue_leases where lease_id in
                    (select lease_id from queue_leases where until < now() order by until limit $2 for update skip locked)
                 returning lease_id, destination_id
             ), freed as (
                 update queue_deliveries d set lease_id = null from ended where d.lease_id = ended.lease_id
                 returning d.destination_id
             ), locked as materialized (
                 select destination_id from queue_destinations where destination_id in (select destination_id from freed)
                  order by destination_id for no key update
             ), looked as (
                 update queue_destinations q set next_at = least(q.next_at, $1), mail_at = least(q.mail_at, $1) from locked
                  where q.destination_id = locked.destination_id
             )
             select count(*) from ended",
        )
        .bind(now.to_sqlx())
        .bind(ENDED_MAX)
        .fetch_one(&self.pools.main)
        .await?;
        Ok(taken.unsigned_abs())
    }

    /// Looks for destinations with due deliveries that nobody would look at: who accepted those may have died before it
    /// could say so. Says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_forgotten(&self, now: Timestamp) -> Result<u64, Error> {
        let found = sqlx::query(
            "update queue_destinations set next_at = least(next_at, $1), mail_at = least(mail_at, $1) where destination_id in (
             select d.destination_id from queue_destinations d
              where d.failures = 0
                and (greatest(d.mail_at, d.next_at) > $1
                     and (exists (select from queue_deliveries q where q.destination_id = d.destination_id and q.priority = 0
                                     and q.due_at <= $1 and q.lease_id is null and not q.held)
                       or exists (select from queue_deliveries q where q.destination_id = d.destination_id and q.priority = 1
                                     and q.due_at <= $1 and q.lease_id is null and not q.held))
                  or d.next_at > $1
                     and exists (select from queue_deliveries q where q.destination_id = d.destination_id and q.priority = 2
                                    and q.due_at <= $1 and q.lease_id is null and not q.held))
              order by d.destination_id for no key update skip locked)",
        )
        .bind(now.to_sqlx())
        .execute(&self.pools.main)
        .await?;
        Ok(found.rows_affected())
    }
}
