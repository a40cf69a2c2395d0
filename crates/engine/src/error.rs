//! Why the engine could not do what was asked, by what the front door will do about it.

/// What any use of a mailbox may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or its disk is full; the cause is logged. Nothing was done, or, for a commit whose
    /// outcome is unknown, the caller must not claim that it was.
    #[error("the mail store is unavailable")]
    Unavailable,
    /// The principal's rights ended (password changed, mailbox locked or deleted): close the session.
    #[error("the rights of this session have ended")]
    Revoked,
    /// The folder does not exist (any more).
    #[error("no such folder")]
    NotFound,
    /// The delegation does not include this.
    #[error("the right to do this was not given")]
    NotPermitted,
    /// Nothing may be deleted while the mailbox is handed over (bàn giao nguyên trạng).
    #[error("the mailbox is being handed over")]
    Frozen,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::MailboxGone => Self::NotFound,
            error => {
                tracing::error!(%error, "the mail store failed");
                Self::Unavailable
            }
        }
    }
}
