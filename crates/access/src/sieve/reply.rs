//! How a command ends: what is answered, or that the connection is over. What people read is said in Vietnamese and in English: the
//! language is `i-default`, which an English reader has to understand, and which may be others too (RFC 2277 4.5).

use crate::socket::{Ended, REVOKED};
use proto::managesieve::{Code, Reject, Status, Writer};
use std::borrow::Cow;

/// `OK` or `NO` with its code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    code: Option<Code>,
    text: Cow<'static, str>,
    /// A program that does not speak the protocol would hear it.
    pub(crate) is_bad: bool,
}

impl Reply {
    pub(crate) fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: text.into(), is_bad: false }
    }

    pub(crate) fn no(text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Status::No, code: None, text: text.into(), is_bad: false }
    }

    /// Not what may be said here.
    pub(crate) fn bad(text: &'static str) -> Self {
        Self { is_bad: true, ..Self::no(text) }
    }

    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.status(self.status, self.code.as_ref(), &self.text);
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

impl From<Reject> for Reply {
    fn from(Reject { code, text }: Reject) -> Self {
        // A script that is too large is well said.
        let is_bad = code.is_none();
        Self { status: Status::No, code, text: text.into(), is_bad }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Revoked => Self::End(REVOKED),
            engine::Error::Unavailable => {
                let text = "Hệ thống tạm thời không phục vụ được, hãy thử lại sau / Temporary failure, please try again";
                Self::Reply(Reply::no(text).code(Code::TryLater))
            }
            engine::Error::NotFound | engine::Error::NotPermitted | engine::Error::Frozen => {
                Self::Reply(Reply::no("Không được phép / You may not do this"))
            }
        }
    }
}
