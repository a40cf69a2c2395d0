//! A believable province: some 60 organisations, 1,500 people named as people are, and what happened to them.
//!
//! Invariant: the same at every start, so that a start cut off anywhere is completed by the next and what is there is left alone.

use anyhow::Result;
use engine::{
    Actor, AdminError, Engine, Founding, Import, ImportRow, MoveOptions, NewUnit, PersonMove, UnitAct,
    import_digest,
};
use jiff::civil::{Date, date};
use model::{DomainName, MailboxClass};
use std::collections::HashSet;

/// Units are older than the people's time in them.
const FOUNDED: Date = date(2016, 7, 1);
const SINCE: Date = date(2020, 1, 1);
/// The reforms of 2025: fewer departments, then two tiers.
const DEPARTMENTS_MERGED: Date = date(2025, 3, 1);
const TWO_TIERS: Date = date(2025, 7, 1);

/// Code, name, kind; all under the first one.
const OFFICES: [(&str, &str, &str); 18] = [
    ("ubnd", "Ủy ban nhân dân tỉnh", "ubnd-tinh"),
    ("vpubnd", "Văn phòng Ủy ban nhân dân tỉnh", "van-phong"),
    ("sonoivu", "Sở Nội vụ", "so"),
    ("sokhcn", "Sở Khoa học và Công nghệ", "so"),
    ("sotttt", "Sở Thông tin và Truyền thông", "so"),
    ("sotaichinh", "Sở Tài chính", "so"),
    ("soyte", "Sở Y tế", "so"),
    ("sogddt", "Sở Giáo dục và Đào tạo", "so"),
    ("sonnptnt", "Sở Nông nghiệp và Phát triển nông thôn", "so"),
    ("soxaydung", "Sở Xây dựng", "so"),
    ("socongthuong", "Sở Công Thương", "so"),
    ("sotuphap", "Sở Tư pháp", "so"),
    ("sovhttdl", "Sở Văn hóa, Thể thao và Du lịch", "so"),
    ("songoaivu", "Sở Ngoại vụ", "so"),
    ("thanhtra", "Thanh tra tỉnh", "nganh"),
    ("banqlkkt", "Ban Quản lý Khu kinh tế", "ban"),
    ("hoinongdan", "Hội Nông dân tỉnh", "hoi"),
    ("hoilhpn", "Hội Liên hiệp Phụ nữ tỉnh", "hoi"),
];
/// Rooms that each sở has: the beginning of the code, name, kind.
const ROOMS: [(&str, &str, &str); 3] = [
    ("vanphong", "Văn phòng Sở", "van-phong"),
    ("khtc", "Phòng Kế hoạch - Tài chính", "phong"),
    ("nghiepvu", "Phòng Nghiệp vụ", "phong"),
];
const COMMUNES: [(&str, &str, &str); 12] = [
    ("longxuyen", "Phường Long Xuyên", "phuong"),
    ("myxuyen", "Phường Mỹ Xuyên", "phuong"),
    ("binhduc", "Phường Bình Đức", "phuong"),
    ("chaudoc", "Phường Châu Đốc", "phuong"),
    ("tanchau", "Phường Tân Châu", "phuong"),
    ("thoaison", "Xã Thoại Sơn", "xa"),
    ("oceo", "Xã Óc Eo", "xa"),
    ("vinhhanh", "Xã Vĩnh Hanh", "xa"),
    ("myduc", "Xã Mỹ Đức", "xa"),
    ("chomoi", "Xã Chợ Mới", "xa"),
    ("anphu", "Xã An Phú", "xa"),
    ("tinhbien", "Xã Tịnh Biên", "xa"),
];

/// Surnames with their share of a thousand people.
const SURNAMES: [(&str, u32); 20] = [
    ("Nguyễn", 384),
    ("Trần", 121),
    ("Lê", 95),
    ("Phạm", 70),
    ("Huỳnh", 51),
    ("Phan", 45),
    ("Võ", 39),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 5),
    ("Trương", 25),
    ("Đinh", 15),
    ("Lâm", 15),
    ("Mai", 14),
    ("Tôn Thất", 5),
    ("Châu", 25),
];
const MEN: [&str; 24] = [
    "Anh", "Bình", "Cường", "Dũng", "Đức", "Hải", "Hiếu", "Hòa", "Hùng", "Khánh", "Long", "Minh", "Nam",
    "Nghĩa", "Phong", "Phúc", "Quang", "Quân", "Sơn", "Tài", "Thành", "Thắng", "Tuấn", "Vinh",
];
const MEN_MIDDLE: [&str; 10] = ["Văn", "Văn", "Văn", "Hữu", "Minh", "Quốc", "Thanh", "Hoàng", "Đình", "Công"];
const WOMEN: [&str; 24] = [
    "Anh", "Châu", "Dung", "Đào", "Giang", "Hà", "Hạnh", "Hiền", "Hoa", "Hồng", "Hương", "Lan", "Linh",
    "Loan", "Mai", "My", "Nga", "Ngân", "Ngọc", "Nhung", "Phương", "Thảo", "Trang", "Yến",
];
const WOMEN_MIDDLE: [&str; 10] =
    ["Thị", "Thị", "Thị", "Thị Kim", "Thị Ngọc", "Ngọc", "Thanh", "Thị Mỹ", "Bích", "Thị Thu"];

/// Makes the organisations that are not there yet.
///
/// # Errors
/// When the database fails.
pub(super) async fn seed_units(engine: &Engine, actor: &Actor, domain: &DomainName) -> Result<()> {
    let there: HashSet<String> =
        engine.units(actor, domain).await?.into_iter().map(|unit| unit.code).collect();
    for unit in units(domain) {
        if unit.code.as_ref().is_some_and(|code| !there.contains(code)) {
            engine.add_unit(actor, &unit, Founding::default()).await?;
        }
    }
    Ok(())
}

/// Makes the people who are not there yet, and their history.
///
/// # Errors
/// When the database fails.
pub(super) async fn seed_people(engine: &Engine, actor: &Actor, domain: &DomainName) -> Result<()> {
    let rows = rows();
    let digest = import_digest(format!("{rows:?}").as_bytes());
    let list = Import {
        domain: domain.clone(),
        file_name: "demo".to_owned(),
        digest,
        rows,
        since: Some(SINCE),
        must_change_password: false,
        skip_bad: true,
    };
    engine.import_mailboxes(actor, &list, &mut |_| Ok(())).await?;
    history(engine, actor, domain).await
}

fn units(domain: &DomainName) -> Vec<NewUnit> {
    let unit = |code: String, name: &str, kind: &str, parent: Option<&str>| NewUnit {
        domain: domain.clone(),
        code: Some(code),
        name: name.to_owned(),
        kind: kind.to_owned(),
        identifier: None,
        parent: parent.map(str::to_owned),
        on: Some(FOUNDED),
    };
    let top = "ubnd";
    let mut units = Vec::new();
    for (code, name, kind) in OFFICES.into_iter().chain(COMMUNES) {
        units.push(unit(code.to_owned(), name, kind, (code != top).then_some(top)));
        if kind == "so" {
            let room =
                |(short, name, kind): (&str, _, _)| unit(format!("{short}.{code}"), name, kind, Some(code));
            units.extend(ROOMS.into_iter().map(room));
        }
    }
    units
}

/// Everybody, and the organisations' own mailboxes.
fn rows() -> Vec<ImportRow> {
    let mut dice = Dice(0x5eed);
    let mut rows = Vec::new();
    for (code, name, kind) in OFFICES.into_iter().chain(COMMUNES) {
        organisation(&mut rows, code, name);
        match kind {
            "ubnd-tinh" => staff(&mut rows, &mut dice, code, &[("Chủ tịch", 1), ("Phó Chủ tịch", 3)]),
            "so" => {
                staff(&mut rows, &mut dice, code, &[("Giám đốc", 1), ("Phó Giám đốc", 3)]);
                for (short, ..) in ROOMS {
                    let room = format!("{short}.{code}");
                    let posts =
                        [("Trưởng phòng", 1), ("Phó Trưởng phòng", 2), ("Chuyên viên", 19), ("Văn thư", 1)];
                    staff(&mut rows, &mut dice, &room, &posts);
                }
            }
            "xa" | "phuong" => {
                let posts = [
                    ("Bí thư", 1),
                    ("Chủ tịch", 1),
                    ("Phó Chủ tịch", 2),
                    ("Chuyên viên", 34),
                    ("Văn thư", 1),
                ];
                staff(&mut rows, &mut dice, code, &posts);
            }
            _ => staff(
                &mut rows,
                &mut dice,
                code,
                &[("Chánh Văn phòng", 1), ("Chuyên viên", 20), ("Văn thư", 1)],
            ),
        }
    }
    for (number, row) in (2..).zip(&mut rows) {
        row.number = number;
    }
    rows
}

fn organisation(rows: &mut Vec<ImportRow>, code: &str, name: &str) {
    // That one's is among the demo's users.
    if code != "vpubnd" {
        rows.push(ImportRow {
            name: name.to_owned(),
            unit: Some(code.to_owned()),
            class: Some(MailboxClass::Organisation),
            ..ImportRow::default()
        });
    }
}

fn staff(rows: &mut Vec<ImportRow>, dice: &mut Dice, unit: &str, posts: &[(&str, usize)]) {
    for (title, count) in posts {
        for _ in 0..*count {
            let year = 1962 + i16::try_from(dice.below(40)).unwrap_or(0);
            rows.push(ImportRow {
                name: name(dice),
                unit: Some(unit.to_owned()),
                position: Some((*title).to_owned()),
                birth_year: Some(year),
                ..ImportRow::default()
            });
        }
    }
}

/// As often as such names are.
fn name(dice: &mut Dice) -> String {
    let mut share = dice.below(SURNAMES.iter().map(|(_, share)| share).sum());
    let surname = SURNAMES.iter().find(|(_, of)| match share.checked_sub(*of) {
        Some(left) => {
            share = left;
            false
        }
        None => true,
    });
    let (middle, given) = if dice.below(2) == 0 { (&MEN_MIDDLE, &MEN) } else { (&WOMEN_MIDDLE, &WOMEN) };
    format!("{} {} {}", surname.map_or("Nguyễn", |(name, _)| name), dice.of(middle), dice.of(given))
}

/// A merger, a new name, some who went elsewhere: once.
async fn history(engine: &Engine, actor: &Actor, domain: &DomainName) -> Result<()> {
    let merged = engine.unit(actor, domain, "sotttt").await?;
    if merged.is_none_or(|(unit, _)| unit.dissolved.is_some()) {
        return Ok(());
    }
    let act =
        UnitAct::Rename { unit: "sonnptnt".into(), name: "Sở Nông nghiệp và Môi trường".into() };
    unless_done(engine.change_unit(actor, domain, &act, Some(DEPARTMENTS_MERGED), false).await)?;
    let movers = engine.people(actor, domain, Some("nghiepvu.sonoivu"), None, 6).await?;
    for (person, (commune, ..)) in movers.iter().zip(COMMUNES) {
        let to = PersonMove::Transfer { to: commune.to_owned(), position: None };
        let options = MoveOptions { on: Some(TWO_TIERS), ..MoveOptions::default() };
        unless_done(engine.move_person(actor, domain, person.person, &to, options).await)?;
    }
    // Last, as it says that all of this was done.
    let act = UnitAct::Merge { sources: vec!["sotttt".into()], into: "sokhcn".into(), keep_positions: false };
    unless_done(engine.change_unit(actor, domain, &act, Some(DEPARTMENTS_MERGED), false).await)
}

/// What somebody has changed meanwhile stays as it is.
pub(super) fn unless_done<T>(done: Result<T, AdminError>) -> Result<()> {
    match done {
        Ok(_) | Err(AdminError::Organisation(_) | AdminError::NoSuchUnit(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Rolls the same at every start.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }

    fn of<'n>(&mut self, names: &[&'n str]) -> &'n str {
        let at = self.below(u32::try_from(names.len()).unwrap_or(1));
        names.get(at as usize).copied().unwrap_or("An")
    }
}

#[cfg(test)]
mod tests {
    use super::super::DOMAIN;
    use super::*;

    #[test]
    fn a_province_of_the_size_it_says() {
        let domain = DomainName::new(DOMAIN).unwrap();
        let units = units(&domain);
        let rows = rows();
        assert!((55..=75).contains(&units.len()), "{}", units.len());
        assert!((1_400..=1_700).contains(&rows.len()), "{}", rows.len());
        assert_eq!(format!("{rows:?}"), format!("{:?}", super::rows()), "the same at every start");
        let codes: HashSet<&str> = units.iter().filter_map(|unit| unit.code.as_deref()).collect();
        assert_eq!(codes.len(), units.len());
        assert!(rows.iter().all(|row| codes.contains(row.unit.as_deref().unwrap())));
        let called = |surname: &str| rows.iter().filter(|row| row.name.starts_with(surname)).count();
        assert!(called("Nguyễn ") * 3 > rows.len() && called("Trần ") * 10 > rows.len());
    }
}
