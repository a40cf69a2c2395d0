//! Telling a sender in one report of all that failed of a message within minutes.
//!
//! Invariants: what is not told with what it tells of is put by in that transaction, and told in the one that takes it away, so once,
//! whoever dies; a message that ends at once is told of at once, and one that ends later at most `TOLD_SOON` after the failure for the
//! first few times, `TOLD_LATER` afterwards.

use super::Ended;
use super::letters::{Saying, Subject};
use super::passed_on::conceal;
use super::telling::{OVERDUE_MAX, PASSED_OVER_MAX};
use crate::report::{Told, What};
use crate::{Engine, Error};
use model::queue::Outcome;
use store::{NewUntold, QueueReport, Untold, UntoldMessage};
use tokio_util::sync::CancellationToken;

/// Recipients in a report: of each some hundred octets.
const TOGETHER_MAX: i64 = 2_000;

impl Engine {
    /// Says what has ended, and tells its sender: now where that is all there is to tell of the message, else with more of it.
    pub(super) async fn commit_ended(
        &self,
        lease: i64,
        judged: &[Ended<'_>],
        report: &QueueReport<'_>,
        mut told: Vec<Vec<Told<'_>>>,
    ) -> Result<bool, Error> {
        let Some((first, _)) = judged.first() else { return Ok(true) };
        if first.sender.is_empty() || told.iter().all(Vec::is_empty) || self.is_all(judged).await? {
            return self.commit_report(lease, first, report, told).await;
        }
        told.iter_mut().flatten().for_each(conceal);
        let untold: Vec<NewUntold<'_>> = told.iter().flatten().map(put_by).collect();
        let report = QueueReport { untold: &untold, ..*report };
        self.commit_report(lease, first, &report, Vec::new()).await
    }

    /// Is nothing left of the message with this, and nothing put by?
    async fn is_all(&self, judged: &[Ended<'_>]) -> Result<bool, Error> {
        let goes_on = |outcome: &Outcome| matches!(outcome, Outcome::Deferred(_));
        let Some((first, _)) = judged.first() else { return Ok(true) };
        if judged.iter().any(|(_, outcomes)| outcomes.iter().any(goes_on)) {
            return Ok(false);
        }
        let deliveries: Vec<i64> = judged.iter().map(|(delivery, _)| delivery.delivery).collect();
        Ok(self.0.store.is_all_of(first.message, &deliveries).await?)
    }

    /// Tells of all that is put by and has waited long enough. What cannot be told of keeps nothing else from it, and is tried with the
    /// next round.
    pub(super) async fn tell_together(&self, stop: &CancellationToken) -> Result<(), Error> {
        let (mut passed_over, mut told) = (Vec::new(), Ok(()));
        while !stop.is_cancelled() && passed_over.len() < PASSED_OVER_MAX {
            let messages = self.0.store.untold_messages(&passed_over, OVERDUE_MAX, self.now()).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                match self.tell_together_of(message).await {
                    Ok(true) => {}
                    Ok(false) => passed_over.push(message),
                    Err(error) => {
                        passed_over.push(message);
                        told = Err(error);
                    }
                }
            }
        }
        told
    }

    /// False when somebody else does.
    async fn tell_together_of(&self, message: i64) -> Result<bool, Error> {
        let Some(of) = self.0.store.untold_of(message, TOGETHER_MAX).await? else { return Ok(false) };
        let numbers: Vec<i64> = of.told.iter().map(|one| one.untold).collect();
        let mut letters = Vec::new();
        for what in [What::Failed, What::Relayed] {
            let told: Vec<Told<'_>> = of
                .told
                .iter()
                .filter(|one| one.action == what.action())
                .map(|one| again(one, what))
                .collect();
            if !told.is_empty() {
                letters.push(self.report_of(Subject::from(&of), told).await?);
            }
        }
        self.commit_letters(Saying::Together(message, &numbers), letters).await
    }
}

fn put_by<'a>(told: &'a Told<'a>) -> NewUntold<'a> {
    NewUntold {
        action: told.what.action(),
        address: told.address,
        original: told.original,
        answer: &told.answer,
    }
}

fn again(untold: &Untold, what: What) -> Told<'_> {
    Told {
        address: &untold.address,
        original: untold.original.as_deref(),
        written: None,
        what,
        answer: untold.answer.clone(),
        at: Some(untold.said_at),
    }
}

impl<'a> From<&'a UntoldMessage> for Subject<'a> {
    fn from(of: &'a UntoldMessage) -> Self {
        Self {
            content: of.content,
            sender: &of.sender,
            account: of.account,
            ret: of.ret,
            envid: of.envid.as_deref(),
            about: &of.about,
            requiretls: of.needs.requiretls,
            accepted_at: of.accepted_at,
            give_up_at: None,
        }
    }
}
