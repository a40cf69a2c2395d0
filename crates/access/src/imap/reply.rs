//! The tagged end of a command as a value, and the other ways a command can end.

use crate::socket::{Ended, REVOKED};
use proto::imap::{Code, NoSuchMessage, Status, StatusLine, Tag, Writer};
use std::borrow::Cow;

/// `OK`, `NO` or `BAD` with its code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    pub(crate) fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: text.into() }
    }

    pub(crate) fn no(text: &'static str) -> Self {
        Self { status: Status::No, code: None, text: text.into() }
    }

    pub(crate) fn bad(text: &'static str) -> Self {
        Self { status: Status::Bad, code: None, text: text.into() }
    }

    /// As the tagged end of a command.
    pub(crate) fn write(&self, out: &mut Writer, tag: &Tag) {
        out.tagged(tag, &StatusLine { status: self.status, code: self.code.clone(), text: &self.text });
    }

    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }
}

/// What a command that did not do what it was asked ends with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command failed, the session goes on.
    Reply(Reply),
    /// The connection is over.
    End(Ended),
}

pub(crate) type Outcome = Result<Reply, Failure>;

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        Self::End(ended)
    }
}

impl From<NoSuchMessage> for Failure {
    fn from(_: NoSuchMessage) -> Self {
        // RFC 3501 9, seq-number: BAD
        Self::Reply(Reply::bad("No such message number"))
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        match error {
            // RFC 5530 3
            engine::Error::Unavailable => {
                Self::Reply(Reply::no("Temporary failure, please try again").code(Code::Unavailable))
            }
            engine::Error::Revoked => Self::End(REVOKED),
            // RFC 5530 3
            engine::Error::NotPermitted => {
                Self::Reply(Reply::no("You were not given the right to do this").code(Code::NoPerm))
            }
            engine::Error::Frozen => Self::Reply(
                Reply::no(
                    "This mailbox is being handed over: nothing in it can be deleted until that is done",
                )
                .code(Code::InUse),
            ),
            engine::Error::NotFound => Self::Reply(Reply::no("No such mailbox").code(Code::NonExistent)),
        }
    }
}

/// The selected folder was deleted or renamed away by somebody else (RFC 2180 3.3).
pub(crate) const FOLDER_GONE: Ended = Ended::Bye("The selected mailbox was deleted");
