//! `congthu mailbox …`, what is done to a mailbox in the course of its life: what may be written.

use super::OneDomain;
use super::times::day;
use crate::config::size;
use clap::Subcommand;
use jiff::civil::Date;
use model::Address;
use model::calendar::Swap;
use model::lifecycle::{DeletionCause, LockReason};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum LifeCommand {
    /// Lock a mailbox (tạm khóa): nobody logs in, whoever has is out at once
    Lock {
        address: Address,
        /// violation, taken-over, spam, malware or requested
        #[arg(long, value_parser = lock_reason)]
        reason: LockReason,
        /// What was seen, or the number of the document; it is kept in the audit trail
        #[arg(long, value_name = "TEXT")]
        evidence: String,
    },
    /// Note that the organisation asks for a mailbox again (đề nghị khôi phục), or that this is refused
    Restore {
        address: Address,
        /// What was asked for and how: the number and date of the document
        #[arg(long, value_name = "TEXT", required_unless_present = "refuse")]
        request: Option<String>,
        /// Refuse what was asked for, for this reason
        #[arg(long, value_name = "REASON", conflicts_with = "request")]
        refuse: Option<String>,
    },
    /// Restore a locked or listed mailbox (khôi phục) with a one-time password, shown once
    Unlock {
        address: Address,
        /// The organisation's request, where it was not noted before
        #[arg(long, value_name = "TEXT")]
        request: Option<String>,
    },
    /// Put a mailbox on the deletion list (thu hồi)
    Revoke {
        address: Address,
        /// revoked or violation
        #[arg(long, value_parser = cause, default_value = "revoked")]
        cause: DeletionCause,
        /// The number of the document, or a sentence
        #[arg(long)]
        reason: String,
    },
    /// Confirm that a mailbox on the deletion list may go; it does in the following night
    ConfirmDeletion {
        address: Address,
        /// No archive of it is wanted, for this reason; it is kept in the audit trail
        #[arg(long, value_name = "REASON")]
        without_export: Option<String>,
    },
    /// Write a locked or listed mailbox as an archive (kết xuất lưu trữ): one .eml for each message, and an index
    Export {
        address: Address,
        /// A new file, in a directory that the user the server runs as may write to
        #[arg(long, value_name = "FILE.zip")]
        out: PathBuf,
    },
    /// List the mailboxes that are to be deleted (danh sách xóa)
    DeletionList(OneDomain),
    /// Show a mailbox's quota and usage, or give it a quota of its own
    Quota {
        address: Address,
        /// Such as 500MB or 5GB
        #[arg(long, value_name = "SIZE", value_parser = size, requires = "reason")]
        set: Option<u64>,
        /// What its class has by the domain's policy
        #[arg(long, conflicts_with = "set", requires = "reason")]
        as_class: bool,
        /// Why; it is kept with who decided it
        #[arg(long)]
        reason: Option<String>,
    },
    /// Show what a mailbox has sent in this hour and day, and the limits of its class; or let it begin anew
    Sending {
        address: Address,
        /// Forget what it has sent, so that it may send at once
        #[arg(long, requires = "reason")]
        reset: bool,
        /// Why; it is kept in the audit trail
        #[arg(long)]
        reason: Option<String>,
    },
    /// List passwords that were reset, and the written confirmations that are owed
    Resets {
        /// Only those whose confirmation is owed
        #[arg(long)]
        open: bool,
    },
    /// Note that the written confirmation of a password's reset has come
    ConfirmReset {
        /// As the list numbers it
        number: i64,
        /// The number of the letter, or where it is kept
        #[arg(long)]
        document: String,
    },
    /// Note a leave (thông báo lý do): the mailbox may be unused for as long; without dates, list its leaves
    Leave {
        address: Address,
        /// First day, as 2026-03-01
        #[arg(long, value_parser = day, requires_all = ["to", "reason"])]
        from: Option<Date>,
        /// Last day
        #[arg(long, value_parser = day, requires = "from")]
        to: Option<Date>,
        #[arg(long, requires = "from")]
        reason: Option<String>,
        /// What whoever writes on these days is answered by itself; @FILE: what stands there, @- for standard input
        #[arg(long, value_name = "TEXT|@FILE", requires = "from")]
        answer: Option<String>,
        /// Subject of the answer [default: says that it is one, and to what]
        #[arg(long, value_name = "TEXT", requires = "answer")]
        answer_subject: Option<String>,
        /// What errors call the file of the answer
        #[arg(long, hide = true)]
        file_name: Option<PathBuf>,
    },
    /// Take a leave back that was noted: terms are counted as if it had not been
    CancelLeave {
        address: Address,
        /// Its first day
        #[arg(long, value_name = "DAY", value_parser = day)]
        from: Date,
        /// Why; it is kept with the leave
        #[arg(long)]
        reason: String,
    },
}

fn lock_reason(name: &str) -> Result<LockReason, String> {
    match name {
        "violation" => Ok(LockReason::Violation),
        "taken-over" => Ok(LockReason::TakenOver),
        "spam" => Ok(LockReason::Spam),
        "malware" => Ok(LockReason::Malware),
        "requested" => Ok(LockReason::Requested),
        _ => Err("one of violation, taken-over, spam, malware, requested".to_owned()),
    }
}

fn cause(name: &str) -> Result<DeletionCause, String> {
    match name {
        "revoked" => Ok(DeletionCause::Revoked),
        "violation" => Ok(DeletionCause::Violation),
        _ => Err("one of revoked, violation".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum HolidayCommand {
    /// Show the years that were announced or entered, with the days that differ from the weekly order
    List,
    /// Enter a year as it was announced; what is not given follows the law
    Set(SetHolidays),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetHolidays {
    pub(crate) year: i16,
    /// How many of the five days of Tết are before it
    #[arg(long, value_name = "DAYS", default_value_t = 1)]
    pub(crate) tet_days_before: u8,
    /// The day beside the National Day is 3/9, not 1/9
    #[arg(long)]
    pub(crate) third_of_september: bool,
    /// A working day given off, and the Saturday or Sunday worked for it: 2026-01-02=2026-01-10
    #[arg(long, value_name = "OFF=WORKED", value_parser = swap)]
    pub(crate) swap: Vec<Swap>,
    /// A further day off
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) off: Vec<Date>,
    /// A further day worked
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub(crate) worked: Vec<Date>,
    /// Who announced it: the document's number and date
    #[arg(long)]
    pub(crate) source: String,
}

fn swap(text: &str) -> Result<Swap, String> {
    let (off, worked) = text.split_once('=').ok_or("two days with = between them")?;
    Ok(Swap { off: day(off)?, worked: day(worked)? })
}
