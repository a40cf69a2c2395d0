//! Who may receive, and who may send as whom.

use crate::{Engine, Error, Principal};
use model::{AccountId, Address, DomainName, FolderId};

/// A mailbox over its quota by this share still receives, the message that crosses it included: a hard limit above the
/// soft one (An Giang 63/2016 Điều 9.3c stops sending at the quota, not receiving).
const HARD_LIMIT_PERCENT: u64 = 110;

/// A recipient that was found and may receive. Only [`Engine::recipient`] makes one.
#[derive(Clone, Debug)]
pub struct Recipient {
    address: Address,
    account: AccountId,
    inbox: FolderId,
}

impl Recipient {
    /// The address as it was asked for, canonical.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    pub(crate) fn inbox(&self) -> FolderId {
        self.inbox
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    #[error("no such mailbox")]
    Unknown,
    #[error("not a domain of this system")]
    NotLocal,
    #[error("the mailbox does not receive mail")]
    Inactive,
    #[error("the mailbox is full")]
    OverQuota,
    #[error("the mail store is unavailable")]
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    #[error("not an address of the sender")]
    NotYours,
    #[error("the mail store is unavailable")]
    Unavailable,
}

pub(crate) fn hard_limit_bytes(quota_bytes: u64) -> u64 {
    (quota_bytes / 100).saturating_mul(HARD_LIMIT_PERCENT)
}

impl Engine {
    /// Aliases, `user+tag` and case are looked through here.
    ///
    /// # Errors
    /// See [`RecipientError`]. A mailbox may be overshot by one message: its size is not known yet.
    pub async fn recipient(&self, address: &Address) -> Result<Recipient, RecipientError> {
        let mut found = self.find_recipient(address).await?;
        if found.is_none()
            && let Some(plain) = address.without_tag()
        {
            found = self.find_recipient(&plain).await?;
        }
        let Some(row) = found else {
            return match self.is_local_domain(address.domain()).await {
                Ok(true) => Err(RecipientError::Unknown),
                Ok(false) => Err(RecipientError::NotLocal),
                Err(_) => Err(RecipientError::Unavailable),
            };
        };
        if !row.state.receives() {
            return Err(RecipientError::Inactive);
        }
        if row.used_bytes >= hard_limit_bytes(row.quota_bytes) {
            return Err(RecipientError::OverQuota);
        }
        Ok(Recipient { address: address.clone(), account: row.account, inbox: row.inbox })
    }

    async fn find_recipient(&self, address: &Address) -> Result<Option<store::RecipientRow>, RecipientError> {
        self.0.store.recipient(address).await.map_err(|error| {
            tracing::error!(%error, "a recipient could not be looked up");
            RecipientError::Unavailable
        })
    }

    /// Is it a domain this installation hosts?
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_local_domain(&self, domain: &DomainName) -> Result<bool, Error> {
        Ok(self.0.store.domain(domain).await?.is_some())
    }

    /// May this user send as `address`, in the envelope or in From (An Giang 63/2016 Điều 5.5)?
    ///
    /// # Errors
    /// `NotYours` when not.
    pub async fn check_sender(&self, who: &Principal, address: &Address) -> Result<(), SenderError> {
        let owns = |address: Address| async move { self.0.store.owns_address(who.account(), &address).await };
        let mut owned = owns(address.clone()).await;
        if matches!(owned, Ok(false))
            && let Some(plain) = address.without_tag()
        {
            owned = owns(plain).await;
        }
        match owned {
            Ok(true) => Ok(()),
            Ok(false) => Err(SenderError::NotYours),
            Err(error) => {
                tracing::error!(%error, "a sender could not be checked");
                Err(SenderError::Unavailable)
            }
        }
    }
}
