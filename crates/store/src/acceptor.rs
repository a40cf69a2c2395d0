//! Who takes small messages to the database, and what becomes of those that cannot go with the others.
//!
//! Invariants: a carrier never waits for a mailbox that somebody holds, so that a long change of one mailbox keeps mail from
//! no other; what must wait does so with those for the same mailbox, in a task and on a connection of its own. A refusal is
//! certain only if the server refused the statement itself.

use crate::error::numbers;
use crate::group::{Carrier, portion};
use crate::line::Line;
use crate::small::{Act, statement};
use crate::{Error, Pools};
use sqlx::PgPool;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Connections that small messages are accepted on at once: what Postgres has to do for them keeps one processor busy each.
pub(crate) fn acceptors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).div_ceil(2).clamp(1, 8)
}

/// Held mailboxes that are waited for at once, a connection each; messages for others wait before them.
const WAITING_MAX: usize = 8;
/// Raised by `accept_messages` when mailboxes are held; DETAIL has their numbers.
const BUSY: &str = "CT005";

/// An act, and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) act: Act,
    /// The uid of each message that has one target.
    pub(crate) answer: oneshot::Sender<Result<Vec<Option<i64>>, NotAccepted>>,
}

#[derive(Debug)]
pub(crate) enum NotAccepted {
    /// It was not accepted, and will not be.
    Certain(Error),
    /// Nobody knows yet.
    Lost(sqlx::Error),
}

impl Job {
    fn answer(self, answer: Result<Vec<Option<i64>>, NotAccepted>) {
        // Who is gone hears nothing; what was accepted stays.
        drop(self.answer.send(answer));
    }

    fn names(&self, accounts: &[i64]) -> Option<i64> {
        self.act.accounts().find(|account| accounts.contains(account))
    }
}

/// Why a statement did nothing, or may have done nothing.
#[derive(Debug)]
enum Refusal {
    Certain(Error),
    /// These mailboxes are held by others, or gone.
    Busy(Vec<i64>),
    /// There was no connection to send it on.
    NotSent(sqlx::Error),
    Lost(sqlx::Error),
}

impl Refusal {
    fn of(error: sqlx::Error) -> Self {
        let Some(refusal) =
            error.as_database_error().and_then(|refusal| refusal.try_downcast_ref::<PgDatabaseError>())
        else {
            return Self::Lost(error);
        };
        if refusal.code() == BUSY {
            return Self::Busy(numbers(refusal).collect());
        }
        // Words of farewell may come after the commit as well: of a panic while its record was flushed, of the server's or
        // the connection's end (57P), of a broken connection (08).
        let farewell = refusal.code().starts_with("08") || refusal.code().starts_with("57P");
        let is_certain = refusal.severity() == PgSeverity::Error && !farewell;
        if is_certain { Self::Certain(error.into()) } else { Self::Lost(error) }
    }
}

/// Tells all of them the same.
fn refuse(jobs: impl IntoIterator<Item = Job>, refusal: Refusal) {
    let again = |error: &sqlx::Error| sqlx::Error::Protocol(error.to_string());
    let mut certain = match refusal {
        Refusal::Lost(error) => {
            return jobs.into_iter().for_each(|job| job.answer(Err(NotAccepted::Lost(again(&error)))));
        }
        Refusal::NotSent(error) => {
            let unavailable = || NotAccepted::Certain(Error::Unavailable(again(&error)));
            return jobs.into_iter().for_each(|job| job.answer(Err(unavailable())));
        }
        Refusal::Certain(error) => Some(error),
        Refusal::Busy(_) => None,
    };
    for job in jobs {
        job.answer(Err(NotAccepted::Certain(certain.take().unwrap_or(Error::Conflict))));
    }
}

fn accepted(jobs: Vec<Job>, mut uids: Vec<Option<i64>>) {
    for job in jobs {
        let after = uids.split_off(job.act.count().min(uids.len()));
        job.answer(Ok(std::mem::replace(&mut uids, after)));
    }
}

/// Sends the accepting statement.
async fn accept(line: &mut Line, jobs: &[Job], waits: bool) -> Result<Vec<Option<i64>>, Refusal> {
    let connection = line.connection().await.map_err(Refusal::NotSent)?;
    let acts: Vec<&Act> = jobs.iter().map(|job| &job.act).collect();
    let sent = statement(&acts, waits).fetch_one(connection).await.map_err(Refusal::of);
    if matches!(sent, Err(Refusal::Lost(_))) {
        line.cut();
    }
    sent
}

/// Takes acts to the database, and leaves those behind that would have to wait.
#[derive(Debug)]
pub(crate) struct Acceptor {
    line: Line,
    held: Held,
    /// Whoever waits for a mailbox keeps no carrier from its connection.
    waiters: PgPool,
}

impl Carrier for Acceptor {
    type Job = Job;
    type Shared = (Pools, Held);
    /// In octets: a statement of some milliseconds.
    const WEIGHT_MAX: usize = 512 * 1024;

    fn new((pools, held): Self::Shared) -> Self {
        Self { line: Line::new(pools.carriers), held, waiters: pools.main }
    }

    fn weight(job: &Job) -> usize {
        job.act.weight()
    }

    async fn carry(&mut self, mut jobs: Vec<Job>) {
        // Nobody was told that it began.
        jobs.retain(|job| !job.answer.is_closed());
        while !jobs.is_empty() {
            match accept(&mut self.line, &jobs, false).await {
                Ok(uids) => return accepted(jobs, uids),
                Err(Refusal::Busy(accounts)) => jobs = self.leave(jobs, &accounts),
                Err(Refusal::Certain(_)) if jobs.len() > 1 => return self.carry_each(jobs).await,
                Err(refusal) => return refuse(jobs, refusal),
            }
        }
    }
}

impl Acceptor {
    /// One of them is to blame: each goes alone.
    async fn carry_each(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let alone = vec![job];
            match accept(&mut self.line, &alone, false).await {
                Ok(uids) => accepted(alone, uids),
                Err(Refusal::Busy(accounts)) => drop(self.leave(alone, &accounts)),
                Err(refusal) => refuse(alone, refusal),
            }
        }
    }

    /// Leaves those that name one of `accounts` to wait; returns the others.
    fn leave(&self, jobs: Vec<Job>, accounts: &[i64]) -> Vec<Job> {
        let mut others = Vec::with_capacity(jobs.len());
        let mut left = false;
        for job in jobs {
            match job.names(accounts) {
                Some(account) => {
                    self.held.wait(job, account, &self.waiters);
                    left = true;
                }
                None => others.push(job),
            }
        }
        if !left {
            // It names none of them: not to go round for ever.
            refuse(std::mem::take(&mut others), Refusal::Busy(Vec::new()));
        }
        others
    }
}

/// Jobs for mailboxes that somebody holds, by mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    jobs: Arc<Mutex<HashMap<i64, VecDeque<Job>>>>,
    turns: Arc<Semaphore>,
}

impl Default for Held {
    fn default() -> Self {
        Self { jobs: Arc::default(), turns: Arc::new(Semaphore::new(WAITING_MAX)) }
    }
}

impl Held {
    #[expect(clippy::disallowed_methods, reason = "closing the store waits for its connection")]
    fn wait(&self, job: Job, account: i64, pool: &PgPool) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(others) = jobs.get_mut(&account) {
            others.push_back(job);
            return;
        }
        jobs.insert(account, VecDeque::from([job]));
        drop(jobs);
        let line = Line::new(pool.clone());
        tokio::spawn(Waiter { held: self.clone(), account, ended: false }.deliver(line));
    }
}

/// Waits for one mailbox with all that is for it.
struct Waiter {
    held: Held,
    account: i64,
    ended: bool,
}

impl Waiter {
    async fn deliver(mut self, mut line: Line) {
        let turns = Arc::clone(&self.held.turns);
        let Ok(_turn) = turns.acquire().await else { return };
        while let Some(mut jobs) = self.next() {
            jobs.retain(|job| !job.answer.is_closed());
            let (mine, shared): (Vec<Job>, Vec<Job>) =
                jobs.into_iter().partition(|job| job.act.accounts().all(|account| account == self.account));
            if !mine.is_empty() {
                deliver_all(&mut line, mine).await;
            }
            // While it waits for one mailbox it holds the others: no more than its own.
            for job in shared {
                deliver_all(&mut line, vec![job]).await;
            }
        }
    }

    /// `None` ends the waiter, in the same moment.
    fn next(&mut self) -> Option<Vec<Job>> {
        let mut held = self.held.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.account).filter(|jobs| !jobs.is_empty()) {
            Some(jobs) => Some(portion::<Acceptor>(jobs)),
            None => {
                held.remove(&self.account);
                self.ended = true;
                None
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if !self.ended {
            // It fell over, or the node ends: their callers ask for their fate. Dropped outside the lock.
            let left = self.held.jobs.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
            drop(left);
        }
    }
}

async fn deliver_all(line: &mut Line, jobs: Vec<Job>) {
    match accept(line, &jobs, true).await {
        Ok(uids) => accepted(jobs, uids),
        // The mailbox was not to be had: each of them alone would wait as long again.
        Err(Refusal::Certain(Error::Unavailable(error))) => refuse(jobs, Refusal::NotSent(error)),
        Err(Refusal::Certain(_)) if jobs.len() > 1 => {
            for job in jobs {
                let alone = vec![job];
                match accept(line, &alone, true).await {
                    Ok(uids) => accepted(alone, uids),
                    Err(refusal) => refuse(alone, refusal),
                }
            }
        }
        Err(refusal) => refuse(jobs, refusal),
    }
}
