//! What users say of mail by moving it into their folder for unwanted mail or out of it, and what they report, is taught to the filter
//! for spam (requirements D6, D7; docs/adr/0022-scanners.md).
//!
//! Invariants: nobody's move waits for the filter: it leaves rows in its own transaction, few however much is moved, and none that touches
//! no folder for unwanted mail does anything for this; what is deleted meanwhile is not learned, nor what was put there by hand, nor as
//! wanted what did not come from outside; nothing is sent but what a user moved or reported himself, and not whose it is; no message is
//! kept from its turn for long by those that the filter cannot learn, nor another job of the node by a filter that is slow.

mod reported;
mod said;

pub use said::{LessonQuery, LessonReport};

use crate::cases::mail;
use crate::message::FACTS_OCTETS_MAX;
use crate::scanning::Kept;
use crate::{Engine, Error, Principal, figures, trace};
use guard::{Learner, Taught};
use jiff::{SignedDuration, Timestamp};
use model::{AccountId, Lesson};
use std::ops::Range;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{ContentColumns, FolderRow, LessonRoom, LessonRow, Said, Transferred, Tried, Tx};

/// A person says little in a day, so nobody teaches the filter alone; of all together as much waits as is taught in an hour.
const LESSON_ROOM: LessonRoom = LessonRoom { a_day: 100, waiting: 10_000 };
/// Messages that are taught in one run, one after the other.
const RUN_LESSONS_MAX: u32 = 200;
/// Other jobs of the node wait for a run.
const RUN_TIMES: RunTimes =
    RunTimes { begun_until: Duration::from_secs(10), over_at: Duration::from_secs(15) };
/// A filter that learns fewer in a run that is late is as good as away.
const RUN_FEW: u64 = 20;
/// For so long it is not asked once it was away, each time twice as long.
const REST_FIRST: SignedDuration = SignedDuration::from_mins(1);
const REST_MAX: SignedDuration = SignedDuration::from_hours(1);
/// What could not be learned is tried again after this, each time after twice as long.
const RETRY_FIRST: SignedDuration = SignedDuration::from_mins(5);
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(6);
/// What is over is kept so that it can be found out who said what.
const OVER_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What the filter did not learn until then it never does.
const WAITING_KEPT: SignedDuration = SignedDuration::from_hours(72);
const FORGOTTEN_AT_ONCE: u32 = 1_000;
/// Octets in front of a message among which our own fields are looked for.
const FRONT_BYTES_MAX: u64 = 64 << 10;

/// How long a run may take, from its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunTimes {
    /// No further message is begun after it.
    pub(crate) begun_until: Duration,
    /// What is not learned then is broken off.
    pub(crate) over_at: Duration,
}

/// When the filter is asked again, and how often in a row it was away.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: Option<Timestamp>,
    in_vain: u32,
}

impl Rest {
    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn note(&mut self, is_away: bool, now: Timestamp) {
        if !is_away {
            *self = Self::default();
            return;
        }
        let rest = REST_FIRST.saturating_mul(1 << self.in_vain.min(16)).min(REST_MAX);
        *self = Self { until: now.saturating_add(rest).ok(), in_vain: self.in_vain.saturating_add(1) };
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    spam: u64,
    ham: u64,
    others: u64,
    pub(crate) is_away: bool,
    /// Of the first on which it failed.
    failed: Option<u16>,
    /// Could not be read where we keep them.
    unread: u64,
}

impl Tally {
    const fn tried(&self) -> u64 {
        self.spam + self.ham + self.others
    }

    fn add(&mut self, taught: Option<Taught>, lesson: Lesson) {
        match (taught, lesson) {
            (Some(Taught::Learned), Lesson::Spam) => self.spam += 1,
            (Some(Taught::Learned), Lesson::Ham) => self.ham += 1,
            _ => self.others += 1,
        }
        match taught {
            Some(Taught::Failed(status)) => self.failed = self.failed.or(Some(status)),
            Some(Taught::Unread) => self.unread += 1,
            _ => {}
        }
        self.is_away = taught == Some(Taught::Away);
    }

    /// Once a run, however many there were.
    fn log(&self) {
        if let Some(status) = self.failed {
            tracing::warn!(status, "the filter for spam did not learn what it was told");
        }
        if self.unread > 0 {
            tracing::error!(messages = self.unread, "messages that the filter is to learn cannot be read");
        }
    }
}

impl Engine {
    /// From now on what users say of mail is noted, and taught to the filter, where it is to learn; said once, before the doors open.
    pub fn use_learner(&self, learner: Option<Learner>) {
        if learner.is_some_and(|learner| self.0.learner.set(learner).is_err()) {
            tracing::error!("a learner was given twice");
        }
    }

    /// Notes what moving or copying these into a folder of `account` says, under its lock; most often it says nothing, and nothing is
    /// done.
    pub(crate) async fn note_lessons(
        &self,
        tx: &mut Tx,
        (who, account): (&Principal, AccountId),
        (from, to): (&FolderRow, &FolderRow),
        moved: &[Transferred],
    ) -> Result<(), store::Error> {
        let lesson = Lesson::of_move((from.special_use, &from.name), (to.special_use, &to.name));
        let (Some(_), Some(lesson)) = (self.0.learner.get(), lesson) else { return Ok(()) };
        let said = Said { actor: who.own().account(), account, lesson };
        let left_out = tx.note_lessons(said, moved, (LESSON_ROOM, self.now())).await?;
        figures::lessons_left_out(lesson.as_str(), left_out);
        Ok(())
    }

    /// Forgets what is over, also where the filter is to learn no more; reads what was reported, and teaches what is due.
    pub(crate) async fn teach_filter_job(&self) -> Result<String, Error> {
        self.forget_lessons().await?;
        let Some(learner) = self.0.learner.get() else {
            return Ok("the filter is not to learn".to_owned());
        };
        let reported = self.read_reported().await;
        let Tally { spam, ham, others, is_away, .. } = self.teach(learner, RUN_TIMES).await?;
        let (reported, waiting) = (reported?, self.0.store.lessons_waiting().await?);
        let away = if is_away { "; the filter did not answer" } else { "" };
        Ok(format!("{spam} spam, {ham} ham, {others} not learned, {reported} reported, {waiting} wait{away}"))
    }

    fn learner_rest(&self) -> MutexGuard<'_, Rest> {
        self.0.learner_rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn teach(&self, learner: &Learner, times: RunTimes) -> Result<Tally, Error> {
        let (began, mut tally) = (Instant::now(), Tally::default());
        if !self.learner_rest().is_over(self.now()) {
            return Ok(Tally { is_away: true, ..tally });
        }
        for due in self.0.store.lessons_due(self.now(), RUN_LESSONS_MAX).await? {
            let left = times.over_at.saturating_sub(began.elapsed());
            let (taught, message_id) = match tokio::time::timeout(left, self.teach_one(learner, &due)).await {
                Ok(Ok(tried)) => tried,
                // What one of them costs us, the others do not; where the database fails, the next statement says so.
                Ok(Err(_)) => (Some(Taught::Unread), None),
                Err(_) => (Some(Taught::Away), None),
            };
            let next = match taught {
                Some(Taught::Failed(_) | Taught::Away | Taught::Unread) => Some(self.next_try(due.attempts)),
                Some(Taught::Learned | Taught::Known | Taught::Useless) | None => None,
            };
            let result = taught.map_or("gone", Taught::as_str);
            let tried = Tried { result, message_id: message_id.as_deref() };
            self.0.store.end_lesson(&due, &tried, next).await?;
            figures::lesson(due.lesson.as_str(), result);
            tally.add(taught, due.lesson);
            let is_late = began.elapsed() >= times.begun_until;
            tally.is_away |= is_late && tally.tried() < RUN_FEW;
            if tally.is_away || is_late {
                break;
            }
        }
        self.learner_rest().note(tally.is_away, self.now());
        tally.log();
        Ok(tally)
    }

    /// What came of it, and its Message-ID. `None`: it is not to be learned any more, or never was; see `lesson_holds`.
    async fn teach_one(
        &self,
        learner: &Learner,
        due: &LessonRow,
    ) -> Result<(Option<Taught>, Option<String>), Error> {
        if !self.0.store.lesson_holds(due).await? {
            return Ok((None, None));
        }
        let columns = ContentColumns { chunks: true, ..ContentColumns::default() };
        let mut found = self.0.store.contents(&[due.content], columns, FACTS_OCTETS_MAX).await?;
        let body = found.pop().flatten().and_then(|content| self.message(&content, None).body);
        let Some(body) = body else { return Ok((None, None)) };
        let Range { start, end } = due.part.clone().unwrap_or(0..body.size());
        let front = match body.read(start..end.min(start.saturating_add(FRONT_BYTES_MAX))).await {
            Err(Error::NotFound) => return Ok((None, None)),
            front => front?,
        };
        let message_id = mail::message_id(&front);
        // Who could teach what he wrote himself as wanted could have anything let in.
        if due.lesson == Lesson::Ham && !mail::is_from_outside(&front) {
            return Ok((None, message_id));
        }
        // As it came: what we found out of it ourselves is nothing to learn from.
        let start = start.saturating_add(trace::in_front(&front) as u64);
        let message = Kept { place: start..end.min(body.size()), body };
        Ok((Some(learner.teach(&message, due.lesson).await), message_id))
    }

    /// After so many times in vain.
    fn next_try(&self, attempts: u32) -> Timestamp {
        let wait = RETRY_FIRST.saturating_mul(1 << attempts.min(16)).min(RETRY_MAX);
        self.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    async fn forget_lessons(&self) -> Result<(), Error> {
        let before = |kept| self.now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        let times = (before(OVER_KEPT), before(WAITING_KEPT));
        loop {
            let (gone, given_up) = self.0.store.forget_lessons(times, FORGOTTEN_AT_ONCE).await?;
            given_up.iter().for_each(|lesson| figures::lesson(lesson.as_str(), "given_up"));
            if !given_up.is_empty() {
                tracing::warn!(messages = given_up.len(), "what users said of mail was never learned");
            }
            if gone < FORGOTTEN_AT_ONCE as usize {
                return Ok(());
            }
        }
    }
}
