//! Titles of the columns of a list, as offices write them: what is understood is one table, from which `--help` is written too.
//!
//! Invariant: a title is compared without marks, case, spaces and punctuation, so one spelling of each stands here
//! (`docs/operations/province.md` has the same list; a test compares).

use engine::Column;
use model::fold_marks;
use std::fmt::Write as _;

/// Of each column, whichever of these titles it bears.
const TITLES: &[(Column, &[&str])] = &[
    (
        Column::Name,
        &["Họ và tên", "Họ tên", "Họ và tên cán bộ", "Họ tên cán bộ", "Tên hộp thư", "Name", "Full name"],
    ),
    (
        Column::Unit,
        &[
            "Đơn vị",
            "Tên đơn vị",
            "Mã đơn vị",
            "Đơn vị công tác",
            "Nơi công tác",
            "Cơ quan",
            "Tên cơ quan",
            "Cơ quan công tác",
            "Cơ quan, đơn vị",
            "Phòng",
            "Tên phòng",
            "Phòng ban",
            "Phòng, đơn vị",
            "Phòng ban, đơn vị",
            "Phòng chuyên môn",
            "Khoa, phòng",
            "Bộ phận",
            "Unit",
            "Unit code",
            "Department",
            "Office",
        ],
    ),
    (
        Column::Position,
        &[
            "Chức vụ",
            "Chức danh",
            "Chức vụ, chức danh",
            "Chức danh, chức vụ",
            "Vị trí",
            "Vị trí việc làm",
            "Position",
            "Job title",
        ],
    ),
    (Column::Class, &["Loại", "Loại hộp thư", "Class"]),
    (Column::Quota, &["Dung lượng", "Dung lượng hộp thư", "Dung lượng (MB)", "Quota", "Quota (MB)"]),
    (
        Column::Address,
        &[
            "Địa chỉ",
            "Địa chỉ thư",
            "Địa chỉ hộp thư",
            "Địa chỉ thư điện tử",
            "Thư điện tử",
            "Địa chỉ email",
            "Email",
            "Address",
        ],
    ),
    (Column::BirthYear, &["Năm sinh", "Ngày sinh", "Ngày tháng năm sinh", "Birth year", "Year of birth"]),
    (Column::Password, &["Mật khẩu", "Password"]),
];
/// Columns that lists have and nobody needs.
const PASSED_OVER: &[&str] = &["STT", "TT", "Số thứ tự", "Ghi chú", "No", "Note", "Notes"];

/// What a title says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Title {
    Known(Column),
    /// Nobody needs what stands below it.
    PassedOver,
    Unknown,
}

/// A text as titles are compared: letters without marks, and digits.
pub(super) fn folded(text: &str) -> String {
    let plain = fold_marks(text).to_lowercase();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

pub(super) fn read(title: &str) -> Title {
    let plain = folded(title);
    let is_one = |titles: &[&str]| titles.iter().any(|known| folded(known) == plain);
    match TITLES.iter().find(|(_, titles)| is_one(titles)) {
        Some((column, _)) => Title::Known(*column),
        None if plain.is_empty() || is_one(PASSED_OVER) => Title::PassedOver,
        None => Title::Unknown,
    }
}

/// What a column is called in errors.
pub(super) const fn called(column: Column) -> &'static str {
    match column {
        Column::Name => "name",
        Column::Unit => "unit",
        Column::Position => "position",
        Column::Class => "class",
        Column::Quota => "quota",
        Column::Address => "address",
        Column::BirthYear => "birth year",
        Column::Password => "password",
    }
}

/// The list of titles, for `--help`.
pub(crate) fn help() -> String {
    let mut text = "Titles of columns, in any case and with or without marks:\n".to_owned();
    for (column, titles) in TITLES {
        let _ = writeln!(text, "  {}: {}", called(*column), titles.join("; "));
    }
    let _ = write!(
        text,
        "  not looked at: {}\nA column under another title is named, and not looked at.",
        PASSED_OVER.join("; ")
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_understood_however_it_is_written() {
        for (title, expected) in [
            ("Phòng", Title::Known(Column::Unit)),
            ("PHÒNG/BAN", Title::Known(Column::Unit)),
            ("Bộ phận", Title::Known(Column::Unit)),
            ("co quan", Title::Known(Column::Unit)),
            ("Chức danh", Title::Known(Column::Position)),
            ("Vị trí việc làm", Title::Known(Column::Position)),
            ("Ngày tháng năm sinh", Title::Known(Column::BirthYear)),
            ("Ghi chú", Title::PassedOver),
            ("(*)", Title::PassedOver),
            ("Số CCCD", Title::Unknown),
        ] {
            assert_eq!(read(title), expected, "{title}");
        }
    }

    #[test]
    fn no_title_says_two_things() {
        let mut all: Vec<String> =
            TITLES.iter().flat_map(|(_, titles)| titles.iter()).map(|one| folded(one)).collect();
        all.extend(PASSED_OVER.iter().map(|one| folded(one)));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    /// `docs/operations/province.md` lists the titles, all of them and no others.
    #[test]
    fn the_titles_are_documented() {
        const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let page = std::fs::read_to_string(format!("{ROOT}/docs/operations/province.md")).unwrap();
        for (column, titles) in TITLES {
            let line = format!("| {} | {} |", called(*column), titles.join("; "));
            assert!(page.contains(&line), "docs/operations/province.md lacks: {line}");
        }
        let line = format!("| not looked at | {} |", PASSED_OVER.join("; "));
        assert!(page.contains(&line), "docs/operations/province.md lacks: {line}");
    }
}
