//! Spam that somebody here sends to others waits in the queue until an administrator has looked at it, as long as policy says.
//!
//! Invariants: see the parent; nothing ends in silence here: who sent it had logged in, and is told.

use super::BATCH;
use crate::queue::Telling;
use crate::report_words::NOT_LET_GO;
use crate::{Engine, Error, QueueError};
use jiff::Timestamp;
use model::DomainId;
use model::queue::{Answer, Status};

impl Engine {
    /// Gives up what the filter has kept back since before that moment; its sender is told. Says how many messages. What somebody has in
    /// hand at the moment is passed over.
    pub(super) async fn give_up_filtered(
        &self,
        domains: &[DomainId],
        before: Timestamp,
    ) -> Result<u64, Error> {
        let answer = Answer::ours(Status(5, 4, 7), NOT_LET_GO);
        let mut given_up = 0;
        loop {
            let found = self.0.store.filtered_before(domains, (before, BATCH)).await?;
            let mut ended = 0;
            for (message, queue_id) in &found {
                let claimed = match self.claim_whole(*message, queue_id).await {
                    Ok(Some(claimed)) => claimed,
                    Ok(None) | Err(QueueError::BeingSent(_)) => continue,
                    Err(error) => {
                        tracing::error!(%error, "mail that was kept back could not be given up");
                        return Err(Error::Unavailable);
                    }
                };
                ended += u64::from(self.end_all(&claimed, &answer, (Telling::Usual, None)).await? > 0);
            }
            given_up += ended;
            if ended == 0 || found.len() < BATCH as usize {
                return Ok(given_up);
            }
        }
    }
}
