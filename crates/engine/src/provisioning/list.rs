//! A list of mailboxes as it is handed in, and what is told about it.

use jiff::civil::Date;
use model::{DomainName, MailboxClass};

/// Rows of one list: three times the largest province's mailboxes.
pub(super) const IMPORT_ROWS_MAX: usize = 100_000;

/// What a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    Name,
    Unit,
    Position,
    Class,
    Quota,
    Address,
    BirthYear,
    Password,
}

/// One row as it stands in the list.
#[derive(Clone, Default)]
pub struct ImportRow {
    /// As whoever made the list sees it, the header being 1.
    pub number: u32,
    pub name: String,
    /// Code or full name.
    pub unit: Option<String>,
    pub position: Option<String>,
    pub class: Option<MailboxClass>,
    pub quota_bytes: Option<u64>,
    /// A whole address or what stands before the @; `None`: it is made from the name.
    pub address: Option<String>,
    pub birth_year: Option<i16>,
    pub password: Option<String>,
    /// What of the row could not be read.
    pub faults: Vec<(Column, String)>,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for ImportRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportRow")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A list of mailboxes.
#[derive(Clone, Debug)]
pub struct Import {
    pub domain: DomainName,
    pub file_name: String,
    /// BLAKE3 of the file: the same one goes on where it was cut off.
    pub digest: [u8; 32],
    pub rows: Vec<ImportRow>,
    /// Since when people have been in their units and positions; `None`: today.
    pub since: Option<Date>,
    /// Of rows that bring a password, and of those for which one is made.
    pub must_change_password: bool,
    /// Make the good rows although others are wrong.
    pub skip_bad: bool,
}

/// Something wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub row: u32,
    pub column: Column,
    pub what: String,
}

/// What a row would become, or has become before.
#[derive(Clone, Debug)]
pub struct RowPlan {
    pub row: u32,
    pub name: String,
    pub address: String,
    /// Code and full name.
    pub unit: Option<(String, String)>,
    /// Title of the position (chức vụ).
    pub position: Option<String>,
    pub class: MailboxClass,
    pub quota_bytes: u64,
    /// Id of the rule that made the address; `None`: the list says it.
    pub rule: Option<String>,
    /// What the rule does, with the article.
    pub reason: Option<String>,
    /// What of the name is no part of it.
    pub dropped: Vec<String>,
    /// Somebody of this name is known, who may be meant.
    pub warning: Option<String>,
}

/// What a list would do, row by row.
#[derive(Clone, Debug, Default)]
pub struct ImportPlan {
    pub rows: Vec<RowPlan>,
    pub faults: Vec<RowFault>,
    /// Rows that have become mailboxes in an earlier run.
    pub done: usize,
}

/// A password for a row's owner, told once.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    pub row: u32,
    /// Full name of the unit that the mailbox belongs to.
    pub unit: Option<String>,
    pub name: String,
    pub address: String,
    /// `None`: the list gave one.
    pub one_time_password: Option<String>,
}

/// Without the password: what is printed may be kept.
impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued")
            .field("row", &self.row)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A batch of a list on its way.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// About to be kept, which may yet fail.
    Made(&'a [Issued]),
    /// Kept: these mailboxes are there, with these passwords.
    Kept(&'a [Issued]),
}

/// Takes the passwords of each batch, twice: what cannot be written down is not made, and a failure behind that ends the run
/// between two batches.
pub type Sheet<'a> = &'a mut (dyn FnMut(Batch<'_>) -> std::io::Result<()> + Send);

/// What was made.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Number of the import, in the audit trail.
    pub import: i64,
    /// In this run.
    pub made: usize,
    /// In earlier runs of the same list.
    pub before: usize,
    /// Rows that were passed over.
    pub faults: Vec<RowFault>,
    /// Rows that made another person of a known name.
    pub warnings: Vec<RowFault>,
}
