//! Why a message is not accepted: what the doors say of it, and what only the engine makes of it.

use crate::{AttachmentError, Error};
use jiff::Timestamp;
use model::sending::Limit;
use proto::mime::AuthorsError;

/// Why a message was not accepted, for all its recipients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    #[error("too many hops")]
    Loop,
    #[error("the From address {0} is not the sender's")]
    FromNotYours(String),
    /// The sender may write on behalf of this From address, but the message does not say that he did (B10).
    #[error("on behalf of {0} a message names its sender in a Sender field")]
    SenderMissing(String),
    /// Who wrote a submitted message cannot be told.
    #[error(transparent)]
    Authors(#[from] AuthorsError),
    #[error("the header is too large")]
    HeaderTooLarge,
    /// More than a recipient's domain takes from outside, in octets.
    #[error("the message is too large")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    Attachments(#[from] AttachmentError),
    /// The submitter's mailbox is full (An Giang 63/2016 Điều 9.3c).
    #[error("the mailbox is over its quota and cannot send")]
    OverQuota,
    /// The submitter has sent as much as policy lets him (D7).
    #[error("no more than {most} {} until {until}", limit.english())]
    Throttled { limit: Limit, most: u32, until: Timestamp },
    /// At no time would it be let through.
    #[error("no more than {most} {}", limit.english())]
    TooManyRecipients { limit: Limit, most: u32 },
    /// By a return path of ours more came back within a day than reports do.
    #[error("too much comes back by one return path")]
    TooManyReturns,
    /// A scanner knows it, by this name (D7).
    #[error("malware was found in the message: {0}")]
    Infected(String),
    /// The filter takes it for spam.
    #[error("the message is taken for spam")]
    Unwanted,
    /// A scanner did not answer, and policy does not let mail through without it.
    #[error("the message could not be scanned")]
    NotScanned,
    /// The filter wants it tried again.
    #[error("the filter puts the message off")]
    PutOff,
    /// Nobody whom it is for wants it, by their rules; why, in ASCII (RFC 5429).
    #[error("the rules of the recipients reject the message: {0}")]
    Rejected(String),
    /// A recipient's mailbox filled up while the message came: nobody got it (where each recipient is answered, all of them
    /// are full).
    #[error("a recipient's mailbox is full")]
    RecipientFull,
    /// The submitter's rights ended (password changed, mailbox locked or deleted): close the session.
    #[error("the rights of this session have ended")]
    Revoked,
    #[error("the mail store is unavailable")]
    Unavailable,
}

impl From<Error> for DeliverError {
    fn from(error: Error) -> Self {
        match error {
            Error::Revoked => Self::Revoked,
            Error::Unavailable | Error::NotFound | Error::NotPermitted | Error::Frozen => Self::Unavailable,
        }
    }
}

/// Why a message was not accepted, inside.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A mailbox that it was for exists no more.
    Gone,
    /// As much came to lie apart for a mailbox that it was for as may be.
    NoRoomApart,
    Other(DeliverError),
}

impl From<DeliverError> for Refused {
    fn from(error: DeliverError) -> Self {
        Self::Other(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<Refused> for DeliverError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Gone | Refused::NoRoomApart => Self::Unavailable,
            Refused::Other(error) => error,
        }
    }
}

impl Refused {
    pub(crate) fn by_store(error: store::Error) -> Self {
        match error {
            store::Error::MailboxGone => Self::Gone,
            store::Error::QuarantineFull => Self::NoRoomApart,
            error => Error::from(error).into(),
        }
    }
}
