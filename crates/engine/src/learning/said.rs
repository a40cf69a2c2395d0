//! Who said what of which mail, for whoever looks into what the filter for spam was taught, and by whom.
//!
//! Invariants: nothing of a message is in the report but its Message-ID; that it was made is in the administrators' log before anything of
//! it is read.

use crate::{Actor, AdminError, AdminTarget, Engine};
use jiff::Timestamp;
use model::{Action, Address};
use serde_json::json;
use store::{SaidFilter, SaidRow};

/// Lessons of one report.
const LESSONS_MAX: u32 = 10_000;

/// Whose lessons, and of which time; they are kept for thirty days.
#[derive(Clone, Copy, Debug)]
pub struct LessonQuery<'a> {
    /// Of the person who has this address, an alias too, wherever he said it; `None`: of all within the actor's reach.
    pub by: Option<&'a Address>,
    /// `None`: from the first on.
    pub since: Option<Timestamp>,
    /// Before this moment; `None`: all.
    pub until: Option<Timestamp>,
    /// Lessons at most, up to 10,000.
    pub limit: u32,
}

/// The newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LessonReport {
    pub lessons: Vec<SaidRow>,
    /// There are older ones in that time.
    pub is_cut: bool,
}

impl Engine {
    /// What users said of mail: who, where, and what came of it.
    ///
    /// # Errors
    /// `NoSuchMailbox`, `Denied`.
    pub async fn lessons(&self, actor: &Actor, query: &LessonQuery<'_>) -> Result<LessonReport, AdminError> {
        let by = match query.by {
            Some(address) => {
                self.authorize(actor, Action::TraceShow, &AdminTarget::Address(address)).await?;
                let missing = || AdminError::NoSuchMailbox(address.clone());
                Some(self.0.store.login(address).await?.ok_or_else(missing)?)
            }
            None => None,
        };
        let reach = actor.reach(Action::TraceShow);
        if reach.is_empty() {
            return Ok(LessonReport::default());
        }
        let mut tx = self.0.store.begin().await?;
        let detail = json!({ "since": query.since, "until": query.until });
        let whose = by.as_ref().map_or_else(|| "*".to_owned(), |login| login.primary.to_string());
        self.audit(&mut tx, actor, "trace.lessons", &whose, &detail).await?;
        tx.commit().await?;
        let limit = query.limit.clamp(1, LESSONS_MAX);
        let filter = SaidFilter {
            reach: &reach,
            by: by.map(|login| login.account),
            since: query.since,
            until: query.until,
            limit: limit + 1,
        };
        let mut lessons = self.0.store.lessons_said(&filter).await?;
        let is_cut = lessons.len() > limit as usize;
        lessons.truncate(limit as usize);
        Ok(LessonReport { lessons, is_cut })
    }
}
