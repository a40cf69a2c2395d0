//! What users say of mail by moving it into their folder for unwanted mail or out of it, and what they report, is taught to the filter
//! for spam (requirements D6, D7; docs/adr/0022-scanners.md).
//!
//! Invariants: nobody's move waits for the filter: it leaves rows in its own transaction, few however much is moved, and none that touches
//! no folder for unwanted mail does anything for this; what is deleted meanwhile is not learned; nothing is sent but what a user moved
//! or reported himself, and not whose it is; no message is kept from its turn for long by those that the filter cannot learn.

mod reported;

use crate::message::FACTS_OCTETS_MAX;
use crate::scanning::Kept;
use crate::{Engine, Error, figures, trace};
use guard::{Learner, Taught};
use jiff::{SignedDuration, Timestamp};
use model::{AccountId, Lesson};
use std::ops::Range;
use std::time::{Duration, Instant};
use store::{ContentColumns, FolderRow, LessonRoom, LessonRow, Transferred, Tx};

/// A person says little in a day, so nobody teaches the filter alone; of all together as much waits as is taught in an hour.
const LESSON_ROOM: LessonRoom = LessonRoom { a_day: 100, waiting: 10_000 };
/// Messages that are taught in one run, one after the other.
const RUN_LESSONS_MAX: u32 = 200;
/// After which no further one is begun in a run: other jobs of the node wait for it.
const RUN_TIME_MAX: Duration = Duration::from_secs(30);
/// What could not be learned is tried again after this, each time after twice as long.
const RETRY_FIRST: SignedDuration = SignedDuration::from_mins(5);
const RETRY_MAX: SignedDuration = SignedDuration::from_hours(6);
/// What is over is kept for as long as it counts.
const OVER_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// What the filter did not learn until then it never does.
const WAITING_KEPT: SignedDuration = SignedDuration::from_hours(72);
const FORGOTTEN_AT_ONCE: u32 = 1_000;
/// Octets in front of a message among which our own fields are looked for.
const FRONT_BYTES_MAX: u64 = 64 << 10;

/// What a run did.
#[derive(Debug, Default)]
struct Tally {
    spam: u64,
    ham: u64,
    others: u64,
    is_away: bool,
    /// Of the first on which it failed.
    failed: Option<u16>,
    /// Could not be read where we keep them.
    unread: u64,
}

impl Tally {
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
        account: AccountId,
        (from, to): (&FolderRow, &FolderRow),
        moved: &[Transferred],
    ) -> Result<(), store::Error> {
        let lesson = Lesson::of_move((from.special_use, &from.name), (to.special_use, &to.name));
        let (Some(_), Some(lesson)) = (self.0.learner.get(), lesson) else { return Ok(()) };
        tx.note_lessons((account, lesson), moved, (LESSON_ROOM, self.now())).await
    }

    /// Forgets what is over, also where the filter is to learn no more; reads what was reported, and teaches what is due.
    pub(crate) async fn teach_filter_job(&self) -> Result<String, Error> {
        self.forget_lessons().await?;
        let Some(learner) = self.0.learner.get() else {
            return Ok("the filter is not to learn".to_owned());
        };
        let reported = self.read_reported().await;
        let Tally { spam, ham, others, is_away, .. } = self.teach(learner).await?;
        let (reported, waiting) = (reported?, self.0.store.lessons_waiting().await?);
        let away = if is_away { "; the filter did not answer" } else { "" };
        Ok(format!("{spam} spam, {ham} ham, {others} not learned, {reported} reported, {waiting} wait{away}"))
    }

    async fn teach(&self, learner: &Learner) -> Result<Tally, Error> {
        let (began, mut tally) = (Instant::now(), Tally::default());
        for due in self.0.store.lessons_due(self.now(), RUN_LESSONS_MAX).await? {
            // What one of them costs us, the others do not; where the database fails, the next statement says so.
            let taught = self.teach_one(learner, &due).await.unwrap_or(Some(Taught::Unread));
            let next = match taught {
                Some(Taught::Failed(_) | Taught::Away | Taught::Unread) => Some(self.next_try(due.attempts)),
                Some(Taught::Learned | Taught::Known | Taught::Useless) | None => None,
            };
            self.0.store.end_lesson(&due, next).await?;
            figures::lesson(due.lesson.as_str(), taught.map_or("gone", Taught::as_str));
            tally.add(taught, due.lesson);
            if tally.is_away || began.elapsed() >= RUN_TIME_MAX {
                break;
            }
        }
        tally.log();
        Ok(tally)
    }

    /// `None`: the mailbox does not have the message any more, nor, of what was reported, any mailbox for it.
    async fn teach_one(&self, learner: &Learner, due: &LessonRow) -> Result<Option<Taught>, Error> {
        if !self.0.store.is_lesson_there(due).await? {
            return Ok(None);
        }
        let columns = ContentColumns { chunks: true, ..ContentColumns::default() };
        let mut found = self.0.store.contents(&[due.content], columns, FACTS_OCTETS_MAX).await?;
        let body = found.pop().flatten().and_then(|content| self.message(&content, None).body);
        let Some(body) = body else { return Ok(None) };
        let Range { start, end } = due.part.clone().unwrap_or(0..body.size());
        let front = match body.read(start..end.min(start.saturating_add(FRONT_BYTES_MAX))).await {
            Err(Error::NotFound) => return Ok(None),
            front => front?,
        };
        // As it came: what we found out of it ourselves is nothing to learn from.
        let start = start.saturating_add(trace::in_front(&front) as u64);
        let message = Kept { place: start..end.min(body.size()), body };
        Ok(Some(learner.teach(&message, due.lesson).await))
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
