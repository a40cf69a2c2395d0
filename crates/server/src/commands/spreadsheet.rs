//! Lists for people who open them in Excel: CSV with titles in Vietnamese.
//!
//! Invariant: no cell is one that a spreadsheet takes for a formula.

use super::add_many::passwords::plain;
use anyhow::{Context as _, Result};

/// Excel takes the file for UTF-8 by the mark, and parts columns at semicolons where Vietnam's settings are.
const MARK: &str = "\u{feff}";

/// The titles and a line for each row.
pub(super) fn written<const COLUMNS: usize>(
    titles: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> Result<String> {
    let mut lines = csv::WriterBuilder::new()
        .delimiter(b';')
        .terminator(csv::Terminator::CRLF)
        .from_writer(MARK.as_bytes().to_vec());
    lines.write_record(titles)?;
    for row in rows {
        lines.write_record(row.iter().map(|cell| plain(cell).into_owned()))?;
    }
    String::from_utf8(lines.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?).context("not UTF-8")
}
