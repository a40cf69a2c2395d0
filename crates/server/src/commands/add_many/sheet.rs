//! A list as rows of texts, from a CSV file or the first sheet of an XLSX workbook.
//!
//! Invariants: nothing is read that is larger than its limit, unpacked too; rows keep the numbers that a spreadsheet shows; a number
//! in a cell is its plain text, a date its year-month-day.

use calamine::{Data, Reader as _, Xlsx};
use std::io::{Cursor, Read as _};
use std::path::Path;

/// Largest file read: 30,000 rows have 3 MB, so more than this is another file given by mistake.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Largest workbook when unpacked, and its parts.
const UNPACKED_BYTES_MAX: u64 = 512 << 20;
const PARTS_MAX: usize = 10_000;
/// Columns that a list may have.
pub(super) const COLUMNS_MAX: usize = 200;
/// What a workbook, which is a ZIP archive, begins with.
const WORKBOOK: &[u8] = b"PK\x03\x04";

/// A row with the number that a spreadsheet shows, from 1.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: u32,
    /// Index of the first cell's column.
    pub(super) first: usize,
    pub(super) cells: Vec<String>,
}

/// The octets of a file, or of standard input.
pub(super) fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?
    } else {
        std::fs::File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?
    };
    if read as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is larger than 256 MB"));
    }
    Ok(bytes)
}

/// Rows with something in them. Of a workbook where the first row need not be the header, `is_workbook` tells.
pub(super) fn rows(bytes: &[u8]) -> Result<(Vec<Row>, bool), String> {
    if bytes.starts_with(WORKBOOK) {
        return workbook(bytes).map(|rows| (rows, true));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| "is neither an XLSX workbook nor text in UTF-8: save it as one of them".to_owned())?;
    csv(text).map(|rows| (rows, false))
}

fn csv(text: &str) -> Result<Vec<Row>, String> {
    // Excel writes a byte order mark, and semicolons where the comma is the decimal point, as in Vietnam.
    // It also ends lines with CRLF, of which csv counts the LF to the next line.
    let text = &text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let count = |separator| first.matches(separator).count();
    let delimiter = match (count(','), count(';'), count('\t')) {
        (0, 0, tabs) if tabs > 0 => b'\t',
        (commas, semicolons, _) if semicolons > commas => b';',
        _ => b',',
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("cannot be read: {error}"))?;
        // csv takes a record to begin where the one before ended: at the empty lines, which it passes over.
        let (line, begins) = record.position().map_or((0, 0), |at| (at.line(), at.byte()));
        let rest = usize::try_from(begins).ok().and_then(|at| text.as_bytes().get(at..)).unwrap_or_default();
        let line = line + rest.iter().take_while(|octet| **octet == b'\n').count() as u64;
        let cells: Vec<String> = record.iter().map(|cell| cell.trim().to_owned()).collect();
        push(&mut rows, Row { number: u32::try_from(line).unwrap_or(u32::MAX), first: 0, cells })?;
    }
    Ok(rows)
}

fn workbook(bytes: &[u8]) -> Result<Vec<Row>, String> {
    check_unpacked(bytes)?;
    let cannot = |error: calamine::XlsxError| format!("cannot be read as an XLSX workbook: {error}");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(cannot)?;
    let Some(range) = book.worksheet_range_at(0) else { return Err("has no sheet".to_owned()) };
    let range = range.map_err(cannot)?;
    let (top, left) = range.start().unwrap_or_default();
    let mut rows = Vec::new();
    for (number, cells) in (top.saturating_add(1)..).zip(range.rows()) {
        let cells = cells.iter().map(|cell| text(cell).trim().to_owned()).collect();
        push(&mut rows, Row { number, first: left as usize, cells })?;
    }
    Ok(rows)
}

/// An archive may promise little and hold much, but says itself what its parts are.
fn check_unpacked(bytes: &[u8]) -> Result<(), String> {
    let cannot = |error: zip::result::ZipError| format!("cannot be read as an XLSX workbook: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(cannot)?;
    if archive.len() > PARTS_MAX {
        return Err("has too many parts for a list of mailboxes".to_owned());
    }
    let mut unpacked: u64 = 0;
    for index in 0..archive.len() {
        unpacked = unpacked.saturating_add(archive.by_index_raw(index).map_err(cannot)?.size());
    }
    if unpacked > UNPACKED_BYTES_MAX {
        return Err("is larger than 512 MB when unpacked".to_owned());
    }
    Ok(())
}

fn text(cell: &Data) -> String {
    match cell {
        Data::Empty | Data::Error(_) => String::new(),
        Data::DateTime(date) if date.is_datetime() => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        other => other.to_string(),
    }
}

fn push(rows: &mut Vec<Row>, row: Row) -> Result<(), String> {
    if row.cells.len() > COLUMNS_MAX {
        return Err(format!("row {} has more than {COLUMNS_MAX} columns", row.number));
    }
    if row.cells.iter().any(|cell| !cell.is_empty()) {
        rows.push(row);
    }
    Ok(())
}
