//! What runs beside the requests: expanding large deliveries, looking for changes by others, sweeping, keeping months,
//! filling the search index, the queue's dead and late, jobs at their times.

use crate::{Engine, figures};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often other processes' changes are looked for; sessions of this node hear at once.
const POLL_EVERY: Duration = Duration::from_secs(3);
/// What was done in shared mailboxes is written this late at most.
const ACTS_EVERY: Duration = Duration::from_secs(5);
/// Whom a log-in concerns that was kept out is told this late.
const BARRED_EVERY: Duration = Duration::from_secs(2);
/// Whose script failed is told this late.
const FAILED_EVERY: Duration = Duration::from_secs(2);
/// What came in others' names, and what was seen of others' TLS, is written this late.
const STATISTICS_EVERY: Duration = Duration::from_secs(30);
/// Who has a mailbox open is noted by half hours.
const PRESENT_EVERY: Duration = Duration::from_mins(15);
const SWEEP_EVERY: Duration = Duration::from_mins(5);
/// Mail that was accepted by a process that died before expanding it is found this late at most.
const EXPAND_EVERY: Duration = Duration::from_secs(10);
/// What of the queue nobody looks at is found this late.
const QUEUE_EVERY: Duration = Duration::from_secs(10);
/// All of the queue is read for it.
const COUNT_EVERY: Duration = Duration::from_mins(1);
/// How often jobs that are due are looked for.
const JOBS_EVERY: Duration = Duration::from_secs(20);

impl Engine {
    /// Runs until `stop`; each task carries on after a failure, which is logged.
    pub async fn run_housekeeping(&self, stop: CancellationToken) {
        tokio::join!(
            every(POLL_EVERY, &stop, || self.poll()),
            every(SWEEP_EVERY, &stop, || self.sweep(&stop)),
            every(PRESENT_EVERY, &stop, || self.note_present()),
            every(ACTS_EVERY, &stop, || self.write_acts()),
            every(BARRED_EVERY, &stop, || self.tell_of_barred()),
            every(FAILED_EVERY, &stop, || self.tell_of_failed()),
            every(STATISTICS_EVERY, &stop, || self.write_dmarc()),
            every(STATISTICS_EVERY, &stop, || self.write_tls()),
            self.expand_when_told(&stop),
            every(QUEUE_EVERY, &stop, || self.look_after_queue()),
            every(QUEUE_EVERY, &stop, || self.look_for_overdue(&stop)),
            every(COUNT_EVERY, &stop, || self.count_queue()),
            self.keep_search_index(&stop),
            every(JOBS_EVERY, &stop, || self.run_due_jobs_on_time(&stop)),
            self.hear_of_rights(&stop),
        );
        self.write_acts().await;
        self.tell_of_barred().await;
        self.tell_of_failed().await;
        self.write_dmarc().await;
        self.write_tls().await;
    }

    pub(crate) async fn poll(&self) {
        if let Err(error) = self.notice_another_database().await {
            tracing::warn!(%error, "whether the database is still the one it was could not be found out");
            return;
        }
        self.renew_policies().await;
        if let Err(error) = self.renew_forwards().await {
            tracing::warn!(%error, "changes of automatic forwarding could not be looked for");
        }
        if let Err(error) = self.renew_sieves().await {
            tracing::warn!(%error, "changes of rules could not be looked for");
        }
        let watched = self.0.hub.accounts();
        if watched.is_empty() {
            return;
        }
        match self.0.store.pulses(&watched).await {
            Ok(pulses) => self.0.hub.polled(&watched, &pulses),
            Err(error) => {
                figures::housekeeping_failed("poll");
                tracing::warn!(%error, "changes by others could not be looked for");
            }
        }
    }

    /// Throws away what is kept of a database that has lost something since: its numbers may mean others now.
    async fn notice_another_database(&self) -> Result<(), store::Error> {
        let now = self.0.store.check_timeline().await?;
        let before = self.0.incarnation.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        if before.is_some_and(|before| before != now) {
            *self.0.words.write().await = crate::search::Vocabulary::default();
            self.0.facts.clear();
            self.0.views.clear();
            self.0.statuses.clear();
            self.0.chunks.clear();
            self.0.renderings.clear();
            self.0.policies.clear();
            self.0.forwards.clear();
            self.0.sieves.clear();
        }
        Ok(())
    }

    /// Hears of ended rights from other nodes, at once; what is missed meanwhile the poll finds.
    async fn hear_of_rights(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                Err(error) = self.listen_for_rights() => {
                    figures::housekeeping_failed("rights");
                    tracing::warn!(%error, "changes of rights are not heard at once");
                }
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Ends with an error only.
    pub(crate) async fn listen_for_rights(&self) -> Result<(), crate::Error> {
        let mut listener = self.0.store.listen_for_rights().await?;
        loop {
            let heard = listener.next().await?;
            self.heard_of_rights(heard).await?;
        }
    }

    async fn sweep(&self, stop: &CancellationToken) {
        let now = self.now();
        if let Err(error) = self.0.store.make_event_months().await {
            figures::housekeeping_failed("events");
            tracing::warn!(%error, "the months of events could not be made");
        }
        while !stop.is_cancelled() {
            match self.0.store.sweep(now).await {
                Ok(swept) if swept.is_idle() => return figures::sweep_done(now),
                Ok(swept) => {
                    figures::swept(&swept);
                    tracing::debug!(?swept, "swept");
                }
                Err(error) => {
                    figures::housekeeping_failed("sweep");
                    tracing::warn!(%error, "the sweeper failed");
                    return;
                }
            }
        }
    }

    async fn expand_when_told(&self, stop: &CancellationToken) {
        loop {
            self.expand_all(stop).await;
            tokio::select! {
                () = self.0.pending.notified() => {}
                () = tokio::time::sleep(EXPAND_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Hands out what waits, until `stop`; what cannot be handed out is tried once and left for later.
    pub(crate) async fn expand_all(&self, stop: &CancellationToken) {
        let mut failed = Vec::new();
        while !stop.is_cancelled() {
            match self.0.store.expand_pending(self.now(), &mut failed).await {
                Ok(None) => return,
                Ok(Some(placed)) => placed.iter().for_each(|place| self.0.hub.tell(place.account)),
                Err(error) => {
                    figures::housekeeping_failed("expand");
                    tracing::warn!(%error, "a large delivery could not be expanded yet");
                    return;
                }
            }
        }
    }

    /// Prepares a database that was just opened: the months of events, and the jump ahead after a failover.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(&self) -> Result<(), crate::Error> {
        self.notice_another_database().await?;
        self.renew_policies().await;
        self.renew_forwards().await?;
        self.renew_sieves().await?;
        self.0.store.make_event_months().await?;
        self.add_jobs().await
    }
}

async fn every<F: Future<Output = ()>>(period: Duration, stop: &CancellationToken, task: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => task().await,
            () = stop.cancelled() => return,
        }
    }
}
