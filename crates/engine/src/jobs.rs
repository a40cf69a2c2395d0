//! What runs at its times: a table of jobs, each on one node at a time.
//!
//! Invariants: a job may run twice (a node died, or was thought dead), so each of them is idempotent; a node that lost its
//! lease stops what it was doing; one that fails is tried again soon and never keeps another from running.

use crate::audit::AuditKind;
use crate::{Actor, AdminError, AdminTarget, Engine, Error};
use jiff::{SignedDuration, Timestamp};
use model::Action;
use model::calendar::{local_date, plus_days, start_of_day};
use serde_json::json;
use std::pin::Pin;
use std::time::Duration;
use store::{JobEnd, TakenJob};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use store::JobRow;

/// A node that has said nothing for so long is dead.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
const RENEW_EVERY: Duration = Duration::from_secs(60);
/// What failed is tried again after this, or at its next time if that is sooner.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// Addresses are retired and mailboxes locked by the clock: one that is further from the database's than this is wrong.
const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Runs are moved by chance within this, so that the jobs of many installations do not come in one second.
const JITTER_SECONDS_MAX: i64 = 300;
/// Keys of notices are kept longer than anything may say again what they stand for.
const NOTICES_KEPT: SignedDuration = SignedDuration::from_hours(24 * 800);

/// When a job runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Schedule {
    /// At this hour in Việt Nam, 0 to 23.
    Daily {
        hour: i8,
    },
    Every(Duration),
}

pub(crate) type Running<'e> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'e>>;

/// Something that runs at its times, and says what it did.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) every: Schedule,
    pub(crate) run: for<'e> fn(&'e Engine) -> Running<'e>,
}

pub(crate) const JOBS: &[Job] = &[
    Job {
        name: "keep-events",
        every: Schedule::Daily { hour: 2 },
        run: |engine| Box::pin(engine.keep_events()),
    },
    Job {
        name: "index-events",
        every: Schedule::Daily { hour: 4 },
        run: |engine| Box::pin(engine.index_events()),
    },
    Job {
        name: "note-checks",
        every: Schedule::Every(Duration::from_mins(60)),
        run: |engine| Box::pin(engine.note_checks()),
    },
    Job {
        name: "verify-audit",
        every: Schedule::Daily { hour: 5 },
        run: |engine| Box::pin(engine.watch_audit()),
    },
    Job {
        name: "finish-moves",
        every: Schedule::Every(Duration::from_mins(5)),
        run: |engine| Box::pin(engine.finish_moves()),
    },
    Job {
        name: "send-owed-notices",
        every: Schedule::Every(Duration::from_mins(5)),
        run: |engine| Box::pin(engine.send_owed_notices()),
    },
    Job {
        name: "forget-notices",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_notices()),
    },
    Job {
        name: "forget-destinations",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_destinations()),
    },
    Job {
        name: "forget-return-paths",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_return_paths()),
    },
    Job {
        name: "forget-correspondents",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_correspondents_job()),
    },
    Job {
        name: "forget-first-contacts",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_first_contacts_job()),
    },
    Job {
        name: "forget-countries",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_visits_job()),
    },
    Job {
        name: "forget-rules",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.forget_sieve_job()),
    },
    Job {
        name: "keep-lives",
        every: Schedule::Daily { hour: 1 },
        run: |engine| Box::pin(engine.keep_lives_job()),
    },
    Job {
        name: "keep-reviews",
        every: Schedule::Daily { hour: 6 },
        run: |engine| Box::pin(engine.keep_reviews_job()),
    },
    Job {
        name: "password-notices",
        every: Schedule::Daily { hour: 6 },
        run: |engine| Box::pin(engine.password_notices_job()),
    },
    Job {
        name: "quota-warnings",
        every: Schedule::Every(Duration::from_mins(5)),
        run: |engine| Box::pin(engine.quota_warnings_job()),
    },
    Job {
        name: "support-intake",
        every: Schedule::Every(Duration::from_mins(1)),
        run: |engine| Box::pin(engine.support_intake_job()),
    },
    Job {
        name: "teach-filter",
        every: Schedule::Every(Duration::from_mins(1)),
        run: |engine| Box::pin(engine.teach_filter_job()),
    },
    Job {
        name: "dmarc-reports",
        every: Schedule::Every(Duration::from_mins(60)),
        run: |engine| Box::pin(engine.dmarc_reports_job()),
    },
    Job {
        name: "tls-reports",
        every: Schedule::Every(Duration::from_mins(60)),
        run: |engine| Box::pin(engine.tls_reports_job()),
    },
    Job {
        name: "dmarc-intake",
        every: Schedule::Every(Duration::from_mins(5)),
        run: |engine| Box::pin(engine.dmarc_intake_job()),
    },
    Job {
        name: "tell-incidents",
        every: Schedule::Every(Duration::from_mins(1)),
        run: |engine| Box::pin(engine.tell_incidents_job()),
    },
    Job {
        name: "handling-reminders",
        every: Schedule::Daily { hour: 7 },
        run: |engine| Box::pin(engine.handling_reminders_job()),
    },
    Job {
        name: "recount-usage",
        every: Schedule::Daily { hour: 2 },
        run: |engine| Box::pin(engine.recount_job()),
    },
    Job {
        name: "expire-quarantine",
        every: Schedule::Daily { hour: 3 },
        run: |engine| Box::pin(engine.expire_quarantine_job()),
    },
    Job {
        name: "quarantine-letters",
        every: Schedule::Daily { hour: 7 },
        run: |engine| Box::pin(engine.quarantine_letters_job()),
    },
    Job {
        name: "kept-back-letters",
        every: Schedule::Every(Duration::from_mins(1)),
        run: |engine| Box::pin(engine.kept_back_letters_job()),
    },
    Job {
        name: "retire-old-addresses",
        every: Schedule::Daily { hour: 2 },
        run: |engine| Box::pin(engine.retire_old_addresses()),
    },
];

impl Schedule {
    /// The first time after `now`, without jitter.
    fn next(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(period) => now.saturating_add(period).unwrap_or(Timestamp::MAX),
            Self::Daily { hour } => {
                let at = |date| {
                    start_of_day(date)
                        .saturating_add(SignedDuration::from_hours(hour.into()))
                        .unwrap_or(Timestamp::MAX)
                };
                let today = local_date(now);
                if at(today) > now { at(today) } else { at(plus_days(today, 1)) }
            }
        }
    }

    /// Seconds by which a run may be late.
    fn jitter_seconds_max(self) -> i64 {
        match self {
            Self::Daily { .. } => JITTER_SECONDS_MAX,
            Self::Every(period) => {
                i64::try_from(period.as_secs() / 10).unwrap_or(i64::MAX).min(JITTER_SECONDS_MAX)
            }
        }
    }
}

impl Engine {
    /// Makes the rows of jobs this version has and the database does not.
    pub(crate) async fn add_jobs(&self) -> Result<(), Error> {
        let first: Vec<(&str, Timestamp)> =
            JOBS.iter().map(|job| (job.name, self.next_run(job.every))).collect();
        Ok(self.0.store.add_jobs(&first).await?)
    }

    fn next_run(&self, schedule: Schedule) -> Timestamp {
        let mut bytes = [0; 4];
        self.0.rng.fill(&mut bytes);
        let late = i64::from(u32::from_be_bytes(bytes)) % (schedule.jitter_seconds_max() + 1);
        let next = schedule.next(self.now());
        next.saturating_add(SignedDuration::from_secs(late)).unwrap_or(next)
    }

    /// As [`Engine::run_due_jobs`], if this node's clock can be trusted with what is done for good.
    pub(crate) async fn run_due_jobs_on_time(&self, stop: &CancellationToken) {
        match self.0.store.clock().await {
            Ok(clock) if clock.duration_since(self.now()).abs() <= CLOCKS_APART_MAX => {
                self.run_due_jobs(stop).await;
            }
            Ok(clock) => {
                tracing::error!(%clock, "no job runs: this node's clock and the database's are far apart");
            }
            Err(error) => tracing::warn!(%error, "the database's clock could not be read"),
        }
    }

    /// Runs what is due, one after the other, until nothing is or `stop`.
    pub(crate) async fn run_due_jobs(&self, stop: &CancellationToken) {
        let names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
        while !stop.is_cancelled() {
            let now = self.now();
            match self.0.store.take_due_job(&names, now, LEASE).await {
                Ok(None) => return,
                Ok(Some(taken)) => {
                    self.run_taken(&taken, stop).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "jobs that are due could not be looked for");
                    return;
                }
            }
        }
    }

    /// An administrator has a job run now. `None`: there is no such job, or a node is running it.
    ///
    /// # Errors
    /// `Denied`; when the database fails, or the job does.
    pub async fn run_job_now(&self, actor: &Actor, name: &str) -> Result<Option<String>, AdminError> {
        self.authorize(actor, Action::JobRun, &AdminTarget::System).await?;
        if !JOBS.iter().any(|job| job.name == name) {
            return Ok(None);
        }
        let mut tx = self.0.store.begin().await?;
        let target = AuditKind::Job.of_system(name);
        self.audit(&mut tx, actor, Action::JobRun.as_str(), &target, &json!({})).await?;
        tx.commit().await?;
        Ok(self.run_job(name).await?)
    }

    /// Runs a job now, due or not. `None`: there is no such job, or a node is running it.
    ///
    /// # Errors
    /// When the database fails, or the job does.
    pub(crate) async fn run_job(&self, name: &str) -> Result<Option<String>, Error> {
        if !JOBS.iter().any(|job| job.name == name) {
            return Ok(None);
        }
        let now = self.now();
        let Some(taken) = self.0.store.take_job(name, now, LEASE).await? else { return Ok(None) };
        self.run_taken(&taken, &CancellationToken::new())
            .await
            .map_or(Err(Error::Unavailable), |did| Ok(Some(did)))
    }

    /// Keeps a job from running by itself, or lets it again; `run` runs it all the same. False when there is no such job.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn pause_job(&self, actor: &Actor, name: &str, paused: bool) -> Result<bool, AdminError> {
        self.authorize(actor, Action::JobPause, &AdminTarget::System).await?;
        let mut tx = self.0.store.begin().await?;
        if !JOBS.iter().any(|job| job.name == name) || !tx.pause_job(name, paused).await? {
            return Ok(false);
        }
        let (target, detail) = (AuditKind::Job.of_system(name), json!({ "paused": paused }));
        self.audit(&mut tx, actor, Action::JobPause.as_str(), &target, &detail).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Every job with its last run and its next.
    ///
    /// # Errors
    /// `Denied`.
    pub async fn jobs(&self, actor: &Actor) -> Result<Vec<JobRow>, AdminError> {
        self.authorize(actor, Action::JobShow, &AdminTarget::System).await?;
        let rows = self.0.store.jobs().await?;
        Ok(rows.into_iter().filter(|row| JOBS.iter().any(|job| job.name == row.name)).collect())
    }

    /// What it did; `None` when it failed or was cut off.
    async fn run_taken(&self, taken: &TakenJob, stop: &CancellationToken) -> Option<String> {
        let job = JOBS.iter().find(|job| job.name == taken.name)?;
        let done = tokio::select! {
            done = apart(self.clone(), job) => done,
            () = self.lost(taken) => {
                tracing::warn!(job = job.name, "another node has taken over the job");
                return None;
            }
            () = stop.cancelled() => Err("stopped".to_owned()),
        };
        let now = self.now();
        let (result, failed) = match &done {
            Ok(did) => (did, false),
            Err(error) => (error, true),
        };
        let soon = now.saturating_add(RETRY_AFTER).unwrap_or(now);
        let next = self.next_run(job.every);
        let end = JobEnd { at: now, next_run: if failed { next.min(soon) } else { next }, result, failed };
        tracing::info!(job = job.name, result, failed, "job ended");
        if let Err(error) = self.0.store.end_job(taken, &end).await {
            tracing::warn!(%error, job = job.name, "the end of a job could not be noted");
        }
        done.ok()
    }

    /// Renews the lease; returns when it is somebody else's.
    async fn lost(&self, taken: &TakenJob) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match self.0.store.keep_job(taken, LEASE).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "the lease of a job could not be renewed"),
            }
        }
    }

    async fn forget_notices(&self) -> Result<String, Error> {
        let before = self.now().saturating_sub(NOTICES_KEPT).unwrap_or(Timestamp::MIN);
        let forgotten = self.0.store.forget_notices(before).await?;
        Ok(format!("{forgotten} notices forgotten"))
    }
}

/// As a task of its own, which ends with this future: one that panics fails, and nothing else does.
async fn apart(engine: Engine, job: &'static Job) -> Result<String, String> {
    let mut task = JoinSet::new();
    task.spawn(async move { (job.run)(&engine).await });
    match task.join_next().await {
        Some(Ok(done)) => done.map_err(|error| error.to_string()),
        Some(Err(_)) | None => Err("panicked; the log says where".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_job_comes_at_its_hour_in_viet_nam() {
        let next = |now: &str| Schedule::Daily { hour: 1 }.next(now.parse().unwrap()).to_string();
        assert_eq!(next("2026-11-22T17:59:59Z"), "2026-11-22T18:00:00Z");
        assert_eq!(next("2026-11-22T18:00:00Z"), "2026-11-23T18:00:00Z");
        assert_eq!(next("2026-11-22T01:00:00Z"), "2026-11-22T18:00:00Z");
    }

    #[test]
    fn names_are_used_once() {
        let mut names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), JOBS.len());
    }
}
