//! The columns of a list, by their Vietnamese or English titles, and what stands in them.

use super::sheet::Row;
use super::titles::{self, Title, folded};
use crate::config::size;
use engine::{Column, ImportRow};
use model::MailboxClass;
use std::collections::{HashMap, HashSet};

/// Classes as lists write them, folded.
const CLASSES: &[(&str, MailboxClass)] = &[
    ("person", MailboxClass::Person),
    ("canhan", MailboxClass::Person),
    ("leader", MailboxClass::Leader),
    ("lanhdao", MailboxClass::Leader),
    ("canbolanhdao", MailboxClass::Leader),
    ("organisation", MailboxClass::Organisation),
    ("organization", MailboxClass::Organisation),
    ("donvi", MailboxClass::Organisation),
    ("tochuc", MailboxClass::Organisation),
    ("coquan", MailboxClass::Organisation),
    ("service", MailboxClass::Service),
    ("dichvu", MailboxClass::Service),
];
/// Rows above the header that a workbook may have: the name of the organisation and of the list.
const ABOVE_HEADER_MAX: usize = 20;

/// Where each column is.
#[derive(Debug)]
pub(super) struct Columns {
    places: HashMap<Column, usize>,
    /// Columns with a title, known or not.
    titled: HashSet<usize>,
    /// Titles that nobody knows, as they stand, with the letters of their columns.
    unused: Vec<(String, String)>,
    /// Plain numbers of the quota are megabytes.
    is_megabytes: bool,
}

/// The letters of a column, such as `C`.
fn letters(place: usize) -> String {
    let mut left = place + 1;
    let mut letters = Vec::new();
    while left > 0 {
        letters.push(char::from(b'A' + u8::try_from((left - 1) % 26).unwrap_or(0)));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

impl Columns {
    /// The header, which is the first row that names a column for the name, and the rows below it.
    pub(super) fn find(rows: Vec<Row>, is_workbook: bool) -> Result<(Self, Vec<Row>), String> {
        let within = if is_workbook { ABOVE_HEADER_MAX } else { 1 };
        // Of rows that are no header, the one that is most like one is what somebody meant.
        let mut closest: Option<(usize, String)> = None;
        let mut rows = rows.into_iter();
        for header in rows.by_ref().take(within) {
            let columns = Self::of(&header)?;
            if columns.places.contains_key(&Column::Name) {
                let rows: Vec<Row> = rows.collect();
                if rows.is_empty() {
                    return Err("has no row below the one that names the columns".to_owned());
                }
                return Ok((columns, rows));
            }
            let known = columns.places.len();
            if closest.as_ref().is_none_or(|(most, _)| known > *most) {
                closest = Some((known, at(&header, "there is no column for the name")));
            }
        }
        Err(closest.map_or_else(|| "has no row that names the columns".to_owned(), |(_, what)| what))
    }

    /// What a row would be as a header.
    fn of(header: &Row) -> Result<Self, String> {
        let mut columns =
            Self { places: HashMap::new(), titled: HashSet::new(), unused: Vec::new(), is_megabytes: false };
        let mut twice = None;
        for (place, title) in &header.cells {
            columns.titled.insert(*place);
            let column = match titles::read(title) {
                Title::Known(column) => column,
                Title::PassedOver => continue,
                Title::Unknown => {
                    columns.unused.push((letters(*place), title.clone()));
                    continue;
                }
            };
            if let Some(before) = columns.places.insert(column, *place) {
                twice = Some((before, *place, column));
            }
            columns.is_megabytes |= column == Column::Quota && folded(title).ends_with("mb");
        }
        match twice.filter(|_| columns.places.contains_key(&Column::Name)) {
            Some((first, second, column)) => Err(both(header, first, second, column)),
            None => Ok(columns),
        }
    }

    /// Titles that nobody knows, as they stand, with the letters of their columns, which are not looked at.
    pub(super) fn unused(&self) -> &[(String, String)] {
        &self.unused
    }

    /// A cell as a spreadsheet names it, such as `C7`.
    pub(super) fn cell(&self, column: Column, row: u32) -> String {
        self.places.get(&column).map_or_else(String::new, |place| letters(*place)) + &row.to_string()
    }

    pub(super) fn read(&self, row: &Row) -> ImportRow {
        let value = |column| row.cell(*self.places.get(&column)?);
        let mut read = ImportRow {
            number: row.number,
            name: value(Column::Name).unwrap_or_default().to_owned(),
            unit: value(Column::Unit).map(str::to_owned),
            position: value(Column::Position).map(str::to_owned),
            address: value(Column::Address).map(str::to_owned),
            password: value(Column::Password).map(str::to_owned),
            ..ImportRow::default()
        };
        let mut faults = Vec::new();
        let mut note = |column, what: String| faults.push((column, what));
        if let Some((place, text)) = row.cells.iter().find(|(place, _)| !self.titled.contains(place)) {
            // A comma too many, or cells that were moved: then what stands in the others is wrong as well.
            let cell = letters(*place);
            note(Column::Name, format!("{text:?} in {cell}{} stands under no title", row.number));
        }
        if let Some(text) = value(Column::Class) {
            match class(text) {
                Some(class) => read.class = Some(class),
                None => note(
                    Column::Class,
                    format!(
                        "{text:?} is no class: person (cá nhân), leader (lãnh đạo), organisation (đơn vị), service (dịch vụ)"
                    ),
                ),
            }
        }
        if let Some(text) = value(Column::Quota) {
            match self.quota(text) {
                Ok(bytes) => read.quota_bytes = Some(bytes),
                Err(what) => note(Column::Quota, what),
            }
        }
        if let Some(text) = value(Column::BirthYear) {
            match year(text) {
                Some(year) => read.birth_year = Some(year),
                None => note(Column::BirthYear, format!("{text:?} is no year, nor a date with one")),
            }
        }
        read.faults = faults;
        read
    }

    fn quota(&self, text: &str) -> Result<u64, String> {
        match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true if self.is_megabytes => size(&format!("{text}MB")),
            // Bytes are not what anybody means.
            true => Err(format!("{text:?} has no unit: write {text}MB, or GB")),
            false => size(text),
        }
    }
}

fn at(header: &Row, what: &str) -> String {
    format!("row {}: {what}; the titles that are understood: congthu mailbox add-many --help", header.number)
}

/// A list says each thing in one column.
fn both(header: &Row, first: usize, second: usize, column: Column) -> String {
    let told = |place| format!("{} {:?}", letters(place), header.cell(place).unwrap_or_default());
    let (first, second, called) = (told(first), told(second), titles::called(column));
    let which = match column {
        Column::Unit => ": leave the one with the unit that each person is in, by its code or its full name",
        _ => ": leave one",
    };
    at(header, &format!("columns {first} and {second} both say the {called}{which}"))
}

fn class(text: &str) -> Option<MailboxClass> {
    let plain = folded(text);
    let plain = plain.strip_prefix("hopthu").unwrap_or(&plain);
    CLASSES.iter().find(|(name, _)| *name == plain).map(|(_, class)| *class)
}

/// A year, or the one of a date written 1980-12-31 or 31/12/1980.
fn year(text: &str) -> Option<i16> {
    let mut parts = text.split(['-', '/', '.']).map(str::trim);
    let year = parts.find(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_digit()))?;
    year.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::sheet;
    use super::*;

    fn read(text: &str) -> Result<(Columns, Vec<ImportRow>), String> {
        let (rows, is_workbook) = sheet::rows(text.as_bytes())?;
        let (columns, rows) = Columns::find(rows, is_workbook)?;
        let rows = rows.iter().map(|row| columns.read(row)).collect();
        Ok((columns, rows))
    }

    #[test]
    fn what_excel_writes_in_vietnam() {
        let text = "\u{feff}STT;Họ và tên;Đơn vị;Chức vụ;Năm sinh;Dung lượng (MB);Loại\r\n\
                    1;\"Nguyễn Văn A\";Sở Nội vụ;Giám đốc;31/12/1970;2048;Hộp thư cá nhân\r\n\r\n2;Văn thư;sonoivu;;;;Đơn vị\r\n";
        let (columns, rows) = read(text).unwrap();
        assert_eq!(rows.len(), 2);
        let first = &rows[0];
        assert_eq!((first.number, first.name.as_str(), first.birth_year), (2, "Nguyễn Văn A", Some(1970)));
        assert_eq!((first.quota_bytes, first.class), (Some(2 << 30), Some(MailboxClass::Person)));
        assert_eq!(first.position.as_deref(), Some("Giám đốc"));
        assert_eq!((rows[1].number, rows[1].class), (4, Some(MailboxClass::Organisation)));
        assert_eq!(columns.cell(Column::Unit, 7), "C7");
    }

    #[test]
    fn each_mistake_has_its_cell() {
        let (columns, rows) = read("name,class,quota,birth year,Số CCCD\nA,boss,500,soon,1\n").unwrap();
        assert_eq!(columns.unused(), [("E".to_owned(), "Số CCCD".to_owned())], "passed over, and told");
        let columns: Vec<Column> = rows[0].faults.iter().map(|(column, _)| *column).collect();
        assert_eq!(columns, [Column::Class, Column::Quota, Column::BirthYear]);
        assert!(rows[0].faults[1].1.contains("500MB"));
    }

    #[test]
    fn what_stands_under_no_title_is_wrong() {
        let (_, rows) = read("name,unit,\nLê An,so,\nNguyễn, Bình,so\n").unwrap();
        assert!(rows[0].faults.is_empty(), "a comma at the end is nothing");
        assert_eq!(rows[1].faults, [(Column::Name, "\"so\" in C3 stands under no title".to_owned())]);
    }

    #[test]
    fn the_row_that_is_most_like_a_header_is_told() {
        let row = |number, texts: &[&str]| Row {
            number,
            cells: texts.iter().map(|text| (*text).to_owned()).enumerate().collect(),
        };
        let rows =
            || vec![row(1, &["DANH SÁCH"]), row(3, &["Tên gì", "Đơn vị", "Chức vụ"]), row(4, &["An", "so"])];
        let error = Columns::find(rows(), true).unwrap_err();
        assert!(error.starts_with("row 3: there is no column for the name"), "{error}");
        let named = vec![row(1, &["Đơn vị", "Đơn vị"]), row(2, &["Họ và tên"]), row(3, &["An"])];
        assert!(Columns::find(named, true).is_ok());
    }

    #[test]
    fn a_wrong_header_is_refused_as_a_whole() {
        for (text, expected) in [
            ("address\na@b.vn\n", "no column for the name"),
            ("name,Họ tên\nA,B\n", "columns A \"name\" and B \"Họ tên\" both say the name: leave one"),
            (
                "name,Cơ quan,Phòng\nA,so,x\n",
                "B \"Cơ quan\" and C \"Phòng\" both say the unit: leave the one with",
            ),
            ("", "no row that names the columns"),
            ("name\n", "no row below"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn cells_are_named_as_spreadsheets_do() {
        for (place, expected) in [(0, "A9"), (25, "Z9"), (26, "AA9"), (51, "AZ9"), (52, "BA9"), (701, "ZZ9")]
        {
            assert_eq!(letters(place) + "9", expected);
        }
    }
}
