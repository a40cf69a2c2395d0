//! What somebody lets go was kept for days: it may have come while the scanner for malware was away, or before that knew what is in it.
//!
//! Invariant: nothing that waited for somebody's word, and nothing of the queue that goes to somebody else than it was for, is let go
//! without the scanner having been asked at that moment, where there is one; where it does not answer, policy decides as of mail that
//! comes, or goes.

use super::QuarantineError;
use crate::{Engine, Error, GroupError, QueueError};
use model::scan::Malware;
use model::{ContentId, DomainId, Unscanned};
use store::QuarantinedRow;

/// Why a message stays where it is.
enum Found {
    Malware(String),
    NotScanned,
}

impl Engine {
    /// # Errors
    /// `Infected`, `NotScanned`; `NoSuchMessage` when it is gone meanwhile.
    pub(super) async fn scan_released(&self, message: &QuarantinedRow) -> Result<(), QuarantineError> {
        let unscanned = self.policy_of(message.domain).await?.filter.not_scanned_in;
        match self.found_in(message.content, unscanned).await {
            Ok(None) => Ok(()),
            Ok(Some(Found::Malware(name))) => Err(QuarantineError::Infected(name)),
            Ok(Some(Found::NotScanned)) => Err(QuarantineError::NotScanned),
            Err(Error::NotFound) => Err(QuarantineError::NoSuchMessage),
            Err(error) => Err(error.into()),
        }
    }

    /// The same of a message of the queue, where the filter keeps it back.
    ///
    /// # Errors
    /// `Infected`, `NotScanned`; `NoSuchMessage` when it is gone meanwhile.
    pub(crate) async fn scan_filtered(&self, message: i64, queue_id: &str) -> Result<(), QueueError> {
        let kept = self.0.store.filtered_content(message).await?;
        let Some((content, domain)) = kept else { return Ok(()) };
        self.scan_queued(queue_id, (content, Some(domain))).await
    }

    /// The same of a message of the queue that somebody else is to get.
    ///
    /// # Errors
    /// As [`Engine::scan_filtered`].
    pub(crate) async fn scan_redirected(&self, message: i64, queue_id: &str) -> Result<(), QueueError> {
        let missing = || QueueError::NoSuchMessage(queue_id.to_owned());
        let found = self.0.store.queued_content(message).await?.ok_or_else(missing)?;
        self.scan_queued(queue_id, found).await
    }

    /// The same of mail to a large group, where it waits for approval.
    ///
    /// # Errors
    /// `Infected`, `NotScanned`; `NoSuchMessage` when it was decided.
    pub(crate) async fn scan_approved(&self, held: i64, group: DomainId) -> Result<(), GroupError> {
        let found = self.0.store.held_content(held).await?;
        let (content, sender) = found.ok_or(GroupError::NoSuchMessage)?;
        let unscanned = match sender {
            Some(domain) => self.policy_of(domain).await?.filter.not_scanned_out,
            None => self.policy_of(group).await?.filter.not_scanned_in,
        };
        match self.found_in(content, unscanned).await {
            Ok(None) => Ok(()),
            Ok(Some(Found::Malware(name))) => Err(GroupError::Infected(name)),
            Ok(Some(Found::NotScanned)) => Err(GroupError::NotScanned),
            Err(Error::NotFound) => Err(GroupError::NoSuchMessage),
            Err(error) => Err(error.into()),
        }
    }

    /// By what the domain of whoever sent it says; what nobody here sent, such as a report, does not go without an answer.
    async fn scan_queued(
        &self,
        queue_id: &str,
        (content, sender): (ContentId, Option<DomainId>),
    ) -> Result<(), QueueError> {
        let unscanned = match sender {
            Some(domain) => self.policy_of(domain).await?.filter.not_scanned_out,
            None => Unscanned::Later,
        };
        match self.found_in(content, unscanned).await {
            Ok(None) => Ok(()),
            Ok(Some(Found::Malware(name))) => Err(QueueError::Infected(queue_id.to_owned(), name)),
            Ok(Some(Found::NotScanned)) => Err(QueueError::NotScanned(queue_id.to_owned())),
            Err(Error::NotFound) => Err(QueueError::NoSuchMessage(queue_id.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    async fn found_in(&self, content: ContentId, unscanned: Unscanned) -> Result<Option<Found>, Error> {
        Ok(match (self.malware_in(content).await?, unscanned) {
            (Malware::Found(name), _) => Some(Found::Malware(name)),
            (Malware::Unknown, Unscanned::Later) => Some(Found::NotScanned),
            (Malware::Unknown, Unscanned::Take) | (Malware::Clean | Malware::NotAsked, _) => None,
        })
    }
}
