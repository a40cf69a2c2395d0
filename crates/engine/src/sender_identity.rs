//! Who may write as whom, decided in one place for the envelope and for what a message says of its author.
//!
//! AG Đ5.5: nobody uses a false name or another's mailbox to send. One's own addresses, those of mailboxes that one may send
//! as, and, with one's own address in Sender, those that one may send on behalf of (B10).
//! Invariant: whatever a mail program may show as the author has been looked at.

use crate::quota::Sending;
use crate::{DeliverError, Engine, Error, Principal, SenderError};
use model::{Address, Right, Rights};
use std::collections::BTreeMap;

/// What an address is to somebody who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    Own,
    /// Of a mailbox that he has these rights to.
    Delegated(Rights),
    Strange,
}

impl Identity {
    /// May it stand in From, without a word of who wrote?
    fn alone(self) -> bool {
        match self {
            Self::Own => true,
            Self::Delegated(rights) => rights.contains(Right::SendAs),
            Self::Strange => false,
        }
    }

    /// May it stand in From, when Sender says who wrote?
    fn with_sender(self) -> bool {
        match self {
            Self::Delegated(rights) => rights.contains(Right::SendOnBehalf) || self.alone(),
            Self::Own | Self::Strange => self.alone(),
        }
    }
}

impl Engine {
    /// May this user send as `address` in the envelope (An Giang 63/2016 Điều 5.5)? The header is looked at when the message
    /// has come.
    ///
    /// # Errors
    /// `NotYours` when not, `Revoked` when the user's rights ended.
    pub async fn check_sender(&self, who: &Principal, address: &Address) -> Result<(), SenderError> {
        let who = who.own();
        let identity = match self.may_send(who).await {
            Ok(Sending::OverQuota) => return Err(SenderError::OverQuota),
            Ok(Sending::Allowed(_)) => self.identity_of(who, address).await,
            Err(error) => Err(error),
        };
        match identity {
            Ok(identity) if identity.with_sender() => Ok(()),
            Ok(_) => Err(SenderError::NotYours),
            Err(Error::Revoked) => Err(SenderError::Revoked),
            Err(Error::Unavailable | Error::NotFound | Error::NotPermitted | Error::Frozen) => {
                Err(SenderError::Unavailable)
            }
        }
    }

    /// Whatever a mail program may show as the author of a submitted message is to be its sender's: "on behalf of" and
    /// "resent by" as well.
    pub(crate) async fn check_authors(
        &self,
        who: &Principal,
        header: &[u8],
    ) -> Result<Vec<Address>, DeliverError> {
        let who = who.own();
        let authors = proto::mime::authors(header)?;
        let mut known: BTreeMap<String, Identity> = BTreeMap::new();
        for text in authors.all() {
            if !known.contains_key(text) {
                let identity = match text.parse::<Address>() {
                    Ok(address) => self.identity_of(who, &address).await?,
                    Err(_) => Identity::Strange,
                };
                known.insert(text.clone(), identity);
            }
        }
        let identity = |text: &String| known.get(text).copied().unwrap_or(Identity::Strange);
        for text in authors.sender.iter().chain(&authors.resent) {
            if !identity(text).alone() {
                return Err(DeliverError::FromNotYours(text.clone()));
            }
        }
        // RFC 5322 3.6.2: Sender is the mailbox of who in fact wrote.
        let signs = authors.sender.iter().any(|text| identity(text) == Identity::Own);
        for text in &authors.from {
            let identity = identity(text);
            if identity.alone() || (signs && identity.with_sender()) {
                continue;
            }
            return Err(match identity.with_sender() {
                true => DeliverError::SenderMissing(text.clone()),
                false => DeliverError::FromNotYours(text.clone()),
            });
        }
        Ok(authors.from.iter().filter_map(|text| text.parse().ok()).collect())
    }

    async fn identity_of(&self, who: &Principal, address: &Address) -> Result<Identity, Error> {
        let exact = self.identity_of_exactly(who, address).await?;
        if exact != Identity::Strange {
            return Ok(exact);
        }
        match self.untagged(address).await? {
            Some(plain) => self.identity_of_exactly(who, &plain).await,
            None => Ok(Identity::Strange),
        }
    }

    async fn identity_of_exactly(&self, who: &Principal, address: &Address) -> Result<Identity, Error> {
        Ok(match self.0.store.sending_rights(who.account(), address, self.now()).await? {
            Some(None) => Identity::Own,
            Some(Some(rights)) => Identity::Delegated(rights),
            None => Identity::Strange,
        })
    }
}
