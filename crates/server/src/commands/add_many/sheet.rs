//! A list as rows of texts, from a CSV file or the first sheet of an XLSX workbook.
//!
//! Invariants: nothing grows with what a file says of itself: cells are looked at one by one and refused beyond the limits before they
//! are kept, and archives are unpacked once, to be counted, before anybody reads them; rows keep the numbers that a spreadsheet
//! shows; a number in a cell is its plain text, a date its year-month-day.

use crate::given;
use calamine::{Data, DataRef, Reader as _, Xlsx};
use std::io::{Cursor, Read};
use std::path::Path;

/// Largest file read: 30,000 rows have 3 MB, so more than this is another file given by mistake.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Largest workbook when unpacked: 30,000 rows have 15 MB.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;
const PARTS_MAX: usize = 1_000;
/// Columns that a list may have.
const COLUMNS_MAX: usize = 200;
/// Rows with something in them: more than the engine takes, and what may stand above the header.
const ROWS_MAX: usize = 101_000;
/// What a workbook, which is a ZIP archive, begins with.
const WORKBOOK: &[u8] = b"PK\x03\x04";

/// A row with the number that a spreadsheet shows, from 1.
#[derive(Debug)]
pub(in crate::commands) struct Row {
    pub(in crate::commands) number: u32,
    /// What is not empty, by the index of its column, ascending.
    pub(in crate::commands) cells: Vec<(usize, String)>,
}

impl Row {
    pub(in crate::commands) fn cell(&self, place: usize) -> Option<&str> {
        let at = self.cells.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        self.cells.get(at).map(|(_, text)| text.as_str())
    }
}

/// The octets of a file, or of standard input.
pub(in crate::commands) fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    given::read(file, FILE_BYTES_MAX)
}

/// Rows with something in them. Of a workbook where the first row need not be the header, `is_workbook` tells.
pub(in crate::commands) fn rows(bytes: &[u8]) -> Result<(Vec<Row>, bool), String> {
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
    let mut rows = Rows::default();
    for record in reader.records() {
        let record = record.map_err(|error| format!("cannot be read: {error}"))?;
        // csv takes a record to begin where the one before ended: at the empty lines, which it passes over.
        let (line, begins) = record.position().map_or((0, 0), |at| (at.line(), at.byte()));
        let rest = usize::try_from(begins).ok().and_then(|at| text.as_bytes().get(at..)).unwrap_or_default();
        let line = line + rest.iter().take_while(|octet| **octet == b'\n').count() as u64;
        for (place, cell) in record.iter().enumerate() {
            rows.add(u32::try_from(line).unwrap_or(u32::MAX), place, cell)?;
        }
    }
    Ok(rows.0)
}

fn workbook(bytes: &[u8]) -> Result<Vec<Row>, String> {
    check_unpacked(bytes)?;
    let cannot = |error: calamine::XlsxError| format!("cannot be read as an XLSX workbook: {error}");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(cannot)?;
    let Some(name) = book.sheet_names().first().cloned() else { return Err("has no sheet".to_owned()) };
    let mut cells = book.worksheet_cells_reader(&name).map_err(cannot)?;
    let mut rows = Rows::default();
    while let Some(cell) = cells.next_cell().map_err(cannot)? {
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        rows.add(row.saturating_add(1), column, &text(cell.get_value()))?;
    }
    Ok(rows.0)
}

/// An archive may promise little and hold much: what it holds is counted, not what it says.
fn check_unpacked(bytes: &[u8]) -> Result<(), String> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot be read as an XLSX workbook: {error}");
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| cannot(&error))?;
    if archive.len() > PARTS_MAX {
        return Err("has too many parts for a list of mailboxes".to_owned());
    }
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| cannot(&error))?;
        let unpacked = std::io::copy(&mut part.take(left + 1), &mut std::io::sink());
        let unpacked = unpacked.map_err(|error| cannot(&error))?;
        left = left.checked_sub(unpacked).ok_or("is larger than 64 MB when unpacked")?;
    }
    Ok(())
}

fn text(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::DateTime(date) if date.is_datetime() => {
            let (year, month, day, ..) = date.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        other => Data::from(other.clone()).to_string(),
    }
}

/// What was read so far.
#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    /// The next cell; nothing of an empty one is kept.
    fn add(&mut self, number: u32, place: usize, text: &str) -> Result<(), String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if place >= COLUMNS_MAX {
            return Err(format!("row {number} has more than {COLUMNS_MAX} columns"));
        }
        let is_full = self.0.len() >= ROWS_MAX;
        match self.0.last_mut() {
            Some(row) if row.number == number => {
                if row.cells.last().is_some_and(|(before, _)| *before >= place) {
                    return Err(format!("cannot be read: the cells of row {number} are not in order"));
                }
                row.cells.push((place, text.to_owned()));
            }
            Some(row) if row.number > number => {
                return Err(format!("cannot be read: row {number} comes behind row {}", row.number));
            }
            _ if is_full => return Err(format!("has more than {ROWS_MAX} rows: part it")),
            _ => self.0.push(Row { number, cells: vec![(place, text.to_owned())] }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn packed(sheet: &str) -> Vec<u8> {
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let parts = [
            (
                "_rels/.rels",
                format!(
                    r#"<Relationships xmlns="{package}"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
                ),
            ),
            (
                "xl/workbook.xml",
                format!(
                    r#"<workbook xmlns="{main}" xmlns:r="{relations}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>"#
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    r#"<Relationships xmlns="{package}"><Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!(r#"<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>"#),
            ),
        ];
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn cell(name: &str) -> String {
        let row = name.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        format!(r#"<row r="{row}"><c r="{name}" t="inlineStr"><is><t>x</t></is></c></row>"#)
    }

    #[test]
    fn two_cells_far_apart_take_no_more_than_two() {
        let refused = rows(&packed(&(cell("A1") + &cell("XFD1048576")))).unwrap_err();
        assert!(refused.contains("more than 200 columns"), "{refused}");
        let (read, is_workbook) = rows(&packed(&(cell("A1") + &cell("GR1048576")))).unwrap();
        assert!(is_workbook);
        assert_eq!((read[1].number, read[1].cell(199)), (1_048_576, Some("x")));
        let refused = rows(&packed(&(cell("A9") + &cell("A1")))).unwrap_err();
        assert!(refused.contains("behind row 9"), "{refused}");
    }

    #[test]
    fn what_is_unpacked_is_counted() {
        let bomb = packed(&" ".repeat(usize::try_from(UNPACKED_BYTES_MAX).unwrap() + 1));
        assert!(bomb.len() < 1 << 20);
        assert_eq!(rows(&bomb).unwrap_err(), "is larger than 64 MB when unpacked");
        // The same, saying of its parts that they are small.
        let mut liar = bomb;
        let size = u32::try_from(UNPACKED_BYTES_MAX).unwrap().to_le_bytes();
        for at in 0..liar.len() - 4 {
            // The size in the headers is that, and the little that is around the spaces.
            if liar[at + 3] == size[3] && liar[at + 2] == size[2] && liar[at + 1] == size[1] {
                liar[at..at + 4].copy_from_slice(&[100, 0, 0, 0]);
            }
        }
        let refused = rows(&liar).unwrap_err();
        assert!(refused.contains("64 MB") || refused.contains("cannot be read"), "{refused}");
    }

    #[test]
    fn a_list_has_no_end_of_rows_and_columns() {
        let refused = rows("x\n".repeat(ROWS_MAX + 1).as_bytes()).unwrap_err();
        assert!(refused.contains("part it"), "{refused}");
        let refused = rows((",".repeat(COLUMNS_MAX) + "x\n").as_bytes()).unwrap_err();
        assert!(refused.contains("more than 200 columns"), "{refused}");
        assert!(rows((",".repeat(COLUMNS_MAX * 2) + "\nx\n").as_bytes()).is_ok(), "nothing is in them");
    }
}
