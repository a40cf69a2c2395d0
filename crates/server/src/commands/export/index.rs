//! The index of an archive, danh-muc.csv: which message is which file.
//!
//! Invariant: no cell is taken for a formula: senders chose most of them.

use crate::commands::add_many::passwords::plain;
use anyhow::{Result, anyhow};
use jiff::Timestamp;
use model::Flags;
use model::calendar::local_text;
use std::fs::File;
use std::io::{Seek as _, Write as _};

/// Excel takes the file for UTF-8 by the mark, and parts columns at semicolons where Vietnam's settings are.
const MARK: &str = "\u{feff}";
const HEADER: [&str; 9] = [
    "Thư mục",
    "Tệp",
    "Ngày nhận",
    "Người gửi",
    "Tiêu đề",
    "Trạng thái",
    "Từ khóa",
    "Kích thước (byte)",
    "SHA-256",
];

/// One message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) folder: &'a str,
    /// Path in the archive.
    pub(super) file: &'a str,
    pub(super) at: Timestamp,
    pub(super) from: &'a str,
    pub(super) subject: &'a str,
    pub(super) flags: Flags,
    /// Parted by spaces.
    pub(super) keywords: &'a str,
    pub(super) octets: u64,
    /// Of the message, in hexadecimal digits.
    pub(super) sha256: &'a str,
}

/// It grows in a file of its own, as an archive takes one file after the other.
pub(super) struct Index(csv::Writer<File>);

impl Index {
    pub(super) fn new(mut file: File) -> Result<Self> {
        file.write_all(MARK.as_bytes())?;
        let mut rows =
            csv::WriterBuilder::new().delimiter(b';').terminator(csv::Terminator::CRLF).from_writer(file);
        rows.write_record(HEADER)?;
        Ok(Self(rows))
    }

    pub(super) fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let (at, flags, octets) = (local_text(row.at), flags(row.flags), row.octets.to_string());
        let cells =
            [row.folder, row.file, &at, row.from, row.subject, &flags, row.keywords, &octets, row.sha256];
        // A line break in a cell is one that a sender hid in an encoded word.
        let cell = |cell: &str| plain(&cell.replace(|c: char| c.is_control(), " ")).into_owned();
        Ok(self.0.write_record(cells.map(cell))?)
    }

    /// From its first octet on.
    pub(super) fn finish(self) -> Result<File> {
        let mut file = self.0.into_inner().map_err(|error| anyhow!("{error}"))?;
        file.rewind()?;
        Ok(file)
    }
}

/// As IMAP names them, without backslashes.
fn flags(flags: Flags) -> String {
    let all = [
        (Flags::SEEN, "Seen"),
        (Flags::ANSWERED, "Answered"),
        (Flags::FLAGGED, "Flagged"),
        (Flags::DELETED, "Deleted"),
        (Flags::DRAFT, "Draft"),
    ];
    let set = all.into_iter().filter(|(flag, _)| flags.contains(*flag));
    set.map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn no_cell_is_a_formula_or_a_second_line() {
        let mut index = Index::new(tempfile::tempfile().unwrap()).unwrap();
        let row = Row {
            folder: "+INBOX",
            file: "INBOX/a.eml",
            at: Timestamp::UNIX_EPOCH,
            from: "@SUM(A1)",
            subject: "=cmd()\r\n=2;\"x\"",
            flags: Flags::SEEN | Flags::DRAFT,
            keywords: "-x",
            octets: 7,
            sha256: "00",
        };
        index.add(&row).unwrap();
        let mut text = String::new();
        index.finish().unwrap().read_to_string(&mut text).unwrap();
        let line = "'+INBOX;INBOX/a.eml;1970-01-01 07:00:00 +07;'@SUM(A1);\"'=cmd()  =2;\"\"x\"\"\";Seen Draft;'-x;7;00\r\n";
        assert_eq!(text, format!("{MARK}{}\r\n{line}", HEADER.join(";")));
    }
}
