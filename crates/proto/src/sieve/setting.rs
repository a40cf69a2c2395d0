//! What a run is given besides the message: who writes to whom, where it runs, what was answered to its questions; and what it says at
//! the end.

use super::compile::Script;
use super::program::ScriptName;
use crate::mime::Structure;
use jiff::Zoned;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// The message, as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    pub raw: &'a [u8],
    /// Of `raw`.
    pub structure: &'a Structure,
}

/// Where and for whom a script runs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The reverse path without brackets; empty for reports.
    pub envelope_from: String,
    /// Whom it is delivered to, without brackets.
    pub envelope_to: String,
    /// Who logged in to send it; empty for mail of others.
    pub auth: String,
    /// Other addresses of the mailbox: answers go only to mail that names one (RFC 5230 4.5).
    pub addresses: Vec<String>,
    /// With the zone in which the province lives.
    pub now: Zoned,
    /// RFC 5183 4.1: by name, in small letters.
    pub environment: BTreeMap<String, String>,
    /// Addresses and lists to which one run may pass a message on.
    pub redirects_max: usize,
}

/// What only others can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// Is there such a folder, and may mail be put into it (RFC 5490 3.1)?
    Folder(String),
    /// Is there a folder for this use, or is the named one for it (RFC 8579 3)?
    SpecialUse { folder: Option<String>, special_use: String },
    /// Is the value one of the list (RFC 6134 2.2)?
    Member { list: String, value: String },
    /// Is there such a list (RFC 6134 2.5)?
    List(String),
    /// Was this seen by a run that ended well, less than so many seconds ago (RFC 7352 3)? None: as long as is usual.
    Seen(Sighting),
}

/// RFC 7352 3: something that is remembered of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sighting {
    pub handle: String,
    pub id: String,
    /// Seconds; None: as long as is usual.
    pub period: Option<u64>,
    /// The time begins anew with each that is seen.
    pub last: bool,
}

/// What was answered, and the scripts that were asked for.
#[derive(Debug, Default)]
pub struct Known {
    pub answers: HashMap<Question, bool>,
    /// None: there is no such script.
    pub scripts: HashMap<Wanted, Option<Arc<Script>>>,
}

/// A script that another includes (RFC 6609 3.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which of the chain wants it, from 0: a personal script is of the same owner.
    pub by: usize,
    pub name: ScriptName,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    Done(Outcome),
    /// Run again with what is answered to each. The cost so far, as [`Outcome::cost`].
    Asks(Vec<Question>, u64),
    /// Run again with this script, or with word that there is none. The cost so far.
    Wants(Wanted, u64),
}

/// What is to be done with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// In the order of the scripts. Empty: nothing of it stays. Beside a [`Action::Reject`] stands only what earlier scripts of the
    /// chain wanted, and notices.
    pub actions: Vec<Action>,
    /// Of each of them, which script of the chain wanted it, from 0.
    pub wanted_by: Vec<usize>,
    /// The header as it was changed, once for each state in which an action takes it; [`Action`]s count from 1, 0 being how it came.
    pub headers: Vec<Vec<u8>>,
    /// To be remembered once all is done.
    pub sightings: Vec<Sighting>,
    /// Scripts that did not come to their end, in the order of the chain: each was as if it had only kept the message.
    pub failures: Vec<Failure>,
    /// In units of some 50 ns.
    pub cost: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Into INBOX.
    Keep {
        flags: Vec<String>,
        header: usize,
    },
    FileInto(Filing),
    /// To a reverse path that is the sender's still, or as policy has it.
    Redirect {
        to: Recipients,
        header: usize,
    },
    /// RFC 5429: in the dialogue if it can be and `in_dialogue` says so, else by a report.
    Reject {
        reason: String,
        in_dialogue: bool,
    },
    Vacation(Answer),
    Notify(Notice),
}

impl Action {
    /// It puts the message into the same folder.
    pub(super) fn is_into(&self, filing: &Filing) -> bool {
        matches!(self, Self::FileInto(known) if known.folder == filing.folder && known.special_use == filing.special_use)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    pub folder: String,
    /// Make it if it is not there (RFC 5490 3.2).
    pub create: bool,
    pub flags: Vec<String>,
    /// Rather into the folder for this use, where there is one (RFC 8579 4).
    pub special_use: Option<String>,
    pub header: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    Address(String),
    /// All members (RFC 6134 2.3).
    List(String),
}

/// RFC 5230 4. Whether anybody is to be answered was looked at as far as the message tells; not whether he was lately.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub to: String,
    pub from: Option<String>,
    pub subject: String,
    pub reason: String,
    /// The reason is a MIME entity.
    pub mime: bool,
    /// Answers with the same are the same to a sender (RFC 5230 4.2).
    pub handle: String,
    /// Seconds; None: as is usual.
    pub period: Option<u64>,
}

/// RFC 5435 3, RFC 5436.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `mailto:…`
    pub method: String,
    pub from: Option<String>,
    /// 1 is the highest of three.
    pub importance: u8,
    pub message: Option<String>,
}

/// Why a script did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which of the chain, from 0.
    pub script: usize,
    /// The script that it includes, where that is where it failed.
    pub included: Option<ScriptName>,
    /// Of that script; from 1. 0: before its first command.
    pub line: u32,
    pub reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cost more than a run may.
    TooCostly,
    TooManyActions(usize),
    TooManyRedirects(usize),
    /// RFC 5429 2.4, RFC 5230 4.7: `reject` beside something else.
    Conflict,
    /// RFC 5230 4.7: `vacation` a second time.
    AnsweredTwice,
    NoScript(String),
    /// RFC 6609 3.2: a script that includes itself, or more than so many within each other.
    IncludedTooDeep(usize),
    NotAnAddress(String),
    NotAFolder(String),
    NotAField(String),
    TooMuchHeader(usize),
    TooManyQuestions(usize),
    Unknown(String),
    /// RFC 5463 5: what the script says itself.
    Said(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(included) = &self.included {
            write!(f, "“{}”, ", included.name)?;
        }
        write!(f, "line {}: {}", self.line, self.reason.words().0)
    }
}

impl Failure {
    /// As its owner reads it.
    pub fn vietnamese(&self) -> String {
        let included =
            self.included.as_ref().map_or(String::new(), |included| format!(" của “{}”", included.name));
        format!("Dòng {}{included}: {}", self.line, self.reason.words().1)
    }
}

impl Reason {
    /// In English and in Vietnamese.
    fn words(&self) -> (String, String) {
        match self {
            Self::TooCostly => ("this takes too long".into(), "bộ lọc chạy quá lâu".into()),
            Self::TooManyActions(most) => (
                format!("more than {most} things to be done"),
                format!("có quá {most} việc phải làm với một thư"),
            ),
            Self::TooManyRedirects(most) => {
                (format!("more than {most} to pass it on to"), format!("chuyển tiếp đến quá {most} nơi"))
            }
            Self::Conflict => (
                "a message cannot be rejected and handled otherwise too".into(),
                "không thể vừa từ chối thư vừa xử lý cách khác".into(),
            ),
            Self::AnsweredTwice => (
                "a message cannot be answered twice".into(),
                "không thể trả lời tự động một thư hai lần".into(),
            ),
            Self::NoScript(name) => {
                (format!("there is no script “{name}”"), format!("không có bộ lọc “{name}”"))
            }
            Self::IncludedTooDeep(most) => (
                format!("scripts include each other more than {most} deep, or in a circle"),
                format!("các bộ lọc gọi nhau quá {most} cấp hoặc gọi vòng"),
            ),
            Self::NotAnAddress(text) => {
                (format!("“{text}” is not an address"), format!("“{text}” không phải là địa chỉ thư"))
            }
            Self::NotAFolder(text) => {
                (format!("“{text}” cannot be a folder"), format!("“{text}” không thể là tên thư mục"))
            }
            Self::NotAField(text) => (
                format!("“{text}” cannot be the name of a header field"),
                format!("“{text}” không thể là tên trường đầu thư"),
            ),
            Self::TooMuchHeader(most) => (
                format!("more than {most} octets of a changed header"),
                format!("phần đầu thư được sửa dài quá {most} byte"),
            ),
            Self::TooManyQuestions(most) => {
                (format!("more than {most} things to be looked up"), format!("phải tra cứu quá {most} lần"))
            }
            Self::Unknown(name) => {
                (format!("“{name}” is not known here"), format!("hệ thống không có “{name}”"))
            }
            Self::Said(text) => (format!("the script says: {text}"), format!("bộ lọc báo: {text}")),
        }
    }
}
