//! Jobs as rows: what runs at its times, on one node at a time.
//!
//! Invariant: a job is taken by one update that nobody else's sees; who was given up (its lease ran out) can neither
//! prolong nor end the run of whoever took it after. Every job runs daily at least, and no lease is longer than minutes: a time
//! beyond that was written by a clock that was wrong, and does not count. Leases are by the database's clock, which is one for all
//! nodes: none takes over from another because its own is fast.

use crate::{Error, Store, Tx};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;

/// A job and its last run.
#[derive(Clone, Debug)]
pub struct JobRow {
    pub name: String,
    pub next_run: Timestamp,
    /// A node has it until then.
    pub taken_until: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub result: Option<String>,
    pub failed: bool,
    /// It does not run by itself.
    pub paused: bool,
}

/// A job that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenJob {
    pub name: String,
    run: i64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct JobEnd<'a> {
    pub at: Timestamp,
    pub next_run: Timestamp,
    pub result: &'a str,
    pub failed: bool,
}

type Row = (
    String,
    jiff_sqlx::Timestamp,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    Option<jiff_sqlx::Timestamp>,
    Option<String>,
    bool,
    bool,
);

impl Tx {
    /// False when there is no such job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause_job(&mut self, name: &str, paused: bool) -> Result<bool, Error> {
        let set = sqlx::query("update jobs set paused = $2 where name = $1")
            .bind(name)
            .bind(paused)
            .execute(&mut *self.inner)
            .await?;
        Ok(set.rows_affected() > 0)
    }
}

impl Store {
    /// What the database takes the time for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clock(&self) -> Result<Timestamp, Error> {
        let clock: jiff_sqlx::Timestamp =
            sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pools.main).await?;
        Ok(clock.to_jiff())
    }

    /// Makes the rows of jobs that have none yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_jobs(&self, first_runs: &[(&str, Timestamp)]) -> Result<(), Error> {
        let (names, times): (Vec<&str>, Vec<_>) =
            first_runs.iter().map(|(name, at)| (*name, at.to_sqlx())).unzip();
        sqlx::query(
            "insert into jobs (name, next_run) select * from unnest($1::text[], $2::timestamptz[])
             on conflict do nothing",
        )
        .bind(names)
        .bind(times)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// Takes one of the jobs that are due and that no living node has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_due_job(
        &self,
        names: &[&str],
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Option<TakenJob>, Error> {
        let row: Option<(String, i64)> = sqlx::query_as(
            "update jobs set taken_until = clock_timestamp() + make_interval(secs => $3), run = run + 1, started_at = $2
              where name = (select name from jobs
                             where name = any ($1) and not paused and (next_run <= $2 or next_run > $2 + interval '2 days')
                               and (taken_until is null or taken_until < clock_timestamp() or taken_until > clock_timestamp() + interval '1 day')
                             order by next_run limit 1 for update skip locked)
             returning name, run",
        )
        .bind(names)
        .bind(now.to_sqlx())
        .bind(lease.as_secs_f64())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(name, run)| TakenJob { name, run }))
    }

    /// Takes this job now, due or not, unless a living node has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_job(
        &self,
        name: &str,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Option<TakenJob>, Error> {
        let row: Option<(String, i64)> = sqlx::query_as(
            "update jobs set taken_until = clock_timestamp() + make_interval(secs => $3), run = run + 1, started_at = $2
              where name = $1 and (taken_until is null or taken_until < clock_timestamp() or taken_until > clock_timestamp() + interval '1 day')
             returning name, run",
        )
        .bind(name)
        .bind(now.to_sqlx())
        .bind(lease.as_secs_f64())
        .fetch_optional(&self.pools.main)
        .await?;
        Ok(row.map(|(name, run)| TakenJob { name, run }))
    }

    /// False when somebody else has taken it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_job(&self, job: &TakenJob, lease: SignedDuration) -> Result<bool, Error> {
        let kept = sqlx::query("update jobs set taken_until = clock_timestamp() + make_interval(secs => $3) where name = $1 and run = $2")
            .bind(&job.name)
            .bind(job.run)
            .bind(lease.as_secs_f64())
            .execute(&self.pools.main)
            .await?;
        Ok(kept.rows_affected() > 0)
    }

    /// Gives the job back; of no effect when somebody else has taken it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_job(&self, job: &TakenJob, end: &JobEnd<'_>) -> Result<(), Error> {
        sqlx::query(
            "update jobs set taken_until = null, ended_at = $3, next_run = $4, result = $5, failed = $6
              where name = $1 and run = $2",
        )
        .bind(&job.name)
        .bind(job.run)
        .bind(end.at.to_sqlx())
        .bind(end.next_run.to_sqlx())
        .bind(end.result)
        .bind(end.failed)
        .execute(&self.pools.main)
        .await?;
        Ok(())
    }

    /// All jobs, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs(&self) -> Result<Vec<JobRow>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select name, next_run, taken_until, started_at, ended_at, result, failed, paused from jobs order by name",
        )
        .fetch_all(&self.pools.main)
        .await?;
        let job = |(name, next_run, taken_until, started_at, ended_at, result, failed, paused): Row| JobRow {
            name,
            next_run: next_run.to_jiff(),
            taken_until: taken_until.map(jiff_sqlx::Timestamp::to_jiff),
            started_at: started_at.map(jiff_sqlx::Timestamp::to_jiff),
            ended_at: ended_at.map(jiff_sqlx::Timestamp::to_jiff),
            result,
            failed,
            paused,
        };
        Ok(rows.into_iter().map(job).collect())
    }
}
